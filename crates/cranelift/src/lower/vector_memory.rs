//! Loads and stores of vectors and of their lanes.

use super::Lower;
use super::vector::lane_of;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value};
use cranelift_frontend::FunctionBuilder;
use cupola_ir::InstData;

impl Lower<'_, '_> {
    /// A load that `op` does, given flags, address and constant offset.
    pub(super) fn vector_load(
        &mut self,
        inst: &InstData,
        op: impl FnOnce(&mut FunctionBuilder<'_>, MemFlagsData, Value, i32) -> Value,
    ) {
        let Some((flags, address, offset)) = self.address(inst) else {
            return self.unreachable(inst);
        };
        let value = op(&mut self.b, flags, address, offset);
        self.def_vector(inst.results[0], value);
    }

    /// Loads a lane to all lanes of a vector of this type.
    pub(super) fn load_splat(&mut self, inst: &InstData, lanes: ir::Type) {
        self.vector_load(inst, |b, flags, address, offset| {
            let lane = b.ins().load(lanes.lane_type(), flags, address, offset);
            b.ins().splat(lanes, lane)
        });
    }

    /// Loads the first lane of a vector of this type; the others are zero.
    pub(super) fn load_zero(&mut self, inst: &InstData, lanes: ir::Type) {
        self.vector_load(inst, |b, flags, address, offset| {
            let lane = b.ins().load(lanes.lane_type(), flags, address, offset);
            b.ins().scalar_to_vector(lanes, lane)
        });
    }

    /// Loads one lane of a vector of this type, the operand behind the address.
    pub(super) fn load_lane(&mut self, inst: &InstData, lanes: ir::Type) {
        let vector = self.vector(inst.args[1], lanes);
        self.vector_load(inst, |b, flags, address, offset| {
            let lane = b.ins().load(lanes.lane_type(), flags, address, offset);
            b.ins().insertlane(vector, lane, lane_of(inst))
        });
    }

    /// Stores one lane of a vector of this type.
    pub(super) fn store_lane(&mut self, inst: &InstData, lanes: ir::Type) {
        let vector = self.vector(inst.args[1], lanes);
        let Some((flags, address, offset)) = self.address(inst) else {
            return self.unreachable(inst);
        };
        let lane = self.b.ins().extractlane(vector, lane_of(inst));
        self.b.ins().store(flags, lane, address, offset);
    }
}
