//! Loop-invariant code motion.
//!
//! Loops are taken inner ones first, and the preheader of an inner loop is then part of the loop
//! around it, so that what is invariant in several loops climbs out of all of them. An instruction
//! whose operands come from outside the loop moves to the preheader
//! - if it is pure;
//! - if it reads instance state (a memory's base and length, a global) that nothing in the loop
//!   writes: such reads cannot fail;
//! - if it reads memory that nothing in the loop writes, or traps or not by its operands alone, and
//!   it is certain to execute once the loop is entered, before anything that could be observed: a
//!   raw load must not overtake the check that protects it, nor a trap another one.
//!
//! Memory is one class: a store anywhere in the loop keeps all loads in it. Loops without a
//! preheader get one when something moves.
//!
//! Before:
//! ```text
//! memory $m 1
//! global $g mut i64 = 0
//! ssa func %f(n: i64, k: i64) {
//! block0:
//!   br block1(n)
//! block1(i: i64):
//!   len = memory.len $m
//!   q = i64.div_u n, k
//!   p = i64.add len, q
//!   global.set $g, p
//!   j = i64.sub i, q
//!   c = i64.gt_s j, k
//!   br_if c, block1(j), block2
//! block2:
//!   return
//! }
//! ```
//! After:
//! ```text
//! memory $m 1
//! global $g mut i64 = 0
//! ssa func %f(n: i64, k: i64) {
//! block0:
//!   len = memory.len $m
//!   q = i64.div_u n, k
//!   p = i64.add len, q
//!   br block1(n)
//! block1(i: i64):
//!   global.set $g, p
//!   j = i64.sub i, q
//!   c = i64.gt_s j, k
//!   br_if c, block1(j), block2
//! block2:
//!   return
//! }
//! ```

use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest, NaturalLoop};
use cupola_ir::{
    Block, BlockData, Effects, Function, Imm, Inst, InstData, Module, Op, Reg, Target,
};
use smallvec::SmallVec;

/// Moves what is invariant out of the loops of `func`, which is in SSA form.
pub fn run(func: &mut Function, module: &Module) {
    let cfg = Cfg::compute(func);
    let dom = DomTree::compute(&cfg);
    let forest = LoopForest::compute(func, &cfg, &dom);
    if forest.is_empty() {
        return;
    }
    let mut home: SecondaryMap<Reg, Option<NaturalLoop>> = SecondaryMap::new();
    home.resize(func.regs.len());
    let mut written: SecondaryMap<NaturalLoop, Written> = SecondaryMap::new();
    for &block in cfg.rpo() {
        let Some(id) = forest.innermost(block) else { continue };
        let data = &func.blocks[block];
        for &param in &data.params {
            home[param] = Some(id);
        }
        for &inst in &data.insts {
            written[id].add(&func.insts[inst], module);
            for &result in &func.insts[inst].results {
                home[result] = Some(id);
            }
        }
    }
    let mut motion = Motion { func, module, cfg, dom, forest, home, made: SecondaryMap::new() };
    let ids: Vec<NaturalLoop> = motion.forest.loops().map(|(id, _)| id).rev().collect();
    for id in ids {
        motion.run_loop(id, &written[id]);
        if let Some(parent) = motion.forest.get(id).parent {
            let inner = std::mem::take(&mut written[id]);
            written[parent].merge(inner);
        }
    }
}

/// What a loop may write.
#[derive(Clone, Default)]
struct Written {
    memory: bool,
    /// State other than globals named in `globals`.
    state: bool,
    globals: SmallVec<[Imm; 4]>,
}

impl Written {
    fn add(&mut self, data: &InstData, module: &Module) {
        let effects = data.effects(module);
        let any = effects.contains(Effects::CALLS);
        self.memory |= any || effects.contains(Effects::WRITES_MEMORY);
        if any || effects.contains(Effects::WRITES_STATE) {
            match data.imm {
                Imm::Global(_) if !any => self.globals.push(data.imm),
                _ => self.state = true,
            }
        }
    }

    fn merge(&mut self, inner: Written) {
        self.memory |= inner.memory;
        self.state |= inner.state;
        self.globals.extend(inner.globals);
    }

    /// Whether nothing in the loop changes what an instruction with these effects reads.
    fn keeps(&self, effects: Effects, imm: &Imm) -> bool {
        !(effects.contains(Effects::READS_MEMORY) && self.memory
            || effects.contains(Effects::READS_STATE) && (self.state || self.globals.contains(imm)))
    }
}

