//! Faults of generated code as traps: signal handling on Linux.
//!
//! Generated code traps by faulting (an undefined instruction, a division error, an access to a
//! guarded page). The handlers take a fault if the kernel raised it, its program counter is in a
//! registered range of code, the thread is in generated code, and a trapping instruction stands
//! there; they note it in [`VmLimits::fault`] and let the thread go on outside of the handler, where
//! the trap is made. Every other signal goes to the handler that was installed before, or to the
//! default action.
//!
//! The handlers run on the thread's alternate signal stack if there is one (the standard library
//! gives one to each thread it starts), else on the native stack, where the reserve that
//! [`native_stack_limit`] leaves is room enough for them. They do nothing but look up the range and
//! the instruction. That lookup takes a lock, which is no danger: the interrupted thread is in
//! generated code, so it holds none itself.
//!
//! Interruption of code that does not look for it: a thread is sent [`libc::SIGURG`] ([`nudge`]), which
//! is ignored by default and so does no harm if it comes late (the Go runtime preempts by it for the
//! same reason). If the thread is in generated code then, and an interruption is asked for, it goes on
//! like one that faulted. That may be at any instruction: generated code keeps nothing that would have
//! to be completed, and a frame that is not set up yet, or no more, is only missing in the backtrace.
//! Who asks sends the signal again until it is noticed, since the thread may be elsewhere.
//!
//! What it does not do: it does not see to it that it stays the first handler. A handler installed
//! later has to pass on what is not its own.

use crate::arch;
use crate::context::{Fault, VmLimits};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicPtr, AtomicU64};
use std::sync::{Mutex, Once, PoisonError};

/// How much of the native stack is kept for host code, signal handlers and the making of traps.
pub const HOST_STACK_RESERVE: usize = 256 << 10;

thread_local! {
    /// The limits that generated code runs under on this thread; null outside of it.
    static CURRENT: Cell<*mut VmLimits> = const { Cell::new(ptr::null_mut()) };
}

/// Notes that the thread enters generated code; gives what [`leave`] takes.
#[inline]
pub(crate) fn enter(limits: *mut VmLimits) -> *mut VmLimits {
    CURRENT.replace(limits)
}

/// Notes that the thread has left generated code.
#[inline]
pub(crate) fn leave(outer: *mut VmLimits) {
    CURRENT.set(outer);
}

const PAGE_BITS: u32 = 12;
const COUNT_BITS: u32 = 28;

/// A node of the list of code ranges. Nodes are never freed, so that the handler can walk the list
/// at any time; a range is one word, so that it is read whole; 0 marks a node to be used again.
struct RangeNode {
    /// Number of the first page, above the number of pages.
    range: AtomicU64,
    next: *const RangeNode,
}

static RANGES: AtomicPtr<RangeNode> = AtomicPtr::new(ptr::null_mut());
/// Held by those who change the list.
static RANGES_CHANGE: Mutex<()> = Mutex::new(());

fn nodes() -> impl Iterator<Item = &'static RangeNode> {
    let mut next = RANGES.load(Acquire).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: nodes are leaked boxes.
        let node = unsafe { next.as_ref() }?;
        next = node.next;
        Some(node)
    })
}

fn packed(start: usize, end: usize) -> u64 {
    let (first, last) = (start >> PAGE_BITS, end >> PAGE_BITS);
    assert!(
        first << PAGE_BITS == start && last << PAGE_BITS == end && last > first,
        "a code range consists of whole pages"
    );
    assert!(last - first < 1 << COUNT_BITS, "code range too large");
    (first as u64) << COUNT_BITS | (last - first) as u64
}

/// Makes faults of the code in this range of whole pages traps. The first call installs the signal
/// handlers of the process.
///
/// # Panics
/// If the range does not consist of whole pages.
pub fn register_code_range(start: usize, end: usize) {
    let range = packed(start, end);
    install();
    let _guard = RANGES_CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(free) = nodes().find(|node| node.range.load(Relaxed) == 0) {
        free.range.store(range, Release);
        return;
    }
    let node = RangeNode { range: AtomicU64::new(range), next: RANGES.load(Relaxed) };
    RANGES.store(Box::into_raw(Box::new(node)), Release);
}

/// Undoes [`register_code_range`].
pub fn unregister_code_range(start: usize, end: usize) {
    let range = packed(start, end);
    let _guard = RANGES_CHANGE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(node) = nodes().find(|node| node.range.load(Relaxed) == range) {
        node.range.store(0, Release);
    }
}

/// Whether `pc` is in a registered range.
fn is_generated(pc: usize) -> bool {
    nodes().any(|node| {
        let range = node.range.load(Acquire);
        let (first, count) = (range >> COUNT_BITS, range & ((1 << COUNT_BITS) - 1));
        ((pc >> PAGE_BITS) as u64).wrapping_sub(first) < count
    })
}

const SIGNALS: [c_int; 5] = [libc::SIGILL, libc::SIGFPE, libc::SIGSEGV, libc::SIGBUS, NUDGE];

/// The signal that makes a thread look whether it is to be interrupted.
pub(crate) const NUDGE: c_int = libc::SIGURG;

/// The system's number of the calling thread, for [`nudge`].
pub fn current_thread() -> i32 {
    // SAFETY: the call only gives a number.
    unsafe { libc::gettid() }
}

