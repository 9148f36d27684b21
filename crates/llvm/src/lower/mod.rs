//! Lowering of functions in SSA form to LLVM's.
//!
//! [`function`] translates the blocks that can be reached, in reverse postorder, so that every
//! definition is met before its uses; block parameters become phis, whose operands are added where
//! the branches are. `ops` has the arm of each opcode; the other files hold what the arms need, by
//! theme; `unit` is what the functions of a module share.
//!
//! Cold code (traps, deoptimization exits) stands in blocks that end with calls of cold functions,
//! from which LLVM knows that they are cold. There is one block for each trap code and position.

mod arith;
mod calls;
mod control;
mod convert;
mod deopt;
mod entry;
mod memory;
mod ops;
pub(crate) mod unit;
mod vector;
mod vector_memory;
mod vector_widen;

use crate::error::{Result, codegen};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{
    Block, Effects, EntryKind, Form, FuncId, Function, InlineSite, InstData, Module, Reg, SrcLoc,
    TrapCode, Type,
};
use cupola_runtime::{CodegenOptions, CompileError, CompileRequest};
use inkwell::basic_block::BasicBlock;
use inkwell::builder::Builder;
use inkwell::debug_info::DISubprogram;
use inkwell::values::{
    BasicValueEnum, FloatValue, FunctionValue, IntValue, PhiValue, PointerValue,
};
use std::collections::HashMap;
use unit::{Position, Unit};

/// The name of the unit's function with this index.
pub(crate) fn symbol_name(index: usize) -> String {
    format!("cupola.function.{index}")
}

/// Checks that a function can be translated, and declares it.
pub(crate) fn declare<'c>(
    unit: &mut Unit<'c>,
    request: &CompileRequest<'_>,
    frame: u32,
) -> Result<FunctionValue<'c>> {
    let code = request.code;
    if code.form != Form::Ssa || request.osr_header.is_some() {
        return Err(CompileError::Unsupported("T3 reads SSA form".to_owned()).into());
    }
    let results = &code.sig.results;
    let name = symbol_name(unit.functions);
    unit.functions += 1;
    let frame = frame + calls::buffer_slots(code) * 8;
    let function = match code.entry_kind {
        EntryKind::Call => {
            let ty = unit.native_type(code.sig.params.iter().copied(), results);
            let function = unit.define(&name, ty, frame, shows(request));
            unit.members.insert(request.func, function);
            function
        }
        EntryKind::Osr { .. } | EntryKind::AnyLoop => {
            let ty = unit.osr_type(results);
            unit.define(&name, ty, frame, true)
        }
    };
    Ok(function)
}

/// Whether anything in a function may need to know that it is active: a trap for its backtrace, a
/// call, an exit, a loop for its poll. LLVM must not inline such a function, as only the optimizer
/// before it keeps account of whose code is whose.
fn shows(request: &CompileRequest<'_>) -> bool {
    let code = request.code;
    let marked = Effects::TRAPS | Effects::CALLS | Effects::DEOPTS | Effects::POLLS;
    let cfg = Cfg::compute(code);
    let order = cfg.rpo();
    let mut insts = order.iter().flat_map(|&block| &code.blocks[block].insts);
    counts_calls(request)
        || !LoopHeaders::compute(code, &cfg).headers().is_empty()
        || insts.any(|&inst| code.insts[inst].effects(request.module).intersects(marked))
}

/// Whether calls of the function are counted: a higher tier may take over.
fn counts_calls(request: &CompileRequest<'_>) -> bool {
    let CodegenOptions { counters, climbs, .. } = request.options;
    counters && climbs && matches!(request.code.entry_kind, EntryKind::Call)
}

