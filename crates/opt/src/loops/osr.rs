//! Construction of functions that are entered at a loop inside other loops.
//!
//! Entering at an inner header makes that header dominate the loops around it: their back edges
//! would lead into the same natural loop, and no loop pass could tell the inner loop from the outer
//! ones any more. So what is left of the current iteration of the loops around the header is copied
//! first (in register form, where that needs no renaming): the entry leads to the copy of the inner
//! loop, and the copy's back edge to the outer header leads to the original, whose loop is entered
//! at its header only. With several loops around, the outermost is peeled first, and each inner one
//! then from the copy before.
//!
//! Before, with an entry at `block2`:
//! ```text
//! func %nest(n: i32) -> i32 {
//! block0:
//!   i = i32.const 0
//!   one = i32.const 1
//!   br block1
//! block1:
//!   j = i32.const 0
//!   br block2
//! block2:
//!   j = i32.add j, one
//!   c = i32.lt_s j, n
//!   br_if c, block2, block3
//! block3:
//!   i = i32.add i, one
//!   d = i32.lt_s i, n
//!   br_if d, block1, block4
//! block4:
//!   return i
//! }
//! ```
//! After (`block5` and `block6` are copies of `block2` and `block3`):
//! ```text
//! ssa func %nest(n: i32, i: i32, one: i32, j: i32) -> i32 {
//! block0:
//!   br block5(j)
//! block5(j1: i32):
//!   j2 = i32.add j1, one
//!   c2 = i32.lt_s j2, n
//!   br_if c2, block5(j2), block6
//! block6:
//!   i2 = i32.add i, one
//!   d2 = i32.lt_s i2, n
//!   br_if d2, block1(i2), block4(i2)
//! block1(i3: i32):
//!   z = i32.const 0
//!   br block2(z)
//! block2(j3: i32):
//!   j4 = i32.add j3, one
//!   c4 = i32.lt_s j4, n
//!   br_if c4, block2(j4), block3
//! block3:
//!   i4 = i32.add i3, one
//!   d4 = i32.lt_s i4, n
//!   br_if d4, block1(i4), block4(i4)
//! block4(r: i32):
//!   return r
//! }
//! ```

use crate::ssa::{self, ConstructOptions, SsaInfo, Ticks};
use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest};
use cupola_ir::{Block, BlockData, EntryKind, Function, Inst, InstData, Op, Target};

/// Regions with more instructions than this are not copied; the code is then right, but its loops
/// are one.
const MAX_COPIED: usize = 2000;

/// Constructs the SSA form of `body` with its loops intact also where it is entered at an inner one.
pub fn construct(body: &Function, options: &ConstructOptions<'_>) -> (Function, SsaInfo) {
    let Some(peeled) = options.osr_header.and_then(|header| peel(body, header)) else {
        return ssa::construct(body, options);
    };
    let block_counts = options.block_counts.map(|counts| {
        let copied = peeled.blocks.iter().map(|block| counts.get(block.as_u32() as usize));
        let copied = copied.map(|count| count.copied().unwrap_or(0));
        counts.iter().copied().chain(copied).collect::<Vec<u64>>()
    });
    let ticks = options.ticks;
    let is_back_edge = |from, to| ticks.on_edge(peeled.block(from), peeled.block(to));
    let is_header = |block| ticks.deopts.is_some_and(|is| is(peeled.block(block)));
    // Copies are run through once, but for the loop that is entered, so that only that is worth a
    // poll, which keeps all registers alive and is more code than most loops.
    let is_polled = |block| {
        let polls = !peeled.is_copy(block) || block == peeled.entry;
        polls && ticks.polls.is_some_and(|is| is(peeled.block(block)))
    };
    let inner = ConstructOptions {
        func: options.func,
        osr_header: Some(peeled.entry),
        speculate: &|block, inst| (options.speculate)(peeled.block(block), peeled.inst(inst)),
        cold_edge: &|inst, target| (options.cold_edge)(peeled.inst(inst), target),
        block_counts: block_counts.as_deref(),
        resume_states: options.resume_states,
        ticks: Ticks {
            fuel: ticks.fuel.is_some().then_some(&is_back_edge),
            deopts: ticks.deopts.is_some().then_some(&is_header),
            polls: ticks.polls.is_some().then_some(&is_polled),
        },
    };
    let (mut func, mut info) = ssa::construct(&peeled.body, &inner);
    for state in func.frame_states.values_mut() {
        for frame in &mut state.frames {
            frame.resume = peeled.inst(frame.resume);
        }
    }
    for source in info.sources_mut() {
        *source = peeled.inst(*source);
    }
    if let EntryKind::Osr { header, .. } = &mut func.entry_kind {
        *header = peeled.block(*header);
    }
    (func, info)
}

