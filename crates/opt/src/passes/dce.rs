//! Dead code elimination.
//!
//! Marks what observable instructions need, backward from them, and removes the rest: instructions
//! whose results nobody needs, block parameters (with their arguments) that only feed themselves,
//! and blocks that cannot be reached. An instruction that may trap is observable, so a division
//! stays although its result is dead. Does not remove branches whose outcome does not matter.
//!
//! Before:
//! ```text
//! ssa func %f(n: i32) -> i32 {
//! block0:
//!   zero = i32.const 0
//!   br block1(n, zero)
//! block1(i: i32, dead: i32):
//!   one = i32.const 1
//!   next = i32.sub i, one
//!   unused = i32.add dead, i
//!   br_if next, block1(next, unused), block2
//! block2:
//!   return next
//! block3:
//!   return n
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(n: i32) -> i32 {
//! block0:
//!   br block1(n)
//! block1(i: i32):
//!   one = i32.const 1
//!   next = i32.sub i, one
//!   br_if next, block1(next), block2
//! block2:
//!   return next
//! }
//! ```

use crate::ssa::{Incoming, remove_params};
use cranelift_entity::SecondaryMap;
use cupola_ir::{Block, Function, Inst, Module, Reg};

/// Where a value comes from.
#[derive(Copy, Clone)]
enum Def {
    None,
    Inst(Inst),
    Param(Block, u32),
}

/// Runs the pass.
pub fn run(func: &mut Function, module: &Module) {
    remove_unreachable(func);
    let incoming = Incoming::compute(func);
    let mut defs = SecondaryMap::with_default(Def::None);
    defs.resize(func.regs.len());
    let mut marks = Marks { live: vec![false; func.regs.len()], work: Vec::new() };
    for &block in &func.layout {
        for (i, &param) in func.blocks[block].params.iter().enumerate() {
            defs[param] = Def::Param(block, i as u32);
        }
        for &inst in &func.blocks[block].insts {
            let data = &func.insts[inst];
            for &result in &data.results {
                defs[result] = Def::Inst(inst);
            }
            if data.effects(module).is_observable() {
                data.args.iter().for_each(|&arg| marks.need(arg));
            }
        }
    }
    while let Some(reg) = marks.work.pop() {
        match defs[reg] {
            Def::None => {}
            Def::Inst(inst) => func.insts[inst].args.iter().for_each(|&arg| marks.need(arg)),
            Def::Param(block, i) => {
                for &(inst, target) in incoming.of(block) {
                    marks.need(func.insts[inst].targets[target as usize].args[i as usize]);
                }
            }
        }
    }
    let live = |reg: Reg| marks.live[reg.as_u32() as usize];
    for i in 0..func.layout.len() {
        let block = func.layout[i];
        if i > 0 {
            remove_params(func, &incoming, block, |param| !live(param));
        }
        let insts = &func.insts;
        func.blocks[block].insts.retain(|&inst| {
            let data = &insts[inst];
            data.effects(module).is_observable() || data.results.iter().any(|&r| live(r))
        });
    }
}

struct Marks {
    live: Vec<bool>,
    work: Vec<Reg>,
}

impl Marks {
    fn need(&mut self, reg: Reg) {
        if !std::mem::replace(&mut self.live[reg.as_u32() as usize], true) {
            self.work.push(reg);
        }
    }
}

/// Takes blocks out of the layout that cannot be reached from the entry.
pub fn remove_unreachable(func: &mut Function) {
    let mut reached = vec![false; func.blocks.len()];
    let mut work = vec![func.entry()];
    reached[0] = true;
    while let Some(block) = work.pop() {
        for succ in func.successors(block) {
            if !std::mem::replace(&mut reached[succ.as_u32() as usize], true) {
                work.push(succ);
            }
        }
    }
    let blocks = &mut func.blocks;
    func.layout.retain(|&block| {
        let live = reached[block.as_u32() as usize];
        if !live {
            blocks[block] = Default::default();
        }
        live
    });
}
