//! Encoding: from register form to a stream of 32-bit words.
//!
//! An instruction is the address of its handler (two words) and its operands: slots as byte
//! offsets from the first register, constants, distances to branch targets in words. Blocks stand
//! in reverse postorder, so that most branches have one target right behind them.
//!
//! Encoding is linear: one pass for [`Facts`], then for each block one to count uses and one to
//! emit. What it fuses:
//! - a constant into the instruction that reads it as last operand. The assignment itself is put
//!   off: it is emitted in front of the first instruction that needs it in its slot, and not at
//!   all if there is none and no entry at a loop header may read the register;
//! - a comparison into the conditional branch behind it, if nothing else reads its result;
//! - a `copy` into the instruction before it, whose result goes to the copy's register at once, if
//!   nothing else reads it. Front ends for variables in registers emit many of those.
//!
//! A loop header that only compares and branches is repeated at the end of the loop, so that an
//! iteration takes one branch.
//!
//! Execution can be resumed at every instruction, also at the second of a fused pair: it gets an
//! encoding of its own behind the function's code ([`Stub`]).

mod control;
mod emit;
mod facts;
mod simple;

use crate::code::{Code, Places};
use crate::dispatch::{HEADER_SLOTS, Ip};
use crate::handlers::{call, plain};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{
    Block, Format, FrameLayout, FuncId, Function, Inst, InstData, Module, Reg, SigId, SrcLoc, Type,
};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{CodegenOptions, ContextLayout, Feedback};
use facts::{Facts, LocalUses};

impl Code {
    /// Encodes a verified register-form function, of which the graph and its loop headers are given.
    /// The result points to `feedback`, which has to outlive it.
    pub fn encode(
        module: &Module,
        context: &ContextLayout,
        func: FuncId,
        body: &Function,
        (cfg, loops): (&Cfg, &LoopHeaders),
        feedback: &Feedback,
        options: &CodegenOptions,
    ) -> Box<Code> {
        let encoder = Encoder {
            module,
            context,
            body,
            feedback,
            fuel: options.fuel,
            layout: FrameLayout::of(body),
            facts: Facts::compute(body, cfg, loops),
            loops,
            uses: LocalUses::new(body),
            words: Vec::with_capacity(body.insts.len() * 5),
            starts: vec![Places::NONE; body.insts.len()],
            locs: Vec::new(),
            block_starts: vec![Places::NONE; body.blocks.len()],
            fixups: Vec::new(),
            stubs: Vec::new(),
            stub_starts: Vec::new(),
            constants: vec![Constant::default(); body.regs.len()],
            era: 0,
            sigs: Vec::new(),
            outside_slots: Type::slots_of(&body.sig.results).max(1),
            next_block: None,
            cfg,
        };
        encoder.encode(func)
    }
}

/// What is known about a register in the block being encoded.
#[derive(Copy, Clone, Default)]
struct Constant {
    /// The value, if `era` is the current one.
    bits: u128,
    era: u32,
    /// Whether the slot holds it by now.
    stored: bool,
}

/// A place that a branch leads to.
#[derive(Copy, Clone)]
enum Label {
    Block(Block),
    /// By index in [`Encoder::stubs`].
    Stub(usize),
}

/// A distance to be filled in.
struct Fixup {
    /// The word.
    word: usize,
    /// The start of the instruction that it belongs to.
    start: usize,
    label: Label,
}

/// Code off the function's path.
#[derive(Copy, Clone)]
enum Stub {
    /// Counts an edge to a loop header, for branches that have no form that does it.
    BackEdge { from: Block, to: Block, loc: SrcLoc },
    /// A `copy` that is fused with the instruction before it, to be resumed at.
    Copy { inst: Inst, behind: usize },
    /// A branch that is fused with the comparison before it, to be resumed at.
    Branch { inst: Inst, block: Block },
}

struct Encoder<'a> {
    module: &'a Module,
    context: &'a ContextLayout,
    body: &'a Function,
    feedback: &'a Feedback,
    fuel: bool,
    cfg: &'a Cfg,
    layout: FrameLayout,
    loops: &'a LoopHeaders,
    facts: Facts,
    uses: LocalUses,
    words: Vec<u32>,
    starts: Vec<u32>,
    locs: Vec<(u32, SrcLoc)>,
    block_starts: Vec<u32>,
    fixups: Vec<Fixup>,
    stubs: Vec<Stub>,
    stub_starts: Vec<usize>,
    constants: Vec<Constant>,
    /// Numbers blocks, so that what is known about constants ends with each; counted from 1.
    era: u32,
    sigs: Vec<(SigId, NativeSig)>,
    /// Greatest number of slots that something outside T0 is given arguments and results in.
    outside_slots: usize,
    /// The block whose code comes next.
    next_block: Option<Block>,
}

