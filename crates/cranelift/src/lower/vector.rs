//! Shapes that the arms of vector opcodes share.
//!
//! A vector register is an `i8x16` in Cranelift wherever it is kept (variables, block parameters,
//! calls); operations cast it to the lanes that they work on, which costs nothing in machine code.
//! The lanes' order in memory is little-endian, which the casts say.

use super::Lower;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32X4, F64X2, I8, I8X16, I16, I16X8, I32, I32X4, I64X2};
use cranelift_codegen::ir::{self, Endianness, InstBuilder, MemFlagsData, Value};
use cranelift_frontend::FunctionBuilder;
use cupola_ir::{Imm, InstData, Op, Reg, V128};

/// The lanes that an opcode is named after; bytes for those that work on all bits alike.
fn lanes(op: Op) -> ir::Type {
    match op.name().split('.').next() {
        Some("i16x8") => I16X8,
        Some("i32x4") => I32X4,
        Some("i64x2") => I64X2,
        Some("f32x4") => F32X4,
        Some("f64x2") => F64X2,
        _ => I8X16,
    }
}

/// The same bits as another vector type.
pub(super) fn cast(b: &mut FunctionBuilder<'_>, value: Value, ty: ir::Type) -> Value {
    if b.func.dfg.value_type(value) == ty {
        return value;
    }
    b.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), value)
}

/// A vector of zeros.
pub(super) fn zeros(b: &mut FunctionBuilder<'_>, ty: ir::Type) -> Value {
    constant(b, ty, [0; 16])
}

/// The number of the lane that an instruction is about.
pub(super) fn lane_of(inst: &InstData) -> u8 {
    match inst.imm {
        Imm::Lane(lane) | Imm::MemLane(_, lane) => lane,
        imm => unreachable!("the verifier does not let {} have {imm:?}", inst.op),
    }
}

/// Each lane of `x` where the lanes of `less` are less than those of `than`, else of `y`.
pub(super) fn take_if_less(
    b: &mut FunctionBuilder<'_>,
    (less, than): (Value, Value),
    x: Value,
    y: Value,
) -> Value {
    let ty = b.func.dfg.value_type(x);
    let mask = b.ins().fcmp(FloatCC::LessThan, less, than);
    let mask = cast(b, mask, ty);
    b.ins().bitselect(mask, x, y)
}

/// A vector constant.
pub(super) fn constant(b: &mut FunctionBuilder<'_>, ty: ir::Type, bytes: V128) -> Value {
    let bytes = b.func.dfg.constants.insert(bytes[..].into());
    b.ins().vconst(ty, bytes)
}

impl Lower<'_, '_> {
    /// A vector register with lanes of a type.
    pub(super) fn vector(&mut self, reg: Reg, lanes: ir::Type) -> Value {
        let value = self.value(reg);
        cast(&mut self.b, value, lanes)
    }

    /// Assigns a vector register.
    pub(super) fn def_vector(&mut self, reg: Reg, value: Value) {
        let value = cast(&mut self.b, value, I8X16);
        self.def(reg, value);
    }

