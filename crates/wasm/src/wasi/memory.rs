//! The guest's memory as functions see it: pointers and lengths are checked, everything is little
//! endian and without alignment.

use super::errno::{Errno, Result};
use smallvec::SmallVec;
use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;

/// Most buffers that one call reads or writes; what the guest offers beyond is left for its next
/// call, which a short count announces.
const MAX_BUFFERS: usize = 64;

/// The bytes of the calling instance's memory.
pub(crate) struct Memory<'a>(pub &'a mut [u8]);

/// The buffers of one call.
pub(crate) type Ranges = SmallVec<[Range<usize>; 8]>;

impl Memory<'_> {
    /// `len` bytes from `at` on, as a range that lies inside.
    pub fn range(&self, at: u32, len: u32) -> Result<Range<usize>> {
        let (start, len) = (at as usize, len as usize);
        match start.checked_add(len) {
            Some(end) if end <= self.0.len() => Ok(start..end),
            _ => Err(Errno::Fault),
        }
    }

    pub fn bytes(&self, at: u32, len: u32) -> Result<&[u8]> {
        let range = self.range(at, len)?;
        Ok(&self.0[range])
    }

    pub fn bytes_mut(&mut self, at: u32, len: u32) -> Result<&mut [u8]> {
        let range = self.range(at, len)?;
        Ok(&mut self.0[range])
    }

    pub fn write(&mut self, at: u32, bytes: &[u8]) -> Result {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
        self.bytes_mut(at, len)?.copy_from_slice(bytes);
        Ok(())
    }

    pub fn write_u32(&mut self, at: u32, value: u32) -> Result {
        self.write(at, &value.to_le_bytes())
    }

    pub fn write_u64(&mut self, at: u32, value: u64) -> Result {
        self.write(at, &value.to_le_bytes())
    }

    /// A count of bytes that fits a u32, since the guest's buffers did.
    pub fn write_len(&mut self, at: u32, len: usize) -> Result {
        self.write_u32(at, u32::try_from(len).map_err(|_| Errno::Overflow)?)
    }

    /// The buffers of a list of `(address, length)`, those of no bytes left out. All of the list
    /// is checked, though only the first few buffers are given.
    pub fn buffers(&self, list: u32, count: u32) -> Result<Ranges> {
        let list_len = count.checked_mul(8).ok_or(Errno::Inval)?;
        let list = self.bytes(list, list_len)?;
        let mut total = 0_u32;
        let mut ranges = Ranges::new();
        for entry in list.chunks_exact(8) {
            let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| entry[at + i]));
            let (at, len) = (word(0), word(4));
            let range = self.range(at, len)?;
            total = total.checked_add(len).ok_or(Errno::Inval)?;
            if len > 0 && ranges.len() < MAX_BUFFERS {
                ranges.push(range);
            }
        }
        Ok(ranges)
    }

    /// Buffers to write from.
    pub fn sources(&self, ranges: &Ranges) -> SmallVec<[IoSlice<'_>; 8]> {
        ranges.iter().map(|range| IoSlice::new(&self.0[range.clone()])).collect()
    }

    /// Buffers to read into. Where they overlap only the first is given, so that the read is
    /// short.
    pub fn targets(&mut self, ranges: &Ranges) -> SmallVec<[IoSliceMut<'_>; 8]> {
        let mut order: SmallVec<[usize; 8]> = (0..ranges.len()).collect();
        order.sort_unstable_by_key(|&index| ranges[index].start);
        let disjoint = order.windows(2).all(|pair| ranges[pair[0]].end <= ranges[pair[1]].start);
        if !disjoint {
            order.clear();
            order.push(0);
        }
        let mut rest = &mut *self.0;
        let mut passed = 0;
        let mut parts: SmallVec<[(usize, &mut [u8]); 8]> = SmallVec::new();
        for index in order {
            let range = ranges[index].clone();
            let (_, from) = rest.split_at_mut(range.start - passed);
            let (part, behind) = from.split_at_mut(range.len());
            parts.push((index, part));
            rest = behind;
            passed = range.end;
        }
        parts.sort_unstable_by_key(|(index, _)| *index);
        parts.into_iter().map(|(_, part)| IoSliceMut::new(part)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory of 64 bytes with a list of buffers at 0.
    fn with_list(list: &[(u32, u32)]) -> [u8; 64] {
        let mut bytes = [0; 64];
        let mut memory = Memory(&mut bytes);
        for (i, &(at, len)) in list.iter().enumerate() {
            memory.write_u32(i as u32 * 8, at).expect("fits");
            memory.write_u32(i as u32 * 8 + 4, len).expect("fits");
        }
        bytes
    }

    #[test]
    fn ranges_end_with_the_memory() {
        let mut bytes = [0; 64];
        let mut memory = Memory(&mut bytes);
        assert_eq!(memory.range(60, 4), Ok(60..64));
        assert_eq!(memory.range(64, 0), Ok(64..64));
        assert_eq!(memory.range(61, 4), Err(Errno::Fault));
        assert_eq!(memory.range(65, 0), Err(Errno::Fault));
        assert_eq!(memory.range(u32::MAX, u32::MAX), Err(Errno::Fault));
        assert_eq!(memory.write_u64(57, 1), Err(Errno::Fault));
        assert_eq!(memory.bytes(u32::MAX - 1, 4), Err(Errno::Fault));
    }

    #[test]
    fn lists_of_buffers_are_checked_as_a_whole() {
        let mut bytes = with_list(&[(32, 4), (40, 0), (60, 5)]);
        let memory = Memory(&mut bytes);
        assert_eq!(
            memory.buffers(0, 2).expect("valid").as_slice(),
            std::slice::from_ref(&(32..36))
        );
        assert_eq!(memory.buffers(0, 3), Err(Errno::Fault));
        assert_eq!(memory.buffers(48, 3), Err(Errno::Fault));
        assert_eq!(memory.buffers(0, u32::MAX), Err(Errno::Inval));
    }

    #[test]
    fn targets_keep_the_order_of_the_list() {
        let mut bytes = with_list(&[(40, 2), (32, 3), (36, 4)]);
        let mut memory = Memory(&mut bytes);
        let ranges = memory.buffers(0, 3).expect("valid");
        let lens = |memory: &mut Memory<'_>, ranges| {
            memory.targets(ranges).iter().map(|part| part.len()).collect::<Vec<_>>()
        };
        assert_eq!(lens(&mut memory, &ranges), [2, 3, 4]);
        memory.targets(&ranges)[1].fill(7);
        assert_eq!(memory.0[32..36], [7, 7, 7, 0]);
        // Overlapping.
        let mut bytes = with_list(&[(40, 5), (36, 5)]);
        let mut memory = Memory(&mut bytes);
        let ranges = memory.buffers(0, 2).expect("valid");
        assert_eq!(lens(&mut memory, &ranges), [5]);
        assert_eq!(lens(&mut memory, &Ranges::new()), Vec::<usize>::new());
    }
}
