//! Rules of single instructions: operands, results, immediates. What they refer to exists.

use super::Checker;
use super::module::is_value_of;
use super::typing::{ResultTypes, address_type, result_types};
use crate::entities::{Block, Inst, Reg};
use crate::function::Form;
use crate::inst::{Imm, InstData};
use crate::module::RefType;
use crate::op::Format;
use crate::types::Type;
use smallvec::{SmallVec, smallvec};

type Types = SmallVec<[Type; 8]>;

impl Checker<'_> {
    pub(super) fn instruction(&mut self, block: Block, inst: Inst) {
        let data = &self.func.insts[inst];
        if let Err(message) = self.instruction_rules(data) {
            self.error(Some(block), Some(inst), message);
        }
    }

    fn instruction_rules(&self, inst: &InstData) -> Result<(), String> {
        self.immediate_rules(inst)?;
        self.target_rules(inst)?;
        let op = inst.op;
        // Copies and selections take any type; their results and other operands follow it.
        let type_of = |i: usize| inst.args.get(i).map(|&reg| self.func.regs[reg]);
        let operands: Types = match op.format() {
            Format::Copy => type_of(0).into_iter().collect(),
            Format::Select => match type_of(1) {
                Some(ty) => smallvec![Type::I32, ty, ty],
                None => SmallVec::new(),
            },
            _ => self.operand_types(inst),
        };
        let wanted = match op.format() {
            Format::Copy => 1,
            Format::Select => 3,
            _ => operands.len(),
        };
        self.match_types("operand", &inst.args, wanted, &operands, inst)?;
        let results: Types = match result_types(self.module, inst) {
            ResultTypes::Known(types) => types.into_iter().collect(),
            ResultTypes::SameAs(source) => {
                source.map(|reg| self.func.regs[reg]).into_iter().collect()
            }
        };
        self.match_types("result", &inst.results, results.len(), &results, inst)
    }

    /// The types of the operands, where opcode and immediate give them.
    fn operand_types(&self, inst: &InstData) -> Types {
        let (module, func) = (self.module, self.func);
        match (inst.op.format(), inst.imm) {
            (Format::Pure | Format::Lane | Format::Shuffle, _) => match inst.op.pure_signature() {
                Some((params, _)) => params.into(),
                None => SmallVec::new(),
            },
            (Format::Load, _) => smallvec![address_type(module, inst)],
            (Format::Store | Format::LoadLane | Format::StoreLane, _) => {
                let value = inst.op.access().map(|(ty, _)| ty);
                [address_type(module, inst)].into_iter().chain(value).collect()
            }
            (Format::GlobalSet, Imm::Global(global)) => smallvec![module.globals[global].ty],
            (Format::Call, Imm::Func(callee)) => module.func_sig(callee).params.as_slice().into(),
            (Format::CallIndirect, Imm::Indirect(sig, table, _)) => {
                let index = module.tables[table].index_type();
                module.sigs[sig].params.iter().copied().chain([index]).collect()
            }
            (_, Imm::Table(table) | Imm::TableFunc(table, _)) => {
                smallvec![module.tables[table].index_type()]
            }
            (Format::CallRef, Imm::Sig(sig)) => {
                module.sigs[sig].params.iter().copied().chain([Type::FuncRef]).collect()
            }
            (Format::Dialect, Imm::Dialect(op, _)) => {
                module.dialect_ops[op].params.as_slice().into()
            }
            (Format::Return, _) => func.sig.results.as_slice().into(),
            (Format::DeoptUnless | Format::Deopt, Imm::FrameState(state)) => {
                // The values' types are checked against the register form, where it is at hand.
                let condition = (inst.op.format() == Format::DeoptUnless).then_some(Type::I32);
                let skip = usize::from(condition.is_some());
                let count = func.frame_states[state].value_count();
                let given = inst.args.iter().skip(skip).map(|&reg| func.regs[reg]);
                let values = given.chain(std::iter::repeat(Type::I32)).take(count);
                condition.into_iter().chain(values).collect()
            }
            (Format::MemoryGrow, Imm::Memory(memory)) => {
                smallvec![module.memories[memory].address_type()]
            }
            (Format::TrapIf | Format::BrIf | Format::BrTable, _) => smallvec![Type::I32],
            _ => SmallVec::new(),
        }
    }

    fn match_types(
        &self,
        what: &str,
        regs: &[Reg],
        wanted: usize,
        types: &[Type],
        inst: &InstData,
    ) -> Result<(), String> {
        if regs.len() != wanted {
            let plural = if wanted == 1 { "" } else { "s" };
            let op = inst.op;
            return Err(format!("`{op}` has {wanted} {what}{plural} here, found {}", regs.len()));
        }
        for (i, (&reg, &ty)) in regs.iter().zip(types).enumerate() {
            let found = self.func.regs[reg];
            if found != ty {
                let name = self.reg_name(reg);
                return Err(format!("expected {ty}, found {found} ({what} {}, `{name}`)", i + 1));
            }
        }
        Ok(())
    }

    fn immediate_rules(&self, inst: &InstData) -> Result<(), String> {
        let op = inst.op;
        if self.func.form == Form::Register && !self.module.trusted && Self::is_unchecked(op) {
            return Err(format!("`{op}` stands only in trusted modules"));
        }
        match (op.format(), inst.imm) {
            (Format::Const, Imm::Bits(bits)) => match op.const_type() {
                Some(ty) if !is_value_of(bits.into(), ty) => {
                    Err(format!("{bits:#x} is not a slot of type {ty}"))
                }
                _ => Ok(()),
            },
            (_, Imm::Lane(lane) | Imm::MemLane(_, lane)) if op.lanes() <= Some(lane) => {
                Err(format!("`{op}` has no lane {lane}"))
            }
            (_, Imm::Shuffle(lanes)) if lanes.iter().any(|&lane| op.lanes() <= Some(lane)) => {
                Err(format!("`{op}` has lanes 0 to 31"))
            }
            (_, Imm::Mem(mem) | Imm::MemLane(mem, _))
                if op.is_raw() && mem.offset > i32::MAX as u64 =>
            {
                Err(format!("the offset of a raw access is at most {}", i32::MAX))
            }
            (Format::GlobalSet, Imm::Global(global)) if !self.module.globals[global].mutable => {
                let name = self.module.globals[global].name.clone();
                Err(format!("the global ${} is not mutable", name.unwrap_or(global.to_string())))
            }
            (_, Imm::Indirect(_, table, _) | Imm::Table(table) | Imm::TableFunc(table, _))
                if self.module.tables[table].element != RefType::Func =>
            {
                let name = self.module.tables[table].name.clone();
                Err(format!("the table ${} has no functions", name.unwrap_or(table.to_string())))
            }
            (_, Imm::TableFunc(_, func)) if self.module.is_import(func) => {
                let name = self.module.funcs[func].name.clone();
                Err(format!("the function %{} is imported", name.unwrap_or(func.to_string())))
            }
            _ => Ok(()),
        }
    }

    fn target_rules(&self, inst: &InstData) -> Result<(), String> {
        let count = inst.targets.len();
        let right = match inst.op.format() {
            Format::Br => count == 1,
            Format::BrIf => count == 2,
            Format::BrTable => count >= 1,
            _ => count == 0,
        };
        if right { Ok(()) } else { Err(format!("`{}` cannot have {count} targets", inst.op)) }
    }
}
