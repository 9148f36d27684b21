//! Constant folding and algebraic simplification.
//!
//! One walk over the instructions. An instruction whose operands are constants is evaluated by its
//! opcode's evaluation function. Others are matched against identities and cheaper forms
//! (`algebra`, `compare`, `control`); constants go to the right of commutative integer operations, so that
//! later passes see one form. Conditions of branches, selects and guards lose negations and
//! comparisons with zero, and branches on constants become jumps. Floating point is left as it is
//! but for divisions by powers of two. Dead operands are left to dead code elimination, equal
//! instructions to value numbering, and constants around loops to constant propagation.
//!
//! Before:
//! ```text
//! ssa func %f(x: i32) -> i32 {
//! block0:
//!   eight = i32.const 8
//!   a = i32.mul eight, x
//!   zero = i32.const 0
//!   b = i32.add a, zero
//!   d = i32.div_u b, eight
//!   less = i32.lt_s d, zero
//!   not = i32.eqz less
//!   br_if not, block1, block2
//! block1:
//!   return d
//! block2:
//!   k = i32.mul eight, eight
//!   return k
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(x: i32) -> i32 {
//! block0:
//!   eight = i32.const 8
//!   three = i32.const 3
//!   a = i32.shl x, three
//!   zero = i32.const 0
//!   three2 = i32.const 3
//!   d = i32.shr_u a, three2
//!   less = i32.lt_s d, zero
//!   not = i32.ge_s d, zero
//!   br_if not, block1, block2
//! block1:
//!   return d
//! block2:
//!   k = i32.const 64
//!   return k
//! }
//! ```

mod algebra;
mod compare;
mod control;
mod ints;

use super::dce::remove_unreachable;
use crate::ssa::Renames;
use cupola_ir::{Function, Imm, Inst, InstData, Module, Op, Reg, Type};
use smallvec::SmallVec;

/// How often one instruction is rewritten at most; rules never go round in circles, so that this is
/// only a bound for chains.
const MAX_REWRITES: u32 = 16;

/// Runs the pass.
pub fn run(func: &mut Function, _module: &Module) {
    let mut defs = vec![None; func.regs.len()];
    for &block in &func.layout {
        for &inst in &func.blocks[block].insts {
            for &result in &func.insts[inst].results {
                defs[result.as_u32() as usize] = Some(inst);
            }
        }
    }
    let renames = Renames::new(func.regs.len());
    let mut fold = Fold { func, defs, renames, out: Vec::new(), cut: false };
    for i in 0..fold.func.layout.len() {
        let block = fold.func.layout[i];
        let insts = std::mem::take(&mut fold.func.blocks[block].insts);
        fold.out = Vec::with_capacity(insts.len() + 4);
        for inst in insts {
            if fold.instruction(inst) {
                break;
            }
        }
        fold.func.blocks[block].insts = std::mem::take(&mut fold.out);
    }
    let Fold { func, mut renames, cut, .. } = fold;
    // Operands that were visited before what they are replaced by (arguments along back edges).
    renames.apply(func);
    if cut {
        remove_unreachable(func);
    }
}

/// What a rule made of an instruction.
enum Simplified {
    /// Nothing.
    Keep,
    /// It was rewritten in place, and may be simplified further.
    Again,
    /// Its result is this value.
    Value(Reg),
    /// It does nothing.
    Remove,
}

struct Fold<'a> {
    func: &'a mut Function,
    /// The instruction that defines a register.
    defs: Vec<Option<Inst>>,
    renames: Renames,
    /// Instructions of the current block so far.
    out: Vec<Inst>,
    /// Whether an edge was removed.
    cut: bool,
}

