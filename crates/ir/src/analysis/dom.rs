//! Dominator tree.
//!
//! Cooper, Harvey and Kennedy, *A Simple, Fast Dominance Algorithm* (2001): immediate dominators by
//! iteration over the reverse postorder, two rounds on reducible graphs. Preorder numbers of the
//! tree then answer dominance queries in constant time. The tree is of one moment: it is not
//! updated when the graph changes.

use super::Cfg;
use crate::entities::Block;
use cranelift_entity::SecondaryMap;

/// The dominator tree of a function's reachable blocks.
#[derive(Clone, Debug)]
pub struct DomTree {
    nodes: SecondaryMap<Block, Node>,
    preorder: Vec<Block>,
}

#[derive(Copy, Clone, Debug)]
struct Node {
    idom: Option<Block>,
    /// Place in the tree's preorder.
    pre: u32,
    /// Number of nodes of the subtree, this one included; 0 for unreachable blocks.
    size: u32,
}

const UNREACHABLE: Node = Node { idom: None, pre: 0, size: 0 };

impl DomTree {
    /// Computes the tree of the function whose graph is `cfg`.
    pub fn compute(cfg: &Cfg) -> DomTree {
        let rpo = cfg.rpo();
        let idoms = immediate_dominators(cfg);
        // A node's dominator precedes it in the reverse postorder, so that subtree sizes add up in
        // one backward pass, and preorder places are dealt out in one forward pass.
        let mut size = vec![1u32; rpo.len()];
        for i in (1..rpo.len()).rev() {
            size[idoms[i] as usize] += size[i];
        }
        let mut next = vec![1u32; rpo.len()];
        let mut pre = vec![0u32; rpo.len()];
        for i in 1..rpo.len() {
            let parent = idoms[i] as usize;
            pre[i] = next[parent];
            next[parent] += size[i];
            next[i] = pre[i] + 1;
        }
        let mut nodes = SecondaryMap::with_default(UNREACHABLE);
        let mut preorder = rpo.to_vec();
        for (i, &block) in rpo.iter().enumerate() {
            let idom = (i > 0).then(|| rpo[idoms[i] as usize]);
            nodes[block] = Node { idom, pre: pre[i], size: size[i] };
            preorder[pre[i] as usize] = block;
        }
        DomTree { nodes, preorder }
    }

    /// The closest block, other than itself, through which every path to `block` leads; none for
    /// the entry and for unreachable blocks.
    pub fn idom(&self, block: Block) -> Option<Block> {
        self.nodes[block].idom
    }

    /// Whether every path from the entry to `b` leads through `a`; every reachable block dominates
    /// itself. False if either is unreachable.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (a, b) = (&self.nodes[a], &self.nodes[b]);
        b.size != 0 && a.pre <= b.pre && b.pre < a.pre + a.size
    }

    /// The reachable blocks so that each comes behind its dominators, and a block's subtree is
    /// contiguous.
    pub fn preorder(&self) -> &[Block] {
        &self.preorder
    }

    /// The closest block that dominates both; none if either is unreachable.
    pub fn common_dominator(&self, mut a: Block, b: Block) -> Option<Block> {
        if self.nodes[b].size == 0 {
            return None;
        }
        while !self.dominates(a, b) {
            a = self.idom(a)?;
        }
        Some(a)
    }
}

/// The immediate dominator of each block of the reverse postorder, as places in it; the entry's is
/// itself.
fn immediate_dominators(cfg: &Cfg) -> Vec<u32> {
    const UNKNOWN: u32 = u32::MAX;
    let rpo = cfg.rpo();
    let mut idoms = vec![UNKNOWN; rpo.len()];
    if rpo.is_empty() {
        return idoms;
    }
    idoms[0] = 0;
    let mut changed = true;
    while changed {
        changed = false;
        for (i, &block) in rpo.iter().enumerate().skip(1) {
            let mut new = UNKNOWN;
            for pred in cfg.preds(block).iter().filter_map(|&p| cfg.rpo_index(p)) {
                if idoms[pred as usize] == UNKNOWN {
                    continue;
                }
                new = if new == UNKNOWN { pred } else { intersect(&idoms, new, pred) };
            }
            if idoms[i] != new {
                idoms[i] = new;
                changed = true;
            }
        }
    }
    idoms
}

fn intersect(idoms: &[u32], mut a: u32, mut b: u32) -> u32 {
    while a != b {
        while a > b {
            a = idoms[a as usize];
        }
        while b > a {
            b = idoms[b as usize];
        }
    }
    a
}

#[cfg(test)]
mod tests {
    use super::super::graph::{block, graph};
    use super::*;

    fn tree(edges: &[&[u32]]) -> DomTree {
        DomTree::compute(&Cfg::compute(&graph(edges)))
    }

    #[test]
    fn diamond_in_loop() {
        // 0 -> 1 -> {2, 3} -> 4 -> {1, 5}; 6 is unreachable.
        let tree = tree(&[&[1], &[2, 3], &[4], &[4], &[1, 5], &[], &[5]]);
        let idoms: Vec<_> = (0..7).map(|b| tree.idom(block(b))).collect();
        let expected = [None, Some(0), Some(1), Some(1), Some(1), Some(4), None];
        assert_eq!(idoms, expected.map(|b| b.map(block)));
        assert!(tree.dominates(block(1), block(5)) && tree.dominates(block(5), block(5)));
        assert!(!tree.dominates(block(2), block(4)) && !tree.dominates(block(5), block(1)));
        assert!(!tree.dominates(block(6), block(5)) && !tree.dominates(block(0), block(6)));
        assert_eq!(tree.common_dominator(block(2), block(3)), Some(block(1)));
        assert_eq!(tree.preorder().len(), 6);
    }

    #[test]
    fn irreducible_cycle_needs_iteration() {
        // 0 -> {1, 2}, 1 -> 2, 2 -> 1: neither of the cycle's blocks dominates the other.
        let tree = tree(&[&[1, 2], &[2], &[1]]);
        assert_eq!(tree.idom(block(1)), Some(block(0)));
        assert_eq!(tree.idom(block(2)), Some(block(0)));
    }

    #[test]
    fn agrees_with_the_definition_on_random_graphs() {
        let mut seed = 1u64;
        let mut random = |n: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % n
        };
        for _ in 0..200 {
            let n = 2 + random(9) as u32;
            let edges: Vec<Vec<u32>> = (0..n)
                .map(|_| (0..random(4)).map(|_| 1 + random(u64::from(n - 1)) as u32).collect())
                .collect();
            let edges: Vec<&[u32]> = edges.iter().map(Vec::as_slice).collect();
            let tree = tree(&edges);
            let reach = |without: Option<u32>| {
                let mut seen = vec![false; n as usize];
                let mut todo = vec![0u32];
                while let Some(b) = todo.pop() {
                    if Some(b) != without && !std::mem::replace(&mut seen[b as usize], true) {
                        todo.extend(edges[b as usize]);
                    }
                }
                seen
            };
            let all = reach(None);
            for a in 0..n {
                let without = reach(Some(a));
                for b in 0..n {
                    let (ua, ub) = (a as usize, b as usize);
                    let expected = all[ua] && all[ub] && !without[ub];
                    assert_eq!(tree.dominates(block(a), block(b)), expected, "{a} {b} {edges:?}");
                }
            }
        }
    }
}