/// Translates the function of `request` into `function`; its frame may be of `frame` bytes beyond
/// the buffer.
pub(crate) fn function<'c>(
    unit: &mut Unit<'c>,
    request: &CompileRequest<'_>,
    function: FunctionValue<'c>,
    frame: u32,
) -> Result<()> {
    let code = request.code;
    let cfg = Cfg::compute(code);
    let headers = LoopHeaders::compute(code, &cfg);
    let scope = unit.describe(function, &request.module.func_name(request.func));
    unit.set_entry_count(function, request.calls);
    let builder = unit.cx.create_builder();
    let inline_base = unit.inlined.len() as u32;
    unit.inlined.extend(code.inlined.values().map(|call| {
        let mut call = call.clone();
        call.parent = call.parent.map(|site| InlineSite::from_u32(site.as_u32() + inline_base));
        call
    }));
    let start = unit.cx.append_basic_block(function, "");
    builder.position_at_end(start);
    let ctx = function.get_nth_param(0).ok_or_else(|| codegen("no context"))?;
    let mut lower = Lower {
        request,
        module: request.module,
        code,
        headers,
        b: builder,
        function,
        scope,
        blocks: vec![None; code.blocks.len()],
        phis: vec![Vec::new(); code.blocks.len()],
        regs: vec![None; code.regs.len()],
        defs: definitions(code),
        traps: HashMap::new(),
        ctx: ctx.into_pointer_value(),
        area: None,
        buffer: None,
        inline_base,
        position: 0,
        unit,
    };
    lower.run(&cfg, frame)
}

/// For each register, the instruction that defines it.
fn definitions(code: &Function) -> Vec<Option<cupola_ir::Inst>> {
    let mut defs = vec![None; code.regs.len()];
    for block in code.block_order() {
        for &inst in &code.blocks[block].insts {
            for &reg in &code.insts[inst].results {
                defs[reg.as_u32() as usize] = Some(inst);
            }
        }
    }
    defs
}

/// State of the lowering of one function.
struct Lower<'a, 'u, 'c> {
    unit: &'u mut Unit<'c>,
    request: &'a CompileRequest<'a>,
    module: &'a Module,
    code: &'a Function,
    headers: LoopHeaders,
    b: Builder<'c>,
    function: FunctionValue<'c>,
    scope: DISubprogram<'c>,
    blocks: Vec<Option<BasicBlock<'c>>>,
    phis: Vec<Vec<PhiValue<'c>>>,
    regs: Vec<Option<BasicValueEnum<'c>>>,
    defs: Vec<Option<cupola_ir::Inst>>,
    /// The block of each trap, by code and position.
    traps: HashMap<(TrapCode, u32), BasicBlock<'c>>,
    /// The context pointer.
    ctx: PointerValue<'c>,
    /// The result area, if the results need one.
    area: Option<PointerValue<'c>>,
    /// What frames, operands and results go through.
    buffer: Option<PointerValue<'c>>,
    /// Where the function's inlined calls start in the unit's.
    inline_base: u32,
    /// Index of the position that is set.
    position: u32,
}