impl Encoder<'_> {
    fn encode(mut self, func: FuncId) -> Box<Code> {
        if self.fuel {
            let loc = self.cfg.rpo().first().and_then(|&b| self.body.blocks[b].insts.first());
            let loc = loc.map_or(SrcLoc::UNKNOWN, |&inst| self.body.insts[inst].loc);
            self.place(loc);
            self.handler(plain::fuel);
        }
        let order = self.cfg.rpo();
        for (i, &block) in order.iter().enumerate() {
            self.next_block = order.get(i + 1).copied();
            self.block(block);
        }
        self.next_block = None;
        self.emit_stubs();
        let exit = self.emit_exit();
        self.resolve();
        self.finish(func, exit)
    }

    fn block(&mut self, block: Block) {
        let body = self.body;
        self.block_starts[block.as_u32() as usize] = self.words.len() as u32;
        self.era += 1;
        if let Some(offset) = self.feedback.layout().block_offset(block) {
            self.handler(plain::count_block);
            self.address(self.feedback.as_ptr() as usize + offset as usize);
        }
        self.uses.scan(body, block);
        let mut i = 0;
        while i < body.blocks[block].insts.len() {
            i += self.inst(block, i);
        }
    }

    /// Encodes a block's instruction `i`; gives how many were encoded.
    fn inst(&mut self, block: Block, i: usize) -> usize {
        let body = self.body;
        let inst = body.blocks[block].insts[i];
        let data = &body.insts[inst];
        self.starts[inst.as_u32() as usize] = self.words.len() as u32;
        match data.op.format() {
            Format::Pure if self.fuses_branch(block, i) => {
                self.compare_and_branch(block, inst, body.blocks[block].insts[i + 1]);
                return 2;
            }
            Format::Const => {
                let Some(bits) = data.imm.constant_bits() else { return 1 };
                self.define_constant(data.results[0], bits);
                return 1;
            }
            Format::Copy => {
                self.copy(inst);
                return 1;
            }
            _ => {}
        }
        if data.op.is_terminator() {
            self.terminator(block, inst);
            return 1;
        }
        let copy = self.fused_copy(block, i);
        let dest = match copy {
            Some(copy) => Some(body.insts[copy].results[0]),
            None => data.results.first().copied(),
        };
        self.simple(inst, dest);
        for &reg in dest.iter().chain(&data.results) {
            self.forget(reg);
        }
        match copy {
            Some(copy) => {
                let behind = self.words.len();
                self.stubs.push(Stub::Copy { inst: copy, behind });
                2
            }
            None => 1,
        }
    }

    /// The copy behind a block's instruction `i`, if that instruction can assign the copy's
    /// register in its place.
    fn fused_copy(&self, block: Block, i: usize) -> Option<Inst> {
        let insts = &self.body.blocks[block].insts;
        let &[result] = self.body.insts[insts[i]].results.as_slice() else { return None };
        let next = *insts.get(i + 1)?;
        let data = &self.body.insts[next];
        let fuses = data.op.format() == Format::Copy
            && data.args[0] == result
            && self.uses.once(i)
            && !self.facts.crosses_blocks(result);
        fuses.then_some(next)
    }

    /// Whether a block's instruction `i` is a comparison that only the branch behind it reads: what
    /// ends a block is the last that can read it there.
    fn fuses_branch(&self, block: Block, i: usize) -> bool {
        let insts = &self.body.blocks[block].insts;
        let data = &self.body.insts[insts[i]];
        let Some(&next) = insts.get(i + 1) else { return false };
        let next = &self.body.insts[next];
        data.op.is_compare()
            && next.op.format() == Format::BrIf
            && next.args[0] == data.results[0]
            && !self.facts.crosses_blocks(data.results[0])
    }

    /// The instruction that the outermost activation returns to: it has its results stored at the
    /// start of the caller's area, one after the other.
    fn emit_exit(&mut self) -> usize {
        let exit = self.words.len();
        for i in 0..Type::slots_of(&self.body.sig.results) {
            self.words.push(i as u32 * 8);
        }
        self.handler(call::exit);
        exit
    }

    fn resolve(&mut self) {
        for fixup in &self.fixups {
            let to = match fixup.label {
                Label::Block(block) => self.block_starts[block.as_u32() as usize] as usize,
                Label::Stub(stub) => self.stub_starts[stub],
            };
            self.words[fixup.word] = (to as isize - fixup.start as isize) as u32;
        }
    }

    fn finish(self, func: FuncId, exit: usize) -> Box<Code> {
        let advance = (self.layout.size() as usize + HEADER_SLOTS) * 8;
        let words = self.words.into_boxed_slice();
        let entry = Ip(words.as_ptr());
        let memory = match self.module.memories.keys().next() {
            Some(memory) => self.context.memory(memory).to_word(),
            None => 0,
        };
        Box::new(Code {
            entry,
            need: advance + self.outside_slots * 8,
            feedback: self.feedback.as_ptr(),
            func,
            advance: advance as u32,
            exit: entry.skip(exit),
            sig: NativeSig::of(&self.body.sig),
            osr: NativeSig::osr(&self.body.sig),
            sigs: self.sigs.into_iter().map(|(_, sig)| sig).collect(),
            memory,
            places: Places { layout: self.layout, starts: self.starts, locs: self.locs },
            words,
        })
    }

    fn data(&self, inst: Inst) -> &InstData {
        &self.body.insts[inst]
    }

    fn slot(&self, reg: Reg) -> u32 {
        self.layout.slot(reg).wrapping_mul(8)
    }
}
