//! Cupola beside other engines.
//!
//! - [`check_seed`]: a generated WebAssembly module does the same in Cupola in all modes, in wasmi
//!   and in wasmtime: results, traps, globals, memories, tables, and what the host is called with.
//!
//! None of this is part of the engine; a package of its own, so that only its tests need the other
//! engines.

mod batch;
mod compare;
mod guest;
mod host;
mod random;
mod subject;
mod value;

pub use batch::check_seeds;
pub use compare::{Mismatch, Stats, check_seed};
pub use guest::Engine;
