//! Operations on vectors between lanes of one size and lanes of twice the size.

use super::Lower;
use super::vector::{Lanes, Vector};
use crate::error::{Result, codegen};
use cupola_ir::{InstData, Reg};
use inkwell::types::VectorType;

/// Which lanes to widen, and how.
#[derive(Copy, Clone)]
pub(super) enum Half {
    LowSigned,
    LowUnsigned,
    HighSigned,
    HighUnsigned,
}

impl Half {
    const fn is_signed(self) -> bool {
        matches!(self, Half::LowSigned | Half::HighSigned)
    }

    const fn is_high(self) -> bool {
        matches!(self, Half::HighSigned | Half::HighUnsigned)
    }
}

impl<'c> Lower<'_, '_, 'c> {
    /// The lanes of one vector, then of another, clamped and narrowed to half their size.
    pub(super) fn narrow(&mut self, inst: &InstData, from: Lanes, signed: bool) -> Result<()> {
        let [x, y] = [inst.args[0], inst.args[1]].map(|reg| self.vector(reg, from));
        let bits = from.bits() / 2;
        let (low, high) = match signed {
            true => (-1i64 << (bits - 1), (1i64 << (bits - 1)) - 1),
            false => (0, (1i64 << bits) - 1),
        };
        let (low, high) = (self.constant_of(from, low), self.constant_of(from, high));
        let ty = self.vector_type(from).into();
        let clamp = |v: Vector<'c>| -> Result<Vector<'c>> {
            let v = self.call_intrinsic("llvm.smax", &[ty], &[v.into(), low.into()])?;
            let v = self.call_intrinsic("llvm.smin", &[ty], &[v, high.into()])?;
            Ok(v.into_vector_value())
        };
        let all: Vec<u32> = (0..2 * from.count()).collect();
        let wide = self.choose(clamp(x?)?, clamp(y?)?, &all)?;
        let lane = self.unit.cx.custom_width_int_type(
            std::num::NonZeroU32::new(bits).ok_or_else(|| codegen("no bits"))?,
        );
        let ty = lane.map_err(codegen)?.vec_type(2 * from.count());
        let value = self.b.build_int_truncate(wide, ty, "")?;
        self.def_vector(inst.results[0], value)
    }

