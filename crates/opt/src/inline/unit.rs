//! From a request to the function that the passes work on: construction with the profile's guesses,
//! known targets of indirect calls, specialization of dialect instructions, inlining.

use super::{Template, inline};
use crate::env::{OptRequest, Polls, Profile};
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
    let polls = request.options.polls;
    let weaves = request.options.fuel || request.options.force_deopts || polls != Polls::None;
    let cfg = weaves.then(|| Cfg::compute(body));
    let headers = cfg.as_ref().map(|cfg| LoopHeaders::compute(body, cfg));
    let is_back_edge = |from, to| cfg.as_ref().is_some_and(|cfg| cfg.is_back_edge(from, to));
    let is_header = |block| headers.as_ref().is_some_and(|all| all.loop_of(block).is_some());
    let polled = match (&cfg, &headers) {
        (Some(cfg), Some(headers)) if polls != Polls::None => {
            let known = profile.filter(|_| polls == Polls::LongLoops);
            polled_headers(body, cfg, headers, known)
        }
        _ => FxHashSet::default(),
    };
    let is_polled = |block| polled.contains(&block);
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
            polls: (polls != Polls::None).then_some(&is_polled),
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

/// Iterations, of a loop and those inside of it, for each time that the loop is entered, from which
/// on it is worth a poll.
const POLLED_ITERATIONS: u64 = 256;

/// The headers of loops that look for better code: the innermost ones that, as far as the profile
/// knows, go on for long when they are entered. What is around such a loop needs no poll of its own
/// if each iteration comes by the loop's header; a loop that soon ends leaves it to what is around it
/// or to the caller, and so costs no more than without a tier above. A poll is an exit that keeps
/// all registers alive and stores them, more code than most loops (`strcmp` had 2,000 bytes of it,
/// 120 without).
fn polled_headers(
    body: &Function,
    cfg: &Cfg,
    headers: &LoopHeaders,
    profile: Option<&Profile>,
) -> FxHashSet<Block> {
    let dom = DomTree::compute(cfg);
    let forest = LoopForest::compute(body, cfg, &dom);
    let mut loops: Vec<_> = forest.loops().collect();
    loops.sort_by_key(|(_, data)| std::cmp::Reverse(data.depth));
    let count = |header| {
        let id = headers.loop_of(header)?;
        profile?.loop_counts.get(id.as_u32() as usize).copied()
    };
    let mut totals: FxHashMap<Block, u64> = FxHashMap::default();
    let mut polled: FxHashSet<Block> = FxHashSet::default();
    let mut covered: FxHashSet<Block> = FxHashSet::default();
    for (_, data) in loops {
        let parent = data.parent.map(|parent| forest.get(parent));
        let inner = totals.get(&data.header).copied().unwrap_or(0);
        let total = count(data.header).map(|own| own.saturating_add(inner));
        let entered = match parent {
            Some(parent) => count(parent.header),
            None => profile.map(|profile| profile.calls),
        };
        let is_short = |total: u64, entered: u64| total / entered.max(1) < POLLED_ITERATIONS;
        if let Some(parent) = parent {
            *totals.entry(parent.header).or_default() += total.unwrap_or(0);
        }
        let ends_soon = total.zip(entered).is_some_and(|(total, entered)| is_short(total, entered));
        if ends_soon {
            continue;
        }
        if !covered.contains(&data.header) {
            polled.insert(data.header);
        }
        if let Some(parent) = parent
            && parent.latches.iter().all(|&latch| dom.dominates(data.header, latch))
        {
            covered.insert(parent.header);
        }
    }
    polled
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
