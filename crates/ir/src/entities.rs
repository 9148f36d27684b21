//! Newtype indexes of everything a module or a function holds.

use cranelift_entity::entity_impl;
use serde::{Deserialize, Serialize};

macro_rules! entities {
    ($($(#[doc = $doc:literal])* $Name:ident $prefix:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $Name(u32);
        entity_impl!($Name, $prefix);
    )*};
}

entities! {
    /// A basic block of a function.
    Block "block";
    /// A virtual register. In register form it is mutable; in SSA form it is a value, defined
    /// exactly once by a block parameter or an instruction.
    Reg "r";
    /// An instruction of a function. In register form its index is the program counter that
    /// on-stack replacement, deoptimization and backtraces speak of.
    Inst "inst";
    /// A function of a module; imported (host) functions come first or anywhere, in one index space.
    FuncId "func";
    /// A signature of a module.
    SigId "sig";
    /// A linear memory of a module.
    MemId "mem";
    /// A global variable of a module.
    GlobalId "global";
    /// A table of function references of a module.
    TableId "table";
    /// A dialect operation declared by a module.
    DialectOpId "dialect";
    /// A loop of a function: the index of a loop header in `LoopHeaders`.
    LoopId "loop";
    /// A frame state of an SSA-form function: what a failing guard hands to the interpreter.
    FrameStateId "fs";
    /// A feedback site of a function (an indirect call or a dialect instruction).
    SiteId "site";
    /// An entry of a function's table of inlined source positions.
    InlineSite "inl";
}
