//! Rules for arithmetic: identities, regrouping of constants, cheaper operations.

use super::ints::{IntOp, all_ones, bits, log2};
use super::{Fold, Simplified};
use cupola_ir::{Inst, Op, Reg, Type};

impl Fold<'_> {
    pub(super) fn int_binary(
        &mut self,
        inst: Inst,
        kind: IntOp,
        ty: Type,
        a: Reg,
        b: Reg,
    ) -> Simplified {
        let op = kind.of(ty);
        if a == b
            && let Some(simplified) = self.same_operands(inst, kind, a)
        {
            return simplified;
        }
        if self.constant_of(a).is_some() {
            if let Some(mirrored) = kind.mirrored() {
                return self.rewrite(inst, mirrored.of(ty), &[b, a]);
            }
            if op.is_commutative() {
                return self.rewrite(inst, op, &[b, a]);
            }
            return Simplified::Keep;
        }
        let Some(c) = self.constant_of(b) else { return Simplified::Keep };
        if op.is_compare() {
            return self.compare_constant(inst, kind, ty, a, c);
        }
        self.with_constant(inst, kind, ty, a, c)
    }

    /// `op x, x`
    fn same_operands(&mut self, inst: Inst, kind: IntOp, x: Reg) -> Option<Simplified> {
        use IntOp::*;
        Some(match kind {
            And | Or => Simplified::Value(x),
            Sub | Xor | Ne | LtS | LtU | GtS | GtU => self.become_constant(inst, 0),
            Eq | LeS | LeU | GeS | GeU => self.become_constant(inst, 1),
            _ => return None,
        })
    }

    /// `op x, c` with a constant `c`
    fn with_constant(&mut self, inst: Inst, kind: IntOp, ty: Type, x: Reg, c: u64) -> Simplified {
        use IntOp::*;
        let ones = all_ones(ty);
        let count = c & (bits(ty) - 1);
        match (kind, c) {
            (Add | Sub | Or | Xor, 0) | (Mul | DivS | DivU, 1) => Simplified::Value(x),
            (And, c) if c == ones => Simplified::Value(x),
            (And | Mul, 0) | (RemU | RemS, 1) => self.become_constant(inst, 0),
            (RemS, c) if c == ones => self.become_constant(inst, 0),
            (Or, c) if c == ones => self.become_constant(inst, c.into()),
            (Shl | ShrS | ShrU | Rotl | Rotr, _) if count == 0 => Simplified::Value(x),
            (And, 1) if self.is_truth_value(x) => Simplified::Value(x),
            (Sub, c) => self.rewrite_constant(inst, Add, ty, x, c.wrapping_neg() & ones),
            (Mul, c) if c == ones => {
                let zero = self.emit_constant(ty, 0);
                self.rewrite(inst, Sub.of(ty), &[zero, x])
            }
            (Mul | DivU | RemU | DivS | RemS, c) => match log2(c) {
                Some(k) => self.power_of_two(inst, kind, ty, x, k),
                None => self.regroup(inst, kind, ty, x, c),
            },
            _ => self.regroup(inst, kind, ty, x, c),
        }
    }

    /// `op x, 2^k` for an operation that shifts and masks do cheaper; `k` is not 0
    fn power_of_two(&mut self, inst: Inst, kind: IntOp, ty: Type, x: Reg, k: u64) -> Simplified {
        use IntOp::*;
        let mask = (1u64 << k) - 1;
        match kind {
            Mul => self.rewrite_constant(inst, Shl, ty, x, k),
            DivU => self.rewrite_constant(inst, ShrU, ty, x, k),
            RemU => self.rewrite_constant(inst, And, ty, x, mask),
            // As a signed number, this power of two is the smallest integer.
            _ if k == bits(ty) - 1 => Simplified::Keep,
            _ => {
                // Rounding towards zero: 2^k - 1 is added to negative dividends first.
                let sign_count = self.emit_constant(ty, bits(ty) - 1);
                let sign = self.emit_like(inst, ty, ShrS.of(ty), &[x, sign_count]);
                let bias_count = self.emit_constant(ty, bits(ty) - k);
                let bias = self.emit_like(inst, ty, ShrU.of(ty), &[sign, bias_count]);
                let sum = self.emit_like(inst, ty, Add.of(ty), &[x, bias]);
                if kind == DivS {
                    return self.rewrite_constant(inst, ShrS, ty, sum, k);
                }
                let high = self.emit_constant(ty, !mask & all_ones(ty));
                let whole = self.emit_like(inst, ty, And.of(ty), &[sum, high]);
                self.rewrite(inst, Sub.of(ty), &[x, whole])
            }
        }
    }

    /// `op (op y, d), c` as one operation
    fn regroup(&mut self, inst: Inst, kind: IntOp, ty: Type, x: Reg, c: u64) -> Simplified {
        use IntOp::*;
        let Some(args) = self.operands_if(x, kind.of(ty)) else { return Simplified::Keep };
        let (y, Some(d)) = (args[0], self.constant_of(args[1])) else { return Simplified::Keep };
        let merged = match kind {
            Add => d.wrapping_add(c),
            Mul => d.wrapping_mul(c),
            And => d & c,
            Or => d | c,
            Xor => d ^ c,
            Shl | ShrS | ShrU => {
                let (d, c) = (d & (bits(ty) - 1), c & (bits(ty) - 1));
                if d + c >= bits(ty) {
                    return Simplified::Keep;
                }
                d + c
            }
            _ => return Simplified::Keep,
        };
        self.rewrite_constant(inst, kind, ty, y, merged & all_ones(ty))
    }

    /// Rewrites an instruction to `op x, c`.
    pub(super) fn rewrite_constant(
        &mut self,
        inst: Inst,
        kind: IntOp,
        ty: Type,
        x: Reg,
        c: u64,
    ) -> Simplified {
        let c = self.emit_constant(ty, c);
        self.rewrite(inst, kind.of(ty), &[x, c])
    }

    /// Operations with one operand
    pub(super) fn unary(&mut self, inst: Inst, op: Op, x: Reg) -> Simplified {
        match op {
            Op::I32Eqz | Op::I64Eqz => self.eqz(inst, op, x),
            Op::I32WrapI64 => {
                let inner = self
                    .operands_if(x, Op::I64ExtendI32U)
                    .or_else(|| self.operands_if(x, Op::I64ExtendI32S));
                inner.map_or(Simplified::Keep, |args| Simplified::Value(args[0]))
            }
            Op::F32Neg | Op::F64Neg => {
                self.operands_if(x, op).map_or(Simplified::Keep, |args| Simplified::Value(args[0]))
            }
            Op::I32ReinterpretF32 => self.undo(x, Op::F32ReinterpretI32),
            Op::F32ReinterpretI32 => self.undo(x, Op::I32ReinterpretF32),
            Op::I64ReinterpretF64 => self.undo(x, Op::F64ReinterpretI64),
            Op::F64ReinterpretI64 => self.undo(x, Op::I64ReinterpretF64),
            _ => Simplified::Keep,
        }
    }

    /// The operand of `x` if it is the inverse operation.
    fn undo(&mut self, x: Reg, inverse: Op) -> Simplified {
        let args = self.operands_if(x, inverse);
        args.map_or(Simplified::Keep, |args| Simplified::Value(args[0]))
    }

    /// Floating-point operations with two operands: only what is exact
    pub(super) fn float_binary(&mut self, inst: Inst, op: Op, x: Reg, y: Reg) -> Simplified {
        let Some(divisor) = self.constant_of(y) else { return Simplified::Keep };
        match op {
            Op::F64Div => match exact_reciprocal(divisor, 52, 0x7ff) {
                Some(bits) => {
                    let factor = self.emit_constant(Type::F64, bits);
                    self.rewrite(inst, Op::F64Mul, &[x, factor])
                }
                None => Simplified::Keep,
            },
            Op::F32Div => match exact_reciprocal(divisor, 23, 0xff) {
                Some(bits) => {
                    let factor = self.emit_constant(Type::F32, bits);
                    self.rewrite(inst, Op::F32Mul, &[x, factor])
                }
                None => Simplified::Keep,
            },
            _ => Simplified::Keep,
        }
    }
}

