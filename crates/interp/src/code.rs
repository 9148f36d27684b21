//! Encoded functions.

use crate::dispatch::{HEADER_SLOTS, Ip};
use cupola_ir::{FrameLayout, FuncId, Inst, SrcLoc};
use cupola_runtime::FuncFeedback;
use cupola_runtime::abi::NativeSig;

/// A function in T0's encoding.
///
/// It points to the function's [`Feedback`](cupola_runtime::Feedback), which has to outlive it,
/// and fits contexts of its module only.
#[repr(C)]
pub struct Code {
    // What calls need comes first, on one cache line.
    pub(crate) entry: Ip,
    /// Bytes of T0's stack from the first register on: registers, and room for the arguments
    /// and results of calls that leave T0.
    pub(crate) need: usize,
    pub(crate) feedback: *const FuncFeedback,
    pub(crate) func: FuncId,
    /// Bytes from the first register to that of a callee.
    pub(crate) advance: u32,
    /// The instruction that the outermost activation returns to.
    pub(crate) exit: Ip,
    pub(crate) words: Box<[u32]>,
    /// The function's own signature.
    pub(crate) sig: NativeSig,
    /// Where results of an entry at a loop header travel.
    pub(crate) osr: NativeSig,
    /// The signatures of calls.
    pub(crate) sigs: Box<[NativeSig]>,
    /// Place of the context's first memory, as a word; 0 if it has none.
    pub(crate) memory: u32,
    pub(crate) places: Places,
}

/// How instructions and encoded code belong together.
pub(crate) struct Places {
    /// The slots of registers.
    pub layout: FrameLayout,
    /// Where each instruction starts, by [`Inst`]; [`Places::NONE`] if it is not reachable.
    pub starts: Vec<u32>,
    /// Start and source position of the instructions that may trap or call, sorted.
    pub locs: Vec<(u32, SrcLoc)>,
}

impl Places {
    pub const NONE: u32 = u32::MAX;
}

// SAFETY: nothing in it changes, and what it points to beyond itself are atomics.
unsafe impl Send for Code {}
// SAFETY: as above.
unsafe impl Sync for Code {}

impl Code {
    /// The function.
    pub fn func(&self) -> FuncId {
        self.func
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Code>()
            + size_of_val(&*self.words)
            + size_of_val(&*self.sigs)
            + (self.places.starts.len() + self.places.layout.size() as usize) * size_of::<u32>()
            + self.places.locs.len() * size_of::<(u32, SrcLoc)>()
    }

    /// Where an instruction of the register form starts; none if it cannot be reached.
    pub(crate) fn start_of(&self, inst: Inst) -> Option<Ip> {
        let start = *self.places.starts.get(inst.as_u32() as usize)?;
        (start != Places::NONE).then(|| Ip(self.words.as_ptr()).skip(start as usize))
    }

    /// The source position of the instruction at `ip`, or, for a waiting call, of the one that
    /// `ip` lies in.
    pub(crate) fn loc_of(&self, ip: Ip, waiting: bool) -> SrcLoc {
        let offset = (ip.0 as usize - self.words.as_ptr() as usize) / size_of::<u32>();
        let end = offset + usize::from(!waiting);
        let locs = &self.places.locs;
        match locs.partition_point(|&(start, _)| (start as usize) < end).checked_sub(1) {
            Some(index) => locs[index].1,
            None => SrcLoc::UNKNOWN,
        }
    }

    /// Bytes of T0's stack that an outermost activation needs in front of its registers: an area
    /// for the results, and the header.
    pub(crate) fn base_bytes(&self) -> usize {
        (self.sig.result_slots() + HEADER_SLOTS) * size_of::<u64>()
    }
}
