//! What a code generator makes: relocatable, serializable machine code with all that the engine
//! has to know about it. No absolute address and no heap pointer is in it.

use crate::helpers::Helper;
use crate::tier::Tier;
use cupola_ir::{EntryKind, FrameState, FuncId, InlineSite, InlinedCall, SrcLoc, TrapCode};
use serde::{Deserialize, Serialize};

/// What a relocation refers to.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Symbol {
    /// The artifact's own first byte.
    SelfStart,
    /// A runtime helper's entry thunk.
    Helper(Helper),
    /// The feedback of a function of the module.
    Feedback(FuncId),
    /// The number under which the engine knows this code, as a value and not as an address.
    CodeId,
}

/// How a relocation is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RelocKind {
    /// The 64-bit value, plus the addend.
    Abs8,
    /// The 32-bit distance from the relocated place, plus the addend. The linker places a veneer
    /// where the target of a call is too far away.
    PcRel4,
}

/// A place in the code that the linker has to fill in.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloc {
    /// Where, in bytes from the start of the code.
    pub offset: u32,
    /// How.
    pub kind: RelocKind,
    /// With what.
    pub symbol: Symbol,
    /// Added to it.
    pub addend: i64,
}

/// An instruction that traps by faulting.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrapSite {
    /// Where the faulting instruction starts, in bytes from the start of the code.
    pub offset: u32,
    /// What it means. [`TrapCode::StackOverflow`] stands for an interruption if one was asked for.
    pub code: TrapCode,
}

/// From `offset` to the next entry, the code stands for this source position.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionSite {
    /// Where the range starts, in bytes from the start of the code.
    pub offset: u32,
    /// The source position, in the function that `inline_site` names (none: the function whose
    /// code this is).
    pub loc: SrcLoc,
    /// The inlined call that the code was copied from.
    pub inline_site: Option<InlineSite>,
    /// The activations that the code stands for have gone on elsewhere (in T0 after a
    /// deoptimization, or in code entered at a loop): backtraces find them there.
    pub moved_on: bool,
}

/// A further function of an artifact, entered by calls.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The function.
    pub func: FuncId,
    /// Where it is entered and its code starts, in bytes from the start of the code. The code of
    /// each function of an artifact stands in one piece.
    pub offset: u32,
}

/// What can be known about a compiled function, or several compiled as a unit: the code and the
/// tables beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Artifact {
    /// The function.
    pub func: FuncId,
    /// The tier that it is code for.
    pub tier: Tier,
    /// The code generator that made it.
    pub generator: String,
    /// How it is entered, at the first byte of the code: by a call, with the native
    /// calling convention of the function's signature; or at a loop header, by a call with the
    /// context and the address of a T0 frame's slots, which returns the function's results.
    pub entry_kind: EntryKind,
    /// Other functions in the same code, sorted by offset.
    pub members: Vec<Member>,
    /// Machine code, then constants.
    pub code: Vec<u8>,
    /// Alignment of the first byte; a power of two, at most 64.
    pub align: u32,
    /// Relocations.
    pub relocs: Vec<Reloc>,
    /// Trapping instructions, sorted by offset.
    pub traps: Vec<TrapSite>,
    /// Source positions, sorted by offset.
    pub positions: Vec<PositionSite>,
    /// The table that `inline_site`s index.
    pub inlined: Vec<InlinedCall>,
    /// Deoptimization exits, by the number that the code hands to [`Helper::Deopt`]. The values
    /// are handed over in an array of slots, in the order of the frame state.
    pub deopts: Vec<FrameState>,
}
