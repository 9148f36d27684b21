//! Operations on vectors.
//!
//! A vector is 16 bytes to LLVM as well; every operation looks at them as lanes of its own. What
//! LLVM has no instruction for is written as what its code generator knows the machine's
//! instruction for: widening, arithmetic, clamping, narrowing.

use super::Lower;
use crate::error::{Result, codegen};
use crate::target;
use cupola_ir::{Imm, InstData, Reg, V128};
use cupola_runtime::CompileError;
use inkwell::builder::{Builder, BuilderError};
use inkwell::types::{BasicTypeEnum, VectorType};
use inkwell::values::{BasicValueEnum, IntValue, VectorValue};
use inkwell::{FloatPredicate, IntPredicate};

/// What the bytes of a vector are looked at as.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Lanes {
    I8x16,
    I16x8,
    I32x4,
    I64x2,
    F32x4,
    F64x2,
}

impl Lanes {
    pub(super) const fn count(self) -> u32 {
        match self {
            Lanes::I8x16 => 16,
            Lanes::I16x8 => 8,
            Lanes::I32x4 | Lanes::F32x4 => 4,
            Lanes::I64x2 | Lanes::F64x2 => 2,
        }
    }

    pub(super) const fn bits(self) -> u32 {
        128 / self.count()
    }

    /// Integer lanes of the same size.
    const fn ints(self) -> Lanes {
        match self {
            Lanes::F32x4 => Lanes::I32x4,
            Lanes::F64x2 => Lanes::I64x2,
            ints => ints,
        }
    }

    /// Integer lanes of twice the size.
    pub(super) const fn wider(self) -> Lanes {
        match self {
            Lanes::I8x16 => Lanes::I16x8,
            Lanes::I16x8 => Lanes::I32x4,
            _ => Lanes::I64x2,
        }
    }
}

type Built<V> = std::result::Result<V, BuilderError>;
pub(super) type Vector<'c> = VectorValue<'c>;

