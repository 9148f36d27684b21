//! Every threshold, bound and time constant that decides when code is compiled, and three presets.
//!
//! Nothing here is read on a hot path: thresholds reach running code only as the budgets that the
//! [policy](crate::policy) loads into its counters. What the optimizer may spend on inlining is
//! not here but with the optimizer.

use cupola_runtime::Tier;
use serde::{Deserialize, Serialize};

/// How counts age: hotness is an exponentially weighted moving average (see
/// [`Heat`](crate::policy::Heat) for the formula).
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    /// The share of its value that hotness loses in each interval, from 0 (counts never age) to 1
    /// (only the interval that runs counts).
    pub alpha: f64,
    /// The length of an interval in nanoseconds.
    pub interval_ns: u64,
}

impl Decay {
    /// Time in which hotness halves, in nanoseconds; infinite if nothing decays.
    pub fn half_life_ns(&self) -> f64 {
        // The clamp keeps an alpha of 1 from giving an infinity with the wrong sign.
        -(self.interval_ns as f64) / (1.0 - self.alpha.clamp(0.0, 0.999_999)).log2()
    }
}

/// The thresholds, bounds and time constants of an engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// Hotness in calls at which a function is compiled by T1.
    pub t1_calls: u32,
    /// Hotness in calls at which a function is compiled by T2.
    pub t2_calls: u32,
    /// Hotness in calls at which a function is compiled by T3.
    pub t3_calls: u32,
    /// Hotness in calls at which a function is compiled by T4.
    pub t4_calls: u32,

    /// A compilation that waited is done for the tier that was reached meanwhile.
    pub skips_tiers: bool,
    /// Hotness in back edges at which a loop gets a T1 entry at its header.
    pub t1_back_edges: u32,
    /// Hotness in back edges at which a loop gets a T2 entry. Ten times T1's, as with calls: a
    /// loop of a nanosecond an iteration is there after some 10 µs in T1, less than T2's
    /// compilation takes, so what is lost by having gone through T1 is less than 5% of that wait;
    /// and a loop that ends before has cost no optimization.
    pub t2_back_edges: u32,
    /// A loop gets an entry at its header only if it goes around so often that it reaches T1's
    /// threshold within this many calls of its function; else, code for calls is enough. Without
    /// this, functions that are called often with a few short loops each filled the queue with an
    /// entry for every loop.
    pub osr_calls: u32,
    /// Hotness in back edges, as T0 and T1 count them, at which a loop gets a T3 entry. T2 does not
    /// count; a loop in it is compiled for T3 by samples. This is for loops that T2 could not take.
    pub t3_back_edges: u32,
    /// Hotness in back edges at which a loop gets a T4 entry: ten times T3's.
    pub t4_back_edges: u32,
    /// Samples, each of about a millisecond in a loop of T2 code, at which the loop gets a T3
    /// entry. The peak compiler needs some 10 to 50 ms of another core for a function; a loop that
    /// has run so long is likely to run as long again.
    pub t3_samples: u32,
    /// Samples in T3 code at which a loop gets a T4 entry.
    pub t4_samples: u32,
    /// A loop gets an entry because of samples only if its function is called at most so often for
    /// each sample in any of its loops. With 10 an activation lasts 0.1 ms or more; what is left
    /// sooner comes into the code for calls before it would leave at a loop.
    pub calls_per_sample: u32,
    /// What the thresholds of T2 and above are multiplied by for a loop whose function has such an
    /// entry at another loop already, which most likely took over what ran.
    pub further_entry: f64,
    /// Nothing is compiled for T3 or above before the engine is this old, in nanoseconds: a
    /// program that ends before has nothing of it, and is not to start another process.
    pub peak_after_ns: u64,

    /// How counts age. With the defaults (a tenth lost each second, so a half-life of 6.6 s) a
    /// function called at a steady rate reaches a threshold `n` if it is called more than `n / 10`
    /// times a second, however long it lives; within the first second nothing has aged, so short
    /// runs see plain counters.
    pub decay: Decay,

    /// After this many deoptimizations a version of a function's code is discarded. The first
    /// failures of a guard are remembered and the next version has a branch in its place, so a
    /// few are enough to tell a wrong guess from a rare case.
    pub max_deopts_per_version: u32,
    /// After this many discarded versions a function is pinned to the tier below.
    pub max_recompiles: u32,
    /// What each discarded or evicted version multiplies the thresholds of the function's next one
    /// by, so that one that keeps coming back does so ever more rarely.
    pub recompile_backoff: f64,

    /// Most machine code that may be installed at once, in bytes. 64 MiB holds some 100,000
    /// functions of T1 code; all of it can be reached by 32-bit relative calls.
    pub code_budget: u64,

    /// Most compilations that may wait. A hot function that finds the queue full asks again later.
    pub queue_bound: usize,
    /// Number of compilation threads; none: one fewer than the machine has cores, at least one.
    pub workers: Option<usize>,

    /// While a compilation is awaited, counters are loaded so that they run out about this often,
    /// in nanoseconds: a loop notices within this time that it can go on in better code.
    pub waiting_poll_ns: u64,
    /// Otherwise, counters run out at least about this often, in nanoseconds: what bounds the
    /// time until T0 and T1 notice an interruption. A slow path takes about 0.1 µs, so once a
    /// millisecond cannot be measured.
    pub idle_poll_ns: u64,
    /// Smallest budget loaded because of the two times above.
    pub min_poll_budget: i32,
    /// Greatest budget loaded at all: a loop may have become slower than it was.
    pub max_budget: i32,
}

