//! Stress modes: ways to make the engine do often, and at odd moments, what it does rarely. A
//! program's results must be the same under all of them.
//!
//! They are parsed from `NAME[=ARG][,NAME…]`. What is random is drawn from a generator with a seed,
//! so that a single-threaded run can be repeated.

use crate::tuning::Tuning;
use std::fmt;
use std::str::FromStr;

/// What a mode's argument is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Arg {
    None,
    /// A number that has to be given, and is at least 1.
    Count(&'static str),
    /// A number of at least 1 that may be left out.
    Optional(&'static str),
    /// A seed that may be left out.
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
    /// Turns it on; the argument is there unless it may be left out.
    set: fn(&mut Stress, Option<u64>),
}

impl StressMode {
    /// All modes.
    pub const ALL: &'static [StressMode] = &[
        StressMode {
            name: "random-tier",
            arg: Arg::Seed,
            help: "every call runs in a tier chosen at random",
            set: |stress, seed| {
                stress.random_tier = true;
                stress.seed = seed.unwrap_or(stress.seed);
            },
        },
        StressMode {
            name: "hop",
            arg: Arg::Seed,
            help: "loops move to code of a tier chosen at random at every back edge",
            set: |stress, seed| {
                stress.hop = true;
                stress.seed = seed.unwrap_or(stress.seed);
            },
        },
        StressMode {
            name: "fail-guards",
            arg: Arg::Count("N"),
            help: "at every Nth guard that is executed, optimized code leaves for T0",
            set: |stress, n| stress.fail_guards = n,
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
            set: |stress, n| stress.fail_compile = n,
        },
        StressMode {
            name: "panic-compile",
            arg: Arg::Count("N"),
            help: "the Nth compilation panics",
            set: |stress, n| stress.panic_compile = n,
        },
        StressMode {
            name: "tiny-code",
            arg: Arg::Optional("BYTES"),
            help: "little memory for machine code, 32768 bytes if not given, so that code is evicted",
            set: |stress, bytes| stress.tiny_code = Some(bytes.unwrap_or(TINY_CODE)),
        },
        StressMode {
            name: "seed",
            arg: Arg::Count("SEED"),
            help: "the seed of what is chosen at random (as the argument of the modes above)",
            set: |stress, seed| stress.seed = seed.unwrap_or(stress.seed),
        },
    ];

    /// How it is written: `fail-guards=N`.
    pub fn usage(&self) -> String {
        let name = self.name;
        match self.arg {
            Arg::None => name.to_owned(),
            Arg::Count(arg) => format!("{name}={arg}"),
            Arg::Optional(arg) => format!("{name}[={arg}]"),
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

/// The code budget of `tiny-code` without an argument, in bytes.
const TINY_CODE: u64 = 32 << 10;

/// The stress modes that are on; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stress {
    random_tier: bool,
    hop: bool,
    fail_guards: Option<u64>,
    osr_always: bool,
    sync: bool,
    fail_compile: Option<u64>,
    panic_compile: Option<u64>,
    tiny_code: Option<u64>,
    seed: u64,
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
                (Arg::None, Some(_)) => return Err(problem("it takes no argument")),
                (Arg::Count(_), None) => return Err(problem("a number is missing")),
                (_, None) => None,
                (kind, Some(arg)) => {
                    let value: u64 = arg.parse().map_err(|_| problem("this is not a number"))?;
                    if value == 0 && kind != Arg::Seed {
                        return Err(problem("the number must be at least 1"));
                    }
                    Some(value)
                }
            };
            given.push((mode, value));
        }
        let mut stress = Stress::default();
        for (mode, value) in given {
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

    /// Whether every call runs in a tier drawn at random.
    pub fn random_tier(&self) -> bool {
        self.random_tier
    }

    /// Whether loops move to code of a tier drawn at random at every back edge.
    pub fn hop(&self) -> bool {
        self.hop
    }

    /// Whether compilations are done by the thread that asks for them.
    pub fn sync(&self) -> bool {
        self.sync
    }

    /// What random choices start from; never 0.
    pub fn seed(&self) -> u64 {
        // Spread by an odd constant, since small seeds make the first draws of many generators
        // alike; 2⁶⁴/φ.
        self.seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1)
    }

    /// Whether optimized code has points at which it can be made to leave.
    pub fn force_deopts(&self) -> bool {
        self.fail_guards.is_some()
    }

    /// How many such points are passed before the next one leaves.
    pub fn deopt_budget(&self) -> i64 {
        self.fail_guards.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX) - 1)
    }

    /// Whether this compilation fails; they are counted from 1.
    pub fn fails_compilation(&self, number: u64) -> bool {
        self.fail_compile == Some(number)
    }

    /// Whether this compilation panics; they are counted from 1.
    pub fn panics_compilation(&self, number: u64) -> bool {
        self.panic_compile == Some(number)
    }

    /// The code budget in bytes, if it is to be another than configured.
    pub fn code_budget(&self) -> Option<u64> {
        self.tiny_code
    }

    /// What to load into a call counter instead of what the policy says.
    pub fn call_budget(&self, budget: i32) -> i32 {
        if self.hop { 0 } else { budget }
    }

    /// What to load into a loop counter instead of what the policy says.
    pub fn loop_budget(&self, budget: i32) -> i32 {
        if self.hop || self.osr_always { 0 } else { budget }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed() {
        let stress: Stress = "random-tier=7, fail-guards=3,osr-always,tiny-code".parse().unwrap();
        let expected = Stress {
            random_tier: true,
            seed: 7,
            fail_guards: Some(3),
            osr_always: true,
            tiny_code: Some(TINY_CODE),
            ..Stress::default()
        };
        assert_eq!(stress, expected);
        assert!(stress.is_on());
        assert_eq!("hop,seed=9".parse::<Stress>(), "hop=9".parse());
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
    fn counters_and_budgets() {
        let off = Stress::default();
        assert_eq!((off.call_budget(99), off.loop_budget(999)), (99, 999));
        assert_eq!((off.deopt_budget(), off.code_budget()), (i64::MAX, None));
        assert_eq!(off.tuning(Tuning::default()), Tuning::default());
        let on: Stress = "osr-always,fail-guards=5,fail-compile=2,panic-compile=4".parse().unwrap();
        assert_eq!((on.call_budget(99), on.loop_budget(999), on.deopt_budget()), (99, 0, 4));
        assert_eq!(on.tuning(Tuning::default()).t1_back_edges, 1);
        let faulty: Vec<_> =
            (1..6).map(|n| (on.fails_compilation(n), on.panics_compilation(n))).collect();
        let (well, fails, panics) = ((false, false), (true, false), (false, true));
        assert_eq!(faulty, [well, fails, well, panics, well]);
    }

    #[test]
    fn seeds_differ_and_are_never_zero() {
        let seed = |n: u64| Stress { seed: n, ..Stress::default() }.seed();
        assert!([0, 1, u64::MAX - 1, u64::MAX].into_iter().all(|n| seed(n) != 0));
        assert_ne!(seed(0), seed(1));
    }
}
