//! Memory: alias regions, linear memory with its bounds checks, raw accesses, globals.
//!
//! An access to a reserved memory that the guard covers is one load or store that may fault. All
//! others are checked: the address operand (extended with zeros if it has 32 bits) plus offset and
//! size, in 64 bits, must not be above the memory's length. With 32-bit addresses the sum cannot
//! wrap around where the offset leaves room for the operand; where it does not, the access is out
//! of bounds whatever the operand is, because no memory is that large. With 64-bit addresses a sum
//! that wraps around is out of bounds.

use super::{Lower, cl_trap, cl_type, vector};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AliasRegion, AliasRegionData, InstBuilder, MemFlagsData, Value, types,
};
use cupola_ir::{GlobalId, InstData, MemArg, MemId, TrapCode};
use cupola_runtime::{Helper, Place, VmContext, VmMemory};

/// Flags of the accesses to each kind of memory. No two kinds overlap, which the optimizing tier
/// tells Cranelift by alias regions. Only guarded accesses fault.
pub(super) struct Flags {
    /// Fields that never change while code of the instance runs, valid to read at any time.
    pub fixed: MemFlagsData,
    /// State of the instance: memories, tables, globals, entry table.
    pub state: MemFlagsData,
    /// The limits: interruption, fuel, budgets.
    pub limits: MemFlagsData,
    /// Counters and feedback.
    pub feedback: MemFlagsData,
    /// Frames, operands and results on their way.
    pub buffer: MemFlagsData,
    /// Linear memory whose bounds were checked, and what raw addresses point to.
    pub heap: MemFlagsData,
    /// Linear memory whose bounds the guard checks: the access traps by faulting, and stays where
    /// it is even if its result is not used.
    pub guarded: MemFlagsData,
}

impl Flags {
    pub(super) fn new(func: &mut ir::Function, regions: bool) -> Flags {
        let mut region = |user_id: u32, description: &'static str| -> Option<AliasRegion> {
            let data = AliasRegionData { user_id, description: description.into() };
            regions.then(|| func.dfg.alias_regions.insert(data))
        };
        let trusted = MemFlagsData::trusted();
        // A vector stands in two slots, which are aligned to 8 bytes.
        let slots = MemFlagsData::new().with_notrap();
        let heap = MemFlagsData::new()
            .with_endianness(ir::Endianness::Little)
            .with_alias_region(region(5, "heap"));
        Flags {
            fixed: trusted.with_readonly().with_can_move(),
            state: slots.with_alias_region(region(1, "state")),
            limits: trusted.with_alias_region(region(2, "limits")),
            feedback: trusted.with_alias_region(region(3, "feedback")),
            buffer: slots.with_alias_region(region(4, "buffer")),
            heap: heap.with_notrap(),
            guarded: heap.with_trap_code(Some(cl_trap(TrapCode::MemOutOfBounds))),
        }
    }
}

/// What a load or store does in memory.
#[derive(Copy, Clone)]
pub(super) enum Access {
    /// The whole register.
    Full,
    /// The low bits of this type; loads extend the sign.
    Signed(ir::Type),
    /// The low bits of this type; loads extend with zeros.
    Unsigned(ir::Type),
}

impl Lower<'_, '_> {
    /// A field that never changes while code runs.
    pub(super) fn fixed_field(&mut self, base: Value, offset: u32) -> Value {
        self.b.ins().load(types::I64, self.flags.fixed, base, offset as i32)
    }

    pub(super) fn state_field(&mut self, ty: ir::Type, base: Value, offset: u32) -> Value {
        self.b.ins().load(ty, self.flags.state, base, offset as i32)
    }

    /// The limits of the thread of execution.
    pub(super) fn limits(&mut self) -> Value {
        self.fixed_field(self.ctx, VmContext::LIMITS)
    }

    /// Whether the memory is reserved: it never moves, and guards check what they cover.
    fn is_reserved(&self, memory: MemId) -> bool {
        self.request.options.memory_reservation && !self.module.memories[memory].memory64
    }

    /// Address and offset of what the context leads to.
    pub(super) fn place(&mut self, place: Place) -> (Value, u32) {
        match place {
            Place::Inline(offset) => (self.ctx, offset),
            Place::Pointer(offset) => (self.fixed_field(self.ctx, offset), 0),
        }
    }

    pub(super) fn memory_base(&mut self, memory: MemId) -> Value {
        let (at, offset) = self.place(self.request.context.memory(memory));
        match self.is_reserved(memory) {
            true => self.fixed_field(at, offset + VmMemory::BASE),
            false => self.state_field(types::I64, at, offset + VmMemory::BASE),
        }
    }

    pub(super) fn memory_len(&mut self, memory: MemId) -> Value {
        let (at, offset) = self.place(self.request.context.memory(memory));
        self.state_field(types::I64, at, offset + VmMemory::LEN)
    }

    pub(super) fn load(&mut self, inst: &InstData, access: Access) {
        let ty = cl_type(self.ty(inst.results[0]));
        let Some((flags, address, offset)) = self.address(inst) else {
            return self.unreachable(inst);
        };
        let narrow = |this: &mut Self, ty| this.b.ins().load(ty, flags, address, offset);
        let value = match access {
            Access::Full => narrow(self, ty),
            Access::Signed(memory) => {
                let value = narrow(self, memory);
                self.b.ins().sextend(ty, value)
            }
            Access::Unsigned(memory) => {
                let value = narrow(self, memory);
                self.b.ins().uextend(ty, value)
            }
        };
        self.def(inst.results[0], value);
    }

