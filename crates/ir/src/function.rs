//! Functions, in register form and in SSA form.

use crate::Module;
use crate::entities::{Block, FrameStateId, FuncId, InlineSite, Inst, Reg};
use crate::inst::{InstData, SrcLoc};
use crate::op::Effects;
use crate::types::{Signature, Type};
use cranelift_entity::PrimaryMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// Which of the two forms a function is in.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// Mutable registers; blocks take no parameters; parameters of the function are its first
    /// registers. What front ends emit and T0 and T1 read.
    Register,
    /// Every register is defined once; blocks take parameters, and the entry block's are the
    /// function's. What T2 and T3 work on.
    Ssa,
}

/// How compiled code of a function is entered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    /// By a call, with the arguments.
    Call,
    /// At a loop header of the register form, with a pointer to a T0 frame's slots. In SSA form,
    /// the entry block's parameters are the values of `regs`, in this order.
    Osr {
        /// The loop header in the register form.
        header: Block,
        /// The registers of the register form that are live there.
        regs: Vec<Reg>,
    },
    /// At any loop header of the register form, with a pointer to a T0 frame's slots and the
    /// loop's number (only code made of register form is entered so).
    AnyLoop,
}

/// One block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlockData {
    /// Its parameters (SSA form only).
    pub params: SmallVec<[Reg; 4]>,
    /// Its instructions, the last of which is the only terminator.
    pub insts: Vec<Inst>,
    /// How often the profile saw it run, where it was counted (SSA form only).
    pub count: Option<u64>,
}

/// One activation in a frame state: the interpreter frame that stands for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameDescr {
    /// The function.
    pub func: FuncId,
    /// In the innermost frame, the instruction of the function's register form to go on with; in
    /// the others, the call instruction whose callee is the next frame, and behind which the
    /// frame goes on once the callee returned.
    pub resume: Inst,
    /// The registers of the register form that are live there. Their values are the operands of
    /// the instruction that holds the frame state, frame after frame, in this order. In a frame
    /// that waits for a call, the call's results are not among them.
    pub regs: Vec<Reg>,
}

/// Why optimized code left for the interpreter.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DeoptReason {
    /// A `guard` instruction of the program failed.
    GuardFailed,
    /// A branch that had never been taken was.
    ColdBranch,
    /// A dialect operation's specialization met operands that it was not made for.
    Specialization,
    /// A test or a person asked for it.
    Forced,
    /// There is code of a higher tier to go on in.
    BetterCode,
}

impl DeoptReason {
    /// All reasons; a reason's index is its `as u8` value.
    pub const ALL: [DeoptReason; 5] = [
        DeoptReason::GuardFailed,
        DeoptReason::ColdBranch,
        DeoptReason::Specialization,
        DeoptReason::Forced,
        DeoptReason::BetterCode,
    ];

    /// Its name in the text format, in events and in statistics.
    pub const fn name(self) -> &'static str {
        match self {
            DeoptReason::GuardFailed => "guard_failed",
            DeoptReason::ColdBranch => "cold_branch",
            DeoptReason::Specialization => "specialization",
            DeoptReason::Forced => "forced",
            DeoptReason::BetterCode => "better_code",
        }
    }
}

/// What a deoptimization hands to the interpreter: one frame for each activation that the code
/// stands for, the outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameState {
    /// The frames; never empty.
    pub frames: Vec<FrameDescr>,
    /// Why the code leaves there.
    pub reason: DeoptReason,
}

impl FrameState {
    /// How many values the frame state takes.
    pub fn value_count(&self) -> usize {
        self.frames.iter().map(|f| f.regs.len()).sum()
    }
}

/// A call that was inlined: where the instructions copied from its callee come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlinedCall {
    /// The call that the caller's copy was itself inlined by, if any.
    pub parent: Option<InlineSite>,
    /// The callee, whose source positions the copied instructions have.
    pub callee: FuncId,
    /// The place of the call in the caller.
    pub call_loc: SrcLoc,
}

