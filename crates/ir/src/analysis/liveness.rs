//! Live registers of the register form, by backward data flow over blocks.

use super::Cfg;
use crate::entities::{Block, Inst, Reg};
use crate::function::Function;
use cranelift_entity::SecondaryMap;

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

    fn union(&mut self, other: &RegSet) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }

    fn iter(&self) -> impl Iterator<Item = Reg> + '_ {
        self.0.iter().enumerate().flat_map(|(word, &bits)| {
            let mut rest = bits;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    Reg::from_u32(word as u32 * 64 + bit)
                })
            })
        })
    }
}

/// Which registers are live at the start of each block, and on demand before any instruction.
#[derive(Clone, Debug)]
pub struct Liveness {
    live_in: SecondaryMap<Block, RegSet>,
}

impl Liveness {
    /// Computes liveness of `func`; `cfg` is its graph.
    pub fn compute(func: &Function, cfg: &Cfg) -> Liveness {
        let empty = RegSet::new(func.regs.len());
        let mut live_in = SecondaryMap::with_default(empty);
        live_in.resize(func.blocks.len());
        let mut changed = true;
        while changed {
            changed = false;
            for &block in cfg.rpo().iter().rev() {
                let live = Self::before(func, &live_in, block, None);
                if live != live_in[block] {
                    live_in[block] = live;
                    changed = true;
                }
            }
        }
        Liveness { live_in }
    }

    /// Liveness before the instruction at `stop` of `block` (none: at its start).
    fn before(
        func: &Function,
        live_in: &SecondaryMap<Block, RegSet>,
        block: Block,
        stop: Option<usize>,
    ) -> RegSet {
        let mut live = RegSet::new(func.regs.len());
        for succ in func.successors(block) {
            live.union(&live_in[succ]);
        }
        for &inst in func.blocks[block].insts[stop.unwrap_or(0)..].iter().rev() {
            let data = &func.insts[inst];
            for &result in &data.results {
                live.remove(result);
            }
            for used in data.uses() {
                live.insert(used);
            }
        }
        for &param in &func.blocks[block].params {
            live.remove(param);
        }
        live
    }

    /// The registers live at the start of a block, in order of their index.
    pub fn live_in(&self, block: Block) -> impl Iterator<Item = Reg> + '_ {
        self.live_in[block].iter()
    }

    /// The registers live before an instruction, in order of their index: those that frame states
    /// resuming there have to list.
    ///
    /// # Panics
    /// If `inst` is not in `block`.
    pub fn live_before(&self, func: &Function, block: Block, inst: Inst) -> Vec<Reg> {
        let index = func.blocks[block].insts.iter().position(|&i| i == inst);
        let index = index.expect("the instruction stands in the block");
        Self::before(func, &self.live_in, block, Some(index)).iter().collect()
    }

    /// The registers live behind a call instruction but for its results: those that the frame
    /// state of a frame that waits for the call has to list.
    ///
    /// # Panics
    /// If `inst` is not in `block`.
    pub fn live_across(&self, func: &Function, block: Block, inst: Inst) -> Vec<Reg> {
        let index = func.blocks[block].insts.iter().position(|&i| i == inst);
        let index = index.expect("the instruction stands in the block");
        let mut live = Self::before(func, &self.live_in, block, Some(index + 1));
        for &result in &func.insts[inst].results {
            live.remove(result);
        }
        live.iter().collect()
    }
}
