//! Locals.

use super::Translator;
use super::stack::{Operand, Place};
use crate::error::Error;
use cupola_ir::Reg;

impl Translator<'_> {
    pub(super) fn local_get(&mut self, local: u32) -> Result<(), Error> {
        let ty = self.emit.func.regs[Reg::from_u32(local)];
        let place = if self.uninit[local as usize] { Place::Const(0) } else { Place::Local(local) };
        self.stack.push(Operand { place, ty });
        Ok(())
    }

    pub(super) fn local_set(&mut self, local: u32) -> Result<(), Error> {
        let value = self.stack.pop();
        self.assign_local(local, value);
        Ok(())
    }

    pub(super) fn local_tee(&mut self, local: u32) -> Result<(), Error> {
        let value = self.stack.pop();
        let retargeted = self.assign_local(local, value);
        let place = if retargeted { Place::Local(local) } else { value.place };
        self.stack.push(Operand { place, ty: value.ty });
        Ok(())
    }

    /// Assigns a value that was popped. Gives whether it is in the local and nowhere else.
    fn assign_local(&mut self, local: u32, value: Operand) -> bool {
        if value.place == Place::Local(local) {
            return false;
        }
        let saved = self.stack.save_local(&mut self.emit, local);
        self.uninit[local as usize] = false;
        let dest = Reg::from_u32(local);
        match value.place {
            Place::Const(bits) => self.emit.constant_to(dest, bits),
            Place::Local(other) => self.emit.copy(dest, Reg::from_u32(other)),
            Place::Reg(reg) => {
                // An entry that was saved has to be saved before the instruction assigns.
                if !saved && self.emit.retarget_last(reg, dest) {
                    return true;
                }
                self.emit.copy(dest, reg);
            }
        }
        false
    }

    /// Gives the locals that hold zero by default that value, where control flow begins.
    pub(super) fn end_straight(&mut self) {
        if !std::mem::take(&mut self.straight) {
            return;
        }
        for local in 0..self.uninit.len() {
            if std::mem::take(&mut self.uninit[local]) {
                self.emit.constant_to(Reg::from_u32(local as u32), 0);
            }
        }
    }
}
