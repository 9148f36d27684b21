//! Executable memory and the linker: the only crate that maps executable memory.
//!
//! [`CodeMemory`] reserves one arena of pages that are mapped twice, to be written and to be
//! executed, and hands out [`CodeBlock`]s of it, each with an artifact's linked code.

mod free_list;
mod gdb;
mod link;
mod mapping;
mod memory;
pub mod perf_map;
mod unwind;

pub use link::LinkError;
pub use memory::{CodeBlock, CodeMemory, CodeMemoryConfig, CodeStats, MAX_BUDGET};
