//! Opcodes: everything derived from the opcode table.

mod eval;
mod lanes;
mod table;
mod vector;
mod vector_ints;

pub use eval::{
    LaneOp, LoadLaneOp, LoadOp, Operands, PureOp, RegValue, SlotValue, Slots, SlotsMut,
    StoreLaneOp, StoreOp,
};
pub use lanes::{V128, shuffle};

use crate::inst::Imm;

use crate::trap::TrapCode;
use crate::types::Type;
use bitflags::bitflags;
use eval::{EvalFn, LaneFn, Outcome, convert};
use serde::{Deserialize, Serialize};
use std::fmt;

bitflags! {
    /// What executing an instruction may do beyond computing its results. Passes ask for these and
    /// never list opcodes.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub struct Effects: u16 {
        /// May trap.
        const TRAPS = 1 << 0;
        /// Reads linear or raw memory.
        const READS_MEMORY = 1 << 1;
        /// Writes linear or raw memory.
        const WRITES_MEMORY = 1 << 2;
        /// Reads instance state other than memory contents: globals, memory sizes, tables.
        const READS_STATE = 1 << 3;
        /// Writes instance state other than memory contents.
        const WRITES_STATE = 1 << 4;
        /// Runs code that may do anything, including not returning.
        const CALLS = 1 << 5;
        /// May leave for the interpreter; its operands include a frame state.
        const DEOPTS = 1 << 6;
        /// Ends a block.
        const TERMINATOR = 1 << 7;
        /// Asks the engine whether to go on elsewhere, and leaves everything else as it is: what
        /// may be moved across it is as if it were not there. Its operands include a frame state.
        const POLLS = 1 << 8;
    }
}

impl Effects {
    /// Everything that a call of unknown code may do.
    pub const ANY: Effects = Effects::TRAPS
        .union(Effects::READS_MEMORY)
        .union(Effects::WRITES_MEMORY)
        .union(Effects::READS_STATE)
        .union(Effects::WRITES_STATE)
        .union(Effects::CALLS);

    /// Whether an instruction with these effects must stay although nothing uses its results.
    pub fn is_observable(self) -> bool {
        self.intersects(
            Effects::TRAPS
                | Effects::WRITES_MEMORY
                | Effects::WRITES_STATE
                | Effects::CALLS
                | Effects::DEOPTS
                | Effects::TERMINATOR
                | Effects::POLLS,
        )
    }

    /// Whether the result depends on the operands only, and computing it is never observed: such an
    /// instruction may be moved anywhere that its operands dominate, and merged with its equals.
    pub fn is_pure(self) -> bool {
        self.is_empty()
    }

    /// Whether the result depends on the operands only (it may trap): such an instruction may be
    /// merged with an equal one that dominates it, but not be moved up.
    pub fn is_idempotent(self) -> bool {
        (self - Effects::TRAPS).is_empty()
    }
}

/// The shape of an instruction's operands, results and immediates.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Fixed operand types and one result, no immediate.
    Pure,
    /// As `Pure`, with the number of a lane as immediate.
    Lane,
    /// Two vectors; the numbers of 16 lanes as immediate; one vector.
    Shuffle,
    /// Address operand; memory and offset as immediates; one result.
    Load,
    /// Address and value operands; memory and offset as immediates.
    Store,
    /// Address and vector operands; memory, offset and the number of a lane as immediates; one
    /// vector.
    LoadLane,
    /// Address and vector operands; memory, offset and the number of a lane as immediates.
    StoreLane,
    /// An immediate; one result.
    Const,
    /// One operand and one result of the same type.
    Copy,
    /// An i32 and two operands of a type, one result of that type.
    Select,
    /// A memory; one i32 result.
    MemorySize,
    /// A memory, an i32 operand; one i32 result.
    MemoryGrow,
    /// A memory; one i64 result.
    MemoryBase,
    /// A memory; one i64 result.
    MemoryLen,
    /// A global; one result of its type.
    GlobalGet,
    /// A global; one operand of its type.
    GlobalSet,
    /// A function; operands and results after its signature.
    Call,
    /// A signature and a table; operands after the signature, then an index; results after it.
    CallIndirect,
    /// A table of functions; one index; one reference.
    TableGet,
    /// A table of functions, a function; one index; one i32 result.
    TableHolds,
    /// A signature; operands after it, then a reference; results after it.
    CallRef,
    /// A dialect operation; operands and results after its declaration.
    Dialect,
    /// A trap code; one i32 operand.
    TrapIf,
    /// One i32 result.
    DeoptTick,
    /// Neither operands nor results.
    FuelTick,
    /// A frame state; one i32 operand, then the values of the frame state.
    DeoptUnless,
    /// One target.
    Br,
    /// One i32 operand, two targets.
    BrIf,
    /// One i32 operand, one or more targets of which the last is the default.
    BrTable,
    /// Operands after the function's results.
    Return,
    /// A trap code.
    Trap,
    /// A frame state; the values of the frame state.
    Deopt,
}

