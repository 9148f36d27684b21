//! The handlers, and the tables by which the encoder finds those that come from the opcode table.
//!
//! Handlers are generic over the operation: a row of the opcode table becomes its forms (all
//! operands in registers; the last one a constant; fused with a branch if it is a comparison)
//! without an edit here.

pub(crate) mod branch;
pub(crate) mod call;
pub(crate) mod memory;
pub(crate) mod plain;
pub(crate) mod services;

use crate::dispatch::Handler;
use branch::Branch;
use cupola_ir::{Op, PureOp, lane, memory as mem, pure};
use memory::Access;

/// The handlers of a pure operation.
pub(crate) struct PureForms {
    /// All operands in registers.
    pub regs: Handler,
    /// The last operand is a constant.
    pub imm: Handler,
    /// Fused with a branch, if it is a comparison.
    pub branch: Option<[BranchForms; 2]>,
}

/// Branches on a condition: taken if it does not hold, taken if it holds; to a block further on,
/// or to a loop header, counted.
pub(crate) type BranchForms = [[Handler; 2]; 2];

/// The handlers of a load or store.
pub(crate) struct MemoryForms {
    /// In the first memory, with a constant offset of 32 bits.
    pub near: Handler,
    /// In any memory, with any constant offset.
    pub far: Handler,
    /// At a host address.
    pub raw: Handler,
}

const fn branch_forms<B: Branch>() -> BranchForms {
    [
        [branch::branch::<B, false, false>, branch::branch::<B, false, true>],
        [branch::branch::<B, true, false>, branch::branch::<B, true, true>],
    ]
}

/// The branches on the value of a register.
pub(crate) const BRANCH_IF: BranchForms = branch_forms::<branch::NonZero>();

const fn pure_forms<P: PureOp>() -> PureForms {
    PureForms {
        regs: plain::regs::<P>,
        imm: plain::imm::<P>,
        branch: if P::OP.is_compare() {
            Some([
                branch_forms::<branch::Compare<P, false>>(),
                branch_forms::<branch::Compare<P, true>>(),
            ])
        } else {
            None
        },
    }
}

const fn memory_forms<A: Access>() -> MemoryForms {
    MemoryForms { near: memory::near::<A>, far: memory::far::<A>, raw: memory::raw::<A> }
}

macro_rules! tables {
    (
        pure { $($(#[$pdoc:meta])* $P:ident $ptext:literal ($($A:ident),+) -> $R:ident [$($pflag:ident)*] = $eval:expr;)* }
        lane { $($(#[$vdoc:meta])* $V:ident $vtext:literal ($($VA:ident),+) -> $VR:ident [$lanes:literal] = $veval:expr;)* }
        load { $($(#[$ldoc:meta])* $L:ident $ltext:literal $RL:ident $rltext:literal $LT:ident $lmem:ty = $leval:expr;)* }
        store { $($(#[$sdoc:meta])* $S:ident $stext:literal $RS:ident $rstext:literal $ST:ident $smem:ty = $seval:expr;)* }
        load_lane { $($(#[$lldoc:meta])* $LL:ident $lltext:literal $RLL:ident $rlltext:literal $LLT:ident $llmem:ty = $lleval:expr;)* }
        store_lane { $($(#[$sldoc:meta])* $SL:ident $sltext:literal $RSL:ident $rsltext:literal $SLT:ident $slmem:ty = $sleval:expr;)* }
        special { $($special:tt)* }
    ) => {
        /// The handlers of a pure opcode without an immediate.
        pub(crate) fn pure_op(op: Op) -> Option<&'static PureForms> {
            match op {
                $(Op::$P => Some(const { &pure_forms::<pure::$P>() }),)*
                _ => None,
            }
        }

        /// The handler of an opcode on a lane.
        pub(crate) fn lane_op(op: Op) -> Option<Handler> {
            match op {
                $(Op::$V => Some(plain::lane::<lane::$V>),)*
                _ => None,
            }
        }

        /// The handlers of a load or store.
        pub(crate) fn memory_op(op: Op) -> Option<&'static MemoryForms> {
            match op {
                $(Op::$L | Op::$RL => Some(const { &memory_forms::<memory::Load<mem::$L>>() }),)*
                $(Op::$S | Op::$RS => Some(const { &memory_forms::<memory::Store<mem::$S>>() }),)*
                $(Op::$LL | Op::$RLL => {
                    Some(const { &memory_forms::<memory::LoadLane<mem::$LL>>() })
                })*
                $(Op::$SL | Op::$RSL => {
                    Some(const { &memory_forms::<memory::StoreLane<mem::$SL>>() })
                })*
                _ => None,
            }
        }
    };
}

cupola_ir::for_each_op!(tables);
