//! Linear memories.
//!
//! A *reserved* memory (32-bit addresses, unless reservation is off) has 4 GiB of address space and
//! a guard of [`MEMORY_GUARD`] bytes behind them for itself; its pages become accessible as it
//! grows, and its base address never changes, which compiled code relies on. Any other memory is as
//! large as its present size, and may move when it grows.

mod image;
mod mapping;

pub(crate) use image::{Image, Images};

use crate::error::Error;
use cupola_ir::{MEMORY_GUARD, MemoryDecl, PAGE_SIZE};
use cupola_runtime::VmMemory;
use mapping::Mapping;

/// What the embedder says about memories.
#[derive(Copy, Clone)]
pub(crate) struct MemoryOptions {
    /// Greatest size of one memory.
    pub max_pages: u64,
    /// Whether 32-bit memories are reserved.
    pub reservation: bool,
}

/// The memory behind one [`VmMemory`].
pub(crate) struct LinearMemory {
    mapping: Mapping,
    reserved: bool,
    /// Size in bytes.
    len: usize,
    max_pages: u64,
}

impl LinearMemory {
    /// A memory as declared, filled with zeros.
    pub fn new(decl: &MemoryDecl, options: MemoryOptions) -> Result<LinearMemory, Error> {
        let declared = decl.max_pages.unwrap_or(u64::MAX).min(decl.addressable_pages());
        let max_pages = declared.min(options.max_pages);
        if decl.min_pages > max_pages {
            return Err(Error::Limit(format!(
                "a memory of {} pages is above the limit of {max_pages}",
                decl.min_pages
            )));
        }
        let reserved = options.reservation && !decl.memory64;
        let mapping = if reserved { reserve()? } else { Mapping::empty() };
        let mut memory = LinearMemory { mapping, reserved, len: 0, max_pages };
        match memory.grow(decl.min_pages) {
            Some(_) => Ok(memory),
            None => Err(Error::Limit(format!(
                "cannot get a memory of {} pages from the system",
                decl.min_pages
            ))),
        }
    }

    /// Grows by `pages`; gives the old size in pages, or nothing if that is not possible.
    pub fn grow(&mut self, pages: u64) -> Option<u64> {
        let old_pages = self.len as u64 / PAGE_SIZE;
        let new_pages = old_pages.checked_add(pages).filter(|&new| new <= self.max_pages)?;
        let new = usize::try_from(new_pages.checked_mul(PAGE_SIZE)?).ok()?;
        // No object may be larger, and no more can be had.
        if new > isize::MAX as usize {
            return None;
        }
        if new > self.len {
            let grown = match self.reserved {
                true => self.mapping.commit(self.len, new),
                false => self.mapping.resize(new),
            };
            grown.ok()?;
            self.len = new;
        }
        Some(old_pages)
    }

    /// Maps an image over what holds zeros until now; gives whether that was possible.
    pub fn map(&mut self, image: &Image) -> bool {
        // A memory that is not reserved has to be one mapping, to be moved.
        self.reserved
            && image.ranges().all(|range| range.end <= self.len)
            && image
                .ranges()
                .all(|range| self.mapping.overlay(range.start, range.end, image.file()).is_ok())
    }

    /// What generated code sees.
    pub fn vm_memory(&self) -> VmMemory {
        VmMemory { base: self.mapping.base(), len: self.len as u64 }
    }
}

fn reserve() -> Result<Mapping, Error> {
    let size = (1 << 32) + MEMORY_GUARD as usize;
    Mapping::reserve(size).map_err(|errno| {
        Error::Limit(format!(
            "cannot reserve {} GiB of address space for a memory ({errno}); \
             without `memory_reservation` (`--no-memory-reservation`) it takes only its size",
            size >> 30
        ))
    })
}
