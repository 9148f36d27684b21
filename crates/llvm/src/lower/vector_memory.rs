//! Loads and stores of vectors and of their lanes.

use super::Lower;
use super::vector::Lanes;
use crate::error::Result;
use cupola_ir::InstData;
use inkwell::types::BasicTypeEnum;
use inkwell::values::BasicValueEnum;

impl<'c> Lower<'_, '_, 'c> {
    /// Loads a value of another type than the register's; none if that is always out of bounds,
    /// and the result is defined then.
    fn load_part(
        &mut self,
        inst: &InstData,
        ty: BasicTypeEnum<'c>,
    ) -> Result<Option<BasicValueEnum<'c>>> {
        match self.address(inst)? {
            Some(address) => Ok(Some(self.load_heap(ty, address)?)),
            None => {
                self.out_of_bounds(inst)?;
                Ok(None)
            }
        }
    }

    /// Loads half a vector of these lanes as lanes of twice the size.
    pub(super) fn load_widened(
        &mut self,
        inst: &InstData,
        from: Lanes,
        signed: bool,
    ) -> Result<()> {
        let lane = self.lane_type(from).into_int_type();
        let ty = lane.vec_type(from.count() / 2);
        let Some(value) = self.load_part(inst, ty.into())? else { return Ok(()) };
        let value = value.into_vector_value();
        let wide = self.unit.cx.custom_width_int_type(
            std::num::NonZeroU32::MIN.saturating_add(lane.get_bit_width() * 2 - 1),
        );
        let ty = wide.map_err(crate::error::codegen)?.vec_type(from.count() / 2);
        let value = match signed {
            true => self.b.build_int_s_extend(value, ty, "")?,
            false => self.b.build_int_z_extend(value, ty, "")?,
        };
        self.def_vector(inst.results[0], value)
    }

    /// Loads a lane to all lanes.
    pub(super) fn load_splat(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let Some(lane) = self.load_part(inst, self.lane_type(lanes))? else { return Ok(()) };
        let value = self.splat_of(lanes, lane)?;
        self.def_vector(inst.results[0], value)
    }

    /// Loads the first lane; the others are zero.
    pub(super) fn load_zero(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let Some(lane) = self.load_part(inst, self.lane_type(lanes))? else { return Ok(()) };
        let zeros = self.splat_of(lanes, self.lane_type(lanes).const_zero())?;
        let first = self.unit.types.i32.const_zero();
        let value = self.b.build_insert_element(zeros, lane, first, "")?;
        self.def_vector(inst.results[0], value)
    }

    /// Loads one lane of a vector, the operand behind the address.
    pub(super) fn load_lane(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let vector = self.vector(inst.args[1], lanes)?;
        let Some(lane) = self.load_part(inst, self.lane_type(lanes))? else { return Ok(()) };
        self.with_lane(inst, vector, lane, lanes)
    }

    /// Stores one lane of a vector.
    pub(super) fn store_lane(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        let lane = self.lane(inst, inst.args[1], lanes)?;
        match self.address(inst)? {
            Some(address) => self.store_heap(lane, address),
            None => self.out_of_bounds(inst),
        }
    }
}
