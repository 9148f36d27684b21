//! Mapped address space of linear memories: the one place that asks the operating system (Linux)
//! for it.

use rustix::fd::BorrowedFd;
use rustix::io;
use rustix::mm::{
    MapFlags, MprotectFlags, MremapFlags, ProtFlags, mmap, mmap_anonymous, mprotect, mremap, munmap,
};
use std::ffi::c_void;
use std::ptr;

const ACCESSIBLE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// A range of address space of its own, given back when it is dropped.
pub(super) struct Mapping {
    base: *mut c_void,
    size: usize,
}

impl Mapping {
    /// No address space at all.
    pub fn empty() -> Mapping {
        Mapping { base: ptr::null_mut(), size: 0 }
    }

    /// Address space that nothing may access yet.
    pub fn reserve(size: usize) -> io::Result<Mapping> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice.
        let base = unsafe { mmap_anonymous(ptr::null_mut(), size, ProtFlags::empty(), flags)? };
        Ok(Mapping { base, size })
    }

    pub fn base(&self) -> *mut u8 {
        self.base.cast()
    }

    /// Makes `from..to` of a reservation accessible; it holds zeros.
    pub fn commit(&mut self, from: usize, to: usize) -> io::Result<()> {
        assert!(from <= to && to <= self.size);
        // SAFETY: the range lies in the mapping; what could not be accessed now can be.
        unsafe {
            let flags = MprotectFlags::READ | MprotectFlags::WRITE;
            mprotect(self.base.byte_add(from), to - from, flags)
        }
    }

    /// Makes the whole mapping accessible and `size` bytes long, which it was not before; what is
    /// new holds zeros. It may move.
    pub fn resize(&mut self, size: usize) -> io::Result<()> {
        // SAFETY: a new private mapping at an address of the kernel's choice, or this one at
        // another address, where the borrow sees to it that nothing refers to its bytes.
        self.base = unsafe {
            match self.size {
                0 => mmap_anonymous(ptr::null_mut(), size, ACCESSIBLE, MapFlags::PRIVATE)?,
                old => mremap(self.base, old, size, MremapFlags::MAYMOVE)?,
            }
        };
        self.size = size;
        Ok(())
    }

    /// Replaces `from..to`, whole pages, by the same bytes of a file; writes stay in this mapping.
    pub fn overlay(&mut self, from: usize, to: usize, file: BorrowedFd<'_>) -> io::Result<()> {
        assert!(from <= to && to <= self.size);
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        // SAFETY: the range lies in the mapping, and the borrow sees to it that nothing refers to
        // its bytes.
        unsafe {
            let at = self.base.byte_add(from);
            mmap(at, to - from, ACCESSIBLE, flags, file, from as u64)?;
        }
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.size > 0 {
            // SAFETY: the mapping is this value's own, and whoever owns it, the only user of its
            // addresses, is being dropped.
            unsafe {
                // An error would mean that the range is not mapped, so that there is nothing to do.
                let _ = munmap(self.base, self.size);
            }
        }
    }
}
