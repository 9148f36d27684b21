//! Whatever leaves T0: calls of compiled code, of the host and of other instances, dialect
//! operations, growing memories, counters that ran out.
//!
//! A handler here consists of a function of its own that does the work and may keep things on the
//! native stack, and the step to the next instruction: a handler that had something on the native
//! stack itself could not go on by a tail call.

use super::call::{ARGS, CALLEE, RESULTS, SIG};
use super::plain::DEST;
use crate::dispatch::{Flow, Fp, Ip, Mem, State, fail, next};
use cupola_ir::{DialectOpId, FuncId, LoopId, MemId, SiteId};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::arch::invoke_slots;
use cupola_runtime::{FuncCell, Services, Tier, Trap, VmFuncRef};
use std::sync::atomic::Ordering;

/// The services of the instance.
fn services<'a>(st: &State) -> &'a dyn Services {
    // SAFETY: a context that T0 is entered with has its services set, and they outlive the entry.
    unsafe { &*(*st.ctx).services }
}

/// Prepares for leaving T0 from the activation at `fp`: all of it stays allocated.
fn leave(st: &State, fp: Fp) {
    // SAFETY: the limits live as long as the context; this thread is the one that uses them.
    unsafe { (*st.limits).t0_top = fp.above(fp.code().need).0 }
}

/// Room for `count` slots above the registers of the activation at `fp`. The encoder sees to it
/// that all that an activation asks for is part of what it needs.
fn scratch<'a>(fp: Fp, count: usize) -> &'a mut [u64] {
    let code = fp.code();
    debug_assert!(code.advance as usize + count * 8 <= code.need);
    // SAFETY: the slots are initialized, within the activation, above its registers, and used by
    // one instruction at a time.
    unsafe { std::slice::from_raw_parts_mut(fp.above(code.advance as usize).0, count) }
}

fn function_at(offset: u32) -> FuncId {
    FuncId::from_u32(offset / FuncCell::SIZE)
}

/// Hands the operands from word `args` up to word `results` to `f` in the first of `slots`
/// slots, and stores what it leaves there to the `count` registers named from word `results` on.
#[inline(always)]
fn through_slots(
    (ip, fp, st): (Ip, Fp, &mut State),
    slots: usize,
    args: usize,
    (results, count): (usize, usize),
    f: impl FnOnce(&mut State, &mut [u64]) -> Result<(), Box<Trap>>,
) -> bool {
    let slots = scratch(fp, slots);
    for (slot, word) in slots.iter_mut().zip(args..results) {
        *slot = fp.get(ip.word(word));
    }
    leave(st, fp);
    if let Err(trap) = f(st, slots) {
        fail(ip, fp, st, trap);
        return false;
    }
    for (slot, word) in slots.iter().zip(results..results + count) {
        fp.set(ip.word(word), *slot);
    }
    true
}

/// Goes on behind the call at `ip`, the results of which are stored.
#[inline(always)]
fn behind_call(ip: Ip, fp: Fp, st: &mut State, done: bool) -> Flow {
    if !done {
        return Flow::Trap;
    }
    let results = fp.code().sigs[ip.word(SIG) as usize].result_slots();
    let mem = st.mem();
    next(ip.skip(ip.word(RESULTS) as usize + results), fp, st, mem)
}

/// A call with compiled code to call, or else through the services of the callee's instance.
#[inline(never)]
fn call_out(ip: Ip, fp: Fp, st: &mut State, args: usize, target: &VmFuncRef) -> bool {
    let sig = &fp.code().sigs[ip.word(SIG) as usize];
    let slots = sig.param_slots().max(sig.result_slots());
    let results = (ip.word(RESULTS) as usize, sig.result_slots());
    // SAFETY: the cell of a function lives as long as the context.
    let native = unsafe { (*target.cell).native.load(Ordering::Acquire) };
    let ctx = target.context;
    through_slots((ip, fp, st), slots, args, results, |_, slots| {
        // SAFETY: the slots are laid out by the signature, which is the callee's; this thread runs
        // the instance, and what is in the cell is live code of that function.
        unsafe {
            if native.is_null() {
                (*(*ctx).services).call(ctx, FuncId::from_u32(target.func), slots)
            } else {
                invoke_slots(ctx, native, sig, slots)
            }
        }
    })
}

