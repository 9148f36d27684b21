//! Branches. Words behind the handler: operands, the target's distance in words from the
//! instruction's start and, on an edge to a loop header, the address of the loop's counters and
//! its number. A branch that is not taken goes on with the instruction behind it.

use super::plain::{operand_words, operands};
use super::services::loop_hot;
use crate::dispatch::{Flow, Fp, HANDLER_WORDS, Ip, Mem, State, next, raise};
use cupola_ir::{PureOp, RegValue, SlotsMut, TrapCode, V128};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI32, Ordering};

const ARG: usize = HANDLER_WORDS;
/// Words of a target that is not a loop header.
pub(crate) const TARGET_WORDS: usize = 1;
/// Words of a target that is a loop header.
pub(crate) const BACK_WORDS: usize = 4;

/// A condition that a branch computes.
pub(crate) trait Branch {
    /// Words of its operands.
    const WORDS: usize;
    /// Whether it holds.
    fn holds(ip: Ip, fp: Fp) -> Result<bool, TrapCode>;
}

/// Whether a register is not zero.
pub(crate) struct NonZero;

impl Branch for NonZero {
    const WORDS: usize = 1;
    #[inline(always)]
    fn holds(ip: Ip, fp: Fp) -> Result<bool, TrapCode> {
        Ok(fp.get(ip.word(ARG)) as u32 != 0)
    }
}

/// What the comparison `P` gives, whose last operand is a constant if `IMM`.
pub(crate) struct Compare<P, const IMM: bool>(PhantomData<P>);

/// Takes the truth value that a comparison gives.
struct Truth<'a>(&'a mut u64);

impl SlotsMut for Truth<'_> {
    #[inline(always)]
    fn set_slot(self, bits: u64) {
        *self.0 = bits;
    }
    #[inline(always)]
    fn set_vector(self, _bytes: V128) {}
}

impl<P: PureOp, const IMM: bool> Branch for Compare<P, IMM> {
    const WORDS: usize = operand_words::<P, IMM>();
    #[inline(always)]
    fn holds(ip: Ip, fp: Fp) -> Result<bool, TrapCode> {
        P::eval(operands::<P, IMM>(ip, fp, ARG)).map(|truth| {
            let mut slot = 0;
            truth.write(Truth(&mut slot));
            slot != 0
        })
    }
}

/// Takes an edge to a loop header and counts it; the edge stands at word `at`.
#[inline(always)]
fn back(ip: Ip, fp: Fp, st: &mut State, mem: Mem, at: usize) -> Flow {
    // SAFETY: the encoder writes the address of the budget of a loop of the function's feedback.
    let budget = unsafe { &*(ip.double(at + 1) as *const AtomicI32) };
    let left = budget.load(Ordering::Relaxed).wrapping_sub(1);
    budget.store(left, Ordering::Relaxed);
    if left < 0 {
        return loop_hot(ip, fp, st, ip.target(at), ip.word(at + 3));
    }
    next(ip.target(at), fp, st, mem)
}

/// A conditional branch, taken if the condition is `TAKEN`, to a loop header if `BACK`.
pub(crate) extern "C-unwind" fn branch<B: Branch, const TAKEN: bool, const BACK: bool>(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    mem: Mem,
) -> Flow {
    let target = ARG + B::WORDS;
    match B::holds(ip, fp) {
        Ok(holds) if holds != TAKEN => {
            next(ip.skip(target + if BACK { BACK_WORDS } else { TARGET_WORDS }), fp, st, mem)
        }
        Ok(_) if BACK => back(ip, fp, st, mem, target),
        Ok(_) => next(ip.target(target), fp, st, mem),
        Err(code) => raise(ip, fp, st, code),
    }
}

/// `br`.
pub(crate) extern "C-unwind" fn br(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    next(ip.target(ARG), fp, st, mem)
}

/// `br` to a loop header.
pub(crate) extern "C-unwind" fn br_back(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    back(ip, fp, st, mem, ARG)
}

/// `br_table`: the index, how many targets there are but for the default, all targets.
pub(crate) extern "C-unwind" fn br_table(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let index = (fp.get(ip.word(ARG)) as u32).min(ip.word(ARG + 1));
    next(ip.target(ARG + 2 + index as usize), fp, st, mem)
}
