//! Entering T0 from Rust: calls, and landings of deoptimizations.

use crate::code::Code;
use crate::dispatch::{self, Flow, Fp, Ip, State};
use crate::handlers::call;
use cupola_ir::{FrameState, FuncId, TrapCode};
use cupola_runtime::{Frame, Services, Tier, Trap, VmContext, VmLimits, VmMemory};
use std::sync::atomic::Ordering;

/// What modules without a memory have for one.
struct NoMemory(VmMemory);

// SAFETY: nothing is ever read or written through the pointer of a memory of length 0.
unsafe impl Sync for NoMemory {}

static NO_MEMORY: NoMemory = NoMemory(VmMemory { base: std::ptr::null_mut(), len: 0 });

/// Puts the top of T0's stack back when an entry into T0 ends, however it does.
struct TopGuard {
    limits: *mut VmLimits,
    top: *mut u64,
}

impl Drop for TopGuard {
    fn drop(&mut self) {
        // SAFETY: the limits outlive the entry.
        unsafe { (*self.limits).t0_top = self.top }
    }
}

/// One entry into T0.
struct Entry {
    ctx: *mut VmContext,
    limits: *mut VmLimits,
    /// The outermost activation's results.
    base: Fp,
    _top: TopGuard,
}

impl Entry {
    /// Begins an entry, if the native stack has room for it.
    ///
    /// # Safety
    /// As for [`call`].
    unsafe fn begin(ctx: *mut VmContext) -> Result<Entry, Box<Trap>> {
        // SAFETY: the caller vouches for the context and all that it points to.
        let (limits, stack_limit, interrupt, top) = unsafe {
            let limits = (*ctx).limits;
            let stack_limit = (*limits).stack_limit.load(Ordering::Relaxed);
            let interrupt = (*limits).interrupt.load(Ordering::Relaxed);
            (limits, stack_limit, interrupt, (*limits).t0_top)
        };
        let marker = 0u8;
        if (&raw const marker as usize) < stack_limit {
            let code = if interrupt != 0 { TrapCode::Interrupted } else { TrapCode::StackOverflow };
            return Err(Trap::code(code));
        }
        Ok(Entry { ctx, limits, base: Fp(top), _top: TopGuard { limits, top } })
    }

    fn services(&self) -> &dyn Services {
        // SAFETY: the context has its services set, and they outlive the entry.
        unsafe { &*(*self.ctx).services }
    }

    /// The code of a function, made if it is not there yet.
    fn code_of(&self, func: FuncId) -> Result<&'static Code, Box<Trap>> {
        // SAFETY: the function is one of the context's module; what is in the cell is its code,
        // which the engine keeps as long as anything may run it.
        unsafe {
            let cell = &*(*self.ctx).funcs.add(func.as_u32() as usize);
            if cell.t0.load(Ordering::Acquire).is_null() {
                self.services().prepare_t0(self.ctx, func)?;
            }
            let code = cell.t0.load(Ordering::Acquire).cast::<Code>();
            Ok(code.as_ref().expect("prepare_t0 sets the cell's code"))
        }
    }

    /// Makes an activation of `code` whose registers start at `fp`.
    fn activate(&self, code: &Code, fp: Fp, return_to: Ip, caller: Fp) -> Result<(), Box<Trap>> {
        let end = fp.0 as usize + code.need;
        // SAFETY: the limits outlive the entry, and this thread is the one that uses them.
        let limits = unsafe { &mut *self.limits };
        if end > limits.t0_end as usize {
            return Err(Trap::code(TrapCode::StackOverflow));
        }
        limits.t0_top = end as *mut u64;
        fp.link(return_to, caller, code);
        Ok(())
    }

    /// Makes the outermost activation.
    fn activate_base(&self, code: &Code) -> Result<Fp, Box<Trap>> {
        let fp = self.base.above(code.base_bytes());
        self.activate(code, fp, code.exit, self.base)?;
        Ok(fp)
    }

    /// Runs until the outermost activation returns; its results are at the base.
    fn run(self, code: &Code, ip: Ip, fp: Fp, results: &mut [u64]) -> Result<(), Box<Trap>> {
        // SAFETY: the caller of the entry vouches for the context.
        let mut st = unsafe { State::new(self.ctx, &raw const NO_MEMORY.0) };
        if code.memory != 0 {
            st.memory = st.place(code.memory);
        }
        match dispatch::run(ip, fp, &mut st) {
            Flow::Trap => Err(self.unwind(st)),
            _ => {
                for (i, slot) in results.iter_mut().enumerate() {
                    *slot = self.base.get((i * 8) as u32);
                }
                Ok(())
            }
        }
    }

    /// The trap that handlers ended with, with all activations of this entry in its backtrace.
    fn unwind(&self, st: State) -> Box<Trap> {
        let (mut ip, mut fp, mut waiting) = (st.ip, st.fp, false);
        let mut moved_on = st.moved_on;
        let module = self.services().module_number();
        let mut trap = st.trap.unwrap_or_else(|| Trap::code(TrapCode::Unreachable));
        loop {
            let code = fp.code();
            if !std::mem::take(&mut moved_on) {
                let loc = code.loc_of(ip, waiting);
                trap.push_frame(Frame { module, func: code.func, loc, tier: Tier::T0 });
            }
            (ip, fp, waiting) = (fp.return_to(), fp.caller(), true);
            if fp == self.base {
                return trap;
            }
        }
    }
}