    /// One vector operand, with the lanes that the opcode is named after.
    pub(super) fn vector_unary(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value) -> Value,
    ) {
        self.vector_unary_of(inst, lanes(inst.op), op);
    }

    /// One vector operand with lanes of a type.
    pub(super) fn vector_unary_of(
        &mut self,
        inst: &InstData,
        lanes: ir::Type,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value) -> Value,
    ) {
        let x = self.vector(inst.args[0], lanes);
        let value = op(&mut self.b, x);
        self.def_vector(inst.results[0], value);
    }

    /// Two vector operands, with the lanes that the opcode is named after.
    pub(super) fn vector_binary(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value, Value) -> Value,
    ) {
        self.vector_binary_of(inst, lanes(inst.op), op);
    }

    /// Two vector operands with lanes of a type.
    pub(super) fn vector_binary_of(
        &mut self,
        inst: &InstData,
        lanes: ir::Type,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value, Value) -> Value,
    ) {
        let (x, y) = (self.vector(inst.args[0], lanes), self.vector(inst.args[1], lanes));
        let value = op(&mut self.b, x, y);
        self.def_vector(inst.results[0], value);
    }

    /// Three vector operands, with the lanes that the opcode is named after.
    pub(super) fn vector_ternary(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value, Value, Value) -> Value,
    ) {
        let lanes = lanes(inst.op);
        let [x, y, z] = [0, 1, 2].map(|i| self.vector(inst.args[i], lanes));
        let value = op(&mut self.b, x, y, z);
        self.def_vector(inst.results[0], value);
    }

    /// A vector and how far to shift its lanes (i32), modulo their width as Cranelift has it.
    pub(super) fn vector_shift(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value, Value) -> Value,
    ) {
        let (x, by) = (self.vector(inst.args[0], lanes(inst.op)), self.value(inst.args[1]));
        let value = op(&mut self.b, x, by);
        self.def_vector(inst.results[0], value);
    }

    /// Lanes of ones where integers compare so, else of zeros.
    pub(super) fn vector_int_compare(&mut self, inst: &InstData, cond: IntCC) {
        self.vector_binary(inst, |b, x, y| b.ins().icmp(cond, x, y));
    }

    /// Lanes of ones where floats compare so, else of zeros.
    pub(super) fn vector_float_compare(&mut self, inst: &InstData, cond: FloatCC) {
        self.vector_binary(inst, |b, x, y| b.ins().fcmp(cond, x, y));
    }

    /// A truth value of a vector.
    pub(super) fn vector_test(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&mut FunctionBuilder<'_>, Value) -> Value,
    ) {
        let x = self.vector(inst.args[0], lanes(inst.op));
        let truth = op(&mut self.b, x);
        self.def_truth(inst.results[0], truth);
    }

    /// The highest bit of each lane.
    pub(super) fn bitmask(&mut self, inst: &InstData) {
        let x = self.vector(inst.args[0], lanes(inst.op));
        let mask = self.b.ins().vhigh_bits(I32, x);
        self.def(inst.results[0], mask);
    }

    /// A scalar operand for lanes of a type: narrow lanes take its low bits.
    fn lane_operand(&mut self, reg: Reg, lanes: ir::Type) -> Value {
        let value = self.value(reg);
        match lanes.lane_type() {
            narrow @ (I8 | I16) => self.b.ins().ireduce(narrow, value),
            _ => value,
        }
    }

    /// All lanes from a scalar.
    pub(super) fn splat(&mut self, inst: &InstData) {
        let lanes = lanes(inst.op);
        let lane = self.lane_operand(inst.args[0], lanes);
        let value = self.b.ins().splat(lanes, lane);
        self.def_vector(inst.results[0], value);
    }

    /// A scalar from a lane; `extend` makes an i32 of a narrow one.
    pub(super) fn extract_lane(
        &mut self,
        inst: &InstData,
        extend: impl FnOnce(&mut FunctionBuilder<'_>, Value) -> Value,
    ) {
        let x = self.vector(inst.args[0], lanes(inst.op));
        let lane = self.b.ins().extractlane(x, lane_of(inst));
        let value = extend(&mut self.b, lane);
        self.def(inst.results[0], value);
    }

    /// One lane from a scalar.
    pub(super) fn replace_lane(&mut self, inst: &InstData) {
        let lanes = lanes(inst.op);
        let x = self.vector(inst.args[0], lanes);
        let lane = self.lane_operand(inst.args[1], lanes);
        let value = self.b.ins().insertlane(x, lane, lane_of(inst));
        self.def_vector(inst.results[0], value);
    }

    /// Bytes of two vectors, chosen by the immediate.
    pub(super) fn shuffle(&mut self, inst: &InstData) {
        let Imm::Shuffle(bytes) = inst.imm else {
            unreachable!("the verifier gives a shuffle its bytes")
        };
        let bytes = self.b.func.dfg.immediates.push(bytes[..].into());
        self.vector_binary(inst, |b, x, y| b.ins().shuffle(x, y, bytes));
    }
}
