//! Counters and type feedback of one function: what T0 and T1 write and the policy and the
//! optimizer read.
//!
//! A function's feedback is one allocation: a header, then a [`LoopFeedback`] for each loop
//! header, a [`SiteFeedback`] for each feedback site and, where block counts are on, a 64-bit
//! count for each block. Everything is written with relaxed loads and stores; lost counts are
//! harmless. Budgets count down and call the engine when they pass below zero, which sets them
//! anew, so that the hot path is one decrement and one branch.

use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{Block, Function, LoopId, SiteId};
use serde::{Deserialize, Serialize};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Header of a function's feedback.
#[repr(C)]
pub struct FuncFeedback {
    /// Calls left until [`Helper::CallHot`](crate::Helper::CallHot).
    pub call_budget: AtomicI32,
    /// What `call_budget` was last set to.
    pub call_reload: AtomicI32,
    /// Calls counted up to when `call_budget` was last set.
    pub calls: AtomicU64,
}

impl FuncFeedback {
    /// Offset of [`FuncFeedback::call_budget`].
    pub const CALL_BUDGET: u32 = offset_of!(FuncFeedback, call_budget) as u32;
}

/// Counters of a loop.
#[repr(C)]
pub struct LoopFeedback {
    /// Back edges left until [`Helper::LoopHot`](crate::Helper::LoopHot). T1 counts how often the
    /// header runs instead, which is once more for each time that the loop is entered; of small
    /// loops that it lays down several times, it may miss the last few runs.
    pub budget: AtomicI32,
    /// What `budget` was last set to.
    pub reload: AtomicI32,
    /// Back edges counted up to when `budget` was last set.
    pub count: AtomicU64,
}

/// What a feedback site saw. For indirect calls, which only T0 records (in T1 it cost a program
/// that does little else a third of its time): the first four targets among the functions of the
/// caller's instance, each with how often it was called ([`SiteFeedback::record_target`]); the rest
/// is counted in `other`. For dialect operations, the handler decides what the words mean.
#[repr(C)]
pub struct SiteFeedback {
    /// First target, or the handler's first word.
    pub word0: AtomicU64,
    /// Second target, or the handler's second word.
    pub word1: AtomicU64,
    /// Third target, or the handler's third word.
    pub word2: AtomicU64,
    /// Fourth target, or the handler's fourth word.
    pub word3: AtomicU64,
    /// How often any other target was called.
    pub other: AtomicU64,
}

impl SiteFeedback {
    /// Records a target of an indirect call, a function of the caller's own instance: a word has the
    /// function's index plus one in its upper half and a count in its lower half, and is 0 before.
    pub fn record_target(&self, func: u32) {
        let key = (u64::from(func) + 1) << 32;
        for word in [&self.word0, &self.word1, &self.word2, &self.word3] {
            let seen = word.load(Ordering::Relaxed);
            if seen == 0 || (seen ^ key) >> 32 == 0 {
                let full = seen as u32 == u32::MAX;
                word.store((seen | key) + u64::from(!full), Ordering::Relaxed);
                return;
            }
        }
        bump(&self.other);
    }

    /// Records a call of a function of another instance.
    pub fn record_other(&self) {
        bump(&self.other);
    }
}

fn bump(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// Where the parts of a function's feedback stand, in bytes from its start.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedbackLayout {
    /// Number of loops.
    pub loops: u32,
    /// Number of sites.
    pub sites: u32,
    /// Number of block counts (0 where they are off).
    pub blocks: u32,
}

impl FeedbackLayout {
    const LOOPS: u32 = size_of::<FuncFeedback>() as u32;

    /// The layout for a register-form function.
    pub fn of(func: &Function, headers: &LoopHeaders, block_counts: bool) -> FeedbackLayout {
        FeedbackLayout {
            loops: headers.headers().len() as u32,
            sites: func.num_sites,
            blocks: if block_counts { func.blocks.len() as u32 } else { 0 },
        }
    }

    /// The layout for a register-form function, with its loops computed.
    pub fn compute(func: &Function, block_counts: bool) -> FeedbackLayout {
        let headers = LoopHeaders::compute(func, &Cfg::compute(func));
        FeedbackLayout::of(func, &headers, block_counts)
    }

    /// Offset of a loop's [`LoopFeedback`]; its budget is the first field.
    pub fn loop_offset(&self, id: LoopId) -> u32 {
        Self::LOOPS + id.as_u32() * size_of::<LoopFeedback>() as u32
    }

    /// Offset of a site's [`SiteFeedback`].
    pub fn site_offset(&self, id: SiteId) -> u32 {
        Self::LOOPS
            + self.loops * size_of::<LoopFeedback>() as u32
            + id.as_u32() * size_of::<SiteFeedback>() as u32
    }

