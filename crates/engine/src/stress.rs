//! Stress modes: ways to make the engine do often, and at odd moments, what it does rarely. A
//! program's results must be the same under all of them.
//!
//! They are parsed from `NAME[=ARG][,NAME…]`. What is random is a function of a seed and of how
//! many choices were made before, so that a single-threaded run can be repeated.

use crate::policy::TierSet;
use crate::tuning::Tuning;
use cupola_runtime::Tier;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// The code budget of `tiny-code` without an argument, in bytes.
const TINY_CODE: u64 = 32 << 10;

/// What a mode's argument is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Arg {
    None,
    /// A number that has to be given, and is at least 1.
    Count(&'static str),
    /// A number with a default.
    Optional(&'static str, u64),
    /// A seed, which is that of `seed=…` if it is not given.
    Seed,
}

/// A stress mode, as it is listed for people.
#[derive(Copy, Clone, Debug)]
pub struct StressMode {
    /// Its name.
    pub name: &'static str,
    arg: Arg,
    /// What it does.
    pub help: &'static str,
    set: fn(&mut Stress, u64),
}

impl StressMode {
    /// All modes.
    pub const ALL: &'static [StressMode] = &[
        StressMode {
            name: "random-tier",
            arg: Arg::Seed,
            help: "every call runs in a tier chosen at random",
            set: |stress, seed| stress.random_tier = Some(seed),
        },
        StressMode {
            name: "hop",
            arg: Arg::Seed,
            help: "loops move to code of a tier chosen at random at every back edge",
            set: |stress, seed| stress.hop = Some(seed),
        },
        StressMode {
            name: "fail-guards",
            arg: Arg::Count("N"),
            help: "optimized code leaves for T0 at every Nth branch, call or loop header",
            set: |stress, n| stress.fail_guards = Some(n),
        },
        StressMode {
            name: "osr-always",
            arg: Arg::None,
            help: "loops ask for better code, and look for it, at every back edge",
            set: |stress, _| stress.osr_always = true,
        },
        StressMode {
            name: "sync",
            arg: Arg::None,
            help: "the running thread compiles, and waits for it",
            set: |stress, _| stress.sync = true,
        },
        StressMode {
            name: "fail-compile",
            arg: Arg::Count("N"),
            help: "the Nth compilation fails",
            set: |stress, n| stress.fail_compile = Some(n),
        },
        StressMode {
            name: "panic-compile",
            arg: Arg::Count("N"),
            help: "the Nth compilation panics",
            set: |stress, n| stress.panic_compile = Some(n),
        },
        StressMode {
            name: "tiny-code",
            arg: Arg::Optional("BYTES", TINY_CODE),
            help: "little memory for machine code (32768 bytes if not given): code is evicted",
            set: |stress, bytes| stress.tiny_code = Some(bytes),
        },
        StressMode {
            name: "seed",
            arg: Arg::Count("SEED"),
            help: "the seed of modes that are given none (1 if it is not set)",
            set: |stress, seed| stress.seed = seed,
        },
    ];

    /// How it is written: `fail-guards=N`.
    pub fn usage(&self) -> String {
        let name = self.name;
        match self.arg {
            Arg::None => name.to_owned(),
            Arg::Count(arg) => format!("{name}={arg}"),
            Arg::Optional(arg, _) => format!("{name}[={arg}]"),
            Arg::Seed => format!("{name}[=SEED]"),
        }
    }

    /// Lines that list all modes.
    pub fn help_lines() -> String {
        let width = Self::ALL.iter().map(|mode| mode.usage().len()).max().unwrap_or(0);
        let line = |mode: &StressMode| format!("  {:<width$}  {}\n", mode.usage(), mode.help);
        Self::ALL.iter().map(line).collect()
    }
}

/// The stress modes that are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stress {
    /// Calls run in random tiers, from this seed.
    pub random_tier: Option<u64>,
    /// Loops move to code of random tiers at every back edge, from this seed.
    pub hop: Option<u64>,
    /// Optimized code leaves for T0 at every Nth branch, call or loop header that it comes by.
    pub fail_guards: Option<u64>,
    /// Loops ask for better code, and look for it, at every back edge.
    pub osr_always: bool,
    /// Compilations are done by the thread that asks for them.
    pub sync: bool,
    /// This compilation fails, counted from 1.
    pub fail_compile: Option<u64>,
    /// This compilation panics, counted from 1.
    pub panic_compile: Option<u64>,
    /// Code memory budget in bytes.
    pub tiny_code: Option<u64>,
    /// The seed of modes that were given none.
    pub seed: u64,
}