/// A direct call of a function with compiled code.
#[inline(never)]
pub(crate) extern "C-unwind" fn call_native(ip: Ip, fp: Fp, st: &mut State, _mem: Mem) -> Flow {
    let done = direct_out(ip, fp, st);
    behind_call(ip, fp, st, done)
}

#[inline(never)]
fn direct_out(ip: Ip, fp: Fp, st: &mut State) -> bool {
    let func = function_at(ip.word(CALLEE)).as_u32();
    let target = VmFuncRef { cell: st.cell(ip.word(CALLEE)), context: st.ctx, sig: 0, func };
    call_out(ip, fp, st, ARGS, &target)
}

/// A call of an imported function. What is called is the offset of its reference in the context.
pub(crate) extern "C-unwind" fn call_import(ip: Ip, fp: Fp, st: &mut State, _mem: Mem) -> Flow {
    let done = import_out(ip, fp, st);
    behind_call(ip, fp, st, done)
}

#[inline(never)]
fn import_out(ip: Ip, fp: Fp, st: &mut State) -> bool {
    // SAFETY: the encoder writes the offset of a reference that is part of the context, where it
    // never changes.
    let target = unsafe { &*st.context::<VmFuncRef>(ip.word(CALLEE)) };
    call_out(ip, fp, st, ARGS, target)
}

/// An indirect call of another instance's function, or of one that does not run in T0.
#[inline(never)]
pub(crate) extern "C-unwind" fn call_elsewhere(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    target: &VmFuncRef,
    args: usize,
) -> Flow {
    let done = call_out(ip, fp, st, args, target);
    behind_call(ip, fp, st, done)
}

/// A direct call of a function that has not been called before.
#[cold]
#[inline(never)]
pub(crate) extern "C-unwind" fn unprepared(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    if !prepare(ip, fp, st) {
        return Flow::Trap;
    }
    let cell = st.cell(ip.word(CALLEE));
    if cell.t0.load(Ordering::Acquire).is_null() && cell.native.load(Ordering::Acquire).is_null() {
        return call_native(ip, fp, st, mem);
    }
    next(ip, fp, st, mem)
}

#[inline(never)]
fn prepare(ip: Ip, fp: Fp, st: &mut State) -> bool {
    leave(st, fp);
    // SAFETY: the context is the services' own and this is the thread that runs it.
    let prepared = unsafe { services(st).prepare_t0(st.ctx, function_at(ip.word(CALLEE))) };
    prepared.map_err(|trap| fail(ip, fp, st, trap)).is_ok()
}

/// The call counter of the function whose activation begins ran out.
#[cold]
#[inline(never)]
pub(crate) extern "C-unwind" fn enter_hot(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    if count_call(ip, fp, st) { next(ip, fp, st, mem) } else { Flow::Trap }
}

#[inline(never)]
fn count_call(ip: Ip, fp: Fp, st: &mut State) -> bool {
    leave(st, fp);
    // SAFETY: the context is the services' own and this is the thread that runs it.
    let counted = unsafe { services(st).call_hot(st.ctx, fp.code().func) };
    counted.map_err(|trap| fail(ip, fp, st, trap)).is_ok()
}

/// The counter of a loop ran out at the edge at `ip` to `header`.
#[cold]
#[inline(never)]
pub(crate) extern "C-unwind" fn loop_hot(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    header: Ip,
    loop_id: u32,
) -> Flow {
    match count_loop(ip, fp, st, loop_id) {
        LoopHot::Stay => {
            let mem = st.mem();
            next(header, fp, st, mem)
        }
        LoopHot::Returned => {
            let (to, caller) = (fp.return_to().skip(fp.code().sig.result_slots()), fp.caller());
            let mem = st.mem();
            next(to, caller, st, mem)
        }
        LoopHot::Trapped => Flow::Trap,
    }
}

