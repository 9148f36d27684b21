//! The state that generated code and the interpreter reach through the context pointer.
//!
//! All of it is `repr(C)`; the `offset` constants are what code generators use. One [`VmContext`]
//! exists for each instance, followed in the same allocation by the instance's memories, tables
//! and globals, at offsets that [`ContextLayout`] computes from the module.

use crate::feedback::FuncFeedback;
use crate::services::Services;
use crate::trap::Trap;
use cupola_ir::{FuncId, GlobalId, MemId, Module, TableId};
use serde::{Deserialize, Serialize};
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicUsize};

/// Start of an instance's context.
#[repr(C)]
pub struct VmContext {
    /// Limits and activation state of the thread of execution.
    pub limits: *mut VmLimits,
    /// The entry table: one cell for each function of the module.
    pub funcs: *const FuncCell,
    /// References to the functions of the module, by [`FuncId`]. A reference to a function that
    /// the module defines, called with this context, is the address of its element; that of an
    /// imported function stands elsewhere.
    pub func_refs: *const VmFuncRef,
    /// The engine, as T0 and the helpers see it; null only while the instance is being made.
    pub services: *const dyn Services,
}

impl VmContext {
    /// Offset of [`VmContext::limits`].
    pub const LIMITS: u32 = offset_of!(VmContext, limits) as u32;
    /// Offset of [`VmContext::funcs`].
    pub const FUNCS: u32 = offset_of!(VmContext, funcs) as u32;
    /// Offset of [`VmContext::func_refs`].
    pub const FUNC_REFS: u32 = offset_of!(VmContext, func_refs) as u32;
}

/// Everything about one function that changes while the program runs, shared by all instances of
/// the module. Cells stand in an array by [`FuncId`].
#[repr(C)]
#[derive(Default)]
pub struct FuncCell {
    /// What generated code calls: compiled code, or a stub that enters T0 or the host. Null until
    /// some code that may call the function is installed.
    pub entry: AtomicPtr<u8>,
    /// The installed compiled code that is entered by a call; null while there is none. T0 calls
    /// this, and the next field where it is null.
    pub native: AtomicPtr<u8>,
    /// The function in T0's encoding (`cupola_interp::Code`); null until its first call.
    pub t0: AtomicPtr<u8>,
    /// Counters and feedback; null until the function's first call.
    pub feedback: AtomicPtr<FuncFeedback>,
}

impl FuncCell {
    /// Offset of [`FuncCell::entry`].
    pub const ENTRY: u32 = offset_of!(FuncCell, entry) as u32;
    /// Size of a cell; cell `f` stands at `f * SIZE`.
    pub const SIZE: u32 = size_of::<FuncCell>() as u32;

    /// Offset in the entry table of the address that generated code calls for `func`.
    pub fn entry_offset(func: FuncId) -> u32 {
        func.as_u32() * Self::SIZE + Self::ENTRY
    }
}

/// A linear memory.
#[repr(C)]
#[derive(Copy, Clone, Debug)]
pub struct VmMemory {
    /// Address of the first byte.
    pub base: *mut u8,
    /// Size in bytes.
    pub len: u64,
}

impl VmMemory {
    /// Offset of [`VmMemory::base`].
    pub const BASE: u32 = offset_of!(VmMemory, base) as u32;
    /// Offset of [`VmMemory::len`].
    pub const LEN: u32 = offset_of!(VmMemory, len) as u32;
}

/// A table.
#[repr(C)]
#[derive(Copy, Clone, Debug)]
pub struct VmTable {
    /// Address of the first slot. Each holds a reference: of a table of functions the address of
    /// a [`VmFuncRef`], or 0.
    pub slots: *mut u64,
    /// Number of slots.
    pub len: u64,
    /// Address of the first slot's key ([`VmCallKey::to_word`]), of a table of functions that an
    /// instance defines; there are as many keys as slots. Only code of that instance reads them.
    pub keys: *const u64,
}

