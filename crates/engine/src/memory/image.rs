//! Initial contents of memories that instances share until they write to them.
//!
//! A file in memory for each memory with much data holds what the data segments put there, at the
//! same offsets; instances map it privately, so that a page is copied when it is first written
//! (`memfd_create`, `MAP_PRIVATE`). The first instance of a module is filled by copying: making
//! the file costs as much as that, and most modules are instantiated once. Little data is always
//! copied.

use cupola_ir::{MemId, Module};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::{self, pwrite};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Data of fewer bytes is copied: mapping and the faults of the first accesses cost as much as
/// that (`cargo run --release -p cupola --example instantiation`).
const LEAST_DATA: usize = 64 << 10;

/// Two ranges of data with less than this between them are mapped as one.
const LEAST_GAP: usize = 256 << 10;

/// The initial contents of one memory.
pub(crate) struct Image {
    file: OwnedFd,
    /// The bytes that the file holds, in whole pages, in order; between them are zeros.
    ranges: Vec<Range<usize>>,
}

impl Image {
    fn of(module: &Module, memory: MemId) -> io::Result<Option<Image>> {
        let segments = || module.data.iter().filter(|data| data.memory == memory);
        if segments().map(|data| data.bytes.len()).sum::<usize>() < LEAST_DATA {
            return Ok(None);
        }
        let page = rustix::param::page_size();
        let mut ranges: Vec<Range<usize>> = segments()
            .filter(|data| !data.bytes.is_empty())
            .map(|data| {
                let start = data.offset as usize;
                let end = start + data.bytes.len();
                start / page * page..end.next_multiple_of(page)
            })
            .collect();
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup_by(|next, range| {
            let near = next.start < range.end + LEAST_GAP;
            if near {
                range.end = range.end.max(next.end);
            }
            near
        });
        let file = memfd_create("cupola-memory", MemfdFlags::CLOEXEC)?;
        ftruncate(&file, ranges.last().map_or(0, |range| range.end) as u64)?;
        for data in segments() {
            let (mut bytes, mut at) = (&data.bytes[..], data.offset);
            while !bytes.is_empty() {
                let written = pwrite(&file, bytes, at)?;
                (bytes, at) = (&bytes[written..], at + written as u64);
            }
        }
        Ok(Some(Image { file, ranges }))
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.ranges.iter().cloned()
    }
}

/// The images of a module's memories, made when it is instantiated for the second time.
#[derive(Default)]
pub(crate) struct Images {
    instantiated: AtomicBool,
    images: OnceLock<Vec<Option<Image>>>,
}

impl Images {
    /// To be called once for each instance: the images by memory; none if memories are to be filled
    /// by copying.
    pub fn for_instance(&self, module: &Module) -> &[Option<Image>] {
        if module.data.is_empty() || !self.instantiated.swap(true, Ordering::Relaxed) {
            return &[];
        }
        self.images.get_or_init(|| {
            // Where the system does not let us have files in memory, copying still works.
            module.memories.keys().map(|id| Image::of(module, id).ok().flatten()).collect()
        })
    }
}
