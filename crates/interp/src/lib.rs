//! T0, the interpreter: the reference semantics of the instruction set, the tier that every
//! function starts in, and the place where deoptimizations land.
//!
//! A function is encoded at its first call ([`Code::encode`]) and runs on a stack of its own
//! ([`T0Stack`]): calls within T0 do not take native stack. [`call`] runs a function, [`resume`]
//! goes on from a deoptimization. What an opcode does is its evaluation function in the opcode
//! table; nothing here restates it.

//!
//! # Dispatch
//!
//! An instruction is the address of its handler and its operands in 32-bit words. Handlers keep
//! the machine's state in argument registers and end by calling the next handler; from
//! optimization level 2 on (`build.rs`), LLVM makes jumps of these calls (sibling calls; a test
//! watches the native stack). Below that, handlers return to a loop that calls the next one.
//! Measured on Zen 5, rustc 1.95, medians in one interleaved run, in ms, for fib(30), a nest of
//! 2,000 × 1,000 additions, and a sieve of 1,000,000 (clang-16 -O3 takes 1.58 for fib(30)):
//!
//! | | fib | nest | sieve |
//! |---|---|---|---|
//! | handlers that jump to the next, by address | 12.2 | 4.2 | 10.3 |
//! | a loop with one `match` of all handlers' bodies | 17.7 | 7.9 | 14.6 |
//! | a loop that calls handlers | 19.8 | 11.6 | 25.4 |
//!
//! Naming handlers by 32-bit distances instead of addresses made code 20% smaller and the nest and
//! the sieve 4 to 5% slower.
//!
//! # What it does not do
//!
//! No superinstructions but those that the [encoder](Code::encode) derives from the opcode table
//! (constant operands, comparisons in branches, copies), no caching of registers in machine
//! registers, no inlining. Registers of type float or integer are all the same to it.

mod code;
mod dispatch;
mod encode;
mod entry;
mod handlers;
mod stack;

pub use code::Code;
pub use entry::{call, resume};
pub use stack::T0Stack;
