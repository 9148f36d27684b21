//! The arm of each opcode.

use super::Lower;
use super::memory::Extension::{Signed, Unsigned};
use crate::error::{Result, codegen};
use cupola_ir::{Imm, InstData, Op};
use cupola_runtime::CompileError;
use inkwell::FloatPredicate as F;
use inkwell::IntPredicate as I;

impl Lower<'_, '_, '_> {
    /// Lowers one instruction.
    #[rustfmt::skip]
    pub(super) fn inst(&mut self, inst: &InstData) -> Result<()> {
        let types = self.unit.types;
        match inst.op {
            Op::I32Add | Op::I64Add => self.ints(inst, |b, x, y| b.build_int_add(x, y, "")),
            Op::I32Sub | Op::I64Sub => self.ints(inst, |b, x, y| b.build_int_sub(x, y, "")),
            Op::I32Mul | Op::I64Mul => self.ints(inst, |b, x, y| b.build_int_mul(x, y, "")),
            Op::I32DivS | Op::I64DivS => self.divide_signed(inst),
            Op::I32DivU | Op::I64DivU =>
                self.divide_unsigned(inst, |b, x, y| b.build_int_unsigned_div(x, y, "")),
            Op::I32RemS | Op::I64RemS => self.remainder_signed(inst),
            Op::I32RemU | Op::I64RemU =>
                self.divide_unsigned(inst, |b, x, y| b.build_int_unsigned_rem(x, y, "")),
            Op::I32And | Op::I64And => self.ints(inst, |b, x, y| b.build_and(x, y, "")),
            Op::I32Or | Op::I64Or => self.ints(inst, |b, x, y| b.build_or(x, y, "")),
            Op::I32Xor | Op::I64Xor => self.ints(inst, |b, x, y| b.build_xor(x, y, "")),
            Op::I32Shl | Op::I64Shl => self.shift(inst, |b, x, y| b.build_left_shift(x, y, "")),
            Op::I32ShrS | Op::I64ShrS =>
                self.shift(inst, |b, x, y| b.build_right_shift(x, y, true, "")),
            Op::I32ShrU | Op::I64ShrU =>
                self.shift(inst, |b, x, y| b.build_right_shift(x, y, false, "")),
            Op::I32Rotl | Op::I64Rotl => self.rotate(inst, "llvm.fshl"),
            Op::I32Rotr | Op::I64Rotr => self.rotate(inst, "llvm.fshr"),
            Op::I32Clz | Op::I64Clz => self.count_zeros(inst, "llvm.ctlz"),
            Op::I32Ctz | Op::I64Ctz => self.count_zeros(inst, "llvm.cttz"),
            Op::I32Popcnt | Op::I64Popcnt => self.intrinsic(inst, "llvm.ctpop", &[]),
            Op::I32Extend8S | Op::I64Extend8S => self.extend_low(inst, types.i8),
            Op::I32Extend16S | Op::I64Extend16S => self.extend_low(inst, types.i16),
            Op::I64Extend32S => self.extend_low(inst, types.i32),

            Op::I32Eqz | Op::I64Eqz => self.is_zero(inst),
            Op::I32Eq | Op::I64Eq => self.int_compare(inst, I::EQ),
            Op::I32Ne | Op::I64Ne => self.int_compare(inst, I::NE),
            Op::I32LtS | Op::I64LtS => self.int_compare(inst, I::SLT),
            Op::I32LtU | Op::I64LtU => self.int_compare(inst, I::ULT),
            Op::I32GtS | Op::I64GtS => self.int_compare(inst, I::SGT),
            Op::I32GtU | Op::I64GtU => self.int_compare(inst, I::UGT),
            Op::I32LeS | Op::I64LeS => self.int_compare(inst, I::SLE),
            Op::I32LeU | Op::I64LeU => self.int_compare(inst, I::ULE),
            Op::I32GeS | Op::I64GeS => self.int_compare(inst, I::SGE),
            Op::I32GeU | Op::I64GeU => self.int_compare(inst, I::UGE),

            Op::F32Add | Op::F64Add => self.add_floats(inst),
            Op::F32Sub | Op::F64Sub => self.subtract_floats(inst),
            Op::F32Mul | Op::F64Mul => self.multiply_floats(inst),
            Op::F32Div | Op::F64Div => self.divide_floats(inst),
            Op::F32Min | Op::F64Min => self.extremum(inst, "llvm.minimum"),
            Op::F32Max | Op::F64Max => self.extremum(inst, "llvm.maximum"),
            Op::F32Copysign | Op::F64Copysign => self.intrinsic(inst, "llvm.copysign", &[]),
            Op::F32Abs | Op::F64Abs => self.intrinsic(inst, "llvm.fabs", &[]),
            Op::F32Neg | Op::F64Neg => self.negate_float(inst),
            Op::F32Sqrt | Op::F64Sqrt => self.intrinsic(inst, "llvm.sqrt", &[]),
            Op::F32Ceil | Op::F64Ceil => self.intrinsic(inst, "llvm.ceil", &[]),
            Op::F32Floor | Op::F64Floor => self.intrinsic(inst, "llvm.floor", &[]),
            Op::F32Trunc | Op::F64Trunc => self.intrinsic(inst, "llvm.trunc", &[]),
            Op::F32Nearest | Op::F64Nearest => self.intrinsic(inst, "llvm.roundeven", &[]),

            Op::F32Eq | Op::F64Eq => self.float_compare(inst, F::OEQ),
            Op::F32Ne | Op::F64Ne => self.float_compare(inst, F::UNE),
            Op::F32Lt | Op::F64Lt => self.float_compare(inst, F::OLT),
            Op::F32Gt | Op::F64Gt => self.float_compare(inst, F::OGT),
            Op::F32Le | Op::F64Le => self.float_compare(inst, F::OLE),
            Op::F32Ge | Op::F64Ge => self.float_compare(inst, F::OGE),

            Op::I32WrapI64 => self.resize(inst, false),
            Op::I64ExtendI32S => self.resize(inst, true),
            Op::I64ExtendI32U => self.resize(inst, false),
            Op::I32TruncF32S | Op::I32TruncF64S | Op::I64TruncF32S | Op::I64TruncF64S =>
                self.truncate(inst, true),
            Op::I32TruncF32U | Op::I32TruncF64U | Op::I64TruncF32U | Op::I64TruncF64U =>
                self.truncate(inst, false),
            Op::I32TruncSatF32S | Op::I32TruncSatF64S | Op::I64TruncSatF32S | Op::I64TruncSatF64S =>
                self.truncate_saturating(inst, true),
            Op::I32TruncSatF32U | Op::I32TruncSatF64U | Op::I64TruncSatF32U | Op::I64TruncSatF64U =>
                self.truncate_saturating(inst, false),
            Op::F32ConvertI32S | Op::F32ConvertI64S | Op::F64ConvertI32S | Op::F64ConvertI64S =>
                self.to_float(inst, true),
            Op::F32ConvertI32U | Op::F32ConvertI64U | Op::F64ConvertI32U | Op::F64ConvertI64U =>
                self.to_float(inst, false),
            Op::F32DemoteF64 => self.demote(inst),
            Op::F64PromoteF32 => self.promote(inst),
            Op::I32ReinterpretF32 | Op::I64ReinterpretF64 | Op::F32ReinterpretI32
            | Op::F64ReinterpretI64 => self.reinterpret(inst),

            Op::I32Load | Op::I64Load | Op::F32Load | Op::F64Load
            | Op::RawI32Load | Op::RawI64Load | Op::RawF32Load | Op::RawF64Load => self.load(inst),
            Op::I32Load8S | Op::I64Load8S | Op::RawI32Load8S | Op::RawI64Load8S =>
                self.load_narrow(inst, types.i8, Signed),
            Op::I32Load8U | Op::I64Load8U | Op::RawI32Load8U | Op::RawI64Load8U =>
                self.load_narrow(inst, types.i8, Unsigned),
            Op::I32Load16S | Op::I64Load16S | Op::RawI32Load16S | Op::RawI64Load16S =>
                self.load_narrow(inst, types.i16, Signed),
            Op::I32Load16U | Op::I64Load16U | Op::RawI32Load16U | Op::RawI64Load16U =>
                self.load_narrow(inst, types.i16, Unsigned),
            Op::I64Load32S | Op::RawI64Load32S => self.load_narrow(inst, types.i32, Signed),
            Op::I64Load32U | Op::RawI64Load32U => self.load_narrow(inst, types.i32, Unsigned),
            Op::I32Store | Op::I64Store | Op::F32Store | Op::F64Store
            | Op::RawI32Store | Op::RawI64Store | Op::RawF32Store | Op::RawF64Store =>
                self.store(inst),
            Op::I32Store8 | Op::I64Store8 | Op::RawI32Store8 | Op::RawI64Store8 =>
                self.store_narrow(inst, types.i8),
            Op::I32Store16 | Op::I64Store16 | Op::RawI32Store16 | Op::RawI64Store16 =>
                self.store_narrow(inst, types.i16),
            Op::I64Store32 | Op::RawI64Store32 => self.store_narrow(inst, types.i32),

            Op::I32Const | Op::I64Const | Op::F32Const | Op::F64Const | Op::V128Const =>
                self.constant(inst),
            Op::Copy => {
                let value = self.value(inst.args[0])?;
                self.def(inst.results[0], value);
                Ok(())
            }
            Op::Select => self.select(inst),
            Op::Br => self.jump(&inst.targets[0]),
            Op::BrIf => self.br_if(inst, false),
            Op::Guard => self.br_if(inst, true),
            Op::BrTable => self.br_table(inst),
            Op::Return => self.return_(inst),
            Op::DeoptTick => self.deopt_tick(inst),
            Op::FuelTick => self.consume_fuel(),
            Op::MemorySize | Op::MemoryGrow | Op::MemoryBase | Op::MemoryLen | Op::GlobalGet
            | Op::GlobalSet | Op::Call | Op::CallIndirect | Op::Dialect | Op::TrapIf | Op::Trap
            | Op::DeoptUnless | Op::Deopt | Op::OsrPoll => self.inst_of_entity(inst),
            op => Err(CompileError::Unsupported(format!("{op} in T3")).into()),
        }
    }

    /// Lowers an instruction whose immediate names an entity.
    fn inst_of_entity(&mut self, inst: &InstData) -> Result<()> {
        match (inst.op, inst.imm) {
            (Op::MemorySize, Imm::Memory(memory)) => self.memory_size(inst, memory),
            (Op::MemoryGrow, Imm::Memory(memory)) => self.memory_grow(inst, memory),
            (Op::MemoryBase, Imm::Memory(memory)) => self.memory_base_value(inst, memory),
            (Op::MemoryLen, Imm::Memory(memory)) => {
                let len = self.memory_len(memory)?;
                self.def(inst.results[0], len);
                Ok(())
            }
            (Op::GlobalGet, Imm::Global(global)) => self.global_get(inst, global),
            (Op::GlobalSet, Imm::Global(global)) => self.global_set(inst, global),
            (Op::Call, Imm::Func(func)) => self.call(inst, func),
            (Op::CallIndirect, Imm::Indirect(sig, table, _)) => {
                self.call_indirect(inst, sig, table)
            }
            (Op::Dialect, Imm::Dialect(op, site)) => self.dialect(inst, op, site),
            (Op::TrapIf, Imm::Trap(code)) => self.trap_if(inst, code),
            (Op::Trap, Imm::Trap(code)) => self.trap(code),
            (Op::DeoptUnless, Imm::FrameState(state)) => self.deopt_unless(inst, state),
            (Op::Deopt, Imm::FrameState(state)) => self.deopt(&inst.args, state),
            (Op::OsrPoll, Imm::FrameState(state)) => self.osr_poll(&inst.args, state),
            (op, imm) => Err(codegen(format!("{op} with {imm:?}")).into()),
        }
    }
}
