//! Live registers of the register form, by backward data flow over blocks.

use super::Cfg;
use crate::entities::{Block, Inst, Reg};
use crate::function::Function;

/// A set of registers, as bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RegSet(Vec<u64>);

impl RegSet {
    fn new(len: usize) -> RegSet {
        RegSet(vec![0; len.div_ceil(64)])
    }

    fn insert(&mut self, reg: Reg) {
        let i = reg.as_u32() as usize;
        self.0[i / 64] |= 1 << (i % 64);
    }

    fn remove(&mut self, reg: Reg) {
        let i = reg.as_u32() as usize;
        self.0[i / 64] &= !(1 << (i % 64));
    }

    fn iter(&self) -> impl Iterator<Item = Reg> + '_ {
        bits(&self.0).map(|index| Reg::from_u32(index as u32))
    }
}

/// The places of the bits that are set, in order.
fn bits(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(word, &bits)| {
        let mut rest = bits;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                word * 64 + bit
            })
        })
    })
}

/// Which registers are live at the start of each block, and on demand before any instruction.
///
/// Only registers that some block reads before assigning them can be live into a block; sets are
/// over those, so that the temporaries of blocks, nearly all registers of a large function, cost
/// nothing.
#[derive(Clone, Debug)]
pub struct Liveness {
    /// The registers that sets are over, by index.
    exposed: Vec<Reg>,
    /// 64-bit words in a set.
    words: usize,
    /// The sets of all blocks, one behind the other.
    live_in: Vec<u64>,
}

impl Liveness {
    /// Computes liveness of `func`; `cfg` is its graph.
    pub fn compute(func: &Function, cfg: &Cfg) -> Liveness {
        let exposed = exposed_registers(func, cfg);
        let words = exposed.len().div_ceil(64);
        let mut place = vec![NOT_EXPOSED; func.regs.len()];
        for (i, &reg) in exposed.iter().enumerate() {
            place[reg.as_u32() as usize] = i as u32;
        }
        let size = words * func.blocks.len();
        let mut liveness = Liveness { exposed, words, live_in: vec![0; size] };
        if size == 0 {
            return liveness;
        }
        // What a block reads before assigning it is where the solution starts from.
        let mut kept = vec![u64::MAX; size];
        for &block in cfg.rpo() {
            let range = liveness.range(block);
            let (read, kept) = (&mut liveness.live_in[range.clone()], &mut kept[range]);
            let mut assign = |reg: Reg, read: &mut [u64]| {
                let at = place[reg.as_u32() as usize];
                if at != NOT_EXPOSED {
                    read[at as usize / 64] &= !(1 << (at % 64));
                    kept[at as usize / 64] &= !(1 << (at % 64));
                }
            };
            for &inst in func.blocks[block].insts.iter().rev() {
                let data = &func.insts[inst];
                data.results.iter().for_each(|&result| assign(result, read));
                for used in data.uses() {
                    let at = place[used.as_u32() as usize];
                    if at != NOT_EXPOSED {
                        read[at as usize / 64] |= 1 << (at % 64);
                    }
                }
            }
            func.blocks[block].params.iter().for_each(|&param| assign(param, read));
        }
        liveness.solve(func, cfg, &kept);
        liveness
    }

    /// Adds what is live into successors and not assigned in between, until nothing changes.
    fn solve(&mut self, func: &Function, cfg: &Cfg, kept: &[u64]) {
        let mut changed = true;
        while changed {
            changed = false;
            for &block in cfg.rpo().iter().rev() {
                let own = self.range(block);
                for succ in func.successors(block) {
                    let from = self.range(succ).start;
                    for (i, at) in own.clone().enumerate() {
                        let live = self.live_in[at] | (self.live_in[from + i] & kept[at]);
                        changed |= live != self.live_in[at];
                        self.live_in[at] = live;
                    }
                }
            }
        }
    }

    fn range(&self, block: Block) -> std::ops::Range<usize> {
        let start = block.as_u32() as usize * self.words;
        start..start + self.words
    }

