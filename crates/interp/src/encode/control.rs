//! The ends of blocks, and stubs.

use super::simple::{self, Operands};
use super::{Encoder, Label, Stub};
use crate::handlers::{BRANCH_IF, BranchForms, branch, call, plain};
use cupola_ir::{Block, Format, Imm, Inst, SrcLoc, Type};
use smallvec::smallvec;

impl Encoder<'_> {
    pub(super) fn terminator(&mut self, block: Block, inst: Inst) {
        let body = self.body;
        let data = &body.insts[inst];
        match data.op.format() {
            Format::Br => self.go_on(block, data.targets[0].block, data.loc),
            Format::BrIf => {
                let operands = Operands { slots: smallvec![self.read(data.args[0])], imm: None };
                self.starts[inst.as_u32() as usize] = self.words.len() as u32;
                self.branch(block, inst, &BRANCH_IF, &operands);
            }
            Format::BrTable => {
                let index = self.read(data.args[0]);
                let start = self.words.len();
                self.begin(inst, branch::br_table);
                self.words.extend([index, data.targets.len() as u32 - 1]);
                for target in &data.targets {
                    let label = self.edge(block, target.block, data.loc);
                    self.label(start, label);
                }
            }
            Format::Return => {
                let mut slots = Vec::with_capacity(data.args.len());
                for &reg in &data.args {
                    slots.extend(self.read_slots(reg));
                }
                match slots.as_slice() {
                    [] => self.begin(inst, call::return_none),
                    &[slot] => {
                        self.begin(inst, call::return_one);
                        self.word(slot);
                    }
                    many => {
                        self.begin(inst, call::return_many);
                        self.word(many.len() as u32);
                        self.words.extend_from_slice(many);
                    }
                }
            }
            Format::Trap => {
                let Imm::Trap(code) = data.imm else { return };
                self.begin(inst, plain::trap);
                self.word(code as u32);
            }
            // Verified register form has nothing else.
            _ => debug_assert!(false, "{} in register form", data.op),
        }
    }

    /// Encodes a comparison and the branch on its result as one.
    pub(super) fn compare_and_branch(&mut self, block: Block, compare: Inst, inst: Inst) {
        let operands = self.operands(compare);
        let op = self.data(compare).op;
        let Some(forms) = simple::branch_forms(op, operands.imm.is_some()) else { return };
        self.starts[compare.as_u32() as usize] = self.words.len() as u32;
        self.branch(block, inst, forms, &operands);
        self.stubs.push(Stub::Branch { inst, block });
    }

    /// Encodes a conditional branch with these operands.
    fn branch(&mut self, block: Block, inst: Inst, forms: &BranchForms, operands: &Operands) {
        let data = &self.body.insts[inst];
        let (then, otherwise) = (data.targets[0].block, data.targets[1].block);
        let back = |to| self.cfg.is_back_edge(block, to);
        let (holds, target, other) = if Some(then) == self.next_block && !back(then) {
            (false, otherwise, then)
        } else {
            (true, then, otherwise)
        };
        let counted = back(target) && !self.fuel;
        let start = self.words.len();
        self.place(data.loc);
        self.handler(forms[usize::from(holds)][usize::from(counted)]);
        self.write_operands(operands);
        if counted {
            self.counted_target(start, target, target);
        } else {
            let label = self.edge(block, target, data.loc);
            self.label(start, label);
        }
        self.go_on(block, other, data.loc);
    }

    /// Goes on in a block: by nothing if its code comes next.
    fn go_on(&mut self, block: Block, to: Block, loc: SrcLoc) {
        if self.cfg.is_back_edge(block, to) {
            self.back_edge(block, to, loc);
        } else if Some(to) != self.next_block {
            let start = self.words.len();
            self.handler(branch::br);
            self.label(start, Label::Block(to));
        }
    }

    fn back_edge(&mut self, from: Block, to: Block, loc: SrcLoc) {
        if self.fuel {
            self.place(loc);
            self.handler(plain::fuel);
        }
        if !self.repeat_header(from, to, loc) {
            self.br_back(to, to, loc);
        }
    }

    fn br_back(&mut self, to: Block, header: Block, loc: SrcLoc) {
        let start = self.words.len();
        self.place(loc);
        self.handler(branch::br_back);
        self.counted_target(start, to, header);
    }

    /// Goes on where a loop header that only compares and branches does, instead of going on at the
    /// header; false if it does more than that.
    ///
    /// Either way counts as an edge to the header. Code for an entry at the header that is gone on
    /// in then compares again, which is all that the header does.
    fn repeat_header(&mut self, from: Block, header: Block, loc: SrcLoc) -> bool {
        let body = self.body;
        let Some((before, &[compare, inst])) = body.blocks[header].insts.split_last_chunk() else {
            return false;
        };
        // Constants that are put off, and are known without the header.
        let put_off = |&inst: &Inst| {
            let data = &body.insts[inst];
            data.op.format() == Format::Const
                && self.facts.constant(data.results[0]).is_some()
                && !self.facts.is_stored(self.cfg, data.results[0])
        };
        let [then, otherwise] = match body.insts[inst].targets.as_slice() {
            [then, otherwise] => [then.block, otherwise.block],
            _ => return false,
        };
        if !before.iter().all(put_off)
            || !self.fuses_branch(header, before.len())
            || [then, otherwise].iter().any(|&to| self.cfg.is_back_edge(header, to))
            || self.feedback.layout().block_offset(header).is_some()
        {
            return false;
        }
        let operands = self.operands(compare);
        let op = self.data(compare).op;
        let Some(forms) = simple::branch_forms(op, operands.imm.is_some()) else { return false };
        // The target within the loop stands between the header and the end of the loop; if both
        // do, it is more often the one further on.
        let place = |to| self.cfg.rpo_index(to).filter(|&i| Some(i) <= self.cfg.rpo_index(from));
        let holds = place(then) > place(otherwise);
        let (target, other) = if holds { (then, otherwise) } else { (otherwise, then) };
        let start = self.words.len();
        self.place(loc);
        self.handler(forms[usize::from(holds)][1]);
        self.write_operands(&operands);
        self.counted_target(start, target, header);
        self.br_back(other, header, loc);
        true
    }

    /// The words of an edge that counts for a loop: distance, counters, number.
    fn counted_target(&mut self, start: usize, to: Block, header: Block) {
        // A block that a back edge leads to is a loop header.
        let Some(id) = self.loops.loop_of(header) else { return };
        self.label(start, Label::Block(to));
        let counters = self.feedback.layout().loop_offset(id) as usize;
        self.address(self.feedback.as_ptr() as usize + counters);
        self.word(id.as_u32());
    }

    /// Where a branch that does not count edges has to lead.
    fn edge(&mut self, from: Block, to: Block, loc: SrcLoc) -> Label {
        if !self.cfg.is_back_edge(from, to) {
            return Label::Block(to);
        }
        self.stubs.push(Stub::BackEdge { from, to, loc });
        Label::Stub(self.stubs.len() - 1)
    }

    /// Emits the stubs, which may ask for more of them.
    pub(super) fn emit_stubs(&mut self) {
        let mut index = 0;
        while let Some(&stub) = self.stubs.get(index) {
            // Nothing is known about constants there; whoever resumes has all live registers.
            self.era += 1;
            self.stub_starts.push(self.words.len());
            match stub {
                Stub::BackEdge { from, to, loc } => self.back_edge(from, to, loc),
                Stub::Copy { inst, behind } => {
                    let data = self.data(inst);
                    let [src, dest] = [data.args[0], data.results[0]].map(|reg| self.slot(reg));
                    let ty = self.body.regs[data.results[0]];
                    self.begin(inst, if ty == Type::V128 { plain::copy128 } else { plain::copy });
                    self.words.extend([dest, src]);
                    let start = self.words.len();
                    self.handler(branch::br);
                    self.word((behind as isize - start as isize) as u32);
                }
                Stub::Branch { inst, block } => self.terminator(block, inst),
            }
            index += 1;
        }
    }
}
