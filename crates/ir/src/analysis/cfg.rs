//! Control-flow graph: predecessors and a reverse postorder.

use crate::entities::Block;
use crate::function::Function;
use cranelift_entity::SecondaryMap;
use smallvec::SmallVec;

/// The control-flow graph of a function's reachable blocks.
#[derive(Clone, Debug)]
pub struct Cfg {
    preds: SecondaryMap<Block, SmallVec<[Block; 4]>>,
    rpo: Vec<Block>,
    rpo_index: SecondaryMap<Block, u32>,
}

const UNREACHABLE: u32 = u32::MAX;

impl Cfg {
    /// Computes the graph of `func`.
    pub fn compute(func: &Function) -> Cfg {
        let mut preds: SecondaryMap<Block, SmallVec<[Block; 4]>> = SecondaryMap::new();
        preds.resize(func.blocks.len());
        let mut rpo_index = SecondaryMap::with_default(UNREACHABLE);
        rpo_index.resize(func.blocks.len());
        let mut postorder = Vec::with_capacity(func.blocks.len());
        // An iterative depth-first search; deep graphs must not overflow the native stack.
        let mut visited = vec![false; func.blocks.len()];
        // Of each block on the way, the targets that were not followed yet: those in front.
        let targets = |block: Block| {
            let last = func.blocks[block].insts.last();
            last.map_or(&[][..], |&inst| &func.insts[inst].targets)
        };
        let mut stack = Vec::new();
        if !func.blocks.is_empty() {
            visited[0] = true;
            stack.push((func.entry(), targets(func.entry())));
        }
        while let Some((block, todo)) = stack.last_mut() {
            let block = *block;
            match todo.split_last() {
                Some((target, rest)) => {
                    *todo = rest;
                    let succ = target.block;
                    preds[succ].push(block);
                    let seen = &mut visited[succ.as_u32() as usize];
                    if !*seen {
                        *seen = true;
                        stack.push((succ, targets(succ)));
                    }
                }
                None => {
                    postorder.push(block);
                    stack.pop();
                }
            }
        }
        postorder.reverse();
        for (i, &block) in postorder.iter().enumerate() {
            rpo_index[block] = i as u32;
        }
        Cfg { preds, rpo: postorder, rpo_index }
    }

    /// The blocks that branch to `block`, one entry for each edge.
    pub fn preds(&self, block: Block) -> &[Block] {
        &self.preds[block]
    }

    /// The reachable blocks in reverse postorder, the entry first.
    pub fn rpo(&self) -> &[Block] {
        &self.rpo
    }

    /// The place of a block in the reverse postorder; none if it is not reachable.
    pub fn rpo_index(&self, block: Block) -> Option<u32> {
        let index = self.rpo_index[block];
        (index != UNREACHABLE).then_some(index)
    }

    /// Whether `block` can be reached from the entry.
    pub fn is_reachable(&self, block: Block) -> bool {
        self.rpo_index(block).is_some()
    }

    /// Whether the edge goes against the reverse postorder, that is, closes a cycle.
    pub fn is_back_edge(&self, from: Block, to: Block) -> bool {
        self.rpo_index[to] <= self.rpo_index[from]
    }
}
