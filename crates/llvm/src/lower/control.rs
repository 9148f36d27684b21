//! Branches, returns, traps, polling, fuel.

use super::Lower;
use crate::error::{Result, codegen};
use cupola_ir::{DeoptReason, Imm, InstData, Target, TrapCode, Type};
use cupola_runtime::VmLimits;
use inkwell::IntPredicate;
use inkwell::basic_block::BasicBlock;
use inkwell::types::IntType;
use inkwell::values::{BasicValue, InstructionValue, IntValue};

/// How many times more often than not an expected branch is taken.
pub(super) const EXPECTED: u64 = 2000;

impl<'c> Lower<'_, '_, 'c> {
    /// Adds what an edge from the block that is being filled hands to its target.
    fn pass_arguments(&self, target: &Target) -> Result<()> {
        let from = self.b.get_insert_block().ok_or_else(|| codegen("no block"))?;
        let phis = &self.phis[target.block.as_u32() as usize];
        for (phi, &reg) in phis.iter().zip(&target.args) {
            phi.add_incoming(&[(&self.value(reg)?, from)]);
        }
        Ok(())
    }

    pub(super) fn jump(&mut self, target: &Target) -> Result<()> {
        self.pass_arguments(target)?;
        self.b.build_unconditional_branch(self.block(target.block)?)?;
        Ok(())
    }

