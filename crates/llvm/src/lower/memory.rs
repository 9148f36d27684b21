//! Memory: linear memory with its bounds checks, raw accesses, globals, fields of the context.
//!
//! Every access says to LLVM which of the kinds of memory it is to (`Tags`), of which no two
//! overlap. Where a memory is reserved with a guard, an access out of bounds faults; that it is
//! volatile keeps LLVM from dropping it or moving it across another one, which would lose the trap
//! or the stores in front of it. Other accesses are checked by compares.
//!
//! A raw address is an integer; if it is a sum with the base of a memory in it, the access is made
//! relative to the base as a pointer, which LLVM's loop analyses need.

use super::Lower;
use crate::error::{Result, codegen};
use cupola_ir::{GlobalId, InstData, MemArg, MemId, Op, Reg, TrapCode};
use cupola_runtime::{Helper, Place, VmContext, VmMemory};
use inkwell::IntPredicate;
use inkwell::types::{BasicTypeEnum, IntType};
use inkwell::values::{BasicValue, BasicValueEnum, IntValue, MetadataValue, PointerValue};

/// How a load fills a register from narrower memory.
#[derive(Copy, Clone)]
pub(super) enum Extension {
    Signed,
    Unsigned,
}

/// Where an access goes.
#[derive(Copy, Clone)]
pub(super) struct Address<'c> {
    pointer: PointerValue<'c>,
    /// It is not checked, and faults if it is out of bounds.
    guarded: bool,
}

