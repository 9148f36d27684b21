//! The modes in which programs are tested.

use cupola::tuning::Tuning;
use cupola::{CodeGenerator, CodegenOptions, Config, Mode, Tier};
use std::sync::{Arc, OnceLock};

/// The code generator of T3, if it is what is tested.
static PEAK: OnceLock<Arc<dyn CodeGenerator>> = OnceLock::new();

/// Lets this process test T3: programs run in the modes of [`RunMode::PEAK`] instead of those of
/// [`RunMode::ALL`], with this code generator. To be called before anything runs.
pub fn test_peak(generator: Arc<dyn CodeGenerator>) {
    PEAK.get_or_init(|| generator);
}

/// A way to run a program.
#[derive(Copy, Clone, Debug)]
pub struct RunMode {
    /// Its name in directives, messages, and of its file of known failures.
    pub name: &'static str,
    /// What is special about it.
    pub help: &'static str,
    /// The only tier; none: functions climb.
    tier: Option<Tier>,
    /// Stress modes.
    stress: &'static str,
    /// Count block executions, so that branches never taken are speculated on.
    block_counts: bool,
    /// T3 is there, if this process tests it.
    peak: bool,
}

const fn mode(name: &'static str, help: &'static str) -> RunMode {
    RunMode { name, help, tier: None, stress: "", block_counts: false, peak: false }
}

const fn only(name: &'static str, help: &'static str, tier: Tier) -> RunMode {
    RunMode { tier: Some(tier), ..mode(name, help) }
}

impl RunMode {
    /// All modes. The first is the reference.
    pub const ALL: &'static [RunMode] = &[
        only("t0", "the interpreter alone", Tier::T0),
        only("t1", "baseline code alone", Tier::T1),
        only("t2", "optimized code alone", Tier::T2),
        mode("auto", "functions climb after a few calls, compiled in the background"),
        RunMode { stress: "sync", ..mode("sync", "as auto, but compiled at once") },
        RunMode {
            stress: "sync,osr-always,hop=1",
            ..mode("osr", "loops change tiers at every back edge")
        },
        RunMode {
            stress: "sync,osr-always",
            block_counts: true,
            ..mode("cold", "branches never taken so far leave optimized code")
        },
        RunMode { stress: "random-tier=7,sync", ..mode("random-tier", "each call in any tier") },
        RunMode {
            stress: "random-tier=3,sync,osr-always,hop=5,fail-guards=2",
            ..mode("chaos", "random tiers, hops and deoptimizations together")
        },
        RunMode {
            stress: "fail-guards=1",
            ..only("fail-guards-1", "optimized code leaves at its first guard", Tier::T2)
        },
        RunMode {
            stress: "sync,osr-always,fail-guards=3",
            ..mode("fail-guards-3", "optimized code leaves at its third guard")
        },
        RunMode { stress: "sync,tiny-code", ..mode("tiny-code", "code is evicted all the time") },
        RunMode { stress: "sync,fail-compile=2", ..mode("fail-compile", "a compilation fails") },
        RunMode { stress: "sync,panic-compile=1", ..mode("panic-compile", "a compilation panics") },
    ];

    /// The modes for T3, beside a code generator for it.
    pub const PEAK: &'static [RunMode] = &[
        only("t3", "peak code alone", Tier::T3).with_peak(),
        mode("t3-auto", "functions climb to T3, compiled in the background").with_peak(),
        RunMode { stress: "sync", ..mode("t3-sync", "functions climb to T3, compiled at once") }
            .with_peak(),
        RunMode {
            stress: "sync,osr-always,hop=1",
            ..mode("t3-osr", "loops change tiers at every back edge, T3 among them")
        }
        .with_peak(),
        RunMode {
            stress: "sync,osr-always",
            block_counts: true,
            ..mode("t3-cold", "branches never taken so far leave peak code")
        }
        .with_peak(),
        RunMode { stress: "random-tier=7,sync", ..mode("t3-random", "each call in any tier") }
            .with_peak(),
        RunMode {
            stress: "random-tier=3,sync,osr-always,hop=5,fail-guards=2",
            ..mode("t3-chaos", "random tiers, hops and deoptimizations together")
        }
        .with_peak(),
        RunMode {
            stress: "fail-guards=1",
            ..only("t3-fail-guards", "peak code leaves at its first guard", Tier::T3)
        }
        .with_peak(),
    ];

    const fn with_peak(self) -> RunMode {
        RunMode { peak: true, ..self }
    }

    /// The modes to test in, if a test does not say which.
    pub fn usual() -> &'static [RunMode] {
        if PEAK.get().is_some() { RunMode::PEAK } else { RunMode::ALL }
    }

    /// The mode with this name.
    pub fn find(name: &str) -> Option<&'static RunMode> {
        RunMode::ALL.iter().chain(RunMode::PEAK).find(|mode| mode.name == name)
    }

    /// The engine's configuration for this mode.
    pub fn config(&self) -> Config {
        config(self.tier, self.stress, self.block_counts, self.peak)
    }
}

/// The configuration of auto mode with these stress modes.
///
/// # Panics
/// If they are not understood.
pub fn stressed(stress: &str) -> Config {
    config(None, stress, false, true)
}

/// The configuration of one tier alone with these stress modes.
///
/// # Panics
/// If they are not understood.
pub fn only_under(tier: Tier, stress: &str) -> Config {
    config(Some(tier), stress, false, true)
}

fn config(tier: Option<Tier>, stress: &str, block_counts: bool, peak: bool) -> Config {
    let mut config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    if let Some(peak) = PEAK.get().filter(|_| peak) {
        config = config.with_generator(peak.clone());
    }
    config.mode = tier.map_or(Mode::Auto, Mode::Only);
    config.stress = stress.parse().unwrap_or_else(|error| panic!("{error}"));
    config.codegen = CodegenOptions { block_counts, ..config.codegen };
    config.optimizer.verify = true;
    config.tuning = Tuning {
        t1_calls: 3,
        t2_calls: 8,
        t3_calls: 15,
        t1_back_edges: 4,
        t2_back_edges: 20,
        t3_back_edges: 60,
        t3_samples: 1,
        peak_after_ns: 0,
        workers: Some(1),
        ..Tuning::default()
    };
    config
}
