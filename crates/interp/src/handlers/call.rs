//! Calls and returns within T0.
//!
//! Words behind the handler of everything that calls: where the results' slots stand (counted from
//! the instruction's start), the signature's index in [`Code::sigs`](crate::Code), the distance in
//! bytes to the callee's registers, what is called, the operands, the results' slots. A return
//! goes on at the first result's slot: it stores the results there and skips them.

use super::services::{call_elsewhere, call_native, enter_hot, unprepared};
use crate::code::Code;
use crate::dispatch::{Flow, Fp, HANDLER_WORDS, Ip, Mem, State, next, raise};
use cupola_ir::TrapCode;
use cupola_runtime::{SiteFeedback, VmFuncRef, VmTable};
use std::sync::atomic::{AtomicI32, Ordering};

/// Where the place of the results' slots stands.
pub(crate) const RESULTS: usize = HANDLER_WORDS;
/// Where the signature's index stands.
pub(crate) const SIG: usize = RESULTS + 1;
/// Where the distance to the callee's registers stands.
pub(crate) const ADVANCE: usize = SIG + 1;
/// Where what is called stands.
pub(crate) const CALLEE: usize = ADVANCE + 1;
/// Where the arguments of a direct call stand.
pub(crate) const ARGS: usize = CALLEE + 1;

// An indirect call's words behind the table's place: the signature's number, the index's slot,
// the address of the site's feedback, the arguments.
const SIG_ID: usize = CALLEE + 1;
const INDEX: usize = SIG_ID + 1;
const SITE: usize = INDEX + 1;
/// Where the arguments of an indirect call stand.
pub(crate) const INDIRECT_ARGS: usize = SITE + 2;

// Behind the number of its signature, a call of a reference has the slot of the reference.
const REFERENCE: usize = CALLEE + 1;
/// Where the arguments of a call of a reference stand.
pub(crate) const REF_ARGS: usize = REFERENCE + 1;

/// Begins an activation of `code`; `args` is where `count` arguments stand.
#[inline(always)]
fn enter(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    mem: Mem,
    code: &Code,
    (args, count): (usize, usize),
) -> Flow {
    let callee = fp.above(ip.word(ADVANCE) as usize);
    // An address beyond the end is less than 2^47, and so is what a function can need.
    if callee.0 as usize + code.need > st.stack_end as usize {
        return raise(ip, fp, st, TrapCode::StackOverflow);
    }
    for i in 0..count {
        callee.set((i * 8) as u32, fp.get(ip.word(args + i)));
    }
    callee.link(ip.skip(ip.word(RESULTS) as usize), fp, code);
    // SAFETY: the feedback outlives the code.
    let budget: &AtomicI32 = unsafe { &(*code.feedback).call_budget };
    let left = budget.load(Ordering::Relaxed).wrapping_sub(1);
    budget.store(left, Ordering::Relaxed);
    if left < 0 {
        return enter_hot(code.entry, callee, st, mem);
    }
    next(code.entry, callee, st, mem)
}

#[inline(always)]
fn direct(ip: Ip, fp: Fp, st: &mut State, mem: Mem, count: usize) -> Flow {
    let cell = st.cell(ip.word(CALLEE));
    if !cell.native.load(Ordering::Acquire).is_null() {
        return call_native(ip, fp, st, mem);
    }
    let code = cell.t0.load(Ordering::Acquire).cast::<Code>();
    if code.is_null() {
        return unprepared(ip, fp, st, mem);
    }
    // SAFETY: what is in the cell is the function's code, which the engine keeps.
    enter(ip, fp, st, mem, unsafe { &*code }, (ARGS, count))
}

/// A direct call with `N` arguments.
pub(crate) extern "C-unwind" fn call<const N: usize>(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    mem: Mem,
) -> Flow {
    direct(ip, fp, st, mem, N)
}

