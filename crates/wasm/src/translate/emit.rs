//! Emission: registers, constants, and instructions into the current block.
//!
//! Registers of the operand stack are fixed by height and type: a *temporary* holds what an
//! instruction left at that height, a *merge register* what all ways to a label leave there. So
//! frames stay small however long the function is, and moves to a label, done from the bottom up,
//! never overwrite what a later one reads (a source stands at least as high as its destination).
//! Constants get a register for each block, assigned once, which T0 turns into immediates.

use cupola_ir::{
    Block, BlockData, Form, Function, Imm, Inst, InstData, Op, Reg, Signature, SrcLoc, Target, Type,
};
use rustc_hash::FxHashMap;

/// Above this many registers, constants are put into temporaries, so that frames stay bounded.
const MANY_REGISTERS: usize = 2048;

/// There is room from the start for one instruction for each so many bytes of code, so that the
/// list of a large function is not copied as it grows.
const BYTES_PER_INST: usize = 3;

/// How many types there are.
const TYPES: usize = Type::ALL.len() + Type::REFERENCES.len();

/// Registers by the height that they stand for, and their type.
#[derive(Default)]
struct ByHeight(Vec<[Option<Reg>; TYPES]>);

impl ByHeight {
    fn of(&mut self, height: usize, ty: Type) -> &mut Option<Reg> {
        if self.0.len() <= height {
            self.0.resize(height + 1, [None; TYPES]);
        }
        &mut self.0[height][ty as usize]
    }
}

/// The function as far as it was emitted.
pub(super) struct Emitter {
    pub func: Function,
    block: Block,
    /// The instructions of the current block, which gets them when it is left.
    insts: Vec<Inst>,
    pub loc: SrcLoc,
    temps: ByHeight,
    merges: ByHeight,
    /// Constants that the current block has in registers.
    constants: FxHashMap<(Type, u64), Reg>,
}

impl Emitter {
    /// A function with its entry block, of code of so many bytes. Locals become the registers
    /// behind the parameters.
    pub fn new(sig: Signature, locals: &[Type], bytes: usize) -> Emitter {
        let mut func = Function::new(Form::Register, sig);
        func.insts.reserve(bytes / BYTES_PER_INST);
        for &ty in locals {
            func.regs.push(ty);
        }
        let block = func.blocks.push(BlockData::default());
        Emitter {
            func,
            block,
            insts: Vec::new(),
            loc: SrcLoc::UNKNOWN,
            temps: ByHeight::default(),
            merges: ByHeight::default(),
            constants: FxHashMap::default(),
        }
    }

    pub fn new_block(&mut self) -> Block {
        self.func.blocks.push(BlockData::default())
    }

    pub fn switch_to(&mut self, block: Block) {
        self.end_block();
        self.block = block;
        self.constants.clear();
    }

    fn end_block(&mut self) {
        self.func.blocks[self.block].insts.extend_from_slice(&self.insts);
        self.insts.clear();
    }

    /// The function, once all was emitted.
    pub fn finish(mut self) -> Function {
        self.end_block();
        self.func.insts.shrink_to_fit();
        self.func
    }

    pub fn push(&mut self, mut inst: InstData) {
        inst.loc = self.loc;
        self.insts.push(self.func.insts.push(inst));
    }

    /// The register of what an instruction leaves at `height`.
    pub fn temp(&mut self, height: usize, ty: Type) -> Reg {
        let regs = &mut self.func.regs;
        *self.temps.of(height, ty).get_or_insert_with(|| regs.push(ty))
    }

    /// The register of what all ways to a label leave at `height`.
    pub fn merge(&mut self, height: usize, ty: Type) -> Reg {
        let regs = &mut self.func.regs;
        *self.merges.of(height, ty).get_or_insert_with(|| regs.push(ty))
    }

    /// A register that holds a constant, which stands at `height`.
    pub fn constant(&mut self, ty: Type, bits: u64, height: usize) -> Reg {
        if let Some(&reg) = self.constants.get(&(ty, bits)) {
            return reg;
        }
        let reg = if self.func.regs.len() < MANY_REGISTERS {
            let reg = self.func.regs.push(ty);
            self.constants.insert((ty, bits), reg);
            reg
        } else {
            self.temp(height, ty)
        };
        self.constant_to(reg, bits);
        reg
    }

    pub fn constant_to(&mut self, dest: Reg, bits: u64) {
        let ty = self.func.regs[dest];
        let imm = Imm::constant(ty, bits.into());
        self.push(InstData::new(Op::const_of(ty), &[], &[dest]).with_imm(imm));
    }

    pub fn copy(&mut self, dest: Reg, src: Reg) {
        self.push(InstData::new(Op::Copy, &[src], &[dest]));
    }

    pub fn br(&mut self, target: Block) {
        self.push(InstData::new(Op::Br, &[], &[]).with_targets(vec![Target::new(target)]));
    }

    pub fn br_if(&mut self, cond: Reg, then: Block, otherwise: Block) {
        let targets = vec![Target::new(then), Target::new(otherwise)];
        self.push(InstData::new(Op::BrIf, &[cond], &[]).with_targets(targets));
    }

    /// Lets the last instruction leave its result `from`, which nothing else reads, in `to`
    /// instead. Gives whether that was possible.
    pub fn retarget_last(&mut self, from: Reg, to: Reg) -> bool {
        let Some(&last) = self.insts.last() else { return false };
        let results = &mut self.func.insts[last].results;
        if results.contains(&to) {
            return false;
        }
        match results.iter_mut().find(|reg| **reg == from) {
            Some(reg) => *reg = to,
            None => return false,
        }
        true
    }
}
