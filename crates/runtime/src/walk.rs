//! Walking generated frames by their frame pointers.
//!
//! A thread's native stack holds, innermost first: Rust frames (of a helper's body, of T0, of a
//! host function), generated frames down to the entry record, Rust frames again, and so on. Rust
//! frames are skipped: each range of generated frames begins where `exit_fp` and `exit_pc` say
//! (the record of the entry inside of it holds the older values) and ends at its record's `fp`.

use crate::context::VmLimits;

/// Visits the return addresses of all generated frames of the thread that runs under `limits`, in
/// all nested entries, the innermost first.
///
/// # Safety
/// To be called on that thread while it runs Rust code outside of a signal handler: what it last
/// left generated code by has then saved where the innermost generated frame is. It has not when
/// generated code faulted, so [`crate::Services::trap_at`] and `frames_at` may not call this.
/// Generated code must keep frame pointers.
pub unsafe fn walk_native(limits: *const VmLimits, mut visit: impl FnMut(usize)) {
    // SAFETY: records on the list are on the stacks of active `invoke`s, and each range of frames
    // is that of one of them.
    unsafe {
        let (mut pc, mut fp) = ((*limits).exit_pc, (*limits).exit_fp);
        let mut record = (*limits).entry;
        while !record.is_null() {
            walk_frames(pc, fp, (*record).fp, &mut visit);
            (pc, fp) = ((*record).outer_exit_pc, (*record).outer_exit_fp);
            record = (*record).previous;
        }
    }
}

/// Visits `pc`, which stands in the frame with the frame pointer `fp`, and the return addresses of
/// the frames around it, up to the one whose caller's frame pointer is `end_fp`.
///
/// # Safety
/// `fp` must be `end_fp`, or the start of a chain of saved frame pointers that reaches it.
pub(crate) unsafe fn walk_frames(
    mut pc: usize,
    mut fp: usize,
    end_fp: usize,
    visit: &mut dyn FnMut(usize),
) {
    while fp != end_fp {
        visit(pc);
        let frame = fp as *const usize;
        // SAFETY: the caller vouches for the chain: a frame pointer points to the caller's, which
        // the return address follows.
        unsafe {
            pc = *frame.add(1);
            fp = *frame;
        }
    }
}
