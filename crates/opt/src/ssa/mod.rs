//! SSA form: construction from the register form, with the hooks that speculation needs, and what
//! passes share to edit it.
//!
//! In this crate a function in SSA form always has [`layout`](cupola_ir::Function::layout) set: the
//! live blocks, the entry first. A pass that makes a block adds it there, one that removes a block
//! takes it out; until the layout pass its order is that of construction, a reverse postorder.

mod construct;
mod edges;
mod exits;

pub use construct::{ConstructOptions, Ticks, construct};
pub use edges::{Incoming, Renames, remove_params, remove_redundant_params};
pub use exits::{ResumeState, SsaInfo};