impl<'c> Lower<'_, '_, 'c> {
    /// A load from an aligned address.
    pub(super) fn load_as(
        &self,
        ty: BasicTypeEnum<'c>,
        address: PointerValue<'c>,
        align: u32,
        tag: MetadataValue<'c>,
    ) -> Result<BasicValueEnum<'c>> {
        let value = self.b.build_load(ty, address, "")?;
        let load =
            value.as_instruction_value().ok_or_else(|| codegen("a load is an instruction"))?;
        load.set_alignment(align).map_err(codegen)?;
        load.set_metadata(tag, self.unit.kinds.tbaa).map_err(codegen)?;
        Ok(value)
    }

    /// A store to an aligned address.
    pub(super) fn store_as(
        &self,
        value: BasicValueEnum<'c>,
        address: PointerValue<'c>,
        align: u32,
        tag: MetadataValue<'c>,
    ) -> Result<()> {
        let store = self.b.build_store(address, value)?;
        store.set_alignment(align).map_err(codegen)?;
        store.set_metadata(tag, self.unit.kinds.tbaa).map_err(|error| codegen(error).into())
    }

    /// A pointer and a number of bytes.
    pub(super) fn add_bytes(
        &self,
        base: PointerValue<'c>,
        bytes: IntValue<'c>,
    ) -> Result<PointerValue<'c>> {
        // SAFETY: without `inbounds`, address arithmetic of LLVM's is defined for all operands.
        Ok(unsafe { self.b.build_gep(self.unit.types.i8, base, &[bytes], "")? })
    }

    /// A pointer and a constant number of bytes.
    pub(super) fn offset(&self, base: PointerValue<'c>, bytes: u64) -> Result<PointerValue<'c>> {
        if bytes == 0 {
            return Ok(base);
        }
        self.add_bytes(base, self.unit.types.i64.const_int(bytes, false))
    }

    /// A pointer that never changes while code runs.
    pub(super) fn fixed_pointer(
        &self,
        base: PointerValue<'c>,
        offset: u32,
    ) -> Result<PointerValue<'c>> {
        let address = self.offset(base, u64::from(offset))?;
        let value = self.load_as(self.unit.types.ptr.into(), address, 8, self.unit.tags.fixed)?;
        let load =
            value.as_instruction_value().ok_or_else(|| codegen("a load is an instruction"))?;
        let none = self.unit.cx.metadata_node(&[]);
        load.set_metadata(none, self.unit.kinds.invariant).map_err(codegen)?;
        Ok(value.into_pointer_value())
    }

    /// A field of the instance's state.
    pub(super) fn state_field(
        &self,
        ty: BasicTypeEnum<'c>,
        align: u32,
        base: PointerValue<'c>,
        offset: u32,
    ) -> Result<BasicValueEnum<'c>> {
        let address = self.offset(base, u64::from(offset))?;
        self.load_as(ty, address, align, self.unit.tags.state)
    }

    pub(super) fn state_pointer(
        &self,
        base: PointerValue<'c>,
        offset: u32,
    ) -> Result<PointerValue<'c>> {
        let ty = self.unit.types.ptr.into();
        Ok(self.state_field(ty, 8, base, offset)?.into_pointer_value())
    }

    /// The limits of the thread of execution.
    pub(super) fn limits(&self) -> Result<PointerValue<'c>> {
        self.fixed_pointer(self.ctx, VmContext::LIMITS)
    }

    /// Address and offset of what the context leads to.
    pub(super) fn place(&self, place: Place) -> Result<(PointerValue<'c>, u32)> {
        Ok(match place {
            Place::Inline(offset) => (self.ctx, offset),
            Place::Pointer(offset) => (self.fixed_pointer(self.ctx, offset)?, 0),
        })
    }

    pub(super) fn memory_base(&self, memory: MemId) -> Result<PointerValue<'c>> {
        let (at, offset) = self.place(self.request.context.memory(memory))?;
        match self.is_reserved(memory) {
            true => self.fixed_pointer(at, offset + VmMemory::BASE),
            false => self.state_pointer(at, offset + VmMemory::BASE),
        }
    }

    /// Whether the memory never moves.
    fn is_reserved(&self, memory: MemId) -> bool {
        self.request.options.memory_reservation && !self.module.memories[memory].memory64
    }

    pub(super) fn memory_len(&self, memory: MemId) -> Result<IntValue<'c>> {
        let (at, offset) = self.place(self.request.context.memory(memory))?;
        let ty = self.unit.types.i64.into();
        Ok(self.state_field(ty, 8, at, offset + VmMemory::LEN)?.into_int_value())
    }

    /// Loads a register's whole type.
    pub(super) fn load(&mut self, inst: &InstData) -> Result<()> {
        let ty = self.unit.ty(self.ty(inst.results[0]));
        let Some(address) = self.address(inst)? else { return self.out_of_bounds(inst) };
        let value = self.load_heap(ty, address)?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Loads a narrower integer.
    pub(super) fn load_narrow(
        &mut self,
        inst: &InstData,
        memory: IntType<'c>,
        extension: Extension,
    ) -> Result<()> {
        let ty = self.unit.ty(self.ty(inst.results[0])).into_int_type();
        let Some(address) = self.address(inst)? else { return self.out_of_bounds(inst) };
        let value = self.load_heap(memory.into(), address)?.into_int_value();
        let value = match extension {
            Extension::Signed => self.b.build_int_s_extend(value, ty, "")?,
            Extension::Unsigned => self.b.build_int_z_extend(value, ty, "")?,
        };
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Stores a register's whole type.
    pub(super) fn store(&mut self, inst: &InstData) -> Result<()> {
        let value = self.value(inst.args[1])?;
        let Some(address) = self.address(inst)? else { return self.out_of_bounds(inst) };
        self.store_heap(value, address)
    }

    /// Stores the low bits of an integer.
    pub(super) fn store_narrow(&mut self, inst: &InstData, memory: IntType<'c>) -> Result<()> {
        let value = self.int(inst.args[1])?;
        let value = self.b.build_int_truncate(value, memory, "")?;
        let Some(address) = self.address(inst)? else { return self.out_of_bounds(inst) };
        self.store_heap(value.into(), address)
    }

    /// The address of a checked or raw access; none if it is always out of bounds.
    pub(super) fn address(&mut self, inst: &InstData) -> Result<Option<Address<'c>>> {
        let Some(MemArg { memory, offset }) = inst.imm.mem() else {
            return Err(codegen("an access without a memory argument").into());
        };
        if inst.op.is_raw() {
            let pointer = self.raw_pointer(inst.args[0])?;
            return Ok(Some(Address { pointer: self.offset(pointer, offset)?, guarded: false }));
        }
        let (_, size) = inst.op.access().ok_or_else(|| codegen("not an access"))?;
        let i64 = self.unit.types.i64;
        let Some(reach) = offset.checked_add(u64::from(size)) else { return Ok(None) };
        let guarded = self.is_reserved(memory) && self.module.memories[memory].is_guarded(reach);
        let operand = self.int(inst.args[0])?;
        let index = match self.module.memories[memory].memory64 {
            true => operand,
            false => self.b.build_int_z_extend(operand, i64, "")?,
        };
        if !guarded {
            self.check_bounds(memory, index, reach)?;
        }
        self.unit.faults |= guarded;
        let pointer = self.add_bytes(self.memory_base(memory)?, index)?;
        Ok(Some(Address { pointer: self.offset(pointer, offset)?, guarded }))
    }

    /// Traps if `index + reach` is greater than the memory's length, or wraps around.
    fn check_bounds(&mut self, memory: MemId, index: IntValue<'c>, reach: u64) -> Result<()> {
        let reach = index.get_type().const_int(reach, false);
        let end = self.b.build_int_add(index, reach, "")?;
        let wraps = self.b.build_int_compare(IntPredicate::ULT, end, reach, "")?;
        self.trap_on(wraps, TrapCode::MemOutOfBounds)?;
        let len = self.memory_len(memory)?;
        let outside = self.b.build_int_compare(IntPredicate::UGT, end, len, "")?;
        self.trap_on(outside, TrapCode::MemOutOfBounds)
    }

    /// A load from linear memory or a raw address.
    pub(super) fn load_heap(
        &self,
        ty: BasicTypeEnum<'c>,
        address: Address<'c>,
    ) -> Result<BasicValueEnum<'c>> {
        let value = self.load_as(ty, address.pointer, 1, self.unit.tags.heap)?;
        if let Some(load) = value.as_instruction_value() {
            load.set_volatile(address.guarded).map_err(codegen)?;
        }
        Ok(value)
    }

    /// A store to linear memory or a raw address.
    pub(super) fn store_heap(&self, value: BasicValueEnum<'c>, address: Address<'c>) -> Result<()> {
        let store = self.b.build_store(address.pointer, value)?;
        store.set_alignment(1).map_err(codegen)?;
        store.set_volatile(address.guarded).map_err(codegen)?;
        store.set_metadata(self.unit.tags.heap, self.unit.kinds.tbaa).map_err(codegen)?;
        Ok(())
    }

    /// A raw address as a pointer: relative to the base of a memory if it is a sum with one.
    fn raw_pointer(&self, address: Reg) -> Result<PointerValue<'c>> {
        if let Some(pointer) = self.relative_to_base(address)? {
            return Ok(pointer);
        }
        Ok(self.b.build_int_to_ptr(self.int(address)?, self.unit.types.ptr, "")?)
    }

    fn relative_to_base(&self, address: Reg) -> Result<Option<PointerValue<'c>>> {
        let Some(def) = self.def_of(address) else { return Ok(None) };
        match def.op {
            // The base was read where the instruction stands; there its pointer is converted.
            Op::MemoryBase => {
                let base = self.int(address)?;
                Ok(Some(self.b.build_int_to_ptr(base, self.unit.types.ptr, "")?))
            }
            Op::I64Add => {
                let (x, y) = (def.args[0], def.args[1]);
                for (base, index) in [(x, y), (y, x)] {
                    if let Some(pointer) = self.relative_to_base(base)? {
                        return Ok(Some(self.add_bytes(pointer, self.int(index)?)?));
                    }
                }
                Ok(None)
            }
            Op::Copy => self.relative_to_base(def.args[0]),
            _ => Ok(None),
        }
    }

    /// An access that is always out of bounds.
    pub(super) fn out_of_bounds(&mut self, inst: &InstData) -> Result<()> {
        self.trap(TrapCode::MemOutOfBounds)?;
        let dead = self.new_block();
        self.start(dead);
        for &result in &inst.results {
            let ty = self.unit.ty(self.ty(result));
            self.def(result, ty.const_zero());
        }
        Ok(())
    }

    /// The base as an integer.
    pub(super) fn memory_base_value(&mut self, inst: &InstData, memory: MemId) -> Result<()> {
        let base = self.memory_base(memory)?;
        let value = self.b.build_ptr_to_int(base, self.unit.types.i64, "")?;
        self.def(inst.results[0], value);
        Ok(())
    }

    pub(super) fn memory_size(&mut self, inst: &InstData, memory: MemId) -> Result<()> {
        let len = self.memory_len(memory)?;
        let types = self.unit.types;
        let shift = types.i64.const_int(cupola_ir::PAGE_SIZE.trailing_zeros().into(), false);
        let pages = self.b.build_right_shift(len, shift, false, "")?;
        let pages = self.narrow_size(pages, memory)?;
        self.def(inst.results[0], pages);
        Ok(())
    }

    /// A size in pages as its register holds it; -1 stays -1.
    fn narrow_size(&self, pages: IntValue<'c>, memory: MemId) -> Result<IntValue<'c>> {
        Ok(match self.module.memories[memory].memory64 {
            true => pages,
            false => self.b.build_int_truncate(pages, self.unit.types.i32, "")?,
        })
    }

    pub(super) fn memory_grow(&mut self, inst: &InstData, memory: MemId) -> Result<()> {
        let types = self.unit.types;
        let mut pages = self.int(inst.args[0])?;
        if !self.module.memories[memory].memory64 {
            pages = self.b.build_int_z_extend(pages, types.i64, "")?;
        }
        let number = types.i32.const_int(memory.as_u32().into(), false);
        let old = self.call_helper(Helper::MemoryGrow, &[number.into(), pages.into()])?;
        let old = old.ok_or_else(|| codegen("the helper has a result"))?.into_int_value();
        let old = self.narrow_size(old, memory)?;
        self.def(inst.results[0], old);
        Ok(())
    }

    pub(super) fn global_get(&mut self, inst: &InstData, global: GlobalId) -> Result<()> {
        let decl = &self.module.globals[global];
        let ty = self.unit.ty(decl.ty);
        let (at, offset) = self.place(self.request.context.global(global))?;
        let value = self.state_field(ty, decl.ty.bytes().min(8), at, offset)?;
        self.def(inst.results[0], value);
        Ok(())
    }

    /// Stores no more than the value: the rest of the slot holds zeros from the start.
    pub(super) fn global_set(&mut self, inst: &InstData, global: GlobalId) -> Result<()> {
        let value = self.value(inst.args[0])?;
        let align = self.module.globals[global].ty.bytes().min(8);
        let (at, offset) = self.place(self.request.context.global(global))?;
        let address = self.offset(at, offset.into())?;
        self.store_as(value, address, align, self.unit.tags.state)
    }
}
