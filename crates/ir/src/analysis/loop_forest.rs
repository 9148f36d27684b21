//! Natural loops and how they nest, in either form.
//!
//! A natural loop is found from its back edges, those whose target dominates their source: the
//! blocks that reach a source without passing the header. Loops are discovered inner ones first
//! (headers against the reverse postorder), so that a walk from an outer loop's back edge steps
//! over whole inner loops; the total work is linear in edges times nesting depth. Cycles entered at
//! more than one block (irreducible) are no natural loops: they are only flagged. For the numbering
//! that feedback and on-stack replacement use see [`LoopHeaders`](super::LoopHeaders).

use super::{Cfg, DomTree};
use crate::entities::Block;
use crate::function::Function;
use cranelift_entity::{PrimaryMap, SecondaryMap, entity_impl};

/// A natural loop of a [`LoopForest`].
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NaturalLoop(u32);
entity_impl!(NaturalLoop, "natural_loop");

/// One natural loop.
#[derive(Clone, Debug)]
pub struct LoopData {
    /// The block through which the loop is entered.
    pub header: Block,
    /// All its blocks, those of inner loops included, in reverse postorder: the header first.
    pub blocks: Vec<Block>,
    /// The sources of its back edges, one for each edge.
    pub latches: Vec<Block>,
    /// The loop around it.
    pub parent: Option<NaturalLoop>,
    /// How many loops it is in, itself included: 1 for an outermost loop.
    pub depth: u32,
    /// The only block that enters the loop, if it does nothing else at its end.
    pub preheader: Option<Block>,
    /// Whether a cycle that is no natural loop lies in it.
    pub irreducible: bool,
}

/// The natural loops of a function.
#[derive(Clone, Debug)]
pub struct LoopForest {
    loops: PrimaryMap<NaturalLoop, LoopData>,
    innermost: SecondaryMap<Block, Option<NaturalLoop>>,
    irreducible: bool,
}

impl LoopForest {
    /// Finds the loops of `func`, whose graph and dominator tree are given.
    pub fn compute(func: &Function, cfg: &Cfg, dom: &DomTree) -> LoopForest {
        let mut forest = LoopForest {
            loops: PrimaryMap::new(),
            innermost: SecondaryMap::new(),
            irreducible: false,
        };
        let mut irreducible_targets = Vec::new();
        for &header in cfg.rpo() {
            let mut latches = Vec::new();
            for &pred in cfg.preds(header) {
                if dom.dominates(header, pred) {
                    latches.push(pred);
                } else if cfg.is_back_edge(pred, header) {
                    irreducible_targets.push((pred, header));
                }
            }
            if !latches.is_empty() {
                forest.loops.push(LoopData {
                    header,
                    blocks: Vec::new(),
                    latches,
                    parent: None,
                    depth: 0,
                    preheader: None,
                    irreducible: false,
                });
            }
        }
        if forest.loops.is_empty() && irreducible_targets.is_empty() {
            return forest;
        }
        for id in forest.loops.keys().rev() {
            forest.discover(id, cfg);
        }
        for id in forest.loops.keys() {
            let parent = forest.loops[id].parent;
            forest.loops[id].depth = 1 + parent.map_or(0, |p| forest.loops[p].depth);
            forest.loops[id].preheader = preheader(func, cfg, dom, forest.loops[id].header);
        }
        for &block in cfg.rpo() {
            let mut around = forest.innermost[block];
            while let Some(id) = around {
                forest.loops[id].blocks.push(block);
                around = forest.loops[id].parent;
            }
        }
        for (from, to) in irreducible_targets {
            forest.irreducible = true;
            let mut around = forest.innermost[to];
            while let Some(id) = around {
                if forest.contains(id, from) {
                    forest.loops[id].irreducible = true;
                }
                around = forest.loops[id].parent;
            }
        }
        forest
    }

    /// Walks backward from the latches of `id` and takes in what is in no loop yet.
    fn discover(&mut self, id: NaturalLoop, cfg: &Cfg) {
        let header = self.loops[id].header;
        let mut stack = self.loops[id].latches.clone();
        while let Some(block) = stack.pop() {
            let enter_from = match self.innermost[block] {
                None => {
                    self.innermost[block] = Some(id);
                    block
                }
                Some(mut inner) => {
                    while let Some(parent) = self.loops[inner].parent {
                        inner = parent;
                    }
                    if inner == id {
                        continue;
                    }
                    self.loops[inner].parent = Some(id);
                    self.loops[inner].header
                }
            };
            if enter_from != header {
                let preds = cfg.preds(enter_from).iter().copied();
                stack.extend(preds.filter(|&pred| cfg.is_reachable(pred)));
            }
        }
    }

