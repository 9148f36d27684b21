//! Loop headers: the numbering that T0, T1, feedback and on-stack replacement agree on.

use super::Cfg;
use crate::entities::{Block, LoopId};
use crate::function::Function;
use cranelift_entity::SecondaryMap;

/// The loop headers of a register-form function: the targets of edges that go against its reverse
/// postorder. Every cycle, also of an irreducible graph, passes through at least one of them.
#[derive(Clone, Debug)]
pub struct LoopHeaders {
    headers: Vec<Block>,
    of_block: SecondaryMap<Block, Option<LoopId>>,
}

impl LoopHeaders {
    /// Computes the loop headers of `func`; `cfg` is its graph. The numbering depends only on the
    /// function.
    pub fn compute(func: &Function, cfg: &Cfg) -> LoopHeaders {
        let mut headers = Vec::new();
        let mut of_block = SecondaryMap::new();
        of_block.resize(func.blocks.len());
        for &block in cfg.rpo() {
            if cfg.preds(block).iter().any(|&pred| cfg.is_back_edge(pred, block)) {
                of_block[block] = Some(LoopId::from_u32(headers.len() as u32));
                headers.push(block);
            }
        }
        LoopHeaders { headers, of_block }
    }

    /// The headers, by [`LoopId`].
    pub fn headers(&self) -> &[Block] {
        &self.headers
    }

    /// The header of a loop.
    pub fn header(&self, id: LoopId) -> Block {
        self.headers[id.as_u32() as usize]
    }

    /// The loop that a block is the header of.
    pub fn loop_of(&self, block: Block) -> Option<LoopId> {
        self.of_block[block]
    }
}