impl Default for Stress {
    fn default() -> Self {
        Stress {
            random_tier: None,
            hop: None,
            fail_guards: None,
            osr_always: false,
            sync: false,
            fail_compile: None,
            panic_compile: None,
            tiny_code: None,
            seed: 1,
        }
    }
}

/// Why a list of stress modes was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StressError {
    /// There is no such mode.
    #[error("there is no stress mode `{0}`; there are: {list}", list = Names)]
    Unknown(String),
    /// The argument is missing, not a number, or out of range.
    #[error("stress mode `{given}`: {problem}; it is written `{usage}`")]
    Argument {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: &'static str,
        /// How the mode is written.
        usage: String,
    },
    /// A mode was given twice.
    #[error("stress mode `{0}` is given twice")]
    Twice(&'static str),
}

/// Prints the names of all modes.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = StressMode::ALL.iter().map(StressMode::usage).collect();
        f.write_str(&names.join(", "))
    }
}

impl FromStr for Stress {
    type Err = StressError;

    fn from_str(text: &str) -> Result<Stress, StressError> {
        let mut given: Vec<(&StressMode, Option<u64>)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, arg) = match part.split_once('=') {
                Some((name, arg)) => (name.trim(), Some(arg.trim())),
                None => (part, None),
            };
            let mode = StressMode::ALL
                .iter()
                .find(|mode| mode.name == name)
                .ok_or_else(|| StressError::Unknown(name.to_owned()))?;
            if given.iter().any(|(other, _)| other.name == name) {
                return Err(StressError::Twice(mode.name));
            }
            let problem = |problem| StressError::Argument {
                given: part.to_owned(),
                problem,
                usage: mode.usage(),
            };
            let value = match (mode.arg, arg) {
                (Arg::None, None) => Some(0),
                (Arg::None, Some(_)) => return Err(problem("it takes no argument")),
                (Arg::Count(_), None) => return Err(problem("a number is missing")),
                (Arg::Optional(_, default), None) => Some(default),
                (Arg::Seed, None) => None,
                (_, Some(arg)) => {
                    let value: u64 = arg.parse().map_err(|_| problem("this is not a number"))?;
                    if value == 0 && !matches!(mode.arg, Arg::Seed) {
                        return Err(problem("the number must be at least 1"));
                    }
                    Some(value)
                }
            };
            given.push((mode, value));
        }
        let mut stress = Stress::default();
        // The seed first, whatever place it has in the list.
        given.sort_by_key(|(mode, _)| mode.name != "seed");
        for (mode, value) in given {
            let value = value.unwrap_or(stress.seed);
            (mode.set)(&mut stress, value);
        }
        Ok(stress)
    }
}

impl Stress {
    /// Whether any mode is on.
    pub fn is_on(&self) -> bool {
        *self != Stress { seed: self.seed, ..Stress::default() }
    }

    /// Whether loops of optimized code look for better code in every iteration.
    pub fn always_polls(&self) -> bool {
        self.hop.is_some() || self.osr_always
    }

    /// Whether calls have to ask in which tier to run.
    pub fn draws_tiers(&self) -> bool {
        self.random_tier.is_some()
    }

    /// How many guards optimized code passes before it is made to leave.
    pub fn deopt_budget(&self) -> i64 {
        self.fail_guards.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX) - 1)
    }

    /// What to load into a loop counter instead of what the policy says.
    pub fn loop_budget(&self, budget: i32) -> i32 {
        if self.osr_always || self.hop.is_some() { 0 } else { budget }
    }

    /// The thresholds to use instead of those configured: where loops are to ask for better code
    /// at every back edge, they are hot from their first back edges on.
    pub fn tuning(&self, tuning: Tuning) -> Tuning {
        if !self.osr_always {
            return tuning;
        }
        Tuning { t1_back_edges: 1, t2_back_edges: 2, t3_back_edges: 3, ..tuning }
    }
}

/// How a compilation is to end, if not well.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CompileFault {
    /// With an error.
    Fail,
    /// With a panic.
    Panic,
}

/// What the modes that count or draw remember during a run.
#[derive(Debug)]
pub struct StressState {
    modes: Stress,
    tiers: Random,
    hops: Random,
    compilations: AtomicU64,
}

impl StressState {
    /// Starts counting.
    pub fn new(modes: Stress) -> StressState {
        StressState {
            tiers: Random::new(modes.random_tier.unwrap_or_default()),
            hops: Random::new(modes.hop.unwrap_or_default()),
            compilations: AtomicU64::new(0),
            modes,
        }
    }

    /// The modes.
    pub fn modes(&self) -> &Stress {
        &self.modes
    }

    /// The tier to run the next call in, if that is to be chosen at random.
    pub fn call_tier(&self, tiers: TierSet) -> Option<Tier> {
        self.modes.random_tier.and_then(|_| self.tiers.choose(tiers))
    }