impl Fold<'_> {
    /// Simplifies an instruction and adds it to the block; whether the block ends there.
    fn instruction(&mut self, inst: Inst) -> bool {
        for used in self.func.insts[inst].uses_mut() {
            *used = self.renames.get(*used);
        }
        for _ in 0..MAX_REWRITES {
            match self.simplify(inst) {
                Simplified::Keep => break,
                Simplified::Again => {}
                Simplified::Remove => return false,
                Simplified::Value(value) => {
                    let result = self.func.insts[inst].results[0];
                    self.renames.set(result, value);
                    return false;
                }
            }
        }
        self.out.push(inst);
        self.func.insts[inst].op.is_terminator()
    }

    fn simplify(&mut self, inst: Inst) -> Simplified {
        let data = &self.func.insts[inst];
        match data.op {
            Op::Copy => Simplified::Value(data.args[0]),
            Op::Select => self.select(inst),
            Op::BrIf | Op::Guard | Op::BrTable => self.branch(inst),
            Op::TrapIf => self.trap_if(inst),
            Op::DeoptUnless => self.deopt_unless(inst),
            op if op.pure_signature().is_some() => self.pure(inst),
            _ => Simplified::Keep,
        }
    }

    fn pure(&mut self, inst: Inst) -> Simplified {
        let data = &self.func.insts[inst];
        let (op, imm, args) = (data.op, data.imm, data.args.clone());
        let bits = |&arg: &Reg| self.def(arg)?.imm.constant_bits();
        let constants: Option<SmallVec<[u128; 2]>> = args.iter().map(bits).collect();
        if let Some(constants) = constants {
            return match op.eval(imm, &constants) {
                Some(Ok(value)) => self.become_constant(inst, value),
                // A trap that is bound to happen stays where it is.
                _ => Simplified::Keep,
            };
        }
        if let Some((kind, ty)) = ints::classify(op) {
            return match args.as_slice() {
                &[a, b] => self.int_binary(inst, kind, ty, a, b),
                _ => Simplified::Keep,
            };
        }
        match *args.as_slice() {
            [a, b] if op.is_compare() => self.compare(inst, op, a, b),
            [a] => self.unary(inst, op, a),
            [a, b] => self.float_binary(inst, op, a, b),
            _ => Simplified::Keep,
        }
    }

    /// The constant of one slot that a register is.
    fn constant_of(&self, reg: Reg) -> Option<u64> {
        match self.def(reg)?.imm {
            Imm::Bits(bits) => Some(bits),
            _ => None,
        }
    }

    /// The instruction that defines a register; none for block parameters.
    fn def(&self, reg: Reg) -> Option<&InstData> {
        let inst = (*self.defs.get(reg.as_u32() as usize)?)?;
        Some(&self.func.insts[inst])
    }

    /// The operands of the instruction that defines `reg`, if that is `op`.
    fn operands_if(&mut self, reg: Reg, op: Op) -> Option<SmallVec<[Reg; 4]>> {
        let data = self.def(reg)?;
        if data.op != op {
            return None;
        }
        let mut args = data.args.clone();
        args.iter_mut().for_each(|arg| *arg = self.renames.get(*arg));
        Some(args)
    }

    /// Whether a register is known to be 0 or 1.
    fn is_truth_value(&self, reg: Reg) -> bool {
        self.def(reg).is_some_and(|data| data.op.is_compare())
    }

    /// A new instruction before the current one.
    fn emit(&mut self, ty: Type, mut data: InstData) -> Reg {
        let result = self.func.regs.push(ty);
        data.results.push(result);
        let inst = self.func.insts.push(data);
        self.defs.resize(self.func.regs.len(), None);
        self.defs[result.as_u32() as usize] = Some(inst);
        self.out.push(inst);
        result
    }

    fn emit_constant(&mut self, ty: Type, bits: u64) -> Reg {
        self.emit(ty, InstData::new(Op::const_of(ty), &[], &[]).with_imm(Imm::Bits(bits)))
    }

    fn emit_like(&mut self, like: Inst, ty: Type, op: Op, args: &[Reg]) -> Reg {
        let (loc, inline_site) = (self.func.insts[like].loc, self.func.insts[like].inline_site);
        let mut data = InstData::new(op, args, &[]).with_loc(loc);
        data.inline_site = inline_site;
        self.emit(ty, data)
    }

    /// Rewrites an instruction to another operation with the same result.
    fn rewrite(&mut self, inst: Inst, op: Op, args: &[Reg]) -> Simplified {
        let data = &mut self.func.insts[inst];
        data.op = op;
        data.args = SmallVec::from_slice(args);
        Simplified::Again
    }

    /// Rewrites an instruction to a constant.
    fn become_constant(&mut self, inst: Inst, bits: u128) -> Simplified {
        let ty = self.func.regs[self.func.insts[inst].results[0]];
        let data = &mut self.func.insts[inst];
        data.op = Op::const_of(ty);
        data.imm = Imm::constant(ty, bits);
        data.args.clear();
        Simplified::Keep
    }
}
