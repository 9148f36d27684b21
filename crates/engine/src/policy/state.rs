//! What the policy knows about one function.

use super::TierSet;
use crate::tuning::Decay;
use cupola_ir::LoopId;
use cupola_runtime::{CompileError, Tier};
use serde::{Deserialize, Serialize};

/// How hot something is: its count of events, aged.
///
/// An exponentially weighted moving average, kept as a decayed sum so that it can be compared with
/// thresholds in events. Time is cut into intervals; when one ends, the sum loses the share
/// `alpha`. With `q = 1 - alpha`, a batch of `n` events found after `k` intervals ended is taken
/// to have been spread evenly over them and the one that runs:
///
/// ```text
/// h' = h·qᵏ + n/(k+1) · (1 + q + q² + … + qᵏ)
/// ```
///
/// A steady rate of `r` events an interval settles at `r / alpha`, so a threshold `T` is a rate of
/// `alpha · T`: rate and not age decides. While no interval ends, the sum is a plain count. (The
/// average itself would be `alpha · h`; see Brown, *Smoothing, Forecasting and Prediction*, 1963,
/// and, for its use on counters of a virtual machine, the counter decay of Hölzle's Self-93.)
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    value: f64,
    /// Start of the interval that runs, in nanoseconds.
    interval_start: u64,
    /// When events were last added.
    last_ns: u64,
    total: u64,
}

impl Heat {
    /// Nothing counted yet; intervals start now.
    pub fn new(now_ns: u64) -> Heat {
        Heat { value: 0.0, interval_start: now_ns, last_ns: now_ns, total: 0 }
    }

    /// How many intervals ended since the one that runs started.
    fn ended(&self, now_ns: u64, decay: &Decay) -> u64 {
        now_ns.saturating_sub(self.interval_start) / decay.interval_ns.max(1)
    }

    /// Adds events that happened since the last time, and gives how hot it is now.
    pub fn add(&mut self, count: u64, now_ns: u64, decay: &Decay) -> f64 {
        let k = self.ended(now_ns, decay);
        let (k1, q) = (k as f64 + 1.0, 1.0 - decay.alpha);
        if k == 0 || decay.alpha <= 0.0 {
            // Exactly, so that a threshold is reached by just so many events.
            self.value += count as f64;
        } else {
            let powers = (1.0 - q.powf(k1)) / decay.alpha;
            self.value = self.value * q.powf(k as f64) + count as f64 / k1 * powers;
        }
        self.interval_start += k * decay.interval_ns.max(1);
        self.last_ns = self.last_ns.max(now_ns);
        self.total += count;
        self.value
    }

    /// How hot it is now if nothing happened since events were last added.
    pub fn at(&self, now_ns: u64, decay: &Decay) -> f64 {
        self.value * (1.0 - decay.alpha).powf(self.ended(now_ns, decay) as f64)
    }

    /// How many events were added in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// When events were last added.
    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Forgets how hot it was, not how many events there were.
    pub(super) fn cool(&mut self) {
        self.value = 0.0;
    }
}

/// Where compiled code of a function is entered.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EntryPoint {
    /// By calls.
    Call,
    /// At the header of a loop, by on-stack replacement.
    Loop(LoopId),
}

/// How far a compilation has come.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It waits.
    Queued,
    /// A worker does it.
    Compiling,
}

/// What is installed and under way for one entry point of a function.
///
/// ```text
///                  ┌──────────── cancelled, failed ─────────────┐
///                  ▼                                            │
///           ┌─► installed = t ── queued ──► Queued(u) ── started ──► Compiling(u)
///           │    (at first T0)                  │                       │
///  discarded,                                   └── compile_now ──┐     │
///  evicted: t = fallback                                          ▼     ▼
///           └──────────────────────────────────────────── installed = u > t
/// ```
///
/// A compilation that failed adds its tier to `failed`, which is then never asked for again; one
/// that found no room only makes the next one later. At most one compilation is under way. Tiers
/// above the function's [`Pin`] are never asked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryState {
    /// The tier of the code that is entered here.
    pub installed: Tier,
    /// The compilation under way.
    pub pending: Option<(Tier, Phase)>,
    /// Tiers whose compilation failed for good.
    pub failed: TierSet,
}

impl Default for EntryState {
    fn default() -> Self {
        EntryState { installed: Tier::T0, pending: None, failed: TierSet::EMPTY }
    }
}

/// One loop of a function.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    /// Its back edges, where they are counted.
    pub heat: Heat,
    /// Samples that found optimized code in it.
    pub samples: Heat,
    /// The code that is entered at its header.
    pub entry: EntryState,
}

/// Why and below what a function stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The highest tier that it may still reach.
    pub max_tier: Tier,
    /// For people.
    pub reason: String,
}

/// What the policy knows about one function: an [`EntryState`] for calls and one for each loop,
/// how hot they are, and what went wrong so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FuncState {
    /// How many instructions its register form has: about what a compilation costs.
    pub size: u32,
    /// Its calls.
    pub heat: Heat,
    /// The code that is entered by calls.
    pub call: EntryState,
    /// Its loops, by [`LoopId`].
    pub loops: Vec<LoopState>,
    /// How often a version of its code was discarded because its guards kept failing.
    pub discards: u32,
    /// How often code of it was evicted, or found no room.
    pub evictions: u32,
    /// Set once the function may climb no further than some tier.
    pub pin: Option<Pin>,
}

