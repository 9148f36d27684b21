//! Sparse conditional constant propagation.
//!
//! Wegman and Zadeck, *Constant Propagation with Conditional Branches* (TOPLAS 1991): every value
//! starts out unknown and every block unreachable; constants flow only along edges that constants
//! make reachable, so that a loop that never changes a variable does not hide it. What is found
//! constant becomes a constant instruction, branches on constants become jumps, unreachable blocks
//! go. Evaluation is that of the opcode table; an operation that would trap stays. Facts that a
//! branch's condition implies on its edges are not used.
//!
//! Before:
//! ```text
//! ssa func %f(n: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   br block1(n, one)
//! block1(i: i32, x: i32):
//!   br_if x, block2, block3
//! block2:
//!   same = i32.mul x, x
//!   br block4(same)
//! block3:
//!   two = i32.const 2
//!   br block4(two)
//! block4(y: i32):
//!   next = i32.sub i, y
//!   br_if next, block1(next, y), block5
//! block5:
//!   return y
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(n: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   br block1(n)
//! block1(i: i32):
//!   x = i32.const 1
//!   br block2
//! block2:
//!   same = i32.const 1
//!   br block4
//! block4:
//!   y = i32.const 1
//!   next = i32.sub i, y
//!   br_if next, block1(next), block5
//! block5:
//!   return y
//! }
//! ```

use super::dce::remove_unreachable;
use crate::ssa::{Incoming, remove_params};
use cupola_ir::{Block, Effects, Function, Imm, Inst, InstData, Module, Op, Reg};
use smallvec::SmallVec;

/// What is known of a value.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Lattice {
    /// Nothing yet: no code that computes it has been reached.
    Unknown,
    /// Always this.
    Constant(u128),
    /// Not always the same.
    Varying,
}

impl Lattice {
    fn meet(self, other: Lattice) -> Lattice {
        match (self, other) {
            (Lattice::Unknown, x) | (x, Lattice::Unknown) => x,
            (a, b) if a == b => a,
            _ => Lattice::Varying,
        }
    }
}

/// Runs the pass.
pub fn run(func: &mut Function, _module: &Module) {
    let values = Propagation::solve(func);
    rewrite(func, &values);
}

struct Propagation<'a> {
    func: &'a Function,
    values: Vec<Lattice>,
    reached: Vec<bool>,
    users: Users,
    changed: Vec<Reg>,
    new_blocks: Vec<Block>,
}

impl Propagation<'_> {
    fn solve(func: &Function) -> Vec<Lattice> {
        let mut p = Propagation {
            func,
            values: vec![Lattice::Unknown; func.regs.len()],
            reached: vec![false; func.blocks.len()],
            users: Users::compute(func),
            changed: Vec::new(),
            new_blocks: Vec::new(),
        };
        for &param in &func.blocks[func.entry()].params {
            p.values[param.as_u32() as usize] = Lattice::Varying;
        }
        p.reach(func.entry());
        loop {
            if let Some(reg) = p.changed.pop() {
                for i in p.users.range(reg) {
                    let (inst, block) = p.users.list[i];
                    if p.reached[block.as_u32() as usize] {
                        p.visit(inst);
                    }
                }
            } else if let Some(block) = p.new_blocks.pop() {
                func.blocks[block].insts.iter().for_each(|&inst| p.visit(inst));
            } else {
                return p.values;
            }
        }
    }

    fn reach(&mut self, block: Block) {
        if !std::mem::replace(&mut self.reached[block.as_u32() as usize], true) {
            self.new_blocks.push(block);
        }
    }

    fn value(&self, reg: Reg) -> Lattice {
        self.values[reg.as_u32() as usize]
    }

    fn lower(&mut self, reg: Reg, to: Lattice) {
        let value = &mut self.values[reg.as_u32() as usize];
        let met = value.meet(to);
        if met != *value {
            *value = met;
            self.changed.push(reg);
        }
    }

    fn visit(&mut self, inst: Inst) {
        let data = &self.func.insts[inst];
        if data.op.is_terminator() {
            self.branch(data);
        } else if let &[result] = data.results.as_slice() {
            let value = self.evaluate(data);
            self.lower(result, value);
        } else {
            data.results.iter().for_each(|&result| self.lower(result, Lattice::Varying));
        }
    }

    fn branch(&mut self, data: &InstData) {
        let taken = match data.args.first().map(|&cond| self.value(cond)) {
            _ if data.op == Op::Br => 0..1,
            Some(Lattice::Unknown) => return,
            Some(Lattice::Constant(bits)) if !data.targets.is_empty() => {
                let index = taken_target(data, bits);
                index..index + 1
            }
            _ => 0..data.targets.len(),
        };
        for target in &data.targets[taken] {
            self.reach(target.block);
            let params = &self.func.blocks[target.block].params;
            for (&param, &arg) in params.iter().zip(&target.args) {
                self.lower(param, self.value(arg));
            }
        }
    }

    fn evaluate(&self, data: &InstData) -> Lattice {
        if let Some(bits) = data.imm.constant_bits() {
            return Lattice::Constant(bits);
        }
        match data.op {
            Op::Copy => self.value(data.args[0]),
            Op::Select => {
                let (then, otherwise) = (self.value(data.args[1]), self.value(data.args[2]));
                match self.value(data.args[0]) {
                    Lattice::Unknown => Lattice::Unknown,
                    Lattice::Constant(bits) if bits as u32 != 0 => then,
                    Lattice::Constant(_) => otherwise,
                    Lattice::Varying => then.meet(otherwise),
                }
            }
            op if op.pure_signature().is_some() => {
                let mut slots: SmallVec<[u128; 4]> = SmallVec::new();
                let mut worst = Lattice::Constant(0);
                for &arg in &data.args {
                    match self.value(arg) {
                        Lattice::Constant(bits) => slots.push(bits),
                        Lattice::Unknown => return Lattice::Unknown,
                        Lattice::Varying => worst = Lattice::Varying,
                    }
                }
                match op.eval(data.imm, &slots) {
                    Some(Ok(bits)) if worst != Lattice::Varying => Lattice::Constant(bits),
                    _ => Lattice::Varying,
                }
            }
            _ => Lattice::Varying,
        }
    }
}

