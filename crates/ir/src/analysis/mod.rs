//! Analyses that tiers and passes share.

mod cfg;
mod liveness;
mod loops;

pub use cfg::Cfg;
pub use liveness::Liveness;
pub use loops::LoopHeaders;
