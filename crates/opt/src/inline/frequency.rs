//! How often blocks run for each run of the function.
//!
//! From the block counts of the profile, where they were taken; else by a static estimate: the
//! ways out of a branch are equally likely, except that a way that only traps or deoptimizes is
//! not taken; loops run [`LOOP_TRIPS`] times, and are left in the end. Calls are ranked by
//! it, so that only proportions matter.

use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest};
use cupola_ir::{Block, Function, Op};

/// How often the body of a loop is taken to run where nothing was counted.
const LOOP_TRIPS: f32 = 8.0;

/// Runs of each block for one run of the entry.
pub(super) fn estimate(func: &Function) -> SecondaryMap<Block, f32> {
    let mut frequency = SecondaryMap::with_default(0.0);
    frequency.resize(func.blocks.len());
    if let Some(entry) = func.blocks[func.entry()].count.filter(|&count| count > 0) {
        for &block in &func.layout {
            frequency[block] = func.blocks[block].count.unwrap_or(0) as f32 / entry as f32;
        }
        return frequency;
    }
    let cfg = Cfg::compute(func);
    let forest = LoopForest::compute(func, &cfg, &DomTree::compute(&cfg));
    // First the share of the runs that come by the block at all, as if no loop repeated.
    frequency[func.entry()] = 1.0;
    for &block in cfg.rpo() {
        let share: f32 = frequency[block];
        let stays = |to: Block| forest.depth(to) >= forest.depth(block);
        let rare = |to: Block| matches!(func.insts[func.terminator(to)].op, Op::Trap | Op::Deopt);
        let forward = |&to: &Block| !cfg.is_back_edge(block, to) && !rare(to);
        let ways = func.successors(block).filter(forward).filter(|&to| stays(to)).count();
        for to in func.successors(block).filter(forward) {
            // What stays in a loop leaves it some time.
            let split = if stays(to) { ways as f32 } else { 1.0 };
            frequency[to] = (frequency[to] + share / split).min(1.0);
        }
    }
    for &block in cfg.rpo() {
        frequency[block] *= LOOP_TRIPS.powi(forest.depth(block).min(6) as i32);
    }
    frequency
}
