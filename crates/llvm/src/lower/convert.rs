//! Conversions, and arithmetic whose NaN LLVM would not make quiet.
//!
//! LLVM takes `x * 1.0` and the like for `x`, which differs from the operation if `x` is a
//! signalling NaN: the result of arithmetic is quiet. Where a constant operand is one of those
//! that make an operation the identity or a negation, `llvm.canonicalize` takes its place, which
//! is the multiplication by one that LLVM keeps.

use super::Lower;
use crate::error::Result;
use cupola_ir::{Imm, InstData, Op, Reg, TrapCode, Type};
use inkwell::FloatPredicate;
use inkwell::values::FloatValue;

/// Bounds of a truncating conversion: the greatest float that is too small, and the smallest one
/// that is too great.
struct Bounds(f64, f64);

/// The bounds for conversions from `from` to `to`.
fn bounds(from: Type, to: Type, signed: bool) -> Bounds {
    match (from, to, signed) {
        (Type::F32, Type::I32, true) => Bounds(-2147483904.0, 2147483648.0),
        (_, Type::I32, true) => Bounds(-2147483649.0, 2147483648.0),
        (_, Type::I32, false) => Bounds(-1.0, 4294967296.0),
        (Type::F32, _, true) => Bounds(-9223373136366403584.0, 9223372036854775808.0),
        (_, _, true) => Bounds(-9223372036854777856.0, 9223372036854775808.0),
        (_, _, false) => Bounds(-1.0, 18446744073709551616.0),
    }
}

