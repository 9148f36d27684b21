//! Specialization of dialect instructions.
//!
//! A front end's [`Specializer`] looks at what a site saw and replaces the instruction by core
//! instructions with guards. A guard that fails resumes at the dialect instruction itself, which T0
//! then executes in full; so nothing that can be seen may happen before the last guard.
//!
//! Runs on functions as SSA construction made them, with their resume states, before inlining.
//!
//! With a specializer that turns `toy.half(x)` into a shift where `x` is even:
//!
//! Before:
//! ```text
//! dialect toy.half(i32) -> i32 []
//! func %f(x: i32, k: i32) -> i32 {
//! block0:
//!   h = dialect toy.half(x)
//!   r = i32.add h, k
//!   return r
//! }
//! ```
//! After:
//! ```text
//! dialect toy.half(i32) -> i32 []
//! ssa func %f(x: i32, k: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   odd = i32.and x, one
//!   even = i32.eqz odd
//!   deopt_unless even, specialization [%f inst0 {r0 = x, r1 = k}]
//!   h = i32.shr_u x, one
//!   r = i32.add h, k
//!   return r
//! }
//! ```

use super::Decisions;
use crate::ssa::{Renames, SsaInfo};
use crate::{Profile, SiteProfile};
use cranelift_entity::SecondaryMap;
use cupola_ir::{
    DeoptReason, DialectOpDecl, DialectOpId, Format, FrameDescr, FrameState, FrameStateId, FuncId,
    Function, Imm, Inst, InstData, MemArg, MemId, Module, Op, Reg, TrapCode, Type,
};
use smallvec::SmallVec;

/// Turns dialect instructions into core instructions; what a front end provides.
pub trait Specializer: Send + Sync {
    /// Emits code that does what the instruction does for operands like those that the site saw,
    /// and gives its results; none to leave the instruction as it is.
    fn specialize(&self, cx: &mut SpecializeCx<'_>) -> Option<SmallVec<[Reg; 2]>>;
}

/// A dialect instruction that is being specialized, and what is emitted in its place.
///
/// Emitting something ill-typed, or a guard where none is possible ([`SpecializeCx::may_guard`]),
/// gives the specialization up: the instruction stays.
pub struct SpecializeCx<'a> {
    func: &'a mut Function,
    module: &'a Module,
    inst: Inst,
    id: FuncId,
    profile: SiteProfile,
    /// Where a failing guard resumes, and the registers live there with their values.
    resume: Option<(Inst, &'a [(Reg, Reg)])>,
    constants: &'a mut SecondaryMap<Reg, Option<u64>>,
    emitted: Vec<Inst>,
    state: Option<FrameStateId>,
    stored: bool,
    given_up: bool,
}

impl SpecializeCx<'_> {
    /// The operation.
    pub fn op(&self) -> DialectOpId {
        match self.func.insts[self.inst].imm {
            Imm::Dialect(op, _) => op,
            _ => unreachable!("only dialect instructions are specialized"),
        }
    }

    /// Its declaration.
    pub fn decl(&self) -> &DialectOpDecl {
        &self.module.dialect_ops[self.op()]
    }

    /// The operands.
    pub fn operands(&self) -> SmallVec<[Reg; 4]> {
        self.func.insts[self.inst].args.clone()
    }

    /// What the site saw: the words that the operation's handler keeps; zeros if nothing is known.
    pub fn words(&self) -> [u64; 5] {
        self.profile.words
    }

    /// The type of a value.
    pub fn type_of(&self, value: Reg) -> Type {
        self.func.regs[value]
    }

    /// The slot of a value that is a constant.
    pub fn constant_of(&self, value: Reg) -> Option<u64> {
        self.constants[value]
    }

    /// Whether guards are possible: not where one failed before, not behind a store, and not where
    /// the optimizer is told not to speculate.
    pub fn may_guard(&self) -> bool {
        self.resume.is_some() && !self.stored
    }

    fn push(&mut self, mut data: InstData) {
        let like = &self.func.insts[self.inst];
        (data.loc, data.inline_site) = (like.loc, like.inline_site);
        let inst = self.func.insts.push(data);
        self.emitted.push(inst);
    }

    fn expect(&mut self, holds: bool) {
        self.given_up |= !holds;
    }

    fn expect_type(&mut self, value: Reg, ty: Type) {
        self.expect(self.func.regs[value] == ty);
    }

    /// A constant, given by its slot.
    pub fn constant(&mut self, ty: Type, bits: u64) -> Reg {
        let result = self.func.regs.push(ty);
        self.constants[result] = Some(bits);
        let imm = Imm::constant(ty, bits.into());
        self.push(InstData::new(Op::const_of(ty), &[], &[result]).with_imm(imm));
        result
    }

    /// The result of a pure opcode (those that may trap included).
    pub fn ins(&mut self, op: Op, args: &[Reg]) -> Reg {
        let Some((params, ty)) = op.pure_signature() else {
            self.given_up = true;
            return self.func.regs.push(Type::I32);
        };
        self.expect(params.len() == args.len());
        for (&arg, &param) in args.iter().zip(params) {
            self.expect_type(arg, param);
        }
        let result = self.func.regs.push(ty);
        self.push(InstData::new(op, args, &[result]));
        result
    }

    /// `then` if the i32 `cond` is not zero, else `otherwise`.
    pub fn select(&mut self, cond: Reg, then: Reg, otherwise: Reg) -> Reg {
        let ty = self.func.regs[then];
        self.expect_type(cond, Type::I32);
        self.expect_type(otherwise, ty);
        let result = self.func.regs.push(ty);
        self.push(InstData::new(Op::Select, &[cond, then, otherwise], &[result]));
        result
    }

