//! Calls: of functions, of functions in tables, of helpers, of dialect operations.
//!
//! A call of a function that is in the unit goes straight to it, unless a higher tier may take over
//! from there. All other calls load the address
//! from the entry table every time, so that the engine replaces code by one store.

use super::Lower;
use super::control::EXPECTED;
use crate::error::{Result, codegen};
use cupola_ir::{
    DialectOpId, FuncId, Function, InstData, Op, Reg, SigId, SiteId, TableId, TrapCode, Type,
};
use cupola_runtime::{FuncCell, Helper, Place, VmCallKey, VmContext, VmFuncRef, VmTable, abi};
use inkwell::IntPredicate;
use inkwell::attributes::AttributeLoc;
use inkwell::values::{
    BasicMetadataValueEnum, BasicValueEnum, CallSiteValue, IntValue, PhiValue, PointerValue,
    ValueKind,
};

/// How many slots the buffer of a function needs: for frame states, for operands and results of
/// dialect operations, for results of calls that need an area.
pub(super) fn buffer_slots(code: &Function) -> u32 {
    let slots = |regs: &[Reg]| regs.iter().map(|&reg| code.regs[reg].slots()).sum::<u32>();
    let results = Type::slots_of(&code.sig.results) as u32;
    let needed = |inst: &InstData| match inst.op {
        Op::DeoptUnless | Op::Deopt | Op::OsrPoll => slots(&inst.args).max(results),
        Op::Dialect => slots(&inst.args).max(slots(&inst.results)),
        Op::Call | Op::CallIndirect | Op::CallRef => {
            let types: Vec<Type> = inst.results.iter().map(|&reg| code.regs[reg]).collect();
            if abi::needs_result_area(&types) { slots(&inst.results) } else { 0 }
        }
        _ => 0,
    };
    let blocks = code.block_order();
    let insts = blocks.iter().flat_map(|&block| &code.blocks[block].insts);
    insts.map(|&inst| needed(&code.insts[inst])).max().unwrap_or(0)
}

/// Whether a function calls others, and so may be part of a recursion.
pub(super) fn calls_functions(code: &Function) -> bool {
    let blocks = code.block_order();
    let mut insts = blocks.iter().flat_map(|&block| &code.blocks[block].insts);
    insts.any(|&inst| matches!(code.insts[inst].op, Op::Call | Op::CallIndirect | Op::CallRef))
}

/// A slot of a table.
struct Slot<'c> {
    /// The table's [`VmTable`] is at this address plus this offset.
    at: PointerValue<'c>,
    offset: u32,
    index: IntValue<'c>,
    /// Whether the instance defines the table.
    is_own: bool,
}

impl<'c> Lower<'_, '_, 'c> {
    /// Keeps a call as it is: merged with another one it would lose its position.
    fn keep_position(&self, call: CallSiteValue<'c>) {
        call.add_attribute(AttributeLoc::Function, self.unit.attribute("nomerge"));
        call.add_attribute(AttributeLoc::Function, self.unit.attribute("nounwind"));
    }

    /// Calls a helper with arguments behind the context; gives its result, if it has one.
    pub(super) fn call_helper(
        &self,
        helper: Helper,
        args: &[BasicValueEnum<'c>],
    ) -> Result<Option<BasicValueEnum<'c>>> {
        let function = self.unit.helper(helper);
        let context = BasicMetadataValueEnum::from(self.ctx);
        let args: Vec<_> = std::iter::once(context).chain(args.iter().map(|&a| a.into())).collect();
        let call = self.b.build_call(function, &args, "")?;
        self.keep_position(call);
        Ok(result_of(call))
    }

    pub(super) fn call(&mut self, inst: &InstData, func: FuncId) -> Result<()> {
        let decl = &self.module.funcs[func];
        let sig = &self.module.sigs[decl.sig];
        if self.module.is_import(func) {
            let reference = self.request.context.import(func);
            let context = self.fixed_pointer(self.ctx, reference + VmFuncRef::CONTEXT)?;
            let cell = self.fixed_pointer(self.ctx, reference + VmFuncRef::CELL)?;
            return self.call_cell(inst, decl.sig, (context, cell), &inst.args);
        }
        let args = self.native_args(self.ctx, &sig.results, &inst.args)?;
        // Where a higher tier may take over, a direct call would not find its code.
        let member = self.unit.members.get(&func).filter(|_| !self.request.options.climbs);
        let call = match member {
            Some(&member) => self.b.build_call(member, &args, "")?,
            None => {
                let funcs = self.fixed_pointer(self.ctx, VmContext::FUNCS)?;
                let entry = self.state_pointer(funcs, FuncCell::entry_offset(func))?;
                let ty = self.unit.native_type(sig.params.iter().copied(), &sig.results);
                self.b.build_indirect_call(ty, entry, &args, "")?
            }
        };
        self.take_results(inst, &sig.results, call)
    }