    /// Liveness before the instruction at `index` of `block`.
    fn before(&self, func: &Function, block: Block, index: usize) -> RegSet {
        let mut live = RegSet::new(func.regs.len());
        for succ in func.successors(block) {
            self.live_in(succ).for_each(|reg| live.insert(reg));
        }
        for &inst in func.blocks[block].insts[index..].iter().rev() {
            let data = &func.insts[inst];
            for &result in &data.results {
                live.remove(result);
            }
            for used in data.uses() {
                live.insert(used);
            }
        }
        live
    }

    /// The registers live at the start of a block, in order of their index.
    pub fn live_in(&self, block: Block) -> impl Iterator<Item = Reg> + '_ {
        bits(&self.live_in[self.range(block)]).map(|place| self.exposed[place])
    }

    /// The registers live before an instruction, in order of their index: those that frame states
    /// resuming there have to list.
    ///
    /// # Panics
    /// If `inst` is not in `block`.
    pub fn live_before(&self, func: &Function, block: Block, inst: Inst) -> Vec<Reg> {
        let index = func.blocks[block].insts.iter().position(|&i| i == inst);
        let index = index.expect("the instruction stands in the block");
        self.before(func, block, index).iter().collect()
    }

    /// The registers live behind a call instruction but for its results: those that the frame
    /// state of a frame that waits for the call has to list.
    ///
    /// # Panics
    /// If `inst` is not in `block`.
    pub fn live_across(&self, func: &Function, block: Block, inst: Inst) -> Vec<Reg> {
        let index = func.blocks[block].insts.iter().position(|&i| i == inst);
        let index = index.expect("the instruction stands in the block");
        let mut live = self.before(func, block, index + 1);
        for &result in &func.insts[inst].results {
            live.remove(result);
        }
        live.iter().collect()
    }
}

const NOT_EXPOSED: u32 = u32::MAX;

/// The registers that a reachable block reads before assigning them, in order of their index.
fn exposed_registers(func: &Function, cfg: &Cfg) -> Vec<Reg> {
    let mut exposed = RegSet::new(func.regs.len());
    let mut assigned_in = vec![None; func.regs.len()];
    for &block in cfg.rpo() {
        for &param in &func.blocks[block].params {
            assigned_in[param.as_u32() as usize] = Some(block);
        }
        for &inst in &func.blocks[block].insts {
            let data = &func.insts[inst];
            for used in data.uses() {
                if assigned_in[used.as_u32() as usize] != Some(block) {
                    exposed.insert(used);
                }
            }
            for &result in &data.results {
                assigned_in[result.as_u32() as usize] = Some(block);
            }
        }
    }
    exposed.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FunctionBuilder, Module, Op, Signature, Type};

    #[test]
    fn loop_variables_are_live_and_temporaries_are_not() {
        let module = Module::default();
        let mut b = FunctionBuilder::new(&module, Signature::new([Type::I32], [Type::I32]));
        let (n, sum) = (b.param(0), b.i32(0));
        let [head, exit, nowhere] = [(); 3].map(|()| b.block());
        b.br(head);
        b.switch_to(head);
        b.ins_to(sum, Op::I32Add, &[sum, n]);
        let one = b.i32(1);
        b.ins_to(n, Op::I32Sub, &[n, one]);
        b.br_if(n, head, exit);
        b.switch_to(exit);
        b.return_(&[sum]);
        b.switch_to(nowhere);
        b.return_(&[one]);
        let func = b.finish();
        let live = Liveness::compute(&func, &Cfg::compute(&func));
        let live_in = |block| live.live_in(block).collect::<Vec<_>>();
        assert_eq!(live_in(func.entry()), [n]);
        assert_eq!(live_in(head), [n, sum]);
        assert_eq!(live_in(exit), [sum]);
        assert_eq!(live_in(nowhere), []);
        let subtract = func.blocks[head].insts[2];
        assert_eq!(live.live_before(&func, head, subtract), [n, sum, one]);
        assert_eq!(live.live_across(&func, head, subtract), [sum]);
    }
}
