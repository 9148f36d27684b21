//! Frame states and loop entries against the register forms that they speak of.

use super::Checker;
use crate::analysis::{Cfg, Liveness};
use crate::entities::{Block, FuncId, Inst, Reg};
use crate::function::{EntryKind, FrameDescr, Function};
use crate::inst::Imm;
use crate::module::Bodies;
use crate::op::Op;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A register form, with what has to be known to check frames of it.
struct RegisterForm {
    func: Arc<Function>,
    liveness: Liveness,
    /// The block of each instruction.
    block_of: Vec<Option<Block>>,
}

impl RegisterForm {
    fn new(func: Arc<Function>) -> RegisterForm {
        let liveness = Liveness::compute(&func, &Cfg::compute(&func));
        let mut block_of = vec![None; func.insts.len()];
        for (block, data) in func.blocks.iter() {
            for &inst in &data.insts {
                block_of[inst.as_u32() as usize] = Some(block);
            }
        }
        RegisterForm { func, liveness, block_of }
    }

    /// The block of an instruction, and the registers live before it, or behind it but for its
    /// results.
    fn live_at(&self, inst: Inst, waiting: bool) -> Option<Vec<Reg>> {
        let block = (*self.block_of.get(inst.as_u32() as usize)?)?;
        Some(match waiting {
            true => self.liveness.live_across(&self.func, block, inst),
            false => self.liveness.live_before(&self.func, block, inst),
        })
    }
}

impl Checker<'_> {
    pub(super) fn frame_states(&mut self, bodies: &dyn Bodies) {
        let mut forms: FxHashMap<FuncId, Option<RegisterForm>> = FxHashMap::default();
        let mut form_of = |func: FuncId| {
            forms.entry(func).or_insert_with(|| bodies.body(func).ok().map(RegisterForm::new));
        };
        let func = self.func;
        form_of(self.id);
        for state in func.frame_states.values() {
            state.frames.iter().for_each(|frame| form_of(frame.func));
        }
        let form = |func: FuncId| forms.get(&func).and_then(Option::as_ref);
        if let (EntryKind::Osr { header, regs }, Some(form)) = (&func.entry_kind, form(self.id)) {
            self.loop_entry(form, *header, regs);
        }
        for block in func.block_order() {
            for &inst in &func.blocks[block].insts {
                let data = &func.insts[inst];
                let Imm::FrameState(state) = data.imm else { continue };
                let frames = &func.frame_states[state].frames;
                let mut values = &data.args[usize::from(data.op == Op::DeoptUnless)..];
                for (i, frame) in frames.iter().enumerate() {
                    let (own, rest) = values.split_at(frame.regs.len().min(values.len()));
                    values = rest;
                    let Some(form) = form(frame.func) else { continue };
                    if let Err(message) = self.frame(form, frame, own, frames.get(i + 1)) {
                        let name = self.module.func_name(frame.func);
                        let message = format!("frame {i} (%{name}): {message}");
                        self.error(Some(block), Some(inst), message);
                    }
                }
            }
        }
    }

    fn loop_entry(&mut self, form: &RegisterForm, header: Block, regs: &[Reg]) {
        let entry = self.func.entry();
        if !form.func.blocks.is_valid(header) {
            self.error(Some(entry), None, format!("the loop header {header} does not exist"));
            return;
        }
        let live: Vec<Reg> = form.liveness.live_in(header).collect();
        let values = &self.func.blocks[entry].params;
        if let Err(message) = self.registers(form, regs, values, &live) {
            self.error(Some(entry), None, format!("entry at {header}: {message}"));
        }
    }

    fn frame(
        &self,
        form: &RegisterForm,
        frame: &FrameDescr,
        values: &[Reg],
        callee: Option<&FrameDescr>,
    ) -> Result<(), String> {
        let resume = frame.resume;
        let live = form.live_at(resume, callee.is_some());
        let live = live.ok_or_else(|| format!("{resume} does not exist in its register form"))?;
        if let Some(callee) = callee {
            let call = &form.func.insts[resume];
            let is_call = match call.imm {
                Imm::Func(func) => call.op == Op::Call && func == callee.func,
                Imm::Indirect(..) | Imm::Sig(_) => true,
                _ => false,
            };
            if !is_call {
                let name = self.module.func_name(callee.func);
                return Err(format!("{resume} is not a call of %{name}, but `{}`", call.op));
            }
            if let Some(result) = call.results.iter().find(|&result| frame.regs.contains(result)) {
                return Err(format!("{result} is a result of the call that the frame waits for"));
            }
        }
        self.registers(form, &frame.regs, values, &live)
    }

    /// The registers exist, none is listed twice, their values have their types, and those that
    /// are live are listed.
    fn registers(
        &self,
        form: &RegisterForm,
        regs: &[Reg],
        values: &[Reg],
        live: &[Reg],
    ) -> Result<(), String> {
        let mut sorted = regs.to_vec();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("{} is listed twice", twice[0]));
        }
        for (&reg, &value) in regs.iter().zip(values) {
            let Some(&wanted) = form.func.regs.get(reg) else {
                return Err(format!("{reg} does not exist in its register form"));
            };
            let found = self.func.regs[value];
            if wanted != found {
                let name = self.reg_name(value);
                return Err(format!("expected {wanted}, found {found} (value of {reg}, `{name}`)"));
            }
        }
        match live.iter().find(|&reg| sorted.binary_search(reg).is_err()) {
            Some(missing) => Err(format!("{missing} is live there, but not listed")),
            None => Ok(()),
        }
    }
}
