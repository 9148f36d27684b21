//! Rules for comparisons and conditions.

use super::ints::{self, IntOp, all_ones};
use super::{Fold, Simplified};
use cupola_ir::{Inst, Op, Reg, Type};

impl Fold<'_> {
    /// Comparisons of floating-point numbers: constants to the right where the order does not
    /// matter
    pub(super) fn compare(&mut self, inst: Inst, op: Op, a: Reg, b: Reg) -> Simplified {
        if op.is_commutative() && self.constant_of(a).is_some() {
            return self.rewrite(inst, op, &[b, a]);
        }
        Simplified::Keep
    }

    /// `cmp x, c` with a constant `c` on integers
    pub(super) fn compare_constant(
        &mut self,
        inst: Inst,
        kind: IntOp,
        ty: Type,
        x: Reg,
        c: u64,
    ) -> Simplified {
        use IntOp::*;
        match (kind, c) {
            (LtU, 0) => self.become_constant(inst, 0),
            (GeU, 0) => self.become_constant(inst, 1),
            (Eq | LeU, 0) | (LtU, 1) => self.rewrite(inst, eqz_of(ty), &[x]),
            (GtU, 0) | (GeU, 1) => self.rewrite_constant(inst, Ne, ty, x, 0),
            (Ne, 0) | (Eq, 1) if self.is_truth_value(x) => Simplified::Value(x),
            (Ne, 1) if self.is_truth_value(x) => self.rewrite(inst, Op::I32Eqz, &[x]),
            (Eq | Ne, c) => {
                let Some(args) = self.operands_if(x, Add.of(ty)) else { return Simplified::Keep };
                let Some(d) = self.constant_of(args[1]) else { return Simplified::Keep };
                self.rewrite_constant(inst, kind, ty, args[0], c.wrapping_sub(d) & all_ones(ty))
            }
            _ => Simplified::Keep,
        }
    }

    /// `eqz x`
    pub(super) fn eqz(&mut self, inst: Inst, op: Op, x: Reg) -> Simplified {
        if op == Op::I64Eqz {
            let inner = self
                .operands_if(x, Op::I64ExtendI32U)
                .or_else(|| self.operands_if(x, Op::I64ExtendI32S));
            return match inner {
                Some(args) => self.rewrite(inst, Op::I32Eqz, &[args[0]]),
                None => Simplified::Keep,
            };
        }
        let Some(def) = self.def(x) else { return Simplified::Keep };
        match (def.op, ints::inverted(def.op)) {
            (inner @ (Op::I32Eqz | Op::I64Eqz), _) => {
                let ty = if inner == Op::I32Eqz { Type::I32 } else { Type::I64 };
                let Some(args) = self.operands_if(x, inner) else { return Simplified::Keep };
                self.rewrite_constant(inst, IntOp::Ne, ty, args[0], 0)
            }
            (inner, Some(inverse)) => {
                let Some(args) = self.operands_if(x, inner) else { return Simplified::Keep };
                self.rewrite(inst, inverse, &args)
            }
            _ => Simplified::Keep,
        }
    }

    /// A condition without comparison with zero: another register that is zero in the same cases,
    /// or (`true`) in the opposite cases.
    pub(super) fn strip_condition(&mut self, cond: Reg) -> Option<(Reg, bool)> {
        if let Some(args) = self.operands_if(cond, Op::I32Ne)
            && self.constant_of(args[1]) == Some(0)
        {
            return Some((args[0], false));
        }
        self.operands_if(cond, Op::I32Eqz).map(|args| (args[0], true))
    }
}

fn eqz_of(ty: Type) -> Op {
    if ty == Type::I32 { Op::I32Eqz } else { Op::I64Eqz }
}
