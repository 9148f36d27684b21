//! Writing words, and what is known about constants on the way.

use super::{Constant, Encoder, Fixup, Label, facts};
use crate::dispatch::Handler;
use crate::handlers::plain;
use cupola_ir::{Reg, SrcLoc, Type};

impl Encoder<'_> {
    /// Starts an instruction.
    pub(super) fn handler(&mut self, handler: Handler) {
        self.address(handler as usize);
    }

    pub(super) fn address(&mut self, address: usize) {
        self.double(address as u64);
    }

    pub(super) fn double(&mut self, value: u64) {
        self.words.extend([value as u32, (value >> 32) as u32]);
    }

    /// The four words of a vector.
    pub(super) fn vector(&mut self, bits: u128) {
        self.double(bits as u64);
        self.double((bits >> 64) as u64);
    }

    pub(super) fn word(&mut self, word: u32) {
        self.words.push(word);
    }

    /// Notes where the instruction that comes next is in the source; for those that may trap.
    pub(super) fn place(&mut self, loc: SrcLoc) {
        self.locs.push((self.words.len() as u32, loc));
    }

    /// The distance from the instruction that starts at `start` to `label`.
    pub(super) fn label(&mut self, start: usize, label: Label) {
        self.fixups.push(Fixup { word: self.words.len(), start, label });
        self.word(0);
    }

    /// The slot of a register that is read from there: a constant that was put off is stored now.
    pub(super) fn read(&mut self, reg: Reg) -> u32 {
        let known = self.constants[facts::index(reg)];
        if known.era == self.era {
            if !known.stored {
                self.store_constant(reg, known.bits);
            }
        } else if let Some(bits) = self.facts.constant(reg)
            && !self.facts.is_stored(self.cfg, reg)
        {
            self.store_constant(reg, bits);
        }
        self.slot(reg)
    }

    /// Both slots of a vector, or the slot of another register, which is read from there.
    pub(super) fn read_slots(&mut self, reg: Reg) -> impl Iterator<Item = u32> + use<> {
        let slot = self.read(reg);
        slots_from(slot, self.body.regs[reg])
    }

    /// The slots of a register.
    pub(super) fn slots(&self, reg: Reg) -> impl Iterator<Item = u32> + use<> {
        slots_from(self.slot(reg), self.body.regs[reg])
    }

    /// The constant that a register holds, if that is known.
    pub(super) fn known(&self, reg: Reg) -> Option<u128> {
        let known = self.constants[facts::index(reg)];
        if known.era == self.era { Some(known.bits) } else { self.facts.constant(reg) }
    }

    /// Assigns a constant: at once if the slot has to hold it later, else when it is needed.
    pub(super) fn define_constant(&mut self, reg: Reg, bits: u128) {
        self.constants[facts::index(reg)] = Constant { bits, era: self.era, stored: false };
        if self.facts.is_stored(self.cfg, reg) {
            self.store_constant(reg, bits);
        }
    }

    fn store_constant(&mut self, reg: Reg, bits: u128) {
        let slot = self.slot(reg);
        if self.body.regs[reg] == Type::V128 {
            self.handler(plain::const128);
            self.word(slot);
            self.vector(bits);
        } else if bits >> 32 == 0 {
            self.handler(plain::const32);
            self.word(slot);
            self.word(bits as u32);
        } else {
            self.handler(plain::const64);
            self.word(slot);
            self.double(bits as u64);
        }
        self.constants[facts::index(reg)] = Constant { bits, era: self.era, stored: true };
    }

    /// A register is assigned something that is not known.
    pub(super) fn forget(&mut self, reg: Reg) {
        self.constants[facts::index(reg)].era = 0;
    }
}

/// The slots of a register of type `ty`, of which the first is `slot`.
pub(super) fn slots_from(slot: u32, ty: Type) -> impl Iterator<Item = u32> + use<> {
    (0..ty.slots()).map(move |i| slot.wrapping_add(i * 8))
}
