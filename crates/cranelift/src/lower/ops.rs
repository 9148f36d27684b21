//! The arm of each opcode.

use super::Lower;
use super::memory::Access;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{I8, I16, I32};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData};
use cupola_ir::{Imm, InstData, Op};

impl<'a> Lower<'a, '_> {
    /// Lowers one instruction.
    #[rustfmt::skip]
    pub(super) fn inst(&mut self, inst: &'a InstData) {
        match inst.op {
            Op::I32Add | Op::I64Add => self.binary(inst, |ins, x, y| ins.iadd(x, y)),
            Op::I32Sub | Op::I64Sub => self.binary(inst, |ins, x, y| ins.isub(x, y)),
            Op::I32Mul | Op::I64Mul => self.binary(inst, |ins, x, y| ins.imul(x, y)),
            Op::I32DivS | Op::I64DivS => self.binary(inst, |ins, x, y| ins.sdiv(x, y)),
            Op::I32DivU | Op::I64DivU => self.binary(inst, |ins, x, y| ins.udiv(x, y)),
            Op::I32RemS | Op::I64RemS => self.binary(inst, |ins, x, y| ins.srem(x, y)),
            Op::I32RemU | Op::I64RemU => self.binary(inst, |ins, x, y| ins.urem(x, y)),
            Op::I32And | Op::I64And => self.binary(inst, |ins, x, y| ins.band(x, y)),
            Op::I32Or | Op::I64Or => self.binary(inst, |ins, x, y| ins.bor(x, y)),
            Op::I32Xor | Op::I64Xor => self.binary(inst, |ins, x, y| ins.bxor(x, y)),
            Op::I32Shl | Op::I64Shl => self.binary(inst, |ins, x, y| ins.ishl(x, y)),
            Op::I32ShrS | Op::I64ShrS => self.binary(inst, |ins, x, y| ins.sshr(x, y)),
            Op::I32ShrU | Op::I64ShrU => self.binary(inst, |ins, x, y| ins.ushr(x, y)),
            Op::I32Rotl | Op::I64Rotl => self.binary(inst, |ins, x, y| ins.rotl(x, y)),
            Op::I32Rotr | Op::I64Rotr => self.binary(inst, |ins, x, y| ins.rotr(x, y)),
            Op::I32Clz | Op::I64Clz => self.unary(inst, |ins, x| ins.clz(x)),
            Op::I32Ctz | Op::I64Ctz => self.unary(inst, |ins, x| ins.ctz(x)),
            Op::I32Popcnt | Op::I64Popcnt => self.unary(inst, |ins, x| ins.popcnt(x)),
            Op::I32Extend8S | Op::I64Extend8S => self.extend_low(inst, I8),
            Op::I32Extend16S | Op::I64Extend16S => self.extend_low(inst, I16),
            Op::I64Extend32S => self.extend_low(inst, I32),

            Op::I32Eqz | Op::I64Eqz => self.is_zero(inst),
            Op::I32Eq | Op::I64Eq => self.int_compare(inst, IntCC::Equal),
            Op::I32Ne | Op::I64Ne => self.int_compare(inst, IntCC::NotEqual),
            Op::I32LtS | Op::I64LtS => self.int_compare(inst, IntCC::SignedLessThan),
            Op::I32LtU | Op::I64LtU => self.int_compare(inst, IntCC::UnsignedLessThan),
            Op::I32GtS | Op::I64GtS => self.int_compare(inst, IntCC::SignedGreaterThan),
            Op::I32GtU | Op::I64GtU => self.int_compare(inst, IntCC::UnsignedGreaterThan),
            Op::I32LeS | Op::I64LeS => self.int_compare(inst, IntCC::SignedLessThanOrEqual),
            Op::I32LeU | Op::I64LeU => self.int_compare(inst, IntCC::UnsignedLessThanOrEqual),
            Op::I32GeS | Op::I64GeS => self.int_compare(inst, IntCC::SignedGreaterThanOrEqual),
            Op::I32GeU | Op::I64GeU => self.int_compare(inst, IntCC::UnsignedGreaterThanOrEqual),

            Op::F32Add | Op::F64Add => self.binary(inst, |ins, x, y| ins.fadd(x, y)),
            Op::F32Sub | Op::F64Sub => self.binary(inst, |ins, x, y| ins.fsub(x, y)),
            Op::F32Mul | Op::F64Mul => self.binary(inst, |ins, x, y| ins.fmul(x, y)),
            Op::F32Div | Op::F64Div => self.binary(inst, |ins, x, y| ins.fdiv(x, y)),
            Op::F32Min | Op::F64Min => self.binary(inst, |ins, x, y| ins.fmin(x, y)),
            Op::F32Max | Op::F64Max => self.binary(inst, |ins, x, y| ins.fmax(x, y)),
            Op::F32Copysign | Op::F64Copysign => self.binary(inst, |ins, x, y| ins.fcopysign(x, y)),
            Op::F32Abs | Op::F64Abs => self.unary(inst, |ins, x| ins.fabs(x)),
            Op::F32Neg | Op::F64Neg => self.unary(inst, |ins, x| ins.fneg(x)),
            Op::F32Sqrt | Op::F64Sqrt => self.unary(inst, |ins, x| ins.sqrt(x)),
            Op::F32Ceil | Op::F64Ceil => self.unary(inst, |ins, x| ins.ceil(x)),
            Op::F32Floor | Op::F64Floor => self.unary(inst, |ins, x| ins.floor(x)),
            Op::F32Trunc | Op::F64Trunc => self.unary(inst, |ins, x| ins.trunc(x)),
            Op::F32Nearest | Op::F64Nearest => self.unary(inst, |ins, x| ins.nearest(x)),

            Op::F32Eq | Op::F64Eq => self.float_compare(inst, FloatCC::Equal),
            Op::F32Ne | Op::F64Ne => self.float_compare(inst, FloatCC::NotEqual),
            Op::F32Lt | Op::F64Lt => self.float_compare(inst, FloatCC::LessThan),
            Op::F32Gt | Op::F64Gt => self.float_compare(inst, FloatCC::GreaterThan),
            Op::F32Le | Op::F64Le => self.float_compare(inst, FloatCC::LessThanOrEqual),
            Op::F32Ge | Op::F64Ge => self.float_compare(inst, FloatCC::GreaterThanOrEqual),

            Op::I32WrapI64 => self.convert(inst, |ins, ty, x| ins.ireduce(ty, x)),
            Op::I64ExtendI32S => self.convert(inst, |ins, ty, x| ins.sextend(ty, x)),
            Op::I64ExtendI32U => self.convert(inst, |ins, ty, x| ins.uextend(ty, x)),
            Op::I32TruncF32S | Op::I32TruncF64S | Op::I64TruncF32S | Op::I64TruncF64S =>
                self.convert(inst, |ins, ty, x| ins.fcvt_to_sint(ty, x)),
            Op::I32TruncF32U | Op::I32TruncF64U | Op::I64TruncF32U | Op::I64TruncF64U =>
                self.convert(inst, |ins, ty, x| ins.fcvt_to_uint(ty, x)),
            Op::I32TruncSatF32S | Op::I32TruncSatF64S | Op::I64TruncSatF32S | Op::I64TruncSatF64S =>
                self.convert(inst, |ins, ty, x| ins.fcvt_to_sint_sat(ty, x)),
            Op::I32TruncSatF32U | Op::I32TruncSatF64U | Op::I64TruncSatF32U | Op::I64TruncSatF64U =>
                self.convert(inst, |ins, ty, x| ins.fcvt_to_uint_sat(ty, x)),
            Op::F32ConvertI32S | Op::F32ConvertI64S | Op::F64ConvertI32S | Op::F64ConvertI64S =>
                self.convert(inst, |ins, ty, x| ins.fcvt_from_sint(ty, x)),
            Op::F32ConvertI32U | Op::F32ConvertI64U | Op::F64ConvertI32U | Op::F64ConvertI64U =>
                self.convert(inst, |ins, ty, x| ins.fcvt_from_uint(ty, x)),
            Op::F32DemoteF64 => self.convert(inst, |ins, ty, x| ins.fdemote(ty, x)),
            Op::F64PromoteF32 => self.convert(inst, |ins, ty, x| ins.fpromote(ty, x)),
            Op::I32ReinterpretF32 | Op::I64ReinterpretF64 | Op::F32ReinterpretI32
            | Op::F64ReinterpretI64 =>
                self.convert(inst, |ins, ty, x| ins.bitcast(ty, MemFlagsData::new(), x)),

            Op::I32Load | Op::I64Load | Op::F32Load | Op::F64Load
            | Op::RawI32Load | Op::RawI64Load | Op::RawF32Load | Op::RawF64Load =>
                self.load(inst, Access::Full),
            Op::I32Load8S | Op::I64Load8S | Op::RawI32Load8S | Op::RawI64Load8S =>
                self.load(inst, Access::Signed(I8)),
            Op::I32Load8U | Op::I64Load8U | Op::RawI32Load8U | Op::RawI64Load8U =>
                self.load(inst, Access::Unsigned(I8)),
            Op::I32Load16S | Op::I64Load16S | Op::RawI32Load16S | Op::RawI64Load16S =>
                self.load(inst, Access::Signed(I16)),
            Op::I32Load16U | Op::I64Load16U | Op::RawI32Load16U | Op::RawI64Load16U =>
                self.load(inst, Access::Unsigned(I16)),
            Op::I64Load32S | Op::RawI64Load32S => self.load(inst, Access::Signed(I32)),
            Op::I64Load32U | Op::RawI64Load32U => self.load(inst, Access::Unsigned(I32)),
            Op::I32Store | Op::I64Store | Op::F32Store | Op::F64Store
            | Op::RawI32Store | Op::RawI64Store | Op::RawF32Store | Op::RawF64Store =>
                self.store(inst, Access::Full),
            Op::I32Store8 | Op::I64Store8 | Op::RawI32Store8 | Op::RawI64Store8 =>
                self.store(inst, Access::Unsigned(I8)),
            Op::I32Store16 | Op::I64Store16 | Op::RawI32Store16 | Op::RawI64Store16 =>
                self.store(inst, Access::Unsigned(I16)),
            Op::I64Store32 | Op::RawI64Store32 => self.store(inst, Access::Unsigned(I32)),

            Op::I32Const | Op::I64Const | Op::F32Const | Op::F64Const => self.constant(inst),
            Op::Copy => {
                let value = self.value(inst.args[0]);
                self.def(inst.results[0], value);
            }
            Op::Select => self.select(inst),
            Op::Br => self.br(inst),
            Op::BrIf | Op::Guard => self.br_if(inst),
            Op::BrTable => self.br_table(inst),
            Op::Return => self.return_(inst),
            Op::DeoptTick => self.deopt_tick(inst),
            Op::FuelTick => self.consume_fuel(),
            Op::MemorySize | Op::MemoryGrow | Op::MemoryBase | Op::MemoryLen | Op::GlobalGet
            | Op::GlobalSet | Op::Call | Op::CallIndirect | Op::Dialect | Op::TrapIf | Op::Trap
            | Op::DeoptUnless | Op::Deopt | Op::OsrPoll => self.inst_of_entity(inst),
        }
    }

    /// Lowers an instruction whose immediate names an entity.
    fn inst_of_entity(&mut self, inst: &InstData) {
        match (inst.op, inst.imm) {
            (Op::MemorySize, Imm::Memory(memory)) => self.memory_size(inst, memory),
            (Op::MemoryGrow, Imm::Memory(memory)) => self.memory_grow(inst, memory),
            (Op::MemoryBase, Imm::Memory(memory)) => {
                let base = self.memory_base(memory);
                self.def(inst.results[0], base);
            }
            (Op::MemoryLen, Imm::Memory(memory)) => {
                let len = self.memory_len(memory);
                self.def(inst.results[0], len);
            }
            (Op::GlobalGet, Imm::Global(global)) => self.global_get(inst, global),
            (Op::GlobalSet, Imm::Global(global)) => self.global_set(inst, global),
            (Op::Call, Imm::Func(func)) => self.call(inst, func),
            (Op::CallIndirect, Imm::Indirect(sig, table, _)) => {
                self.call_indirect(inst, sig, table);
            }
            (Op::Dialect, Imm::Dialect(op, site)) => self.dialect(inst, op, site),
            (Op::TrapIf, Imm::Trap(code)) => self.trap_if(inst, code),
            (Op::Trap, Imm::Trap(code)) => self.trap(code),
            (Op::DeoptUnless, Imm::FrameState(state)) => self.deopt_unless(inst, state),
            (Op::Deopt, Imm::FrameState(state)) => self.deopt(&inst.args, state),
            (Op::OsrPoll, Imm::FrameState(state)) => self.osr_poll(&inst.args, state),
            (op, imm) => unreachable!("the verifier does not let {op} have {imm:?}"),
        }
    }
}
