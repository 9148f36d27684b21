//! Linear memories: address space reserved once, pages committed as the memory grows, so that the
//! base address never changes.

use crate::error::Error;
use cupola_ir::{MemoryDecl, PAGE_SIZE};
use cupola_runtime::VmMemory;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::ptr;

/// Greatest size of a linear memory: all that 32-bit addresses reach.
const MAX_PAGES: u64 = 65536;

/// The memory behind one [`VmMemory`].
pub(crate) struct LinearMemory {
    base: *mut c_void,
    reserved: usize,
    committed: usize,
    max_pages: u64,
}

impl LinearMemory {
    /// Reserves and commits a memory as declared, within `limit_pages`.
    pub fn new(decl: &MemoryDecl, limit_pages: u64) -> Result<LinearMemory, Error> {
        let max_pages = decl.max_pages.unwrap_or(MAX_PAGES).min(limit_pages).min(MAX_PAGES);
        if decl.min_pages > max_pages {
            return Err(Error::Limit(format!(
                "a memory of {} pages is above the limit of {max_pages}",
                decl.min_pages
            )));
        }
        let reserved = (max_pages * PAGE_SIZE) as usize;
        let mut memory = LinearMemory { base: ptr::null_mut(), reserved, committed: 0, max_pages };
        if reserved > 0 {
            // SAFETY: a new private mapping at an address of the kernel's choice.
            let base = unsafe {
                mmap_anonymous(
                    ptr::null_mut(),
                    reserved,
                    ProtFlags::empty(),
                    MapFlags::PRIVATE | MapFlags::NORESERVE,
                )
            };
            memory.base = base.map_err(|errno| {
                Error::Limit(format!("cannot reserve {reserved} bytes of address space: {errno}"))
            })?;
        }
        if memory.grow(decl.min_pages).is_none() {
            return Err(Error::Limit(format!("cannot commit {} pages", decl.min_pages)));
        }
        Ok(memory)
    }

    /// Grows by `pages`; gives the old size in pages, or nothing if that is not possible.
    pub fn grow(&mut self, pages: u64) -> Option<u64> {
        let old_pages = self.committed as u64 / PAGE_SIZE;
        let new_pages = old_pages.checked_add(pages).filter(|&new| new <= self.max_pages)?;
        let new = (new_pages * PAGE_SIZE) as usize;
        if new > self.committed {
            // SAFETY: the range lies in the reservation, and nothing points into the part that
            // is not committed yet.
            unsafe {
                let start = self.base.byte_add(self.committed);
                let flags = MprotectFlags::READ | MprotectFlags::WRITE;
                mprotect(start, new - self.committed, flags).ok()?;
            }
            self.committed = new;
        }
        Some(old_pages)
    }

    /// What generated code sees.
    pub fn vm_memory(&self) -> VmMemory {
        VmMemory { base: self.base.cast(), len: self.committed as u64 }
    }
}

impl Drop for LinearMemory {
    fn drop(&mut self) {
        if self.reserved > 0 {
            // SAFETY: the mapping was made in `new`, and the instance that owns the memory, the
            // only user of its addresses, is being dropped.
            unsafe {
                // An error would mean that the range is not mapped, so that there is nothing to do.
                let _ = munmap(self.base, self.reserved);
            }
        }
    }
}