impl VmTable {
    /// Offset of [`VmTable::slots`].
    pub const SLOTS: u32 = offset_of!(VmTable, slots) as u32;
    /// Offset of [`VmTable::len`].
    pub const LEN: u32 = offset_of!(VmTable, len) as u32;
    /// Offset of [`VmTable::keys`].
    pub const KEYS: u32 = offset_of!(VmTable, keys) as u32;
}

/// What a slot of a table holds, for calls by the instance that defines the table. Most references
/// there are to functions of that instance; calling one by its key leaves the context what it is.
/// A context that is loaded from the reference would be waited for by all that the callee loads
/// through it, and so by the calls that it makes in its turn (twice the time of a program that does
/// little else).
#[repr(C)]
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct VmCallKey {
    /// One more than the function's [`VmFuncRef::sig`]; 0 if the slot is to be called by the
    /// reference: null, or a function with another context.
    pub sig: u32,
    /// Where the function's [`FuncCell`] ends, in bytes from the start of the entry table; 0 as
    /// above.
    pub cell_end: u32,
}

impl VmCallKey {
    /// Size of a key in bytes.
    pub const SIZE: u32 = size_of::<VmCallKey>() as u32;
    /// Offset of [`VmCallKey::sig`].
    pub const SIG: u32 = offset_of!(VmCallKey, sig) as u32;
    /// Offset of [`VmCallKey::cell_end`].
    pub const CELL_END: u32 = offset_of!(VmCallKey, cell_end) as u32;

    /// [`VmCallKey::sig`] of functions with this signature.
    pub const fn sig_of(sig: u32) -> u32 {
        sig + 1
    }

    /// [`VmCallKey::cell_end`] of a function.
    pub fn cell_end_of(func: FuncId) -> u32 {
        (func.as_u32() + 1) * FuncCell::SIZE
    }

    /// The key of a reference for calls by the instance with this context.
    pub fn of(reference: &VmFuncRef, owner: *const VmContext) -> VmCallKey {
        match std::ptr::eq(reference.context, owner) {
            true => VmCallKey {
                sig: VmCallKey::sig_of(reference.sig),
                cell_end: VmCallKey::cell_end_of(FuncId::from_u32(reference.func)),
            },
            false => VmCallKey::default(),
        }
    }

    /// The key as a word, whose upper half is [`VmCallKey::cell_end`].
    pub fn to_word(self) -> u64 {
        const { assert!(VmCallKey::SIG == 0 && VmCallKey::CELL_END == 4) };
        u64::from(self.sig) | u64::from(self.cell_end) << 32
    }
}

/// A function that can be called indirectly.
#[repr(C)]
#[derive(Copy, Clone, Debug)]
pub struct VmFuncRef {
    /// The function's cell, whose `entry` is to be called.
    pub cell: *const FuncCell,
    /// The context to call it with: that of the instance it belongs to.
    pub context: *mut VmContext,
    /// Its signature, by the number that the engine gives to equal signatures of all modules
    /// ([`ContextLayout::sig_id`]).
    pub sig: u32,
    /// The function in its module.
    pub func: u32,
}

impl VmFuncRef {
    /// Size of a reference; that to function `f` of an instance stands at `f * SIZE` in
    /// [`VmContext::func_refs`].
    pub const SIZE: u32 = size_of::<VmFuncRef>() as u32;
    /// Offset of [`VmFuncRef::cell`].
    pub const CELL: u32 = offset_of!(VmFuncRef, cell) as u32;
    /// Offset of [`VmFuncRef::context`].
    pub const CONTEXT: u32 = offset_of!(VmFuncRef, context) as u32;
    /// Offset of [`VmFuncRef::sig`].
    pub const SIG: u32 = offset_of!(VmFuncRef, sig) as u32;
    /// Offset of [`VmFuncRef::func`].
    pub const FUNC: u32 = offset_of!(VmFuncRef, func) as u32;
}