impl<'a, 'c> Lower<'a, '_, 'c> {
    fn run(&mut self, cfg: &Cfg, frame: u32) -> Result<()> {
        self.set_position(SrcLoc::UNKNOWN, None, false);
        self.enter(frame)?;
        let order = cfg.rpo();
        for &block in order {
            let llvm_block = self.new_block();
            self.blocks[block.as_u32() as usize] = Some(llvm_block);
        }
        self.b.build_unconditional_branch(self.block(self.code.entry())?)?;
        for &block in order {
            self.start(self.block(block)?);
            if block != self.code.entry() {
                for &param in &self.code.blocks[block].params {
                    let phi = self.b.build_phi(self.unit.ty(self.ty(param)), "")?;
                    self.phis[block.as_u32() as usize].push(phi);
                    self.def(param, phi.as_basic_value());
                }
            }
        }
        for &block in order {
            self.lower_block(block)?;
        }
        Ok(())
    }

    fn lower_block(&mut self, block: Block) -> Result<()> {
        let code = self.code;
        self.start(self.block(block)?);
        let insts = &code.blocks[block].insts;
        if let Some(&first) = insts.first() {
            self.set_position_of(&code.insts[first]);
        }
        if self.request.options.polls && self.headers.loop_of(block).is_some() {
            self.poll()?;
        }
        for &inst in insts {
            let inst = &code.insts[inst];
            self.set_position_of(inst);
            self.inst(inst)?;
        }
        Ok(())
    }

    fn new_block(&self) -> BasicBlock<'c> {
        self.unit.cx.append_basic_block(self.function, "")
    }

    /// Goes on in `block`.
    fn start(&self, block: BasicBlock<'c>) {
        self.b.position_at_end(block);
    }

    fn block(&self, block: Block) -> Result<BasicBlock<'c>> {
        let found = self.blocks[block.as_u32() as usize];
        Ok(found.ok_or_else(|| codegen(format!("{block} is not in reverse postorder")))?)
    }

    fn set_position_of(&mut self, inst: &InstData) {
        self.set_position(inst.loc, inst.inline_site, false);
    }

    fn set_position(&mut self, loc: SrcLoc, inline_site: Option<InlineSite>, moved_on: bool) {
        let base = self.inline_base;
        let inline_site = inline_site.map(|site| InlineSite::from_u32(site.as_u32() + base));
        let index = self.unit.position(Position { loc, inline_site, moved_on });
        self.set_position_index(index);
    }

    fn set_position_index(&mut self, index: u32) {
        self.position = index;
        self.b.set_current_debug_location(self.unit.location(self.scope, index));
    }

    /// Marks the position as one that the activation has left, for what `emit` builds.
    fn moved_on<R>(&mut self, emit: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let before = self.position;
        let moved_on = Position { moved_on: true, ..self.unit.positions[before as usize] };
        let index = self.unit.position(moved_on);
        self.set_position_index(index);
        let result = emit(self);
        self.set_position_index(before);
        result
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

    /// The instruction that defines a register, if it is not a block parameter.
    fn def_of(&self, reg: Reg) -> Option<&'a InstData> {
        self.defs[reg.as_u32() as usize].map(|inst| &self.code.insts[inst])
    }

    fn def(&mut self, reg: Reg, value: impl Into<BasicValueEnum<'c>>) {
        self.regs[reg.as_u32() as usize] = Some(value.into());
    }

    fn value(&self, reg: Reg) -> Result<BasicValueEnum<'c>> {
        let value = self.regs[reg.as_u32() as usize];
        Ok(value.ok_or_else(|| codegen(format!("{reg} is read before it is defined")))?)
    }

    fn int(&self, reg: Reg) -> Result<IntValue<'c>> {
        Ok(self.value(reg)?.into_int_value())
    }

    fn float(&self, reg: Reg) -> Result<FloatValue<'c>> {
        Ok(self.value(reg)?.into_float_value())
    }

    /// The truth of an i32 register, as a single bit.
    fn condition(&self, reg: Reg) -> Result<IntValue<'c>> {
        let value = self.int(reg)?;
        let zero = value.get_type().const_zero();
        Ok(self.b.build_int_compare(inkwell::IntPredicate::NE, value, zero, "")?)
    }

    /// Defines an i32 register by a bit.
    fn def_truth(&mut self, reg: Reg, truth: IntValue<'c>) -> Result<()> {
        let value = self.b.build_int_z_extend(truth, self.unit.types.i32, "")?;
        self.def(reg, value);
        Ok(())
    }

    /// Traps if the bit is set; goes on behind.
    fn trap_on(&mut self, condition: IntValue<'c>, code: TrapCode) -> Result<()> {
        let trap = self.trap_block(code)?;
        let go_on = self.new_block();
        self.b.build_conditional_branch(condition, trap, go_on)?;
        self.start(go_on);
        Ok(())
    }

    /// The block that traps at this position.
    fn trap_block(&mut self, code: TrapCode) -> Result<BasicBlock<'c>> {
        if let Some(&block) = self.traps.get(&(code, self.position)) {
            return Ok(block);
        }
        let here = self.b.get_insert_block().ok_or_else(|| codegen("no block"))?;
        let block = self.new_block();
        self.start(block);
        self.b.build_call(self.unit.trap(code, self.position), &[], "")?;
        self.b.build_unreachable()?;
        self.start(here);
        self.traps.insert((code, self.position), block);
        Ok(block)
    }
}
