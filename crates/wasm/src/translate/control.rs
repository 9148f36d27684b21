//! Structured control flow.
//!
//! A label's block is made when something first branches to it, so that a `block` that nothing
//! leaves early costs nothing. What a branch carries goes to the merge registers of the label's
//! height; a conditional branch that has something to move does it in a block of its own.

use super::Translator;
use super::stack::{Operand, Place, reg_of, registers};
use crate::error::Error;
use cupola_ir::{Block, InstData, Op, Target, Type};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasmparser::{BlockType, BrTable};

type Types = SmallVec<[Type; 4]>;

/// What kind of construct a frame is of.
enum Kind {
    /// The function itself; branching to it returns.
    Function,
    Block,
    Loop,
    /// An `if` in its first arm: the block of the second, and the parameters it starts with.
    If {
        otherwise: Block,
        params: SmallVec<[Operand; 4]>,
    },
    Else,
}

/// A construct that is open.
pub(super) struct Frame {
    kind: Kind,
    /// Height of the operand stack below the parameters.
    height: usize,
    params: Types,
    results: Types,
    /// Where a branch to it goes, if there has been one (of loops: always).
    label: Option<Block>,
}

impl Frame {
    /// What a branch to it carries.
    fn carried(&self) -> &Types {
        if matches!(self.kind, Kind::Loop) { &self.params } else { &self.results }
    }
}