    pub(super) fn store(&mut self, inst: &InstData, access: Access) {
        let mut value = self.value(inst.args[1]);
        let Some((flags, address, offset)) = self.address(inst) else {
            return self.unreachable(inst);
        };
        if let Access::Signed(memory) | Access::Unsigned(memory) = access {
            value = self.b.ins().ireduce(memory, value);
        }
        self.b.ins().store(flags, value, address, offset);
    }

    /// Flags, address and constant offset of an access, behind its check if it needs one; none if
    /// it is always out of bounds.
    pub(super) fn address(&mut self, inst: &InstData) -> Option<(MemFlagsData, Value, i32)> {
        let Some(MemArg { memory, offset }) = inst.imm.mem() else {
            unreachable!("the verifier gives accesses a memory argument")
        };
        let operand = self.value(inst.args[0]);
        if inst.op.is_raw() {
            let (address, offset) = self.with_offset(operand, offset);
            return Some((self.flags.heap, address, offset));
        }
        let (_, size) = inst.op.access()?;
        let reach = offset.checked_add(u64::from(size))?;
        let decl = &self.module.memories[memory];
        let index = match decl.memory64 {
            true => operand,
            false => self.b.ins().uextend(types::I64, operand),
        };
        let flags = if self.is_reserved(memory) && decl.is_guarded(reach) {
            self.flags.guarded
        } else {
            let end = self.end_of_access(index, reach, decl.memory64)?;
            let len = self.memory_len(memory);
            let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
            self.b.ins().trapnz(outside, cl_trap(TrapCode::MemOutOfBounds));
            self.flags.heap
        };
        let base = self.memory_base(memory);
        let address = self.b.ins().iadd(base, index);
        let (address, offset) = self.with_offset(address, offset);
        Some((flags, address, offset))
    }

    /// `index + reach`; traps, or is none, if that wraps around.
    fn end_of_access(&mut self, index: Value, reach: u64, memory64: bool) -> Option<Value> {
        if memory64 {
            let reach = self.b.ins().iconst(types::I64, reach as i64);
            let oob = cl_trap(TrapCode::MemOutOfBounds);
            return Some(self.b.ins().uadd_overflow_trap(index, reach, oob));
        }
        let room = u64::MAX - u64::from(u32::MAX);
        (reach <= room).then(|| self.b.ins().iadd_imm_s(index, reach as i64))
    }

    /// Splits an offset into what an instruction can hold and the rest.
    fn with_offset(&mut self, address: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) => (address, offset),
            Err(_) => (self.b.ins().iadd_imm_s(address, offset as i64), 0),
        }
    }

    /// An access that is always out of bounds.
    pub(super) fn unreachable(&mut self, inst: &InstData) {
        let always = self.b.ins().iconst(types::I8, 1);
        self.b.ins().trapnz(always, cl_trap(TrapCode::MemOutOfBounds));
        for &result in &inst.results {
            let value = self.zero(cl_type(self.ty(result)));
            self.def(result, value);
        }
    }

    fn zero(&mut self, ty: ir::Type) -> Value {
        match ty {
            types::F32 => self.b.ins().f32const(0.0),
            types::F64 => self.b.ins().f64const(0.0),
            types::I8X16 => vector::zeros(&mut self.b, ty),
            _ => self.b.ins().iconst(ty, 0),
        }
    }

    pub(super) fn memory_size(&mut self, inst: &InstData, memory: MemId) {
        let len = self.memory_len(memory);
        let shift = i64::from(cupola_ir::PAGE_SIZE.trailing_zeros());
        let pages = self.b.ins().ushr_imm_u(len, shift);
        let pages = self.narrow_size(pages, memory);
        self.def(inst.results[0], pages);
    }

    /// A size in pages as its register holds it; -1 stays -1.
    fn narrow_size(&mut self, pages: Value, memory: MemId) -> Value {
        match self.module.memories[memory].memory64 {
            true => pages,
            false => self.b.ins().ireduce(types::I32, pages),
        }
    }

    pub(super) fn memory_grow(&mut self, inst: &InstData, memory: MemId) {
        let mut pages = self.value(inst.args[0]);
        if !self.module.memories[memory].memory64 {
            pages = self.b.ins().uextend(types::I64, pages);
        }
        let number = self.b.ins().iconst(types::I32, i64::from(memory.as_u32()));
        if let Some(old) = self.call_helper(Helper::MemoryGrow, &[number, pages]) {
            let old = self.narrow_size(old, memory);
            self.def(inst.results[0], old);
        }
    }

    pub(super) fn global_get(&mut self, inst: &InstData, global: GlobalId) {
        let ty = cl_type(self.module.globals[global].ty);
        let (at, offset) = self.place(self.request.context.global(global));
        let value = self.state_field(ty, at, offset);
        self.def(inst.results[0], value);
    }

    /// Stores no more than the value: the rest of the slot holds zeros from the start.
    pub(super) fn global_set(&mut self, inst: &InstData, global: GlobalId) {
        let value = self.value(inst.args[0]);
        let (at, offset) = self.place(self.request.context.global(global));
        self.b.ins().store(self.flags.state, value, at, offset as i32);
    }
}
