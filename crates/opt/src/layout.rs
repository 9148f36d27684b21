//! Order of blocks in the code.
//!
//! Each block is followed by its likeliest successor that has no place yet, by profile counts where
//! both are known, else the first in reverse postorder; as long as a loop has blocks without a
//! place, only those are taken, so that loops stay contiguous. Blocks that must end in a trap or a
//! deoptimization, and blocks that the profile never saw in a function that it did see, come last.
//!
//! Before:
//! ```text
//! ssa func %f(n: i32) -> i32 {
//! block0:
//!   br block1(n)
//! block1(i: i32):
//!   br_if i, block2, block4
//! block4:
//!   return i
//! block2:
//!   one = i32.const 1
//!   next = i32.sub i, one
//!   br_if n, block3, block5
//! block5:
//!   trap unreachable
//! block3:
//!   br block1(next)
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(n: i32) -> i32 {
//! block0:
//!   br block1(n)
//! block1(i: i32):
//!   br_if i, block2, block4
//! block2:
//!   one = i32.const 1
//!   next = i32.sub i, one
//!   br_if n, block3, block5
//! block3:
//!   br block1(next)
//! block4:
//!   return i
//! block5:
//!   trap unreachable
//! }
//! ```

use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest, NaturalLoop};
use cupola_ir::{Block, Effects, Function, Module};

/// Runs the pass.
pub fn run(func: &mut Function, _module: &Module) {
    let cfg = Cfg::compute(func);
    let dom = DomTree::compute(&cfg);
    let loops = LoopForest::compute(func, &cfg, &dom);
    let cold = cold_blocks(func, &cfg);
    let mut layout = Layout {
        func,
        cfg: &cfg,
        loops: &loops,
        placed: SecondaryMap::new(),
        cold: &cold,
        next_in_loop: SecondaryMap::new(),
        next: 0,
    };
    let mut order = Vec::with_capacity(cfg.rpo().len());
    let mut block = Some(func.entry());
    while let Some(current) = block {
        layout.placed[current] = true;
        order.push(current);
        block = layout.successor(current);
    }
    order.extend(cfg.rpo().iter().copied().filter(|&block| !layout.placed[block]));
    func.layout = order;
}

/// Blocks that are not expected to run: those that lead to nothing but traps and deoptimizations,
/// and those with a count of 0. The entry is never one.
fn cold_blocks(func: &Function, cfg: &Cfg) -> SecondaryMap<Block, bool> {
    let mut cold: SecondaryMap<Block, bool> = SecondaryMap::new();
    cold.resize(func.blocks.len());
    let counted = func.blocks[func.entry()].count.is_some_and(|count| count > 0);
    for &block in cfg.rpo().iter().skip(1).rev() {
        let op = func.insts[func.terminator(block)].op;
        let leaves = op.effects().intersects(Effects::TRAPS | Effects::DEOPTS);
        let mut successors = func.successors(block).peekable();
        let to_cold = successors.peek().is_some() && successors.all(|succ| cold[succ]);
        cold[block] = leaves || to_cold || (counted && func.blocks[block].count == Some(0));
    }
    cold
}

struct Layout<'a> {
    func: &'a Function,
    cfg: &'a Cfg,
    loops: &'a LoopForest,
    placed: SecondaryMap<Block, bool>,
    cold: &'a SecondaryMap<Block, bool>,
    /// In each loop, and in the function, the place in the reverse postorder before which all blocks
    /// are placed or cold.
    next_in_loop: SecondaryMap<NaturalLoop, usize>,
    next: usize,
}

impl Layout<'_> {
    fn is_open(&self, block: Block) -> bool {
        !self.placed[block] && !self.cold[block]
    }

    /// The block to place behind `block`; none if only cold ones are left.
    fn successor(&mut self, block: Block) -> Option<Block> {
        let mut around = self.loops.innermost(block);
        let fallback = loop {
            let Some(id) = around else { break self.first_open(None) };
            if let Some(open) = self.first_open(Some(id)) {
                break Some(open);
            }
            around = self.loops.get(id).parent;
        };
        let within = |succ: Block| {
            around.is_none_or(|id| self.loops.contains(id, succ)) && self.is_open(succ)
        };
        let likeliest =
            self.func.successors(block).filter(|&succ| within(succ)).max_by_key(|&succ| {
                let count = self.func.blocks[succ].count;
                (count, std::cmp::Reverse(self.cfg.rpo_index(succ)))
            });
        likeliest.or(fallback)
    }

    /// The first open block of a loop, or of the function.
    fn first_open(&mut self, id: Option<NaturalLoop>) -> Option<Block> {
        let blocks = match id {
            Some(id) => &self.loops.get(id).blocks,
            None => self.cfg.rpo(),
        };
        let mut at = id.map_or(self.next, |id| self.next_in_loop[id]);
        while at < blocks.len() && !self.is_open(blocks[at]) {
            at += 1;
        }
        match id {
            Some(id) => self.next_in_loop[id] = at,
            None => self.next = at,
        }
        blocks.get(at).copied()
    }
}
