//! T1 and T2 on Cranelift.
//!
//! Both tiers share one lowering from Cupola's instructions to Cranelift's (`lower`): T1 reads the
//! register form and leaves SSA construction to cranelift-frontend's variables, T2 reads SSA form
//! and maps registers to values one to one. They differ in the settings (T1: no optimization and
//! the single-pass register allocator; T2: `speed` and the backtracking one) and in what is woven
//! in: T1 counts calls, back edges and call targets, T2 polls for interruption in loops and has
//! deoptimization exits.
//!
//! Generated code follows `cupola_runtime::abi`, keeps frame pointers, and checks the stack limit
//! in every prologue that needs stack, with the size of its frame added, so that frames of any
//! size are safe without probing as long as the limit lies above the guard page.
//!
//! What is not here: unwind tables (the code memory describes all frames at once by their frame
//! pointers) and the linking of artifacts.

mod artifact;
mod generator;
mod lower;
mod symbols;

pub use generator::{Flags, Generator};

use cupola_runtime::CodeGenerator;
use std::sync::Arc;

/// The code generator of T1.
///
/// # Panics
/// If Cranelift does not support the host; [`Generator::baseline`] gives an error instead.
pub fn baseline() -> Arc<dyn CodeGenerator> {
    Arc::new(Generator::baseline(Flags::default()).expect("the host is supported by Cranelift"))
}

/// The code generator of T2.
///
/// # Panics
/// If Cranelift does not support the host; [`Generator::optimizing`] gives an error instead.
pub fn optimizing() -> Arc<dyn CodeGenerator> {
    Arc::new(Generator::optimizing(Flags::default()).expect("the host is supported by Cranelift"))
}
