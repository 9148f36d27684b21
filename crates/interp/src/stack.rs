//! T0's stack.

use cupola_runtime::VmLimits;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// The slots of T0's activations, for one thread of execution.
///
/// The memory is asked for in one piece and zeroed, which the operating system does page by page
/// when it is touched, so a large stack costs nothing until it is used.
pub struct T0Stack {
    start: NonNull<u64>,
    slots: usize,
}

// SAFETY: an owned allocation of plain integers.
unsafe impl Send for T0Stack {}
// SAFETY: a shared reference gives no access to the slots.
unsafe impl Sync for T0Stack {}

impl T0Stack {
    /// How many slots a stack has if nobody asks for another number: 8 MiB of them.
    pub const DEFAULT_SLOTS: usize = 1 << 20;

    /// A stack of `slots` slots (at least one).
    ///
    /// # Panics
    /// If that many slots are more than an address space has.
    pub fn new(slots: usize) -> T0Stack {
        let slots = slots.max(1);
        let layout = Self::layout(slots);
        // SAFETY: the size is not zero.
        let start = unsafe { alloc_zeroed(layout) }.cast::<u64>();
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        T0Stack { start, slots }
    }

    fn layout(slots: usize) -> Layout {
        Layout::array::<u64>(slots).expect("the stack fits into the address space")
    }

    /// Lets `limits` use this stack, empty. The stack has to stay as long as they do.
    pub fn install(&mut self, limits: &mut VmLimits) {
        limits.t0_top = self.start.as_ptr();
        limits.t0_end = self.start.as_ptr().wrapping_add(self.slots);
    }
}

impl Default for T0Stack {
    fn default() -> T0Stack {
        T0Stack::new(Self::DEFAULT_SLOTS)
    }
}

impl Drop for T0Stack {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.slots)) }
    }
}
