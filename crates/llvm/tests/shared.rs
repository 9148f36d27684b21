//! What the other code generators are tested by, on this one: every opcode against its evaluation
//! function, calls, memory, loops, deoptimization.
#![expect(clippy::duplicate_mod, reason = "each file of tests brings what is common to them")]

#[path = "../../cranelift/tests/calls.rs"]
mod calls;
#[path = "../../cranelift/tests/memory.rs"]
mod memory;
#[path = "../../cranelift/tests/ops.rs"]
mod ops;
#[path = "../../cranelift/tests/transitions.rs"]
mod transitions;
#[path = "../../cranelift/tests/vector_calls.rs"]
mod vector_calls;
#[path = "../../cranelift/tests/vector_memory.rs"]
mod vector_memory;
#[path = "../../cranelift/tests/vectors.rs"]
mod vectors;
