//! What T0 and the helpers ask of the engine.

use crate::abi::NativeSig;
use crate::context::VmContext;
use crate::tier::Tier;
use crate::trap::Trap;
use cupola_ir::{DialectOpId, FuncId, LoopId, MemId, SiteId};

/// The engine, as the interpreter and generated code's helpers see it. One object serves one
/// instance. Methods that can fail give a trap, which the caller lets travel outwards.
///
/// # Safety
/// The context that is passed is always the instance's own, and the thread that calls is the one
/// that runs the instance. Implementors may rely on both; that is why the methods are unsafe.
pub trait Services {
    /// Makes sure that the function can run in T0: its body is translated and encoded, its
    /// feedback allocated, and its cell's `t0` and `feedback` set.
    ///
    /// # Errors
    /// If the front end cannot translate it.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn prepare_t0(&self, ctx: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>>;

    /// Calls a function of the module, as a call from outside would: `slots` holds the arguments
    /// and takes the results, from the first slot on (it is long enough for both). Decides by
    /// itself where the function runs. Generated code's calls of functions without compiled
    /// code, and of imports, arrive here; T0 sends only imports.
    ///
    /// # Errors
    /// The trap, or the host function's error or panic.
    ///
    /// # Safety
    /// See the trait; `slots` must be long enough for arguments and results.
    unsafe fn call(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>>;

    /// The call counter of a function ran out; sets it anew.
    ///
    /// # Errors
    /// An interruption.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn call_hot(&self, ctx: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>>;

    /// The counter of a loop ran out in code of tier `running`; sets it anew. Gives the address of
    /// code for an entry at the loop's header to go on in, or null to stay.
    ///
    /// # Errors
    /// An interruption.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn loop_hot(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        loop_id: LoopId,
        running: Tier,
    ) -> Result<*const u8, Box<Trap>>;

    /// Code `code_id` was asked to look for better code at the loop header of its exit `exit`.
    /// Gives whether to leave by that exit, behind which there is better code.
    ///
    /// # Errors
    /// An interruption.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn poll(
        &self,
        _ctx: *mut VmContext,
        _code_id: u64,
        _exit: u32,
    ) -> Result<bool, Box<Trap>> {
        Ok(false)
    }

    /// Goes on in T0 from a deoptimization exit of the code `code_id` to the function's end.
    /// `values` points to the frame state's values and takes the results.
    ///
    /// # Errors
    /// Whatever the rest of the function traps with.
    ///
    /// # Safety
    /// See the trait; `values` must point to enough slots for values and results.
    unsafe fn deopt(
        &self,
        ctx: *mut VmContext,
        code_id: u64,
        exit: u32,
        values: *mut u64,
    ) -> Result<(), Box<Trap>>;

    /// Grows a memory by `pages`; gives the old size in pages, or -1 if it cannot grow.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn memory_grow(&self, ctx: *mut VmContext, memory: MemId, pages: u64) -> i64;

    /// Runs a dialect operation of function `func`; `slots` points to the operands and takes the
    /// results.
    ///
    /// # Errors
    /// The trap or error that it ends with.
    ///
    /// # Safety
    /// See the trait; `slots` must point to enough slots for operands and results.
    unsafe fn dialect(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        op: DialectOpId,
        site: SiteId,
        slots: *mut u64,
    ) -> Result<(), Box<Trap>>;

    /// The number of the instance's module, as it stands in frames.
    fn module_number(&self) -> u32;

    /// The native signature of a function of the module.
    fn native_sig(&self, func: FuncId) -> &NativeSig;

    /// Finds out what faulted: gives the trap code of the instruction at `pc`; none if no
    /// trapping instruction of generated code stands there. `pc` may be in the code of another
    /// instance that this one has called.
    fn trap_at(&self, pc: usize) -> Option<cupola_ir::TrapCode>;

    /// Adds the source frames that a return address (or, if `exact`, a faulting instruction's
    /// address) in generated code stands for, the innermost first. `pc` may be in the code of
    /// another instance, or of none.
    fn frames_at(&self, pc: usize, exact: bool, frames: &mut Vec<crate::trap::Frame>);
}
