//! T0, the interpreter: the reference semantics of the instruction set, the tier that every
//! function starts in, and the place where deoptimizations land.
//!
//! A function is encoded at its first call ([`Code::encode`]) and runs on a stack of its own
//! ([`T0Stack`]): calls within T0 do not take native stack. [`call`] runs a function, [`resume`]
//! goes on from a deoptimization. What an opcode does is its evaluation function in the opcode
//! table; nothing here restates it.

mod code;
mod dispatch;
mod encode;
mod entry;
mod handlers;
mod stack;

pub use code::Code;
pub use entry::{call, resume};
pub use stack::T0Stack;