/// The Rust type of each register type, under the name that the table uses.
mod rust {
    pub type I32 = i32;
    pub type I64 = i64;
    pub type F32 = f32;
    pub type F64 = f64;
    pub type V128 = super::V128;
}

macro_rules! special_format {
    (const) => {
        Format::Const
    };
    (shuffle) => {
        Format::Shuffle
    };
    (copy) => {
        Format::Copy
    };
    (select) => {
        Format::Select
    };
    (memory_size) => {
        Format::MemorySize
    };
    (memory_grow) => {
        Format::MemoryGrow
    };
    (memory_base) => {
        Format::MemoryBase
    };
    (memory_len) => {
        Format::MemoryLen
    };
    (global_get) => {
        Format::GlobalGet
    };
    (global_set) => {
        Format::GlobalSet
    };
    (call) => {
        Format::Call
    };
    (call_indirect) => {
        Format::CallIndirect
    };
    (table_get) => {
        Format::TableGet
    };
    (table_holds) => {
        Format::TableHolds
    };
    (call_ref) => {
        Format::CallRef
    };
    (dialect) => {
        Format::Dialect
    };
    (trap_if) => {
        Format::TrapIf
    };
    (deopt_tick) => {
        Format::DeoptTick
    };
    (fuel_tick) => {
        Format::FuelTick
    };
    (deopt_unless) => {
        Format::DeoptUnless
    };
    (br) => {
        Format::Br
    };
    (br_if) => {
        Format::BrIf
    };
    (br_table) => {
        Format::BrTable
    };
    (return_) => {
        Format::Return
    };
    (trap) => {
        Format::Trap
    };
    (deopt) => {
        Format::Deopt
    };
}

macro_rules! effect {
    (traps) => {
        Effects::TRAPS
    };
    (reads_state) => {
        Effects::READS_STATE
    };
    (writes_state) => {
        Effects::WRITES_STATE
    };
    (writes_memory) => {
        Effects::WRITES_MEMORY
    };
    (calls) => {
        Effects::ANY
    };
    (dialect) => {
        Effects::ANY
    };
    (deopts) => {
        Effects::DEOPTS
    };
    (polls) => {
        Effects::POLLS
    };
    (terminator) => {
        Effects::TERMINATOR
    };
    (commutative) => {
        Effects::empty()
    };
    (compare) => {
        Effects::empty()
    };
}

macro_rules! is_flag {
    (commutative commutative) => {
        true
    };
    (compare compare) => {
        true
    };
    ($want:ident $flag:ident) => {
        false
    };
}

