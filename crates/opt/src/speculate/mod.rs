//! Guesses from the profile: which branches are assumed to go one way, and what dialect operations
//! are assumed to meet. A wrong guess leaves for the interpreter; it is not made again.

mod specialize;
pub mod targets;

pub use specialize::{SpecializeCx, Specializer, run};

use crate::Profile;
use cupola_ir::{Function, Inst, Op};

/// A branch is taken to be one-sided only if its other side ran at least so often.
pub const MIN_RUNS_OF_WARM_SIDE: u64 = 200;

/// Decides for one function what to speculate on.
#[derive(Copy, Clone)]
pub struct Decisions<'a> {
    body: &'a Function,
    profile: Option<&'a Profile>,
    enabled: bool,
}

impl<'a> Decisions<'a> {
    /// Decisions about the register form `body`; none is positive unless `enabled`.
    pub fn new(body: &'a Function, profile: Option<&'a Profile>, enabled: bool) -> Decisions<'a> {
        Decisions { body, profile, enabled }
    }

    /// Whether code has left for the interpreter on behalf of this instruction, or of this edge of
    /// it. The engine sees where the interpreter went on: for an edge, at the first instruction of
    /// its target; it may note either.
    fn failed(&self, inst: Inst, target: Option<usize>) -> bool {
        let Some(profile) = self.profile else { return false };
        if profile.failed_guards.is_empty() {
            return false;
        }
        let target = target.and_then(|index| self.body.insts[inst].targets.get(index));
        let resume = target.and_then(|target| self.body.blocks[target.block].insts.first());
        profile.failed_guards.contains(&inst)
            || resume.is_some_and(|resume| profile.failed_guards.contains(resume))
    }

    /// Whether to assume that a `guard` holds.
    pub fn guard(&self, inst: Inst) -> bool {
        self.enabled && !self.failed(inst, Some(1))
    }

    /// Whether to assume that a `br_if` never goes to its target `target`: blocks were counted, the
    /// other side ran often, this one never.
    pub fn cold_edge(&self, inst: Inst, target: usize) -> bool {
        let data = &self.body.insts[inst];
        let counts = self.profile.and_then(|profile| profile.block_counts.as_deref());
        let Some(counts) = counts.filter(|_| self.enabled) else { return false };
        let [first, second] = data.targets.as_slice() else { return false };
        let (this, other) = if target == 0 { (first, second) } else { (second, first) };
        let count = |block: cupola_ir::Block| counts.get(block.as_u32() as usize).copied();
        // A block that only traps costs nothing where it is, and needs no frame state.
        let traps = self.body.insts[self.body.terminator(this.block)].op == Op::Trap;
        count(this.block) == Some(0)
            && count(other.block).is_some_and(|runs| runs >= MIN_RUNS_OF_WARM_SIDE)
            && !traps
            && !self.failed(inst, Some(target))
    }

    /// Whether a dialect instruction may be specialized by code that guards.
    pub fn dialect(&self, inst: Inst) -> bool {
        self.enabled && !self.failed(inst, None)
    }
}
