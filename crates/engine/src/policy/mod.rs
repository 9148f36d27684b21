//! Policy: when to compile what, and when to give code up.
//!
//! A pure module. What goes in is a function's [`FuncState`], one [`PolicyEvent`] (a counter ran
//! out, a deoptimization) and an [`Environment`] that holds everything else a decision may depend
//! on, the time included; what comes out is a [`Decision`]. It knows nothing of code generation,
//! reads no clock and starts nothing, so that a recorded stream of events gives the same decisions
//! when it is replayed; all of these types can be serialized for that.
//!
//! The engine does what is decided and tells the function's state what became of it
//! ([`FuncState::queued`] and the methods beside it).

mod state;
#[cfg(test)]
mod tests;
mod threshold;

pub use state::{EntryPoint, EntryState, FuncState, Heat, LoopState, Phase, Pin};
pub use threshold::ThresholdPolicy;

use cupola_ir::{DeoptReason, LoopId};
use cupola_runtime::Tier;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// A set of tiers.
#[derive(Copy, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierSet(u8);

impl TierSet {
    /// No tier.
    pub const EMPTY: TierSet = TierSet(0);

    /// The set with `tier` added.
    #[must_use]
    pub const fn with(self, tier: Tier) -> TierSet {
        TierSet(self.0 | 1 << tier as u8)
    }

    /// The set of the tiers from T0 up to `tier`.
    pub const fn up_to(tier: Tier) -> TierSet {
        TierSet((1 << (tier as u8 + 1)) - 1)
    }

    /// Adds a tier.
    pub fn insert(&mut self, tier: Tier) {
        *self = self.with(tier);
    }

    /// Whether `tier` is in the set.
    pub const fn contains(self, tier: Tier) -> bool {
        self.0 >> tier as u8 & 1 != 0
    }

    /// The tiers, lowest first.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Tier> {
        Tier::ALL.into_iter().filter(move |&tier| self.contains(tier))
    }

    /// The highest tier below `tier`; T0, which is always there, if there is none.
    pub fn below(self, tier: Tier) -> Tier {
        self.iter().rfind(|&below| below < tier).unwrap_or(Tier::T0)
    }

    /// The set without the tiers of another.
    #[must_use]
    pub const fn without(self, other: TierSet) -> TierSet {
        TierSet(self.0 & !other.0)
    }

    /// Whether a tier above `tier` is in the set.
    pub const fn has_above(self, tier: Tier) -> bool {
        self.0 >> (tier as u8 + 1) != 0
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u8) -> TierSet {
        TierSet(bits)
    }
}

impl FromIterator<Tier> for TierSet {
    fn from_iter<I: IntoIterator<Item = Tier>>(tiers: I) -> TierSet {
        tiers.into_iter().fold(TierSet::EMPTY, TierSet::with)
    }
}

impl std::fmt::Debug for TierSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What happened to a function.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyEvent {
    /// Its call counter ran out.
    Calls {
        /// Calls since it was last loaded.
        count: u64,
    },
    /// The counter of one of its loops ran out.
    BackEdges {
        /// The loop.
        loop_id: LoopId,
        /// Back edges since it was last loaded.
        count: u64,
        /// The tier of the code that the loop runs in.
        running: Tier,
        /// Calls of the function so far.
        calls: u64,
    },
    /// A loop of optimized code, which does not count, was asked for a sample.
    Sample {
        /// The loop.
        loop_id: LoopId,
        /// The tier of the code that the loop runs in.
        running: Tier,
        /// Calls of the function so far.
        calls: u64,
    },
    /// Compiled code of it left for the interpreter.
    Deopt {
        /// The entry that the code was compiled for.
        entry: EntryPoint,
        /// The tier of the code.
        tier: Tier,
        /// Why.
        reason: DeoptReason,
        /// How often this version of the code has left so far, this time included.
        version_deopts: u32,
        /// Whether this version is still the one that is installed.
        installed: bool,
    },
}

/// Everything else that a decision may depend on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// The time, in nanoseconds since the engine started.
    pub now_ns: u64,
    /// The tiers that there are, and that the engine's user allows.
    pub available: TierSet,
    /// Compilations waiting.
    pub queue_len: usize,
}

/// A compilation to be queued.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What to compile: the function for calls, or an entry at a loop header.
    pub entry: EntryPoint,
    /// The tier to compile it for.
    pub tier: Tier,
    /// The greater, the sooner.
    pub priority: u32,
}

/// What the policy decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Compilations to queue.
    pub compile: SmallVec<[Request; 2]>,
    /// What to load into the counter that ran out; it runs out again when it passes below zero,
    /// that is, at the `next_budget + 1`st event from now. After a deoptimization: what to load
    /// into the counters of the function's loops where they hold more, so that the activation
    /// that goes on in T0 soon looks for better code.
    pub next_budget: i32,
    /// Discard the version of the code that was deoptimized.
    pub discard: bool,
    /// Never again compile the function for a tier above this one.
    pub pin: Option<Pin>,
}

/// Installed code that may have to make room for other code.
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvictionCandidate {
    /// Size of its code in bytes.
    pub bytes: u64,
    /// Its function's or loop's hotness now ([`FuncState::heat_at`]).
    pub heat: f64,
    /// Whether better code of the same entry is installed, so that it is only kept to fall back on.
    pub superseded: bool,
}

/// Decides when functions change tiers. Every decision is a function of the arguments alone; what
/// an implementation has to remember about a function is in its [`FuncState`].
pub trait Policy: Send + Sync {
    /// What a new function's call counter is to be loaded with.
    fn first_call_budget(&self, available: TierSet) -> i32;

    /// What a new function's loop counters are to be loaded with.
    fn first_loop_budget(&self, available: TierSet) -> i32;

    /// Decides after an event. Of the state it changes only how hot the function is, how often
    /// its code was discarded, and the pin; what is queued and installed the engine tells.
    fn on_event(&self, state: &mut FuncState, event: &PolicyEvent, env: &Environment) -> Decision;

    /// What a compilation that waited is to be started for when its turn has come: the tier asked
    /// for, or a better one that the function has become hot enough for meanwhile; none if it is no
    /// longer worth it.
    fn reconsider(&self, state: &FuncState, request: &Request, env: &Environment) -> Option<Tier>;

    /// Chooses the code that has to go so that `bytes` more find room for code of hotness `heat`.
    /// Gives indexes into `candidates`; none if that code is not worth what it would displace.
    fn evict(&self, candidates: &[EvictionCandidate], bytes: u64, heat: f64) -> Option<Vec<usize>>;
}
