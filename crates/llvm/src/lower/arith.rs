//! Shapes that the arms of pure opcodes share, and integer division.

use super::Lower;
use crate::error::Result;
use cupola_ir::{InstData, TrapCode};
use inkwell::builder::{Builder, BuilderError};
use inkwell::types::IntType;
use inkwell::values::{BasicValueEnum, FloatValue, IntValue};
use inkwell::{FloatPredicate, IntPredicate};

type Built<V> = std::result::Result<V, BuilderError>;

impl<'c> Lower<'_, '_, 'c> {
    /// Two integers.
    pub(super) fn ints(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&Builder<'c>, IntValue<'c>, IntValue<'c>) -> Built<IntValue<'c>>,
    ) -> Result<()> {
        let (x, y) = (self.int(inst.args[0])?, self.int(inst.args[1])?);
        let value = op(&self.b, x, y)?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// A shift, whose count is taken modulo the width.
    pub(super) fn shift(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&Builder<'c>, IntValue<'c>, IntValue<'c>) -> Built<IntValue<'c>>,
    ) -> Result<()> {
        self.ints(inst, |b, x, y| {
            let ty = y.get_type();
            let mask = ty.const_int(u64::from(ty.get_bit_width()) - 1, false);
            let count = b.build_and(y, mask, "")?;
            op(b, x, count)
        })
    }

    /// Comparison of integers.
    pub(super) fn int_compare(&mut self, inst: &InstData, cond: IntPredicate) -> Result<()> {
        let (x, y) = (self.int(inst.args[0])?, self.int(inst.args[1])?);
        let truth = self.b.build_int_compare(cond, x, y, "")?;
        self.def_truth(inst.results[0], truth)
    }

    /// Comparison of floats.
    pub(super) fn float_compare(&mut self, inst: &InstData, cond: FloatPredicate) -> Result<()> {
        let (x, y) = (self.float(inst.args[0])?, self.float(inst.args[1])?);
        let truth = self.b.build_float_compare(cond, x, y, "")?;
        self.def_truth(inst.results[0], truth)
    }

    /// Whether an integer is zero.
    pub(super) fn is_zero(&mut self, inst: &InstData) -> Result<()> {
        let x = self.int(inst.args[0])?;
        let zero = x.get_type().const_zero();
        let truth = self.b.build_int_compare(IntPredicate::EQ, x, zero, "")?;
        self.def_truth(inst.results[0], truth)
    }

    /// Sign extension of the low bits of the operand.
    pub(super) fn extend_low(&mut self, inst: &InstData, low: IntType<'c>) -> Result<()> {
        let x = self.int(inst.args[0])?;
        let bits = self.b.build_int_truncate(x, low, "")?;
        let value = self.b.build_int_s_extend(bits, x.get_type(), "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// An intrinsic of the operands' type, over the operands and `extra`.
    pub(super) fn intrinsic(
        &mut self,
        inst: &InstData,
        name: &str,
        extra: &[BasicValueEnum<'c>],
    ) -> Result<()> {
        let mut args = Vec::new();
        for &reg in &inst.args {
            args.push(self.value(reg)?);
        }
        args.extend_from_slice(extra);
        let ty = args[0].get_type();
        let value = self.call_intrinsic(name, &[ty], &args)?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Calls an intrinsic that gives a value.
    pub(super) fn call_intrinsic(
        &self,
        name: &str,
        types: &[inkwell::types::BasicTypeEnum<'c>],
        args: &[BasicValueEnum<'c>],
    ) -> Result<BasicValueEnum<'c>> {
        let function = self.unit.intrinsic(name, types)?;
        let args: Vec<_> = args.iter().map(|&arg| arg.into()).collect();
        Ok(self.b.build_call(function, &args, "")?.try_as_basic_value().unwrap_basic())
    }

    /// A rotation: a funnel shift of the operand and itself, modulo the width.
    pub(super) fn rotate(&mut self, inst: &InstData, name: &str) -> Result<()> {
        let (x, y) = (self.value(inst.args[0])?, self.value(inst.args[1])?);
        let value = self.call_intrinsic(name, &[x.get_type()], &[x, x, y])?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Counting zero bits; zero has an answer.
    pub(super) fn count_zeros(&mut self, inst: &InstData, name: &str) -> Result<()> {
        let no = self.unit.types.bool.const_zero();
        self.intrinsic(inst, name, &[no.into()])
    }

    /// Traps if the divisor is zero.
    fn check_divisor(&mut self, divisor: IntValue<'c>) -> Result<()> {
        let zero = divisor.get_type().const_zero();
        let is_zero = self.b.build_int_compare(IntPredicate::EQ, divisor, zero, "")?;
        self.trap_on(is_zero, TrapCode::IntDivByZero)
    }

    /// Unsigned division or remainder.
    pub(super) fn divide_unsigned(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&Builder<'c>, IntValue<'c>, IntValue<'c>) -> Built<IntValue<'c>>,
    ) -> Result<()> {
        self.check_divisor(self.int(inst.args[1])?)?;
        self.ints(inst, op)
    }

    /// Signed division; the smallest integer by -1 overflows.
    pub(super) fn divide_signed(&mut self, inst: &InstData) -> Result<()> {
        let (x, y) = (self.int(inst.args[0])?, self.int(inst.args[1])?);
        self.check_divisor(y)?;
        let ty = x.get_type();
        let min = ty.const_int(1 << (ty.get_bit_width() - 1), false);
        let is_min = self.b.build_int_compare(IntPredicate::EQ, x, min, "")?;
        let is_minus_one =
            self.b.build_int_compare(IntPredicate::EQ, y, ty.const_all_ones(), "")?;
        let overflows = self.b.build_and(is_min, is_minus_one, "")?;
        self.trap_on(overflows, TrapCode::IntOverflow)?;
        self.ints(inst, |b, x, y| b.build_int_signed_div(x, y, ""))
    }

    /// Signed remainder. By -1 it is zero, as by 1, which unlike it never overflows.
    pub(super) fn remainder_signed(&mut self, inst: &InstData) -> Result<()> {
        let y = self.int(inst.args[1])?;
        self.check_divisor(y)?;
        self.ints(inst, |b, x, y| {
            let ty = y.get_type();
            let minus_one = b.build_int_compare(IntPredicate::EQ, y, ty.const_all_ones(), "")?;
            let one = ty.const_int(1, false);
            let divisor = b.build_select(minus_one, one, y, "")?.into_int_value();
            b.build_int_signed_rem(x, divisor, "")
        })
    }

    /// Two floats.
    pub(super) fn floats(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&Builder<'c>, FloatValue<'c>, FloatValue<'c>) -> Built<FloatValue<'c>>,
    ) -> Result<()> {
        let (x, y) = (self.float(inst.args[0])?, self.float(inst.args[1])?);
        let value = op(&self.b, x, y)?;
        self.def(inst.results[0], value);
        Ok(())
    }
}
