//! What the interpreter needs to go on at a call or a dialect instruction, kept beside the function
//! while it is inlined into and specialized.
//!
//! A frame state inside an inlined callee has a frame for each caller, with the registers that are
//! live across the call; a specialized dialect operation resumes at the operation itself. The
//! values of those registers are known during construction only, and listing them as operands would
//! get in the way of every pass. So they stand in a table of which no pass knows: inlining and
//! specialization run first, on the function as it was constructed, and then drop the table.

use cupola_ir::{Block, Function, Inst, Op, Reg};
use std::ops::Range;

/// Where the interpreter goes on, and with what, if code leaves at an instruction.
#[derive(Clone, Debug)]
pub struct ResumeState {
    /// The call or dialect instruction in the SSA form.
    pub inst: Inst,
    /// The same instruction in the register form.
    pub source: Inst,
    values: Range<u32>,
}

/// The resume states of a function's calls and dialect instructions.
#[derive(Clone, Debug, Default)]
pub struct SsaInfo {
    states: Vec<ResumeState>,
    values: Vec<(Reg, Reg)>,
}

impl SsaInfo {
    /// All states, in the order of their SSA instructions.
    pub fn states(&self) -> &[ResumeState] {
        &self.states
    }

    /// The state of an instruction of the SSA form.
    pub fn state(&self, inst: Inst) -> Option<&ResumeState> {
        let index = self.states.binary_search_by_key(&inst, |state| state.inst).ok()?;
        Some(&self.states[index])
    }

    /// The registers of the register form, by index, with the values that they have. For a call:
    /// the registers live across it, its results not among them; the frame waits for the call's
    /// results. For a dialect instruction: the registers live before it; the frame executes it.
    pub fn values(&self, state: &ResumeState) -> &[(Reg, Reg)] {
        &self.values[state.values.start as usize..state.values.end as usize]
    }

    /// Every value that a state mentions, to be replaced.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Reg> {
        self.values.iter_mut().map(|(_, value)| value)
    }

    /// The register-form instruction of every state, to be replaced.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = &mut Inst> {
        self.states.iter_mut().map(|state| &mut state.source)
    }

    /// Gives `inst`, which is greater than those that have a state, the state of `like`.
    pub fn share(&mut self, inst: Inst, like: Inst) {
        debug_assert!(self.states.last().is_none_or(|last| last.inst < inst));
        let state = self.state(like).map(|state| ResumeState { inst, ..state.clone() });
        self.states.extend(state);
    }

    /// Adds the state of `inst`, which is greater than those added before.
    pub(super) fn push(
        &mut self,
        inst: Inst,
        source: Inst,
        values: impl Iterator<Item = (Reg, Reg)>,
    ) {
        debug_assert!(self.states.last().is_none_or(|last| last.inst < inst));
        let start = self.values.len() as u32;
        self.values.extend(values);
        self.states.push(ResumeState { inst, source, values: start..self.values.len() as u32 });
    }
}

/// Whether a resume state is kept for an instruction.
pub(super) fn has_resume_state(op: Op) -> bool {
    matches!(op, Op::Call | Op::CallIndirect | Op::Dialect)
}

/// The live registers at the calls and dialect instructions of a block, as [`SsaInfo::values`]
/// lists them, in the order of the instructions. `live_out` are the registers live at its end.
pub(super) fn live_at_resume_points(
    body: &Function,
    block: Block,
    live_out: impl Iterator<Item = Reg>,
) -> Vec<(Inst, Vec<Reg>)> {
    let mut live = vec![0u64; body.regs.len().div_ceil(64)];
    let place = |reg: Reg| (reg.as_u32() as usize / 64, 1u64 << (reg.as_u32() % 64));
    for reg in live_out {
        let (word, bit) = place(reg);
        live[word] |= bit;
    }
    let mut found = Vec::new();
    for &inst in body.blocks[block].insts.iter().rev() {
        let data = &body.insts[inst];
        for &result in &data.results {
            let (word, bit) = place(result);
            live[word] &= !bit;
        }
        if has_resume_state(data.op) && data.op != Op::Dialect {
            found.push((inst, members(&live)));
        }
        for used in data.uses() {
            let (word, bit) = place(used);
            live[word] |= bit;
        }
        if data.op == Op::Dialect {
            found.push((inst, members(&live)));
        }
    }
    found.reverse();
    found
}

fn members(set: &[u64]) -> Vec<Reg> {
    let mut regs = Vec::new();
    for (word, &bits) in set.iter().enumerate() {
        let mut rest = bits;
        while rest != 0 {
            regs.push(Reg::from_u32(word as u32 * 64 + rest.trailing_zeros()));
            rest &= rest - 1;
        }
    }
    regs
}