    pub(super) fn call_indirect(
        &mut self,
        inst: &InstData,
        sig: SigId,
        table: TableId,
    ) -> Result<()> {
        let Some((&index, operands)) = inst.args.split_last() else {
            return Err(codegen("an indirect call without an index").into());
        };
        let slot = self.table_slot(table, index)?;
        match self.key(&slot)? {
            Some(key) => self.call_by_key(inst, sig, &slot, key, operands),
            None => {
                let callee = self.reference(&slot)?;
                let (context, cell) = self.checked(sig, callee)?;
                self.call_cell(inst, sig, (context, cell), operands)
            }
        }
    }

    pub(super) fn call_ref(&mut self, inst: &InstData, sig: SigId) -> Result<()> {
        let Some((&callee, operands)) = inst.args.split_last() else {
            return Err(codegen("a call of a reference without one").into());
        };
        let callee = self.b.build_int_to_ptr(self.int(callee)?, self.unit.types.ptr, "")?;
        let (context, cell) = self.checked(sig, callee)?;
        self.call_cell(inst, sig, (context, cell), operands)
    }

    pub(super) fn table_get(&mut self, inst: &InstData, table: TableId) -> Result<()> {
        let slot = self.table_slot(table, inst.args[0])?;
        let reference = self.reference(&slot)?;
        let reference = self.b.build_ptr_to_int(reference, self.unit.types.i64, "")?;
        self.def(inst.results[0], reference);
        Ok(())
    }

    /// Whether a slot holds the instance's own reference to a function.
    pub(super) fn table_holds(
        &mut self,
        inst: &InstData,
        table: TableId,
        func: FuncId,
    ) -> Result<()> {
        let types = self.unit.types;
        let slot = self.table_slot(table, inst.args[0])?;
        let (found, own) = match self.key(&slot)? {
            Some(key) => {
                let end = self.state_field(types.i32.into(), 4, key, VmCallKey::CELL_END)?;
                let own = VmCallKey::cell_end_of(func).into();
                (end.into_int_value(), types.i32.const_int(own, false))
            }
            None => {
                let reference = self.reference(&slot)?;
                let refs = self.fixed_pointer(self.ctx, VmContext::FUNC_REFS)?;
                let offset = u64::from(func.as_u32()) * u64::from(VmFuncRef::SIZE);
                let own = self.offset(refs, offset)?;
                let number = |pointer| self.b.build_ptr_to_int(pointer, types.i64, "");
                (number(reference)?, number(own)?)
            }
        };
        let truth = self.b.build_int_compare(IntPredicate::EQ, found, own, "")?;
        self.def_truth(inst.results[0], truth)
    }