/// Makes a thread of this process look whether the generated code it runs is to be interrupted
/// ([`VmLimits::interrupt`]); it goes on with whatever else it does. A thread that is no more is no
/// error.
pub fn nudge(thread: i32) {
    // SAFETY: sends a signal whose default is to be ignored to a thread of this process, if there is
    // one of this number.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, NUDGE) };
}

/// The actions that were set before ours; written once, before ours are set.
struct PreviousActions(std::cell::UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS.len()]>);

// SAFETY: only `install` writes, within its `Once` and before a reader can exist.
unsafe impl Sync for PreviousActions {}

static PREVIOUS: PreviousActions =
    PreviousActions(std::cell::UnsafeCell::new([const { MaybeUninit::uninit() }; SIGNALS.len()]));

fn install() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        for (i, &signal) in SIGNALS.iter().enumerate() {
            // SAFETY: the previous action is stored before ours is set, so a handler that runs
            // finds it; all-zero bytes are a valid `sigaction`, and it is filled in as the system
            // asks for.
            unsafe {
                let previous = (*PREVIOUS.0.get())[i].as_mut_ptr();
                let mut action: libc::sigaction = std::mem::zeroed();
                let (handler, flags) = match signal {
                    // What a host function waits for is not to fail because of it.
                    NUDGE => (on_nudge as *const (), libc::SA_RESTART),
                    _ => (handle as *const (), libc::SA_NODEFER),
                };
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | flags;
                libc::sigemptyset(&mut action.sa_mask);
                let failed = libc::sigaction(signal, ptr::null(), previous) != 0
                    || libc::sigaction(signal, &action, ptr::null_mut()) != 0;
                assert!(!failed, "cannot install a handler for signal {signal}");
            }
        }
    });
}

extern "C" fn handle(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes valid pointers to the handler of an SA_SIGINFO action.
    let (from_kernel, registers) =
        unsafe { ((*info).si_code > 0, &mut *context.cast::<libc::ucontext_t>()) };
    let (pc, fp) = arch::fault_registers(registers);
    if from_kernel && is_generated(pc) {
        let limits = CURRENT.get();
        // SAFETY: the limits are those that this thread runs under, and it is interrupted, so
        // nothing else touches them.
        if !limits.is_null() && unsafe { is_trap(limits, pc) } {
            // SAFETY: as above.
            unsafe { (*limits).fault = Fault { pc, fp, signal } };
            arch::resume_after_fault(registers, limits);
            return;
        }
    }
    // SAFETY: called as the kernel called this handler.
    unsafe { pass_on(signal, from_kernel, info, context) }
}

extern "C" fn on_nudge(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid pointer to the handler of an SA_SIGINFO action.
    let registers = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let (pc, fp) = arch::fault_registers(registers);
    let limits = CURRENT.get();
    if !limits.is_null() && is_generated(pc) {
        // SAFETY: the limits are those that this thread runs under, and it is interrupted, so
        // nothing else touches what is not atomic.
        unsafe {
            if (*limits).interrupt.load(Relaxed) != 0 && !(*limits).entry.is_null() {
                (*limits).fault = Fault { pc, fp, signal };
                arch::resume_after_fault(registers, limits);
                return;
            }
        }
    }
    // SAFETY: called as the kernel called this handler.
    unsafe { pass_on(signal, false, info, context) }
}

/// Whether the instruction at `pc` is one that may trap.
///
/// # Safety
/// The calling thread must be in generated code that runs under `limits`.
unsafe fn is_trap(limits: *const VmLimits, pc: usize) -> bool {
    // SAFETY: as long as generated code runs there is an entry, whose context and services live.
    unsafe {
        let record = (*limits).entry;
        !record.is_null() && (*(*(*record).context).services).trap_at(pc).is_some()
    }
}

/// Hands a signal to the action that was set before ours.
///
/// # Safety
/// The arguments must be those of the running signal handler.
unsafe fn pass_on(
    signal: c_int,
    from_kernel: bool,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    let Some(index) = SIGNALS.iter().position(|&known| known == signal) else { return };
    // SAFETY: our handlers run only after the previous actions were stored; an action's handler
    // has the type that its flags say.
    unsafe {
        let previous = (*PREVIOUS.0.get())[index].assume_init_ref();
        match previous.sa_sigaction {
            libc::SIG_IGN if !from_kernel => {}
            libc::SIG_DFL if signal == NUDGE => {}
            // A fault that is ignored would only come again.
            libc::SIG_DFL | libc::SIG_IGN => {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &action, ptr::null_mut());
                // A fault happens again on return from the handler; a signal that was sent does
                // not.
                if !from_kernel {
                    libc::raise(signal);
                }
            }
            handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                std::mem::transmute::<usize, Handler>(handler)(signal, info, context);
            }
            handler => std::mem::transmute::<usize, extern "C" fn(c_int)>(handler)(signal),
        }
    }
}

/// The address below which generated code must not go on the calling thread's native stack: its
/// end, and [`HOST_STACK_RESERVE`] for host code (a quarter of the stack if that is less). 0, no
/// limit, if the system does not tell.
pub fn native_stack_limit() -> usize {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut start, mut size, mut guard) = (ptr::null_mut(), 0, 0);
    // SAFETY: the attributes are initialized by the first call if it succeeds, and destroyed then.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return 0;
        }
        libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size);
        libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    start.addr() + guard + HOST_STACK_RESERVE.min(size / 4)
}
