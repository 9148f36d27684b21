//! Instructions that are woven into a program while it is constructed: consumption of fuel,
//! deoptimizations by force, and polls for better code. They stand where the register form has the
//! entry, the back edge or the instruction that they belong to, whatever inlining and loop passes
//! make of it later; that they write state, poll, and may trap or leave keeps them in order with all
//! that can be observed.

use super::Construction;
use cupola_ir::{
    Block, BlockData, DeoptReason, FrameDescr, FrameState, Imm, Inst, InstData, Op, Reg, SrcLoc,
    Target, Type,
};

/// What to weave in.
#[derive(Copy, Clone, Default)]
pub struct Ticks<'a> {
    /// Consume fuel at the entry by a call, and on the edges of the register form for which this
    /// holds: its back edges.
    pub fuel: Option<&'a dyn Fn(Block, Block) -> bool>,
    /// Leave for the interpreter when the budget of forced deoptimizations is used up: before
    /// branches, calls and dialect instructions, and at the start of the blocks for which this
    /// holds: loop headers.
    pub deopts: Option<&'a dyn Fn(Block) -> bool>,
    /// Look for better code at the start of the blocks for which this holds: loop headers.
    pub polls: Option<&'a dyn Fn(Block) -> bool>,
}

impl Ticks<'_> {
    /// Whether the edge consumes fuel.
    pub(crate) fn on_edge(&self, from: Block, to: Block) -> bool {
        self.fuel.is_some_and(|is_back_edge| is_back_edge(from, to))
    }
}

impl Construction<'_> {
    pub(super) fn push(&mut self, block: Block, data: InstData) -> Inst {
        let inst = self.func.insts.push(data);
        self.func.blocks[block].insts.push(inst);
        inst
    }

    pub(super) fn fuel_tick(&mut self, block: Block, loc: SrcLoc) {
        self.push(block, InstData::new(Op::FuelTick, &[], &[]).with_loc(loc));
    }

    /// Leads the edge that target `index` of `branch` is past a new block that consumes fuel; gives
    /// the branch of that block, which the edge's arguments belong to.
    pub(super) fn fuel_edge(&mut self, branch: Inst, index: usize) -> Inst {
        let edge = self.func.blocks.push(BlockData::default());
        self.func.layout.push(edge);
        let loc = self.func.insts[branch].loc;
        let target = &mut self.func.insts[branch].targets[index].block;
        let to = std::mem::replace(target, edge);
        self.fuel_tick(edge, loc);
        let jump = InstData::new(Op::Br, &[], &[]).with_targets(vec![Target::new(to)]);
        self.push(edge, jump.with_loc(loc))
    }

    /// Leaves for the interpreter by force, which goes on with the register form's instruction
    /// `resume`; `live` are the registers live before it, perhaps repeatedly.
    pub(super) fn forced_deopt(
        &mut self,
        block: Block,
        resume: Inst,
        live: impl Iterator<Item = Reg>,
    ) {
        let regs = sorted(live);
        let loc = self.body.insts[resume].loc;
        let cond = self.func.regs.push(Type::I32);
        self.push(block, InstData::new(Op::DeoptTick, &[], &[cond]).with_loc(loc));
        self.deopt_unless(block, cond, (resume, regs), DeoptReason::Forced, loc);
    }

    /// Looks for better code at a loop header whose first instruction in the register form is
    /// `resume`; `live` are the registers live before it.
    pub(super) fn osr_poll(&mut self, block: Block, resume: Inst, live: impl Iterator<Item = Reg>) {
        let regs = sorted(live);
        let loc = self.body.insts[resume].loc;
        let args = regs.iter().map(|&reg| self.current[reg]).collect();
        let frame = FrameDescr { func: self.options.func, resume, regs };
        let state = FrameState { frames: vec![frame], reason: DeoptReason::BetterCode };
        let state = self.func.frame_states.push(state);
        let mut poll =
            InstData::new(Op::OsrPoll, &[], &[]).with_imm(Imm::FrameState(state)).with_loc(loc);
        poll.args = args;
        self.push(block, poll);
    }

    /// Leaves for the interpreter if `cond` is zero, which goes on with an instruction of the
    /// register form and these registers.
    pub(super) fn deopt_unless(
        &mut self,
        block: Block,
        cond: Reg,
        (resume, regs): (Inst, Vec<Reg>),
        reason: DeoptReason,
        loc: SrcLoc,
    ) {
        let args = [cond].into_iter().chain(regs.iter().map(|&reg| self.current[reg])).collect();
        let frame = FrameDescr { func: self.options.func, resume, regs };
        let state = self.func.frame_states.push(FrameState { frames: vec![frame], reason });
        let mut deopt =
            InstData::new(Op::DeoptUnless, &[], &[]).with_imm(Imm::FrameState(state)).with_loc(loc);
        deopt.args = args;
        self.push(block, deopt);
    }
}

/// Each register once, in order.
fn sorted(regs: impl Iterator<Item = Reg>) -> Vec<Reg> {
    let mut regs: Vec<Reg> = regs.collect();
    regs.sort_unstable();
    regs.dedup();
    regs
}