/// Limits and activation state of one thread of execution; instances that call each other share it.
#[repr(C)]
pub struct VmLimits {
    /// Generated code traps with a stack overflow if the stack pointer is below this. Another
    /// thread that wants an interruption sets it to [`VmLimits::STACK_LIMIT_INTERRUPT`].
    pub stack_limit: AtomicUsize,
    /// Not zero: an interruption is asked for. Slow paths look at it, loops of optimized code that
    /// poll, and the handler of the signal that those are sent that do not.
    pub interrupt: AtomicU32,
    /// Not zero: loops of optimized code are to call the engine once, which looks for better code.
    /// It stands behind `interrupt`, so that both are looked at as one 64-bit word.
    pub sample: AtomicU32,
    /// Fuel left; below zero, the program traps. Only the running thread touches it.
    pub fuel: AtomicI64,
    /// Forced deoptimizations (a stress mode): deoptimization points left until one fails.
    pub deopt_budget: i64,
    /// Frame pointer of the generated frame that called the helper now running.
    pub exit_fp: usize,
    /// Where in generated code the helper now running returns to.
    pub exit_pc: usize,
    /// What [`Helper::Poll`](crate::Helper::Poll) said last: not 0, if the loop is to leave.
    pub leave: u64,
    /// The innermost entry into generated code, or null.
    pub entry: *mut EntryRecord,
    /// Where and why generated code faulted; set by the signal handler.
    pub fault: Fault,
    /// First free slot of T0's stack.
    pub t0_top: *mut u64,
    /// End of T0's stack.
    pub t0_end: *mut u64,
    /// The real stack limit, to be put back after an interruption.
    pub real_stack_limit: usize,
    /// The system's number of the thread that runs; other threads send it signals.
    pub thread: AtomicI32,
    /// The trap that is on its way from a helper to the entry into generated code.
    pub pending: Option<Box<Trap>>,
}

impl VmLimits {
    /// The stack limit that lets every prologue trap. Prologues add the size of their frame to the
    /// limit, which must not wrap around; frames of 32 KiB and more compare with the limit itself
    /// first.
    pub const STACK_LIMIT_INTERRUPT: usize = usize::MAX - 32 * 1024;
    /// Offset of [`VmLimits::stack_limit`].
    pub const STACK_LIMIT: u32 = offset_of!(VmLimits, stack_limit) as u32;
    /// Offset of [`VmLimits::interrupt`].
    pub const INTERRUPT: u32 = offset_of!(VmLimits, interrupt) as u32;
    /// Offset of [`VmLimits::sample`].
    pub const SAMPLE: u32 = offset_of!(VmLimits, sample) as u32;
    /// Offset of [`VmLimits::fuel`].
    pub const FUEL: u32 = offset_of!(VmLimits, fuel) as u32;
    /// Offset of [`VmLimits::deopt_budget`].
    pub const DEOPT_BUDGET: u32 = offset_of!(VmLimits, deopt_budget) as u32;
    /// Offset of [`VmLimits::exit_fp`].
    pub const EXIT_FP: u32 = offset_of!(VmLimits, exit_fp) as u32;
    /// Offset of [`VmLimits::exit_pc`].
    pub const EXIT_PC: u32 = offset_of!(VmLimits, exit_pc) as u32;
    /// Offset of [`VmLimits::leave`].
    pub const LEAVE: u32 = offset_of!(VmLimits, leave) as u32;
    /// Offset of [`VmLimits::entry`].
    pub const ENTRY: u32 = offset_of!(VmLimits, entry) as u32;
}

// `osr.poll` reads both words as one.
const _: () =
    assert!(VmLimits::INTERRUPT.is_multiple_of(8) && VmLimits::SAMPLE == VmLimits::INTERRUPT + 4);

/// One entry from Rust into generated code; they form a list, the innermost first.
#[repr(C)]
pub struct EntryRecord {
    /// The entry before it.
    pub previous: *mut EntryRecord,
    /// Stack pointer to go back to when generated code is unwound.
    pub sp: usize,
    /// Frame pointer of the entry trampoline: where walking generated frames ends.
    pub fp: usize,
    /// What `exit_fp` was at the entry: the last generated frame of the activation before.
    pub outer_exit_fp: usize,
    /// What `exit_pc` was at the entry.
    pub outer_exit_pc: usize,
    /// The context that generated code was entered with.
    pub context: *mut VmContext,
}

