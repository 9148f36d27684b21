//! Registers as Cranelift values.
//!
//! In SSA form a register is a value. In register form it is a variable of cranelift-frontend if
//! it may be read in another block than it was assigned in; all others, the temporaries that most
//! registers are, never become variables. Within a block the value of either is remembered.
//!
//! Truth values: a comparison gives an i32 in Cupola and an i8 in Cranelift. The i8 is remembered,
//! so that branches, selects and negations use the comparison itself.

use super::{Lower, cl_type};
use cranelift_codegen::entity::packed_option::{PackedOption, ReservedValue};
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::{self, InstBuilder, InstructionData, Value};
use cranelift_frontend::Variable;
use cupola_ir::{Form, Reg};

/// What is known of a register.
#[derive(Clone)]
pub(super) struct RegState {
    /// The value it had last, valid in the Cranelift block `epoch` (SSA form: anywhere).
    value: PackedOption<Value>,
    epoch: u32,
    /// It is a variable.
    is_variable: bool,
}

impl Lower<'_, '_> {
    /// Makes the registers known; in register form, finds out which are variables.
    pub(super) fn declare_registers(&mut self) {
        let code = self.code;
        let state = RegState { value: None.into(), epoch: 0, is_variable: false };
        self.t.regs.resize(code.regs.len(), state);
        if code.form == Form::Ssa {
            for (block, data) in code.blocks.iter().skip(1) {
                for &param in &data.params {
                    let ty = cl_type(code.regs[param]);
                    self.b.append_block_param(self.t.blocks[block.as_u32() as usize], ty);
                }
            }
            return;
        }
        for &ty in code.regs.values() {
            self.b.declare_var(cl_type(ty));
        }
        // `epoch` serves as the block of the last assignment, plus one, while this runs.
        for state in &mut self.t.regs[..code.sig.params.len()] {
            state.epoch = 1;
        }
        for (block, data) in code.blocks.iter() {
            for &inst in &data.insts {
                let inst = &code.insts[inst];
                for reg in inst.uses() {
                    let state = &mut self.t.regs[reg.as_u32() as usize];
                    state.is_variable |= state.epoch != block.as_u32() + 1;
                }
                for &reg in &inst.results {
                    self.t.regs[reg.as_u32() as usize].epoch = block.as_u32() + 1;
                }
            }
        }
        for state in &mut self.t.regs {
            state.epoch = 0;
        }
    }

    /// The value of a register.
    pub(super) fn value(&mut self, reg: Reg) -> Value {
        let index = reg.as_u32();
        let state = &self.t.regs[index as usize];
        if let Some(value) = state.value.expand()
            && (self.ssa || state.epoch == self.epoch)
        {
            return value;
        }
        // A register that is no variable is only read where it was assigned, in the same block of
        // the function, which may be several Cranelift blocks.
        if !state.is_variable
            && let Some(value) = state.value.expand()
        {
            return value;
        }
        let value = self.b.use_var(Variable::from_u32(index));
        let state = &mut self.t.regs[index as usize];
        state.value = value.into();
        state.epoch = self.epoch;
        value
    }

    /// Assigns a register.
    pub(super) fn def(&mut self, reg: Reg, value: Value) {
        debug_assert!(!value.is_reserved_value());
        let index = reg.as_u32();
        let state = &mut self.t.regs[index as usize];
        state.value = value.into();
        state.epoch = self.epoch;
        if state.is_variable {
            self.b.def_var(Variable::from_u32(index), value);
        }
    }

    /// Assigns a register a truth value of type i8.
    pub(super) fn def_truth(&mut self, reg: Reg, truth: Value) {
        let value = self.b.ins().uextend(ir::types::I32, truth);
        self.t.truth[value] = truth.into();
        self.def(reg, value);
    }

    /// A value that is zero exactly if the i32 register is: the comparison it came from, or it.
    pub(super) fn condition(&mut self, reg: Reg) -> Value {
        let value = self.value(reg);
        self.t.truth[value].expand().unwrap_or(value)
    }

    /// The truth value (i8) of `condition` being zero.
    pub(super) fn negated(&mut self, condition: Value) -> Value {
        let dfg = &self.b.func.dfg;
        if let Some(inst) = dfg.value_def(condition).inst() {
            match dfg.insts[inst] {
                InstructionData::IntCompare { cond, args: [x, y], .. } => {
                    return self.b.ins().icmp(cond.complement(), x, y);
                }
                InstructionData::FloatCompare { cond, args: [x, y], .. } => {
                    return self.b.ins().fcmp(cond.complement(), x, y);
                }
                _ => {}
            }
        }
        self.b.ins().icmp_imm_s(IntCC::Equal, condition, 0)
    }

    /// A value as a 64-bit slot: narrower ones have zeros above.
    pub(super) fn slot_of(&mut self, value: Value) -> Value {
        match self.b.func.dfg.value_type(value) {
            ir::types::I32 => self.b.ins().uextend(ir::types::I64, value),
            ir::types::F32 => {
                let bits = self.b.ins().bitcast(ir::types::I32, ir::MemFlagsData::new(), value);
                self.b.ins().uextend(ir::types::I64, bits)
            }
            _ => value,
        }
    }
}
