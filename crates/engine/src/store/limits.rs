//! The limits of a thread of execution: native stack, interruption, fuel.

use crate::ticker::Bell;
use cupola_runtime::{VmLimits, signals};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicUsize, Ordering, fence};

thread_local! {
    /// The thread's stack limit; finding it out takes a look into `/proc` on the main thread.
    static STACK_LIMIT: usize = signals::native_stack_limit();
    /// The thread's number.
    static THREAD: i32 = signals::current_thread();
}

/// The limits of a store; shared with the handles that can interrupt it.
pub(crate) struct Limits(UnsafeCell<VmLimits>);

// SAFETY: other threads touch only the atomic fields `stack_limit`, `interrupt`, `sample` and
// `thread`; all else is touched only by the thread that has the store, and stores are used by one at a time.
unsafe impl Send for Limits {}
// SAFETY: as above.
unsafe impl Sync for Limits {}

impl Limits {
    pub fn new(deopt_budget: i64) -> Limits {
        Limits(UnsafeCell::new(VmLimits {
            stack_limit: AtomicUsize::new(0),
            interrupt: AtomicU32::new(0),
            sample: AtomicU32::new(0),
            fuel: AtomicI64::new(i64::MAX),
            deopt_budget,
            exit_fp: 0,
            exit_pc: 0,
            leave: 0,
            entry: ptr::null_mut(),
            fault: Default::default(),
            t0_top: ptr::null_mut(),
            t0_end: ptr::null_mut(),
            real_stack_limit: 0,
            thread: AtomicI32::new(0),
            pending: None,
        }))
    }

    pub fn get(&self) -> *mut VmLimits {
        self.0.get()
    }

    fn interrupt_flag(&self) -> &AtomicU32 {
        // SAFETY: the field is an atomic, and no `&mut` to the whole is made once it is shared.
        unsafe { &(*self.0.get()).interrupt }
    }

    /// Asks the running code for a sample; gives whether it was still asked for one.
    pub fn ask_for_sample(&self) -> bool {
        // SAFETY: as in `interrupt_flag`.
        unsafe { &(*self.0.get()).sample }.swap(1, Ordering::Relaxed) != 0
    }

    /// The running code gives a sample; it is asked again at once if `again`.
    pub fn sampled(&self, again: bool) {
        // SAFETY: as in `interrupt_flag`.
        unsafe { &(*self.0.get()).sample }.store(again.into(), Ordering::Relaxed);
    }

    fn stack_limit(&self) -> &AtomicUsize {
        // SAFETY: as in `interrupt_flag`.
        unsafe { &(*self.0.get()).stack_limit }
    }

    fn fuel_left(&self) -> &AtomicI64 {
        // SAFETY: as in `interrupt_flag`.
        unsafe { &(*self.0.get()).fuel }
    }

    pub fn set_fuel(&self, fuel: u64) {
        self.fuel_left().store(i64::try_from(fuel).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub fn fuel(&self) -> u64 {
        self.fuel_left().load(Ordering::Relaxed).max(0) as u64
    }

    /// Makes ready for the thread that runs now, with its stack limit; an interruption that was asked for
    /// meanwhile stays. To be done while nothing runs.
    pub fn arm(&self) {
        let limit = STACK_LIMIT.with(|limit| *limit);
        // SAFETY: the store runs nothing, so that this thread alone touches the field.
        unsafe { (*self.get()).real_stack_limit = limit }
        // SAFETY: as in `interrupt_flag`.
        let thread = unsafe { &(*self.0.get()).thread };
        thread.store(THREAD.with(|thread| *thread), Ordering::Relaxed);
        self.stack_limit().store(limit, Ordering::SeqCst);
        if self.interrupt_flag().load(Ordering::SeqCst) != 0 {
            self.stack_limit().store(VmLimits::STACK_LIMIT_INTERRUPT, Ordering::SeqCst);
        }
    }

    /// Whether an interruption is asked for and was not noticed yet.
    pub fn is_interrupting(&self) -> bool {
        self.interrupt_flag().load(Ordering::Relaxed) != 0
    }

    /// Makes the thread that runs look whether it is to be interrupted.
    pub fn nudge(&self) {
        // SAFETY: as in `interrupt_flag`.
        signals::nudge(unsafe { &(*self.0.get()).thread }.load(Ordering::Relaxed));
    }

    /// An interruption has been noticed.
    pub fn interrupted(&self) {
        self.interrupt_flag().store(0, Ordering::SeqCst);
        // SAFETY: only the thread that has the store touches the field.
        let limit = unsafe { (*self.get()).real_stack_limit };
        self.stack_limit().store(limit, Ordering::SeqCst);
    }
}

/// Interrupts what a store runs, from another thread.
#[derive(Clone)]
pub struct InterruptHandle {
    limits: Arc<Limits>,
    bell: Bell,
}

impl InterruptHandle {
    pub(super) fn new(limits: Arc<Limits>, bell: Bell) -> InterruptHandle {
        InterruptHandle { limits, bell }
    }

    /// Makes what the store runs now trap with
    /// [`TrapCode::Interrupted`](cupola_ir::TrapCode::Interrupted) within a few milliseconds, but
    /// for host functions, which are not interrupted. If it runs nothing, the next call is
    /// interrupted.
    pub fn interrupt(&self) {
        self.limits.interrupt_flag().store(1, Ordering::SeqCst);
        // Prologues compare the stack pointer with this, so that recursion is interrupted too.
        self.limits.stack_limit().store(VmLimits::STACK_LIMIT_INTERRUPT, Ordering::SeqCst);
        // Orders the flag before the mark of a running store that the ticker reads, as
        // `Ticker::on_run` has it the other way around: one of the two sees the other.
        fence(Ordering::SeqCst);
        self.bell.ring();
    }
}
