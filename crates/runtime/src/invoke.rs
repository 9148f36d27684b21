//! Entering generated code from Rust, and what a trap in it becomes.

use crate::abi::{ArgLoc, FLOAT_ARGS, INT_ARGS, NativeFrame, NativeSig, ResultLoc};
use crate::arch;
use crate::context::{EntryRecord, VmContext, VmLimits};
use crate::services::Services;
use crate::signals;
use crate::trap::{MAX_FRAMES, Trap};
use crate::walk;
use cupola_ir::TrapCode;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::sync::atomic::Ordering::Relaxed;

/// Calls generated code with the arguments of `frame` (the context is filled in here), which
/// takes the result registers.
///
/// # Errors
/// If the code traps, with a backtrace of the generated frames from the fault, or from the failed
/// helper's call, to this entry. What another instance's code that was called within traps with is
/// looked up through the services of `ctx`.
///
/// # Safety
/// `ctx` must be a context with its services set, used by this thread alone; `code` must be live
/// generated code of that instance, entered with the arguments that it expects, and stay live;
/// `frame.stack` must point to `frame.stack_words` words.
#[inline]
pub unsafe fn invoke(
    ctx: *mut VmContext,
    code: *const u8,
    frame: &mut NativeFrame,
) -> Result<(), Box<Trap>> {
    // SAFETY: the caller vouches for `ctx`, `code` and `frame`. The record is on the list of
    // entries exactly while the call runs.
    unsafe {
        let limits = (*ctx).limits;
        let mut record = EntryRecord {
            previous: (*limits).entry,
            sp: 0,
            fp: 0,
            outer_exit_fp: (*limits).exit_fp,
            outer_exit_pc: (*limits).exit_pc,
            context: ctx,
        };
        let record = &raw mut record;
        frame.ints[0] = ctx as u64;
        (*limits).entry = record;
        let outer_limits = signals::enter(limits);
        let trapped = arch::call_native(frame, code, record);
        signals::leave(outer_limits);
        (*limits).entry = (*record).previous;
        let result = if trapped == 0 { Ok(()) } else { Err(landed(&mut *limits)) };
        (*limits).exit_fp = (*record).outer_exit_fp;
        (*limits).exit_pc = (*record).outer_exit_pc;
        result
    }
}

/// Calls a function's generated code with arguments from T0 slots; `slots` takes the results, from
/// the first slot on. Slots hold 32-bit values zero-extended.
///
/// # Errors
/// As [`invoke`].
///
/// # Safety
/// As [`invoke`], for a function with the signature `sig`; `slots` must be long enough for
/// arguments and results.
pub unsafe fn invoke_slots(
    ctx: *mut VmContext,
    code: *const u8,
    sig: &NativeSig,
    slots: &mut [u64],
) -> Result<(), Box<Trap>> {
    debug_assert!(slots.len() >= sig.param_slots().max(sig.result_slots()));
    let mut stack: SmallVec<[u64; 8]> = SmallVec::from_elem(0, usize::from(sig.stack_words));
    let mut frame = NativeFrame {
        ints: [0; INT_ARGS],
        floats: [[0; 2]; FLOAT_ARGS],
        stack: std::ptr::null(),
        stack_words: stack.len(),
        result_ints: [0; 2],
        result_floats: [[0; 2]; 2],
    };
    let mut rest = &*slots;
    for (loc, ty) in sig.params.iter().zip(&sig.types.params) {
        let (own, after) = rest.split_at(ty.slots() as usize);
        rest = after;
        match *loc {
            ArgLoc::Int(index) => frame.ints[usize::from(index)] = own[0],
            ArgLoc::Float(index) => {
                frame.floats[usize::from(index)][..own.len()].copy_from_slice(own);
            }
            ArgLoc::Stack(index) => stack[usize::from(index)..][..own.len()].copy_from_slice(own),
        }
    }
    frame.stack = stack.as_ptr();
    // The arguments have been copied, so the slots themselves can be the result area.
    let area = slots.as_mut_ptr();
    if sig.result_area {
        frame.ints[1] = area as u64;
    }
    // SAFETY: the caller's duty is that of `invoke`; the frame is laid out by the signature.
    unsafe { invoke(ctx, code, &mut frame)? };
    let mut first = 0;
    for (loc, ty) in sig.results.iter().zip(&sig.types.results) {
        let count = ty.slots() as usize;
        // SAFETY: the caller vouches for the length of `slots`.
        let own = unsafe { std::slice::from_raw_parts_mut(area.add(first), count) };
        first += count;
        match *loc {
            ResultLoc::Int(index) => own[0] = frame.result_ints[usize::from(index)],
            ResultLoc::Float(index) => {
                own.copy_from_slice(&frame.result_floats[usize::from(index)][..count]);
            }
            ResultLoc::Area(_) => {}
        }
        own[0] = NativeSig::zero_extend(own[0], *ty);
    }
    Ok(())
}

