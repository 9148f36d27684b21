//! Cupola's optimizer: from the register form of a function and its profile to optimized SSA form.
//!
//! [`optimize`] is the whole way: SSA construction ([`ssa`]) with inlining ([`inline`]) and
//! speculation ([`speculate`]), then the passes of a pipeline ([`passes`], [`loops`]), then block
//! layout ([`layout`]). [`destruct`] leads back to the register form, so that every pass can be
//! tested in the interpreter. Nothing here knows a tier or a code generator.
#![forbid(unsafe_code)]

pub mod destruct;
mod driver;
mod env;
pub mod inline;
pub mod layout;
pub mod loops;
pub mod passes;
pub mod speculate;
pub mod ssa;

pub use driver::optimize;
pub use env::{
    OptEnv, OptError, OptOptions, OptRequest, Optimized, PassTiming, Polls, Profile, SiteProfile,
    Trace,
};
pub use passes::{PASSES, Pass, Pipeline};