    /// The loops; a loop comes behind those around it.
    pub fn loops(&self) -> impl DoubleEndedIterator<Item = (NaturalLoop, &LoopData)> {
        self.loops.iter()
    }

    /// Whether there is no loop.
    pub fn is_empty(&self) -> bool {
        self.loops.is_empty()
    }

    /// A loop.
    pub fn get(&self, id: NaturalLoop) -> &LoopData {
        &self.loops[id]
    }

    /// The innermost loop that a block is in.
    pub fn innermost(&self, block: Block) -> Option<NaturalLoop> {
        self.innermost[block]
    }

    /// The loop whose header is `block`.
    pub fn with_header(&self, block: Block) -> Option<NaturalLoop> {
        self.innermost[block].filter(|&id| self.loops[id].header == block)
    }

    /// How many loops a block is in.
    pub fn depth(&self, block: Block) -> u32 {
        self.innermost[block].map_or(0, |id| self.loops[id].depth)
    }

    /// Whether a block is in the loop or in one inside it.
    pub fn contains(&self, id: NaturalLoop, block: Block) -> bool {
        let mut around = self.innermost[block];
        // Inner loops have greater numbers than those around them.
        while let Some(inner) = around.filter(|&inner| inner >= id) {
            if inner == id {
                return true;
            }
            around = self.loops[inner].parent;
        }
        false
    }

    /// Whether the function has a cycle that is no natural loop.
    pub fn is_irreducible(&self) -> bool {
        self.irreducible
    }
}

fn preheader(func: &Function, cfg: &Cfg, dom: &DomTree, header: Block) -> Option<Block> {
    let mut entering = cfg.preds(header).iter().filter(|&&pred| !dom.dominates(header, pred));
    let only = *entering.next()?;
    (entering.next().is_none() && func.successors(only).count() == 1).then_some(only)
}

#[cfg(test)]
mod tests {
    use super::super::graph::{block, graph};
    use super::*;

    fn forest(edges: &[&[u32]]) -> LoopForest {
        let func = graph(edges);
        let cfg = Cfg::compute(&func);
        LoopForest::compute(&func, &cfg, &DomTree::compute(&cfg))
    }

    fn blocks(data: &LoopData) -> Vec<u32> {
        let mut blocks: Vec<u32> = data.blocks.iter().map(|b| b.as_u32()).collect();
        assert_eq!(blocks[0], data.header.as_u32());
        blocks.sort_unstable();
        blocks
    }

    #[test]
    fn nested_loops() {
        // 0 -> 1 -> 2 -> 3 -> {2, 4}, 4 -> {1, 5}, 2 -> 2 by itself as well.
        let forest = forest(&[&[1], &[2], &[3, 2], &[2, 4], &[1, 5], &[]]);
        let all: Vec<_> = forest.loops().map(|(_, data)| data).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(blocks(all[0]), [1, 2, 3, 4]);
        assert_eq!(blocks(all[1]), [2, 3]);
        assert_eq!((all[0].depth, all[1].depth), (1, 2));
        assert_eq!(all[0].preheader, Some(block(0)));
        assert_eq!(all[1].preheader, Some(block(1)));
        assert_eq!(all[1].latches.len(), 2);
        assert_eq!(forest.depth(block(4)), 1);
        assert_eq!(forest.depth(block(5)), 0);
        assert!(!forest.is_irreducible());
        let inner = forest.with_header(block(2)).unwrap();
        assert_eq!(forest.get(inner).parent, forest.with_header(block(1)));
        assert!(forest.contains(inner, block(3)) && !forest.contains(inner, block(4)));
    }

    #[test]
    fn self_loop_and_no_preheader() {
        let forest = forest(&[&[1, 2], &[1, 2], &[]]);
        let all: Vec<_> = forest.loops().map(|(_, data)| data).collect();
        assert_eq!(blocks(all[0]), [1]);
        assert_eq!(all[0].preheader, None);
    }

    #[test]
    fn irreducible_cycle_is_flagged_in_the_loop_around_it() {
        // 1 is a loop header; 2 and 3 form a cycle entered at both.
        let forest = forest(&[&[1], &[2, 3], &[3], &[2, 4], &[1, 5], &[]]);
        assert!(forest.is_irreducible());
        let all: Vec<_> = forest.loops().map(|(_, data)| data).collect();
        assert_eq!(all.len(), 1);
        assert_eq!(blocks(all[0]), [1, 2, 3, 4]);
        assert!(all[0].irreducible);
    }
}
