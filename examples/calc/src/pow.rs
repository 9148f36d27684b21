//! The dialect operation `calc.pow`: what `x ^ y` means, what it notes, and what optimized code
//! may make of it.

use cupola::ir::{Effects, Op, Reg, Signature, Type};
use cupola::{DialectCall, DialectOp, HostError, SmallVec, SpecializeCx, Specializer, smallvec};
use std::sync::atomic::Ordering;

/// `base ^ exponent`. Specialized code has to give the same bits, so squares are defined as what
/// they are computed by there.
///
/// # Errors
/// If the result is no real number.
pub fn power(base: f64, exponent: f64) -> Result<f64, HostError> {
    if exponent == 2.0 {
        Ok(base * base)
    } else if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        Err(format!("{base} ^ {exponent} is not a real number").into())
    } else {
        Ok(base.powf(exponent))
    }
}

/// The operation. Each `^` in a program has a site of its own, where it counts executions with
/// exponent 2 in the first word, and those with any other in the second.
pub struct Pow;

impl DialectOp for Pow {
    fn signature(&self) -> Signature {
        Signature::new([Type::F64, Type::F64], [Type::F64])
    }

    fn effects(&self) -> Effects {
        Effects::TRAPS
    }

    fn call(&self, call: &mut DialectCall<'_>) -> Result<(), HostError> {
        let (base, exponent): (f64, f64) = call.operands();
        let count = if exponent == 2.0 { &call.site.word0 } else { &call.site.word1 };
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        call.set_results(power(base, exponent)?);
        Ok(())
    }

    fn specializer(&self) -> Option<&dyn Specializer> {
        Some(self)
    }
}

impl Specializer for Pow {
    fn specialize(&self, cx: &mut SpecializeCx<'_>) -> Option<SmallVec<[Reg; 2]>> {
        let [base, exponent] = cx.operands()[..] else { return None };
        if let Some(bits) = cx.constant_of(exponent) {
            if f64::from_bits(bits) != 2.0 {
                return None;
            }
        } else {
            let [squares, others, ..] = cx.words();
            if squares == 0 || others > 0 || !cx.may_guard() {
                return None;
            }
            let two = cx.constant(Type::F64, 2.0_f64.to_bits());
            let is_two = cx.ins(Op::F64Eq, &[exponent, two]);
            cx.guard(is_two);
        }
        Some(smallvec![cx.ins(Op::F64Mul, &[base, base])])
    }
}