impl Tuning {
    /// A preset by its call thresholds; the rest is the same in all of them.
    fn with_calls(t1_calls: u32, t2_calls: u32, t3_calls: u32) -> Tuning {
        Tuning {
            t1_calls,
            t2_calls,
            t3_calls,
            t4_calls: t3_calls.saturating_mul(10),
            skips_tiers: true,
            t1_back_edges: 1_000,
            t2_back_edges: 10_000,
            osr_calls: 10,
            t3_back_edges: 10_000_000,
            t4_back_edges: 100_000_000,
            t3_samples: 10,
            t4_samples: 40,
            calls_per_sample: 10,
            further_entry: 4.0,
            peak_after_ns: 50_000_000,
            decay: Decay { alpha: 0.1, interval_ns: 1_000_000_000 },
            max_deopts_per_version: 4,
            max_recompiles: 8,
            recompile_backoff: 2.0,
            code_budget: 64 << 20,
            queue_bound: 4096,
            workers: None,
            waiting_poll_ns: 10_000,
            idle_poll_ns: 1_000_000,
            min_poll_budget: 256,
            max_budget: 1_000_000,
        }
    }

    /// The classic ladder: everything is compiled without optimization at once (T1), and again at
    /// 100, 1,000 and 10,000 calls (T2, T3, T4), each time with more of it.
    pub fn ladder() -> Tuning {
        Tuning {
            skips_tiers: false,
            t4_calls: 10_000,
            t1_back_edges: 100,
            t2_back_edges: 1_000,
            t3_samples: 4,
            t4_samples: 16,
            peak_after_ns: 0,
            ..Tuning::with_calls(1, 100, 1_000)
        }
    }

    /// Calls at which a function is compiled by `tier`; none for T0.
    pub fn calls(&self, tier: Tier) -> Option<u32> {
        match tier {
            Tier::T0 => None,
            Tier::T1 => Some(self.t1_calls),
            Tier::T2 => Some(self.t2_calls),
            Tier::T3 => Some(self.t3_calls),
            Tier::T4 => Some(self.t4_calls),
        }
    }

    /// Back edges at which a loop gets an entry into `tier`'s code; none for T0.
    pub fn back_edges(&self, tier: Tier) -> Option<u32> {
        match tier {
            Tier::T0 => None,
            Tier::T1 => Some(self.t1_back_edges),
            Tier::T2 => Some(self.t2_back_edges),
            Tier::T3 => Some(self.t3_back_edges),
            Tier::T4 => Some(self.t4_back_edges),
        }
    }

    /// Samples at which a loop gets an entry into `tier`'s code; none where loops are counted.
    pub fn samples(&self, tier: Tier) -> Option<u32> {
        match tier {
            Tier::T0 | Tier::T1 | Tier::T2 => None,
            Tier::T3 => Some(self.t3_samples),
            Tier::T4 => Some(self.t4_samples),
        }
    }

    /// How many compilation threads there are to be.
    pub fn worker_threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.workers.unwrap_or_else(|| cores() - 1).max(1)
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Preset::Default.tuning()
    }
}

/// A set of thresholds with a name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// 100, 1,000 and 10,000 calls for T1, T2 and T3.
    Default,
    /// A tenth of that: short runs show what long ones do.
    Development,
    /// Ten times that: only what is hot for long is compiled.
    Production,
}

impl Preset {
    /// All presets.
    pub const ALL: [Preset; 3] = [Preset::Default, Preset::Development, Preset::Production];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Default => "default",
            Preset::Development => "development",
            Preset::Production => "production",
        }
    }

    /// A line for people.
    pub const fn help(self) -> &'static str {
        match self {
            Preset::Default => "T1, T2, T3 at 100, 1,000, 10,000 calls",
            Preset::Development => "T1, T2, T3 at 10, 100, 1,000 calls",
            Preset::Production => "T1, T2, T3 at 1,000, 10,000, 100,000 calls",
        }
    }

    /// The preset named `name`.
    pub fn from_name(name: &str) -> Option<Preset> {
        Preset::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Its values.
    pub fn tuning(self) -> Tuning {
        match self {
            Preset::Default => Tuning::with_calls(100, 1_000, 10_000),
            Preset::Development => Tuning::with_calls(10, 100, 1_000),
            Preset::Production => Tuning::with_calls(1_000, 10_000, 100_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_rise_with_the_tier_in_every_preset() {
        for preset in Preset::ALL {
            let tuning = preset.tuning();
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
            assert_eq!(tuning.t1_back_edges, 1_000);
            for pair in Tier::ALL.windows(2) {
                assert!(tuning.calls(pair[0]) < tuning.calls(pair[1]));
                assert!(tuning.back_edges(pair[0]) < tuning.back_edges(pair[1]));
            }
        }
    }

    #[test]
    fn half_life_of_the_defaults() {
        let half = Tuning::default().decay.half_life_ns();
        assert!((6.5e9..6.7e9).contains(&half), "{half}");
        assert!(Decay { alpha: 0.0, interval_ns: 1 }.half_life_ns().is_infinite());
    }

    #[test]
    fn there_is_always_a_worker() {
        assert!(Tuning::default().worker_threads() >= 1);
        assert_eq!(Tuning { workers: Some(0), ..Tuning::default() }.worker_threads(), 1);
        assert_eq!(Tuning { workers: Some(7), ..Tuning::default() }.worker_threads(), 7);
    }
}
