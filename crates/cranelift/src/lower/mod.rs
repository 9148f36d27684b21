//! Lowering of one function to Cranelift's intermediate code.
//!
//! [`function`] translates the blocks that can be reached, in reverse postorder, so that in SSA
//! form every definition is met before its uses. `ops` has the arm of each opcode; the other
//! files hold what the arms need, by theme. Cold code (slow paths of counters, deoptimization
//! exits) goes to blocks of its own, which Cranelift moves behind the rest.
//!
//! The order of the remaining blocks is Cranelift's: the reverse postorder in which the *second*
//! successor of a conditional branch comes first. `control` orders the successors so that this
//! gives the order that the function asks for.

mod arith;
mod calls;
mod control;
mod counters;
mod deopt;
mod entry;
mod memory;
mod ops;
mod unroll;
mod values;
mod vector;
mod vector_memory;
mod vector_widen;

use crate::symbols;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::{self, InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{
    Block, EntryKind, Form, FrameStateId, FuncId, Function, InlineSite, InstData, Module, Reg,
    SrcLoc, TrapCode, Type,
};
use cupola_runtime::{CompileError, CompileRequest, Helper, Symbol};
use rustc_hash::FxHashSet;

/// Tables of one compilation, kept for their capacity.
#[derive(Default)]
pub(crate) struct Tables {
    /// Source positions; Cranelift's source locations are indexes of this.
    pub positions: Vec<(SrcLoc, Option<InlineSite>)>,
    /// The frame state of each deoptimization exit.
    pub deopts: Vec<FrameStateId>,
    regs: Vec<values::RegState>,
    truth: SecondaryMap<Value, PackedOption<Value>>,
    blocks: Vec<ir::Block>,
    layout_index: Vec<u32>,
    sigs: Vec<(calls::SigKey, ir::SigRef)>,
    helpers: Vec<(Helper, ir::FuncRef)>,
}

impl Tables {
    fn clear(&mut self) {
        self.positions.clear();
        self.deopts.clear();
        self.regs.clear();
        self.truth.clear();
        self.blocks.clear();
        self.layout_index.clear();
        self.sigs.clear();
        self.helpers.clear();
    }
}

/// What lowering finds out besides the code and the tables.
pub(crate) struct Lowered {
    /// How the code is entered.
    pub entry_kind: EntryKind,
}

/// Lowers the function of `request` into `func`, which is empty.
pub(crate) fn function(
    request: &CompileRequest<'_>,
    isa: &dyn TargetIsa,
    func: &mut ir::Function,
    builder_context: &mut FunctionBuilderContext,
    tables: &mut Tables,
) -> Result<Lowered, CompileError> {
    tables.clear();
    let code = request.code;
    if request.osr_header.is_some() && code.form == Form::Ssa {
        let reason = "SSA form carries its own kind of entry";
        return Err(CompileError::Unsupported(reason.to_owned()));
    }
    let cfg = Cfg::compute(code);
    let headers = LoopHeaders::compute(code, &cfg);
    let mut lower = Lower {
        request,
        module: request.module,
        code,
        ssa: code.form == Form::Ssa,
        cfg,
        headers,
        liveness: None,
        flags: memory::Flags::new(func, code.form == Form::Ssa),
        b: FunctionBuilder::new(func, builder_context),
        t: tables,
        current: Block::from_u32(0),
        epoch: 0,
        ctx: Value::from_u32(0),
        area: None,
        buffer: None,
        edges: Vec::new(),
        copied: FxHashSet::default(),
        polls: 0,
        position: (SrcLoc::UNKNOWN, None),
    };
    let entry_kind = lower.run();
    lower.b.finalize(isa.frontend_config());
    Ok(Lowered { entry_kind })
}

/// State of the lowering of one function.
struct Lower<'a, 'f> {
    request: &'a CompileRequest<'a>,
    module: &'a Module,
    code: &'a Function,
    /// The code is in SSA form, so this is T2.
    ssa: bool,
    cfg: Cfg,
    headers: LoopHeaders,
    /// Of the register form; computed where on-stack replacement needs it.
    liveness: Option<cupola_ir::analysis::Liveness>,
    flags: memory::Flags,
    b: FunctionBuilder<'f>,
    t: &'f mut Tables,
    /// The block that is being lowered.
    current: Block,
    /// Number of the Cranelift block that is being filled, plus one.
    epoch: u32,
    /// The context pointer.
    ctx: Value,
    /// The result area, if the results need one.
    area: Option<Value>,
    /// The stack slot that frames, operands and results go through.
    buffer: Option<StackSlot>,
    /// Blocks that still have to be filled: each stands on a back edge.
    edges: Vec<(ir::Block, &'a cupola_ir::Target)>,
    /// Blocks of loops that were laid down several times already.
    copied: FxHashSet<Block>,
    /// Interruption polls so far.
    polls: u32,
    /// The source position set last.
    position: (SrcLoc, Option<InlineSite>),
}

impl<'a> Lower<'a, '_> {
    fn run(&mut self) -> EntryKind {
        let code = self.code;
        for _ in code.blocks.keys() {
            let block = self.b.create_block();
            self.t.blocks.push(block);
        }
        self.index_layout();
        let entry_kind = match self.request.osr_header {
            Some(_) => EntryKind::AnyLoop,
            None => code.entry_kind.clone(),
        };
        self.declare_registers();
        self.enter(&entry_kind);
        for block in self.visit_order() {
            let unrolling = self.headers.loop_of(block).and_then(|_| self.unrolling(block));
            if let Some(unrolling) = &unrolling {
                self.lower_unrolled(unrolling);
            } else if !self.copied.contains(&block) {
                self.lower_block(block);
            }
        }
        self.b.seal_all_blocks();
        entry_kind
    }

    /// The blocks to translate: those that can be reached from where the code is entered.
    fn visit_order(&self) -> Vec<Block> {
        let rpo = self.cfg.rpo();
        if self.request.osr_header.is_none() {
            return rpo.to_vec();
        }
        let mut reached = vec![false; self.code.blocks.len()];
        let mut todo = self.headers.headers().to_vec();
        while let Some(block) = todo.pop() {
            let seen = &mut reached[block.as_u32() as usize];
            if !std::mem::replace(seen, true) {
                todo.extend(self.code.successors(block));
            }
        }
        rpo.iter().copied().filter(|block| reached[block.as_u32() as usize]).collect()
    }

    fn lower_block(&mut self, block: Block) {
        let code = self.code;
        let cl_block = self.block(block);
        let loop_id = self.headers.loop_of(block);
        if self.ssa && block != code.entry() {
            for (i, &param) in code.blocks[block].params.iter().enumerate() {
                let value = self.b.block_params(cl_block)[i];
                self.def(param, value);
            }
        }
        if block != code.entry() || self.request.osr_header.is_some() {
            if loop_id.is_none() {
                self.b.seal_block(cl_block);
            }
            self.start(cl_block);
        }
        self.set_block_position(block);
        match loop_id {
            Some(_) if self.ssa => self.poll(),
            Some(_) => self.count_iterations(block, 1),
            None => {}
        }
        self.lower_insts(block);
    }

    /// Translates the instructions of a block into the Cranelift block that was started for it.
    fn lower_insts(&mut self, block: Block) {
        let code = self.code;
        self.current = block;
        self.count_block(block);
        for &inst in &code.blocks[block].insts {
            let inst = &code.insts[inst];
            self.set_position(inst);
            self.inst(inst);
        }
        self.fill_edges();
    }

    /// Goes on in `block`.
    fn start(&mut self, block: ir::Block) {
        self.b.switch_to_block(block);
        self.epoch = block.as_u32() + 1;
    }

    /// Goes on in a new block with one predecessor, which branches to it already.
    fn start_sealed(&mut self, block: ir::Block) {
        self.b.seal_block(block);
        self.start(block);
    }

    fn cold_block(&mut self) -> ir::Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        block
    }

    fn block(&self, block: Block) -> ir::Block {
        self.t.blocks[block.as_u32() as usize]
    }

    /// What is woven in at a block's start has the position of its first instruction.
    fn set_block_position(&mut self, block: Block) {
        let code = self.code;
        if let Some(&first) = code.blocks[block].insts.first() {
            self.set_position(&code.insts[first]);
        }
    }

    fn set_position(&mut self, inst: &InstData) {
        let position = (inst.loc, inst.inline_site);
        if self.t.positions.is_empty() || position != self.position {
            self.position = position;
            let index = self.t.positions.len() as u32;
            self.t.positions.push(position);
            self.b.set_srcloc(ir::SourceLoc::new(index));
        }
    }

    /// The stack slot that frames, operands and results go through, of at least `words` words.
    fn buffer(&mut self, words: u32) -> StackSlot {
        let size = words.max(1) * 8;
        match self.buffer {
            Some(slot) => {
                let data = &mut self.b.func.sized_stack_slots[slot];
                data.size = data.size.max(size);
                slot
            }
            None => {
                let data = StackSlotData::new(StackSlotKind::ExplicitSlot, size, 3);
                *self.buffer.insert(self.b.create_sized_stack_slot(data))
            }
        }
    }

    fn buffer_address(&mut self, words: u32) -> Value {
        let slot = self.buffer(words);
        self.b.ins().stack_addr(ir::types::I64, slot, 0)
    }

    /// The value of a symbol, plus an offset.
    fn symbol(&mut self, symbol: Symbol, offset: i64) -> Value {
        let name = self.b.func.declare_imported_user_function(symbols::to_name(symbol));
        let global = self.b.create_global_value(ir::GlobalValueData::Symbol {
            name: ir::ExternalName::user(name),
            offset: offset.into(),
            colocated: false,
            tls: false,
        });
        self.b.ins().symbol_value(ir::types::I64, global)
    }

    /// The function that an instruction was written in, itself or through inlining.
    fn source_func(&self, inst: &InstData) -> FuncId {
        match inst.inline_site {
            Some(site) => self.code.inlined[site].callee,
            None => self.request.func,
        }
    }

    fn ty(&self, reg: Reg) -> Type {
        self.code.regs[reg]
    }
}

fn cl_type(ty: Type) -> ir::Type {
    match ty {
        Type::I32 => ir::types::I32,
        Type::I64 | Type::FuncRef | Type::ExternRef => ir::types::I64,
        Type::F32 => ir::types::F32,
        Type::F64 => ir::types::F64,
        Type::V128 => ir::types::I8X16,
    }
}

/// Cranelift's code for a trap; 0 is not allowed there.
fn cl_trap(code: TrapCode) -> ir::TrapCode {
    ir::TrapCode::unwrap_user(1 + code as u8)
}

/// The trap that Cranelift's code stands for.
pub(crate) fn trap_code_of(code: ir::TrapCode) -> Option<TrapCode> {
    match code {
        ir::TrapCode::STACK_OVERFLOW => Some(TrapCode::StackOverflow),
        ir::TrapCode::INTEGER_OVERFLOW => Some(TrapCode::IntOverflow),
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => Some(TrapCode::IntDivByZero),
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => Some(TrapCode::BadConversion),
        ir::TrapCode::HEAP_OUT_OF_BOUNDS => Some(TrapCode::MemOutOfBounds),
        user => TrapCode::from_u8(user.as_raw().get() - 1),
    }
}
