//! What a handler sees of the machine, and how it goes on to the next one.
//!
//! The types here have safe methods that go through raw pointers. What makes them right is one
//! invariant, which the encoder establishes and every handler keeps: an [`Ip`] stands at the start
//! of an encoded instruction of the function whose activation the [`Fp`] beside it belongs to, the
//! words behind it are the operands that the handler it names expects, and every slot named there
//! lies within the activation's part of T0's stack (checked once, when the activation begins).

use crate::code::Code;
use cupola_ir::{TrapCode, V128};
use cupola_runtime::{FuncCell, Trap, VmContext, VmLimits, VmMemory};

/// A handler: executes the instruction at `ip` and goes on with [`next`].
///
/// All of the machine's state travels in argument registers of the C calling convention. Panics of
/// the engine's services pass through.
pub(crate) type Handler = extern "C-unwind" fn(Ip, Fp, &mut State, Mem) -> Flow;

/// What a chain of handlers ended with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Flow {
    /// The next instruction's place is in the state. Only where dispatch is not threaded.
    #[cfg(not(all(threaded, not(debug_assertions))))]
    Next,
    /// The outermost activation has returned.
    Done,
    /// The trap, and where it happened, is in the state.
    Trap,
}

/// Words of an instruction that its handler's address takes.
pub(crate) const HANDLER_WORDS: usize = 2;

/// A place in encoded code.
#[derive(Copy, Clone, Debug)]
#[repr(transparent)]
pub(crate) struct Ip(pub *const u32);

impl Ip {
    /// The word at `index`, counted from the instruction's start.
    #[inline(always)]
    pub fn word(self, index: usize) -> u32 {
        // SAFETY: the module's invariant: the instruction has that many words.
        unsafe { *self.0.add(index) }
    }

    /// The two words at `index` as one value.
    #[inline(always)]
    pub fn double(self, index: usize) -> u64 {
        // SAFETY: as in `word`; words are aligned to 4 only.
        unsafe { self.0.add(index).cast::<u64>().read_unaligned() }
    }

    /// The four words at `index` as a vector.
    #[inline(always)]
    pub fn vector(self, index: usize) -> V128 {
        // SAFETY: as in `word`.
        unsafe { self.0.add(index).cast::<V128>().read() }
    }

    /// The place `words` further on.
    #[inline(always)]
    pub fn skip(self, words: usize) -> Ip {
        // SAFETY: the module's invariant: what is skipped is part of the code.
        Ip(unsafe { self.0.add(words) })
    }

    /// The branch target whose distance stands in the word at `index`.
    #[inline(always)]
    pub fn target(self, index: usize) -> Ip {
        let distance = self.word(index) as i32;
        // SAFETY: distances that the encoder writes lead to instructions of the same code.
        Ip(unsafe { self.0.offset(distance as isize) })
    }
}

/// Slots in front of an activation's registers: where to go on after the return ([`Ip`]), the
/// caller's [`Fp`] (in the outermost activation, the area for its results), and the activation's [`Code`].
pub(crate) const HEADER_SLOTS: usize = 3;

/// The first register slot of an activation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(crate) struct Fp(pub *mut u64);

impl Fp {
    /// The slot `offset` bytes from the first.
    #[inline(always)]
    pub fn get(self, offset: u32) -> u64 {
        // SAFETY: the module's invariant: the slot is within the activation; T0's stack is
        // initialized memory.
        unsafe { *self.0.byte_add(offset as usize) }
    }

    /// Sets the slot `offset` bytes from the first.
    #[inline(always)]
    pub fn set(self, offset: u32, value: u64) {
        // SAFETY: as in `get`.
        unsafe { *self.0.byte_add(offset as usize) = value }
    }

    /// The vector in the slots `offset` bytes from the first.
    #[inline(always)]
    pub fn vector(self, offset: u32) -> V128 {
        // SAFETY: as in `get`; bytes have no alignment.
        unsafe { self.0.byte_add(offset as usize).cast::<V128>().read() }
    }

    /// Sets the slots of a vector, `offset` bytes from the first.
    #[inline(always)]
    pub fn set_vector(self, offset: u32, value: V128) {
        // SAFETY: as in `vector`.
        unsafe { self.0.byte_add(offset as usize).cast::<V128>().write(value) }
    }

    /// The place `offset` bytes further on.
    #[inline(always)]
    pub fn above(self, offset: usize) -> Fp {
        // The result is compared with the end of the stack before anything is stored there.
        Fp(self.0.wrapping_byte_add(offset))
    }

    #[inline(always)]
    fn header(self, index: usize) -> *mut u64 {
        // SAFETY: every activation has its header in front of its registers.
        unsafe { self.0.sub(HEADER_SLOTS - index) }
    }

    /// Writes the header of an activation that begins.
    #[inline(always)]
    pub fn link(self, return_to: Ip, caller: Fp, code: *const Code) {
        // SAFETY: `header` gives slots of T0's stack.
        unsafe {
            *self.header(0) = return_to.0 as u64;
            *self.header(1) = caller.0 as u64;
            *self.header(2) = code as u64;
        }
    }

    /// Where the caller goes on.
    #[inline(always)]
    pub fn return_to(self) -> Ip {
        // SAFETY: `link` has written it.
        Ip(unsafe { *self.header(0) } as *const u32)
    }

