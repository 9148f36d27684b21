//! Calls: of functions, of functions in tables, of helpers, of dialect operations.
//!
//! Calls of the module's functions load the address from the entry table at every call, so that
//! the engine replaces code by one store. Optimized code that is entered by a call calls itself
//! directly if no tier above may take over: its own code is then as good as what the table gives.

use super::entry::native_signature;
use super::{Lower, cl_trap, cl_type};
use crate::symbols;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, AbiParam, InstBuilder, Value, types};
use cranelift_codegen::isa::CallConv;
use cupola_ir::{
    DialectOpId, EntryKind, FuncId, InstData, Reg, SigId, SiteId, TableId, TrapCode, Type,
};
use cupola_runtime::abi::{self, NativeSig};
use cupola_runtime::{
    FuncCell, Helper, HelperType, Place, Symbol, VmCallKey, VmContext, VmFuncRef, VmTable,
};
use smallvec::SmallVec;

/// What a signature imported into a Cranelift function is of.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum SigKey {
    Sig(SigId),
    Helper(Helper),
    /// Entries of this function at loop headers.
    Osr,
}

/// Arguments of a native call.
pub(super) type Args = SmallVec<[Value; 8]>;

/// A slot of a table.
pub(super) struct Slot {
    /// The table's [`VmTable`] is at this address plus this offset.
    at: Value,
    offset: u32,
    index: Value,
    /// Whether the instance defines the table.
    is_own: bool,
}

impl Lower<'_, '_> {
    pub(super) fn sig(&mut self, key: SigKey) -> ir::SigRef {
        if let Some(&(_, sig)) = self.t.sigs.iter().find(|(k, _)| *k == key) {
            return sig;
        }
        let context = AbiParam::new(types::I64);
        let sig = match key {
            SigKey::Sig(id) => {
                let sig = &self.module.sigs[id];
                native_signature(sig.params.iter().copied(), &sig.results, context)
            }
            SigKey::Osr => native_signature(NativeSig::OSR_PARAMS, &self.code.sig.results, context),
            SigKey::Helper(helper) => {
                let (params, result) = helper.signature();
                let convention = match helper {
                    // Were it to clobber registers, no value of a loop that polls could be in one
                    // of them; floating-point loops have no others.
                    Helper::Poll => CallConv::PreserveAll,
                    _ => CallConv::SystemV,
                };
                let mut sig = ir::Signature::new(convention);
                sig.params.push(context);
                sig.params.extend(params.iter().map(|&ty| AbiParam::new(helper_type(ty))));
                sig.returns.extend(result.map(|ty| AbiParam::new(helper_type(ty))));
                sig
            }
        };
        let sig = self.b.import_signature(sig);
        self.t.sigs.push((key, sig));
        sig
    }

    /// Calls a helper with arguments behind the context; gives its result, if it has one.
    pub(super) fn call_helper(&mut self, helper: Helper, args: &[Value]) -> Option<Value> {
        let known = self.t.helpers.iter().find(|(h, _)| *h == helper);
        let func = match known {
            Some(&(_, func)) => func,
            None => {
                let func = self.import(Symbol::Helper(helper), SigKey::Helper(helper));
                self.t.helpers.push((helper, func));
                func
            }
        };
        let args: Args = std::iter::once(self.ctx).chain(args.iter().copied()).collect();
        let call = self.b.ins().call(func, &args);
        self.b.inst_results(call).first().copied()
    }

    /// A function that is called by a relative call.
    fn import(&mut self, symbol: Symbol, key: SigKey) -> ir::FuncRef {
        let signature = self.sig(key);
        let name = self.b.func.declare_imported_user_function(symbols::to_name(symbol));
        self.b.import_function(ir::ExtFuncData {
            name: ir::ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        })
    }

    pub(super) fn call(&mut self, inst: &InstData, func: FuncId) {
        let decl = &self.module.funcs[func];
        let key = SigKey::Sig(decl.sig);
        let results = &self.module.sigs[decl.sig].results;
        if self.module.is_import(func) {
            let reference = self.request.context.import(func);
            let context = self.fixed_field(self.ctx, reference + VmFuncRef::CONTEXT);
            let cell = self.fixed_field(self.ctx, reference + VmFuncRef::CELL);
            return self.call_cell(inst, decl.sig, (context, cell), &inst.args);
        }
        let args = self.native_args(self.ctx, results, &inst.args);
        let is_self = func == self.request.func && self.code.entry_kind == EntryKind::Call;
        // Code of a higher tier would not be found by a function that calls itself for long.
        let call = if self.ssa && is_self && !self.request.options.climbs {
            let callee = self.import(Symbol::SelfStart, key);
            self.b.ins().call(callee, &args)
        } else {
            let funcs = self.fixed_field(self.ctx, VmContext::FUNCS);
            let entry = self.state_field(types::I64, funcs, FuncCell::entry_offset(func));
            let sig = self.sig(key);
            self.b.ins().call_indirect(sig, entry, &args)
        };
        self.take_results(inst, results, call);
    }