    /// A slot of a table, which is checked to be there.
    fn table_slot(&mut self, table: TableId, index: Reg) -> Result<Slot<'c>> {
        let types = self.unit.types;
        let index = self.int(index)?;
        let index = match self.module.tables[table].table64 {
            true => index,
            false => self.b.build_int_z_extend(index, types.i64, "")?,
        };
        let place = self.request.context.table(table);
        let (at, offset) = self.place(place)?;
        let len = self.state_field(types.i64.into(), 8, at, offset + VmTable::LEN)?;
        let outside =
            self.b.build_int_compare(IntPredicate::UGE, index, len.into_int_value(), "")?;
        self.trap_on(outside, TrapCode::TableOutOfBounds)?;
        Ok(Slot { at, offset, index, is_own: matches!(place, Place::Inline(_)) })
    }

    /// The reference in a slot.
    fn reference(&mut self, slot: &Slot<'c>) -> Result<PointerValue<'c>> {
        let slots = self.state_pointer(slot.at, slot.offset + VmTable::SLOTS)?;
        let three = self.unit.types.i64.const_int(3, false);
        let offset = self.b.build_left_shift(slot.index, three, "")?;
        self.state_pointer(self.add_bytes(slots, offset)?, 0)
    }

    /// Address of a slot's key, if the instance defines the table.
    fn key(&mut self, slot: &Slot<'c>) -> Result<Option<PointerValue<'c>>> {
        const { assert!(VmCallKey::SIZE == 8) };
        if !slot.is_own {
            return Ok(None);
        }
        let keys = self.state_pointer(slot.at, slot.offset + VmTable::KEYS)?;
        let three = self.unit.types.i64.const_int(3, false);
        let offset = self.b.build_left_shift(slot.index, three, "")?;
        self.add_bytes(keys, offset).map(Some)
    }

    /// Calls the function in a slot with the instance's own context where the key has the wanted
    /// signature, else what the reference leads to.
    fn call_by_key(
        &mut self,
        inst: &InstData,
        sig: SigId,
        slot: &Slot<'c>,
        key: PointerValue<'c>,
        operands: &[Reg],
    ) -> Result<()> {
        let types = self.unit.types;
        let (own, other, call) = (self.new_block(), self.new_block(), self.new_block());
        let found = self.state_field(types.i32.into(), 4, key, VmCallKey::SIG)?;
        let wanted = VmCallKey::sig_of(self.request.context.sig_id(sig));
        let wanted = types.i32.const_int(wanted.into(), false);
        let right =
            self.b.build_int_compare(IntPredicate::EQ, found.into_int_value(), wanted, "")?;
        let branch = self.b.build_conditional_branch(right, own, other)?;
        self.set_weights(branch, &[EXPECTED, 1])?;

        self.start(own);
        let end = self.state_field(types.i32.into(), 4, key, VmCallKey::CELL_END)?;
        let end = self.b.build_int_z_extend(end.into_int_value(), types.i64, "")?;
        let size = types.i64.const_int(FuncCell::SIZE.into(), false);
        let start = self.b.build_int_sub(end, size, "")?;
        let funcs = self.fixed_pointer(self.ctx, VmContext::FUNCS)?;
        let own_entry = self.state_pointer(self.add_bytes(funcs, start)?, FuncCell::ENTRY)?;
        self.b.build_unconditional_branch(call)?;

        self.start(other);
        let callee = self.reference(slot)?;
        let (its_context, cell) = self.checked(sig, callee)?;
        let its_entry = self.state_pointer(cell, FuncCell::ENTRY)?;
        let behind_checks = self.b.get_insert_block().ok_or_else(|| codegen("no block"))?;
        self.b.build_unconditional_branch(call)?;

        self.start(call);
        let context = self.b.build_phi(types.ptr, "")?;
        context.add_incoming(&[(&self.ctx, own), (&its_context, behind_checks)]);
        let entry = self.b.build_phi(types.ptr, "")?;
        entry.add_incoming(&[(&own_entry, own), (&its_entry, behind_checks)]);
        let pointer = |value: PhiValue<'c>| value.as_basic_value().into_pointer_value();
        self.call_entry(inst, sig, (pointer(context), pointer(entry)), operands)
    }

    /// Context and cell of a reference that is checked to be not null and of this signature.
    fn checked(
        &mut self,
        sig: SigId,
        callee: PointerValue<'c>,
    ) -> Result<(PointerValue<'c>, PointerValue<'c>)> {
        let is_null = self.b.build_is_null(callee, "")?;
        self.trap_on(is_null, TrapCode::NullFunction)?;
        let types = self.unit.types;
        let found = self.state_field(types.i32.into(), 4, callee, VmFuncRef::SIG)?;
        let wanted = types.i32.const_int(self.request.context.sig_id(sig).into(), false);
        let wrong =
            self.b.build_int_compare(IntPredicate::NE, found.into_int_value(), wanted, "")?;
        self.trap_on(wrong, TrapCode::SignatureMismatch)?;
        let context = self.state_pointer(callee, VmFuncRef::CONTEXT)?;
        let cell = self.state_pointer(callee, VmFuncRef::CELL)?;
        Ok((context, cell))
    }

    /// Calls the function of a cell, which may belong to another instance, with its context.
    fn call_cell(
        &mut self,
        inst: &InstData,
        sig: SigId,
        (context, cell): (PointerValue<'c>, PointerValue<'c>),
        operands: &[Reg],
    ) -> Result<()> {
        let entry = self.state_pointer(cell, FuncCell::ENTRY)?;
        self.call_entry(inst, sig, (context, entry), operands)
    }

    /// Calls code at an address with a context.
    fn call_entry(
        &mut self,
        inst: &InstData,
        sig: SigId,
        (context, entry): (PointerValue<'c>, PointerValue<'c>),
        operands: &[Reg],
    ) -> Result<()> {
        let sig = &self.module.sigs[sig];
        let args = self.native_args(context, &sig.results, operands)?;
        let ty = self.unit.native_type(sig.params.iter().copied(), &sig.results);
        let call = self.b.build_indirect_call(ty, entry, &args, "")?;
        self.take_results(inst, &sig.results, call)
    }

    /// Arguments of a native call: the context, the result area if the results need one, the
    /// operands.
    fn native_args(
        &self,
        context: PointerValue<'c>,
        results: &[Type],
        operands: &[Reg],
    ) -> Result<Vec<BasicMetadataValueEnum<'c>>> {
        let mut args: Vec<BasicMetadataValueEnum<'c>> = vec![context.into()];
        if abi::needs_result_area(results) {
            args.push(self.buffer()?.into());
        }
        for &reg in operands {
            args.push(self.value(reg)?.into());
        }
        Ok(args)
    }

    /// Assigns the results of a native call.
    fn take_results(
        &mut self,
        inst: &InstData,
        results: &[Type],
        call: CallSiteValue<'c>,
    ) -> Result<()> {
        self.keep_position(call);
        if abi::needs_result_area(results) {
            return self.take_buffer(inst);
        }
        let value = result_of(call);
        match (&*inst.results, value) {
            ([], _) => {}
            (&[one], Some(value)) => self.def(one, value),
            (many, Some(value)) => {
                let value = value.into_struct_value();
                for (i, &reg) in many.iter().enumerate() {
                    let field = self.b.build_extract_value(value, i as u32, "")?;
                    self.def(reg, field);
                }
            }
            (_, None) => return Err(codegen("a call without its results").into()),
        }
        Ok(())
    }

    /// The buffer of the function.
    pub(super) fn buffer(&self) -> Result<PointerValue<'c>> {
        Ok(self.buffer.ok_or_else(|| codegen("no buffer"))?)
    }

    /// Assigns an instruction's results from the slots of the buffer.
    fn take_buffer(&mut self, inst: &InstData) -> Result<()> {
        let mut slot = 0;
        for &reg in &inst.results {
            let ty = self.ty(reg);
            let value = self.load_slot(ty, self.buffer()?, slot)?;
            self.def(reg, value);
            slot += ty.slots();
        }
        Ok(())
    }

    /// Stores values to the slots of the buffer from the first on; gives its address.
    pub(super) fn fill_buffer(&self, values: &[Reg]) -> Result<IntValue<'c>> {
        // A function that hands nothing over has no buffer.
        let Some(buffer) = self.buffer else { return Ok(self.unit.types.i64.const_zero()) };
        self.store_slots(values, buffer)?;
        Ok(self.b.build_ptr_to_int(buffer, self.unit.types.i64, "")?)
    }

    /// Stores values to slots one after the other.
    pub(super) fn store_slots(&self, values: &[Reg], slots: PointerValue<'c>) -> Result<()> {
        let mut slot = 0;
        for &reg in values {
            self.store_slot(self.value(reg)?, slots, slot)?;
            slot += self.ty(reg).slots();
        }
        Ok(())
    }

    pub(super) fn load_slot(
        &self,
        ty: Type,
        slots: PointerValue<'c>,
        index: u32,
    ) -> Result<BasicValueEnum<'c>> {
        let address = self.offset(slots, u64::from(index) * 8)?;
        self.load_as(self.unit.ty(ty), address, ty.bytes().min(8), self.unit.tags.buffer)
    }

    /// Stores a value as a slot: narrower ones have zeros above.
    pub(super) fn store_slot(
        &self,
        value: BasicValueEnum<'c>,
        slots: PointerValue<'c>,
        index: u32,
    ) -> Result<()> {
        let types = self.unit.types;
        let slot = match value {
            BasicValueEnum::IntValue(int) if int.get_type() == types.i32 => {
                self.b.build_int_z_extend(int, types.i64, "")?.into()
            }
            BasicValueEnum::FloatValue(float) if float.get_type() == types.f32 => {
                let bits = self.b.build_bit_cast(float, types.i32, "")?.into_int_value();
                self.b.build_int_z_extend(bits, types.i64, "")?.into()
            }
            other => other,
        };
        let address = self.offset(slots, u64::from(index) * 8)?;
        self.store_as(slot, address, 8, self.unit.tags.buffer)
    }

    pub(super) fn dialect(&mut self, inst: &InstData, op: DialectOpId, site: SiteId) -> Result<()> {
        let address = self.fill_buffer(&inst.args)?;
        let func = self.source_func(inst).as_u32();
        let number = |n: u32| self.unit.types.i32.const_int(n.into(), false).into();
        let args = [number(func), number(op.as_u32()), number(site.as_u32()), address.into()];
        self.call_helper(Helper::Dialect, &args)?;
        self.take_buffer(inst)
    }
}

fn result_of(call: CallSiteValue<'_>) -> Option<BasicValueEnum<'_>> {
    match call.try_as_basic_value() {
        ValueKind::Basic(value) => Some(value),
        ValueKind::Instruction(_) => None,
    }
}
