//! Instructions.

use crate::entities::{
    Block, DialectOpId, FrameStateId, FuncId, GlobalId, InlineSite, MemId, Reg, SigId, SiteId,
    TableId,
};
use crate::op::{Op, V128};
use crate::trap::TrapCode;
use crate::types::Type;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A place in the program's source, as the front end encodes it ([`LocStyle`](crate::LocStyle) of
/// the module says how); 0 is unknown.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct SrcLoc(pub u32);

impl SrcLoc {
    /// No place known.
    pub const UNKNOWN: SrcLoc = SrcLoc(0);
    const COLUMN_BITS: u32 = 10;

    /// A place by line and column, both counted from 1; columns above 1023 are cut to 1023.
    pub fn line_column(line: u32, column: u32) -> SrcLoc {
        let max = (1 << Self::COLUMN_BITS) - 1;
        SrcLoc(line.min(u32::MAX >> Self::COLUMN_BITS) << Self::COLUMN_BITS | column.min(max))
    }

    /// Line and column of a place made by [`SrcLoc::line_column`].
    pub fn to_line_column(self) -> (u32, u32) {
        (self.0 >> Self::COLUMN_BITS, self.0 & ((1 << Self::COLUMN_BITS) - 1))
    }
}

/// A branch target with the values for the target's block parameters (none in register form).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The block.
    pub block: Block,
    /// One value for each of its parameters.
    pub args: SmallVec<[Reg; 4]>,
}

impl Target {
    /// A target without arguments.
    pub fn new(block: Block) -> Target {
        Target { block, args: SmallVec::new() }
    }
}

/// Memory and constant offset of a load or store.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemArg {
    /// The linear memory; not looked at by raw accesses.
    pub memory: MemId,
    /// Added to the address operand, without wrapping around for linear memory; for raw accesses
    /// it is at most `i32::MAX`.
    pub offset: u64,
}

/// The immediate of an instruction; the opcode's format says which it has.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Imm {
    /// None.
    None,
    /// The bits of a constant of one slot, laid out like it ([`SlotValue`](crate::SlotValue)).
    Bits(u64),
    /// The bytes of a vector constant.
    V128(V128),
    /// The number of a lane.
    Lane(u8),
    /// The numbers of the lanes that a shuffle chooses.
    Shuffle(V128),
    /// Of loads and stores.
    Mem(MemArg),
    /// Of loads and stores of a lane: its number.
    MemLane(MemArg, u8),
    /// Of memory operations.
    Memory(MemId),
    /// Of accesses to globals.
    Global(GlobalId),
    /// Of direct calls.
    Func(FuncId),
    /// Of calls of references.
    Sig(SigId),
    /// Of operations on tables.
    Table(TableId),
    /// Of comparisons of a table's slot with a function.
    TableFunc(TableId, FuncId),
    /// Of indirect calls: signature, table, feedback site.
    Indirect(SigId, TableId, SiteId),
    /// Of dialect instructions: operation, feedback site.
    Dialect(DialectOpId, SiteId),
    /// Of traps.
    Trap(TrapCode),
    /// Of deoptimizations.
    FrameState(FrameStateId),
}

impl Imm {
    /// The constant of type `ty` with these bits: those of a slot ([`SlotValue`](crate::SlotValue)),
    /// or of both slots of a vector.
    pub fn constant(ty: Type, bits: u128) -> Imm {
        match ty {
            Type::V128 => Imm::V128(bits.to_le_bytes()),
            _ => Imm::Bits(bits as u64),
        }
    }

    /// The bits of a constant.
    pub fn constant_bits(self) -> Option<u128> {
        match self {
            Imm::Bits(bits) => Some(bits.into()),
            Imm::V128(bytes) => Some(u128::from_le_bytes(bytes)),
            _ => None,
        }
    }

    /// Memory and offset of a load or store.
    pub fn mem(self) -> Option<MemArg> {
        match self {
            Imm::Mem(mem) | Imm::MemLane(mem, _) => Some(mem),
            _ => None,
        }
    }
}

// Instructions are many.
const _: () = assert!(size_of::<Imm>() == 24);

/// An instruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstData {
    /// The opcode.
    pub op: Op,
    /// The operands.
    pub args: SmallVec<[Reg; 4]>,
    /// The results.
    pub results: SmallVec<[Reg; 2]>,
    /// The immediate.
    pub imm: Imm,
    /// The targets of a branch.
    pub targets: Vec<Target>,
    /// Where it stands in the program's source.
    pub loc: SrcLoc,
    /// In SSA form: which inlined call it was copied from, if any.
    pub inline_site: Option<InlineSite>,
}

impl InstData {
    /// An instruction without immediate, targets and source position.
    pub fn new(op: Op, args: &[Reg], results: &[Reg]) -> InstData {
        InstData {
            op,
            args: SmallVec::from_slice(args),
            results: SmallVec::from_slice(results),
            imm: Imm::None,
            targets: Vec::new(),
            loc: SrcLoc::UNKNOWN,
            inline_site: None,
        }
    }

    /// The same with this immediate.
    pub fn with_imm(mut self, imm: Imm) -> InstData {
        self.imm = imm;
        self
    }

    /// The same with these targets.
    pub fn with_targets(mut self, targets: Vec<Target>) -> InstData {
        self.targets = targets;
        self
    }

    /// The same at this source position.
    pub fn with_loc(mut self, loc: SrcLoc) -> InstData {
        self.loc = loc;
        self
    }

    /// Every register the instruction reads: operands, then arguments of the targets.
    pub fn uses(&self) -> impl Iterator<Item = Reg> + '_ {
        self.args.iter().chain(self.targets.iter().flat_map(|t| &t.args)).copied()
    }

    /// Every register the instruction reads, to be replaced.
    pub fn uses_mut(&mut self) -> impl Iterator<Item = &mut Reg> + '_ {
        self.args.iter_mut().chain(self.targets.iter_mut().flat_map(|t| &mut t.args))
    }

    /// The blocks it may branch to, in order, with repetitions.
    pub fn successors(&self) -> impl DoubleEndedIterator<Item = Block> + '_ {
        self.targets.iter().map(|t| t.block)
    }
}
