//! What is woven into code besides the program: budgets of calls and back edges with the way from
//! T1 to better code, block counts, fuel, polling for interruption.
//!
//! A budget in T1 is a decrement in memory and a branch that is not taken. The branch goes to a
//! cold block, one for the function and one for each loop, which calls the engine.

use super::calls::SigKey;
use super::{Lower, cl_trap};
use crate::artifact::moved_on;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};
use cupola_ir::{Block, DeoptReason, FrameLayout, LoopId, Reg, Target, TrapCode};
use cupola_runtime::{FuncFeedback, Helper, Symbol, VmLimits};

impl Lower<'_, '_> {
    /// Whether calls and, in register form, iterations are counted.
    pub(super) fn counts(&self) -> bool {
        self.request.options.counters && (!self.ssa || self.request.options.climbs)
    }

    /// Whether fuel is woven in here; SSA form says by instructions where it is consumed.
    pub(super) fn weaves_fuel(&self) -> bool {
        !self.ssa && self.request.options.fuel
    }

    /// Adds a constant to a number in memory; gives the new value.
    pub(super) fn add_to(
        &mut self,
        ty: ir::Type,
        address: Value,
        offset: i32,
        amount: i64,
        flags: MemFlagsData,
    ) -> Value {
        let old = self.b.ins().load(ty, flags, address, offset);
        let new = self.b.ins().iadd_imm_s(old, amount);
        self.b.ins().store(flags, new, address, offset);
        new
    }

    /// Takes from a loop's budget in the feedback; gives whether it is used up.
    fn spend_iterations(&mut self, offset: u32, amount: u32) -> Value {
        let address = self.symbol(Symbol::Feedback(self.request.func), i64::from(offset));
        let amount = -i64::from(amount);
        let left = self.add_to(types::I32, address, 0, amount, self.flags.feedback);
        self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0)
    }

    /// Decrements the budget of calls; gives whether it is used up. Reading it again makes an
    /// addition in memory of the decrement, which compiles in less time (0.6 µs of 15 for fib) and
    /// runs as quickly; a loop would be slower with it (0.79 against 0.72 ns an iteration).
    fn spend_call(&mut self) -> Value {
        let offset = i64::from(FuncFeedback::CALL_BUDGET);
        let address = self.symbol(Symbol::Feedback(self.request.func), offset);
        self.add_to(types::I32, address, 0, -1, self.flags.feedback);
        let left = self.b.ins().load(types::I32, self.flags.feedback, address, 0);
        self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0)
    }

    fn number(&mut self, number: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(number))
    }

    /// At the function's start: fuel, then the budget of calls.
    pub(super) fn count_call(&mut self) {
        if self.weaves_fuel() {
            self.consume_fuel();
        }
        if !self.counts() {
            return;
        }
        let empty = self.spend_call();
        let (cold, go_on) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(empty, cold, &[], go_on, &[]);
        self.start_sealed(cold);
        let func = self.number(self.request.func.as_u32());
        self.call_helper(Helper::CallHot, &[func]);
        self.b.ins().jump(go_on, &[]);
        self.start_sealed(go_on);
    }

    /// At a block's start: its count.
    pub(super) fn count_block(&mut self, block: Block) {
        if self.ssa {
            return;
        }
        if let Some(offset) = self.request.feedback.block_offset(block) {
            let address = self.symbol(Symbol::Feedback(self.request.func), i64::from(offset));
            self.add_to(types::I64, address, 0, 1, self.flags.feedback);
        }
    }

    /// Consumes one unit of fuel.
    pub(super) fn consume_fuel(&mut self) {
        let limits = self.limits();
        let flags = self.flags.limits;
        let left = self.add_to(types::I64, limits, VmLimits::FUEL as i32, -1, flags);
        let empty = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
        self.b.ins().trapnz(empty, cl_trap(TrapCode::OutOfFuel));
    }

    /// Before a loop header's instructions: takes `amount` from the loop's budget. When it is used
    /// up, asks for better code, and either goes on in the loop or leaves for that code.
    ///
    /// The budget stands here and not on the back edges, where it would put a branch of two
    /// successors in front of a block of several predecessors: the edge between them would need a
    /// block of its own, with moves for everything that the loop carries.
    pub(super) fn count_iterations(&mut self, header: Block, amount: u32) {
        let Some(loop_id) = self.headers.loop_of(header).filter(|_| self.counts()) else {
            return;
        };
        let offset = self.request.feedback.loop_offset(loop_id);
        let empty = self.spend_iterations(offset, amount);
        let (cold, go_on) = (self.cold_block(), self.b.create_block());
        self.b.ins().brif(empty, cold, &[], go_on, &[]);
        self.start_sealed(cold);
        let args = [self.number(self.request.func.as_u32()), self.number(loop_id.as_u32())];
        let Some(code) = self.call_helper(Helper::LoopHot, &args) else {
            unreachable!("the helper has a result")
        };
        let leave = self.cold_block();
        self.b.ins().brif(code, leave, &[], go_on, &[]);
        self.start_sealed(leave);
        self.go_on_in(code, header);
        self.start_sealed(go_on);
    }

    /// Ends the Cranelift block with a branch along a back edge that consumes fuel.
    pub(super) fn back_edge(&mut self, target: &Target) {
        self.consume_fuel();
        self.jump(target);
    }

    /// Leaves for the code at `code`, which enters the function at the loop header.
    fn go_on_in(&mut self, code: Value, header: Block) {
        let frame = FrameLayout::of(self.request.register_form);
        let live: Vec<Reg> = self.liveness().live_in(header).collect();
        let slots = self.buffer_address(frame.size());
        for reg in live {
            let value = self.value(reg);
            self.store_slot(value, slots, frame.slot(reg) as i32 * 8);
        }
        let sig = self.sig(SigKey::Osr);
        let number = self.headers.loop_of(header).map_or(0, LoopId::as_u32);
        let number = self.number(number);
        let args: super::calls::Args =
            [self.ctx].into_iter().chain(self.area).chain([slots, number]).collect();
        let position = self.b.srcloc();
        self.b.set_srcloc(moved_on());
        let call = self.b.ins().call_indirect(sig, code, &args);
        self.b.set_srcloc(position);
        let results = super::calls::Args::from_slice(self.b.inst_results(call));
        self.b.ins().return_(&results);
    }

    /// At a loop header of optimized code: traps if an interruption is asked for, where loops are to
    /// look for that.
    pub(super) fn poll(&mut self) {
        // Where loops look for better code, they look for interruptions, too.
        let mut states = self.code.frame_states.values();
        if self.request.options.polls
            && !states.any(|state| state.reason == DeoptReason::BetterCode)
        {
            let asked = self.load_poll_word(types::I32);
            self.b.ins().trapnz(asked, cl_trap(TrapCode::Interrupted));
        }
    }

    /// Loads what polls look at: an I32 of whether an interruption is asked for, or an I64 of
    /// whether that or a look for better code is.
    ///
    /// Each load has an address of its own as far as Cranelift's optimizer can see. It would take
    /// the polls of two loops for the same load otherwise, and keep only the one that dominates.
    pub(super) fn load_poll_word(&mut self, ty: ir::Type) -> Value {
        let limits = self.limits();
        self.polls += 1;
        let bias = i64::from(self.polls);
        let address = self.b.ins().iadd_imm_s(limits, bias);
        let offset = i64::from(VmLimits::INTERRUPT) - bias;
        let flags = self.flags.limits;
        self.b.ins().load(ty, flags, address, offset as i32)
    }
}