impl FuncState {
    /// A function of `size` instructions and with `loops` loops that is called for the first time.
    pub fn new(size: u32, loops: usize, now_ns: u64) -> FuncState {
        let heat = Heat::new(now_ns);
        FuncState {
            size,
            heat,
            call: EntryState::default(),
            loops: vec![LoopState { heat, samples: heat, entry: EntryState::default() }; loops],
            discards: 0,
            evictions: 0,
            pin: None,
        }
    }

    /// The state of an entry point.
    ///
    /// # Panics
    /// If the function has no such loop.
    pub fn entry(&self, entry: EntryPoint) -> &EntryState {
        match entry {
            EntryPoint::Call => &self.call,
            EntryPoint::Loop(id) => &self.loops[id.as_u32() as usize].entry,
        }
    }

    fn entry_mut(&mut self, entry: EntryPoint) -> &mut EntryState {
        match entry {
            EntryPoint::Call => &mut self.call,
            EntryPoint::Loop(id) => &mut self.loops[id.as_u32() as usize].entry,
        }
    }

    /// How hot an entry point is now.
    pub fn heat_at(&self, entry: EntryPoint, now_ns: u64, decay: &Decay) -> f64 {
        match entry {
            EntryPoint::Call => self.heat.at(now_ns, decay),
            EntryPoint::Loop(id) => self.loops[id.as_u32() as usize].heat.at(now_ns, decay),
        }
    }

    /// The highest tier that code of the function is installed for, at any entry point.
    pub fn highest_installed(&self) -> Tier {
        let loops = self.loops.iter().map(|l| l.entry.installed);
        loops.fold(self.call.installed, Tier::max)
    }

    /// Whether the function may be compiled for `tier` at this entry point at all.
    pub fn allows(&self, entry: EntryPoint, tier: Tier) -> bool {
        !self.entry(entry).failed.contains(tier)
            && self.pin.as_ref().is_none_or(|pin| tier <= pin.max_tier)
    }

    /// A compilation was queued.
    pub fn queued(&mut self, entry: EntryPoint, tier: Tier) {
        self.entry_mut(entry).pending = Some((tier, Phase::Queued));
    }

    /// A compilation was started, by a worker or at once.
    pub fn started(&mut self, entry: EntryPoint, tier: Tier) {
        self.entry_mut(entry).pending = Some((tier, Phase::Compiling));
    }

    /// A compilation that was queued or started will not be finished.
    pub fn cancelled(&mut self, entry: EntryPoint, tier: Tier) {
        let state = self.entry_mut(entry);
        if state.pending.is_some_and(|(pending, _)| pending == tier) {
            state.pending = None;
        }
    }

    /// A compilation failed.
    pub fn failed(&mut self, entry: EntryPoint, tier: Tier, error: &CompileError) {
        self.cancelled(entry, tier);
        match error {
            // Other code may go, so there may be room another time.
            CompileError::NoRoom => {
                self.evictions += 1;
                self.cool();
            }
            // The compiler did not get to it, and whether it may be asked is not known here.
            CompileError::Unavailable(_) | CompileError::Absent(_) | CompileError::Abandoned => {}
            _ => self.entry_mut(entry).failed.insert(tier),
        }
    }

    /// Code was installed. Optimized code that is entered at a loop runs to the function's end, so
    /// that the other loops, which may have become hot in the same activation, have to show again
    /// that they run in lesser code.
    pub fn installed(&mut self, entry: EntryPoint, tier: Tier) {
        self.cancelled(entry, tier);
        self.entry_mut(entry).installed = tier;
        if let (EntryPoint::Loop(id), true) = (entry, tier >= Tier::T2) {
            let own = id.as_u32() as usize;
            for (_, other) in self.loops.iter_mut().enumerate().filter(|&(i, _)| i != own) {
                other.heat.cool();
                other.samples.cool();
            }
        }
    }

    /// Whether code that is entered at this loop is under way at another one: such of T1 is entered
    /// at all loops.
    pub(super) fn is_awaited_elsewhere(&self, id: LoopId, tier: Tier) -> bool {
        let is_pending = |other: &LoopState| other.entry.pending.is_some_and(|(t, _)| t == tier);
        tier == Tier::T1 && self.other_loops(id).any(is_pending)
    }

    /// Whether another loop of the function than this one has code of a tier of at least `tier`.
    pub(super) fn has_other_entry(&self, id: LoopId, tier: Tier) -> bool {
        self.other_loops(id).any(|other| other.entry.installed >= tier)
    }

    /// The loops of the function but for this one.
    pub(super) fn other_loops(&self, id: LoopId) -> impl Iterator<Item = &LoopState> {
        let own = id.as_u32() as usize;
        self.loops.iter().enumerate().filter(move |&(i, _)| i != own).map(|(_, other)| other)
    }

    /// The installed code was discarded, or invalidated by request; code of tier `fallback`
    /// (T0: none) stands in its place.
    pub fn discarded(&mut self, entry: EntryPoint, fallback: Tier) {
        self.entry_mut(entry).installed = fallback;
    }

    /// The installed code was evicted to make room; as with [`FuncState::discarded`].
    pub fn evicted(&mut self, entry: EntryPoint, fallback: Tier) {
        self.entry_mut(entry).installed = fallback;
        self.evictions += 1;
        self.cool();
    }

    /// Forgets how hot the function and its loops are, so that it has to earn its next version.
    pub(super) fn cool(&mut self) {
        self.heat.cool();
        for state in &mut self.loops {
            state.heat.cool();
            state.samples.cool();
        }
    }
}
