//! Vector instructions with immediates: constants, shuffles, lanes.

use super::Translator;
use super::numeric::{lane_op, load_lane_op, store_lane_op};
use crate::error::Error;
use cupola_ir::{Imm, Op, Type};
use wasmparser::Operator;

impl Translator<'_> {
    /// Translates such an instruction. Gives whether it was one.
    pub(super) fn vector(&mut self, op: &Operator<'_>) -> Result<bool, Error> {
        if let Some((op, lane)) = lane_op(op) {
            let (params, result) = op.pure_signature().expect("the table has pure opcodes");
            let args = self.stack.pop_regs(&mut self.emit, params.len());
            self.finish(op, &args, Imm::Lane(lane), &[result])?;
        } else if let Some((load, memarg, lane)) = load_lane_op(op) {
            let args = self.stack.pop_regs(&mut self.emit, 2);
            let imm = Imm::MemLane(super::mem_arg(memarg), lane);
            self.finish(load, &args, imm, &[Type::V128])?;
        } else if let Some((store, memarg, lane)) = store_lane_op(op) {
            let args = self.stack.pop_regs(&mut self.emit, 2);
            let imm = Imm::MemLane(super::mem_arg(memarg), lane);
            self.finish(store, &args, imm, &[])?;
        } else {
            match op {
                Operator::V128Const { value } => {
                    self.finish(Op::V128Const, &[], Imm::V128(*value.bytes()), &[Type::V128])?;
                }
                Operator::I8x16Shuffle { lanes } => {
                    let args = self.stack.pop_regs(&mut self.emit, 2);
                    self.finish(Op::I8x16Shuffle, &args, Imm::Shuffle(*lanes), &[Type::V128])?;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }
}
