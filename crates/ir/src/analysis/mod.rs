//! Analyses that tiers and passes share.

mod cfg;
mod dom;
mod liveness;
mod loop_forest;
mod loops;

pub use cfg::Cfg;
pub use dom::DomTree;
pub use liveness::Liveness;
pub use loop_forest::{LoopData, LoopForest, NaturalLoop};
pub use loops::LoopHeaders;

/// Graphs for tests of analyses.
#[cfg(test)]
mod graph {
    use crate::{Block, Function, FunctionBuilder, Module, Signature, TrapCode, Type};

    pub fn block(index: u32) -> Block {
        Block::from_u32(index)
    }

    /// A function whose block `i` branches to the blocks `edges[i]`.
    pub fn graph(edges: &[&[u32]]) -> Function {
        let module = Module::default();
        let mut b = FunctionBuilder::new(&module, Signature::new([Type::I32], []));
        for _ in 1..edges.len() {
            b.block();
        }
        for (i, targets) in edges.iter().enumerate() {
            b.switch_to(block(i as u32));
            let targets: Vec<Block> = targets.iter().map(|&t| block(t)).collect();
            match targets.split_last() {
                None => b.trap(TrapCode::Unreachable),
                Some((&default, rest)) => b.br_table(b.param(0), rest, default),
            }
        }
        b.finish()
    }
}
