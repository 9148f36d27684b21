//! Definite assignment in register form.
//!
//! Forward data flow over blocks: a register is assigned at the start of a block if it is at the
//! end of all predecessors. Only registers that some block reads before it assigns them take part;
//! most are temporaries of one block. They are treated in batches of a few words of bits, so that
//! memory stays linear in the number of blocks.

use super::Checker;
use crate::analysis::Cfg;
use crate::entities::{Block, Inst, Reg};

const WORDS: usize = 8;
const BATCH: usize = WORDS * 64;

type Set = [u64; WORDS];

/// A register read in a block before the block assigns it.
struct ExposedUse {
    reg: Reg,
    block: Block,
    inst: Inst,
}

impl Checker<'_> {
    pub(super) fn definite_assignment(&mut self) {
        let cfg = Cfg::compute(self.func);
        let (mut uses, mut defs) = self.exposed_uses(&cfg);
        if uses.is_empty() {
            return;
        }
        uses.sort_by_key(|used| used.reg);
        defs.sort();
        let mut regs: Vec<Reg> = uses.iter().map(|used| used.reg).collect();
        regs.dedup();
        let mut unassigned = Vec::new();
        for batch in regs.chunks(BATCH) {
            let assigned = self.assigned_at_start(&cfg, batch, &defs);
            let first = uses.partition_point(|used| used.reg < batch[0]);
            let end = uses.partition_point(|used| used.reg <= batch[batch.len() - 1]);
            for used in &uses[first..end] {
                let bit =
                    batch.binary_search(&used.reg).expect("every register read is in a batch");
                let place =
                    cfg.rpo_index(used.block).expect("only reachable blocks were looked at");
                if assigned[place as usize][bit / 64] >> (bit % 64) & 1 == 0 {
                    unassigned.push((used.inst, used.block, used.reg));
                }
            }
        }
        unassigned.sort();
        // One message for a register is enough.
        let mut reported = vec![false; self.func.regs.len()];
        for (inst, block, reg) in unassigned {
            if !std::mem::replace(&mut reported[reg.as_u32() as usize], true) {
                let name = self.reg_name(reg);
                let message = format!("`{name}` is read here, but not assigned on every path");
                self.error(Some(block), Some(inst), message);
            }
        }
    }

    /// Registers that blocks read before they assign them; and which blocks assign which registers.
    fn exposed_uses(&self, cfg: &Cfg) -> (Vec<ExposedUse>, Vec<(Reg, Block)>) {
        let func = self.func;
        let params = func.sig.params.len() as u32;
        // The block that was last seen to assign, or to read from outside, each register.
        let mut assigned_in = vec![None; func.regs.len()];
        let mut read_in = vec![None; func.regs.len()];
        let (mut uses, mut defs) = (Vec::new(), Vec::new());
        for &block in cfg.rpo() {
            for &inst in &func.blocks[block].insts {
                let data = &func.insts[inst];
                for reg in data.uses().filter(|reg| reg.as_u32() >= params) {
                    let i = reg.as_u32() as usize;
                    if assigned_in[i] != Some(block) && read_in[i].replace(block) != Some(block) {
                        uses.push(ExposedUse { reg, block, inst });
                    }
                }
                for &reg in &data.results {
                    if assigned_in[reg.as_u32() as usize].replace(block) != Some(block) {
                        defs.push((reg, block));
                    }
                }
            }
        }
        (uses, defs)
    }

    /// Which registers of a batch are assigned at the start of each block, by reverse postorder.
    fn assigned_at_start(&self, cfg: &Cfg, batch: &[Reg], defs: &[(Reg, Block)]) -> Vec<Set> {
        let place = |block: Block| cfg.rpo_index(block).map(|i| i as usize);
        let mut assigns = vec![Set::default(); cfg.rpo().len()];
        let first = defs.partition_point(|&(reg, _)| reg < batch[0]);
        for &(reg, block) in &defs[first..] {
            if reg > batch[batch.len() - 1] {
                break;
            }
            if let (Ok(bit), Some(place)) = (batch.binary_search(&reg), place(block)) {
                assigns[place][bit / 64] |= 1 << (bit % 64);
            }
        }
        let mut start = vec![[u64::MAX; WORDS]; cfg.rpo().len()];
        start[0] = Set::default();
        let mut changed = true;
        while changed {
            changed = false;
            for (i, &block) in cfg.rpo().iter().enumerate().skip(1) {
                let mut set = start[i];
                for pred in cfg.preds(block).iter().filter_map(|&pred| place(pred)) {
                    for word in 0..WORDS {
                        set[word] &= start[pred][word] | assigns[pred][word];
                    }
                }
                if set != start[i] {
                    start[i] = set;
                    changed = true;
                }
            }
        }
        start
    }
}
