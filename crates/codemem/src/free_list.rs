//! Which parts of an arena are free: best fit, the lowest address among equals, neighbours
//! coalesced at once. Pure bookkeeping of offsets.

use std::collections::{BTreeMap, BTreeSet};

/// Unit of sizes and positions, in bytes.
pub(crate) const GRANULE: u32 = 16;

/// The free parts of an arena.
#[derive(Debug)]
pub(crate) struct FreeList {
    /// Size of each free part, by its start.
    by_start: BTreeMap<u32, u32>,
    /// `(size, start)` of each.
    by_size: BTreeSet<(u32, u32)>,
}

impl FreeList {
    /// An arena of `size` bytes, all free; a multiple of the granule.
    pub(crate) fn new(size: u32) -> FreeList {
        let mut list = FreeList { by_start: BTreeMap::new(), by_size: BTreeSet::new() };
        list.insert(0, size);
        list
    }

    fn insert(&mut self, start: u32, size: u32) {
        if size > 0 {
            self.by_start.insert(start, size);
            self.by_size.insert((size, start));
        }
    }

    fn remove(&mut self, start: u32, size: u32) {
        self.by_start.remove(&start);
        self.by_size.remove(&(size, start));
    }

    /// Takes `size` bytes (a multiple of the granule) at a multiple of `align` (a power of two, at
    /// least the granule).
    pub(crate) fn alloc(&mut self, size: u32, align: u32) -> Option<u32> {
        let (found, found_size, start) =
            self.by_size.range((size, 0)..).find_map(|&(found_size, found)| {
                let start = found.checked_next_multiple_of(align)?;
                (start - found <= found_size - size).then_some((found, found_size, start))
            })?;
        self.remove(found, found_size);
        self.insert(found, start - found);
        self.insert(start + size, found + found_size - (start + size));
        Some(start)
    }

    /// Gives back what [`FreeList::alloc`] gave.
    pub(crate) fn free(&mut self, mut start: u32, mut size: u32) {
        if let Some((&before, &before_size)) = self.by_start.range(..start).next_back() {
            debug_assert!(before + before_size <= start, "freed twice");
            if before + before_size == start {
                self.remove(before, before_size);
                (start, size) = (before, before_size + size);
            }
        }
        if let Some((&after, &after_size)) = self.by_start.range(start + size..).next()
            && after == start + size
        {
            self.remove(after, after_size);
            size += after_size;
        }
        self.insert(start, size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Alloc { granules: u32, align_bits: u32 },
        Free(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1..40u32, 4..9u32)
                .prop_map(|(granules, align_bits)| Step::Alloc { granules, align_bits }),
            any::<usize>().prop_map(Step::Free),
        ];
        prop::collection::vec(step, 1..300)
    }

    proptest! {
        /// Against a map of single granules: nothing overlaps, a request fails only if no free
        /// run of granules can hold it, and the free parts are exactly the maximal free runs.
        #[test]
        fn agrees_with_a_map_of_granules(steps in steps()) {
            const COUNT: u32 = 256;
            let mut list = FreeList::new(COUNT * GRANULE);
            let mut used = vec![false; COUNT as usize];
            let mut live: Vec<(u32, u32)> = Vec::new();
            for step in steps {
                match step {
                    Step::Alloc { granules, align_bits } => {
                        let (size, align) = (granules * GRANULE, 1 << align_bits);
                        let fits = |at: u32| {
                            at.is_multiple_of(align)
                                && at + size <= COUNT * GRANULE
                                && (at..at + size)
                                    .step_by(GRANULE as usize)
                                    .all(|byte| !used[(byte / GRANULE) as usize])
                        };
                        match list.alloc(size, align) {
                            Some(at) => {
                                prop_assert!(fits(at));
                                for granule in at / GRANULE..(at + size) / GRANULE {
                                    used[granule as usize] = true;
                                }
                                live.push((at, size));
                            }
                            None => prop_assert!(!(0..COUNT).any(|granule| fits(granule * GRANULE))),
                        }
                    }
                    Step::Free(choice) if !live.is_empty() => {
                        let (at, size) = live.swap_remove(choice % live.len());
                        list.free(at, size);
                        for granule in at / GRANULE..(at + size) / GRANULE {
                            used[granule as usize] = false;
                        }
                    }
                    Step::Free(_) => {}
                }
                let mut runs = Vec::new();
                let mut granule = 0;
                while granule < COUNT {
                    let start = granule;
                    while granule < COUNT && !used[granule as usize] {
                        granule += 1;
                    }
                    if granule > start {
                        runs.push((start * GRANULE, (granule - start) * GRANULE));
                    }
                    granule += 1;
                }
                let parts: Vec<_> = list.by_start.iter().map(|(&start, &size)| (start, size)).collect();
                prop_assert_eq!(parts, runs);
                prop_assert_eq!(list.by_start.len(), list.by_size.len());
            }
        }
    }
}
