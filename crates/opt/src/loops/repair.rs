//! SSA form for values that were given a second definition.
//!
//! After blocks were copied, a value is defined in the original and in the copy, and each use has
//! to read the one that reaches it. Parameters go to the iterated dominance frontier of the two
//! blocks (Cytron et al., *Efficiently Computing Static Single Assignment Form*, 1991), and only
//! where a use asks for one, so that no parameter is made that nothing reads.

use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, DomTree};
use cupola_ir::{Block, Function, Inst, Reg};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Values with a definition in each of two blocks. Uses stand for the second one so far.
pub(super) struct TwoDefs {
    pub first: Block,
    pub second: Block,
    /// What each value is called in the first and in the second block.
    pub values: Vec<(Reg, Reg)>,
}

/// Repairs a function whose graph has got its new shape.
pub(super) struct Repair<'a> {
    func: &'a mut Function,
    cfg: Cfg,
    dom: DomTree,
    frontier: SecondaryMap<Block, SmallVec<[Block; 2]>>,
}

impl<'a> Repair<'a> {
    pub fn new(func: &'a mut Function) -> Repair<'a> {
        let cfg = Cfg::compute(func);
        let dom = DomTree::compute(&cfg);
        let mut frontier: SecondaryMap<Block, SmallVec<[Block; 2]>> = SecondaryMap::new();
        for &block in cfg.rpo() {
            if cfg.preds(block).len() < 2 {
                continue;
            }
            for &pred in cfg.preds(block) {
                let mut runner = Some(pred);
                while let Some(at) = runner.filter(|&at| Some(at) != dom.idom(block)) {
                    if frontier[at].last() != Some(&block) {
                        frontier[at].push(block);
                    }
                    runner = dom.idom(at);
                }
            }
        }
        Repair { func, cfg, dom, frontier }
    }

    /// Makes every use read the definition that reaches it.
    pub fn run(mut self, all: &[TwoDefs]) {
        let mut uses = self.collect_uses(all);
        for defs in all {
            let joins = self.joins(defs);
            for &(first, second) in &defs.values {
                let Some(uses) = uses.remove(&second) else { continue };
                let mut variable = Variable {
                    repair: &mut self,
                    defs,
                    joins: &joins,
                    first,
                    second,
                    at_entry: FxHashMap::default(),
                    pending: Vec::new(),
                };
                for (inst, block) in uses {
                    let new = variable.at_entry(block);
                    for used in variable.repair.func.insts[inst].uses_mut() {
                        if *used == second {
                            *used = new;
                        }
                    }
                }
                variable.fill_params();
            }
        }
    }

    /// The uses of each value outside the two blocks that define it.
    fn collect_uses(&self, all: &[TwoDefs]) -> FxHashMap<Reg, Vec<(Inst, Block)>> {
        let mut owner: SecondaryMap<Reg, Option<u32>> = SecondaryMap::new();
        for (i, defs) in all.iter().enumerate() {
            for &(_, second) in &defs.values {
                owner[second] = Some(i as u32);
            }
        }
        let mut uses: FxHashMap<Reg, Vec<(Inst, Block)>> = FxHashMap::default();
        for &block in self.cfg.rpo() {
            for &inst in &self.func.blocks[block].insts {
                for used in self.func.insts[inst].uses() {
                    let Some(defs) = owner[used].map(|i| &all[i as usize]) else { continue };
                    if block != defs.first && block != defs.second {
                        uses.entry(used).or_default().push((inst, block));
                    }
                }
            }
        }
        uses
    }

    /// The iterated dominance frontier of the two defining blocks.
    fn joins(&self, defs: &TwoDefs) -> FxHashMap<Block, ()> {
        let mut joins = FxHashMap::default();
        let mut todo = vec![defs.first, defs.second];
        while let Some(block) = todo.pop() {
            for &join in &self.frontier[block] {
                if joins.insert(join, ()).is_none() {
                    todo.push(join);
                }
            }
        }
        joins
    }
}

/// One value under repair.
struct Variable<'r, 'a> {
    repair: &'r mut Repair<'a>,
    defs: &'r TwoDefs,
    joins: &'r FxHashMap<Block, ()>,
    first: Reg,
    second: Reg,
    /// What is known to reach the start of a block.
    at_entry: FxHashMap<Block, Reg>,
    /// Blocks with a new parameter that no predecessor passes a value for yet.
    pending: Vec<Block>,
}

impl Variable<'_, '_> {
    fn at_entry(&mut self, block: Block) -> Reg {
        let mut at = block;
        let value = loop {
            if let Some(&known) = self.at_entry.get(&at) {
                break known;
            }
            if self.joins.contains_key(&at) {
                let func = &mut *self.repair.func;
                let param = func.regs.push(func.regs[self.second]);
                func.blocks[at].params.push(param);
                self.pending.push(at);
                self.at_entry.insert(at, param);
                break param;
            }
            at = self.repair.dom.idom(at).expect("the two definitions together dominate each use");
            if let Some(own) = self.defined_in(at) {
                break own;
            }
        };
        self.at_entry.insert(block, value);
        value
    }

    fn at_exit(&mut self, block: Block) -> Reg {
        match self.defined_in(block) {
            Some(own) => own,
            None => self.at_entry(block),
        }
    }

    fn defined_in(&self, block: Block) -> Option<Reg> {
        if block == self.defs.first {
            Some(self.first)
        } else if block == self.defs.second {
            Some(self.second)
        } else {
            None
        }
    }

    fn fill_params(&mut self) {
        while let Some(block) = self.pending.pop() {
            let mut preds: SmallVec<[Block; 4]> =
                SmallVec::from_slice(self.repair.cfg.preds(block));
            preds.sort_unstable();
            preds.dedup();
            for pred in preds {
                let value = self.at_exit(pred);
                let last = self.repair.func.terminator(pred);
                let targets = &mut self.repair.func.insts[last].targets;
                for target in targets.iter_mut().filter(|target| target.block == block) {
                    target.args.push(value);
                }
            }
        }
    }
}