/// A function's body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// The form it is in.
    pub form: Form,
    /// How it is entered (register form: by a call).
    pub entry_kind: EntryKind,
    /// Its signature.
    pub sig: Signature,
    /// Types of its registers. In register form the first ones are the parameters.
    pub regs: PrimaryMap<Reg, Type>,
    /// Names of registers for people, where the text gave one; shorter than `regs` if the rest
    /// has none.
    pub reg_names: Vec<Option<String>>,
    /// Its instructions, in no order of meaning; those in no block are dead.
    pub insts: PrimaryMap<Inst, InstData>,
    /// Its blocks; the first is the entry, which no branch may target.
    pub blocks: PrimaryMap<Block, BlockData>,
    /// Blocks in the order in which code is laid out (SSA form; empty: by index). Blocks not
    /// listed are dead.
    pub layout: Vec<Block>,
    /// Frame states (SSA form only).
    pub frame_states: PrimaryMap<FrameStateId, FrameState>,
    /// Inlined calls (SSA form only).
    pub inlined: PrimaryMap<InlineSite, InlinedCall>,
    /// How many feedback sites it has.
    pub num_sites: u32,
}

impl Function {
    /// A function without blocks. In register form the parameters are its first registers.
    pub fn new(form: Form, sig: Signature) -> Function {
        let mut regs = PrimaryMap::new();
        if form == Form::Register {
            for &ty in &sig.params {
                regs.push(ty);
            }
        }
        Function {
            form,
            entry_kind: EntryKind::Call,
            sig,
            regs,
            reg_names: Vec::new(),
            insts: PrimaryMap::new(),
            blocks: PrimaryMap::new(),
            layout: Vec::new(),
            frame_states: PrimaryMap::new(),
            inlined: PrimaryMap::new(),
            num_sites: 0,
        }
    }

    /// The entry block.
    pub fn entry(&self) -> Block {
        Block::from_u32(0)
    }

    /// The live blocks in layout order.
    pub fn block_order(&self) -> Vec<Block> {
        if self.layout.is_empty() { self.blocks.keys().collect() } else { self.layout.clone() }
    }

    /// The last instruction of a block.
    ///
    /// # Panics
    /// If the block is empty; the verifier rejects that.
    pub fn terminator(&self, block: Block) -> Inst {
        *self.blocks[block].insts.last().expect("a verified block ends with a terminator")
    }

    /// The blocks that `block` branches to, in order, with repetitions.
    pub fn successors(&self, block: Block) -> impl DoubleEndedIterator<Item = Block> + '_ {
        self.blocks[block].insts.last().into_iter().flat_map(|&inst| self.insts[inst].successors())
    }

    /// What an instruction may do, with the declaration of dialect operations looked up.
    pub fn effects(&self, inst: Inst, module: &Module) -> Effects {
        self.insts[inst].effects(module)
    }

    /// How many instructions stand in blocks.
    pub fn live_insts(&self) -> usize {
        self.block_order().iter().map(|&b| self.blocks[b].insts.len()).sum()
    }
}

impl InstData {
    /// What the instruction may do, with the declaration of dialect operations looked up.
    pub fn effects(&self, module: &Module) -> Effects {
        match self.imm {
            crate::Imm::Dialect(op, _) => module.dialect_ops[op].effects,
            _ => self.op.effects(),
        }
    }
}

/// The slots of a function's T0 frame: the layout that T0, on-stack replacement and
/// deoptimization agree on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameLayout {
    offsets: Vec<u32>,
    size: u32,
}

impl FrameLayout {
    /// The layout of a register-form function: registers one after the other.
    pub fn of(func: &Function) -> FrameLayout {
        let mut size = 0;
        let offsets = func
            .regs
            .values()
            .map(|ty| {
                let offset = size;
                size += ty.slots();
                offset
            })
            .collect();
        FrameLayout { offsets, size }
    }

    /// The first slot of a register.
    pub fn slot(&self, reg: Reg) -> u32 {
        self.offsets[reg.as_u32() as usize]
    }

    /// All slots of a register.
    pub fn slots(&self, reg: Reg) -> std::ops::Range<u32> {
        let index = reg.as_u32() as usize;
        self.offsets[index]..self.offsets.get(index + 1).copied().unwrap_or(self.size)
    }

    /// How many slots the frame has.
    pub fn size(&self) -> u32 {
        self.size
    }
}
