//! Vector operations that widen lanes on the way.

use super::Lower;
use super::vector::cast;
use cranelift_codegen::ir::types::{I8X16, I32X4};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use cranelift_frontend::FunctionBuilder;
use cupola_ir::InstData;

/// Which half of the lanes is widened, and how.
#[derive(Copy, Clone)]
pub(super) enum Half {
    LowSigned,
    LowUnsigned,
    HighSigned,
    HighUnsigned,
}

impl Half {
    fn of(self, b: &mut FunctionBuilder<'_>, x: Value) -> Value {
        match self {
            Half::LowSigned => b.ins().swiden_low(x),
            Half::LowUnsigned => b.ins().uwiden_low(x),
            Half::HighSigned => b.ins().swiden_high(x),
            Half::HighUnsigned => b.ins().uwiden_high(x),
        }
    }
}

/// Sums of neighbouring lanes, in lanes of twice the width.
pub(super) fn add_pairs_signed(b: &mut FunctionBuilder<'_>, x: Value) -> Value {
    let (low, high) = (Half::LowSigned.of(b, x), Half::HighSigned.of(b, x));
    b.ins().iadd_pairwise(low, high)
}

/// Sums of neighbouring lanes, in lanes of twice the width.
pub(super) fn add_pairs_unsigned(b: &mut FunctionBuilder<'_>, x: Value) -> Value {
    let (low, high) = (Half::LowUnsigned.of(b, x), Half::HighUnsigned.of(b, x));
    b.ins().iadd_pairwise(low, high)
}

/// Sums of the products of neighbouring signed lanes, in lanes of twice the width.
pub(super) fn dot(b: &mut FunctionBuilder<'_>, x: Value, y: Value) -> Value {
    let mut products = |half: Half| {
        let (x, y) = (half.of(b, x), half.of(b, y));
        b.ins().imul(x, y)
    };
    let (low, high) = (products(Half::LowSigned), products(Half::HighSigned));
    b.ins().iadd_pairwise(low, high)
}

impl Lower<'_, '_> {
    /// Half of the lanes, widened.
    pub(super) fn widen(&mut self, inst: &InstData, lanes: ir::Type, half: Half) {
        self.vector_unary_of(inst, lanes, |b, x| half.of(b, x));
    }

    /// Products of half of the lanes, widened.
    pub(super) fn widening_mul(&mut self, inst: &InstData, lanes: ir::Type, half: Half) {
        self.vector_binary_of(inst, lanes, |b, x, y| {
            let (x, y) = (half.of(b, x), half.of(b, y));
            b.ins().imul(x, y)
        });
    }

    /// Sums of four neighbouring products of bytes, added to the third operand.
    pub(super) fn dot_add(&mut self, inst: &InstData) {
        let addend = self.value(inst.args[2]);
        self.vector_binary_of(inst, I8X16, |b, x, y| {
            let sums = dot(b, x, y);
            let sums = add_pairs_signed(b, sums);
            let addend = cast(b, addend, I32X4);
            b.ins().iadd(sums, addend)
        });
    }
}