impl<'c> Lower<'_, '_, 'c> {
    /// Float to integer, trapping.
    pub(super) fn truncate(&mut self, inst: &InstData, signed: bool) -> Result<()> {
        let x = self.float(inst.args[0])?;
        let (from, to) = (self.ty(inst.args[0]), self.ty(inst.results[0]));
        let Bounds(below, above) = bounds(from, to, signed);
        let ty = x.get_type();
        let compare = |this: &Self, cond, bound: f64| {
            this.b.build_float_compare(cond, x, ty.const_float(bound), "")
        };
        let is_nan = self.b.build_float_compare(FloatPredicate::UNO, x, x, "")?;
        self.trap_on(is_nan, TrapCode::BadConversion)?;
        let low = compare(self, FloatPredicate::ULE, below)?;
        let high = compare(self, FloatPredicate::UGE, above)?;
        let outside = self.b.build_or(low, high, "")?;
        self.trap_on(outside, TrapCode::IntOverflow)?;
        let ty = self.unit.ty(to).into_int_type();
        let value = if signed {
            self.b.build_float_to_signed_int(x, ty, "")?
        } else {
            self.b.build_float_to_unsigned_int(x, ty, "")?
        };
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Float to integer, saturating.
    pub(super) fn truncate_saturating(&mut self, inst: &InstData, signed: bool) -> Result<()> {
        let x = self.value(inst.args[0])?;
        let name = if signed { "llvm.fptosi.sat" } else { "llvm.fptoui.sat" };
        let types = [self.unit.ty(self.ty(inst.results[0])), x.get_type()];
        let value = self.call_intrinsic(name, &types, &[x])?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Integer to float.
    pub(super) fn convert(&mut self, inst: &InstData, signed: bool) -> Result<()> {
        let x = self.int(inst.args[0])?;
        let ty = self.unit.ty(self.ty(inst.results[0])).into_float_type();
        let value = if signed {
            self.b.build_signed_int_to_float(x, ty, "")?
        } else {
            self.b.build_unsigned_int_to_float(x, ty, "")?
        };
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Integer to integer.
    pub(super) fn resize(&mut self, inst: &InstData, signed: bool) -> Result<()> {
        let x = self.int(inst.args[0])?;
        let ty = self.unit.ty(self.ty(inst.results[0])).into_int_type();
        let value = if ty.get_bit_width() < x.get_type().get_bit_width() {
            self.b.build_int_truncate(x, ty, "")?
        } else if signed {
            self.b.build_int_s_extend(x, ty, "")?
        } else {
            self.b.build_int_z_extend(x, ty, "")?
        };
        self.def(inst.results[0], value);
        Ok(())
    }

    /// The same bits as another type.
    pub(super) fn reinterpret(&mut self, inst: &InstData) -> Result<()> {
        let x = self.value(inst.args[0])?;
        let ty = self.unit.ty(self.ty(inst.results[0]));
        let value = self.b.build_bit_cast(x, ty, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    pub(super) fn promote(&mut self, inst: &InstData) -> Result<()> {
        let x = self.float(inst.args[0])?;
        let value = self.b.build_float_ext(x, self.unit.types.f64, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Demotes; what was promoted before is only made quiet.
    pub(super) fn demote(&mut self, inst: &InstData) -> Result<()> {
        let operand = inst.args[0];
        let value = match self.def_of(operand) {
            Some(def) if def.op == Op::F64PromoteF32 => {
                let original = self.float(def.args[0])?;
                self.quiet(original)?
            }
            _ => self.b.build_float_trunc(self.float(operand)?, self.unit.types.f32, "")?,
        };
        self.def(inst.results[0], value);
        Ok(())
    }

    /// The value of a float constant.
    fn float_constant(&self, reg: Reg) -> Option<f64> {
        let def = self.def_of(reg)?;
        match (def.op, def.imm) {
            (Op::F32Const, Imm::Bits(bits)) => Some(f64::from(f32::from_bits(bits as u32))),
            (Op::F64Const, Imm::Bits(bits)) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }

    /// The operand times one: itself, a NaN made quiet.
    fn quiet(&self, x: FloatValue<'c>) -> Result<FloatValue<'c>> {
        let value =
            self.call_intrinsic("llvm.canonicalize", &[x.get_type().into()], &[x.into()])?;
        Ok(value.into_float_value())
    }

    /// Defines the result as the operand made quiet, or its negation.
    fn def_quiet(&mut self, inst: &InstData, operand: Reg, negate: bool) -> Result<()> {
        let mut value = self.quiet(self.float(operand)?)?;
        if negate {
            value = self.b.build_float_neg(value, "")?;
        }
        self.def(inst.results[0], value);
        Ok(())
    }

    pub(super) fn add_floats(&mut self, inst: &InstData) -> Result<()> {
        let (x, y) = (inst.args[0], inst.args[1]);
        let is_minus_zero = |c: Option<f64>| c.is_some_and(|c| c == 0.0 && c.is_sign_negative());
        if is_minus_zero(self.float_constant(y)) {
            self.def_quiet(inst, x, false)
        } else if is_minus_zero(self.float_constant(x)) {
            self.def_quiet(inst, y, false)
        } else {
            self.floats(inst, |b, x, y| b.build_float_add(x, y, ""))
        }
    }

    pub(super) fn subtract_floats(&mut self, inst: &InstData) -> Result<()> {
        let (x, y) = (inst.args[0], inst.args[1]);
        if self.float_constant(y).is_some_and(|c| c == 0.0 && c.is_sign_positive()) {
            self.def_quiet(inst, x, false)
        } else if self.float_constant(x).is_some_and(|c| c == 0.0 && c.is_sign_negative()) {
            self.def_quiet(inst, y, true)
        } else {
            self.floats(inst, |b, x, y| b.build_float_sub(x, y, ""))
        }
    }

    pub(super) fn multiply_floats(&mut self, inst: &InstData) -> Result<()> {
        let (x, y) = (inst.args[0], inst.args[1]);
        let unit = |c: Option<f64>| c.filter(|c| c.abs() == 1.0);
        if let Some(factor) = unit(self.float_constant(y)) {
            self.def_quiet(inst, x, factor < 0.0)
        } else if let Some(factor) = unit(self.float_constant(x)) {
            self.def_quiet(inst, y, factor < 0.0)
        } else {
            self.floats(inst, |b, x, y| b.build_float_mul(x, y, ""))
        }
    }

    pub(super) fn divide_floats(&mut self, inst: &InstData) -> Result<()> {
        match self.float_constant(inst.args[1]) {
            Some(divisor) if divisor.abs() == 1.0 => {
                self.def_quiet(inst, inst.args[0], divisor < 0.0)
            }
            _ => self.floats(inst, |b, x, y| b.build_float_div(x, y, "")),
        }
    }

    /// Minimum or maximum. LLVM's give the operand that is a NaN as it is.
    pub(super) fn extremum(&mut self, inst: &InstData, name: &str) -> Result<()> {
        self.intrinsic(inst, name, &[])?;
        let value = self.float(inst.results[0])?;
        let value = self.quiet(value)?;
        self.def(inst.results[0], value);
        Ok(())
    }

    pub(super) fn negate_float(&mut self, inst: &InstData) -> Result<()> {
        let value = self.b.build_float_neg(self.float(inst.args[0])?, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }
}