/// The reciprocal of a float that is a power of two, if it is a normal number as well.
fn exact_reciprocal(value: u64, mantissa_bits: u32, exponent_mask: u64) -> Option<u64> {
    let mantissa = value & ((1 << mantissa_bits) - 1);
    let exponent = value >> mantissa_bits & exponent_mask;
    let sign = value >> mantissa_bits & !exponent_mask;
    // Twice the bias, which the exponents of a number and its reciprocal add up to.
    let sum = exponent_mask - 1;
    if mantissa != 0 || exponent == 0 || exponent >= sum {
        return None;
    }
    Some((sign | (sum - exponent)) << mantissa_bits)
}

#[cfg(test)]
mod tests {
    use super::super::ints;
    use super::*;

    #[test]
    fn reciprocals() {
        let of = |x: f64| exact_reciprocal(x.to_bits(), 52, 0x7ff).map(f64::from_bits);
        assert_eq!(of(4.0), Some(0.25));
        assert_eq!(of(-0.5), Some(-2.0));
        assert_eq!(of(1.0), Some(1.0));
        assert_eq!(of(f64::MIN_POSITIVE), Some(1.0 / f64::MIN_POSITIVE));
        for none in [3.0, 0.0, f64::INFINITY, f64::MIN_POSITIVE / 2.0, f64::MAX] {
            assert_eq!(of(none), None);
        }
        let narrow = |x: f32| exact_reciprocal(u64::from(x.to_bits()), 23, 0xff);
        assert_eq!(narrow(-8.0), Some(u64::from((-0.125f32).to_bits())));
    }

    #[test]
    fn every_inverse_is_one() {
        for &op in Op::ALL.iter().filter(|op| op.is_compare()) {
            if let Some(inverse) = ints::inverted(op) {
                assert_eq!(ints::inverted(inverse), Some(op));
                assert_eq!(op.pure_signature(), inverse.pure_signature());
            }
        }
    }
}