struct Motion<'a> {
    func: &'a mut Function,
    module: &'a Module,
    cfg: Cfg,
    dom: DomTree,
    forest: LoopForest,
    /// The innermost loop that a value is defined in.
    home: SecondaryMap<Reg, Option<NaturalLoop>>,
    /// Preheaders made by this pass.
    made: SecondaryMap<NaturalLoop, Option<Block>>,
}

impl Motion<'_> {
    fn run_loop(&mut self, id: NaturalLoop, written: &Written) {
        let header = self.forest.get(id).header;
        // The block up to which all is certain to execute as soon as the loop is entered.
        let mut certain = Some(header);
        let mut moving = Vec::new();
        for at in 0..self.forest.get(id).blocks.len() {
            let block = self.forest.get(id).blocks[at];
            if self.forest.innermost(block) != Some(id) {
                let made = self.forest.with_header(block).and_then(|inner| self.made[inner]);
                if let Some(preheader) = made {
                    self.scan(id, preheader, written, &mut None, &mut moving);
                }
                continue;
            }
            self.scan(id, block, written, &mut certain, &mut moving);
        }
        if moving.is_empty() {
            return;
        }
        let preheader = self.preheader(id);
        let insts = &mut self.func.blocks[preheader].insts;
        let end = insts.len() - 1;
        insts.splice(end..end, moving);
    }

    /// Takes what may move out of loop `id` from a block.
    fn scan(
        &mut self,
        id: NaturalLoop,
        block: Block,
        written: &Written,
        certain: &mut Option<Block>,
        moving: &mut Vec<Inst>,
    ) {
        let mut old = std::mem::take(&mut self.func.blocks[block].insts);
        old.retain(|&inst| {
            let data = &self.func.insts[inst];
            let effects = data.effects(self.module);
            let is_certain = *certain == Some(block);
            let movable = data.uses().all(|used| !self.is_inside(id, used))
                && written.keeps(effects, &data.imm)
                && match effects - Effects::READS_STATE {
                    pure if pure.is_empty() => true,
                    rest => {
                        is_certain && (rest - Effects::TRAPS - Effects::READS_MEMORY).is_empty()
                    }
                };
            if movable {
                let parent = self.forest.get(id).parent;
                for &result in &self.func.insts[inst].results {
                    self.home[result] = parent;
                }
                moving.push(inst);
                return false;
            }
            // What moves in front of a poll happens as it would behind it: in the interpreter,
            // where the poll leaves.
            if is_certain && (effects - Effects::POLLS).is_observable() {
                // Behind a plain branch, execution is as certain as before it.
                let next = (data.op == Op::Br).then(|| data.targets[0].block);
                *certain = next.filter(|&next| {
                    self.forest.innermost(next) == Some(id) && next != self.forest.get(id).header
                });
            }
            true
        });
        self.func.blocks[block].insts = old;
    }

    fn is_inside(&self, id: NaturalLoop, value: Reg) -> bool {
        let mut around = self.home[value];
        while let Some(inner) = around.filter(|&inner| inner >= id) {
            if inner == id {
                return true;
            }
            around = self.forest.get(inner).parent;
        }
        false
    }

    /// The preheader of a loop, made if there is none.
    fn preheader(&mut self, id: NaturalLoop) -> Block {
        if let Some(block) = self.forest.get(id).preheader {
            return block;
        }
        let header = self.forest.get(id).header;
        let types: SmallVec<[_; 4]> =
            self.func.blocks[header].params.iter().map(|&param| self.func.regs[param]).collect();
        let params: SmallVec<[Reg; 4]> =
            types.into_iter().map(|ty| self.func.regs.push(ty)).collect();
        for &param in &params {
            self.home[param] = self.forest.get(id).parent;
        }
        let branch = InstData::new(Op::Br, &[], &[])
            .with_targets(vec![Target { block: header, args: params.clone() }]);
        let branch = self.func.insts.push(branch);
        let data = BlockData { params, insts: vec![branch], count: None };
        let preheader = self.func.blocks.push(data);
        if !self.func.layout.is_empty() {
            let at = self.func.layout.iter().position(|&block| block == header);
            self.func.layout.insert(at.unwrap_or(0), preheader);
        }
        for pred in SmallVec::<[Block; 4]>::from_slice(self.cfg.preds(header)) {
            if !self.dom.dominates(header, pred) {
                let last = self.func.terminator(pred);
                for target in &mut self.func.insts[last].targets {
                    if target.block == header {
                        target.block = preheader;
                    }
                }
            }
        }
        self.made[id] = Some(preheader);
        preheader
    }
}