    /// Where a branch to `targets[index]` goes: the target, or a block in between if another
    /// target of the branch is the same block, because phis tell predecessors apart, not edges.
    fn edge(&mut self, targets: &[Target], index: usize) -> Result<BasicBlock<'c>> {
        let target = &targets[index];
        let again = targets[..index].iter().any(|other| other.block == target.block);
        if !again || target.args.is_empty() {
            self.pass_arguments(target)?;
            return self.block(target.block);
        }
        let here = self.b.get_insert_block().ok_or_else(|| codegen("no block"))?;
        let edge = self.new_block();
        self.start(edge);
        self.jump(target)?;
        self.start(here);
        Ok(edge)
    }

    pub(super) fn br_if(&mut self, inst: &InstData, expected: bool) -> Result<()> {
        let condition = self.condition(inst.args[0])?;
        let then = self.edge(&inst.targets, 0)?;
        let otherwise = self.edge(&inst.targets, 1)?;
        let branch = self.b.build_conditional_branch(condition, then, otherwise)?;
        if expected {
            self.set_weights(branch, &[EXPECTED, 1])
        } else {
            self.set_counts(branch, &inst.targets)
        }
    }

    /// Gives a branch its weights from the counts of the blocks it goes to, if all are known.
    fn set_counts(&self, branch: InstructionValue<'c>, targets: &[Target]) -> Result<()> {
        let count = |target: &Target| self.code.blocks[target.block].count;
        match targets.iter().map(count).collect::<Option<Vec<u64>>>() {
            Some(counts) => self.set_weights(branch, &counts),
            None => Ok(()),
        }
    }

    /// Weights are scaled to 32 bits; a branch never taken may still be.
    pub(super) fn set_weights(&self, branch: InstructionValue<'c>, weights: &[u64]) -> Result<()> {
        let greatest = weights.iter().copied().max().unwrap_or(0);
        let shift = (64 - greatest.leading_zeros()).saturating_sub(31);
        let cx = self.unit.cx;
        let mut operands = vec![cx.metadata_string("branch_weights").into()];
        for &weight in weights {
            let weight = (weight >> shift).max(1);
            operands.push(self.unit.types.i32.const_int(weight, false).into());
        }
        branch
            .set_metadata(cx.metadata_node(&operands), self.unit.kinds.prof)
            .map_err(|error| codegen(error).into())
    }

    pub(super) fn br_table(&mut self, inst: &InstData) -> Result<()> {
        let index = self.int(inst.args[0])?;
        let mut blocks = Vec::new();
        for (i, target) in inst.targets.iter().enumerate() {
            // The same edge as another one is the same edge, but for LLVM's phis.
            let same = inst.targets[..i].iter().position(|other| other == target);
            match same {
                Some(same) => {
                    let block: BasicBlock<'c> = blocks[same];
                    if block == self.block(target.block)? {
                        self.pass_arguments(target)?;
                    }
                    blocks.push(block);
                }
                None => blocks.push(self.edge(&inst.targets, i)?),
            }
        }
        let Some((&default, cases)) = blocks.split_last() else {
            return Err(codegen("a branch table without a default").into());
        };
        let number = |i: usize| self.unit.types.i32.const_int(i as u64, false);
        let cases: Vec<_> = cases.iter().enumerate().map(|(i, &b)| (number(i), b)).collect();
        self.b.build_switch(index, default, &cases)?;
        Ok(())
    }

    pub(super) fn return_(&mut self, inst: &InstData) -> Result<()> {
        let mut values = Vec::new();
        for &reg in &inst.args {
            values.push(self.value(reg)?);
        }
        match (self.area, &*values) {
            (Some(area), _) => {
                self.store_slots(&inst.args, area)?;
                self.b.build_return(None)?;
            }
            (None, []) => {
                self.b.build_return(None)?;
            }
            (None, [one]) => {
                self.b.build_return(Some(one))?;
            }
            (None, many) => {
                self.b.build_aggregate_return(many)?;
            }
        }
        Ok(())
    }

    pub(super) fn trap(&mut self, code: TrapCode) -> Result<()> {
        let block = self.trap_block(code)?;
        self.b.build_unconditional_branch(block)?;
        Ok(())
    }

    pub(super) fn trap_if(&mut self, inst: &InstData, code: TrapCode) -> Result<()> {
        let condition = self.condition(inst.args[0])?;
        self.trap_on(condition, code)
    }

    pub(super) fn select(&mut self, inst: &InstData) -> Result<()> {
        let condition = self.condition(inst.args[0])?;
        let (then, otherwise) = (self.value(inst.args[1])?, self.value(inst.args[2])?);
        let value = self.b.build_select(condition, then, otherwise, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// A constant. Floats are made from their bits, as LLVM's float constants would not keep those
    /// of every NaN.
    pub(super) fn constant(&mut self, inst: &InstData) -> Result<()> {
        let types = self.unit.types;
        let ty = self.unit.ty(self.ty(inst.results[0]));
        let bits = match (self.ty(inst.results[0]), inst.imm) {
            (Type::I32 | Type::F32, Imm::Bits(bits)) => {
                types.i32.const_int(bits & 0xffff_ffff, false)
            }
            (Type::I64 | Type::F64 | Type::FuncRef | Type::ExternRef, Imm::Bits(bits)) => {
                types.i64.const_int(bits, false)
            }
            (Type::V128, Imm::V128(bytes)) => {
                let bits = u128::from_le_bytes(bytes);
                types.i128.const_int_arbitrary_precision(&[bits as u64, (bits >> 64) as u64])
            }
            (ty, imm) => {
                return Err(codegen(format!("a constant of type {ty} with {imm:?}")).into());
            }
        };
        let value = self.b.build_bit_cast(bits, ty, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Adds -1 to one of the limits' counters; gives whether it is below zero now.
    fn spend(&mut self, offset: u32) -> Result<IntValue<'c>> {
        let limits = self.limits()?;
        let address = self.offset(limits, u64::from(offset))?;
        let tags = self.unit.tags;
        let ty = self.unit.types.i64;
        let old = self.load_as(ty.into(), address, 8, tags.limits)?.into_int_value();
        let new = self.b.build_int_add(old, ty.const_all_ones(), "")?;
        self.store_as(new.as_basic_value_enum(), address, 8, tags.limits)?;
        Ok(self.b.build_int_compare(IntPredicate::SLT, new, ty.const_zero(), "")?)
    }

    /// Consumes one unit of fuel.
    pub(super) fn consume_fuel(&mut self) -> Result<()> {
        let empty = self.spend(VmLimits::FUEL)?;
        self.trap_on(empty, TrapCode::OutOfFuel)
    }

    /// Counts down the budget of forced deoptimizations.
    pub(super) fn deopt_tick(&mut self, inst: &InstData) -> Result<()> {
        let empty = self.spend(VmLimits::DEOPT_BUDGET)?;
        let more = self.b.build_not(empty, "")?;
        self.def_truth(inst.results[0], more)
    }

    /// At a loop header: traps if an interruption is asked for. Where loops look for better code,
    /// they look for interruptions, too.
    pub(super) fn poll(&mut self) -> Result<()> {
        let mut states = self.code.frame_states.values();
        if states.any(|state| state.reason == DeoptReason::BetterCode) {
            return Ok(());
        }
        let asked = self.load_poll_word(self.unit.types.i32)?;
        self.trap_on(asked, TrapCode::Interrupted)
    }

    /// Whether what polls look at is not zero: an i32 of whether an interruption is asked for, or
    /// an i64 of whether that or a look for better code is. Another thread asks, so the load has
    /// to be done every time.
    pub(super) fn load_poll_word(&self, ty: IntType<'c>) -> Result<IntValue<'c>> {
        let limits = self.limits()?;
        let address = self.offset(limits, u64::from(VmLimits::INTERRUPT))?;
        let asked = self.load_as(ty.into(), address, 4, self.unit.tags.limits)?.into_int_value();
        if let Some(load) = asked.as_instruction() {
            load.set_volatile(true).map_err(codegen)?;
        }
        Ok(self.b.build_int_compare(IntPredicate::NE, asked, ty.const_zero(), "")?)
    }
}
