//! The code before the first instruction: stack check, buffer, parameters, budget of calls.
//!
//! Generated code does not probe the stack; it compares the frame's address with the limit, below
//! which the engine keeps a reserve. Functions that call no others, and whose frames are small,
//! need no check: what they may use beyond the limit is within the reserve.

use super::{Lower, calls, control};
use crate::error::{Result, codegen};
use crate::generator::SMALL_FRAME;
use cupola_ir::{EntryKind, FrameLayout, TrapCode};
use cupola_runtime::{FuncFeedback, Helper, VmLimits, abi};
use inkwell::IntPredicate;
use inkwell::values::IntValue;

impl<'c> Lower<'_, '_, 'c> {
    /// Emits the code before the entry block; `frame` is how large the frame may be besides the
    /// buffer.
    pub(super) fn enter(&mut self, frame: u32) -> Result<()> {
        let code = self.code;
        let slots = calls::buffer_slots(code);
        if slots > 0 {
            let ty = self.unit.types.i64.array_type(slots);
            self.buffer = Some(self.b.build_alloca(ty, "")?);
        }
        let size = frame.max(slots * 8);
        if size > SMALL_FRAME || calls::calls_functions(code) {
            self.check_stack(size)?;
        }
        let params: Vec<_> = self.function.get_param_iter().collect();
        let area = abi::needs_result_area(&code.sig.results);
        let params = if area {
            self.area = Some(params[1].into_pointer_value());
            &params[2..]
        } else {
            &params[1..]
        };
        let registers = code.blocks[code.entry()].params.clone();
        if super::counts_calls(self.request) {
            self.count_call()?;
        }
        match &code.entry_kind {
            EntryKind::Call => {
                for (&reg, &value) in registers.iter().zip(params) {
                    self.def(reg, value);
                }
            }
            EntryKind::Osr { regs, .. } => {
                let &[slots, _] = params else {
                    return Err(codegen("an entry at a loop takes slots and a number").into());
                };
                let ptr = self.unit.types.ptr;
                let slots = self.b.build_int_to_ptr(slots.into_int_value(), ptr, "")?;
                let layout = FrameLayout::of(self.request.register_form);
                for (&reg, &source) in registers.iter().zip(regs) {
                    let ty = self.request.register_form.regs[source];
                    let value = self.load_slot(ty, slots, layout.slot(source))?;
                    self.def(reg, value);
                }
            }
            EntryKind::AnyLoop => return Err(codegen("optimized code has one entry").into()),
        }
        Ok(())
    }

    /// Takes from the function's budget of calls; when it is used up, tells the engine.
    fn count_call(&mut self) -> Result<()> {
        let types = self.unit.types;
        let func = self.request.func;
        let feedback = self.unit.feedback(func).as_pointer_value();
        let address = self.offset(feedback, FuncFeedback::CALL_BUDGET.into())?;
        let tag = self.unit.tags.feedback;
        let old = self.load_as(types.i32.into(), address, 4, tag)?.into_int_value();
        let new = self.b.build_int_add(old, types.i32.const_all_ones(), "")?;
        self.store_as(new.into(), address, 4, tag)?;
        let empty = self.b.build_int_compare(IntPredicate::SLT, new, types.i32.const_zero(), "")?;
        let (cold, go_on) = (self.new_block(), self.new_block());
        let branch = self.b.build_conditional_branch(empty, cold, go_on)?;
        self.set_weights(branch, &[1, control::EXPECTED])?;
        self.start(cold);
        let func = types.i32.const_int(func.as_u32().into(), false);
        self.call_helper(Helper::CallHot, &[func.into()])?;
        self.b.build_unconditional_branch(go_on)?;
        self.start(go_on);
        Ok(())
    }

    /// Traps if the frame does not lie above the limit, or if it is large, not by its size.
    fn check_stack(&mut self, size: u32) -> Result<()> {
        let types = self.unit.types;
        let zero = types.i32.const_zero().into();
        let frame = self.call_intrinsic("llvm.frameaddress", &[types.ptr.into()], &[zero])?;
        let frame = self.b.build_ptr_to_int(frame.into_pointer_value(), types.i64, "")?;
        let limits = self.limits()?;
        let address = self.offset(limits, VmLimits::STACK_LIMIT.into())?;
        let limit = self.load_as(types.i64.into(), address, 8, self.unit.tags.limits)?;
        let limit: IntValue<'c> = limit.into_int_value();
        let below = self.b.build_int_compare(IntPredicate::ULT, frame, limit, "")?;
        self.trap_on(below, TrapCode::StackOverflow)?;
        if size > SMALL_FRAME {
            let room = self.b.build_int_sub(frame, limit, "")?;
            let size = types.i64.const_int(2 * u64::from(size), false);
            let small = self.b.build_int_compare(IntPredicate::ULT, room, size, "")?;
            self.trap_on(small, TrapCode::StackOverflow)?;
        }
        Ok(())
    }
}