    /// Offset of a block's 64-bit count; none where block counts are off.
    pub fn block_offset(&self, block: Block) -> Option<u32> {
        (block.as_u32() < self.blocks)
            .then(|| self.site_offset(SiteId::from_u32(self.sites)) + block.as_u32() * 8)
    }

    fn size(&self) -> usize {
        (self.site_offset(SiteId::from_u32(self.sites)) + self.blocks * 8) as usize
    }
}

/// An owned feedback allocation.
pub struct Feedback {
    start: NonNull<FuncFeedback>,
    layout: FeedbackLayout,
}

// SAFETY: all fields of the allocation are atomics, and it lives as long as the `Feedback`.
unsafe impl Send for Feedback {}
// SAFETY: as above.
unsafe impl Sync for Feedback {}

impl Feedback {
    fn alloc_layout(layout: &FeedbackLayout) -> Layout {
        Layout::from_size_align(layout.size(), 64).expect("feedback is far below isize::MAX")
    }

    /// Allocates feedback with all budgets at their reload values.
    pub fn new(layout: FeedbackLayout, call_reload: i32, loop_reload: i32) -> Feedback {
        let alloc = Self::alloc_layout(&layout);
        // SAFETY: the size is at least that of the header, hence not zero.
        let start = unsafe { alloc_zeroed(alloc) }.cast::<FuncFeedback>();
        let Some(start) = NonNull::new(start) else { handle_alloc_error(alloc) };
        let feedback = Feedback { start, layout };
        feedback.header().call_budget.store(call_reload, Ordering::Relaxed);
        feedback.header().call_reload.store(call_reload, Ordering::Relaxed);
        for id in 0..layout.loops {
            let counters = feedback.loop_feedback(LoopId::from_u32(id));
            counters.budget.store(loop_reload, Ordering::Relaxed);
            counters.reload.store(loop_reload, Ordering::Relaxed);
        }
        feedback
    }

    /// The layout.
    pub fn layout(&self) -> &FeedbackLayout {
        &self.layout
    }

    /// Address of the first byte.
    pub fn as_ptr(&self) -> *mut FuncFeedback {
        self.start.as_ptr()
    }

    /// The header.
    pub fn header(&self) -> &FuncFeedback {
        // SAFETY: the allocation starts with a header of atomics, zero being valid for them.
        unsafe { self.start.as_ref() }
    }

    fn at<T>(&self, offset: u32) -> &T {
        debug_assert!(offset as usize + size_of::<T>() <= self.layout.size());
        // SAFETY: private; called with offsets of `self.layout` for the type that stands there.
        unsafe { &*self.start.as_ptr().cast::<u8>().add(offset as usize).cast::<T>() }
    }

    /// The counters of a loop.
    ///
    /// # Panics
    /// If there is no such loop.
    pub fn loop_feedback(&self, id: LoopId) -> &LoopFeedback {
        assert!(id.as_u32() < self.layout.loops);
        self.at(self.layout.loop_offset(id))
    }

    /// What a site saw.
    ///
    /// # Panics
    /// If there is no such site.
    pub fn site(&self, id: SiteId) -> &SiteFeedback {
        assert!(id.as_u32() < self.layout.sites);
        self.at(self.layout.site_offset(id))
    }

    /// Lowers the budgets of loops that have more than `budget` left, without touching what they
    /// have counted.
    pub fn cap_loop_budgets(&self, budget: i32) {
        for id in 0..self.layout.loops {
            let counters = self.loop_feedback(LoopId::from_u32(id));
            let left = counters.budget.load(Ordering::Relaxed);
            if left > budget {
                let reload = counters.reload.load(Ordering::Relaxed);
                counters.reload.store(reload - (left - budget), Ordering::Relaxed);
                counters.budget.store(budget, Ordering::Relaxed);
            }
        }
    }

    /// How often a block ran in T0 and T1, where that is counted.
    pub fn block_count(&self, block: Block) -> Option<u64> {
        let offset = self.layout.block_offset(block)?;
        Some(self.at::<AtomicU64>(offset).load(Ordering::Relaxed))
    }

    /// Calls counted so far, in T0 and T1.
    pub fn calls(&self) -> u64 {
        let header = self.header();
        counted(&header.calls, &header.call_reload, &header.call_budget)
    }

    /// Back edges of a loop counted so far, in T0 and T1.
    pub fn loop_count(&self, id: LoopId) -> u64 {
        let counters = self.loop_feedback(id);
        counted(&counters.count, &counters.reload, &counters.budget)
    }
}

/// What a counter with a budget has counted in all.
fn counted(total: &AtomicU64, reload: &AtomicI32, budget: &AtomicI32) -> u64 {
    let used =
        i64::from(reload.load(Ordering::Relaxed)) - i64::from(budget.load(Ordering::Relaxed));
    total.load(Ordering::Relaxed).saturating_add_signed(used)
}

impl Drop for Feedback {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.start.as_ptr().cast(), Self::alloc_layout(&self.layout)) }
    }
}