    /// The caller.
    #[inline(always)]
    pub fn caller(self) -> Fp {
        // SAFETY: `link` has written it.
        Fp(unsafe { *self.header(1) } as *mut u64)
    }

    /// The activation's code.
    #[inline(always)]
    pub fn code<'a>(self) -> &'a Code {
        // SAFETY: `link` has written it, and code is kept while an activation of it exists.
        unsafe { &*(*self.header(2) as *const Code) }
    }
}

/// The instance's first linear memory, kept in registers; anything that may grow it reloads it.
#[derive(Copy, Clone, Debug)]
#[repr(C)]
pub(crate) struct Mem {
    pub base: *mut u8,
    pub len: u64,
}

/// What all activations of one entry into T0 share.
pub(crate) struct State {
    pub ctx: *mut VmContext,
    pub limits: *mut VmLimits,
    pub funcs: *const FuncCell,
    pub stack_end: *mut u64,
    /// The instance's first memory, or an empty one.
    pub memory: *const VmMemory,
    /// Where the chain of handlers ended, or (not threaded) goes on.
    pub ip: Ip,
    pub fp: Fp,
    #[cfg(not(all(threaded, not(debug_assertions))))]
    pub mem: Mem,
    pub trap: Option<Box<Trap>>,
    /// Whether the activation that trapped had gone on in compiled code, where backtraces find it.
    pub moved_on: bool,
}

impl State {
    /// The state of an entry into T0.
    ///
    /// # Safety
    /// `ctx` must be a context with its limits and cells set, which outlive the state; so must
    /// `memory`.
    pub unsafe fn new(ctx: *mut VmContext, memory: *const VmMemory) -> State {
        // SAFETY: the caller's duty.
        let (limits, funcs, stack_end) =
            unsafe { ((*ctx).limits, (*ctx).funcs, (*(*ctx).limits).t0_end) };
        State {
            ctx,
            limits,
            funcs,
            stack_end,
            memory,
            ip: Ip(std::ptr::null()),
            fp: Fp(std::ptr::null_mut()),
            #[cfg(not(all(threaded, not(debug_assertions))))]
            mem: Mem { base: std::ptr::null_mut(), len: 0 },
            trap: None,
            moved_on: false,
        }
    }

    /// The first memory as it is now.
    #[inline(always)]
    pub fn mem(&self) -> Mem {
        // SAFETY: points into the instance's context or to a static.
        let memory = unsafe { &*self.memory };
        Mem { base: memory.base, len: memory.len }
    }

    /// The cell of a function, by its offset in the entry table.
    #[inline(always)]
    pub fn cell(&self, offset: u32) -> &FuncCell {
        // SAFETY: the encoder computes the offset from a function of the module.
        unsafe { &*self.funcs.byte_add(offset as usize) }
    }

    /// What is at a [`Place`](cupola_runtime::Place) of the context, given as a word.
    #[inline(always)]
    pub fn place<T>(&self, word: u32) -> *mut T {
        let at = self.context::<T>(word & !1);
        // SAFETY: the encoder writes places of the instance's context layout, where such a word
        // stands for a pointer.
        if word & 1 == 0 { at } else { unsafe { *at.cast::<*mut T>() } }
    }

    /// The place `offset` bytes into the context.
    #[inline(always)]
    pub fn context<T>(&self, offset: u32) -> *mut T {
        self.ctx.wrapping_byte_add(offset as usize).cast()
    }
}

/// Goes on with the instruction at `ip`.
#[cfg(all(threaded, not(debug_assertions)))]
#[inline(always)]
pub(crate) fn next(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    handler(ip)(ip, fp, st, mem)
}

/// Goes on with the instruction at `ip`.
#[cfg(not(all(threaded, not(debug_assertions))))]
#[inline(always)]
pub(crate) fn next(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    (st.ip, st.fp, st.mem) = (ip, fp, mem);
    Flow::Next
}

#[inline(always)]
fn handler(ip: Ip) -> Handler {
    // SAFETY: every instruction starts with the address of a handler.
    unsafe { std::mem::transmute::<usize, Handler>(ip.double(0) as usize) }
}

/// Runs from `ip` until the outermost activation returns or something traps.
pub(crate) fn run(ip: Ip, fp: Fp, st: &mut State) -> Flow {
    let mem = st.mem();
    #[cfg(all(threaded, not(debug_assertions)))]
    return next(ip, fp, st, mem);
    #[cfg(not(all(threaded, not(debug_assertions))))]
    {
        let mut flow = next(ip, fp, st, mem);
        while flow == Flow::Next {
            flow = handler(st.ip)(st.ip, st.fp, st, st.mem);
        }
        flow
    }
}

/// Ends the chain with a trap of the instruction at `ip`.
#[cold]
#[inline(never)]
pub(crate) extern "C-unwind" fn raise(ip: Ip, fp: Fp, st: &mut State, code: TrapCode) -> Flow {
    fail(ip, fp, st, Trap::code(code))
}

/// Ends the chain with a trap that something called by the instruction at `ip` ended with.
pub(crate) fn fail(ip: Ip, fp: Fp, st: &mut State, trap: Box<Trap>) -> Flow {
    (st.ip, st.fp, st.trap) = (ip, fp, Some(trap));
    Flow::Trap
}
