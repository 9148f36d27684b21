//! The account of a run.

use super::FuncStats;
use crate::policy::Pin;
use cupola_ir::{FuncId, SrcLoc};
use cupola_runtime::Tier;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run did, function by function and in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The functions that were called, the hottest first: by the tier they reached, since the
    /// higher ones do not count any more, then by calls and iterations.
    pub functions: Vec<FuncReport>,
    /// The sums.
    pub totals: Totals,
}

/// What a report needs to know of a function beside its [`FuncStats`].
#[derive(Clone, Debug)]
pub struct FuncSnapshot {
    /// Its name.
    pub name: String,
    /// Where its code begins in the source, if the front end knows it.
    pub source: Option<String>,
    /// Tier of the code that calls enter.
    pub call_tier: Tier,
    /// Highest tier of the code that its loops enter; T0 if there is none.
    pub loop_tier: Tier,
    /// Calls counted.
    pub calls: u64,
    /// Back edges counted, of all its loops.
    pub loop_iterations: u64,
}

/// One function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FuncReport {
    /// Its name.
    pub name: String,
    /// Where its code begins in the source, if the front end knows it.
    pub source: Option<String>,
    /// Highest tier of its code that is installed now: where it runs.
    pub tier: Tier,
    /// What generated that code; none for the interpreter.
    pub generator: Option<String>,
    /// The function in whose unit that code was compiled, if several were compiled together.
    pub unit: Option<String>,
    /// Whether only loops enter that code, by on-stack replacement.
    pub by_osr_only: bool,
    /// Tier of the code that calls enter now.
    pub call_tier: Tier,
    /// Highest tier of any code it ever had.
    pub highest_tier: Tier,
    /// Calls counted in T0 and T1; code of higher tiers does not count.
    pub calls: u64,
    /// Loop iterations (back edges) counted in T0 and T1; code of higher tiers does not count.
    pub loop_iterations: u64,
    /// Time that its compilations waited, in nanoseconds.
    pub queue_ns: u64,
    /// Its compilations, by tier.
    pub compilations: BTreeMap<Tier, CompileReport>,
    /// Size of its installed code, in bytes.
    pub code_bytes: u64,
    /// Entries into code by on-stack replacement, by tier.
    pub osr_entries: Vec<OsrReport>,
    /// Deoptimizations, by place and reason.
    pub deopts: Vec<DeoptReport>,
    /// Deoptimizations in all, also those at places that are not listed.
    pub deopt_count: u64,
    /// Failed compilations, by reason.
    pub failures: Vec<FailureReport>,
    /// Failed compilations in all, also those for reasons that are not listed.
    pub failure_count: u64,
    /// Compilations dropped from the queue.
    pub cancelled: u64,
    /// Versions of its code that were discarded.
    pub invalidated: u64,
    /// Versions of its code that were evicted to make room.
    pub evicted: u64,
    /// Whether it will not climb any more, and why.
    pub pinned: Option<Pin>,
}

/// Compilations for one tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompileReport {
    /// What generated the code that was installed; none if none was.
    pub generator: Option<String>,
    /// How many.
    pub count: u64,
    /// How long they took, in nanoseconds.
    pub ns: u64,
    /// Size of the code that is installed now, in bytes.
    pub code_bytes: u64,
}

/// Entries by on-stack replacement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsrReport {
    /// Tier of the code entered.
    pub tier: Tier,
    /// How many.
    pub count: u64,
}

/// Deoptimizations at one place for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeoptReport {
    /// Tier of the code.
    pub tier: Tier,
    /// Why.
    pub reason: String,
    /// Name of the function whose source it is about.
    pub at: String,
    /// Where in its source; empty if unknown.
    pub loc: String,
    /// How many.
    pub count: u64,
}

/// Failed compilations with one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureReport {
    /// The tier compiled for.
    pub tier: Tier,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Sums over all functions, and figures of the engine. The engine fills in those that are not
/// sums.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Functions of the module or modules.
    pub functions: u64,
    /// Functions by the tier they run in now (those never called are not counted).
    pub by_tier: BTreeMap<Tier, u64>,
    /// Compilations by tier.
    pub compilations: BTreeMap<Tier, CompileReport>,
    /// Time that compilations waited, in nanoseconds.
    pub queue_ns: u64,
    /// Failed compilations.
    pub failures: u64,
    /// Deoptimizations.
    pub deopts: u64,
    /// Entries by on-stack replacement.
    pub osr_entries: u64,
    /// Versions of code that were discarded.
    pub invalidated: u64,
    /// Versions of code that were evicted.
    pub evicted: u64,
    /// Functions that were pinned.
    pub pinned: u64,
    /// Code memory in use, in bytes.
    pub code_bytes: u64,
    /// Most code memory that was in use, in bytes.
    pub code_bytes_peak: u64,
    /// Most that may be in use, in bytes.
    pub code_budget: u64,
    /// Code memory that was given up and can be used again, in bytes, added up.
    pub reclaimed_bytes: u64,
    /// Events lost because the stream was full.
    pub events_dropped: u64,
    /// Time since the engine started, in nanoseconds.
    pub elapsed_ns: u64,
}

