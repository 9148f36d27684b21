//! Rules of functions: their structure. Types and data flow are looked at only if it is sound.

use super::Checker;
use crate::entities::{Block, Inst, SiteId};
use crate::function::{EntryKind, Form};
use crate::inst::Imm;
use crate::op::{Format, Op};
use rustc_hash::FxHashSet;

impl Checker<'_> {
    /// All rules of a function's body.
    pub(super) fn function(&mut self) {
        self.signature();
        if self.func.blocks.is_empty() {
            self.error(None, None, "there is no block");
            return;
        }
        match self.func.form {
            Form::Register => self.register_form_header(),
            Form::Ssa => self.ssa_header(),
        }
        if !self.errors.is_empty() {
            return;
        }
        self.blocks();
        if !self.errors.is_empty() {
            return;
        }
        if self.func.form == Form::Register && !self.func.frame_states.is_empty() {
            self.error(None, None, "register form has no frame states");
        }
        let mut sites = FxHashSet::default();
        for block in self.func.block_order() {
            for &inst in &self.func.blocks[block].insts {
                self.instruction(block, inst);
                self.feedback_site(block, inst, &mut sites);
            }
        }
        match self.func.form {
            Form::Register => self.definite_assignment(),
            Form::Ssa => self.ssa(),
        }
    }

    fn signature(&mut self) {
        let Some(decl) = self.module.funcs.get(self.id) else {
            self.error(None, None, "the module has no such function");
            return;
        };
        if self.module.is_import(self.id) {
            self.error(None, None, "an imported function has no body");
        }
        match self.module.sigs.get(decl.sig) {
            Some(sig) if *sig == self.func.sig => {}
            Some(sig) => {
                let message = format!("declared as {sig}, but the body's is {}", self.func.sig);
                self.error(None, None, message);
            }
            None => self.error(None, None, format!("its signature {} does not exist", decl.sig)),
        }
        // Feedback is allocated by this number.
        if self.func.num_sites > 1 << 24 {
            self.error(None, None, "more than 2^24 feedback sites");
        }
    }

    fn register_form_header(&mut self) {
        let func = self.func;
        let first = func.regs.values().take(func.sig.params.len());
        if !first.eq(func.sig.params.iter()) {
            self.error(None, None, "the first registers are not the parameters");
        }
        if func.entry_kind != EntryKind::Call {
            self.error(None, None, "register form is entered by calls only");
        }
        if !func.layout.is_empty() || !func.inlined.is_empty() {
            self.error(None, None, "register form has no layout or inlined calls");
        }
        for (id, block) in func.blocks.iter() {
            if !block.params.is_empty() {
                self.error(Some(id), None, "a block has parameters only in SSA form");
            }
        }
    }

    /// Blocks consist of instructions, one terminator last; all that instructions refer to exists.
    fn blocks(&mut self) {
        let func = self.func;
        let mut live = vec![false; func.blocks.len()];
        for block in func.block_order() {
            live[block.as_u32() as usize] = true;
        }
        let mut placed = vec![false; func.insts.len()];
        for block in func.block_order() {
            let insts = &func.blocks[block].insts;
            if insts.is_empty() {
                self.error(Some(block), None, "the block is empty");
            }
            for (i, &inst) in insts.iter().enumerate() {
                let Some(data) = func.insts.get(inst) else {
                    self.error(Some(block), None, format!("{inst} does not exist"));
                    continue;
                };
                if std::mem::replace(&mut placed[inst.as_u32() as usize], true) {
                    self.error(Some(block), Some(inst), "the instruction stands in two places");
                }
                let last = i + 1 == insts.len();
                if data.op.is_terminator() && !last {
                    let message = format!("`{}` ends a block, but is not last in it", data.op);
                    self.error(Some(block), Some(inst), message);
                }
                if !data.op.is_terminator() && last {
                    let message = format!("the block ends with `{}`, not a terminator", data.op);
                    self.error(Some(block), Some(inst), message);
                }
                self.references(block, inst, &live);
            }
        }
    }

    /// Registers, targets and the immediate exist, and the immediate is of the opcode's kind.
    fn references(&mut self, block: Block, inst: Inst, live: &[bool]) {
        let func = self.func;
        let data = &func.insts[inst];
        let at = (Some(block), Some(inst));
        for reg in data.uses().chain(data.results.iter().copied()) {
            if !func.regs.is_valid(reg) {
                self.error(at.0, at.1, format!("register {reg} does not exist"));
            }
        }
        for target in &data.targets {
            if target.block == func.entry() {
                self.error(at.0, at.1, "the entry block cannot be a branch target");
            } else if live.get(target.block.as_u32() as usize) != Some(&true) {
                self.error(at.0, at.1, format!("{} does not exist", target.block));
            }
            if func.form == Form::Register && !target.args.is_empty() {
                self.error(at.0, at.1, "a target has arguments only in SSA form");
            }
        }
        if func.form == Form::Register && data.op.is_ssa_only() {
            self.error(at.0, at.1, format!("`{}` stands only in SSA form", data.op));
        }
        if let Some(site) = data.inline_site.filter(|&site| !func.inlined.is_valid(site)) {
            self.error(at.0, at.1, format!("there is no inlined call {site}"));
        }
        let module = self.module;
        let exists = match (data.op.format(), data.imm) {
            (Format::Load | Format::Store, Imm::Mem(_))
            | (Format::LoadLane | Format::StoreLane, Imm::MemLane(..))
                if data.op.is_raw() =>
            {
                Ok(())
            }
            (Format::Load | Format::Store, Imm::Mem(mem))
            | (Format::LoadLane | Format::StoreLane, Imm::MemLane(mem, _)) => {
                module.memories.is_valid(mem.memory).then_some(()).ok_or(mem.memory.to_string())
            }
            (
                Format::MemorySize | Format::MemoryGrow | Format::MemoryBase | Format::MemoryLen,
                Imm::Memory(memory),
            ) => module.memories.is_valid(memory).then_some(()).ok_or(memory.to_string()),
            (Format::GlobalGet | Format::GlobalSet, Imm::Global(global)) => {
                module.globals.is_valid(global).then_some(()).ok_or(global.to_string())
            }
            (Format::Call, Imm::Func(callee)) => {
                let valid = module.funcs.get(callee).is_some_and(|f| module.sigs.is_valid(f.sig));
                valid.then_some(()).ok_or(callee.to_string())
            }
            (Format::CallIndirect, Imm::Indirect(sig, table, _)) => {
                let sig_ok = module.sigs.is_valid(sig).then_some(()).ok_or(sig.to_string());
                let table_ok = module.tables.is_valid(table).then_some(()).ok_or(table.to_string());
                sig_ok.and(table_ok)
            }
            (Format::TableGet, Imm::Table(table)) => {
                module.tables.is_valid(table).then_some(()).ok_or(table.to_string())
            }
            (Format::TableHolds, Imm::TableFunc(table, func)) => {
                let func_ok = module.funcs.is_valid(func).then_some(()).ok_or(func.to_string());
                let table_ok = module.tables.is_valid(table).then_some(()).ok_or(table.to_string());
                func_ok.and(table_ok)
            }
            (Format::CallRef, Imm::Sig(sig)) => {
                module.sigs.is_valid(sig).then_some(()).ok_or(sig.to_string())
            }
            (Format::Dialect, Imm::Dialect(op, _)) => {
                module.dialect_ops.is_valid(op).then_some(()).ok_or(op.to_string())
            }
            (Format::DeoptUnless | Format::Deopt, Imm::FrameState(state)) => {
                func.frame_states.is_valid(state).then_some(()).ok_or(state.to_string())
            }
            (Format::Const, Imm::Bits(_)) if data.op != Op::V128Const => Ok(()),
            (Format::Const, Imm::V128(_)) if data.op == Op::V128Const => Ok(()),
            (Format::Lane, Imm::Lane(_))
            | (Format::Shuffle, Imm::Shuffle(_))
            | (Format::Trap | Format::TrapIf, Imm::Trap(_)) => Ok(()),
            (
                Format::Pure
                | Format::Copy
                | Format::Select
                | Format::DeoptTick
                | Format::FuelTick
                | Format::Br
                | Format::BrIf
                | Format::BrTable
                | Format::Return,
                Imm::None,
            ) => Ok(()),
            (_, imm) => {
                let message = format!("`{}` cannot have the immediate {imm:?}", data.op);
                self.error(at.0, at.1, message);
                Ok(())
            }
        };
        if let Err(missing) = exists {
            self.error(at.0, at.1, format!("{missing} does not exist"));
        }
    }

    /// Sites exist, and in register form belong to one instruction. In SSA form code may have been
    /// copied, and what was inlined has sites of its own function.
    fn feedback_site(&mut self, block: Block, inst: Inst, seen: &mut FxHashSet<SiteId>) {
        let data = &self.func.insts[inst];
        let (Imm::Indirect(_, _, site) | Imm::Dialect(_, site)) = data.imm else { return };
        if data.inline_site.is_some() {
            return;
        }
        let register_form = self.func.form == Form::Register;
        let count = self.func.num_sites;
        if site.as_u32() >= count {
            let message = format!("{site} is not below the number of sites, {count}");
            self.error(Some(block), Some(inst), message);
        } else if !seen.insert(site) && register_form {
            self.error(Some(block), Some(inst), format!("{site} is that of another instruction"));
        }
    }

    /// Whether the instruction reaches host memory without checks, or gives its address.
    pub(super) fn is_unchecked(op: Op) -> bool {
        op.is_raw() || op.format() == Format::MemoryBase
    }
}
