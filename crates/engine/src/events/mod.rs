//! What the engine decides, as events on one bounded stream.
//!
//! The stream is lossy: who emits never waits, and an event that finds it full is counted and
//! gone. So events are for logs and traces; figures that must be right are kept in
//! [`FuncStats`](crate::stats::FuncStats). While nobody listens, an event costs one relaxed load
//! and is not even made.

mod log;
mod stream;

pub use log::{EventLog, Names};
pub use stream::EventStream;

use cupola_ir::{DeoptReason, FuncId, LoopId, SrcLoc};
use cupola_runtime::Tier;
use serde::{Deserialize, Serialize};

pub use crate::policy::EntryPoint;

/// Something that the engine did or decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds since the engine started.
    pub time_ns: u64,
    /// The module, by the number that the engine gave it.
    pub module: u32,
    /// The function.
    pub func: FuncId,
    /// What.
    pub kind: EventKind,
}

/// Kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The function was called for the first time: its body was translated and encoded for T0.
    Translated {
        /// How long that took, in microseconds.
        micros: u64,
    },
    /// A compilation was queued.
    CompileQueued {
        /// For which tier.
        tier: Tier,
        /// For which entry.
        entry: EntryPoint,
        /// Its priority.
        priority: u32,
    },
    /// A compilation was taken out of the queue, there being no more use for it.
    CompileCancelled {
        /// For which tier it was.
        tier: Tier,
        /// For which entry it was.
        entry: EntryPoint,
    },
    /// A compilation was started.
    CompileStarted {
        /// For which tier.
        tier: Tier,
        /// For which entry.
        entry: EntryPoint,
        /// How long it waited, in microseconds.
        waited_micros: u64,
    },
    /// A compilation was finished.
    CompileFinished {
        /// For which tier.
        tier: Tier,
        /// For which entry.
        entry: EntryPoint,
        /// How long it took, in microseconds.
        micros: u64,
        /// Size of the code.
        bytes: u64,
        /// What generated the code.
        generator: String,
    },
    /// A compilation failed; the function stays where it was.
    CompileFailed {
        /// For which tier.
        tier: Tier,
        /// For which entry.
        entry: EntryPoint,
        /// Why.
        reason: String,
    },
    /// Code was published: calls, or loops, enter it from now on.
    Installed {
        /// Its tier.
        tier: Tier,
        /// For which entry.
        entry: EntryPoint,
        /// What generated it.
        generator: String,
        /// The function in whose unit it was compiled, if several were compiled together.
        unit: Option<FuncId>,
    },
    /// Calls of the function go to a higher tier than before.
    Promoted {
        /// Where they went.
        from: Tier,
        /// Where they go.
        to: Tier,
    },
    /// A running activation went on in better code.
    OsrEntered {
        /// Tier of the code.
        tier: Tier,
        /// The loop at whose header that was.
        loop_id: LoopId,
    },
    /// Compiled code left for the interpreter.
    Deoptimized {
        /// Tier of the code.
        tier: Tier,
        /// Why.
        reason: DeoptReason,
        /// The function whose assumption failed: the event's own, or one inlined into it.
        at: FuncId,
        /// Where in its source.
        loc: SrcLoc,
    },
    /// Code was discarded.
    Invalidated {
        /// Its tier.
        tier: Tier,
        /// For which entry it was.
        entry: EntryPoint,
        /// Why.
        reason: String,
    },
    /// Code had to go to make room for other code.
    Evicted {
        /// Its tier.
        tier: Tier,
        /// For which entry it was.
        entry: EntryPoint,
        /// Its size.
        bytes: u64,
    },
    /// The memory of code that was given up can be used again, no thread being in it any more.
    Reclaimed {
        /// Its tier.
        tier: Tier,
        /// Its size.
        bytes: u64,
    },
    /// The function will not go above a tier again.
    Pinned {
        /// That tier.
        max_tier: Tier,
        /// Why.
        reason: String,
    },
    /// The program trapped; the function is where.
    Trapped {
        /// The tier it ran in.
        tier: Tier,
        /// Why.
        reason: String,
        /// Where in its source.
        loc: SrcLoc,
    },
}

impl EventKind {
    /// Its name in logs.
    pub const fn name(&self) -> &'static str {
        match self {
            EventKind::Translated { .. } => "translated",
            EventKind::CompileQueued { .. } => "queued",
            EventKind::CompileCancelled { .. } => "cancelled",
            EventKind::CompileStarted { .. } => "started",
            EventKind::CompileFinished { .. } => "compiled",
            EventKind::CompileFailed { .. } => "failed",
            EventKind::Installed { .. } => "installed",
            EventKind::Promoted { .. } => "promoted",
            EventKind::OsrEntered { .. } => "osr-entered",
            EventKind::Deoptimized { .. } => "deoptimized",
            EventKind::Invalidated { .. } => "invalidated",
            EventKind::Evicted { .. } => "evicted",
            EventKind::Reclaimed { .. } => "reclaimed",
            EventKind::Pinned { .. } => "pinned",
            EventKind::Trapped { .. } => "trapped",
        }
    }
}
