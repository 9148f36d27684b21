//! Which functions are compiled together: a hot region of the call graph.
//!
//! It grows from the function that was asked for, along calls, by the function that the profile
//! saw most: callees of what is already in it, as the optimizer left the calls, and callers of the
//! first one. Only functions that are hot themselves come in, which is to say that calls of them
//! enter optimized code; so the region is of what runs, whatever the profile may have missed.
//! Both number and size are bounded. A function whose code of the tier exists already stays out,
//! and one whose code was discarded before, since it would take the others with it.

use crate::module::{FuncData, ModuleInner};
use crate::policy::EntryPoint;
use crate::queue::Unit;
use cupola_ir::{FuncId, Function, Imm, Op};
use cupola_opt::Optimized;
use cupola_runtime::Tier;
use rustc_hash::{FxHashMap, FxHashSet};

/// How many functions come in beside the first.
const MAX_MEMBERS: usize = 7;

/// How many instructions a region may have in all.
const MAX_INSTS: usize = 6_000;

/// A function made ready for its code generator.
pub(crate) struct Part<'a> {
    pub unit: Unit,
    pub data: &'a FuncData,
    /// Its optimized code, for tiers that have it.
    pub optimized: Option<Optimized>,
}

impl Part<'_> {
    /// What is compiled.
    pub fn code(&self) -> &Function {
        self.optimized.as_ref().map_or(&*self.data.body, |optimized| &optimized.func)
    }
}

/// The direct calls in code, by callee, with the counts of their blocks, where they are known.
fn calls_in(code: &Function) -> impl Iterator<Item = (FuncId, Option<u64>)> {
    code.block_order().into_iter().flat_map(move |block| {
        let block = &code.blocks[block];
        block.insts.iter().filter_map(move |&inst| {
            match (code.insts[inst].op, &code.insts[inst].imm) {
                (Op::Call, &Imm::Func(callee)) => Some((callee, block.count)),
                _ => None,
            }
        })
    })
}

impl ModuleInner {
    /// The functions that are compiled with `first`.
    pub fn region(&self, first: &Part<'_>) -> Vec<Part<'_>> {
        let tier = first.unit.tier;
        let mut weights: FxHashMap<FuncId, u64> = FxHashMap::default();
        if first.unit.osr.is_none() {
            self.add_callers(first.unit.func, &mut weights);
        }
        self.add_callees(first.code(), &mut weights);
        let mut tried = FxHashSet::from_iter([first.unit.func]);
        let mut size = first.code().live_insts();
        let mut members: Vec<Part<'_>> = Vec::new();
        while members.len() < MAX_MEMBERS {
            let untried = weights.iter().filter(|(func, _)| !tried.contains(func));
            let Some((&func, _)) = untried.max_by_key(|&(&func, &weight)| (weight, func)) else {
                break;
            };
            tried.insert(func);
            let Some(data) = self.existing(func).filter(|data| may_join(data, tier)) else {
                continue;
            };
            let Ok(part) = self.part(Unit { func, tier, osr: None }, data) else { continue };
            let more = part.code().live_insts();
            if size + more <= MAX_INSTS {
                size += more;
                self.add_callees(part.code(), &mut weights);
                members.push(part);
            }
        }
        members
    }

    /// Adds what code calls: by how often, or where that was not counted by how often the callee
    /// was called at all.
    fn add_callees(&self, code: &Function, weights: &mut FxHashMap<FuncId, u64>) {
        for (callee, count) in calls_in(code) {
            let Some(data) = self.existing(callee) else { continue };
            *weights.entry(callee).or_default() += count.unwrap_or_else(|| data.feedback.calls());
        }
    }

    /// Adds the functions that call `func`.
    fn add_callers(&self, func: FuncId, weights: &mut FxHashMap<FuncId, u64>) {
        for (caller, data) in self.all_existing() {
            if calls_in(&data.body).any(|(callee, _)| callee == func) {
                *weights.entry(caller).or_default() += data.feedback.calls();
            }
        }
    }
}

/// Whether a function may come in.
fn may_join(data: &FuncData, tier: Tier) -> bool {
    let policy = &data.manage.lock().policy;
    policy.discards == 0
        && policy.call.installed >= Tier::T2
        && policy.call.installed < tier
        && policy.allows(EntryPoint::Call, tier)
}
