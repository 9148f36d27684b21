//! Integer operations of both widths under one name, so that each rule is written once.

use cupola_ir::{Op, Type};

macro_rules! int_ops {
    ($($Kind:ident $Narrow:ident $Wide:ident)*) => {
        /// A binary integer operation of either width.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        pub(super) enum IntOp { $($Kind),* }

        /// The operation and the type of its operands.
        pub(super) fn classify(op: Op) -> Option<(IntOp, Type)> {
            match op {
                $(Op::$Narrow => Some((IntOp::$Kind, Type::I32)),)*
                $(Op::$Wide => Some((IntOp::$Kind, Type::I64)),)*
                _ => None,
            }
        }

        impl IntOp {
            /// The opcode for operands of a type.
            pub(super) fn of(self, ty: Type) -> Op {
                match (self, ty) {
                    $((IntOp::$Kind, Type::I32) => Op::$Narrow,)*
                    $((IntOp::$Kind, _) => Op::$Wide,)*
                }
            }
        }
    };
}

int_ops! {
    Add I32Add I64Add
    Sub I32Sub I64Sub
    Mul I32Mul I64Mul
    DivS I32DivS I64DivS
    DivU I32DivU I64DivU
    RemS I32RemS I64RemS
    RemU I32RemU I64RemU
    And I32And I64And
    Or I32Or I64Or
    Xor I32Xor I64Xor
    Shl I32Shl I64Shl
    ShrS I32ShrS I64ShrS
    ShrU I32ShrU I64ShrU
    Rotl I32Rotl I64Rotl
    Rotr I32Rotr I64Rotr
    Eq I32Eq I64Eq
    Ne I32Ne I64Ne
    LtS I32LtS I64LtS
    LtU I32LtU I64LtU
    GtS I32GtS I64GtS
    GtU I32GtU I64GtU
    LeS I32LeS I64LeS
    LeU I32LeU I64LeU
    GeS I32GeS I64GeS
    GeU I32GeU I64GeU
}

impl IntOp {
    /// The same comparison with the operands swapped.
    pub(super) fn mirrored(self) -> Option<IntOp> {
        Some(match self {
            IntOp::Eq | IntOp::Ne => self,
            IntOp::LtS => IntOp::GtS,
            IntOp::LtU => IntOp::GtU,
            IntOp::GtS => IntOp::LtS,
            IntOp::GtU => IntOp::LtU,
            IntOp::LeS => IntOp::GeS,
            IntOp::LeU => IntOp::GeU,
            IntOp::GeS => IntOp::LeS,
            IntOp::GeU => IntOp::LeU,
            _ => return None,
        })
    }

    /// The comparison that is true where this one is false.
    pub(super) fn inverted(self) -> Option<IntOp> {
        Some(match self {
            IntOp::Eq => IntOp::Ne,
            IntOp::Ne => IntOp::Eq,
            IntOp::LtS => IntOp::GeS,
            IntOp::LtU => IntOp::GeU,
            IntOp::GtS => IntOp::LeS,
            IntOp::GtU => IntOp::LeU,
            IntOp::LeS => IntOp::GtS,
            IntOp::LeU => IntOp::GtU,
            IntOp::GeS => IntOp::LtS,
            IntOp::GeU => IntOp::LtU,
            _ => return None,
        })
    }
}

/// The comparison that is true where `op` is false, integer or (only equality) floating point.
pub(super) fn inverted(op: Op) -> Option<Op> {
    match op {
        Op::F32Eq => Some(Op::F32Ne),
        Op::F32Ne => Some(Op::F32Eq),
        Op::F64Eq => Some(Op::F64Ne),
        Op::F64Ne => Some(Op::F64Eq),
        _ => classify(op).and_then(|(kind, ty)| Some(kind.inverted()?.of(ty))),
    }
}

/// Number of bits of an integer type.
pub(super) fn bits(ty: Type) -> u64 {
    u64::from(ty.bytes()) * 8
}

/// All bits of an integer type set.
pub(super) fn all_ones(ty: Type) -> u64 {
    u64::MAX >> (64 - bits(ty))
}

/// The exponent of a power of two.
pub(super) fn log2(value: u64) -> Option<u64> {
    value.is_power_of_two().then(|| u64::from(value.trailing_zeros()))
}
