//! Cupola's instruction set: one table of opcodes, functions in register form and in SSA form,
//! modules, text format, builder, verifier.
//!
//! Front ends build a [`Module`] and give its functions in register form
//! ([`FunctionBuilder`], [`Bodies`]); T0 and T1 read that form. The optimizer turns it into SSA
//! form, which T2 and T3 read. Both forms are the same [`Function`] with the same instructions.
#![forbid(unsafe_code)]

pub mod analysis;
mod builder;
mod bytes;
mod entities;
mod function;
mod inst;
mod manual;
mod module;
mod op;
pub mod text;
mod trap;
mod types;
pub mod verify;

pub use builder::FunctionBuilder;
pub use bytes::SharedBytes;
pub use entities::{
    Block, DialectOpId, FrameStateId, FuncId, GlobalId, InlineSite, Inst, LoopId, MemId, Reg,
    SigId, SiteId, TableId,
};
pub use function::{
    BlockData, DeoptReason, EntryKind, Form, FrameDescr, FrameLayout, FrameState, Function,
    InlinedCall,
};
pub use inst::{Imm, InstData, MemArg, SrcLoc, Target};
pub use manual::ops_manual;
pub use module::{
    Bodies, DataSegment, DialectOpDecl, EagerBodies, FuncDecl, FuncKind, GlobalDecl, ImportName,
    LocStyle, MEMORY_GUARD, MemoryDecl, Module, PAGE_SIZE, RefType, SourcePlace, TableDecl,
};
pub use op::{
    Effects, Format, LaneOp, LoadLaneOp, LoadOp, Op, Operands, PureOp, RegValue, SlotValue, Slots,
    SlotsMut, StoreLaneOp, StoreOp, V128, lane, memory, pure, shuffle,
};
pub use text::{
    Diagnostic, Diagnostics, ParsedModule, parse, parse_bytes, print_function, print_module,
};
pub use trap::TrapCode;
pub use types::{Signature, Type};
pub use verify::{Place, VerifyError, verify_frame_states, verify_function, verify_module};
