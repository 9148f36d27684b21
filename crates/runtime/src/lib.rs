//! What all tiers of Cupola share: the context that code reaches its instance through, the native
//! calling convention, traps, feedback, helpers, artifacts, and the traits of the tiers.

pub mod abi;
pub mod arch;
mod artifact;
mod context;
mod feedback;
mod helper_impls;
mod helpers;
mod invoke;
mod processors;
mod services;
pub mod signals;
mod tier;
mod trap;
mod validate;
mod walk;

pub use artifact::{Artifact, Member, PositionSite, Reloc, RelocKind, Symbol, TrapSite};
pub use context::{
    ContextLayout, EntryRecord, Fault, FuncCell, Place, VmCallKey, VmContext, VmFuncRef, VmLimits,
    VmMemory, VmTable,
};
pub use feedback::{Feedback, FeedbackLayout, FuncFeedback, LoopFeedback, SiteFeedback};
pub use helpers::{Helper, HelperType};
pub use processors::spawn_elsewhere;
pub use services::Services;
pub use tier::{CodeGenerator, CodegenOptions, CompileError, CompileRequest, OptLevel, Tier};
pub use trap::{Frame, MAX_FRAMES, Trap, TrapKind};
pub use validate::validate;
pub use walk::walk_native;