impl<'c> Lower<'_, '_, 'c> {
    /// The type of a lane.
    pub(super) fn lane_type(&self, lanes: Lanes) -> BasicTypeEnum<'c> {
        let types = self.unit.types;
        match lanes {
            Lanes::I8x16 => types.i8.into(),
            Lanes::I16x8 => types.i16.into(),
            Lanes::I32x4 => types.i32.into(),
            Lanes::I64x2 => types.i64.into(),
            Lanes::F32x4 => types.f32.into(),
            Lanes::F64x2 => types.f64.into(),
        }
    }

    /// Some lanes of this kind.
    pub(super) fn some_lanes(&self, lanes: Lanes, count: u32) -> VectorType<'c> {
        match self.lane_type(lanes) {
            BasicTypeEnum::FloatType(ty) => ty.vec_type(count),
            BasicTypeEnum::IntType(ty) => ty.vec_type(count),
            _ => self.unit.types.v128,
        }
    }

    pub(super) fn vector_type(&self, lanes: Lanes) -> VectorType<'c> {
        self.some_lanes(lanes, lanes.count())
    }

    /// A vector register as these lanes.
    pub(super) fn vector(&self, reg: Reg, lanes: Lanes) -> Result<Vector<'c>> {
        let value = self.value(reg)?;
        let value = self.b.build_bit_cast(value, self.vector_type(lanes), "")?;
        Ok(value.into_vector_value())
    }

    /// Defines a vector register.
    pub(super) fn def_vector(&mut self, reg: Reg, value: Vector<'c>) -> Result<()> {
        let value = self.b.build_bit_cast(value, self.unit.types.v128, "")?;
        self.def(reg, value);
        Ok(())
    }

    /// One vector.
    pub(super) fn map(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        op: impl FnOnce(&Builder<'c>, Vector<'c>) -> Built<Vector<'c>>,
    ) -> Result<()> {
        let value = op(&self.b, self.vector(inst.args[0], lanes)?)?;
        self.def_vector(inst.results[0], value)
    }

    /// Two vectors.
    pub(super) fn zip(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        op: impl FnOnce(&Builder<'c>, Vector<'c>, Vector<'c>) -> Built<Vector<'c>>,
    ) -> Result<()> {
        let (x, y) = (self.vector(inst.args[0], lanes)?, self.vector(inst.args[1], lanes)?);
        let value = op(&self.b, x, y)?;
        self.def_vector(inst.results[0], value)
    }

    /// An intrinsic of a vector type, over the operands and `extra`.
    pub(super) fn lanewise(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        name: &str,
        extra: &[BasicValueEnum<'c>],
    ) -> Result<()> {
        let mut args = Vec::new();
        for &reg in &inst.args {
            args.push(self.vector(reg, lanes)?.into());
        }
        args.extend_from_slice(extra);
        let types = [self.vector_type(lanes).into()];
        let value = self.call_intrinsic(name, &types, &args)?;
        self.def_vector(inst.results[0], value.into_vector_value())
    }

    /// Minima or maxima. LLVM's give the operand that is a NaN as it is; it is made quiet.
    pub(super) fn vector_extremum(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        name: &str,
    ) -> Result<()> {
        self.lanewise(inst, lanes, name, &[])?;
        let types = [self.vector_type(lanes).into()];
        let value = self.vector(inst.results[0], lanes)?;
        let value = self.call_intrinsic("llvm.canonicalize", &types, &[value.into()])?;
        self.def_vector(inst.results[0], value.into_vector_value())
    }

    /// Absolute values, of which that of the smallest integer is itself.
    pub(super) fn absolute(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let no = self.unit.types.bool.const_zero();
        self.lanewise(inst, lanes, "llvm.abs", &[no.into()])
    }

    /// A vector of the lanes of two that `mask` chooses.
    pub(super) fn choose(&self, x: Vector<'c>, y: Vector<'c>, mask: &[u32]) -> Result<Vector<'c>> {
        let number = |&n: &u32| self.unit.types.i32.const_int(n.into(), false);
        let mask: Vec<IntValue<'c>> = mask.iter().map(number).collect();
        Ok(self.b.build_shuffle_vector(x, y, VectorType::const_vector(&mask), "")?)
    }

    /// The same value in all lanes.
    pub(super) fn splat_of(&self, lanes: Lanes, value: BasicValueEnum<'c>) -> Result<Vector<'c>> {
        let zeros = self.vector_type(lanes).const_zero();
        let first = self.unit.types.i32.const_zero();
        let vector = self.b.build_insert_element(zeros, value, first, "")?;
        self.choose(vector, vector, &vec![0; lanes.count() as usize])
    }

    /// An integer in all lanes.
    pub(super) fn constant_of(&self, lanes: Lanes, value: i64) -> Vector<'c> {
        let ty = self.lane_type(lanes).into_int_type();
        let lane = ty.const_int(value as u64, true);
        VectorType::const_vector(&vec![lane; lanes.count() as usize])
    }

    pub(super) fn splat(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let mut value = self.value(inst.args[0])?;
        if let (BasicValueEnum::IntValue(int), BasicTypeEnum::IntType(ty)) =
            (value, self.lane_type(lanes))
            && int.get_type() != ty
        {
            value = self.b.build_int_truncate(int, ty, "")?.into();
        }
        let vector = self.splat_of(lanes, value)?;
        self.def_vector(inst.results[0], vector)
    }

    /// The number of the lane that an instruction names.
    fn lane_number(&self, inst: &InstData) -> Result<IntValue<'c>> {
        match inst.imm {
            Imm::Lane(lane) | Imm::MemLane(_, lane) => {
                Ok(self.unit.types.i32.const_int(lane.into(), false))
            }
            imm => Err(codegen(format!("{imm:?} is no lane")).into()),
        }
    }

    /// The lane that an instruction names, of a vector register.
    pub(super) fn lane(
        &self,
        inst: &InstData,
        vector: Reg,
        lanes: Lanes,
    ) -> Result<BasicValueEnum<'c>> {
        let number = self.lane_number(inst)?;
        Ok(self.b.build_extract_element(self.vector(vector, lanes)?, number, "")?)
    }

    /// A lane as a register; narrow integers are extended.
    pub(super) fn extract_lane(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        signed: bool,
    ) -> Result<()> {
        let mut value = self.lane(inst, inst.args[0], lanes)?;
        let i32 = self.unit.types.i32;
        if let BasicValueEnum::IntValue(int) = value
            && int.get_type().get_bit_width() < 32
        {
            value = match signed {
                true => self.b.build_int_s_extend(int, i32, "")?.into(),
                false => self.b.build_int_z_extend(int, i32, "")?.into(),
            };
        }
        self.def(inst.results[0], value);
        Ok(())
    }

    /// A vector with the lane that the instruction names replaced.
    pub(super) fn with_lane(
        &mut self,
        inst: &InstData,
        vector: Vector<'c>,
        mut value: BasicValueEnum<'c>,
        lanes: Lanes,
    ) -> Result<()> {
        if let BasicValueEnum::IntValue(int) = value
            && int.get_type().get_bit_width() > lanes.bits()
        {
            let ty = self.lane_type(lanes).into_int_type();
            value = self.b.build_int_truncate(int, ty, "")?.into();
        }
        let number = self.lane_number(inst)?;
        let vector = self.b.build_insert_element(vector, value, number, "")?;
        self.def_vector(inst.results[0], vector)
    }

    pub(super) fn replace_lane(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let (vector, value) = (self.vector(inst.args[0], lanes)?, self.value(inst.args[1])?);
        self.with_lane(inst, vector, value, lanes)
    }

    pub(super) fn shuffle(&mut self, inst: &InstData) -> Result<()> {
        let Imm::Shuffle(chosen) = inst.imm else {
            return Err(codegen("a shuffle without lanes").into());
        };
        let chosen: V128 = chosen;
        let [x, y] = [inst.args[0], inst.args[1]].map(|reg| self.vector(reg, Lanes::I8x16));
        let value = self.choose(x?, y?, &chosen.map(u32::from))?;
        self.def_vector(inst.results[0], value)
    }

    /// Bytes chosen by a vector; from 16 on, zero. The machine's instruction gives zero where the
    /// highest bit is set, which adding 112 with saturation sets from 16 on.
    pub(super) fn swizzle(&mut self, inst: &InstData) -> Result<()> {
        if !target::host().features.split(',').any(|feature| feature == "+ssse3") {
            return Err(CompileError::Unsupported("swizzle without SSSE3".to_owned()).into());
        }
        let [x, y] = [inst.args[0], inst.args[1]].map(|reg| self.vector(reg, Lanes::I8x16));
        let ty = self.vector_type(Lanes::I8x16).into();
        let args = [y?.into(), self.constant_of(Lanes::I8x16, 112).into()];
        let indexes = self.call_intrinsic("llvm.uadd.sat", &[ty], &args)?;
        let name = "llvm.x86.ssse3.pshuf.b.128";
        let value = self.call_intrinsic(name, &[], &[x?.into(), indexes])?;
        self.def_vector(inst.results[0], value.into_vector_value())
    }

    /// Shifts of all lanes by a count modulo their width.
    pub(super) fn shift_lanes(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        op: impl FnOnce(&Builder<'c>, Vector<'c>, Vector<'c>) -> Built<Vector<'c>>,
    ) -> Result<()> {
        let (x, count) = (self.vector(inst.args[0], lanes)?, self.int(inst.args[1])?);
        let mask = count.get_type().const_int((lanes.bits() - 1).into(), false);
        let count = self.b.build_and(count, mask, "")?;
        let ty = self.lane_type(lanes).into_int_type();
        let count = match lanes.bits() {
            64 => self.b.build_int_z_extend(count, ty, "")?,
            32 => count,
            _ => self.b.build_int_truncate(count, ty, "")?,
        };
        let counts = self.splat_of(lanes, count.into())?;
        let value = op(&self.b, x, counts)?;
        self.def_vector(inst.results[0], value)
    }

    /// Bits as lanes of all ones and of zeros.
    fn def_mask(&mut self, reg: Reg, lanes: Lanes, bits: Vector<'c>) -> Result<()> {
        let ty = self.vector_type(lanes.ints());
        let value = self.b.build_int_s_extend(bits, ty, "")?;
        self.def_vector(reg, value)
    }

    pub(super) fn compare_ints(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        cond: IntPredicate,
    ) -> Result<()> {
        let (x, y) = (self.vector(inst.args[0], lanes)?, self.vector(inst.args[1], lanes)?);
        let bits = self.b.build_int_compare(cond, x, y, "")?;
        self.def_mask(inst.results[0], lanes, bits)
    }

    pub(super) fn compare_floats(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        cond: FloatPredicate,
    ) -> Result<()> {
        let (x, y) = (self.vector(inst.args[0], lanes)?, self.vector(inst.args[1], lanes)?);
        let bits = self.b.build_float_compare(cond, x, y, "")?;
        self.def_mask(inst.results[0], lanes, bits)
    }

    /// The second operand where it is less than the first (`pmin`), or greater (`pmax`).
    pub(super) fn pseudo_extremum(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        less: bool,
    ) -> Result<()> {
        let (x, y) = (self.vector(inst.args[0], lanes)?, self.vector(inst.args[1], lanes)?);
        let cond = if less { FloatPredicate::OLT } else { FloatPredicate::OGT };
        let takes_second = self.b.build_float_compare(cond, y, x, "")?;
        // inkwell's conditions are single bits, so the choice is made by masks.
        let ints = self.vector_type(lanes.ints());
        let mask = self.b.build_int_s_extend(takes_second, ints, "")?;
        let [x, y] = [x, y].map(|v| self.b.build_bit_cast(v, ints, ""));
        let value = self.blend(x?.into_vector_value(), y?.into_vector_value(), mask)?;
        self.def_vector(inst.results[0], value)
    }

    /// `y` where the mask has ones, `x` where it has zeros.
    fn blend(&self, x: Vector<'c>, y: Vector<'c>, mask: Vector<'c>) -> Result<Vector<'c>> {
        let taken = self.b.build_and(y, mask, "")?;
        let kept = self.b.build_and(x, self.b.build_not(mask, "")?, "")?;
        Ok(self.b.build_or(taken, kept, "")?)
    }

    pub(super) fn bitselect(&mut self, inst: &InstData) -> Result<()> {
        let [x, y, mask] = [0, 1, 2].map(|i| self.vector(inst.args[i], Lanes::I64x2));
        let value = self.blend(y?, x?, mask?)?;
        self.def_vector(inst.results[0], value)
    }

    /// Whether a bit is set.
    pub(super) fn any_true(&mut self, inst: &InstData) -> Result<()> {
        let bits = self.b.build_bit_cast(self.value(inst.args[0])?, self.unit.types.i128, "")?;
        let bits = bits.into_int_value();
        let zero = bits.get_type().const_zero();
        let truth = self.b.build_int_compare(IntPredicate::NE, bits, zero, "")?;
        self.def_truth(inst.results[0], truth)
    }

    /// One bit for each lane that the comparison with zero holds for, the first lane's lowest.
    fn bits_of(&self, inst: &InstData, lanes: Lanes, cond: IntPredicate) -> Result<IntValue<'c>> {
        let x = self.vector(inst.args[0], lanes)?;
        let zeros = self.vector_type(lanes).const_zero();
        let bits = self.b.build_int_compare(cond, x, zeros, "")?;
        let ty = std::num::NonZeroU32::new(lanes.count()).ok_or_else(|| codegen("no lanes"))?;
        let ty = self.unit.cx.custom_width_int_type(ty).map_err(codegen)?;
        Ok(self.b.build_bit_cast(bits, ty, "")?.into_int_value())
    }

    pub(super) fn all_true(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let bits = self.bits_of(inst, lanes, IntPredicate::NE)?;
        let all = bits.get_type().const_all_ones();
        let truth = self.b.build_int_compare(IntPredicate::EQ, bits, all, "")?;
        self.def_truth(inst.results[0], truth)
    }

    pub(super) fn bitmask(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let bits = self.bits_of(inst, lanes, IntPredicate::SLT)?;
        let value = self.b.build_int_z_extend(bits, self.unit.types.i32, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Three vectors of floats, of which the first may be negated: product and sum, rounded once.
    pub(super) fn multiply_add(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        negate: bool,
    ) -> Result<()> {
        let [x, y, z] = [0, 1, 2].map(|i| self.vector(inst.args[i], lanes));
        let mut x = x?;
        if negate {
            x = self.b.build_float_neg(x, "")?;
        }
        let types = [self.vector_type(lanes).into()];
        let value = self.call_intrinsic("llvm.fma", &types, &[x.into(), y?.into(), z?.into()])?;
        self.def_vector(inst.results[0], value.into_vector_value())
    }

    /// Floats to integers of 32 bits, saturating; of two lanes the others are zero.
    pub(super) fn truncate_lanes(
        &mut self,
        inst: &InstData,
        from: Lanes,
        signed: bool,
    ) -> Result<()> {
        let x = self.vector(inst.args[0], from)?;
        let name = if signed { "llvm.fptosi.sat" } else { "llvm.fptoui.sat" };
        let to = self.some_lanes(Lanes::I32x4, from.count());
        let types = [to.into(), x.get_type().into()];
        let value = self.call_intrinsic(name, &types, &[x.into()])?.into_vector_value();
        let value = self.filled(value)?;
        self.def_vector(inst.results[0], value)
    }

    /// A vector of two or four lanes of 32 bits, with zeros behind if it is of two.
    fn filled(&self, value: Vector<'c>) -> Result<Vector<'c>> {
        match value.get_type().get_size() {
            2 => self.choose(value, value.get_type().const_zero(), &[0, 1, 2, 3]),
            _ => Ok(value),
        }
    }

    /// Integers of 32 bits, the first ones if there are too many, to floats.
    pub(super) fn convert_lanes(&mut self, inst: &InstData, to: Lanes, signed: bool) -> Result<()> {
        let x = self.vector(inst.args[0], Lanes::I32x4)?;
        let first: Vec<u32> = (0..to.count()).collect();
        let x = self.choose(x, x, &first)?;
        let ty = self.vector_type(to);
        let value = match signed {
            true => self.b.build_signed_int_to_float(x, ty, "")?,
            false => self.b.build_unsigned_int_to_float(x, ty, "")?,
        };
        self.def_vector(inst.results[0], value)
    }

    pub(super) fn demote_lanes(&mut self, inst: &InstData) -> Result<()> {
        let x = self.vector(inst.args[0], Lanes::F64x2)?;
        let value = self.b.build_float_trunc(x, self.some_lanes(Lanes::F32x4, 2), "")?;
        let value = self.filled(value)?;
        self.def_vector(inst.results[0], value)
    }

    pub(super) fn promote_lanes(&mut self, inst: &InstData) -> Result<()> {
        let x = self.vector(inst.args[0], Lanes::F32x4)?;
        let x = self.choose(x, x, &[0, 1])?;
        let value = self.b.build_float_ext(x, self.vector_type(Lanes::F64x2), "")?;
        self.def_vector(inst.results[0], value)
    }
}
