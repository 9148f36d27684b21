//! The system's part: two views of the same pages, and making other cores see new code. Linux.

use rustix::mm::{
    MapFlags, MprotectFlags, MremapFlags, ProtFlags, mmap_anonymous, mprotect, mremap, munmap,
};
use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};
use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

/// Shared pages without a file, mapped twice: to write, and to read and execute. No view is
/// writable and executable. Pages take up memory once they are touched.
///
/// A memory file would do as well, but `perf` takes it for a program's file and then does not look
/// for names in [`crate::perf_map`]; pages without a file are to it what compiled code stands in.
///
/// The pages are shared: a forked child that goes on without `exec` writes to its parent's code.
#[derive(Debug)]
pub(crate) struct DualMapping {
    write: NonNull<u8>,
    execute: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is memory like any other; those who use the pointers see to data races.
unsafe impl Send for DualMapping {}
// SAFETY: see above.
unsafe impl Sync for DualMapping {}

impl DualMapping {
    /// Maps `len` bytes, a multiple of the page size.
    pub(crate) fn new(len: usize) -> io::Result<DualMapping> {
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a new mapping at an address of the system's choice touches no other memory.
        let execute = unsafe { mmap_anonymous(std::ptr::null_mut(), len, protection, flags)? };
        // SAFETY: of shared pages, an old length of 0 asks for another mapping of the same pages
        // and leaves the first as it is.
        let write = match unsafe { mremap(execute, 0, len, MremapFlags::MAYMOVE) } {
            Ok(write) => write,
            Err(error) => {
                unmap(execute, len);
                return Err(error.into());
            }
        };
        // From here on, a failure drops both views.
        let view = |address: *mut c_void| {
            NonNull::new(address.cast()).expect("the system does not map the first page by choice")
        };
        let mapping = DualMapping { write: view(write), execute: view(execute), len };
        // SAFETY: the second view is ours, and nothing refers to it yet.
        unsafe { mprotect(write, len, MprotectFlags::READ | MprotectFlags::WRITE)? };
        Ok(mapping)
    }

    /// Address of the writable view.
    pub(crate) fn write(&self) -> *mut u8 {
        self.write.as_ptr()
    }

    /// Address of the executable view.
    pub(crate) fn execute(&self) -> *const u8 {
        self.execute.as_ptr()
    }

    /// Size of each view in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for DualMapping {
    fn drop(&mut self) {
        for view in [self.write, self.execute] {
            unmap(view.as_ptr().cast(), self.len);
        }
    }
}

/// Gives up a view, to which nothing may refer any more.
fn unmap(view: *mut c_void, len: usize) {
    // SAFETY: a view that this file mapped and its owner gives up.
    let unmapped = unsafe { munmap(view, len) };
    debug_assert!(unmapped.is_ok());
}

/// Size of a page.
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Makes all cores that run threads of this process drop what they have fetched or decoded of
/// older code, so that code written before is what they execute.
pub(crate) fn synchronize_cores() {
    fence(Ordering::SeqCst);
    if let Some(command) = barrier() {
        // A registered command does not fail.
        let done = membarrier(command);
        debug_assert!(done.is_ok());
    }
}

/// Finds out which barrier there is, and registers for it. In a process of one thread that takes
/// less than a microsecond; in one of several it waits for all cores to have passed through the
/// scheduler, 10 ms and more, which is not to fall to the first compilation.
pub(crate) fn prepare_barrier() {
    barrier();
}

/// The barrier that this system has. Without any, what is left is that x86 keeps instruction
/// fetch coherent with stores, and that code is entered only through addresses published later.
fn barrier() -> Option<MembarrierCommand> {
    static BARRIER: OnceLock<Option<MembarrierCommand>> = OnceLock::new();
    *BARRIER.get_or_init(|| {
        let known = membarrier_query();
        if known.contains(MembarrierQuery::PRIVATE_EXPEDITED_SYNC_CORE)
            && membarrier(MembarrierCommand::RegisterPrivateExpeditedSyncCore).is_ok()
        {
            Some(MembarrierCommand::PrivateExpeditedSyncCore)
        } else {
            // Slow, but it too waits until every core has been in the kernel.
            known.contains(MembarrierQuery::GLOBAL).then_some(MembarrierCommand::Global)
        }
    })
}
