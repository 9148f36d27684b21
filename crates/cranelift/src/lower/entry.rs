//! Signatures, and the code before the first instruction.

use super::Lower;
use cranelift_codegen::ir::{self, AbiParam, ArgumentPurpose, InstBuilder, Value, types};
use cranelift_codegen::isa::CallConv;
use cupola_ir::analysis::Liveness;
use cupola_ir::{EntryKind, FrameLayout, Reg, Type};
use cupola_runtime::abi::{self, NativeSig};
use cupola_runtime::{VmContext, VmLimits};
use std::collections::BTreeSet;

use super::cl_type;

/// Cranelift's form of a native signature: the context, the address of the result area if the
/// results need one, the parameters.
pub(super) fn native_signature(
    params: impl IntoIterator<Item = Type>,
    results: &[Type],
    context: AbiParam,
) -> ir::Signature {
    let mut sig = ir::Signature::new(CallConv::SystemV);
    sig.params.push(context);
    if abi::needs_result_area(results) {
        sig.params.push(AbiParam::new(types::I64));
    } else {
        sig.returns.extend(results.iter().map(|&ty| AbiParam::new(cl_type(ty))));
    }
    sig.params.extend(params.into_iter().map(|ty| AbiParam::new(cl_type(ty))));
    sig
}

impl Lower<'_, '_> {
    /// Liveness of the register form, which is what is being lowered.
    pub(super) fn liveness(&mut self) -> &Liveness {
        debug_assert!(!self.ssa);
        let (code, cfg) = (self.code, &self.cfg);
        self.liveness.get_or_insert_with(|| Liveness::compute(code, cfg))
    }

    /// Sets the signature and emits the code that is run before the first instruction.
    pub(super) fn enter(&mut self, entry_kind: &EntryKind) {
        let sig = &self.code.sig;
        let context = AbiParam::special(types::I64, ArgumentPurpose::VMContext);
        self.b.func.signature = match entry_kind {
            EntryKind::Call => native_signature(sig.params.iter().copied(), &sig.results, context),
            EntryKind::Osr { .. } | EntryKind::AnyLoop => {
                native_signature(NativeSig::OSR_PARAMS, &sig.results, context)
            }
        };
        self.set_stack_limit();

        let entry = match self.request.osr_header {
            Some(_) => self.b.create_block(),
            None => self.block(self.code.entry()),
        };
        self.b.append_block_params_for_function_params(entry);
        self.start_sealed(entry);
        self.ctx = self.b.block_params(entry)[0];
        let area = abi::needs_result_area(&sig.results);
        self.area = area.then(|| self.b.block_params(entry)[1]);
        let first = 1 + usize::from(area);

        match entry_kind {
            EntryKind::Call => {
                for i in 0..sig.params.len() {
                    let value = self.b.block_params(entry)[first + i];
                    self.def(self.param(i), value);
                }
                self.count_call();
            }
            EntryKind::Osr { regs, .. } => {
                let slots = self.b.block_params(entry)[first];
                let frame = FrameLayout::of(self.request.register_form);
                for (i, &reg) in regs.iter().enumerate() {
                    let value = self.load_register(&frame, slots, reg);
                    self.def(self.param(i), value);
                }
            }
            EntryKind::AnyLoop => {
                let slots = self.b.block_params(entry)[first];
                let number = self.b.block_params(entry)[first + 1];
                self.enter_loops(slots, number);
            }
        }
    }

    /// Loads the registers that are live at any loop header, and goes to the header of the loop with
    /// this number. A function with many loops comes to be entered at several of them; one code for
    /// all compiles in the time of one for each.
    fn enter_loops(&mut self, slots: Value, number: Value) {
        let headers = self.headers.headers().to_vec();
        let live: BTreeSet<Reg> = {
            let liveness = self.liveness();
            headers.iter().flat_map(|&header| liveness.live_in(header)).collect()
        };
        let frame = FrameLayout::of(self.request.register_form);
        for reg in live {
            let value = self.load_register(&frame, slots, reg);
            self.def(reg, value);
        }
        let blocks: Vec<ir::Block> = headers.iter().map(|&header| self.block(header)).collect();
        let (&first, others) = blocks.split_first().expect("there is a loop to be entered at");
        if others.is_empty() {
            self.b.ins().jump(first, &[]);
            return;
        }
        let pool = &mut self.b.func.dfg.value_lists;
        // Each has arguments of its own: they are those of the header's parameters to be.
        let mut to = |block| ir::BlockCall::new(block, [], pool);
        let calls: Vec<_> = others.iter().map(|&block| to(block)).collect();
        let table = ir::JumpTableData::new(to(first), &calls);
        let table = self.b.create_jump_table(table);
        // The first one is where the table ends.
        let index = self.b.ins().iadd_imm_s(number, -1);
        self.b.ins().br_table(index, table);
    }

    /// A register's value in a T0 frame's slots.
    fn load_register(&mut self, frame: &FrameLayout, slots: Value, reg: Reg) -> Value {
        let ty = cl_type(self.request.register_form.regs[reg]);
        self.b.ins().load(ty, self.flags.buffer, slots, frame.slot(reg) as i32 * 8)
    }

    /// The register of a parameter of the entry block.
    fn param(&self, index: usize) -> Reg {
        if self.ssa {
            self.code.blocks[self.code.entry()].params[index]
        } else {
            Reg::from_u32(index as u32)
        }
    }

    /// Makes the prologue trap if the stack pointer is below the limit.
    fn set_stack_limit(&mut self) {
        let func = &mut *self.b.func;
        let flags = func.dfg.mem_flags.insert(self.flags.fixed);
        let flags = flags.expect("the first flags of a function");
        let context = func.create_global_value(ir::GlobalValueData::VMContext);
        let load = |base, offset: u32| ir::GlobalValueData::Load {
            base,
            offset: (offset as i32).into(),
            global_type: types::I64,
            flags,
        };
        let limits = func.create_global_value(load(context, VmContext::LIMITS));
        let limit = func.create_global_value(load(limits, VmLimits::STACK_LIMIT));
        func.stack_limit = Some(limit);
    }
}