    /// The tier to move to at a safepoint, if that is to be chosen at random.
    pub fn hop_tier(&self, tiers: TierSet) -> Option<Tier> {
        self.modes.hop.and_then(|_| self.hops.choose(tiers))
    }

    /// To be asked once for each compilation: how it is to go wrong, if at all.
    pub fn compile_fault(&self) -> Option<CompileFault> {
        let nth = self.compilations.fetch_add(1, Ordering::Relaxed) + 1;
        if self.modes.panic_compile == Some(nth) {
            Some(CompileFault::Panic)
        } else {
            (self.modes.fail_compile == Some(nth)).then_some(CompileFault::Fail)
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014), its
/// state in an atomic so that threads may share it.
#[derive(Debug)]
struct Random(AtomicU64);

impl Random {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new(seed: u64) -> Random {
        Random(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(Self::GAMMA, Ordering::Relaxed).wrapping_add(Self::GAMMA);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn choose(&self, tiers: TierSet) -> Option<Tier> {
        let count = tiers.iter().count() as u64;
        (count > 0).then(|| self.next() % count).and_then(|n| tiers.iter().nth(n as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed() {
        let stress: Stress = "random-tier=7, fail-guards=3,osr-always,tiny-code".parse().unwrap();
        let expected = Stress {
            random_tier: Some(7),
            fail_guards: Some(3),
            osr_always: true,
            tiny_code: Some(TINY_CODE),
            ..Stress::default()
        };
        assert_eq!(stress, expected);
        assert!(stress.is_on());
        let stress: Stress = "hop,seed=9,random-tier=0".parse().unwrap();
        assert_eq!((stress.hop, stress.random_tier), (Some(9), Some(0)));
        assert!(!"".parse::<Stress>().unwrap().is_on());
        assert!(!"seed=4".parse::<Stress>().unwrap().is_on());
    }

    #[test]
    fn every_mode_is_accepted_as_its_usage_says() {
        for mode in StressMode::ALL {
            let text = match mode.arg {
                Arg::None => mode.name.to_owned(),
                _ => format!("{}=3", mode.name),
            };
            let stress: Stress = text.parse().unwrap();
            assert_eq!(stress.is_on(), mode.name != "seed", "{text}");
            assert!(StressMode::help_lines().contains(&mode.usage()));
        }
    }

    #[test]
    fn errors_say_what_there_is() {
        let check = |text: &str, expected: &str| {
            let message = text.parse::<Stress>().unwrap_err().to_string();
            assert!(message.contains(expected), "{text}: {message}");
        };
        check("gc", "there is no stress mode `gc`; there are: random-tier[=SEED], hop[=SEED]");
        check("sync,fail-guards", "a number is missing; it is written `fail-guards=N`");
        check("fail-guards=x", "this is not a number");
        check("fail-guards=0", "at least 1");
        check("fail-guards=-1", "this is not a number");
        check("sync=1", "`sync=1`: it takes no argument");
        check("sync,sync", "given twice");
    }

    #[test]
    fn budgets_and_thresholds() {
        let off = Stress::default();
        assert_eq!((off.loop_budget(999), off.deopt_budget()), (999, i64::MAX));
        assert_eq!(off.tuning(Tuning::default()), Tuning::default());
        let on: Stress = "osr-always,fail-guards=5".parse().unwrap();
        assert_eq!((on.loop_budget(999), on.deopt_budget()), (0, 4));
        assert_eq!(on.tuning(Tuning::default()).t1_back_edges, 1);
    }

    #[test]
    fn random_choices_can_be_repeated_and_reach_every_tier() {
        let tiers = TierSet::up_to(Tier::T2);
        let draw = |modes: &str| -> Vec<Option<Tier>> {
            let state = StressState::new(modes.parse().unwrap());
            (0..60).map(|_| state.call_tier(tiers)).collect()
        };
        let drawn = draw("random-tier=5");
        assert_eq!(drawn, draw("random-tier=5"));
        assert_ne!(drawn, draw("random-tier=6"));
        assert!(tiers.iter().all(|tier| drawn.contains(&Some(tier))));
        assert!(!drawn.contains(&Some(Tier::T3)));
        assert!(draw("hop=5").iter().all(Option::is_none));
    }

    #[test]
    fn only_the_nth_compilation_goes_wrong() {
        let state = StressState::new("fail-compile=2,panic-compile=4".parse().unwrap());
        let faults: Vec<_> = (0..5).map(|_| state.compile_fault()).collect();
        let (fail, panic) = (Some(CompileFault::Fail), Some(CompileFault::Panic));
        assert_eq!(faults, [None, fail, None, panic, None]);
    }
}