enum LoopHot {
    Stay,
    Returned,
    Trapped,
}

/// Asks for compiled code to go on in, and if there is some, runs it to the function's end, with
/// the results stored where the caller wants them.
#[inline(never)]
fn count_loop(ip: Ip, fp: Fp, st: &mut State, loop_id: u32) -> LoopHot {
    let code = fp.code();
    leave(st, fp);
    // SAFETY: the context is the services' own and this is the thread that runs it.
    let entry =
        unsafe { services(st).loop_hot(st.ctx, code.func, LoopId::from_u32(loop_id), Tier::T0) };
    let outcome = entry.and_then(|entry| {
        if entry.is_null() {
            return Ok(LoopHot::Stay);
        }
        let slots = scratch(fp, code.sig.result_slots().max(NativeSig::OSR_PARAMS.len()));
        slots[..2].copy_from_slice(&[fp.0 as u64, loop_id.into()]);
        // SAFETY: the code is an entry at this loop's header, which takes the registers' slots.
        let ran = unsafe { invoke_slots(st.ctx, entry, &code.osr, slots) };
        st.moved_on = ran.is_err();
        ran?;
        for (i, &slot) in slots[..code.sig.result_slots()].iter().enumerate() {
            fp.caller().set(fp.return_to().word(i), slot);
        }
        Ok(LoopHot::Returned)
    });
    outcome.unwrap_or_else(|trap| {
        fail(ip, fp, st, trap);
        LoopHot::Trapped
    })
}

/// `memory.grow`: the result's slot, the number of pages, the memory, whether sizes are i64.
pub(crate) extern "C-unwind" fn memory_grow(ip: Ip, fp: Fp, st: &mut State, _mem: Mem) -> Flow {
    let pages = fp.get(ip.word(DEST + 1));
    leave(st, fp);
    // SAFETY: the context is the services' own and this is the thread that runs it.
    let old =
        unsafe { services(st).memory_grow(st.ctx, MemId::from_u32(ip.word(DEST + 2)), pages) };
    let old = if ip.word(DEST + 3) != 0 { old as u64 } else { u64::from(old as u32) };
    fp.set(ip.word(DEST), old);
    let mem = st.mem();
    next(ip.skip(DEST + 4), fp, st, mem)
}

/// Where a dialect instruction's operands stand: behind the place of the results' slots, their
/// number, the operation and the site.
pub(crate) const DIALECT_ARGS: usize = RESULTS + 4;

/// A dialect operation.
pub(crate) extern "C-unwind" fn dialect(ip: Ip, fp: Fp, st: &mut State, _mem: Mem) -> Flow {
    if !run_dialect(ip, fp, st) {
        return Flow::Trap;
    }
    let mem = st.mem();
    next(ip.skip((ip.word(RESULTS) + ip.word(RESULTS + 1)) as usize), fp, st, mem)
}

#[inline(never)]
fn run_dialect(ip: Ip, fp: Fp, st: &mut State) -> bool {
    let results = (ip.word(RESULTS) as usize, ip.word(RESULTS + 1) as usize);
    let (op, site) = (ip.word(RESULTS + 2), ip.word(RESULTS + 3));
    let slots = results.1.max(results.0 - DIALECT_ARGS);
    through_slots((ip, fp, st), slots, DIALECT_ARGS, results, |st, slots| {
        let (op, site) = (DialectOpId::from_u32(op), SiteId::from_u32(site));
        // SAFETY: the slots are enough for operands and results; the context is the services' own
        // and this is the thread that runs it.
        unsafe { services(st).dialect(st.ctx, fp.code().func, op, site, slots.as_mut_ptr()) }
    })
}
