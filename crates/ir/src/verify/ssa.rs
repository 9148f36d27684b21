//! Rules of SSA form.

use super::Checker;
use crate::analysis::{Cfg, DomTree};
use crate::entities::{Block, Inst, Reg};
use crate::function::EntryKind;

/// Where a register is defined: a block, and before which of its instructions the value is there
/// (0 for block parameters).
type Definition = (Block, usize);

impl Checker<'_> {
    /// The layout, block parameters, inlined calls and frame states.
    pub(super) fn ssa_header(&mut self) {
        let func = self.func;
        let mut listed = vec![false; func.blocks.len()];
        for &block in &func.layout {
            match listed.get_mut(block.as_u32() as usize) {
                None => {
                    self.error(None, None, format!("the layout has {block}, which does not exist"))
                }
                Some(listed) if *listed => {
                    self.error(Some(block), None, "the layout has this block twice");
                }
                Some(listed) => *listed = true,
            }
        }
        if func.layout.first().is_some_and(|&first| first != func.entry()) {
            self.error(None, None, "the layout does not begin with the entry block");
        }
        for (id, block) in func.blocks.iter() {
            if let Some(reg) = block.params.iter().find(|&&reg| !func.regs.is_valid(reg)) {
                self.error(Some(id), None, format!("register {reg} does not exist"));
            }
        }
        for (site, call) in func.inlined.iter() {
            if !self.module.funcs.is_valid(call.callee) {
                self.error(
                    None,
                    None,
                    format!("{site} is of {}, which does not exist", call.callee),
                );
            }
            if call.parent.is_some_and(|parent| parent >= site) {
                self.error(None, None, format!("{site} stands before the call it is within"));
            }
        }
        for (id, state) in func.frame_states.iter() {
            if state.frames.iter().any(|frame| !self.module.funcs.is_valid(frame.func)) {
                self.error(
                    None,
                    None,
                    format!("{id} has a frame of a function that does not exist"),
                );
            }
            if state.frames.first().is_none_or(|frame| frame.func != self.id) {
                self.error(
                    None,
                    None,
                    format!("the outermost frame of {id} is not this function's"),
                );
            }
        }
    }

    /// Definitions, uses and block arguments.
    pub(super) fn ssa(&mut self) {
        self.entry_params();
        let definitions = self.definitions();
        let cfg = Cfg::compute(self.func);
        let dom = DomTree::compute(&cfg);
        for block in self.func.block_order() {
            for (i, &inst) in self.func.blocks[block].insts.iter().enumerate() {
                self.target_args(block, inst);
                if !cfg.is_reachable(block) {
                    continue;
                }
                for reg in self.func.insts[inst].uses() {
                    let dominates = match definitions[reg.as_u32() as usize] {
                        Some((def, at)) if def == block => at <= i,
                        Some((def, _)) => cfg.is_reachable(def) && dom.dominates(def, block),
                        None => false,
                    };
                    if !dominates {
                        let name = self.reg_name(reg);
                        let message =
                            format!("the definition of `{name}` does not dominate this use");
                        self.error(Some(block), Some(inst), message);
                    }
                }
            }
        }
    }

    fn entry_params(&mut self) {
        let func = self.func;
        let params = &func.blocks[func.entry()].params;
        match &func.entry_kind {
            EntryKind::Call => {
                let types = params.iter().map(|&reg| func.regs[reg]);
                if !types.eq(func.sig.params.iter().copied()) {
                    let message = "the entry block's parameters are not the function's";
                    self.error(Some(func.entry()), None, message);
                }
            }
            EntryKind::Osr { regs, .. } => {
                if regs.len() != params.len() {
                    let message = "the entry block's parameters are not the registers of the loop";
                    self.error(Some(func.entry()), None, message);
                }
            }
            EntryKind::AnyLoop => {
                let message = "SSA form is entered by calls or at one loop";
                self.error(Some(func.entry()), None, message);
            }
        }
    }

    /// Where each register is defined.
    fn definitions(&mut self) -> Vec<Option<Definition>> {
        let func = self.func;
        let mut definitions: Vec<Option<Definition>> = vec![None; func.regs.len()];
        let mut define = |checker: &mut Self, reg: Reg, at: Definition, inst: Option<Inst>| {
            if definitions[reg.as_u32() as usize].replace(at).is_some() {
                let message = format!("`{}` is defined twice", checker.reg_name(reg));
                checker.error(Some(at.0), inst, message);
            }
        };
        for block in func.block_order() {
            for &param in &func.blocks[block].params {
                define(self, param, (block, 0), None);
            }
            for (i, &inst) in func.blocks[block].insts.iter().enumerate() {
                for &result in &func.insts[inst].results {
                    define(self, result, (block, i + 1), Some(inst));
                }
            }
        }
        definitions
    }

    fn target_args(&mut self, block: Block, inst: Inst) {
        let func = self.func;
        for target in &func.insts[inst].targets {
            let params = &func.blocks[target.block].params;
            if params.len() != target.args.len() {
                let (wanted, found) = (params.len(), target.args.len());
                let message = format!("{} has {wanted} parameters, found {found}", target.block);
                self.error(Some(block), Some(inst), message);
                continue;
            }
            for (i, (&param, &arg)) in params.iter().zip(&target.args).enumerate() {
                let (wanted, found) = (func.regs[param], func.regs[arg]);
                if wanted != found {
                    let name = self.reg_name(arg);
                    let message = format!(
                        "expected {wanted}, found {found} (argument {} of {}, `{name}`)",
                        i + 1,
                        target.block
                    );
                    self.error(Some(block), Some(inst), message);
                }
            }
        }
    }
}