    /// A raw load.
    pub fn load(&mut self, op: Op, address: Reg, offset: u32) -> Reg {
        self.expect(op.format() == Format::Load && op.is_raw());
        self.expect_type(address, Type::I64);
        let result = self.func.regs.push(op.access().map_or(Type::I32, |(ty, _)| ty));
        let imm = self.raw_access(offset);
        self.push(InstData::new(op, &[address], &[result]).with_imm(imm));
        result
    }

    /// A raw store. No guard can follow.
    pub fn store(&mut self, op: Op, address: Reg, value: Reg, offset: u32) {
        self.expect(op.format() == Format::Store && op.is_raw());
        self.expect_type(address, Type::I64);
        if let Some((ty, _)) = op.access() {
            self.expect_type(value, ty);
        }
        self.stored = true;
        let imm = self.raw_access(offset);
        self.push(InstData::new(op, &[address, value], &[]).with_imm(imm));
    }

    fn raw_access(&mut self, offset: u32) -> Imm {
        self.expect(offset <= i32::MAX as u32);
        Imm::Mem(MemArg { memory: MemId::from_u32(0), offset: u64::from(offset) })
    }

    /// Traps if the i32 `cond` is not zero.
    pub fn trap_if(&mut self, cond: Reg, code: TrapCode) {
        self.expect_type(cond, Type::I32);
        self.push(InstData::new(Op::TrapIf, &[cond], &[]).with_imm(Imm::Trap(code)));
    }

    /// Goes on only if the i32 `cond` is not zero; else the interpreter executes the instruction.
    pub fn guard(&mut self, cond: Reg) {
        self.expect_type(cond, Type::I32);
        let (Some((resume, live)), true) = (self.resume, self.may_guard()) else {
            self.given_up = true;
            return;
        };
        let state = *self.state.get_or_insert_with(|| {
            let regs = live.iter().map(|&(reg, _)| reg).collect();
            let frames = vec![FrameDescr { func: self.id, resume, regs }];
            let reason = DeoptReason::Specialization;
            self.func.frame_states.push(FrameState { frames, reason })
        });
        let mut data =
            InstData::new(Op::DeoptUnless, &[cond], &[]).with_imm(Imm::FrameState(state));
        data.args.extend(live.iter().map(|&(_, value)| value));
        self.push(data);
    }
}

/// Specializes the dialect instructions of `func`, the SSA form of function `id`, whose resume
/// states are `info`. Gives how many were replaced.
pub fn run<'s>(
    func: &mut Function,
    info: &mut SsaInfo,
    (id, module): (FuncId, &Module),
    (decisions, profile): (Decisions<'_>, Option<&Profile>),
    specializer: &dyn Fn(DialectOpId) -> Option<&'s dyn Specializer>,
) -> usize {
    if module.dialect_ops.is_empty() {
        return 0;
    }
    let mut constants = SecondaryMap::new();
    for data in func.insts.values() {
        if let (Imm::Bits(bits), [result]) = (data.imm, data.results.as_slice()) {
            constants[*result] = Some(bits);
        }
    }
    let mut replaced = Vec::new();
    for at in 0..func.layout.len() {
        let block = func.layout[at];
        let has_dialect = |&inst: &Inst| func.insts[inst].op == Op::Dialect;
        if !func.blocks[block].insts.iter().any(has_dialect) {
            continue;
        }
        let old = std::mem::take(&mut func.blocks[block].insts);
        let mut new = Vec::with_capacity(old.len() + 8);
        for inst in old {
            let special = match func.insts[inst].imm {
                Imm::Dialect(op, site) => specializer(op).map(|special| (special, site)),
                _ => None,
            };
            let Some((special, site)) = special else {
                new.push(inst);
                continue;
            };
            let state = info.state(inst).filter(|state| decisions.dialect(state.source));
            let resume = state.map(|state| (state.source, info.values(state)));
            let seen = profile.and_then(|profile| profile.sites.get(site.as_u32() as usize));
            let mut cx = SpecializeCx {
                func,
                module,
                inst,
                id,
                profile: seen.copied().unwrap_or_default(),
                resume,
                constants: &mut constants,
                emitted: Vec::new(),
                state: None,
                stored: false,
                given_up: false,
            };
            let results = special.specialize(&mut cx).filter(|results| cx.accepts(results));
            let emitted = cx.emitted;
            match results {
                Some(results) => {
                    new.extend(emitted);
                    replaced.push((inst, results));
                }
                None => new.push(inst),
            }
        }
        func.blocks[block].insts = new;
    }
    if !replaced.is_empty() {
        let mut renames = Renames::new(func.regs.len());
        for (inst, results) in &replaced {
            for (&from, &to) in func.insts[*inst].results.iter().zip(results) {
                renames.set(from, to);
            }
        }
        renames.apply(func);
        for value in info.values_mut() {
            *value = renames.get(*value);
        }
    }
    replaced.len()
}

impl SpecializeCx<'_> {
    /// Whether what was emitted can stand for the instruction.
    fn accepts(&self, results: &[Reg]) -> bool {
        let wanted = &self.func.insts[self.inst].results;
        !self.given_up
            && wanted.len() == results.len()
            && wanted
                .iter()
                .zip(results)
                .all(|(&a, &b)| a != b && self.func.regs[a] == self.func.regs[b])
    }
}