/// A direct call with any number of arguments: as many as there are words up to the results.
pub(crate) extern "C-unwind" fn call_any(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    direct(ip, fp, st, mem, ip.word(RESULTS) as usize - ARGS)
}

/// `call_indirect`.
pub(crate) extern "C-unwind" fn call_indirect(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the place is that of a table of the instance.
    let table = unsafe { &*st.place::<VmTable>(ip.word(CALLEE)) };
    // One of 32 bits stands in its slot extended with zeros.
    let index = fp.get(ip.word(INDEX));
    if index >= table.len {
        return raise(ip, fp, st, TrapCode::TableOutOfBounds);
    }
    // SAFETY: the index is within the table; its slots hold null or the address of a reference
    // that lives as long as the table.
    let slot = unsafe { *table.slots.add(index as usize) } as *const VmFuncRef;
    // SAFETY: as above.
    let Some(target) = (unsafe { slot.as_ref() }) else {
        return raise(ip, fp, st, TrapCode::NullFunction);
    };
    if target.sig != ip.word(SIG_ID) {
        return raise(ip, fp, st, TrapCode::SignatureMismatch);
    }
    // SAFETY: the encoder writes the address of the site of the function's feedback.
    let site = unsafe { &*(ip.double(SITE) as *const SiteFeedback) };
    if target.context == st.ctx {
        site.record_target(target.func);
    } else {
        site.record_other();
    }
    through(ip, fp, st, mem, target, INDIRECT_ARGS)
}

/// `call_ref`.
pub(crate) extern "C-unwind" fn call_ref(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let reference = fp.get(ip.word(REFERENCE)) as *const VmFuncRef;
    // SAFETY: a register of this type holds null or the address of a reference that lives as long
    // as the store.
    let Some(target) = (unsafe { reference.as_ref() }) else {
        return raise(ip, fp, st, TrapCode::NullFunction);
    };
    if target.sig != ip.word(CALLEE) {
        return raise(ip, fp, st, TrapCode::SignatureMismatch);
    }
    through(ip, fp, st, mem, target, REF_ARGS)
}

/// A call through a reference, with arguments from the word `args` up to the results.
#[inline(always)]
fn through(ip: Ip, fp: Fp, st: &mut State, mem: Mem, target: &VmFuncRef, args: usize) -> Flow {
    if target.context != st.ctx {
        return call_elsewhere(ip, fp, st, target, args);
    }
    // SAFETY: a reference's cell lives as long as its instance.
    let cell = unsafe { &*target.cell };
    let code = cell.t0.load(Ordering::Acquire).cast::<Code>();
    if !cell.native.load(Ordering::Acquire).is_null() || code.is_null() {
        return call_elsewhere(ip, fp, st, target, args);
    }
    let count = ip.word(RESULTS) as usize - args;
    // SAFETY: what is in the cell is the function's code, which the engine keeps.
    enter(ip, fp, st, mem, unsafe { &*code }, (args, count))
}

/// `return` without a result.
pub(crate) extern "C-unwind" fn return_none(_ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    next(fp.return_to(), fp.caller(), st, mem)
}

/// `return` of one result.
pub(crate) extern "C-unwind" fn return_one(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let (to, caller) = (fp.return_to(), fp.caller());
    caller.set(to.word(0), fp.get(ip.word(HANDLER_WORDS)));
    next(to.skip(1), caller, st, mem)
}

/// `return` of more results: their number, their slots.
pub(crate) extern "C-unwind" fn return_many(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let (to, caller) = (fp.return_to(), fp.caller());
    let count = ip.word(HANDLER_WORDS) as usize;
    for i in 0..count {
        caller.set(to.word(i), fp.get(ip.word(HANDLER_WORDS + 1 + i)));
    }
    next(to.skip(count), caller, st, mem)
}

/// What the outermost activation returns to.
pub(crate) extern "C-unwind" fn exit(ip: Ip, fp: Fp, st: &mut State, _mem: Mem) -> Flow {
    (st.ip, st.fp) = (ip, fp);
    Flow::Done
}
