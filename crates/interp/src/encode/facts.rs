//! What the encoder has to know of a function's registers, found in one pass over its reachable
//! instructions, instead of by data flow. In register form branches have no arguments, so that the
//! operands are all that an instruction reads.

use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{Block, Function, Reg};

/// Facts about registers.
pub(super) struct Facts {
    /// By register: whether some block reads it before it assigns it. Registers that no block does
    /// that with are dead at the end of every block.
    crosses_blocks: Vec<bool>,
    /// By register: the constant that it holds wherever it may be read, and the block that assigns
    /// it.
    constants: Vec<Option<(u128, Block)>>,
    /// The place in reverse postorder of the last loop header.
    last_header: Option<u32>,
}

impl Facts {
    pub fn compute(body: &Function, cfg: &Cfg, loops: &LoopHeaders) -> Facts {
        let count = body.regs.len();
        let mut crosses_blocks = vec![false; count];
        let mut constants = vec![None; count];
        // The block that last assigned each register, and whether something had assigned it before.
        let mut assigned_in: Vec<Option<Block>> = vec![None; count];
        assigned_in[..body.sig.params.len()].fill(Some(body.entry()));
        for &block in cfg.rpo() {
            for &inst in &body.blocks[block].insts {
                let data = &body.insts[inst];
                for &reg in &data.args {
                    let reg = index(reg);
                    crosses_blocks[reg] |= assigned_in[reg] != Some(block);
                }
                for &reg in &data.results {
                    let reg = index(reg);
                    constants[reg] = match data.imm.constant_bits() {
                        Some(bits) if assigned_in[reg].is_none() => Some((bits, block)),
                        _ => None,
                    };
                    assigned_in[reg] = Some(block);
                }
            }
        }
        let last_header = loops.headers().last().and_then(|&header| cfg.rpo_index(header));
        Facts { crosses_blocks, constants, last_header }
    }

    /// Whether a register may be live at the end of a block.
    pub fn crosses_blocks(&self, reg: Reg) -> bool {
        self.crosses_blocks[index(reg)]
    }

    /// The constant that the only assignment of the register gives it. Since no register is read
    /// that is not assigned on every path, it has this value at each of its uses.
    pub fn constant(&self, reg: Reg) -> Option<u128> {
        self.constants[index(reg)].map(|(bits, _)| bits)
    }

    /// Whether a register's slot has to hold its value when a block ends. Registers that cross
    /// blocks need it, but for constants that no entry at a loop header may find live: their
    /// assignment dominates all uses, so only headers that it dominates matter, and those stand
    /// behind it in reverse postorder.
    pub fn is_stored(&self, cfg: &Cfg, reg: Reg) -> bool {
        let reg = index(reg);
        self.crosses_blocks[reg]
            && match self.constants[reg] {
                Some((_, block)) => self.last_header > cfg.rpo_index(block),
                None => true,
            }
    }
}

pub(super) fn index(reg: Reg) -> usize {
    reg.as_u32() as usize
}

/// For the instructions of one block, how often the value of the first result is read in the block.
pub(super) struct LocalUses {
    /// By register, while a block is scanned; zero between blocks.
    counts: Vec<u32>,
    /// By the instruction's index in the block.
    of_inst: Vec<u32>,
}

impl LocalUses {
    pub fn new(body: &Function) -> LocalUses {
        LocalUses { counts: vec![0; body.regs.len()], of_inst: Vec::new() }
    }

    /// Counts the uses in `block`.
    pub fn scan(&mut self, body: &Function, block: Block) {
        let insts = &body.blocks[block].insts;
        self.of_inst.clear();
        self.of_inst.resize(insts.len(), 0);
        for (i, &inst) in insts.iter().enumerate().rev() {
            let data = &body.insts[inst];
            for (k, &reg) in data.results.iter().enumerate() {
                let uses = std::mem::take(&mut self.counts[index(reg)]);
                if k == 0 {
                    self.of_inst[i] = uses;
                }
            }
            for &reg in &data.args {
                self.counts[index(reg)] += 1;
            }
        }
        for &inst in insts {
            for &reg in &body.insts[inst].args {
                self.counts[index(reg)] = 0;
            }
        }
    }

    /// Whether the first result of the block's instruction `i` is read once, as far as the block
    /// goes.
    pub fn once(&self, i: usize) -> bool {
        self.of_inst[i] == 1
    }
}