impl FuncStats {
    /// The account of the function. `func_name` and `location` name functions and source positions
    /// (empty: unknown).
    pub fn report(
        &self,
        snapshot: FuncSnapshot,
        func_name: &dyn Fn(FuncId) -> String,
        location: &dyn Fn(SrcLoc) -> String,
    ) -> FuncReport {
        let FuncSnapshot { name, source, call_tier, loop_tier, calls, loop_iterations } = snapshot;
        let tier = call_tier.max(loop_tier);
        let mut report = FuncReport {
            name,
            source,
            tier,
            generator: None,
            unit: None,
            by_osr_only: loop_tier > call_tier,
            call_tier,
            highest_tier: tier,
            calls,
            loop_iterations,
            queue_ns: 0,
            compilations: BTreeMap::new(),
            code_bytes: 0,
            osr_entries: Vec::new(),
            deopts: Vec::new(),
            deopt_count: 0,
            failures: Vec::new(),
            failure_count: 0,
            cancelled: 0,
            invalidated: 0,
            evicted: 0,
            pinned: None,
        };
        let guard = self.data.lock();
        let Some(data) = guard.as_deref() else { return report };
        for (of, stats) in Tier::ALL.into_iter().zip(&data.tiers) {
            report.queue_ns += stats.queue_ns;
            report.code_bytes += stats.code_bytes;
            if stats.compilations > 0 {
                let compilation = CompileReport {
                    generator: stats.generator.map(str::to_owned),
                    count: stats.compilations,
                    ns: stats.compile_ns,
                    code_bytes: stats.code_bytes,
                };
                report.compilations.insert(of, compilation);
            }
            if stats.osr_entries > 0 {
                report.osr_entries.push(OsrReport { tier: of, count: stats.osr_entries });
            }
        }
        report.generator = data.tiers[tier as usize].generator.map(str::to_owned);
        report.unit = data.tiers[tier as usize].unit.map(func_name);
        report.highest_tier = data.highest.map_or(tier, |highest| highest.max(tier));
        let deopts = data.deopts.kinds.iter();
        report.deopts = deopts
            .map(|&((tier, reason, at, loc), count)| DeoptReport {
                tier,
                reason: reason.name().to_owned(),
                at: func_name(at),
                loc: location(loc),
                count,
            })
            .collect();
        report.deopts.sort_by_key(|place| std::cmp::Reverse(place.count));
        report.deopt_count = data.deopts.total();
        let failures = data.failures.kinds.iter();
        report.failures = failures
            .map(|((tier, reason), count)| FailureReport {
                tier: *tier,
                reason: reason.clone(),
                count: *count,
            })
            .collect();
        report.failure_count = data.failures.total();
        report.cancelled = data.cancelled;
        report.invalidated = data.invalidated;
        report.evicted = data.evicted;
        report.pinned.clone_from(&data.pin);
        report
    }
}

/// How much an iteration weighs beside a call, as the thresholds have it.
const ITERATIONS_PER_CALL: u64 = 10;

impl Report {
    /// A report on these functions. `engine` holds the figures that are not sums.
    pub fn new(mut functions: Vec<FuncReport>, engine: Totals) -> Report {
        functions.sort_by(|a, b| {
            let weight = |f: &FuncReport| {
                (f.tier, f.calls.saturating_mul(ITERATIONS_PER_CALL) + f.loop_iterations)
            };
            weight(b).cmp(&weight(a)).then_with(|| a.name.cmp(&b.name))
        });
        let mut totals = engine;
        for func in &functions {
            *totals.by_tier.entry(func.tier).or_default() += 1;
            totals.queue_ns += func.queue_ns;
            totals.failures += func.failure_count;
            totals.deopts += func.deopt_count;
            totals.osr_entries += func.osr_entries.iter().map(|osr| osr.count).sum::<u64>();
            totals.invalidated += func.invalidated;
            totals.evicted += func.evicted;
            totals.pinned += u64::from(func.pinned.is_some());
            for (tier, compilation) in &func.compilations {
                let sum = totals.compilations.entry(*tier).or_insert_with(|| CompileReport {
                    generator: None,
                    count: 0,
                    ns: 0,
                    code_bytes: 0,
                });
                sum.count += compilation.count;
                sum.ns += compilation.ns;
                sum.code_bytes += compilation.code_bytes;
                if sum.generator.is_none() {
                    sum.generator.clone_from(&compilation.generator);
                }
            }
        }
        Report { functions, totals }
    }

    /// The report as JSON.
    ///
    /// # Panics
    /// Never: maps have tiers as keys, and all numbers are finite.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has string keys and finite numbers")
    }
}