macro_rules! define_ops {
    (
        pure { $($(#[doc = $pdoc:literal])* $P:ident $ptext:literal ($($A:ident),+) -> $R:ident [$($pflag:ident)*] = $eval:expr;)* }
        lane { $($(#[doc = $vdoc:literal])* $V:ident $vtext:literal ($($VA:ident),+) -> $VR:ident [$lanes:literal] = $veval:expr;)* }
        load { $($(#[doc = $ldoc:literal])* $L:ident $ltext:literal $RL:ident $rltext:literal $LT:ident $lmem:ty = $leval:expr;)* }
        store { $($(#[doc = $sdoc:literal])* $S:ident $stext:literal $RS:ident $rstext:literal $ST:ident $smem:ty = $seval:expr;)* }
        load_lane { $($(#[doc = $lldoc:literal])* $LL:ident $lltext:literal $RLL:ident $rlltext:literal $LLT:ident $llmem:ty = $lleval:expr;)* }
        store_lane { $($(#[doc = $sldoc:literal])* $SL:ident $sltext:literal $RSL:ident $rsltext:literal $SLT:ident $slmem:ty = $sleval:expr;)* }
        special { $($(#[doc = $xdoc:literal])* $X:ident $xtext:literal $xformat:tt [$($xflag:ident)*];)* }
    ) => {
        /// An opcode.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum Op {
            $($(#[doc = $pdoc])* $P,)*
            $($(#[doc = $vdoc])* $V,)*
            $($(#[doc = $ldoc])* $L,)*
            $(#[doc = concat!("`", $ltext, "` at a host address.")] $RL,)*
            $($(#[doc = $sdoc])* $S,)*
            $(#[doc = concat!("`", $stext, "` at a host address.")] $RS,)*
            $($(#[doc = $lldoc])* $LL,)*
            $(#[doc = concat!("`", $lltext, "` at a host address.")] $RLL,)*
            $($(#[doc = $sldoc])* $SL,)*
            $(#[doc = concat!("`", $sltext, "` at a host address.")] $RSL,)*
            $($(#[doc = $xdoc])* $X,)*
        }

        impl Op {
            /// All opcodes in the table's order.
            pub const ALL: &'static [Op] = &[
                $(Op::$P,)* $(Op::$V,)* $(Op::$L,)* $(Op::$RL,)* $(Op::$S,)* $(Op::$RS,)*
                $(Op::$LL,)* $(Op::$RLL,)* $(Op::$SL,)* $(Op::$RSL,)* $(Op::$X,)*
            ];

            /// The opcode's name in the text format.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Op::$P => $ptext,)*
                    $(Op::$V => $vtext,)*
                    $(Op::$L => $ltext, Op::$RL => $rltext,)*
                    $(Op::$S => $stext, Op::$RS => $rstext,)*
                    $(Op::$LL => $lltext, Op::$RLL => $rlltext,)*
                    $(Op::$SL => $sltext, Op::$RSL => $rsltext,)*
                    $(Op::$X => $xtext,)*
                }
            }

            /// What the opcode does, for the manual.
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Op::$P => concat!($($pdoc),*),)*
                    $(Op::$V => concat!($($vdoc),*),)*
                    $(Op::$L | Op::$RL => concat!($($ldoc),*),)*
                    $(Op::$S | Op::$RS => concat!($($sdoc),*),)*
                    $(Op::$LL | Op::$RLL => concat!($($lldoc),*),)*
                    $(Op::$SL | Op::$RSL => concat!($($sldoc),*),)*
                    $(Op::$X => concat!($($xdoc),*),)*
                }
            }

            /// The shape of operands, results and immediates.
            pub const fn format(self) -> Format {
                match self {
                    $(Op::$P)|* => Format::Pure,
                    $(Op::$V)|* => Format::Lane,
                    $(Op::$L | Op::$RL)|* => Format::Load,
                    $(Op::$S | Op::$RS)|* => Format::Store,
                    $(Op::$LL | Op::$RLL)|* => Format::LoadLane,
                    $(Op::$SL | Op::$RSL)|* => Format::StoreLane,
                    $(Op::$X => special_format!($xformat),)*
                }
            }

            /// What the opcode may do beyond computing its result. For [`Op::Dialect`] this is
            /// everything; its declaration may say less.
            pub const fn effects(self) -> Effects {
                match self {
                    $(Op::$P => Effects::empty()$(.union(effect!($pflag)))*,)*
                    $(Op::$V)|* => Effects::empty(),
                    $(Op::$L)|* | $(Op::$LL)|* => {
                        Effects::READS_MEMORY.union(Effects::READS_STATE).union(Effects::TRAPS)
                    }
                    $(Op::$RL)|* | $(Op::$RLL)|* => Effects::READS_MEMORY,
                    $(Op::$S)|* | $(Op::$SL)|* => {
                        Effects::WRITES_MEMORY.union(Effects::READS_STATE).union(Effects::TRAPS)
                    }
                    $(Op::$RS)|* | $(Op::$RSL)|* => Effects::WRITES_MEMORY,
                    $(Op::$X => Effects::empty()$(.union(effect!($xflag)))*,)*
                }
            }

            /// Whether the two operands may be swapped.
            pub const fn is_commutative(self) -> bool {
                match self {
                    $(Op::$P => false $(|| is_flag!(commutative $pflag))*,)*
                    _ => false,
                }
            }

            /// Whether the result is a truth value that a branch can be fused with.
            pub const fn is_compare(self) -> bool {
                match self {
                    $(Op::$P => false $(|| is_flag!(compare $pflag))*,)*
                    _ => false,
                }
            }

            /// Operand types and result type of an opcode that is pure, with an immediate
            /// ([`Format::Lane`], [`Format::Shuffle`]) or without.
            pub const fn pure_signature(self) -> Option<(&'static [Type], Type)> {
                match self {
                    $(Op::$P => Some((&[$(Type::$A),+], Type::$R)),)*
                    $(Op::$V => Some((&[$(Type::$VA),+], Type::$VR)),)*
                    Op::I8x16Shuffle => Some((&[Type::V128, Type::V128], Type::V128)),
                    _ => None,
                }
            }

            /// How many lanes the immediate of an opcode chooses from.
            pub const fn lanes(self) -> Option<u8> {
                match self {
                    $(Op::$V => Some($lanes),)*
                    $(Op::$LL | Op::$RLL => Some((16 / size_of::<$llmem>()) as u8),)*
                    $(Op::$SL | Op::$RSL => Some((16 / size_of::<$slmem>()) as u8),)*
                    Op::I8x16Shuffle => Some(32),
                    _ => None,
                }
            }

            /// Computes a pure opcode. `args` are values of the operand types, as
            /// [`Imm::constant_bits`] has them; so is the result. `None` if the opcode is not pure
            /// or the number of operands or the immediate is not right for it.
            pub fn eval(self, imm: Imm, args: &[u128]) -> Option<Result<u128, TrapCode>> {
                fn bits(value: impl RegValue) -> u128 {
                    let mut bits = 0;
                    value.write(&mut bits);
                    bits
                }
                fn pure<P: PureOp>(args: &[u128]) -> Result<u128, TrapCode> {
                    P::eval(P::Args::read(args)).map(bits)
                }
                fn on_lane<L: LaneOp>(args: &[u128], lane: u8) -> Result<u128, TrapCode> {
                    Ok(bits(L::eval(L::Args::read(args), lane)))
                }
                if self.pure_signature()?.0.len() != args.len() {
                    return None;
                }
                match (self, imm) {
                    $((Op::$P, Imm::None) => Some(pure::<pure::$P>(args)),)*
                    $((Op::$V, Imm::Lane(lane)) if lane < $lanes => {
                        Some(on_lane::<lane::$V>(args, lane))
                    })*
                    (Op::I8x16Shuffle, Imm::Shuffle(lanes)) if lanes.iter().all(|&i| i < 32) => {
                        Some(Ok(bits(shuffle(V128::read(args, 0), V128::read(args, 1), lanes))))
                    }
                    _ => None,
                }
            }

            /// Register type of a load or store, and the size in memory in bytes.
            pub const fn access(self) -> Option<(Type, u32)> {
                match self {
                    $(Op::$L | Op::$RL => Some((Type::$LT, size_of::<$lmem>() as u32)),)*
                    $(Op::$S | Op::$RS => Some((Type::$ST, size_of::<$smem>() as u32)),)*
                    $(Op::$LL | Op::$RLL => Some((Type::$LLT, size_of::<$llmem>() as u32)),)*
                    $(Op::$SL | Op::$RSL => Some((Type::$SLT, size_of::<$slmem>() as u32)),)*
                    _ => None,
                }
            }

            /// The same load or store at a host address.
            pub const fn to_raw(self) -> Option<Op> {
                match self {
                    $(Op::$L => Some(Op::$RL),)*
                    $(Op::$S => Some(Op::$RS),)*
                    $(Op::$LL => Some(Op::$RLL),)*
                    $(Op::$SL => Some(Op::$RSL),)*
                    _ => None,
                }
            }

            /// Whether this is a load or store at a host address.
            pub const fn is_raw(self) -> bool {
                matches!(
                    self,
                    $(Op::$RL)|* | $(Op::$RS)|* | $(Op::$RLL)|* | $(Op::$RSL)|*
                )
            }
        }

        /// Each pure opcode as a type, for code that is generic over the operation.
        pub mod pure {
            use super::*;
            $(
                #[doc = concat!("`", $ptext, "`")]
                pub enum $P {}
                impl PureOp for $P {
                    const OP: Op = Op::$P;
                    type Args = ($(rust::$A,)+);
                    type Output = rust::$R;
                    #[inline(always)]
                    fn eval(args: Self::Args) -> Result<Self::Output, TrapCode> {
                        Outcome::<Self::Output>::outcome(EvalFn::apply($eval, args))
                    }
                }
            )*
        }

        /// Each opcode on a lane as a type.
        pub mod lane {
            use super::*;
            $(
                #[doc = concat!("`", $vtext, "`")]
                pub enum $V {}
                impl LaneOp for $V {
                    const OP: Op = Op::$V;
                    type Args = ($(rust::$VA,)+);
                    type Output = rust::$VR;
                    #[inline(always)]
                    fn eval(args: Self::Args, lane: u8) -> Self::Output {
                        LaneFn::apply($veval, args, lane)
                    }
                }
            )*
        }

        /// Each load and store opcode as a type.
        pub mod memory {
            use super::*;
            $(
                #[doc = concat!("`", $ltext, "`")]
                pub enum $L {}
                impl LoadOp for $L {
                    const OP: Op = Op::$L;
                    type Value = rust::$LT;
                    type Memory = $lmem;
                    #[inline(always)]
                    fn load(value: $lmem) -> rust::$LT {
                        convert($leval, value)
                    }
                }
            )*
            $(
                #[doc = concat!("`", $stext, "`")]
                pub enum $S {}
                impl StoreOp for $S {
                    const OP: Op = Op::$S;
                    type Value = rust::$ST;
                    type Memory = $smem;
                    #[inline(always)]
                    fn store(value: rust::$ST) -> $smem {
                        convert($seval, value)
                    }
                }
            )*
            $(
                #[doc = concat!("`", $lltext, "`")]
                pub enum $LL {}
                impl LoadLaneOp for $LL {
                    const OP: Op = Op::$LL;
                    type Memory = $llmem;
                    #[inline(always)]
                    fn load(vector: V128, lane: u8, value: $llmem) -> V128 {
                        $lleval(vector, lane, value)
                    }
                }
            )*
            $(
                #[doc = concat!("`", $sltext, "`")]
                pub enum $SL {}
                impl StoreLaneOp for $SL {
                    const OP: Op = Op::$SL;
                    type Memory = $slmem;
                    #[inline(always)]
                    fn store(vector: V128, lane: u8) -> $slmem {
                        $sleval(vector, lane)
                    }
                }
            )*
        }
    };
}

crate::for_each_op!(define_ops);

impl Op {
    /// The opcode named `name` in the text format.
    pub fn from_name(name: &str) -> Option<Op> {
        use rustc_hash::FxHashMap;
        use std::sync::LazyLock;
        static NAMES: LazyLock<FxHashMap<&'static str, Op>> =
            LazyLock::new(|| Op::ALL.iter().map(|&op| (op.name(), op)).collect());
        NAMES.get(name).copied()
    }

    /// Whether the opcode ends a block.
    pub const fn is_terminator(self) -> bool {
        self.effects().contains(Effects::TERMINATOR)
    }

    /// The constant opcode of a type.
    pub const fn const_of(ty: Type) -> Op {
        match ty {
            Type::I32 => Op::I32Const,
            Type::I64 => Op::I64Const,
            Type::F32 => Op::F32Const,
            Type::F64 => Op::F64Const,
            Type::V128 => Op::V128Const,
            Type::FuncRef => Op::FuncRefConst,
            Type::ExternRef => Op::ExternRefConst,
        }
    }

    /// The type of a constant opcode's result.
    pub const fn const_type(self) -> Option<Type> {
        match self {
            Op::I32Const => Some(Type::I32),
            Op::I64Const => Some(Type::I64),
            Op::F32Const => Some(Type::F32),
            Op::F64Const => Some(Type::F64),
            Op::V128Const => Some(Type::V128),
            Op::FuncRefConst => Some(Type::FuncRef),
            Op::ExternRefConst => Some(Type::ExternRef),
            _ => None,
        }
    }

    /// Whether the opcode may only stand in SSA form.
    pub const fn is_ssa_only(self) -> bool {
        matches!(self, Op::DeoptUnless | Op::Deopt | Op::DeoptTick | Op::FuelTick | Op::OsrPoll)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
