//! Cupola's optimizer: from the register form of a function and its profile to optimized SSA form.
#![forbid(unsafe_code)]

mod env;
pub mod inline;
pub mod loops;
pub mod speculate;
pub mod ssa;

pub use env::{
    OptEnv, OptError, OptOptions, OptRequest, Optimized, PassTiming, Profile, SiteProfile, Trace,
};
