//! The arm of each opcode.

use super::Lower;
use super::memory::Access;
use super::vector::{take_if_less, zeros};
use super::vector_widen::{Half, add_pairs_signed, add_pairs_unsigned, dot};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64X2};
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

            Op::V128Load | Op::RawV128Load => self.load(inst, Access::Full),
            Op::V128Store | Op::RawV128Store => self.store(inst, Access::Full),
            Op::V128Load8x8S | Op::RawV128Load8x8S =>
                self.vector_load(inst, |b, flags, p, at| b.ins().sload8x8(flags, p, at)),
            Op::V128Load8x8U | Op::RawV128Load8x8U =>
                self.vector_load(inst, |b, flags, p, at| b.ins().uload8x8(flags, p, at)),
            Op::V128Load16x4S | Op::RawV128Load16x4S =>
                self.vector_load(inst, |b, flags, p, at| b.ins().sload16x4(flags, p, at)),
            Op::V128Load16x4U | Op::RawV128Load16x4U =>
                self.vector_load(inst, |b, flags, p, at| b.ins().uload16x4(flags, p, at)),
            Op::V128Load32x2S | Op::RawV128Load32x2S =>
                self.vector_load(inst, |b, flags, p, at| b.ins().sload32x2(flags, p, at)),
            Op::V128Load32x2U | Op::RawV128Load32x2U =>
                self.vector_load(inst, |b, flags, p, at| b.ins().uload32x2(flags, p, at)),
            Op::V128Load8Splat | Op::RawV128Load8Splat => self.load_splat(inst, I8X16),
            Op::V128Load16Splat | Op::RawV128Load16Splat => self.load_splat(inst, I16X8),
            Op::V128Load32Splat | Op::RawV128Load32Splat => self.load_splat(inst, I32X4),
            Op::V128Load64Splat | Op::RawV128Load64Splat => self.load_splat(inst, I64X2),
            Op::V128Load32Zero | Op::RawV128Load32Zero => self.load_zero(inst, I32X4),
            Op::V128Load64Zero | Op::RawV128Load64Zero => self.load_zero(inst, I64X2),
            Op::V128Load8Lane | Op::RawV128Load8Lane => self.load_lane(inst, I8X16),
            Op::V128Load16Lane | Op::RawV128Load16Lane => self.load_lane(inst, I16X8),
            Op::V128Load32Lane | Op::RawV128Load32Lane => self.load_lane(inst, I32X4),
            Op::V128Load64Lane | Op::RawV128Load64Lane => self.load_lane(inst, I64X2),
            Op::V128Store8Lane | Op::RawV128Store8Lane => self.store_lane(inst, I8X16),
            Op::V128Store16Lane | Op::RawV128Store16Lane => self.store_lane(inst, I16X8),
            Op::V128Store32Lane | Op::RawV128Store32Lane => self.store_lane(inst, I32X4),
            Op::V128Store64Lane | Op::RawV128Store64Lane => self.store_lane(inst, I64X2),

            Op::V128Not => self.vector_unary(inst, |b, x| b.ins().bnot(x)),
            Op::V128And => self.vector_binary(inst, |b, x, y| b.ins().band(x, y)),
            Op::V128AndNot => self.vector_binary(inst, |b, x, y| b.ins().band_not(x, y)),
            Op::V128Or => self.vector_binary(inst, |b, x, y| b.ins().bor(x, y)),
            Op::V128Xor => self.vector_binary(inst, |b, x, y| b.ins().bxor(x, y)),
            Op::V128Bitselect | Op::I8x16RelaxedLaneselect | Op::I16x8RelaxedLaneselect
            | Op::I32x4RelaxedLaneselect | Op::I64x2RelaxedLaneselect =>
                self.vector_ternary(inst, |b, x, y, mask| b.ins().bitselect(mask, x, y)),
            Op::V128AnyTrue => self.vector_test(inst, |b, x| b.ins().vany_true(x)),
            Op::I8x16AllTrue | Op::I16x8AllTrue | Op::I32x4AllTrue | Op::I64x2AllTrue =>
                self.vector_test(inst, |b, x| b.ins().vall_true(x)),
            Op::I8x16Bitmask | Op::I16x8Bitmask | Op::I32x4Bitmask | Op::I64x2Bitmask =>
                self.bitmask(inst),

            Op::I8x16Splat | Op::I16x8Splat | Op::I32x4Splat | Op::I64x2Splat | Op::F32x4Splat
            | Op::F64x2Splat => self.splat(inst),
            Op::I8x16ExtractLaneS | Op::I16x8ExtractLaneS =>
                self.extract_lane(inst, |b, lane| b.ins().sextend(I32, lane)),
            Op::I8x16ExtractLaneU | Op::I16x8ExtractLaneU =>
                self.extract_lane(inst, |b, lane| b.ins().uextend(I32, lane)),
            Op::I32x4ExtractLane | Op::I64x2ExtractLane | Op::F32x4ExtractLane
            | Op::F64x2ExtractLane => self.extract_lane(inst, |_, lane| lane),
            Op::I8x16ReplaceLane | Op::I16x8ReplaceLane | Op::I32x4ReplaceLane
            | Op::I64x2ReplaceLane | Op::F32x4ReplaceLane | Op::F64x2ReplaceLane =>
                self.replace_lane(inst),
            Op::I8x16Shuffle => self.shuffle(inst),
            Op::I8x16Swizzle | Op::I8x16RelaxedSwizzle =>
                self.vector_binary(inst, |b, x, y| b.ins().swizzle(x, y)),

            Op::I8x16Add | Op::I16x8Add | Op::I32x4Add | Op::I64x2Add =>
                self.vector_binary(inst, |b, x, y| b.ins().iadd(x, y)),
            Op::I8x16Sub | Op::I16x8Sub | Op::I32x4Sub | Op::I64x2Sub =>
                self.vector_binary(inst, |b, x, y| b.ins().isub(x, y)),
            Op::I16x8Mul | Op::I32x4Mul | Op::I64x2Mul =>
                self.vector_binary(inst, |b, x, y| b.ins().imul(x, y)),
            Op::I8x16Neg | Op::I16x8Neg | Op::I32x4Neg | Op::I64x2Neg =>
                self.vector_unary(inst, |b, x| b.ins().ineg(x)),
            Op::I8x16Abs | Op::I16x8Abs | Op::I32x4Abs | Op::I64x2Abs =>
                self.vector_unary(inst, |b, x| b.ins().iabs(x)),
            Op::I8x16Popcnt => self.vector_unary(inst, |b, x| b.ins().popcnt(x)),
            Op::I8x16Shl | Op::I16x8Shl | Op::I32x4Shl | Op::I64x2Shl =>
                self.vector_shift(inst, |b, x, by| b.ins().ishl(x, by)),
            Op::I8x16ShrS | Op::I16x8ShrS | Op::I32x4ShrS | Op::I64x2ShrS =>
                self.vector_shift(inst, |b, x, by| b.ins().sshr(x, by)),
            Op::I8x16ShrU | Op::I16x8ShrU | Op::I32x4ShrU | Op::I64x2ShrU =>
                self.vector_shift(inst, |b, x, by| b.ins().ushr(x, by)),
            Op::I8x16AddSatS | Op::I16x8AddSatS =>
                self.vector_binary(inst, |b, x, y| b.ins().sadd_sat(x, y)),
            Op::I8x16AddSatU | Op::I16x8AddSatU =>
                self.vector_binary(inst, |b, x, y| b.ins().uadd_sat(x, y)),
            Op::I8x16SubSatS | Op::I16x8SubSatS =>
                self.vector_binary(inst, |b, x, y| b.ins().ssub_sat(x, y)),
            Op::I8x16SubSatU | Op::I16x8SubSatU =>
                self.vector_binary(inst, |b, x, y| b.ins().usub_sat(x, y)),
            Op::I8x16MinS | Op::I16x8MinS | Op::I32x4MinS =>
                self.vector_binary(inst, |b, x, y| b.ins().smin(x, y)),
            Op::I8x16MinU | Op::I16x8MinU | Op::I32x4MinU =>
                self.vector_binary(inst, |b, x, y| b.ins().umin(x, y)),
            Op::I8x16MaxS | Op::I16x8MaxS | Op::I32x4MaxS =>
                self.vector_binary(inst, |b, x, y| b.ins().smax(x, y)),
            Op::I8x16MaxU | Op::I16x8MaxU | Op::I32x4MaxU =>
                self.vector_binary(inst, |b, x, y| b.ins().umax(x, y)),
            Op::I8x16AvgrU | Op::I16x8AvgrU =>
                self.vector_binary(inst, |b, x, y| b.ins().avg_round(x, y)),
            Op::I16x8Q15MulrSatS | Op::I16x8RelaxedQ15mulrS =>
                self.vector_binary(inst, |b, x, y| b.ins().sqmul_round_sat(x, y)),

            Op::I8x16Eq | Op::I16x8Eq | Op::I32x4Eq | Op::I64x2Eq =>
                self.vector_int_compare(inst, IntCC::Equal),
            Op::I8x16Ne | Op::I16x8Ne | Op::I32x4Ne | Op::I64x2Ne =>
                self.vector_int_compare(inst, IntCC::NotEqual),
            Op::I8x16LtS | Op::I16x8LtS | Op::I32x4LtS | Op::I64x2LtS =>
                self.vector_int_compare(inst, IntCC::SignedLessThan),
            Op::I8x16LtU | Op::I16x8LtU | Op::I32x4LtU =>
                self.vector_int_compare(inst, IntCC::UnsignedLessThan),
            Op::I8x16GtS | Op::I16x8GtS | Op::I32x4GtS | Op::I64x2GtS =>
                self.vector_int_compare(inst, IntCC::SignedGreaterThan),
            Op::I8x16GtU | Op::I16x8GtU | Op::I32x4GtU =>
                self.vector_int_compare(inst, IntCC::UnsignedGreaterThan),
            Op::I8x16LeS | Op::I16x8LeS | Op::I32x4LeS | Op::I64x2LeS =>
                self.vector_int_compare(inst, IntCC::SignedLessThanOrEqual),
            Op::I8x16LeU | Op::I16x8LeU | Op::I32x4LeU =>
                self.vector_int_compare(inst, IntCC::UnsignedLessThanOrEqual),
            Op::I8x16GeS | Op::I16x8GeS | Op::I32x4GeS | Op::I64x2GeS =>
                self.vector_int_compare(inst, IntCC::SignedGreaterThanOrEqual),
            Op::I8x16GeU | Op::I16x8GeU | Op::I32x4GeU =>
                self.vector_int_compare(inst, IntCC::UnsignedGreaterThanOrEqual),

            Op::I8x16NarrowI16x8S => self.vector_binary_of(inst, I16X8, |b, x, y| b.ins().snarrow(x, y)),
            Op::I8x16NarrowI16x8U => self.vector_binary_of(inst, I16X8, |b, x, y| b.ins().unarrow(x, y)),
            Op::I16x8NarrowI32x4S => self.vector_binary_of(inst, I32X4, |b, x, y| b.ins().snarrow(x, y)),
            Op::I16x8NarrowI32x4U => self.vector_binary_of(inst, I32X4, |b, x, y| b.ins().unarrow(x, y)),
            Op::I16x8ExtendLowI8x16S => self.widen(inst, I8X16, Half::LowSigned),
            Op::I16x8ExtendLowI8x16U => self.widen(inst, I8X16, Half::LowUnsigned),
            Op::I16x8ExtendHighI8x16S => self.widen(inst, I8X16, Half::HighSigned),
            Op::I16x8ExtendHighI8x16U => self.widen(inst, I8X16, Half::HighUnsigned),
            Op::I32x4ExtendLowI16x8S => self.widen(inst, I16X8, Half::LowSigned),
            Op::I32x4ExtendLowI16x8U => self.widen(inst, I16X8, Half::LowUnsigned),
            Op::I32x4ExtendHighI16x8S => self.widen(inst, I16X8, Half::HighSigned),
            Op::I32x4ExtendHighI16x8U => self.widen(inst, I16X8, Half::HighUnsigned),
            Op::I64x2ExtendLowI32x4S => self.widen(inst, I32X4, Half::LowSigned),
            Op::I64x2ExtendLowI32x4U => self.widen(inst, I32X4, Half::LowUnsigned),
            Op::I64x2ExtendHighI32x4S => self.widen(inst, I32X4, Half::HighSigned),
            Op::I64x2ExtendHighI32x4U => self.widen(inst, I32X4, Half::HighUnsigned),
            Op::I16x8ExtMulLowI8x16S => self.widening_mul(inst, I8X16, Half::LowSigned),
            Op::I16x8ExtMulLowI8x16U => self.widening_mul(inst, I8X16, Half::LowUnsigned),
            Op::I16x8ExtMulHighI8x16S => self.widening_mul(inst, I8X16, Half::HighSigned),
            Op::I16x8ExtMulHighI8x16U => self.widening_mul(inst, I8X16, Half::HighUnsigned),
            Op::I32x4ExtMulLowI16x8S => self.widening_mul(inst, I16X8, Half::LowSigned),
            Op::I32x4ExtMulLowI16x8U => self.widening_mul(inst, I16X8, Half::LowUnsigned),
            Op::I32x4ExtMulHighI16x8S => self.widening_mul(inst, I16X8, Half::HighSigned),
            Op::I32x4ExtMulHighI16x8U => self.widening_mul(inst, I16X8, Half::HighUnsigned),
            Op::I64x2ExtMulLowI32x4S => self.widening_mul(inst, I32X4, Half::LowSigned),
            Op::I64x2ExtMulLowI32x4U => self.widening_mul(inst, I32X4, Half::LowUnsigned),
            Op::I64x2ExtMulHighI32x4S => self.widening_mul(inst, I32X4, Half::HighSigned),
            Op::I64x2ExtMulHighI32x4U => self.widening_mul(inst, I32X4, Half::HighUnsigned),
            Op::I16x8ExtAddPairwiseI8x16S => self.vector_unary_of(inst, I8X16, add_pairs_signed),
            Op::I16x8ExtAddPairwiseI8x16U => self.vector_unary_of(inst, I8X16, add_pairs_unsigned),
            Op::I32x4ExtAddPairwiseI16x8S => self.vector_unary_of(inst, I16X8, add_pairs_signed),
            Op::I32x4ExtAddPairwiseI16x8U => self.vector_unary_of(inst, I16X8, add_pairs_unsigned),
            Op::I32x4DotI16x8S => self.vector_binary_of(inst, I16X8, dot),
            Op::I16x8RelaxedDotI8x16I7x16S => self.vector_binary_of(inst, I8X16, dot),
            Op::I32x4RelaxedDotI8x16I7x16AddS => self.dot_add(inst),

            Op::F32x4Add | Op::F64x2Add => self.vector_binary(inst, |b, x, y| b.ins().fadd(x, y)),
            Op::F32x4Sub | Op::F64x2Sub => self.vector_binary(inst, |b, x, y| b.ins().fsub(x, y)),
            Op::F32x4Mul | Op::F64x2Mul => self.vector_binary(inst, |b, x, y| b.ins().fmul(x, y)),
            Op::F32x4Div | Op::F64x2Div => self.vector_binary(inst, |b, x, y| b.ins().fdiv(x, y)),
            Op::F32x4Min | Op::F64x2Min | Op::F32x4RelaxedMin | Op::F64x2RelaxedMin =>
                self.vector_binary(inst, |b, x, y| b.ins().fmin(x, y)),
            Op::F32x4Max | Op::F64x2Max | Op::F32x4RelaxedMax | Op::F64x2RelaxedMax =>
                self.vector_binary(inst, |b, x, y| b.ins().fmax(x, y)),
            Op::F32x4PMin | Op::F64x2PMin => self.vector_binary(inst, |b, x, y| take_if_less(b, (y, x), y, x)),
            Op::F32x4PMax | Op::F64x2PMax => self.vector_binary(inst, |b, x, y| take_if_less(b, (x, y), y, x)),
            Op::F32x4RelaxedMadd | Op::F64x2RelaxedMadd =>
                self.vector_ternary(inst, |b, x, y, z| b.ins().fma(x, y, z)),
            Op::F32x4RelaxedNmadd | Op::F64x2RelaxedNmadd =>
                self.vector_ternary(inst, |b, x, y, z| {
                    let x = b.ins().fneg(x);
                    b.ins().fma(x, y, z)
                }),
            Op::F32x4Abs | Op::F64x2Abs => self.vector_unary(inst, |b, x| b.ins().fabs(x)),
            Op::F32x4Neg | Op::F64x2Neg => self.vector_unary(inst, |b, x| b.ins().fneg(x)),
            Op::F32x4Sqrt | Op::F64x2Sqrt => self.vector_unary(inst, |b, x| b.ins().sqrt(x)),
            Op::F32x4Ceil | Op::F64x2Ceil => self.vector_unary(inst, |b, x| b.ins().ceil(x)),
            Op::F32x4Floor | Op::F64x2Floor => self.vector_unary(inst, |b, x| b.ins().floor(x)),
            Op::F32x4Trunc | Op::F64x2Trunc => self.vector_unary(inst, |b, x| b.ins().trunc(x)),
            Op::F32x4Nearest | Op::F64x2Nearest => self.vector_unary(inst, |b, x| b.ins().nearest(x)),

            Op::F32x4Eq | Op::F64x2Eq => self.vector_float_compare(inst, FloatCC::Equal),
            Op::F32x4Ne | Op::F64x2Ne => self.vector_float_compare(inst, FloatCC::NotEqual),
            Op::F32x4Lt | Op::F64x2Lt => self.vector_float_compare(inst, FloatCC::LessThan),
            Op::F32x4Gt | Op::F64x2Gt => self.vector_float_compare(inst, FloatCC::GreaterThan),
            Op::F32x4Le | Op::F64x2Le => self.vector_float_compare(inst, FloatCC::LessThanOrEqual),
            Op::F32x4Ge | Op::F64x2Ge => self.vector_float_compare(inst, FloatCC::GreaterThanOrEqual),

            Op::I32x4TruncSatF32x4S | Op::I32x4RelaxedTruncF32x4S =>
                self.vector_unary_of(inst, F32X4, |b, x| b.ins().fcvt_to_sint_sat(I32X4, x)),
            Op::I32x4TruncSatF32x4U | Op::I32x4RelaxedTruncF32x4U =>
                self.vector_unary_of(inst, F32X4, |b, x| b.ins().fcvt_to_uint_sat(I32X4, x)),
            Op::I32x4TruncSatF64x2SZero | Op::I32x4RelaxedTruncF64x2SZero =>
                self.vector_unary_of(inst, F64X2, |b, x| {
                    let (x, zeros) = (b.ins().fcvt_to_sint_sat(I64X2, x), zeros(b, I64X2));
                    b.ins().snarrow(x, zeros)
                }),
            Op::I32x4TruncSatF64x2UZero | Op::I32x4RelaxedTruncF64x2UZero =>
                self.vector_unary_of(inst, F64X2, |b, x| {
                    let (x, zeros) = (b.ins().fcvt_to_uint_sat(I64X2, x), zeros(b, I64X2));
                    b.ins().uunarrow(x, zeros)
                }),
            Op::F32x4ConvertI32x4S =>
                self.vector_unary_of(inst, I32X4, |b, x| b.ins().fcvt_from_sint(F32X4, x)),
            Op::F32x4ConvertI32x4U =>
                self.vector_unary_of(inst, I32X4, |b, x| b.ins().fcvt_from_uint(F32X4, x)),
            Op::F64x2ConvertLowI32x4S => self.vector_unary_of(inst, I32X4, |b, x| {
                let x = b.ins().swiden_low(x);
                b.ins().fcvt_from_sint(F64X2, x)
            }),
            Op::F64x2ConvertLowI32x4U => self.vector_unary_of(inst, I32X4, |b, x| {
                let x = b.ins().uwiden_low(x);
                b.ins().fcvt_from_uint(F64X2, x)
            }),
            Op::F32x4DemoteF64x2Zero =>
                self.vector_unary_of(inst, F64X2, |b, x| b.ins().fvdemote(x)),
            Op::F64x2PromoteLowF32x4 =>
                self.vector_unary_of(inst, F32X4, |b, x| b.ins().fvpromote_low(x)),

            Op::I32Const | Op::I64Const | Op::F32Const | Op::F64Const | Op::V128Const
            | Op::FuncRefConst | Op::ExternRefConst =>
                self.constant(inst),
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
            | Op::GlobalSet | Op::Call | Op::CallIndirect | Op::TableGet | Op::TableHolds
            | Op::CallRef | Op::Dialect | Op::TrapIf | Op::Trap | Op::DeoptUnless | Op::Deopt
            | Op::OsrPoll => self.inst_of_entity(inst),
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
            (Op::TableGet, Imm::Table(table)) => {
                let slot = self.table_slot(table, inst.args[0]);
                let reference = self.reference(&slot);
                self.def(inst.results[0], reference);
            }
            (Op::TableHolds, Imm::TableFunc(table, func)) => self.table_holds(inst, table, func),
            (Op::CallRef, Imm::Sig(sig)) => self.call_ref(inst, sig),
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