    /// Some lanes as lanes of twice the size.
    fn widened(
        &self,
        vector: Vector<'c>,
        from: Lanes,
        chosen: &[u32],
        signed: bool,
    ) -> Result<Vector<'c>> {
        let part = self.choose(vector, vector, chosen)?;
        let ty = self.some_lanes(from.wider(), chosen.len() as u32);
        Ok(match signed {
            true => self.b.build_int_s_extend(part, ty, "")?,
            false => self.b.build_int_z_extend(part, ty, "")?,
        })
    }

    fn widened_half(&self, reg: Reg, from: Lanes, half: Half) -> Result<Vector<'c>> {
        let count = from.count() / 2;
        let start = if half.is_high() { count } else { 0 };
        let chosen: Vec<u32> = (start..start + count).collect();
        self.widened(self.vector(reg, from)?, from, &chosen, half.is_signed())
    }

    pub(super) fn widen(&mut self, inst: &InstData, from: Lanes, half: Half) -> Result<()> {
        let value = self.widened_half(inst.args[0], from, half)?;
        self.def_vector(inst.results[0], value)
    }

    pub(super) fn widening_multiply(
        &mut self,
        inst: &InstData,
        from: Lanes,
        half: Half,
    ) -> Result<()> {
        let x = self.widened_half(inst.args[0], from, half)?;
        let y = self.widened_half(inst.args[1], from, half)?;
        let value = self.b.build_int_mul(x, y, "")?;
        self.def_vector(inst.results[0], value)
    }

    /// Lanes with even numbers, or with odd ones, of `count`.
    fn every_second(start: u32, count: u32) -> Vec<u32> {
        (start..count).step_by(2).collect()
    }

    fn pair_sums(&self, vector: Vector<'c>, from: Lanes, signed: bool) -> Result<Vector<'c>> {
        let [even, odd] = [0, 1].map(|start| {
            self.widened(vector, from, &Self::every_second(start, from.count()), signed)
        });
        Ok(self.b.build_int_add(even?, odd?, "")?)
    }

    pub(super) fn add_pairs(&mut self, inst: &InstData, from: Lanes, signed: bool) -> Result<()> {
        let value = self.pair_sums(self.vector(inst.args[0], from)?, from, signed)?;
        self.def_vector(inst.results[0], value)
    }

    /// Sums of two products each.
    fn dot_product(&self, inst: &InstData, from: Lanes) -> Result<Vector<'c>> {
        let all: Vec<u32> = (0..from.count()).collect();
        let [x, y] = [inst.args[0], inst.args[1]]
            .map(|reg| self.widened(self.vector(reg, from)?, from, &all, true));
        let products = self.b.build_int_mul(x?, y?, "")?;
        let [even, odd] = [0, 1]
            .map(|start| self.choose(products, products, &Self::every_second(start, from.count())));
        Ok(self.b.build_int_add(even?, odd?, "")?)
    }

    pub(super) fn dot(&mut self, inst: &InstData, from: Lanes) -> Result<()> {
        let value = self.dot_product(inst, from)?;
        self.def_vector(inst.results[0], value)
    }

    pub(super) fn dot_add(&mut self, inst: &InstData) -> Result<()> {
        let products = self.dot_product(inst, Lanes::I8x16)?;
        let sums = self.pair_sums(products, Lanes::I16x8, true)?;
        let value = self.b.build_int_add(sums, self.vector(inst.args[2], Lanes::I32x4)?, "")?;
        self.def_vector(inst.results[0], value)
    }

    /// Two vectors as lanes of twice the size, all of them; `op` on these; and back.
    fn in_wider(
        &mut self,
        inst: &InstData,
        lanes: Lanes,
        signed: bool,
        op: impl FnOnce(&Self, Vector<'c>, Vector<'c>) -> Result<Vector<'c>>,
    ) -> Result<()> {
        let all: Vec<u32> = (0..lanes.count()).collect();
        let [x, y] = [inst.args[0], inst.args[1]]
            .map(|reg| self.widened(self.vector(reg, lanes)?, lanes, &all, signed));
        let value = op(self, x?, y?)?;
        let value = self.b.build_int_truncate(value, self.vector_type(lanes), "")?;
        self.def_vector(inst.results[0], value)
    }

    /// As many lanes of twice the size, all with this value.
    fn wide_constant(&self, lanes: Lanes, value: i64) -> Vector<'c> {
        let ty = self.lane_type(lanes.wider()).into_int_type();
        let lane = ty.const_int(value as u64, true);
        VectorType::const_vector(&vec![lane; lanes.count() as usize])
    }

    /// The mean, rounded up.
    pub(super) fn average(&mut self, inst: &InstData, lanes: Lanes) -> Result<()> {
        self.in_wider(inst, lanes, false, |this, x, y| {
            let one = this.wide_constant(lanes, 1);
            let sum = this.b.build_int_add(x, y, "")?;
            let sum = this.b.build_int_add(sum, one, "")?;
            Ok(this.b.build_right_shift(sum, one, false, "")?)
        })
    }

    /// Products of numbers with 15 bits of fraction, rounded and saturated.
    pub(super) fn q15_multiply(&mut self, inst: &InstData) -> Result<()> {
        let lanes = Lanes::I16x8;
        self.in_wider(inst, lanes, true, |this, x, y| {
            let product = this.b.build_int_mul(x, y, "")?;
            let half = this.wide_constant(lanes, 1 << 14);
            let sum = this.b.build_int_add(product, half, "")?;
            let shifted = this.b.build_right_shift(sum, this.wide_constant(lanes, 15), true, "")?;
            let greatest = this.wide_constant(lanes, i64::from(i16::MAX));
            let ty = shifted.get_type().into();
            let args = [shifted.into(), greatest.into()];
            Ok(this.call_intrinsic("llvm.smin", &[ty], &args)?.into_vector_value())
        })
    }
}
