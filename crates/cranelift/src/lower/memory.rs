//! Memory: alias regions, linear memory with its bounds checks, raw accesses, globals.
//!
//! Linear memory is checked explicitly: the address operand is extended with zeros and the offset
//! and the size are added to it in 64 bits, which cannot wrap around where the offset leaves room
//! for the operand; where it does not, the access is out of bounds whatever the operand is,
//! because no memory is that large.

use super::{Lower, cl_trap, cl_type};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AliasRegion, AliasRegionData, InstBuilder, MemFlagsData, Value, types,
};
use cupola_ir::{GlobalId, Imm, InstData, MemArg, MemId, TrapCode};
use cupola_runtime::{Helper, VmContext, VmMemory};

/// Flags of the accesses to each kind of memory. No two kinds overlap, which the optimizing tier
/// tells Cranelift by alias regions. None of the accesses faults: bounds are checked before.
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
    /// Linear memory, and what raw addresses point to.
    pub heap: MemFlagsData,
}

impl Flags {
    pub(super) fn new(func: &mut ir::Function, regions: bool) -> Flags {
        let mut region = |user_id: u32, description: &'static str| -> Option<AliasRegion> {
            let data = AliasRegionData { user_id, description: description.into() };
            regions.then(|| func.dfg.alias_regions.insert(data))
        };
        let trusted = MemFlagsData::trusted();
        Flags {
            fixed: trusted.with_readonly().with_can_move(),
            state: trusted.with_alias_region(region(1, "state")),
            limits: trusted.with_alias_region(region(2, "limits")),
            feedback: trusted.with_alias_region(region(3, "feedback")),
            buffer: trusted.with_alias_region(region(4, "buffer")),
            heap: MemFlagsData::new()
                .with_notrap()
                .with_endianness(ir::Endianness::Little)
                .with_alias_region(region(5, "heap")),
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

    pub(super) fn memory_base(&mut self, memory: MemId) -> Value {
        let offset = self.request.context.memory(memory) + VmMemory::BASE;
        self.state_field(types::I64, self.ctx, offset)
    }

    pub(super) fn memory_len(&mut self, memory: MemId) -> Value {
        let offset = self.request.context.memory(memory) + VmMemory::LEN;
        self.state_field(types::I64, self.ctx, offset)
    }

    pub(super) fn load(&mut self, inst: &InstData, access: Access) {
        let ty = cl_type(self.ty(inst.results[0]));
        let Some((address, offset)) = self.address(inst) else { return self.unreachable(inst) };
        let flags = self.flags.heap;
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
        let Some((address, offset)) = self.address(inst) else { return self.unreachable(inst) };
        if let Access::Signed(memory) | Access::Unsigned(memory) = access {
            value = self.b.ins().ireduce(memory, value);
        }
        self.b.ins().store(self.flags.heap, value, address, offset);
    }

    /// Address and constant offset of a checked or raw access; none if it is always out of bounds.
    fn address(&mut self, inst: &InstData) -> Option<(Value, i32)> {
        let Imm::Mem(MemArg { memory, offset }) = inst.imm else {
            unreachable!("the verifier gives accesses a memory argument")
        };
        let operand = self.value(inst.args[0]);
        if inst.op.is_raw() {
            return Some(self.with_offset(operand, offset));
        }
        let (_, size) = inst.op.access()?;
        let index = self.b.ins().uextend(types::I64, operand);
        let room = u64::MAX - u64::from(u32::MAX);
        let end = offset.checked_add(u64::from(size)).filter(|&end| end <= room)?;
        let len = self.memory_len(memory);
        let end = self.b.ins().iadd_imm_s(index, end as i64);
        let outside = self.b.ins().icmp(IntCC::UnsignedGreaterThan, end, len);
        self.b.ins().trapnz(outside, cl_trap(TrapCode::MemOutOfBounds));
        let base = self.memory_base(memory);
        let address = self.b.ins().iadd(base, index);
        Some(self.with_offset(address, offset))
    }

    /// Splits an offset into what an instruction can hold and the rest.
    fn with_offset(&mut self, address: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) => (address, offset),
            Err(_) => (self.b.ins().iadd_imm_s(address, offset as i64), 0),
        }
    }

    /// An access that is always out of bounds.
    fn unreachable(&mut self, inst: &InstData) {
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
            _ => self.b.ins().iconst(ty, 0),
        }
    }

    pub(super) fn memory_size(&mut self, inst: &InstData, memory: MemId) {
        let len = self.memory_len(memory);
        let shift = i64::from(cupola_ir::PAGE_SIZE.trailing_zeros());
        let pages = self.b.ins().ushr_imm_u(len, shift);
        let pages = self.b.ins().ireduce(types::I32, pages);
        self.def(inst.results[0], pages);
    }

    pub(super) fn memory_grow(&mut self, inst: &InstData, memory: MemId) {
        let pages = self.value(inst.args[0]);
        let memory = self.b.ins().iconst(types::I32, i64::from(memory.as_u32()));
        let old = self.call_helper(Helper::MemoryGrow, &[memory, pages]);
        if let Some(old) = old {
            self.def(inst.results[0], old);
        }
    }

    pub(super) fn global_get(&mut self, inst: &InstData, global: GlobalId) {
        let ty = cl_type(self.module.globals[global].ty);
        let value = self.state_field(ty, self.ctx, self.request.context.global(global));
        self.def(inst.results[0], value);
    }

    /// Stores no more than the value: the rest of the slot holds zeros from the start.
    pub(super) fn global_set(&mut self, inst: &InstData, global: GlobalId) {
        let value = self.value(inst.args[0]);
        let offset = self.request.context.global(global) as i32;
        self.b.ins().store(self.flags.state, value, self.ctx, offset);
    }
}