/// The target that a branch goes to if its operand is this constant.
fn taken_target(data: &InstData, bits: u128) -> usize {
    match data.op {
        Op::BrTable => (bits as u32 as usize).min(data.targets.len() - 1),
        _ => usize::from(bits as u32 == 0),
    }
}

fn rewrite(func: &mut Function, values: &[Lattice]) {
    let constant = |reg: Reg| match values[reg.as_u32() as usize] {
        Lattice::Constant(bits) => Some(bits),
        _ => None,
    };
    let mut cut = false;
    for i in 0..func.layout.len() {
        let block = func.layout[i];
        for &inst in &func.blocks[block].insts {
            let data = &mut func.insts[inst];
            if data.op.is_terminator() {
                let taken = match data.args.first() {
                    Some(&cond) if !data.targets.is_empty() => {
                        constant(cond).map(|bits| taken_target(data, bits))
                    }
                    _ => None,
                };
                if let Some(taken) = taken {
                    data.targets.swap(0, taken);
                    data.targets.truncate(1);
                    data.args.clear();
                    data.op = Op::Br;
                    cut = true;
                }
            } else if let &[result] = data.results.as_slice()
                && let Some(bits) = constant(result)
                && data.imm.constant_bits().is_none()
            {
                // Only pure instructions are ever found constant, and those that might trap did not.
                debug_assert!((data.op.effects() - Effects::TRAPS).is_empty());
                data.op = Op::const_of(func.regs[result]);
                data.imm = Imm::constant(func.regs[result], bits);
                data.args.clear();
            }
        }
    }
    if cut {
        remove_unreachable(func);
    }
    constant_params(func, constant);
}

/// Makes constant instructions of constant block parameters.
fn constant_params(func: &mut Function, constant: impl Fn(Reg) -> Option<u128>) {
    let is_constant = |&reg: &Reg| constant(reg).is_some();
    if !func.layout.iter().any(|&block| func.blocks[block].params.iter().any(is_constant)) {
        return;
    }
    let incoming = Incoming::compute(func);
    for i in 1..func.layout.len() {
        let block = func.layout[i];
        let params: SmallVec<[(Reg, u128); 4]> =
            func.blocks[block].params.iter().filter_map(|&p| Some((p, constant(p)?))).collect();
        if params.is_empty() {
            continue;
        }
        remove_params(func, &incoming, block, |param| constant(param).is_some());
        let insts = params.into_iter().map(|(param, bits)| {
            let ty = func.regs[param];
            let constant = InstData::new(Op::const_of(ty), &[], &[param]);
            func.insts.push(constant.with_imm(Imm::constant(ty, bits)))
        });
        let insts: SmallVec<[Inst; 4]> = insts.collect();
        func.blocks[block].insts.splice(0..0, insts);
    }
}

/// The instructions that read each register, with their blocks.
struct Users {
    starts: Vec<u32>,
    list: Vec<(Inst, Block)>,
}

impl Users {
    fn compute(func: &Function) -> Users {
        let mut starts = vec![0u32; func.regs.len() + 1];
        let all = || {
            func.layout.iter().flat_map(|&block| {
                func.blocks[block].insts.iter().flat_map(move |&inst| {
                    func.insts[inst].uses().map(move |reg| (reg, inst, block))
                })
            })
        };
        for (reg, ..) in all() {
            starts[reg.as_u32() as usize] += 1;
        }
        let mut end = 0;
        for start in &mut starts {
            end += *start;
            *start = end;
        }
        // Filled from the back, so that each start ends up at the first of its register.
        let nobody = (Inst::from_u32(0), Block::from_u32(0));
        let mut list = vec![nobody; end as usize];
        for (reg, inst, block) in all() {
            let at = &mut starts[reg.as_u32() as usize];
            *at -= 1;
            list[*at as usize] = (inst, block);
        }
        Users { starts, list }
    }

    fn range(&self, reg: Reg) -> std::ops::Range<usize> {
        let i = reg.as_u32() as usize;
        self.starts[i] as usize..self.starts[i + 1] as usize
    }
}
