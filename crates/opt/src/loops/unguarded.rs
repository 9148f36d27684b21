//! Lowering of those linear-memory accesses that the guard of a reserved memory does not cover.
//!
//! As `lower_memory`, for the pipeline of code that runs with reserved memories: what the guard
//! covers (32-bit addresses and offsets up to 2 GiB) stays one instruction, which traps by faulting
//! and has no check that could be merged or moved. Such a load is merged with an equal one, and
//! leaves a loop that writes no memory if it is certain to execute, like any other load that may
//! trap.
//!
//! Before:
//! ```text
//! memory $n i64 1
//! memory $m 1
//! ssa func %f(a: i32, b: i64) -> i32 {
//! block0:
//!   v = i32.load $m, a, offset=4
//!   w = i32.load $n, b, offset=65536
//!   x = i32.add v, w
//!   return x
//! }
//! ```
//! After:
//! ```text
//! memory $n i64 1
//! memory $m 1
//! ssa func %f(a: i32, b: i64) -> i32 {
//! block0:
//!   v = i32.load $m, a, offset=4
//!   len = memory.len $n
//!   reach = i64.const 65540
//!   limit = i64.sub len, reach
//!   above = i64.gt_u b, limit
//!   none = i64.gt_u reach, len
//!   out = i32.or none, above
//!   trap_if out, mem_oob
//!   base = memory.base $n
//!   p = i64.add base, b
//!   w = raw.i32.load p, offset=65536
//!   x = i32.add v, w
//!   return x
//! }
//! ```

use super::memory::lower;
use cupola_ir::{Function, Module};

/// Runs the pass.
pub fn run(func: &mut Function, module: &Module) {
    lower(func, module, |memory, reach| !memory.is_guarded(reach));
}
