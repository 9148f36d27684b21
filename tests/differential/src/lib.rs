//! Cupola beside other engines, and with damaged modules.
//!
//! - [`check_seed`]: a generated WebAssembly module does the same in Cupola in all modes, in wasmi
//!   and in wasmtime: results, traps, globals, memories, tables, and what the host is called with.
//! - [`check_damaged`]: a module that was valid and was damaged is loaded or refused, and what is
//!   left of it runs, without a panic, and without more memory than its size asks for.
//!
//! None of this is part of the engine; a package of its own, so that only its tests need the other
//! engines. `smith`, the executable, does both for long.

mod allocations;
mod batch;
mod compare;
mod damage;
pub mod fuzz;
mod guest;
mod host;
mod panics;
mod random;
mod subject;
mod value;

pub use batch::{Tally, check_seeds};
pub use compare::{Mismatch, Stats, check_seed};
pub use damage::{Damaged, Fault, check_bytes, check_damaged, damaged_module};
pub use guest::Engine;

/// The generated module of a seed.
pub fn module(seed: u64) -> Vec<u8> {
    subject::Subject::generate(seed).wasm
}
