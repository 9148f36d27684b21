//! Branches, returns and traps.
//!
//! Back edges that have something to do (counting, fuel) get a block of their own, unless the
//! branch is unconditional.

use super::{Lower, cl_trap, vector};
use cranelift_codegen::ir::immediates::{Ieee32, Ieee64};
use cranelift_codegen::ir::{self, BlockArg, BlockCall, InstBuilder, JumpTableData};
use cupola_ir::{Block, InstData, Target, TrapCode, Type};
use smallvec::SmallVec;

type BlockArgs = SmallVec<[BlockArg; 4]>;

impl<'a> Lower<'a, '_> {
    /// Computes the place of each block in the layout that the function asks for.
    pub(super) fn index_layout(&mut self) {
        if !self.code.layout.is_empty() {
            self.t.layout_index.resize(self.code.blocks.len(), u32::MAX);
            for (i, block) in self.code.layout.iter().enumerate() {
                self.t.layout_index[block.as_u32() as usize] = i as u32;
            }
        }
    }

    fn layout_index(&self, block: Block) -> u32 {
        let index = self.t.layout_index.get(block.as_u32() as usize).copied();
        index.unwrap_or(block.as_u32())
    }

    fn block_args(&mut self, target: &Target) -> BlockArgs {
        target.args.iter().map(|&reg| BlockArg::Value(self.value(reg))).collect()
    }

    fn is_back_edge(&self, target: &Target) -> bool {
        self.cfg.is_back_edge(self.current, target.block)
    }

    /// Where a branch to `target` goes, by way of a new block if it has something to do.
    fn edge(&mut self, target: &'a Target) -> (ir::Block, BlockArgs) {
        if self.weaves_fuel() && self.is_back_edge(target) {
            let edge = self.b.create_block();
            self.edges.push((edge, target));
            (edge, BlockArgs::new())
        } else {
            (self.block(target.block), self.block_args(target))
        }
    }

    /// Fills the blocks on back edges that the block's terminator needed.
    pub(super) fn fill_edges(&mut self) {
        while let Some((edge, target)) = self.edges.pop() {
            self.start_sealed(edge);
            self.back_edge(target);
        }
    }

    pub(super) fn jump(&mut self, target: &Target) {
        let args = self.block_args(target);
        let block = self.block(target.block);
        self.b.ins().jump(block, &args);
    }

    pub(super) fn br(&mut self, inst: &'a InstData) {
        let target = &inst.targets[0];
        if self.weaves_fuel() && self.is_back_edge(target) {
            self.back_edge(target);
        } else {
            self.jump(target);
        }
    }

    pub(super) fn br_if(&mut self, inst: &'a InstData) {
        let [then, otherwise] = &*inst.targets else {
            unreachable!("the verifier gives a conditional branch two targets")
        };
        let mut condition = self.condition(inst.args[0]);
        let (mut first, mut second) = (self.edge(then), self.edge(otherwise));
        // Cranelift places the second successor next, so that has to be the one that the layout
        // has next. The order of back edges does not matter to it.
        if self.layout_index(then.block) < self.layout_index(otherwise.block)
            && !self.is_back_edge(then)
            && !self.is_back_edge(otherwise)
        {
            condition = self.negated(condition);
            std::mem::swap(&mut first, &mut second);
        }
        self.b.ins().brif(condition, first.0, &first.1, second.0, &second.1);
    }

    pub(super) fn br_table(&mut self, inst: &'a InstData) {
        let index = self.value(inst.args[0]);
        let mut calls: SmallVec<[BlockCall; 8]> = SmallVec::new();
        for target in &inst.targets {
            let (block, args) = self.edge(target);
            calls.push(self.b.func.dfg.block_call(block, &args));
        }
        let Some((default, table)) = calls.split_last() else {
            unreachable!("the verifier gives a branch table a default")
        };
        let table = self.b.create_jump_table(JumpTableData::new(*default, table));
        self.b.ins().br_table(index, table);
    }

    pub(super) fn return_(&mut self, inst: &InstData) {
        match self.area {
            Some(area) => {
                self.store_slots(&inst.args, area);
                self.b.ins().return_(&[]);
            }
            None => {
                let values: SmallVec<[_; 4]> = inst.args.iter().map(|&r| self.value(r)).collect();
                self.b.ins().return_(&values);
            }
        }
    }

    pub(super) fn trap(&mut self, code: TrapCode) {
        self.b.ins().trap(cl_trap(code));
    }

    pub(super) fn trap_if(&mut self, inst: &InstData, code: TrapCode) {
        let condition = self.condition(inst.args[0]);
        self.b.ins().trapnz(condition, cl_trap(code));
    }

    pub(super) fn select(&mut self, inst: &InstData) {
        let condition = self.condition(inst.args[0]);
        let (then, otherwise) = (self.value(inst.args[1]), self.value(inst.args[2]));
        let value = self.b.ins().select(condition, then, otherwise);
        self.def(inst.results[0], value);
    }

    pub(super) fn constant(&mut self, inst: &InstData) {
        let Some(bits) = inst.imm.constant_bits() else {
            unreachable!("the verifier gives a constant its bits")
        };
        let value = match self.ty(inst.results[0]) {
            Type::I32 => self.b.ins().iconst(ir::types::I32, i64::from(bits as u32)),
            Type::I64 | Type::FuncRef | Type::ExternRef => {
                self.b.ins().iconst(ir::types::I64, bits as i64)
            }
            Type::F32 => self.b.ins().f32const(Ieee32::with_bits(bits as u32)),
            Type::F64 => self.b.ins().f64const(Ieee64::with_bits(bits as u64)),
            Type::V128 => vector::constant(&mut self.b, ir::types::I8X16, bits.to_le_bytes()),
        };
        self.def(inst.results[0], value);
    }
}
