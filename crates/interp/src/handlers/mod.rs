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
use cupola_ir::{Op, PureOp, memory as mem, pure};

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

macro_rules! tables {
    (
        pure { $($(#[$pdoc:meta])* $P:ident $ptext:literal ($($A:ident),+) -> $R:ident [$($pflag:ident)*] = $eval:expr;)* }
        load { $($(#[$ldoc:meta])* $L:ident $ltext:literal $RL:ident $rltext:literal $LT:ident $lmem:ident;)* }
        store { $($(#[$sdoc:meta])* $S:ident $stext:literal $RS:ident $rstext:literal $ST:ident $smem:ident;)* }
        special { $($special:tt)* }
    ) => {
        /// The handlers of a pure opcode.
        pub(crate) fn pure_op(op: Op) -> Option<&'static PureForms> {
            match op {
                $(Op::$P => Some(const { &pure_forms::<pure::$P>() }),)*
                _ => None,
            }
        }

        /// The handlers of a load or store.
        pub(crate) fn memory_op(op: Op) -> Option<&'static MemoryForms> {
            match op {
                $(Op::$L | Op::$RL => Some(&MemoryForms {
                    near: memory::load::<mem::$L>,
                    far: memory::load_far::<mem::$L>,
                    raw: memory::load_raw::<mem::$L>,
                }),)*
                $(Op::$S | Op::$RS => Some(&MemoryForms {
                    near: memory::store::<mem::$S>,
                    far: memory::store_far::<mem::$S>,
                    raw: memory::store_raw::<mem::$S>,
                }),)*
                _ => None,
            }
        }
    };
}

cupola_ir::for_each_op!(tables);