/// A fault of generated code, or an interruption of it.
#[repr(C)]
#[derive(Copy, Clone, Debug, Default)]
pub struct Fault {
    /// Address of the faulting instruction; 0: none.
    pub pc: usize,
    /// Frame pointer at the fault.
    pub fp: usize,
    /// The signal's number.
    pub signal: i32,
}

/// Where a memory, a table or a global is found from the context.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// At this offset.
    Inline(u32),
    /// The pointer at this offset leads to it: another instance, or the host, has it.
    Pointer(u32),
}

impl Place {
    /// The offset, of the thing itself or of the pointer to it.
    pub const fn offset(self) -> u32 {
        match self {
            Place::Inline(offset) | Place::Pointer(offset) => offset,
        }
    }

    /// The place as one word: offsets are even, and the lowest bit tells which it is.
    pub const fn to_word(self) -> u32 {
        match self {
            Place::Inline(offset) => offset,
            Place::Pointer(offset) => offset | 1,
        }
    }
}

/// Offsets of an instance's state from its context pointer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextLayout {
    /// Of each function up to the last imported one, where its [`VmFuncRef`] stands if it is
    /// imported.
    imports: Vec<u32>,
    memories: Vec<Place>,
    tables: Vec<Place>,
    globals: Vec<Place>,
    size: u32,
    sig_ids: Vec<u32>,
}

/// Lays out one thing behind the other.
struct Allocator(u32);

impl Allocator {
    fn take(&mut self, size: usize) -> u32 {
        let offset = self.0;
        self.0 += size as u32;
        offset
    }

    fn place<T>(&mut self, shared: bool) -> Place {
        if shared {
            Place::Pointer(self.take(size_of::<*mut T>()))
        } else {
            Place::Inline(self.take(size_of::<T>()))
        }
    }
}

impl ContextLayout {
    /// The layout for instances of `module`. `sig_id` numbers signatures: equal ones alike, over
    /// all modules whose instances may call each other.
    pub fn of(
        module: &Module,
        mut sig_id: impl FnMut(&cupola_ir::Signature) -> u32,
    ) -> ContextLayout {
        let mut space = Allocator(size_of::<VmContext>() as u32);
        let memories = module.memories.values();
        let memories = memories.map(|decl| space.place::<VmMemory>(decl.import.is_some()));
        let memories = memories.collect();
        let tables = module.tables.values();
        let tables = tables.map(|decl| space.place::<VmTable>(decl.import.is_some())).collect();
        let globals = module.globals.values().map(|decl| match decl.is_shared() {
            true => space.place::<u64>(true),
            false => Place::Inline(space.take(decl.ty.slots() as usize * 8)),
        });
        let globals = globals.collect();
        let mut imports = Vec::new();
        for func in module.funcs.keys().filter(|&func| module.is_import(func)) {
            imports.resize(func.as_u32() as usize, 0);
            imports.push(space.take(size_of::<VmFuncRef>()));
        }
        let sig_ids = module.sigs.values().map(&mut sig_id).collect();
        ContextLayout { imports, memories, tables, globals, size: space.0, sig_ids }
    }

    /// Where a memory's [`VmMemory`] is.
    pub fn memory(&self, memory: MemId) -> Place {
        self.memories[memory.as_u32() as usize]
    }

    /// Where a table's [`VmTable`] is.
    pub fn table(&self, table: TableId) -> Place {
        self.tables[table.as_u32() as usize]
    }

    /// Where a global's slots are.
    pub fn global(&self, global: GlobalId) -> Place {
        self.globals[global.as_u32() as usize]
    }

    /// Offset of the [`VmFuncRef`] by which an imported function is called. It never changes.
    pub fn import(&self, func: FuncId) -> u32 {
        self.imports[func.as_u32() as usize]
    }

    /// Size of a context in bytes; it is aligned to 16.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The engine's number of a signature of the module, as in [`VmFuncRef::sig`].
    pub fn sig_id(&self, sig: cupola_ir::SigId) -> u32 {
        self.sig_ids[sig.as_u32() as usize]
    }
}