/// The trap that generated code was unwound with.
#[cold]
fn landed(limits: &mut VmLimits) -> Box<Trap> {
    limits.pending.take().unwrap_or_else(|| {
        eprintln!("cupola: internal error: generated code was unwound without a trap");
        std::process::abort()
    })
}

/// Leaves a helper with `trap`: adds the generated frames from the helper's call to the innermost
/// entry to its backtrace, and unwinds to that entry.
///
/// # Safety
/// To be called as the last act of a helper's body, on the thread that runs `ctx`, within an
/// [`invoke`]: the frames of the body and its callers up to generated code are dropped without
/// running anything, so that nothing that needs dropping may be left in them.
#[cold]
pub unsafe fn raise(ctx: *mut VmContext, mut trap: Box<Trap>) -> ! {
    // SAFETY: in a helper, `exit_fp` and `exit_pc` describe the generated frame that called it,
    // and the services are alive. Everything but `limits` has been moved or dropped before the
    // jump.
    unsafe {
        let limits = (*ctx).limits;
        let (pc, fp) = ((*limits).exit_pc, (*limits).exit_fp);
        add_frames(&mut trap, &*(*ctx).services, pc, fp, false, (*(*limits).entry).fp);
        (*limits).pending = Some(trap);
        arch::unwind(limits)
    }
}

/// Goes on after a fault of generated code, on the stack of the faulting frame and outside of the
/// signal handler: makes the trap. The caller unwinds then.
///
/// # Safety
/// `limits.fault` must describe a fault within the innermost entry.
pub(crate) unsafe extern "C" fn faulted(limits: *mut VmLimits) {
    // SAFETY: the signal handler sent the thread here because generated code faulted within the
    // entry, whose context is alive.
    unsafe {
        let fault = std::mem::take(&mut (*limits).fault);
        let record = (*limits).entry;
        let services = &*(*(*record).context).services;
        let code = match fault.signal {
            signals::NUDGE => TrapCode::Interrupted,
            _ => services.trap_at(fault.pc).expect("the signal handler has found the trap"),
        };
        let mut trap = Trap::code(explain(code, &*limits));
        add_frames(&mut trap, services, fault.pc, fault.fp, true, (*record).fp);
        (*limits).pending = Some(trap);
    }
}

/// Tells an interruption from a stack overflow: both fail the same check.
fn explain(code: TrapCode, limits: &VmLimits) -> TrapCode {
    let interrupted = limits.interrupt.load(Relaxed) != 0
        || limits.stack_limit.load(Relaxed) >= VmLimits::STACK_LIMIT_INTERRUPT;
    match code {
        TrapCode::StackOverflow if interrupted => TrapCode::Interrupted,
        code => code,
    }
}

/// Adds the generated frames from `(pc, fp)` to the entry whose frame pointer is `end_fp`.
///
/// # Safety
/// As [`walk::walk_frames`].
unsafe fn add_frames(
    trap: &mut Trap,
    services: &dyn Services,
    pc: usize,
    fp: usize,
    exact: bool,
    end_fp: usize,
) {
    let mut frames = Vec::new();
    // Beyond what a backtrace keeps, frames are only counted, and deep recursion comes by the
    // same few places again and again.
    let mut counts: FxHashMap<usize, usize> = FxHashMap::default();
    let mut exact = exact;
    // SAFETY: the caller's duty.
    unsafe {
        walk::walk_frames(pc, fp, end_fp, &mut |pc| {
            let exact = std::mem::take(&mut exact);
            if trap.frames.len() == MAX_FRAMES
                && !exact
                && let Some(count) = counts.get(&pc)
            {
                trap.omitted += count;
                return;
            }
            services.frames_at(pc, exact, &mut frames);
            if !exact {
                counts.insert(pc, frames.len());
            }
            for frame in frames.drain(..) {
                trap.push_frame(frame);
            }
        });
    }
}
