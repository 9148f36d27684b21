//! Inlining.
//!
//! Runs on functions as SSA construction made them, with their resume states: a deoptimization
//! inside a copied callee must rebuild the frames of all callers. First a plan is made (`plan`):
//! which calls of which templates are replaced, guided by block counts or a static estimate, within
//! budgets; then all templates of the plan are copied into one function in one pass (`emit`), so
//! that the cost is linear in the result. Where recursion has come to its bounds, only the test for
//! the base case may be copied (`head`). Templates are made once in a compilation however often
//! they are copied. Functions of the host are never inlined.
//!
//! Copied instructions carry the inlined call they belong to ([`cupola_ir::InlinedCall`]); that of
//! a dialect instruction tells whose feedback its site index refers to.
//!
//! Before:
//! ```text
//! func %twice(n: i32) -> i32 {
//! block0:
//!   r = i32.add n, n
//!   return r
//! }
//! func %f(a: i32) -> i32 {
//! block0:
//!   x = call %twice(a)
//!   y = call %twice(x)
//!   return y
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(a: i32) -> i32 {
//! block0:
//!   x = i32.add a, a
//!   y = i32.add x, x
//!   return y
//! }
//! ```

mod emit;
mod frequency;
mod head;
mod plan;
mod template;
mod unit;

pub use plan::InlineTuning;
pub use template::Template;
pub use unit::construct;

use cupola_ir::{FuncId, Function};
use std::rc::Rc;

/// Inlines into `root` what `tuning` allows; gives also how many calls were. `templates` gives the
/// template of a function that the module defines, none if it cannot be made; it is asked again for
/// each call of the function, so that it should keep what it made.
pub fn inline(
    root: Rc<Template>,
    tuning: &InlineTuning,
    templates: &mut dyn FnMut(FuncId) -> Option<Rc<Template>>,
) -> (Function, usize) {
    let plan = plan::plan(root, tuning, templates);
    let inlined = plan.nodes[1..].iter().filter(|node| !node.template.is_head).count();
    (emit::emit(&plan), inlined)
}
