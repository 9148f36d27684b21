//! T3 on LLVM: the peak code generator.
//!
//! Optimized SSA form, the same that T2 gets, is translated to LLVM's (`lower`), run through
//! LLVM's own pipeline for the chosen level, and emitted as an object file in memory, from which
//! `object` makes an artifact: one blob of code and constants, with the few relocations that the
//! engine's linker places. Anything else in an object is an error, so code that would need a
//! library never gets out.
//!
//! - *Semantics.* Nothing that Cupola defines is undefined to LLVM: shift counts are masked,
//!   divisions and conversions checked before, no flag that promises the absence of overflow, no
//!   fast-math. Stores in front of a trap stay, because a trap is a call that may read memory.
//! - *Traps* are calls of functions that do not exist, one for each code and position. In the
//!   object each of them is a relocation, which tells where the call is and what it means; the
//!   call's bytes become an undefined instruction.
//! - *Accesses out of bounds* of a guarded memory fault. Which instructions may is found by decoding
//!   the code.
//! - *Source positions* of calls come from the line table: the line number is an index of the
//!   unit's positions.
//! - *Calling convention*, stack checks, deoptimization exits and entries at loops are as
//!   `cupola_runtime::abi` and T2 have them. Frame pointers are kept, and no call becomes a jump:
//!   recursion that does not end must meet the stack limit.
//!
//! `cupola` runs this in a process of its own (`cupola-worker`, and this crate's executable), so that
//! nothing that happens to LLVM happens to the program, and start-up does not pay for loading it.
//! An embedder that prefers one process switches on the engine's feature `llvm`, or adds the code
//! generator as those of other tiers; the code is the same. Then there is no deadline and no limit on memory, and what ends LLVM ends the
//! program; a panic is caught.
//!
//! ```
//! use cupola::{Config, Dialects, Engine, Imports, Instance, Mode, Module, Store, Tier, Value};
//! use cupola_runtime::OptLevel;
//!
//! let mut config = Config::new()
//!     .with_generator(cupola_cranelift::baseline())
//!     .with_generator(cupola_cranelift::optimizing())
//!     .with_generator(cupola_llvm::peak(OptLevel::O3));
//! // So that a single call shows it; `Mode::Auto` takes what is hot to T3.
//! config.mode = Mode::Only(Tier::T3);
//! let engine = Engine::new(config)?;
//! let text = "export func %triple(n: i64) -> i64 {
//! block0:
//!   three = i64.const 3
//!   r = i64.mul n, three
//!   return r
//! }";
//! let module = Module::from_text(&engine, "triple.cir", text, &Dialects::new())?;
//! let mut store = Store::new(&engine);
//! let instance = Instance::new(&mut store, &module, &Imports::new())?;
//! assert_eq!(instance.call(&mut store, "triple", &[Value::I64(14)])?, [Value::I64(42)]);
//! assert!(module.report().to_table(1).contains("llvm-O3"));
//! # Ok::<(), cupola::Error>(())
//! ```
//!
//! Building this needs LLVM 22 (Debian: `llvm-22-dev libpolly-22-dev zlib1g-dev libzstd-dev`), whose
//! `llvm-config-22` is looked for on the path, or where `LLVM_SYS_221_PREFIX` says.
//!
//! What is not here: unwind tables, and the process in which the engine runs this.

mod artifact;
mod error;
mod generator;
mod lower;
mod object;
mod positions;
mod symbols;
mod target;

pub use generator::Generator;

use cupola_runtime::{CodeGenerator, OptLevel};
use std::sync::Arc;

/// The code generator of T3.
///
/// # Panics
/// If LLVM does not support the host; [`Generator::new`] gives an error instead.
pub fn peak(level: OptLevel) -> Arc<dyn CodeGenerator> {
    Arc::new(Generator::new(level).expect("the host is supported by LLVM"))
}
