//! Cupola, a tiered JIT compilation engine.
//!
//! A front end hands over a [`Module`] in register form ([`cupola_ir`]). An [`Instance`] of it in a
//! [`Store`] starts in the interpreter at once; functions that get hot climb, in the background,
//! through the tiers whose code generators were added to the engine's [`Config`], moving while they
//! run (on-stack replacement) and stepping back when a guess turns out wrong (deoptimization).
//! [`Module::report`] and the [`events`] say what ran in which tier, and why.

mod code;
mod compile;
mod engine;
mod error;
pub mod events;
mod host;
mod manage;
mod memory;
mod module;
mod names;
#[cfg(feature = "llvm")]
mod peak;
pub mod policy;
mod queue;
mod region;
mod report;
mod services;
pub mod stats;
mod store;
pub mod stress;
mod ticker;
pub mod tuning;
mod value;

pub use cupola_ir as ir;
pub use cupola_opt::speculate::{SpecializeCx, Specializer};
pub use cupola_opt::{OptOptions, Profile};
pub use cupola_runtime::{CodeGenerator, CodegenOptions, Frame, SiteFeedback, Tier};
pub use engine::{Config, Engine, Mode};
pub use error::{Error, ExecutionTrap, MissingImport, TrapCause};
pub use host::{DialectCall, DialectOp, Dialects, Extern, HostError, HostResult, Imports};
pub use module::Module;
pub use smallvec::{SmallVec, smallvec};
pub use store::{
    AsStore, AsStoreMut, Caller, ExternRef, Func, Global, Instance, InterruptHandle, Memory, Ref,
    Store, StoreRef, Table, TypedFunc,
};
pub use value::{HostValue, Value, ValueList};