/// Runs a function in T0 to its end. `slots` holds the arguments and takes the results, from the
/// first slot on. Functions that it calls run as compiled code where there is some.
///
/// # Errors
/// The trap, with all of T0's activations in its backtrace.
///
/// # Safety
/// `ctx` must be a context with its limits, cells and services set, used by this thread alone; its
/// limits' T0 stack must be installed ([`T0Stack::install`](crate::T0Stack::install)), `func` must
/// be a function of its module that is defined there, and `slots` be long enough for arguments and
/// results. The cells hold [`Code`] made for this module, with its feedback, that stays as long as
/// anything may run it.
pub unsafe fn call(ctx: *mut VmContext, func: FuncId, slots: &mut [u64]) -> Result<(), Box<Trap>> {
    // SAFETY: the caller's duty.
    let entry = unsafe { Entry::begin(ctx)? };
    let code = entry.code_of(func)?;
    let fp = entry.activate_base(code)?;
    for (i, &slot) in slots[..code.sig.param_slots()].iter().enumerate() {
        fp.set((i * 8) as u32, slot);
    }
    // SAFETY: the feedback outlives the code.
    let budget = unsafe { &(*code.feedback).call_budget };
    let left = budget.load(Ordering::Relaxed).wrapping_sub(1);
    budget.store(left, Ordering::Relaxed);
    if left < 0 {
        // SAFETY: the context is the services' own and this is the thread that runs it.
        unsafe { entry.services().call_hot(ctx, func) }.map_err(|mut trap| {
            let loc = code.loc_of(code.entry, false);
            let module = entry.services().module_number();
            trap.push_frame(Frame { module, func, loc, tier: Tier::T0 });
            trap
        })?;
    }
    let results = &mut slots[..code.sig.result_slots()];
    entry.run(code, code.entry, fp, results)
}

/// Goes on in T0 from a deoptimization: makes the activations of the frame state, the outermost
/// first, and runs to the end of the outermost. `values` points to the frame state's values and
/// takes the results, from the first slot on.
///
/// # Errors
/// As [`call`].
///
/// # Safety
/// As [`call`] for the functions of the frame state; `values` must point to enough slots for the
/// values and for the results; the frame state must fit the functions' register forms.
pub unsafe fn resume(
    ctx: *mut VmContext,
    state: &FrameState,
    values: *mut u64,
) -> Result<(), Box<Trap>> {
    // SAFETY: the caller's duty.
    let entry = unsafe { Entry::begin(ctx)? };
    let mut values_left = values.cast_const();
    let mut outermost: Option<&Code> = None;
    // The caller's registers, its code, and its call instruction.
    let mut innermost: Option<(Fp, &Code, Ip)> = None;
    for frame in &state.frames {
        let code = entry.code_of(frame.func)?;
        let fp = match innermost {
            None => entry.activate_base(code)?,
            Some((caller, caller_code, call)) => {
                let fp = caller.above(caller_code.advance as usize);
                entry.activate(code, fp, call.skip(call.word(call::RESULTS) as usize), caller)?;
                fp
            }
        };
        for &reg in &frame.regs {
            for slot in code.places.layout.slots(reg) {
                // SAFETY: the caller vouches that there is a value for each register of the state.
                let value = unsafe { *values_left };
                values_left = values_left.wrapping_add(1);
                fp.set(slot * 8, value);
            }
        }
        let ip = code.start_of(frame.resume).expect("a frame state names reachable instructions");
        outermost.get_or_insert(code);
        innermost = Some((fp, code, ip));
    }
    let (Some(outermost), Some((fp, code, ip))) = (outermost, innermost) else { return Ok(()) };
    // SAFETY: the caller vouches that there is room for the results.
    let results = unsafe { std::slice::from_raw_parts_mut(values, outermost.sig.result_slots()) };
    entry.run(code, ip, fp, results)
}