/// A register form with copied blocks, and what they are copies of.
struct Peeled {
    body: Function,
    /// The copy of the loop header.
    entry: Block,
    /// The originals of the copied instructions and blocks, which stand behind all others.
    insts: Vec<Inst>,
    blocks: Vec<Block>,
    first_inst: usize,
    first_block: usize,
}

impl Peeled {
    fn inst(&self, inst: Inst) -> Inst {
        let copied = (inst.as_u32() as usize).checked_sub(self.first_inst);
        copied.map_or(inst, |index| self.insts[index])
    }

    fn is_copy(&self, block: Block) -> bool {
        block.as_u32() as usize >= self.first_block
    }

    fn block(&self, block: Block) -> Block {
        let copied = (block.as_u32() as usize).checked_sub(self.first_block);
        copied.map_or(block, |index| self.blocks[index])
    }
}

/// Copies the rest of the current iteration of each loop around the loop of `header`; none if there
/// are none, or if `header` is not the header of a natural loop.
fn peel(body: &Function, header: Block) -> Option<Peeled> {
    let cfg = Cfg::compute(body);
    let forest = LoopForest::compute(body, &cfg, &DomTree::compute(&cfg));
    let mut around = Vec::new();
    let mut parent = forest.get(forest.with_header(header)?).parent;
    while let Some(id) = parent {
        around.push(id);
        parent = forest.get(id).parent;
    }
    if around.is_empty() {
        return None;
    }
    let mut peeled = Peeled {
        body: body.clone(),
        entry: header,
        insts: Vec::new(),
        blocks: Vec::new(),
        first_inst: body.insts.len(),
        first_block: body.blocks.len(),
    };
    // Where edges to a block go from the copy that is made: outermost loops are peeled first, and
    // what is left of an iteration of an inner one then goes on in that copy of the inner one.
    let mut goes_to: SecondaryMap<Block, Option<Block>> = SecondaryMap::new();
    for &id in around.iter().rev() {
        // What the iteration can still reach from the header without starting another one.
        let mut copy: SecondaryMap<Block, Option<Block>> = SecondaryMap::new();
        let mut region = Vec::new();
        let mut todo = vec![header];
        while let Some(block) = todo.pop() {
            if copy[block].is_none() && block != forest.get(id).header && forest.contains(id, block)
            {
                copy[block] =
                    Some(Block::from_u32((peeled.body.blocks.len() + region.len()) as u32));
                region.push(block);
                todo.extend(body.successors(block));
            }
        }
        let size: usize = region.iter().map(|&block| body.blocks[block].insts.len()).sum();
        if peeled.insts.len() + size > MAX_COPIED {
            return None;
        }
        for &block in &region {
            let mut data = BlockData::default();
            for &inst in &body.blocks[block].insts {
                let mut copied = body.insts[inst].clone();
                for target in &mut copied.targets {
                    let to = copy[target.block].or(goes_to[target.block]);
                    target.block = to.unwrap_or(target.block);
                }
                data.insts.push(peeled.body.insts.push(copied));
                peeled.insts.push(inst);
            }
            peeled.body.blocks.push(data);
            peeled.blocks.push(block);
        }
        for block in region {
            goes_to[block] = copy[block];
        }
    }
    peeled.entry = goes_to[header]?;
    // Nothing branches to the entry block; it only has to lead to the copy, for liveness.
    let branch = InstData::new(Op::Br, &[], &[]).with_targets(vec![Target::new(peeled.entry)]);
    let branch = peeled.body.insts.push(branch);
    peeled.body.blocks[body.entry()].insts = vec![branch];
    Some(peeled)
}
