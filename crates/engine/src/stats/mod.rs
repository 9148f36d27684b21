//! Statistics: what happened to each function, kept where it happens.
//!
//! [`FuncStats`] is updated on slow paths only (a compilation, a deoptimization, an entry by
//! on-stack replacement) and loses nothing, other than the event stream. Calls and iterations are
//! not in it: the running code counts them in its feedback. A [`Report`] puts both together, as a
//! table for people or as JSON.

mod report;
mod table;
pub(crate) mod units;

pub use report::{
    CompileReport, DeoptReport, FailureReport, FuncReport, FuncSnapshot, OsrReport, Report, Totals,
};

use crate::policy::Pin;
use cupola_ir::{DeoptReason, FuncId, SrcLoc};
use cupola_runtime::Tier;
use parking_lot::Mutex;

/// How many different deoptimization places, and different reasons of failure, are kept for a
/// function; further ones are only counted.
const MAX_KINDS: usize = 16;

/// What happened to one function. Takes two words until something does.
#[derive(Debug, Default)]
pub struct FuncStats {
    data: Mutex<Option<Box<Data>>>,
}

/// Compilations for one tier.
#[derive(Clone, Debug, Default)]
struct TierStats {
    generator: Option<&'static str>,
    unit: Option<FuncId>,
    compilations: u64,
    queue_ns: u64,
    compile_ns: u64,
    code_bytes: u64,
    osr_entries: u64,
}

/// How often each of a bounded number of different things happened, and anything else.
#[derive(Debug)]
struct Tally<K> {
    kinds: Vec<(K, u64)>,
    other: u64,
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Tally { kinds: Vec::new(), other: 0 }
    }
}

impl<K: PartialEq> Tally<K> {
    fn add(&mut self, kind: K) {
        if let Some((_, count)) = self.kinds.iter_mut().find(|(known, _)| *known == kind) {
            *count += 1;
        } else if self.kinds.len() < MAX_KINDS {
            self.kinds.push((kind, 1));
        } else {
            self.other += 1;
        }
    }

    fn total(&self) -> u64 {
        self.kinds.iter().map(|(_, count)| count).sum::<u64>() + self.other
    }
}

#[derive(Debug, Default)]
struct Data {
    tiers: [TierStats; 5],
    highest: Option<Tier>,
    /// By tier, reason, and place: the function and the position in its source.
    deopts: Tally<(Tier, DeoptReason, FuncId, SrcLoc)>,
    /// By tier and reason.
    failures: Tally<(Tier, String)>,
    cancelled: u64,
    invalidated: u64,
    evicted: u64,
    pin: Option<Pin>,
}

impl FuncStats {
    fn update(&self, change: impl FnOnce(&mut Data)) {
        change(self.data.lock().get_or_insert_default());
    }

    /// A compilation left the queue after this time, to be done.
    pub fn dequeued(&self, tier: Tier, waited_ns: u64) {
        self.update(|data| data.tiers[tier as usize].queue_ns += waited_ns);
    }

    /// A compilation left the queue because there was no more use for it.
    pub fn cancelled(&self) {
        self.update(|data| data.cancelled += 1);
    }

    /// A compilation ended, well or not, after this time.
    pub fn compiled(&self, tier: Tier, nanos: u64) {
        self.update(|data| {
            let tier = &mut data.tiers[tier as usize];
            tier.compilations += 1;
            tier.compile_ns += nanos;
        });
    }

    /// A compilation failed.
    pub fn compile_failed(&self, tier: Tier, reason: &str) {
        self.update(|data| data.failures.add((tier, reason.to_owned())));
    }

    /// Code was installed; `unit` is the function in whose unit it was compiled, if several were
    /// compiled together.
    pub fn installed(&self, tier: Tier, generator: &'static str, bytes: u64, unit: Option<FuncId>) {
        self.update(|data| {
            data.highest = data.highest.max(Some(tier));
            let tier = &mut data.tiers[tier as usize];
            tier.generator = Some(generator);
            tier.unit = unit;
            tier.code_bytes += bytes;
        });
    }

    /// Code was given up because it no longer holds.
    pub fn invalidated(&self, tier: Tier, bytes: u64) {
        self.update(|data| {
            data.invalidated += 1;
            data.remove_code(tier, bytes);
        });
    }

    /// Code was given up to make room.
    pub fn evicted(&self, tier: Tier, bytes: u64) {
        self.update(|data| {
            data.evicted += 1;
            data.remove_code(tier, bytes);
        });
    }

    /// Code was given up because better code took its place.
    pub fn replaced(&self, tier: Tier, bytes: u64) {
        self.update(|data| data.remove_code(tier, bytes));
    }

    /// A running activation went on in code of this tier.
    pub fn osr_entered(&self, tier: Tier) {
        self.update(|data| data.tiers[tier as usize].osr_entries += 1);
    }

    /// Code of this tier left for the interpreter, because of something at `loc` in the source of
    /// function `at` (this one, or one inlined into it).
    pub fn deoptimized(&self, tier: Tier, reason: DeoptReason, at: FuncId, loc: SrcLoc) {
        self.update(|data| data.deopts.add((tier, reason, at, loc)));
    }

    /// The function was pinned.
    pub fn pinned(&self, pin: &Pin) {
        self.update(|data| data.pin = Some(pin.clone()));
    }

    /// How often its code deoptimized.
    pub fn deopt_count(&self) -> u64 {
        self.data.lock().as_ref().map_or(0, |data| data.deopts.total())
    }
}

impl Data {
    fn remove_code(&mut self, tier: Tier, bytes: u64) {
        let installed = &mut self.tiers[tier as usize].code_bytes;
        *installed = installed.saturating_sub(bytes);
    }
}