impl Translator<'_> {
    pub(super) fn enter_function(&mut self, results: &[Type]) {
        let results = registers(results);
        let params = SmallVec::new();
        self.frames.push(Frame { kind: Kind::Function, height: 0, params, results, label: None });
    }

    /// Parameter and result types of a block.
    fn block_types(&self, ty: BlockType, offset: u64) -> Result<(Types, Types), Error> {
        Ok(match ty {
            BlockType::Empty => (SmallVec::new(), SmallVec::new()),
            BlockType::Type(ty) => {
                let ty = crate::decode::val_type(ty, offset)?;
                (SmallVec::new(), registers(&[ty]))
            }
            BlockType::FuncType(index) => {
                let ty = &self.info.types[index as usize];
                (registers(&ty.params), registers(&ty.results))
            }
        })
    }

    fn enter(&mut self, kind: Kind, (params, results): (Types, Types), label: Option<Block>) {
        let height = self.stack.height() - params.len();
        self.frames.push(Frame { kind, height, params, results, label });
    }

    pub(super) fn block(&mut self, ty: BlockType, offset: u64) -> Result<(), Error> {
        let types = self.block_types(ty, offset)?;
        self.end_straight();
        self.stack.save_locals(&mut self.emit);
        self.enter(Kind::Block, types, None);
        Ok(())
    }

    pub(super) fn loop_(&mut self, ty: BlockType, offset: u64) -> Result<(), Error> {
        let types = self.block_types(ty, offset)?;
        self.end_straight();
        self.stack.save_locals(&mut self.emit);
        let params = types.0.clone();
        let height = self.stack.height() - params.len();
        self.move_top(height, params.len());
        self.stack.truncate(height);
        for &ty in &params {
            self.stack.push_merge(&mut self.emit, ty);
        }
        let header = self.emit.new_block();
        self.emit.br(header);
        self.emit.switch_to(header);
        self.enter(Kind::Loop, types, Some(header));
        Ok(())
    }

    pub(super) fn if_(&mut self, ty: BlockType, offset: u64) -> Result<(), Error> {
        let types = self.block_types(ty, offset)?;
        self.end_straight();
        let cond = self.stack.pop_reg(&mut self.emit);
        self.stack.save_locals(&mut self.emit);
        let (then, otherwise) = (self.emit.new_block(), self.emit.new_block());
        self.emit.br_if(cond, then, otherwise);
        self.emit.switch_to(then);
        let params = self.stack.top(types.0.len());
        self.enter(Kind::If { otherwise, params }, types, None);
        Ok(())
    }

    pub(super) fn else_(&mut self) -> Result<(), Error> {
        let mut frame = self.frames.pop().expect("validated code nests");
        self.leave(&mut frame);
        let Kind::If { otherwise, params } = std::mem::replace(&mut frame.kind, Kind::Else) else {
            unreachable!("validated code has `else` in an `if`")
        };
        self.stack.truncate(frame.height);
        params.into_iter().for_each(|param| self.stack.push(param));
        self.emit.switch_to(otherwise);
        self.reachable = true;
        self.frames.push(frame);
        Ok(())
    }

    /// Ends an arm: goes to the frame's label with its results.
    fn leave(&mut self, frame: &mut Frame) {
        if !self.reachable {
            return;
        }
        self.move_top(frame.height, frame.results.len());
        let label = *frame.label.get_or_insert_with(|| self.emit.new_block());
        self.emit.br(label);
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        let mut frame = self.frames.pop().expect("validated code nests");
        match std::mem::replace(&mut frame.kind, Kind::Block) {
            Kind::Function => {
                if self.reachable {
                    let values = self.stack.pop_regs(&mut self.emit, frame.results.len());
                    self.emit.push(InstData::new(Op::Return, &values, &[]));
                }
                return Ok(());
            }
            Kind::Loop => {
                if !self.reachable {
                    self.stack.truncate(frame.height);
                }
                return Ok(());
            }
            Kind::If { otherwise, params } => {
                // The missing arm hands its parameters on.
                if frame.label.is_none() && params.is_empty() {
                    frame.label = Some(otherwise);
                    self.leave(&mut frame);
                } else {
                    self.leave(&mut frame);
                    self.stack.truncate(frame.height);
                    params.into_iter().for_each(|param| self.stack.push(param));
                    self.emit.switch_to(otherwise);
                    self.reachable = true;
                    self.leave(&mut frame);
                }
            }
            Kind::Block | Kind::Else => {
                if frame.label.is_some() {
                    self.leave(&mut frame);
                }
            }
        }
        let Some(label) = frame.label else {
            // Nothing has branched to it: what is on the stack, or that nothing gets here, stays.
            if !self.reachable {
                self.stack.truncate(frame.height);
            }
            return Ok(());
        };
        self.stack.truncate(frame.height);
        for &ty in &frame.results {
            self.stack.push_merge(&mut self.emit, ty);
        }
        self.emit.switch_to(label);
        self.reachable = true;
        Ok(())
    }

    /// Moves the top operands to the merge registers from `height` up; they stay on the stack.
    fn move_top(&mut self, height: usize, count: usize) {
        let from = self.stack.height() - count;
        for (i, operand) in self.stack.top(count).into_iter().enumerate() {
            let dest = self.emit.merge(height + i, operand.ty);
            match operand.place {
                Place::Reg(reg) if reg == dest => {}
                Place::Const(bits) => self.emit.constant_to(dest, bits),
                Place::Local(_) | Place::Reg(_) => {
                    let src = reg_of(&mut self.emit, operand, from + i);
                    self.emit.copy(dest, src);
                }
            }
        }
    }

    fn frame_index(&self, depth: u32) -> usize {
        self.frames.len() - 1 - depth as usize
    }

    /// Whether a branch to a frame has something to do before it goes there.
    fn needs_moves(&mut self, depth: u32) -> bool {
        let frame = &self.frames[self.frame_index(depth)];
        let (height, count) = (frame.height, frame.carried().len());
        if matches!(frame.kind, Kind::Function) {
            return true;
        }
        self.stack.top(count).iter().enumerate().any(|(i, operand)| {
            operand.place != Place::Reg(self.emit.merge(height + i, operand.ty))
        })
    }

    /// The block of a frame's label.
    fn label(&mut self, depth: u32) -> Block {
        let index = self.frame_index(depth);
        *self.frames[index].label.get_or_insert_with(|| self.emit.new_block())
    }

    /// Goes to a label, with what it carries.
    fn jump(&mut self, depth: u32) {
        let frame = &self.frames[self.frame_index(depth)];
        let (height, count) = (frame.height, frame.carried().len());
        if matches!(frame.kind, Kind::Function) {
            let base = self.stack.height() - count;
            let operands = self.stack.top(count);
            let values: SmallVec<[_; 4]> = operands
                .into_iter()
                .enumerate()
                .map(|(i, operand)| reg_of(&mut self.emit, operand, base + i))
                .collect();
            self.emit.push(InstData::new(Op::Return, &values, &[]));
        } else {
            self.move_top(height, count);
            let label = self.label(depth);
            self.emit.br(label);
        }
    }

    pub(super) fn br(&mut self, depth: u32) -> Result<(), Error> {
        self.jump(depth);
        self.reachable = false;
        Ok(())
    }

    pub(super) fn br_if(&mut self, depth: u32) -> Result<(), Error> {
        let cond = self.stack.pop_reg(&mut self.emit);
        let next = self.emit.new_block();
        if self.needs_moves(depth) {
            let edge = self.emit.new_block();
            self.emit.br_if(cond, edge, next);
            self.emit.switch_to(edge);
            self.jump(depth);
        } else {
            let label = self.label(depth);
            self.emit.br_if(cond, label, next);
        }
        self.emit.switch_to(next);
        Ok(())
    }

    pub(super) fn br_table(&mut self, table: &BrTable<'_>) -> Result<(), Error> {
        let index = self.stack.pop_reg(&mut self.emit);
        // By depth, the block to go to, and whether it has yet to be filled.
        let mut blocks: FxHashMap<u32, Block> = FxHashMap::default();
        let mut edges: Vec<(u32, Block)> = Vec::new();
        let mut targets = Vec::with_capacity(table.len() as usize + 1);
        for depth in table.targets().chain([Ok(table.default())]) {
            let depth = depth?;
            let block = match blocks.get(&depth) {
                Some(&block) => block,
                None => {
                    let block = if self.needs_moves(depth) {
                        let edge = self.emit.new_block();
                        edges.push((depth, edge));
                        edge
                    } else {
                        self.label(depth)
                    };
                    blocks.insert(depth, block);
                    block
                }
            };
            targets.push(Target::new(block));
        }
        self.emit.push(InstData::new(Op::BrTable, &[index], &[]).with_targets(targets));
        for (depth, edge) in edges {
            self.emit.switch_to(edge);
            self.jump(depth);
        }
        self.reachable = false;
        Ok(())
    }
}
