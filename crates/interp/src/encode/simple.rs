//! Instructions within a block.

use super::Encoder;
use super::emit::slots_from;
use crate::dispatch::Handler;
use crate::handlers::{self, call, plain, services};
use cupola_ir::{Effects, Format, Imm, Inst, MemArg, Op, Reg, SigId, Type};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{FuncCell, Place};
use smallvec::SmallVec;

/// Operands as they are written: registers' slots, then maybe a constant.
pub(super) struct Operands {
    pub slots: SmallVec<[u32; 4]>,
    pub imm: Option<(u128, Type)>,
}

impl Encoder<'_> {
    /// Encodes an instruction that neither ends a block nor is a constant or a copy. `dest` takes
    /// the result, if there is one result.
    pub(super) fn simple(&mut self, inst: Inst, dest: Option<Reg>) {
        let body = self.body;
        let data = &body.insts[inst];
        let dest = dest.map_or(0, |reg| self.slot(reg));
        match (data.op.format(), data.imm) {
            (Format::Pure, _) => self.pure(inst, dest),
            (Format::Lane, Imm::Lane(lane)) => {
                let Some(handler) = handlers::lane_op(data.op) else { return };
                let args = self.read_all(&data.args);
                self.begin(inst, handler);
                self.word(dest);
                self.words.extend(args);
                self.word(lane.into());
            }
            (Format::Shuffle, Imm::Shuffle(lanes)) => {
                let args = self.read_all(&data.args);
                self.begin(inst, plain::i8x16_shuffle);
                self.word(dest);
                self.words.extend(args);
                self.vector(u128::from_le_bytes(lanes));
            }
            (Format::Load, Imm::Mem(mem)) => self.access(inst, mem, dest),
            (Format::Store, Imm::Mem(mem)) => {
                let value = self.read(data.args[1]);
                self.access(inst, mem, value);
            }
            (Format::LoadLane, Imm::MemLane(mem, lane)) => {
                let vector = self.read(data.args[1]);
                self.access(inst, mem, dest);
                self.words.extend([vector, lane.into()]);
            }
            (Format::StoreLane, Imm::MemLane(mem, lane)) => {
                let vector = self.read(data.args[1]);
                self.access(inst, mem, vector);
                self.word(lane.into());
            }
            (Format::Select, _) => {
                let args = [data.args[0], data.args[1], data.args[2]].map(|reg| self.read(reg));
                let is_vector = self.is_vector(data.args[1]);
                self.begin(inst, if is_vector { plain::select128 } else { plain::select });
                self.word(dest);
                self.words.extend(args);
            }
            (Format::MemorySize, Imm::Memory(memory)) => {
                let offset = self.context.memory(memory).to_word();
                self.state(inst, plain::memory_size, dest, offset);
            }
            (Format::MemoryBase, Imm::Memory(memory)) => {
                let offset = self.context.memory(memory).to_word();
                self.state(inst, plain::memory_base, dest, offset);
            }
            (Format::MemoryLen, Imm::Memory(memory)) => {
                let offset = self.context.memory(memory).to_word();
                self.state(inst, plain::memory_len, dest, offset);
            }
            (Format::MemoryGrow, Imm::Memory(memory)) => {
                let pages = self.read(data.args[0]);
                self.begin(inst, services::memory_grow);
                let memory64 = self.module.memories[memory].memory64;
                self.words.extend([dest, pages, memory.as_u32(), u32::from(memory64)]);
            }
            (Format::GlobalGet, Imm::Global(global)) => {
                let place = self.context.global(global);
                if self.is_vector(data.results[0]) {
                    return self.state(inst, plain::global_get128, dest, place.to_word());
                }
                let handler: Handler = match place {
                    Place::Inline(_) => plain::global_get,
                    Place::Pointer(_) => plain::shared_global_get,
                };
                self.state(inst, handler, dest, place.offset());
            }
            (Format::GlobalSet, Imm::Global(global)) => {
                let (value, place) = (self.read(data.args[0]), self.context.global(global));
                if self.is_vector(data.args[0]) {
                    return self.state(inst, plain::global_set128, value, place.to_word());
                }
                let handler: Handler = match place {
                    Place::Inline(_) => plain::global_set,
                    Place::Pointer(_) => plain::shared_global_set,
                };
                self.state(inst, handler, value, place.offset());
            }
            (Format::TrapIf, Imm::Trap(code)) => {
                let cond = self.read(data.args[0]);
                self.state(inst, plain::trap_if, cond, code as u32);
            }
            (Format::Call, Imm::Func(func)) => self.call(inst, func, dest),
            (Format::CallIndirect, Imm::Indirect(..)) => self.call_indirect(inst, dest),
            (Format::TableGet, Imm::Table(table)) => {
                let index = self.read(data.args[0]);
                let place = self.context.table(table).to_word();
                self.begin(inst, plain::table_get);
                self.words.extend([dest, place, index]);
            }
            (Format::TableHolds, Imm::TableFunc(table, func)) => {
                let index = self.read(data.args[0]);
                let place = self.context.table(table).to_word();
                self.begin(inst, plain::table_holds);
                self.words.extend([dest, place, index, func.as_u32()]);
            }
            (Format::CallRef, Imm::Sig(sig)) => self.call_ref(inst, sig, dest),
            (Format::Dialect, Imm::Dialect(..)) => self.dialect(inst, dest),
            // Verified register form has nothing else.
            _ => debug_assert!(false, "{} in register form", data.op),
        }
    }

    /// Starts an instruction of the program: from here on it can be resumed at, and is found in
    /// backtraces.
    pub(super) fn begin(&mut self, inst: Inst, handler: crate::dispatch::Handler) {
        self.starts[inst.as_u32() as usize] = self.words.len() as u32;
        let data = self.data(inst);
        if data.op.effects().intersects(Effects::TRAPS | Effects::CALLS) {
            self.place(data.loc);
        }
        self.handler(handler);
    }

    fn state(&mut self, inst: Inst, handler: crate::dispatch::Handler, slot: u32, word: u32) {
        self.begin(inst, handler);
        self.words.extend([slot, word]);
    }

    /// Puts the operands of a pure instruction in the order in which a constant can be the last,
    /// and reads them.
    pub(super) fn operands(&mut self, inst: Inst) -> Operands {
        let mut args: SmallVec<[Reg; 4]> = SmallVec::from_slice(&self.data(inst).args);
        let op = self.data(inst).op;
        if op.is_commutative() && args.len() == 2 && self.known(args[1]).is_none() {
            args.swap(0, 1);
        }
        let mut imm = None;
        if let (Some((params, _)), Some(&last)) = (op.pure_signature(), args.last())
            && let Some(bits) = self.known(last)
        {
            imm = Some((bits, params[params.len() - 1]));
            args.pop();
        }
        let mut slots = SmallVec::new();
        for reg in args {
            slots.push(self.read(reg));
        }
        Operands { slots, imm }
    }

    pub(super) fn write_operands(&mut self, operands: &Operands) {
        self.words.extend_from_slice(&operands.slots);
        match operands.imm {
            Some((bits, Type::V128)) => self.vector(bits),
            Some((bits, ty)) if ty.bytes() > 4 => self.double(bits as u64),
            Some((bits, _)) => self.word(bits as u32),
            None => {}
        }
    }

    fn pure(&mut self, inst: Inst, dest: u32) {
        let Some(forms) = handlers::pure_op(self.data(inst).op) else { return };
        let operands = self.operands(inst);
        self.begin(inst, if operands.imm.is_some() { forms.imm } else { forms.regs });
        self.word(dest);
        self.write_operands(&operands);
    }

    /// Encodes a copy, of a register or of a constant that is known.
    pub(super) fn copy(&mut self, inst: Inst) {
        let data = self.data(inst);
        let (src, dest) = (data.args[0], data.results[0]);
        if let Some(bits) = self.known(src) {
            return self.define_constant(dest, bits);
        }
        let src = self.read(src);
        self.begin(inst, if self.is_vector(dest) { plain::copy128 } else { plain::copy });
        let dest_slot = self.slot(dest);
        self.words.extend([dest_slot, src]);
        self.forget(dest);
    }

    fn access(&mut self, inst: Inst, mem: MemArg, value: u32) {
        let data = self.data(inst);
        let (op, address) = (data.op, data.args[0]);
        let (Some(forms), Some((_, size))) = (handlers::memory_op(op), op.access()) else { return };
        let address = self.read(address);
        let near_offset = u32::try_from(mem.offset).ok().and_then(|o| o.checked_add(size));
        let memory64 = !op.is_raw() && self.module.memories[mem.memory].memory64;
        match near_offset {
            _ if op.is_raw() => {
                self.begin(inst, forms.raw);
                self.words.extend([value, address, mem.offset as u32]);
            }
            Some(offset) if mem.memory.as_u32() == 0 && !memory64 => {
                self.begin(inst, forms.near);
                self.words.extend([value, address, offset]);
            }
            _ => {
                self.begin(inst, forms.far);
                self.words.extend([value, address]);
                self.double(mem.offset);
                let memory = self.context.memory(mem.memory).to_word();
                self.word(memory);
            }
        }
    }

    /// The index of a signature among the function's, which is added if it is new.
    fn sig(&mut self, sig: SigId) -> u32 {
        let index = self.sigs.iter().position(|(id, _)| *id == sig).unwrap_or_else(|| {
            self.sigs.push((sig, NativeSig::of(&self.module.sigs[sig])));
            self.sigs.len() - 1
        });
        index as u32
    }

    /// The slots of results; `dest` is the first of a single one.
    fn results(&mut self, inst: Inst, dest: u32) {
        match self.body.insts[inst].results.as_slice() {
            &[reg] => self.words.extend(slots_from(dest, self.body.regs[reg])),
            many => {
                for &reg in many {
                    let slots = self.slots(reg);
                    self.words.extend(slots);
                }
            }
        }
    }

    fn count_slots(&self, regs: &[Reg]) -> usize {
        regs.iter().map(|&reg| self.body.regs[reg].slots() as usize).sum()
    }

    fn outside(&mut self, inst: Inst) {
        let data = self.data(inst);
        let slots = self.count_slots(&data.args).max(self.count_slots(&data.results));
        self.outside_slots = self.outside_slots.max(slots);
    }

    /// The first slot of each register.
    fn read_all(&mut self, regs: &[Reg]) -> SmallVec<[u32; 8]> {
        regs.iter().map(|&reg| self.read(reg)).collect()
    }

    /// All slots of registers.
    fn read_all_slots(&mut self, regs: &[Reg]) -> SmallVec<[u32; 8]> {
        let mut slots = SmallVec::new();
        for &reg in regs {
            slots.extend(self.read_slots(reg));
        }
        slots
    }

    fn is_vector(&self, reg: Reg) -> bool {
        self.body.regs[reg] == Type::V128
    }

    /// The words that all calls have: where the results stand, signature, distance to the callee.
    fn call_head(&mut self, results: usize, sig: SigId) {
        let sig = self.sig(sig);
        let advance = (self.layout.size() as usize + crate::dispatch::HEADER_SLOTS) * 8;
        self.words.extend([results as u32, sig, advance as u32]);
    }

    fn call(&mut self, inst: Inst, func: cupola_ir::FuncId, dest: u32) {
        let module = self.module;
        self.outside(inst);
        let args = self.read_all_slots(&self.body.insts[inst].args);
        let handler = match args.len() {
            _ if module.is_import(func) => services::call_import,
            0 => call::call::<0>,
            1 => call::call::<1>,
            2 => call::call::<2>,
            3 => call::call::<3>,
            4 => call::call::<4>,
            _ => call::call_any,
        };
        self.begin(inst, handler);
        self.call_head(call::ARGS + args.len(), module.funcs[func].sig);
        let callee = match module.is_import(func) {
            true => self.context.import(func),
            false => func.as_u32().wrapping_mul(FuncCell::SIZE),
        };
        self.word(callee);
        self.words.extend(args);
        self.results(inst, dest);
    }

    fn call_indirect(&mut self, inst: Inst, dest: u32) {
        let data = &self.body.insts[inst];
        let Imm::Indirect(sig, table, site) = data.imm else { return };
        let Some((&index, args)) = data.args.split_last() else { return };
        self.outside(inst);
        let args = self.read_all_slots(args);
        let index = self.read(index);
        self.begin(inst, call::call_indirect);
        self.call_head(call::INDIRECT_ARGS + args.len(), sig);
        let (table, sig_id) = (self.context.table(table).to_word(), self.context.sig_id(sig));
        self.words.extend([table, sig_id, index]);
        let site = self.feedback.layout().site_offset(site) as usize;
        self.address(self.feedback.as_ptr() as usize + site);
        self.words.extend(args);
        self.results(inst, dest);
    }

    fn call_ref(&mut self, inst: Inst, sig: SigId, dest: u32) {
        let Some((&reference, args)) = self.body.insts[inst].args.split_last() else { return };
        self.outside(inst);
        let args = self.read_all_slots(args);
        let reference = self.read(reference);
        self.begin(inst, call::call_ref);
        self.call_head(call::REF_ARGS + args.len(), sig);
        self.words.extend([self.context.sig_id(sig), reference]);
        self.words.extend(args);
        self.results(inst, dest);
    }

    fn dialect(&mut self, inst: Inst, dest: u32) {
        let data = &self.body.insts[inst];
        let Imm::Dialect(op, site) = data.imm else { return };
        self.outside(inst);
        let args = self.read_all_slots(&data.args);
        self.begin(inst, services::dialect);
        let results = services::DIALECT_ARGS + args.len();
        let count = self.count_slots(&data.results) as u32;
        self.words.extend([results as u32, count, op.as_u32(), site.as_u32()]);
        self.words.extend(args);
        self.results(inst, dest);
    }
}

/// Whether the operation may be fused with a branch on its result.
pub(super) fn branch_forms(op: Op, imm: bool) -> Option<&'static handlers::BranchForms> {
    handlers::pure_op(op)?.branch.as_ref().map(|forms| &forms[usize::from(imm)])
}
