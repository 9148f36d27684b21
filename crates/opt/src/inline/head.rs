//! Heads of recursive functions: the test for the base case, in front of a call.
//!
//! A function that calls itself twice makes a tree of calls, at least half of which end at once with
//! the base case. Where inlining it into itself has come to its bounds, the test for that and its
//! result are copied into the caller all the same, and only what goes on is called (partial
//! inlining, as in Muth, Debray: *Partial Inlining*, 1997). The callee tests again, which its branch
//! predictor makes cheap.
//!
//! Before, behind the last level that is inlined:
//! ```text
//! func %tree(n: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   small = i32.lt_s n, one
//!   br_if small, block1, block2
//! block1:
//!   return n
//! block2:
//!   m = i32.sub n, one
//!   a = call %tree(m)
//!   k = i32.shr_s n, one
//!   b = call %tree(k)
//!   r = i32.add a, b
//!   return r
//! }
//! ```
//! The head:
//! ```text
//! func %tree(n: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   small = i32.lt_s n, one
//!   br_if small, block1, block2
//! block1:
//!   return n
//! block2:
//!   r = call %tree(n)
//!   return r
//! }
//! ```

use cupola_ir::{Block, BlockData, FuncId, Function, Imm, Inst, InstData, Module, Op, Reg, Target};
use smallvec::SmallVec;

/// Heads are no larger than this, in instructions without constants.
const MAX_SIZE: u32 = 6;

/// The head of function `id`, which calls itself at least twice; none if it does not start with a
/// test for a base case that does nothing but compute its results.
pub(super) fn head(id: FuncId, func: &Function, module: &Module) -> Option<Function> {
    let entry = func.entry();
    let (&branch, tests) = func.blocks[entry].insts.split_last()?;
    let branch = &func.insts[branch];
    if branch.op != Op::BrIf || !tests.iter().all(|&inst| is_pure(func, inst, module)) {
        return None;
    }
    let is_base = |block: Block| {
        let Some((&last, others)) = func.blocks[block].insts.split_last() else { return false };
        block != entry
            && func.insts[last].op == Op::Return
            && others.iter().all(|&inst| is_pure(func, inst, module))
    };
    let base = branch.targets.iter().position(|target| is_base(target.block))?;
    let base_block = branch.targets[base].block;
    let insts = || tests.iter().chain(&func.blocks[base_block].insts);
    let size = insts().filter(|&&inst| !matches!(func.insts[inst].imm, Imm::Bits(_))).count();
    if size as u32 > MAX_SIZE {
        return None;
    }

    let mut made = Head { func, out: Function::new(func.form, func.sig.clone()), regs: Vec::new() };
    made.regs.resize(func.regs.len(), None);
    let start = made.block(entry);
    let result = made.block(base_block);
    let rest = made.out.blocks.push(BlockData::default());
    made.out.layout.extend([start, result, rest]);
    for &inst in tests {
        made.copy(start, &func.insts[inst], Vec::new());
    }
    let args = branch.targets[base].args.iter().map(|&arg| made.reg(arg)).collect();
    let mut targets = vec![Target { block: result, args }, Target::new(rest)];
    if base == 1 {
        targets.swap(0, 1);
    }
    made.copy(start, branch, targets);
    for &inst in &func.blocks[base_block].insts {
        made.copy(result, &func.insts[inst], Vec::new());
    }
    let params: SmallVec<[Reg; 4]> = made.out.blocks[start].params.clone();
    let results: SmallVec<[Reg; 2]> =
        func.sig.results.iter().map(|&ty| made.out.regs.push(ty)).collect();
    let call = InstData::new(Op::Call, &params, &results).with_imm(Imm::Func(id));
    made.push(rest, call);
    made.push(rest, InstData::new(Op::Return, &results, &[]));
    Some(made.out)
}

fn is_pure(func: &Function, inst: Inst, module: &Module) -> bool {
    let data = &func.insts[inst];
    data.effects(module).is_empty() && data.targets.is_empty()
}

/// A head that is being made.
struct Head<'a> {
    func: &'a Function,
    out: Function,
    /// What the function's registers are called in the head.
    regs: Vec<Option<Reg>>,
}

impl Head<'_> {
    fn reg(&mut self, reg: Reg) -> Reg {
        let (ty, out) = (self.func.regs[reg], &mut self.out.regs);
        *self.regs[reg.as_u32() as usize].get_or_insert_with(|| out.push(ty))
    }

    /// An empty block with the parameters of `block`.
    fn block(&mut self, block: Block) -> Block {
        let params = self.func.blocks[block].params.iter().map(|&param| self.reg(param)).collect();
        self.out.blocks.push(BlockData { params, ..BlockData::default() })
    }

    fn copy(&mut self, to: Block, data: &InstData, targets: Vec<Target>) {
        let args: SmallVec<[Reg; 4]> = data.args.iter().map(|&arg| self.reg(arg)).collect();
        let results: SmallVec<[Reg; 2]> = data.results.iter().map(|&reg| self.reg(reg)).collect();
        let made = InstData::new(data.op, &args, &results).with_imm(data.imm).with_targets(targets);
        self.push(to, made.with_loc(data.loc));
    }

    fn push(&mut self, to: Block, data: InstData) {
        let inst = self.out.insts.push(data);
        self.out.blocks[to].insts.push(inst);
    }
}
