//! Code memory: one arena of double-mapped pages, and the blocks in it.

use crate::free_list::{FreeList, GRANULE};
use crate::gdb::ObjectFile;
use crate::mapping::{self, DualMapping};
use crate::unwind::FrameTable;
use cupola_runtime::signals;
use parking_lot::Mutex;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// What freed code is overwritten with: `int3`, which stops whoever still runs into it.
const FREED: u8 = 0xcc;

/// The largest budget: all code is then within reach of 32-bit relative calls.
pub const MAX_BUDGET: usize = 1 << 30;

/// How much code memory to use, and how.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct CodeMemoryConfig {
    /// How many bytes of code there may be at a time; rounded up to pages, at most
    /// [`MAX_BUDGET`]. Address space is taken for all of it (twice), memory only for what is used.
    pub budget: usize,
    /// Alignment of functions, if they do not ask for more; a power of two from 16 to 4096.
    pub function_align: usize,
}

impl Default for CodeMemoryConfig {
    fn default() -> Self {
        CodeMemoryConfig { budget: 256 << 20, function_align: 64 }
    }
}

/// An account of code memory, in bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeStats {
    /// Taken by blocks.
    pub used: usize,
    /// The most that was ever taken.
    pub peak: usize,
    /// What there may be at most.
    pub budget: usize,
    /// How many blocks there are.
    pub blocks: usize,
}

impl CodeStats {
    /// Not taken.
    pub fn free(&self) -> usize {
        self.budget - self.used
    }
}

/// Executable memory of one engine. A clone is the same memory.
#[derive(Clone, Debug)]
pub struct CodeMemory {
    arena: Arc<Arena>,
}

#[derive(Debug)]
struct Arena {
    function_align: u32,
    blocks: Mutex<Blocks>,
    /// These stand before the pages, so that they are dropped before them.
    _frames: FrameTable,
    _object_file: ObjectFile,
    pages: DualMapping,
}

#[derive(Debug)]
struct Blocks {
    free: FreeList,
    stats: CodeStats,
}

impl Drop for Arena {
    fn drop(&mut self) {
        let start = self.pages.execute() as usize;
        signals::unregister_code_range(start, start + self.pages.len());
    }
}

impl CodeMemory {
    /// Reserves code memory, makes faults in it traps, and registers it with the unwinder and
    /// with gdb.
    ///
    /// # Errors
    /// If the system does not give the mappings, or the alignment is not one.
    pub fn new(config: CodeMemoryConfig) -> io::Result<CodeMemory> {
        let align = config.function_align;
        if !align.is_power_of_two() || !(GRANULE as usize..=4096).contains(&align) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "functions cannot be aligned to {align}: not a power of two from 16 to 4096"
                ),
            ));
        }
        let len = config.budget.clamp(1, MAX_BUDGET).next_multiple_of(mapping::page_size());
        mapping::prepare_barrier();
        let pages = DualMapping::new(len)?;
        let start = pages.execute() as usize;
        signals::register_code_range(start, start + len);
        let blocks = Blocks {
            free: FreeList::new(len as u32),
            stats: CodeStats { budget: len, ..CodeStats::default() },
        };
        Ok(CodeMemory {
            arena: Arc::new(Arena {
                function_align: align as u32,
                blocks: Mutex::new(blocks),
                _frames: FrameTable::register(start, len),
                _object_file: ObjectFile::register(start, len),
                pages,
            }),
        })
    }

    /// The addresses that code can have.
    pub fn range(&self) -> Range<usize> {
        let start = self.arena.pages.execute() as usize;
        start..start + self.arena.pages.len()
    }

    /// How much is in use.
    pub fn stats(&self) -> CodeStats {
        self.arena.blocks.lock().stats
    }

    /// Takes a block of at least `len` bytes; none if there is no room within the budget.
    pub(crate) fn alloc(&self, len: usize, align: u32) -> Option<NewBlock> {
        let size = u32::try_from(len.max(1)).ok()?.checked_next_multiple_of(GRANULE)?;
        let mut blocks = self.arena.blocks.lock();
        let offset = blocks.free.alloc(size, align.max(self.arena.function_align))?;
        let stats = &mut blocks.stats;
        stats.used += size as usize;
        stats.peak = stats.peak.max(stats.used);
        stats.blocks += 1;
        Some(NewBlock(CodeBlock { arena: Arc::clone(&self.arena), offset, size, len }))
    }

    /// Publishes code that needs no linking, such as entry stubs, at a multiple of `align`.
    /// Gives none if there is no room within the budget, or `align` is not a power of two.
    pub fn publish(&self, code: &[u8], align: u32) -> Option<CodeBlock> {
        if !align.is_power_of_two() {
            return None;
        }
        let mut block = self.alloc(code.len(), align)?;
        block.bytes()[..code.len()].copy_from_slice(code);
        Some(block.publish())
    }
}

/// A block that is being written and not yet executed.
#[derive(Debug)]
pub(crate) struct NewBlock(CodeBlock);

impl NewBlock {
    /// Where the block will be executed.
    pub(crate) fn start(&self) -> usize {
        self.0.start() as usize
    }

    /// The block's bytes, through the writable view.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        let block = &mut self.0;
        // SAFETY: the block lies within the arena, and its bytes belong to this block alone, which
        // nobody executes yet.
        unsafe {
            let start = block.arena.pages.write().add(block.offset as usize);
            std::slice::from_raw_parts_mut(start, block.len)
        }
    }

    /// Makes the block ready to be executed by all cores.
    pub(crate) fn publish(self) -> CodeBlock {
        mapping::synchronize_cores();
        self.0
    }
}

/// Published code. It is freed when this is dropped; whoever calls into it, which is unsafe, sees
/// to it that the block stays until the code has been left.
#[derive(Debug)]
pub struct CodeBlock {
    arena: Arc<Arena>,
    offset: u32,
    size: u32,
    len: usize,
}

impl CodeBlock {
    /// Address of the first byte.
    pub fn start(&self) -> *const u8 {
        self.arena.pages.execute().wrapping_add(self.offset as usize)
    }

    /// Length of the code in bytes, veneers included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The addresses of the code.
    pub fn range(&self) -> Range<usize> {
        let start = self.start() as usize;
        start..start + self.len
    }

    /// The code as it was linked.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the block is this object's, lies within the arena, and is not written any more.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    /// Frees the block, as dropping it does.
    pub fn free(self) {}
}

impl Drop for CodeBlock {
    fn drop(&mut self) {
        // SAFETY: the block lies within the arena, is this object's, and is not executed any more.
        unsafe {
            let start = self.arena.pages.write().add(self.offset as usize);
            start.write_bytes(FREED, self.size as usize);
        }
        let mut blocks = self.arena.blocks.lock();
        blocks.free.free(self.offset, self.size);
        blocks.stats.used -= self.size as usize;
        blocks.stats.blocks -= 1;
    }
}
