//! The operand stack, symbolically: constants and locals are pushed without emitting anything.
//!
//! A local on the stack stands for its value at the time it was pushed, so before a local is
//! assigned, and before control flow that may assign it on one way only, such entries are saved to
//! temporaries.

use super::emit::Emitter;
use cupola_ir::{Reg, Type};
use smallvec::SmallVec;

/// Where an operand is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Const(u64),
    /// In a local, whose register has its index.
    Local(u32),
    /// In a temporary or merge register of its height.
    Reg(Reg),
}

/// An operand.
#[derive(Copy, Clone, Debug)]
pub(super) struct Operand {
    pub place: Place,
    pub ty: Type,
}

/// The operand stack.
pub(super) struct Stack {
    entries: Vec<Operand>,
    /// For each local, how often it stands on the stack.
    of_local: Vec<u32>,
}

impl Stack {
    pub fn new(locals: usize) -> Stack {
        Stack { entries: Vec::new(), of_local: vec![0; locals] }
    }

    pub fn height(&self) -> usize {
        self.entries.len()
    }

    pub fn push(&mut self, operand: Operand) {
        if let Place::Local(local) = operand.place {
            self.of_local[local as usize] += 1;
        }
        self.entries.push(operand);
    }

    /// Validation has seen to it that there is an operand.
    pub fn pop(&mut self) -> Operand {
        let operand = self.entries.pop().expect("validated code has its operands");
        if let Place::Local(local) = operand.place {
            self.of_local[local as usize] -= 1;
        }
        operand
    }

    pub fn truncate(&mut self, height: usize) {
        while self.entries.len() > height {
            self.pop();
        }
    }

    pub fn top(&self, count: usize) -> SmallVec<[Operand; 4]> {
        SmallVec::from_slice(&self.entries[self.entries.len() - count..])
    }

    /// Pushes the result of an instruction; gives the register that has to take it.
    pub fn push_temp(&mut self, emit: &mut Emitter, ty: Type) -> Reg {
        let reg = emit.temp(self.height(), ty);
        self.push(Operand { place: Place::Reg(reg), ty });
        reg
    }

    /// Pushes what is left at a label.
    pub fn push_merge(&mut self, emit: &mut Emitter, ty: Type) {
        let reg = emit.merge(self.height(), ty);
        self.push(Operand { place: Place::Reg(reg), ty });
    }

    /// Pops an operand into a register.
    pub fn pop_reg(&mut self, emit: &mut Emitter) -> Reg {
        let operand = self.pop();
        reg_of(emit, operand, self.height())
    }

    /// Pops operands into registers, in the order in which they were pushed.
    pub fn pop_regs(&mut self, emit: &mut Emitter, count: usize) -> SmallVec<[Reg; 6]> {
        let base = self.height() - count;
        let mut regs = SmallVec::new();
        for (height, operand) in self.entries.drain(base..).enumerate() {
            if let Place::Local(local) = operand.place {
                self.of_local[local as usize] -= 1;
            }
            regs.push(reg_of(emit, operand, base + height));
        }
        regs
    }

    /// Saves the entries that stand for a local. Gives whether there were any.
    pub fn save_local(&mut self, emit: &mut Emitter, local: u32) -> bool {
        if self.of_local[local as usize] == 0 {
            return false;
        }
        self.save(emit, |of| of == local);
        true
    }

    /// Saves all entries that stand for locals.
    pub fn save_locals(&mut self, emit: &mut Emitter) {
        self.save(emit, |_| true);
    }

    fn save(&mut self, emit: &mut Emitter, which: impl Fn(u32) -> bool) {
        for (height, entry) in self.entries.iter_mut().enumerate() {
            if let Place::Local(local) = entry.place
                && which(local)
            {
                let temp = emit.temp(height, entry.ty);
                emit.copy(temp, Reg::from_u32(local));
                entry.place = Place::Reg(temp);
                self.of_local[local as usize] -= 1;
            }
        }
    }
}

/// The register of an operand that stands, or stood, at `height`.
pub(super) fn reg_of(emit: &mut Emitter, operand: Operand, height: usize) -> Reg {
    match operand.place {
        Place::Const(bits) => emit.constant(operand.ty, bits, height),
        Place::Local(local) => Reg::from_u32(local),
        Place::Reg(reg) => reg,
    }
}

/// Register types of values.
pub(super) fn registers(types: &[Type]) -> SmallVec<[Type; 4]> {
    SmallVec::from_slice(types)
}
