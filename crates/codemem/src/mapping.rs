//! The system's part: two views of the same pages, and making other cores see new code. Linux.

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};
use std::io;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

/// Pages of a memory file, mapped twice: to write, and to read and execute. No view is writable
/// and executable. Pages take up memory once they are touched.
///
/// The file is shared memory: a forked child that goes on without `exec` writes to its parent's
/// code.
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
        let flags = MemfdFlags::CLOEXEC;
        // That the file cannot be executed as a program is known to Linux since 6.3.
        let file = match memfd_create(c"cupola-code", flags | MemfdFlags::NOEXEC_SEAL) {
            Err(Errno::INVAL) => memfd_create(c"cupola-code", flags)?,
            other => other?,
        };
        ftruncate(&file, len as u64)?;
        let map = |protection| -> io::Result<NonNull<u8>> {
            // SAFETY: a new mapping at an address of the system's choice touches no other memory.
            let address =
                unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, &file, 0)? };
            NonNull::new(address.cast()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
        };
        let write = map(ProtFlags::READ | ProtFlags::WRITE)?;
        match map(ProtFlags::READ | ProtFlags::EXEC) {
            Ok(execute) => Ok(DualMapping { write, execute, len }),
            Err(error) => {
                // SAFETY: nothing refers to the mapping yet. That it cannot fail with these
                // arguments, and what could be done then, is one question.
                let _ = unsafe { munmap(write.as_ptr().cast(), len) };
                Err(error)
            }
        }
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
            // SAFETY: the mapping is ours, and its owner vouches that nothing refers to it.
            let unmapped = unsafe { munmap(view.as_ptr().cast(), self.len) };
            debug_assert!(unmapped.is_ok());
        }
    }
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