    pub(super) fn call_indirect(&mut self, inst: &InstData, sig: SigId, table: TableId) {
        let Some((&index, operands)) = inst.args.split_last() else {
            unreachable!("the verifier gives an indirect call its index")
        };
        let slot = self.table_slot(table, index);
        match self.key(&slot) {
            Some(key) if self.ssa => self.call_by_key(inst, sig, &slot, key, operands),
            _ => {
                let callee = self.reference(&slot);
                self.call_through(inst, sig, callee, operands);
            }
        }
    }

    pub(super) fn call_ref(&mut self, inst: &InstData, sig: SigId) {
        let Some((&callee, operands)) = inst.args.split_last() else {
            unreachable!("the verifier gives a call of a reference its reference")
        };
        let callee = self.value(callee);
        self.call_through(inst, sig, callee, operands);
    }

    /// A slot of a table, which is checked to be there.
    pub(super) fn table_slot(&mut self, table: TableId, index: Reg) -> Slot {
        let index = self.value(index);
        let index = match self.module.tables[table].table64 {
            true => index,
            false => self.b.ins().uextend(types::I64, index),
        };
        let place = self.request.context.table(table);
        let (at, offset) = self.place(place);
        let len = self.state_field(types::I64, at, offset + VmTable::LEN);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, index, len);
        self.b.ins().trapnz(outside, cl_trap(TrapCode::TableOutOfBounds));
        Slot { at, offset, index, is_own: matches!(place, Place::Inline(_)) }
    }

    /// The reference in a slot.
    pub(super) fn reference(&mut self, slot: &Slot) -> Value {
        let slots = self.state_field(types::I64, slot.at, slot.offset + VmTable::SLOTS);
        let offset = self.b.ins().ishl_imm_u(slot.index, 3);
        let address = self.b.ins().iadd(slots, offset);
        self.state_field(types::I64, address, 0)
    }

    /// Address of a slot's key, if the instance defines the table.
    fn key(&mut self, slot: &Slot) -> Option<Value> {
        const { assert!(VmCallKey::SIZE == 8) };
        if !slot.is_own {
            return None;
        }
        let keys = self.state_field(types::I64, slot.at, slot.offset + VmTable::KEYS);
        let offset = self.b.ins().ishl_imm_u(slot.index, 3);
        Some(self.b.ins().iadd(keys, offset))
    }

    /// Whether a slot holds the instance's own reference to a function.
    pub(super) fn table_holds(&mut self, inst: &InstData, table: TableId, func: FuncId) {
        let slot = self.table_slot(table, inst.args[0]);
        let truth = match self.key(&slot) {
            Some(key) => {
                let end = self.state_field(types::I32, key, VmCallKey::CELL_END);
                let own = i64::from(VmCallKey::cell_end_of(func));
                self.b.ins().icmp_imm_u(IntCC::Equal, end, own)
            }
            None => {
                let reference = self.reference(&slot);
                let own = self.fixed_field(self.ctx, VmContext::FUNC_REFS);
                let offset = i64::from(func.as_u32()) * i64::from(VmFuncRef::SIZE);
                let own = self.b.ins().iadd_imm_s(own, offset);
                self.b.ins().icmp(IntCC::Equal, reference, own)
            }
        };
        self.def_truth(inst.results[0], truth);
    }

    /// Calls the function in a slot with the instance's own context where the key has the wanted
    /// signature, else what the reference leads to.
    fn call_by_key(
        &mut self,
        inst: &InstData,
        sig: SigId,
        slot: &Slot,
        key: Value,
        operands: &[Reg],
    ) {
        let (own, other, call) = (self.b.create_block(), self.cold_block(), self.b.create_block());
        let context = self.b.append_block_param(call, types::I64);
        let entry = self.b.append_block_param(call, types::I64);
        let found = self.state_field(types::I32, key, VmCallKey::SIG);
        let wanted = VmCallKey::sig_of(self.request.context.sig_id(sig));
        let right = self.b.ins().icmp_imm_u(IntCC::Equal, found, i64::from(wanted));
        self.b.ins().brif(right, own, &[], other, &[]);

        self.start_sealed(own);
        let end = self.state_field(types::I32, key, VmCallKey::CELL_END);
        let end = self.b.ins().uextend(types::I64, end);
        let funcs = self.fixed_field(self.ctx, VmContext::FUNCS);
        let end = self.b.ins().iadd(funcs, end);
        let to_entry = FuncCell::ENTRY as i32 - FuncCell::SIZE as i32;
        let own_entry = self.b.ins().load(types::I64, self.flags.state, end, to_entry);
        self.b.ins().jump(call, &[self.ctx.into(), own_entry.into()]);

        self.start_sealed(other);
        let callee = self.reference(slot);
        let (its_context, cell) = self.checked(sig, callee);
        let its_entry = self.state_field(types::I64, cell, FuncCell::ENTRY);
        self.b.ins().jump(call, &[its_context.into(), its_entry.into()]);

        self.start_sealed(call);
        self.call_entry(inst, sig, (context, entry), operands);
    }

    /// Context and cell of a reference that is checked to be not null and of this signature.
    fn checked(&mut self, sig: SigId, callee: Value) -> (Value, Value) {
        self.b.ins().trapz(callee, cl_trap(TrapCode::NullFunction));
        let found = self.state_field(types::I32, callee, VmFuncRef::SIG);
        let wanted = i64::from(self.request.context.sig_id(sig));
        let wrong = self.b.ins().icmp_imm_s(IntCC::NotEqual, found, wanted);
        self.b.ins().trapnz(wrong, cl_trap(TrapCode::SignatureMismatch));
        let context = self.state_field(types::I64, callee, VmFuncRef::CONTEXT);
        let cell = self.state_field(types::I64, callee, VmFuncRef::CELL);
        (context, cell)
    }

    /// Calls what a reference leads to, if it is not null and has this signature.
    fn call_through(&mut self, inst: &InstData, sig: SigId, callee: Value, operands: &[Reg]) {
        let (context, cell) = self.checked(sig, callee);
        self.call_cell(inst, sig, (context, cell), operands);
    }

    /// Calls the function of a cell, which may belong to another instance, with its context.
    fn call_cell(
        &mut self,
        inst: &InstData,
        sig: SigId,
        (context, cell): (Value, Value),
        operands: &[Reg],
    ) {
        let entry = self.state_field(types::I64, cell, FuncCell::ENTRY);
        self.call_entry(inst, sig, (context, entry), operands);
    }

    /// Calls code at an address with a context.
    fn call_entry(
        &mut self,
        inst: &InstData,
        sig: SigId,
        (context, entry): (Value, Value),
        operands: &[Reg],
    ) {
        let results = &self.module.sigs[sig].results;
        let args = self.native_args(context, results, operands);
        let sig = self.sig(SigKey::Sig(sig));
        let call = self.b.ins().call_indirect(sig, entry, &args);
        self.take_results(inst, results, call);
    }

    /// Arguments of a native call: the context, the result area if the results need one, the
    /// operands.
    fn native_args(&mut self, context: Value, results: &[Type], operands: &[Reg]) -> Args {
        let mut args = Args::new();
        args.push(context);
        if abi::needs_result_area(results) {
            args.push(self.buffer_address(results.iter().map(|ty| ty.slots()).sum()));
        }
        for &reg in operands {
            args.push(self.value(reg));
        }
        args
    }

    /// Assigns the results of a native call.
    fn take_results(&mut self, inst: &InstData, results: &[Type], call: ir::Inst) {
        if abi::needs_result_area(results) {
            self.take_buffer(inst);
            return;
        }
        for (i, &reg) in inst.results.iter().enumerate() {
            let value = self.b.inst_results(call)[i];
            self.def(reg, value);
        }
    }

    /// Assigns an instruction's results from the words of the buffer.
    fn take_buffer(&mut self, inst: &InstData) {
        let address = self.buffer_address(self.slots_of_regs(&inst.results));
        let mut offset = 0;
        for &reg in &inst.results {
            let ty = self.ty(reg);
            let value = self.b.ins().load(cl_type(ty), self.flags.buffer, address, offset);
            self.def(reg, value);
            offset += slot_bytes(ty);
        }
    }

    /// Stores values to the words of the buffer from the first on; gives its address. It has room
    /// for `words`.
    pub(super) fn fill_buffer(&mut self, values: &[Reg], words: u32) -> Value {
        let address = self.buffer_address(words.max(self.slots_of_regs(values)));
        self.store_slots(values, address);
        address
    }

    /// Stores values to slots one after the other.
    pub(super) fn store_slots(&mut self, values: &[Reg], address: Value) {
        let mut offset = 0;
        for &reg in values {
            let value = self.value(reg);
            self.store_slot(value, address, offset);
            offset += slot_bytes(self.ty(reg));
        }
    }

    fn slots_of_regs(&self, regs: &[Reg]) -> u32 {
        regs.iter().map(|&reg| self.ty(reg).slots()).sum()
    }

    pub(super) fn store_slot(&mut self, value: Value, address: Value, offset: i32) {
        let slot = self.slot_of(value);
        self.b.ins().store(self.flags.buffer, slot, address, offset);
    }

    pub(super) fn dialect(&mut self, inst: &InstData, op: DialectOpId, site: SiteId) {
        let address = self.fill_buffer(&inst.args, self.slots_of_regs(&inst.results));
        let func = self.source_func(inst).as_u32();
        let mut number = |n: u32| self.b.ins().iconst(types::I32, i64::from(n));
        let args = [number(func), number(op.as_u32()), number(site.as_u32()), address];
        self.call_helper(Helper::Dialect, &args);
        self.take_buffer(inst);
    }
}

/// How many bytes the slots of a value take.
pub(super) fn slot_bytes(ty: Type) -> i32 {
    ty.slots() as i32 * 8
}

fn helper_type(ty: HelperType) -> ir::Type {
    match ty {
        HelperType::I32 => types::I32,
        HelperType::I64 => types::I64,
    }
}
