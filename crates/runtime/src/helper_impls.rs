//! The bodies of the helpers: they hand over to [`Services`], and turn an error or a panic into a
//! trap that unwinds generated code.

use crate::abi::{ArgLoc, NativeFrame, NativeSig, ResultLoc};
use crate::arch::raise;
use crate::context::VmContext;
use crate::services::Services;
use crate::tier::Tier;
use crate::trap::{Trap, TrapKind};
use cupola_ir::{DialectOpId, FuncId, LoopId, MemId, SiteId, TrapCode};
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

/// Runs `work` for a helper; does not return if it fails, or if an interruption is asked for then.
/// A loop that is in helpers most of the time is not found in generated code by a signal.
///
/// # Safety
/// To be called by helper bodies, as their last act, with the context they were given.
#[inline]
unsafe fn run<T: Copy>(
    ctx: *mut VmContext,
    work: impl FnOnce(&dyn Services) -> Result<T, Box<Trap>>,
) -> T {
    // What the panicking code left behind is the host's to judge: the panic goes on there.
    // SAFETY: generated code passes its instance's context, whose services outlive the call.
    let outcome = catch_unwind(AssertUnwindSafe(|| work(unsafe { &*(*ctx).services })));
    // SAFETY: the limits outlive all code that runs under them; the field is an atomic.
    let interrupted = unsafe { (*(*ctx).limits).interrupt.load(Relaxed) } != 0;
    let trap = match outcome {
        Ok(Ok(_)) if interrupted => Trap::code(TrapCode::Interrupted),
        Ok(Ok(value)) => return value,
        Ok(Err(trap)) => trap,
        Err(payload) => Trap::new(TrapKind::Panic(payload)),
    };
    // SAFETY: `work` has been consumed and the trap is handed over, so nothing is left to drop.
    unsafe { raise(ctx, trap) }
}

pub(crate) unsafe extern "C" fn call_hot(ctx: *mut VmContext, func: u32) {
    // SAFETY: this is a helper's body, on the thread that runs the instance.
    unsafe { run(ctx, |services| services.call_hot(ctx, FuncId::from_u32(func))) }
}

/// Only baseline code counts its loops.
pub(crate) unsafe extern "C" fn loop_hot(
    ctx: *mut VmContext,
    func: u32,
    loop_id: u32,
) -> *const u8 {
    // SAFETY: as in `call_hot`.
    unsafe {
        run(ctx, |services| {
            services.loop_hot(ctx, FuncId::from_u32(func), LoopId::from_u32(loop_id), Tier::T1)
        })
    }
}

pub(crate) unsafe extern "C" fn poll(ctx: *mut VmContext, code_id: u64, exit: u32) -> u32 {
    // SAFETY: as in `call_hot`.
    unsafe { run(ctx, |services| services.poll(ctx, code_id, exit).map(u32::from)) }
}

pub(crate) unsafe extern "C" fn deopt(
    ctx: *mut VmContext,
    code_id: u64,
    exit: u32,
    values: *mut u64,
) {
    // SAFETY: as in `call_hot`; the deoptimization exit made room for values and results.
    unsafe { run(ctx, |services| services.deopt(ctx, code_id, exit, values)) }
}

pub(crate) unsafe extern "C" fn memory_grow(ctx: *mut VmContext, memory: u32, pages: u64) -> i64 {
    // SAFETY: as in `call_hot`.
    unsafe { run(ctx, |services| Ok(services.memory_grow(ctx, MemId::from_u32(memory), pages))) }
}

pub(crate) unsafe extern "C" fn dialect(
    ctx: *mut VmContext,
    func: u32,
    op: u32,
    site: u32,
    slots: *mut u64,
) {
    let (func, op, site) =
        (FuncId::from_u32(func), DialectOpId::from_u32(op), SiteId::from_u32(site));
    // SAFETY: as in `call_hot`; the code generator made room for operands and results.
    unsafe { run(ctx, |services| services.dialect(ctx, func, op, site, slots)) }
}

/// What the entry adapter calls: calls `func` wherever it has to run, with the arguments in
/// `frame`, and puts the results there.
pub(crate) unsafe extern "C" fn enter(ctx: *mut VmContext, func: u32, frame: *mut NativeFrame) {
    let func = FuncId::from_u32(func);
    // SAFETY: as in `call_hot`; the adapter has saved all argument registers to the frame, and the
    // address of the stack words.
    unsafe {
        run(ctx, |services| {
            let sig = services.native_sig(func);
            let mut slots: SmallVec<[u64; 16]> =
                SmallVec::from_elem(0, sig.param_slots().max(sig.result_slots()));
            load_arguments(sig, &*frame, &mut slots);
            services.call(ctx, func, &mut slots)?;
            store_results(sig, &mut *frame, &slots);
            Ok(())
        })
    }
}

/// # Safety
/// `frame` must hold a call's arguments by `sig`.
unsafe fn load_arguments(sig: &NativeSig, frame: &NativeFrame, mut slots: &mut [u64]) {
    for (loc, ty) in sig.params.iter().zip(&sig.types.params) {
        let (own, rest) = slots.split_at_mut(ty.slots() as usize);
        slots = rest;
        match *loc {
            ArgLoc::Int(index) => own[0] = frame.ints[usize::from(index)],
            ArgLoc::Float(index) => {
                own.copy_from_slice(&frame.floats[usize::from(index)][..own.len()]);
            }
            // SAFETY: the caller passed as many stack words as the signature says.
            ArgLoc::Stack(index) => own.copy_from_slice(unsafe {
                std::slice::from_raw_parts(frame.stack.add(usize::from(index)), own.len())
            }),
        }
        own[0] = NativeSig::zero_extend(own[0], *ty);
    }
}

/// # Safety
/// `frame` must be that of a call by `sig`.
unsafe fn store_results(sig: &NativeSig, frame: &mut NativeFrame, mut slots: &[u64]) {
    let area = frame.ints[1] as *mut u64;
    for (loc, ty) in sig.results.iter().zip(&sig.types.results) {
        let (own, rest) = slots.split_at(ty.slots() as usize);
        slots = rest;
        match *loc {
            ResultLoc::Int(index) => frame.result_ints[usize::from(index)] = own[0],
            ResultLoc::Float(index) => {
                frame.result_floats[usize::from(index)][..own.len()].copy_from_slice(own);
            }
            // SAFETY: the caller passed the address of an area for all results.
            ResultLoc::Area(index) => unsafe {
                area.add(usize::from(index)).copy_from_nonoverlapping(own.as_ptr(), own.len());
            },
        }
    }
}
