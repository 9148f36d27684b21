//! Which calls to inline.
//!
//! A priority queue of the calls in sight, the most frequent first; inlining one brings the calls
//! of its callee into sight, at its frequency times theirs. So a function that calls itself twice
//! unrolls level by level, and a hot chain of calls is followed to its end before a cold sibling.
//! Nothing is copied yet: the plan is a tree of templates.

use super::template::{CallSite, Template};
use cupola_ir::{FuncId, Inst};
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::rc::Rc;

/// How much to inline. Sizes are in instructions, constants not counted.
#[derive(Copy, Clone, Debug, PartialEq)]
pub struct InlineTuning {
    /// Functions up to this size that call nothing are inlined wherever they are called.
    pub small_leaf: u32,
    /// Greater functions are never inlined.
    pub max_callee: u32,
    /// By how much a compilation may grow through calls that are inlined for their frequency.
    pub growth: u32,
    /// By how much a compilation may grow in all, small leaves included.
    pub max_growth: u32,
    /// Calls that run less often than this for each run of the function stay calls.
    pub min_frequency: f32,
    /// Greater functions are not inlined into themselves: the call costs them little.
    pub recursion_size: u32,
    /// How deep a function is inlined into itself.
    pub recursion_depth: u32,
    /// How many copies of a function that calls itself stand in the result, its own body counted
    /// where it is the function compiled. Behind them stand heads, if the function has one (`head`).
    /// For fib, 5 and 7 are as quick, and 3 is 7% slower.
    pub recursion_copies: u32,
}

impl Default for InlineTuning {
    fn default() -> InlineTuning {
        InlineTuning {
            small_leaf: 12,
            max_callee: 150,
            growth: 300,
            max_growth: 2000,
            min_frequency: 0.05,
            recursion_size: 30,
            recursion_depth: 3,
            recursion_copies: 5,
        }
    }
}

impl InlineTuning {
    /// No inlining.
    pub fn none() -> InlineTuning {
        InlineTuning {
            small_leaf: 0,
            max_callee: 0,
            growth: 0,
            max_growth: 0,
            min_frequency: 1.0,
            recursion_size: 0,
            recursion_depth: 0,
            recursion_copies: 0,
        }
    }
}

/// An activation in the plan.
pub(super) struct Node {
    pub template: Rc<Template>,
    pub parent: Option<usize>,
    /// The calls to inline, in the order of the template's calls, with their nodes.
    pub children: FxHashMap<Inst, usize>,
}

/// The tree of activations; the root is the first.
pub(super) struct Plan {
    pub nodes: Vec<Node>,
}

#[derive(PartialEq)]
struct Candidate {
    frequency: f32,
    /// Counts candidates in the order they came into sight, to prefer those seen first.
    serial: u32,
    node: usize,
    call: usize,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Candidate) -> Ordering {
        self.frequency.total_cmp(&other.frequency).then(other.serial.cmp(&self.serial))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Candidate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Plans what to inline into `root`. `templates` gives the template of a function that the module
/// defines, none if it cannot be made.
pub(super) fn plan(
    root: Rc<Template>,
    tuning: &InlineTuning,
    templates: &mut dyn FnMut(FuncId) -> Option<Rc<Template>>,
) -> Plan {
    let mut planner = Planner {
        plan: Plan { nodes: Vec::new() },
        queue: BinaryHeap::new(),
        copies: FxHashMap::default(),
        serial: 0,
        grown: 0,
        grown_by_leaves: 0,
        tuning,
    };
    planner.add(root, None, 1.0);
    while let Some(candidate) = planner.queue.pop() {
        let call = planner.call(&candidate);
        let (inst, callee) = (call.inst, call.callee);
        let Some(template) = templates(callee) else { continue };
        let may_recurse = planner.may_recurse(candidate.node, &template);
        let chosen = match &template.head {
            Some(head) if !may_recurse => head.clone(),
            _ => template,
        };
        if (may_recurse || chosen.is_head) && planner.accept(&chosen, &candidate) {
            let child = planner.add(chosen, Some(candidate.node), candidate.frequency);
            planner.plan.nodes[candidate.node].children.insert(inst, child);
        }
    }
    planner.plan
}

struct Planner<'a> {
    plan: Plan,
    queue: BinaryHeap<Candidate>,
    copies: FxHashMap<FuncId, u32>,
    serial: u32,
    grown: u32,
    grown_by_leaves: u32,
    tuning: &'a InlineTuning,
}

impl Planner<'_> {
    fn add(&mut self, template: Rc<Template>, parent: Option<usize>, frequency: f32) -> usize {
        let node = self.plan.nodes.len();
        *self.copies.entry(template.id).or_default() += u32::from(!template.is_head);
        for (index, call) in template.calls.iter().enumerate() {
            self.serial += 1;
            self.queue.push(Candidate {
                frequency: frequency * call.frequency,
                serial: self.serial,
                node,
                call: index,
            });
        }
        self.plan.nodes.push(Node { template, parent, children: FxHashMap::default() });
        node
    }

    fn call(&self, candidate: &Candidate) -> &CallSite {
        &self.plan.nodes[candidate.node].template.calls[candidate.call]
    }

    /// Whether `callee` may be inlined at `node` as far as bounds on recursion go.
    fn may_recurse(&self, node: usize, callee: &Template) -> bool {
        let (callee, size) = (callee.id, callee.size);
        let mut around = Some(node);
        let mut depth = 0;
        while let Some(at) = around {
            depth += u32::from(self.plan.nodes[at].template.id == callee);
            around = self.plan.nodes[at].parent;
        }
        let copies = self.copies.get(&callee).copied().unwrap_or(0);
        let tuning = self.tuning;
        depth == 0
            || size <= tuning.recursion_size
                && depth <= tuning.recursion_depth
                && copies < tuning.recursion_copies
    }

    fn accept(&mut self, callee: &Template, candidate: &Candidate) -> bool {
        let tuning = self.tuning;
        if callee.is_leaf() && callee.size <= tuning.small_leaf {
            let fits = self.grown + self.grown_by_leaves + callee.size <= tuning.max_growth;
            self.grown_by_leaves += if fits { callee.size } else { 0 };
            return fits;
        }
        let fits = candidate.frequency >= tuning.min_frequency
            && callee.size <= tuning.max_callee
            && self.grown + callee.size <= tuning.growth
            && self.grown + self.grown_by_leaves + callee.size <= tuning.max_growth;
        self.grown += if fits { callee.size } else { 0 };
        fits
    }
}
