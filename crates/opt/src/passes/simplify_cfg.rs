//! Simplification of the control-flow graph.
//!
//! Until nothing changes: branches whose targets are the same become jumps; a branch to a block that
//! only traps becomes a conditional trap; edges to blocks that do nothing but jump go to where those
//! jump; a block whose only predecessor does nothing but jump to it is appended to that. Then block
//! parameters that are always the same value go. Branches on constants are folding's business.
//!
//! Before:
//! ```text
//! ssa func %f(a: i32, b: i32) -> i32 {
//! block0:
//!   br_if a, block1, block2
//! block1:
//!   trap unreachable
//! block2:
//!   br_if b, block3(a), block4
//! block3(x: i32):
//!   br block5(x, b)
//! block4:
//!   br block5(b, b)
//! block5(y: i32, same: i32):
//!   s = i32.add y, same
//!   br block6(s)
//! block6(z: i32):
//!   return z
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(a: i32, b: i32) -> i32 {
//! block0:
//!   trap_if a, unreachable
//!   br_if b, block5(a), block5(b)
//! block5(y: i32):
//!   s = i32.add y, b
//!   return s
//! }
//! ```

use super::dce::remove_unreachable;
use crate::ssa::{Incoming, Renames, remove_redundant_params};
use cupola_ir::{Block, Function, InstData, Module, Op, Reg, Target};
use smallvec::SmallVec;

/// Runs the pass.
pub fn run(func: &mut Function, _module: &Module) {
    remove_unreachable(func);
    let mut uses = vec![0u32; func.regs.len()];
    for &block in &func.layout {
        for &inst in &func.blocks[block].insts {
            func.insts[inst].uses().for_each(|reg| uses[reg.as_u32() as usize] += 1);
        }
    }
    let mut changed = false;
    for i in 0..func.layout.len() {
        let block = func.layout[i];
        changed |= thread_edges(func, block, &mut uses);
        changed |= simplify_branch(func, block);
    }
    if changed {
        remove_unreachable(func);
    }
    merge_chains(func);
    remove_redundant_params(func);
}

/// Makes jumps and conditional traps of branches that need not be branches.
fn simplify_branch(func: &mut Function, block: Block) -> bool {
    let inst = func.terminator(block);
    let data = &func.insts[inst];
    if !matches!(data.op, Op::BrIf | Op::Guard | Op::BrTable) {
        return false;
    }
    if data.targets.iter().all(|target| *target == data.targets[0]) {
        become_jump(&mut func.insts[inst], 0);
        return true;
    }
    if data.op == Op::BrTable {
        return false;
    }
    let trap = |index: usize| {
        let to = data.targets[index].block;
        let first = &func.insts[func.blocks[to].insts[0]];
        (first.op == Op::Trap).then_some(first)
    };
    let (trap, negate) = match (trap(0), trap(1)) {
        (Some(trap), _) => (trap.clone(), false),
        (None, Some(trap)) => (trap.clone(), true),
        (None, None) => return false,
    };
    let mut cond = data.args[0];
    let mut new = SmallVec::<[InstData; 2]>::new();
    if negate {
        let inverted = func.regs.push(cupola_ir::Type::I32);
        new.push(InstData::new(Op::I32Eqz, &[cond], &[inverted]));
        cond = inverted;
    }
    new.push(InstData { op: Op::TrapIf, args: SmallVec::from_slice(&[cond]), ..trap });
    let last = func.blocks[block].insts.len() - 1;
    let new: SmallVec<[_; 2]> = new.into_iter().map(|data| func.insts.push(data)).collect();
    func.blocks[block].insts.splice(last..last, new);
    become_jump(&mut func.insts[inst], usize::from(!negate));
    true
}

fn become_jump(data: &mut InstData, target: usize) {
    data.targets.swap(0, target);
    data.targets.truncate(1);
    data.args.clear();
    data.op = Op::Br;
}

/// Leads the edges out of a block past blocks that do nothing but jump.
fn thread_edges(func: &mut Function, block: Block, uses: &mut [u32]) -> bool {
    let inst = func.terminator(block);
    let mut changed = false;
    for i in 0..func.insts[inst].targets.len() {
        // A cycle of such blocks has no end; the bound keeps the walk finite.
        for _ in 0..func.layout.len().min(16) {
            let Some(target) = forwarded(func, &func.insts[inst].targets[i], uses) else { break };
            // Uses that go are not counted down: too many is on the safe side.
            target.args.iter().for_each(|arg| uses[arg.as_u32() as usize] += 1);
            func.insts[inst].targets[i] = target;
            changed = true;
        }
    }
    changed
}

/// Where an edge to an empty block leads in the end.
fn forwarded(func: &Function, edge: &Target, uses: &[u32]) -> Option<Target> {
    let via = &func.blocks[edge.block];
    let &[jump] = via.insts.as_slice() else { return None };
    let jump = &func.insts[jump];
    if jump.op != Op::Br || jump.targets[0].block == edge.block {
        return None;
    }
    let next = &jump.targets[0];
    // The parameters must not be read anywhere but by the jump itself, which goes.
    for &param in &via.params {
        let here = next.args.iter().filter(|&&arg| arg == param).count();
        if uses.get(param.as_u32() as usize).is_none_or(|&uses| uses as usize > here) {
            return None;
        }
    }
    let args = next.args.iter().map(|arg| match via.params.iter().position(|p| p == arg) {
        Some(index) => edge.args[index],
        None => *arg,
    });
    Some(Target { block: next.block, args: args.collect() })
}

/// Appends blocks to their only predecessors where those only jump to them.
fn merge_chains(func: &mut Function) {
    let incoming = Incoming::compute(func);
    let mut renames = Renames::new(func.regs.len());
    let mut gone = vec![false; func.blocks.len()];
    for i in 0..func.layout.len() {
        let block = func.layout[i];
        if gone[block.as_u32() as usize] {
            continue;
        }
        loop {
            let last = func.terminator(block);
            let data = &func.insts[last];
            if data.op != Op::Br {
                break;
            }
            let next = data.targets[0].block;
            if next == block || incoming.of(next).len() != 1 {
                break;
            }
            let args: SmallVec<[Reg; 4]> = data.targets[0].args.clone();
            let tail = std::mem::take(&mut func.blocks[next]);
            for (&param, arg) in tail.params.iter().zip(args) {
                renames.set(param, arg);
            }
            let insts = &mut func.blocks[block].insts;
            insts.pop();
            insts.extend(tail.insts);
            gone[next.as_u32() as usize] = true;
        }
    }
    func.layout.retain(|&block| !gone[block.as_u32() as usize]);
    renames.apply(func);
}
