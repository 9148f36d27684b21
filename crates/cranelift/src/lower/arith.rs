//! Shapes that the arms of pure opcodes share.

use super::{Lower, cl_type};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use cranelift_frontend::FuncInstBuilder;
use cupola_ir::InstData;

impl<'f> Lower<'_, 'f> {
    /// One operand.
    pub(super) fn unary(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(FuncInstBuilder<'_, 'f>, Value) -> Value,
    ) {
        let x = self.value(inst.args[0]);
        let value = op(self.b.ins(), x);
        self.def(inst.results[0], value);
    }

    /// One operand, and a result type that the operation needs to know.
    pub(super) fn convert(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(FuncInstBuilder<'_, 'f>, ir::Type, Value) -> Value,
    ) {
        let ty = cl_type(self.ty(inst.results[0]));
        self.unary(inst, |ins, x| op(ins, ty, x));
    }

    /// Two operands.
    pub(super) fn binary(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(FuncInstBuilder<'_, 'f>, Value, Value) -> Value,
    ) {
        let (x, y) = (self.value(inst.args[0]), self.value(inst.args[1]));
        let value = op(self.b.ins(), x, y);
        self.def(inst.results[0], value);
    }

    /// Comparison of integers.
    pub(super) fn int_compare(&mut self, inst: &InstData, cond: IntCC) {
        let (x, y) = (self.value(inst.args[0]), self.value(inst.args[1]));
        let truth = self.b.ins().icmp(cond, x, y);
        self.def_truth(inst.results[0], truth);
    }

    /// Comparison of floats.
    pub(super) fn float_compare(&mut self, inst: &InstData, cond: FloatCC) {
        let (x, y) = (self.value(inst.args[0]), self.value(inst.args[1]));
        let truth = self.b.ins().fcmp(cond, x, y);
        self.def_truth(inst.results[0], truth);
    }

    /// Whether the operand is zero; of a comparison, the opposite comparison.
    pub(super) fn is_zero(&mut self, inst: &InstData) {
        let condition = self.condition(inst.args[0]);
        let truth = self.negated(condition);
        self.def_truth(inst.results[0], truth);
    }

    /// Sign extension of the low bits of the operand.
    pub(super) fn extend_low(&mut self, inst: &InstData, low: ir::Type) {
        let ty = cl_type(self.ty(inst.results[0]));
        let x = self.value(inst.args[0]);
        let x = self.b.ins().ireduce(low, x);
        let value = self.b.ins().sextend(ty, x);
        self.def(inst.results[0], value);
    }
}
