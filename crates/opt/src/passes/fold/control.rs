//! Rules for what depends on a condition: selects, branches, conditional traps and
//! deoptimizations.

use super::{Fold, Simplified};
use cupola_ir::{Inst, Op, Type};

impl Fold<'_> {
    pub(super) fn select(&mut self, inst: Inst) -> Simplified {
        let data = &self.func.insts[inst];
        let (cond, then, otherwise) = (data.args[0], data.args[1], data.args[2]);
        if then == otherwise {
            return Simplified::Value(then);
        }
        if let Some(cond) = self.constant_of(cond) {
            return Simplified::Value(if cond as u32 != 0 { then } else { otherwise });
        }
        if let Some((cond, negated)) = self.strip_condition(cond) {
            let args = &mut self.func.insts[inst].args;
            args[0] = cond;
            if negated {
                args.swap(1, 2);
            }
            return Simplified::Again;
        }
        if self.func.regs[then] == Type::I32 && self.is_truth_value(cond) {
            match (self.constant_of(then), self.constant_of(otherwise)) {
                (Some(1), Some(0)) => return Simplified::Value(cond),
                (Some(0), Some(1)) => return self.rewrite(inst, Op::I32Eqz, &[cond]),
                _ => {}
            }
        }
        Simplified::Keep
    }

    pub(super) fn branch(&mut self, inst: Inst) -> Simplified {
        let data = &self.func.insts[inst];
        let (op, cond) = (data.op, data.args[0]);
        let last = data.targets.len() - 1;
        let constant = self.constant_of(cond).map(|bits| bits as u32);
        let same = data.targets.iter().all(|target| *target == data.targets[0]);
        let taken = match constant {
            _ if same => Some(0),
            Some(index) if op == Op::BrTable => Some((index as usize).min(last)),
            Some(bits) => Some(usize::from(bits == 0)),
            None => None,
        };
        if let Some(taken) = taken {
            self.cut = true;
            let data = &mut self.func.insts[inst];
            data.targets.swap(0, taken);
            data.targets.truncate(1);
            data.op = Op::Br;
            data.args.clear();
            return Simplified::Keep;
        }
        if op == Op::BrTable {
            return Simplified::Keep;
        }
        match self.strip_condition(cond) {
            // The second target of a guard is the one not expected, so it keeps its place.
            Some((_, true)) if op == Op::Guard => Simplified::Keep,
            Some((cond, negated)) => {
                let data = &mut self.func.insts[inst];
                data.args[0] = cond;
                if negated {
                    data.targets.swap(0, 1);
                }
                Simplified::Again
            }
            None => Simplified::Keep,
        }
    }

    pub(super) fn trap_if(&mut self, inst: Inst) -> Simplified {
        let cond = self.func.insts[inst].args[0];
        match self.constant_of(cond) {
            Some(bits) if bits as u32 == 0 => Simplified::Remove,
            Some(_) => {
                self.cut = true;
                let data = &mut self.func.insts[inst];
                data.op = Op::Trap;
                data.args.clear();
                Simplified::Keep
            }
            None => self.strip_positive(inst),
        }
    }

    pub(super) fn deopt_unless(&mut self, inst: Inst) -> Simplified {
        let cond = self.func.insts[inst].args[0];
        match self.constant_of(cond) {
            Some(bits) if bits as u32 != 0 => Simplified::Remove,
            Some(_) => {
                self.cut = true;
                let data = &mut self.func.insts[inst];
                data.op = Op::Deopt;
                data.args.remove(0);
                Simplified::Keep
            }
            None => self.strip_positive(inst),
        }
    }

    /// Takes a comparison with zero off a condition that cannot be negated.
    fn strip_positive(&mut self, inst: Inst) -> Simplified {
        let cond = self.func.insts[inst].args[0];
        match self.strip_condition(cond) {
            Some((cond, false)) => {
                self.func.insts[inst].args[0] = cond;
                Simplified::Again
            }
            _ => Simplified::Keep,
        }
    }
}
