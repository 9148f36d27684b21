//! Deoptimization exits: cold code that hands the values of a frame state to the engine, which
//! finishes the function in T0, and returns what it hands back.

use super::calls::slot_bytes;
use super::{Lower, cl_type};
use crate::artifact::moved_on;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cupola_ir::{FrameStateId, InstData, Reg};
use cupola_runtime::{Helper, Symbol, VmLimits, abi};
use smallvec::SmallVec;

impl Lower<'_, '_> {
    pub(super) fn deopt_unless(&mut self, inst: &InstData, state: FrameStateId) {
        let Some((&condition, values)) = inst.args.split_first() else {
            unreachable!("the verifier gives a conditional deoptimization its condition")
        };
        let condition = self.condition(condition);
        let (cold, go_on) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(condition, go_on, &[], cold, &[]);
        self.start_sealed(cold);
        self.deopt(values, state);
        self.start_sealed(go_on);
    }

    /// Ends the block with the exit.
    pub(super) fn deopt(&mut self, values: &[Reg], state: FrameStateId) {
        let exit = self.t.deopts.len() as i64;
        self.t.deopts.push(state);
        let results = &self.code.sig.results;
        let slots = self.fill_buffer(values, results.iter().map(|ty| ty.slots()).sum());
        let code_id = self.symbol(Symbol::CodeId, 0);
        let exit = self.b.ins().iconst(types::I32, exit);
        let position = self.b.srcloc();
        self.b.set_srcloc(moved_on());
        self.call_helper(Helper::Deopt, &[code_id, exit, slots]);
        self.b.set_srcloc(position);

        let into_area = abi::needs_result_area(results);
        let mut values: SmallVec<[Value; 4]> = SmallVec::new();
        let mut offset = 0;
        for &ty in results {
            let whole = if into_area && ty.slots() == 1 { types::I64 } else { cl_type(ty) };
            let value = self.b.ins().load(whole, self.flags.buffer, slots, offset);
            match self.area {
                Some(area) => {
                    self.b.ins().store(self.flags.buffer, value, area, offset);
                }
                None => values.push(value),
            }
            offset += slot_bytes(ty);
        }
        self.b.ins().return_(&values);
    }

    /// At a loop header of code that another tier may take over from: calls the engine if an
    /// interruption or a look for better code is asked for, and leaves if it says so. The exit's
    /// number is known before its code is made.
    pub(super) fn osr_poll(&mut self, values: &[Reg], state: FrameStateId) {
        let asked = self.load_poll_word(types::I64);
        let (cold, leave, go_on) = (self.cold_block(), self.cold_block(), self.b.create_block());
        self.b.ins().brif(asked, cold, &[], go_on, &[]);
        self.start_sealed(cold);
        let code_id = self.symbol(Symbol::CodeId, 0);
        let exit = self.b.ins().iconst(types::I32, self.t.deopts.len() as i64);
        self.call_helper(Helper::Poll, &[code_id, exit]);
        let limits = self.limits();
        let flags = self.flags.limits;
        let leaves = self.b.ins().load(types::I64, flags, limits, VmLimits::LEAVE as i32);
        self.b.ins().brif(leaves, leave, &[], go_on, &[]);
        self.start_sealed(leave);
        self.deopt(values, state);
        self.start_sealed(go_on);
    }

    /// Counts down the budget of forced deoptimizations.
    pub(super) fn deopt_tick(&mut self, inst: &InstData) {
        let limits = self.limits();
        let offset = VmLimits::DEOPT_BUDGET as i32;
        let left = self.add_to(types::I64, limits, offset, -1, self.flags.limits);
        let more = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, left, 0);
        self.def_truth(inst.results[0], more);
    }
}
