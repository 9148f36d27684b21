//! Deoptimization exits: cold code that hands the values of a frame state to the engine, which
//! finishes the function in T0, and returns what it hands back.

use super::Lower;
use crate::error::{Result, codegen};
use cupola_ir::{FrameStateId, InstData, Reg};
use cupola_runtime::{Helper, VmLimits};
use inkwell::IntPredicate;
use inkwell::values::IntValue;

impl<'c> Lower<'_, '_, 'c> {
    pub(super) fn deopt_unless(&mut self, inst: &InstData, state: FrameStateId) -> Result<()> {
        let Some((&condition, values)) = inst.args.split_first() else {
            return Err(codegen("a conditional deoptimization without a condition").into());
        };
        let condition = self.condition(condition)?;
        let (cold, go_on) = (self.new_block(), self.new_block());
        self.b.build_conditional_branch(condition, go_on, cold)?;
        self.start(cold);
        self.deopt(values, state)?;
        self.start(go_on);
        Ok(())
    }

    /// At a loop header of code that another tier may take over from: calls the engine if an
    /// interruption or a look for better code is asked for, and leaves if it says so. The exit's
    /// number is known before its code is made.
    pub(super) fn osr_poll(&mut self, values: &[Reg], state: FrameStateId) -> Result<()> {
        let types = self.unit.types;
        let asked = self.load_poll_word(types.i64)?;
        let (cold, leave, go_on) = (self.new_block(), self.new_block(), self.new_block());
        self.b.build_conditional_branch(asked, cold, go_on)?;
        self.start(cold);
        let exit = types.i32.const_int(self.unit.deopts.len() as u64, false);
        let code_id = self.code_id()?;
        self.call_helper(Helper::Poll, &[code_id.into(), exit.into()])?;
        let address = self.offset(self.limits()?, u64::from(VmLimits::LEAVE))?;
        let tag = self.unit.tags.limits;
        let leaves = self.load_as(types.i64.into(), address, 8, tag)?.into_int_value();
        let zero = types.i64.const_zero();
        let leaves = self.b.build_int_compare(IntPredicate::NE, leaves, zero, "")?;
        self.b.build_conditional_branch(leaves, leave, go_on)?;
        self.start(leave);
        self.deopt(values, state)?;
        self.start(go_on);
        Ok(())
    }

    /// The number under which the engine knows the code.
    fn code_id(&self) -> Result<IntValue<'c>> {
        let address = self.unit.code_id().as_pointer_value();
        Ok(self.b.build_ptr_to_int(address, self.unit.types.i64, "")?)
    }

    /// Ends the block with the exit.
    pub(super) fn deopt(&mut self, values: &[Reg], state: FrameStateId) -> Result<()> {
        let exit = self.unit.deopts.len() as u64;
        self.unit.deopts.push(self.code.frame_states[state].clone());
        let results = &self.code.sig.results;
        let slots = self.fill_buffer(values)?;
        let code_id = self.code_id()?;
        let exit = self.unit.types.i32.const_int(exit, false);
        self.moved_on(|this| {
            this.call_helper(Helper::Deopt, &[code_id.into(), exit.into(), slots.into()])
        })?;

        let mut values = Vec::new();
        let mut slot = 0;
        for &ty in results {
            let value = self.load_slot(ty, self.buffer()?, slot)?;
            match self.area {
                Some(area) => self.store_slot(value, area, slot)?,
                None => values.push(value),
            }
            slot += ty.slots();
        }
        match &*values {
            [] => self.b.build_return(None)?,
            [one] => self.b.build_return(Some(one))?,
            many => self.b.build_aggregate_return(many)?,
        };
        Ok(())
    }
}
