//! Small innermost loops of T1, copied so that several iterations share one count.
//!
//! A loop of a few instructions spends a quarter of its time on counting each iteration. Its body
//! is laid down several times instead, each copy's back edge leading to the next copy's header:
//!
//! ```text
//! entry: count 1 ──► copy 0 ──► copy 1 ──► … ──► last copy
//!                      ▲                            │
//!                      └────── again: count n ◄─────┘
//! ```
//!
//! Every copy may leave the loop; at most n − 1 iterations of each activation of the loop are not
//! counted. `entry` and `again` are also where the loop is left for better code. Without counting
//! there is nothing to share, and loops are translated as they are.

use super::Lower;
use cranelift_codegen::ir::InstBuilder;
use cupola_ir::{Block, Effects};
use smallvec::SmallVec;

/// Greatest number of instructions of all copies of a loop together.
const MAX_INSTS: usize = 64;

/// Most copies of a loop.
const MAX_COPIES: usize = 4;

/// A loop to be laid down several times.
pub(super) struct Unrolling {
    header: Block,
    /// The loop's blocks in reverse postorder, the header first.
    body: SmallVec<[Block; 8]>,
    copies: usize,
}

impl Lower<'_, '_> {
    /// The loop of this header if it is to be copied: an innermost loop that is entered only at
    /// its header, small, without calls, beside which counting is nothing.
    pub(super) fn unrolling(&self, header: Block) -> Option<Unrolling> {
        if self.ssa || !self.counts() || self.weaves_fuel() {
            return None;
        }
        let mut body: SmallVec<[Block; 8]> = SmallVec::from_slice(&[header]);
        let mut insts = self.code.blocks[header].insts.len();
        let latches = self.cfg.preds(header).iter().copied();
        let mut todo: SmallVec<[Block; 8]> =
            latches.filter(|&pred| self.cfg.is_back_edge(pred, header)).collect();
        while let Some(block) = todo.pop() {
            if body.contains(&block) {
                continue;
            }
            insts += self.code.blocks[block].insts.len();
            // A way back from a latch that gets before the header enters the loop elsewhere.
            let irreducible = self.cfg.rpo_index(block) < self.cfg.rpo_index(header);
            if irreducible || self.headers.loop_of(block).is_some() || insts > MAX_INSTS / 2 {
                return None;
            }
            body.push(block);
            todo.extend_from_slice(self.cfg.preds(block));
        }
        let copies = (MAX_INSTS / insts.max(1)).min(MAX_COPIES);
        let leaves_alone = |block: &Block| {
            let mut insts = self.code.blocks[*block].insts.iter();
            insts.all(|&inst| !self.code.insts[inst].op.effects().contains(Effects::CALLS))
        };
        if copies < 2 || !body.iter().all(leaves_alone) {
            return None;
        }
        body.sort_unstable_by_key(|&block| self.cfg.rpo_index(block));
        Some(Unrolling { header, body, copies })
    }

    /// Translates all copies of a loop. Everything that branches to it from outside has been
    /// translated.
    pub(super) fn lower_unrolled(&mut self, unrolling: &Unrolling) {
        let Unrolling { header, ref body, copies } = *unrolling;
        self.copied.extend(body);
        let entry = self.block(header);
        let again = self.b.create_block();
        let headers: SmallVec<[_; MAX_COPIES]> =
            (0..copies).map(|_| self.b.create_block()).collect();

        self.current = header;
        self.set_block_position(header);
        self.start_sealed(entry);
        self.count_iterations(header, 1);
        self.b.ins().jump(headers[0], &[]);

        for (copy, &cl_header) in headers.iter().enumerate() {
            for &block in &body[1..] {
                self.t.blocks[block.as_u32() as usize] = self.b.create_block();
            }
            // Branches to the header from within this copy go to the next.
            let next = headers.get(copy + 1).copied().unwrap_or(again);
            self.t.blocks[header.as_u32() as usize] = next;
            for &block in body {
                let cl_block = if block == header { cl_header } else { self.block(block) };
                if cl_block != headers[0] {
                    self.b.seal_block(cl_block);
                }
                self.start(cl_block);
                self.lower_insts(block);
            }
        }

        self.set_block_position(header);
        self.current = header;
        self.start_sealed(again);
        self.count_iterations(header, copies as u32);
        self.b.ins().jump(headers[0], &[]);
        self.b.seal_block(headers[0]);
    }
}
