//! From a request to the function that the passes work on: construction with the profile's guesses,
//! known targets of indirect calls, specialization of dialect instructions, inlining.

use super::{Template, inline};
use crate::env::{OptRequest, Profile};
use crate::loops::osr;
use crate::speculate::{self, Decisions};
use crate::ssa::{ConstructOptions, Ticks};
use cupola_ir::analysis::{Cfg, DomTree, LoopForest, LoopHeaders};
use cupola_ir::{Block, Effects, FuncId, Function, Imm, Op};
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;

/// Constructs the SSA form of the requested function, with other functions of the module inlined.
/// Gives also how many calls were.
pub fn construct(request: &OptRequest<'_>) -> (Function, usize) {
    let root = template(request, request.func, request.body, request.osr_header);
    let mut made: FxHashMap<FuncId, Option<Rc<Template>>> = FxHashMap::default();
    if request.osr_header.is_none() {
        made.insert(request.func, Some(root.clone()));
    }
    inline(root, &request.options.inline, &mut |func| {
        let make = || {
            let body = request.env.body(func)?;
            Some(template(request, func, &body, None))
        };
        made.entry(func).or_insert_with(make).clone()
    })
}

/// The template of a function with the register form `body`, entered by a call or at a loop.
fn template(
    request: &OptRequest<'_>,
    id: FuncId,
    body: &Function,
    osr_header: Option<Block>,
) -> Rc<Template> {
    let profile: Option<Profile> = request.env.profile(id);
    let profile = profile.as_ref();
    let decisions = Decisions::new(body, profile, request.options.speculate);
    let weaves = request.options.fuel || request.options.force_deopts || request.options.polls;
    let cfg = weaves.then(|| Cfg::compute(body));
    let headers = cfg.as_ref().map(|cfg| LoopHeaders::compute(body, cfg));
    let is_back_edge = |from, to| cfg.as_ref().is_some_and(|cfg| cfg.is_back_edge(from, to));
    let is_header = |block| headers.as_ref().is_some_and(|all| all.loop_of(block).is_some());
    let covered = match (&cfg, request.options.polls) {
        (Some(cfg), true) => covered_headers(body, cfg),
        _ => FxHashSet::default(),
    };
    let is_polled = |block| is_header(block) && !covered.contains(&block);
    let options = ConstructOptions {
        func: id,
        osr_header,
        speculate: &|_, inst| decisions.guard(inst),
        cold_edge: &|inst, target| decisions.cold_edge(inst, target),
        block_counts: profile.and_then(|profile| profile.block_counts.as_deref()),
        resume_states: true,
        ticks: Ticks {
            fuel: request.options.fuel.then_some(&is_back_edge),
            deopts: request.options.force_deopts.then_some(&is_header),
            polls: request.options.polls.then_some(&is_polled),
        },
    };
    let (mut func, mut info) = osr::construct(body, &options);
    let is_small_leaf = |func| {
        let body = request.env.body(func);
        body.is_some_and(|body| is_leaf_up_to(request, &body, request.options.inline.small_leaf))
    };
    speculate::targets::run(&mut func, &mut info, request.module, profile, &is_small_leaf);
    let place = (id, request.module);
    speculate::run(&mut func, &mut info, place, (decisions, profile), &|op| {
        request.env.specializer(op)
    });
    Rc::new(Template::new(id, func, info, request.module))
}

/// The headers of loops each of whose iterations comes by the header of a loop inside of it: polls
/// there serve for both.
fn covered_headers(body: &Function, cfg: &Cfg) -> FxHashSet<Block> {
    let dom = DomTree::compute(cfg);
    let forest = LoopForest::compute(body, cfg, &dom);
    let mut covered = FxHashSet::default();
    for (_, inner) in forest.loops() {
        let Some(outer) = inner.parent.map(|parent| forest.get(parent)) else { continue };
        if outer.latches.iter().all(|&latch| dom.dominates(inner.header, latch)) {
            covered.insert(outer.header);
        }
    }
    covered
}

/// Whether a function in register form calls nothing and has at most `size` instructions, constants
/// and copies not counted, which mostly become no code.
fn is_leaf_up_to(request: &OptRequest<'_>, body: &Function, size: u32) -> bool {
    let blocks = body.block_order();
    let insts = blocks.iter().flat_map(|&block| &body.blocks[block].insts);
    let mut left = size;
    insts.map(|&inst| &body.insts[inst]).all(|data| {
        let counts = !matches!(data.imm, Imm::Bits(_)) && data.op != Op::Copy;
        let fits = left >= u32::from(counts);
        left = left.saturating_sub(u32::from(counts));
        fits && !data.effects(request.module).contains(Effects::CALLS)
    })
}
