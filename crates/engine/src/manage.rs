//! Moving functions between tiers: reacting to counters and deoptimizations, queueing, installing
//! and giving up code.
//!
//! Invariants:
//! - A function's cell leads to its best installed version for calls (`native`, `entry`), or to
//!   nothing (`native` null, `entry` its stub); `relink` is the one place that writes it.
//! - What the policy's state says is installed is what `Versions` holds; both change under the
//!   function's lock.
//! - Code is linked and inserted into the code table before it is published, and unlinked before
//!   it is retired.
//! - A version that is of several functions is linked from all of them or, once one of them gives
//!   it up, from none; the number of links in it says when it is to be retired.

use crate::code::CodeVersion;
use crate::events::EventKind;
use crate::module::{FuncData, ModuleInner};
use crate::policy::{
    Decision, EntryPoint, EvictionCandidate, FuncState, Pin, PolicyEvent, Request,
};
use crate::queue::{Job, Unit};
use cupola_ir::{DeoptReason, FrameDescr, FrameState, FuncId, Inst, LoopId, Op};
use cupola_runtime::{CompileError, Tier};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// About how much code an instruction takes, with inlining.
const BYTES_PER_INST: usize = 32;

type ByTier = [Option<Arc<CodeVersion>>; 5];

/// The installed code of a function, by entry point and tier.
#[derive(Default)]
pub(crate) struct Versions {
    entries: FxHashMap<EntryPoint, ByTier>,
}

impl Versions {
    fn best(&self, entry: EntryPoint) -> Option<&Arc<CodeVersion>> {
        self.entries.get(&entry)?.iter().rev().flatten().next()
    }

    pub fn get(&self, entry: EntryPoint, tier: Tier) -> Option<&Arc<CodeVersion>> {
        self.entries.get(&entry)?[tier as usize].as_ref()
    }

    fn set(&mut self, entry: EntryPoint, version: Arc<CodeVersion>) -> Option<Arc<CodeVersion>> {
        let by_tier = self.entries.entry(entry).or_default();
        by_tier[version.tier as usize].replace(version)
    }

    fn take(&mut self, entry: EntryPoint, tier: Tier) -> Option<Arc<CodeVersion>> {
        self.entries.get_mut(&entry)?[tier as usize].take()
    }

    fn iter(&self) -> impl Iterator<Item = (EntryPoint, &Arc<CodeVersion>)> {
        self.entries.iter().flat_map(|(&entry, by_tier)| {
            by_tier.iter().flatten().map(move |version| (entry, version))
        })
    }
}

/// Everything about one function that its lock protects.
pub(crate) struct Manage {
    pub policy: FuncState,
    pub versions: Versions,
    /// Guards, branches and dialect instructions that optimized code must not speculate on again.
    pub failed_guards: FxHashSet<Inst>,
}

impl Manage {
    pub fn new(size: u32, loops: usize, now_ns: u64) -> Manage {
        Manage {
            policy: FuncState::new(size, loops, now_ns),
            versions: Versions::default(),
            failed_guards: FxHashSet::default(),
        }
    }

    pub fn take_versions(&mut self) -> Vec<Arc<CodeVersion>> {
        std::mem::take(&mut self.versions.entries).into_values().flatten().flatten().collect()
    }
}

/// How many events a counter has seen since it was last loaded, which it is again with `next`.
fn reload(
    total: &AtomicU64,
    reload: &AtomicI32,
    budget: &AtomicI32,
    next: impl FnOnce(u64) -> i32,
) -> u64 {
    let left = i64::from(budget.load(Ordering::Relaxed));
    let count = (i64::from(reload.load(Ordering::Relaxed)) - left).max(0) as u64;
    total.store(total.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    let next = next(count);
    reload.store(next, Ordering::Relaxed);
    budget.store(next, Ordering::Relaxed);
    count
}

pub(crate) fn entry_point(osr: Option<LoopId>) -> EntryPoint {
    osr.map_or(EntryPoint::Call, EntryPoint::Loop)
}

fn osr_loop(entry: EntryPoint) -> Option<LoopId> {
    match entry {
        EntryPoint::Call => None,
        EntryPoint::Loop(id) => Some(id),
    }
}

impl ModuleInner {
    /// The call counter of a function ran out.
    pub fn on_calls(self: &Arc<Self>, func: FuncId, data: &FuncData) {
        let header = data.feedback.header();
        let env = self.engine.environment();
        let mut decision = Decision::default();
        reload(&header.calls, &header.call_reload, &header.call_budget, |count| {
            let mut manage = data.manage.lock();
            let event = PolicyEvent::Calls { count };
            decision = self.engine.policy.on_event(&mut manage.policy, &event, &env);
            decision.next_budget
        });
        self.carry_out(func, data, &decision);
    }

    /// The counter of a loop ran out in code of tier `running`. Gives better code to go on in.
    pub fn on_back_edges(
        self: &Arc<Self>,
        func: FuncId,
        data: &FuncData,
        loop_id: LoopId,
        running: Tier,
    ) -> Option<Arc<CodeVersion>> {
        let counters = data.feedback.loop_feedback(loop_id);
        let env = self.engine.environment();
        let calls = data.feedback.calls();
        let mut decision = Decision::default();
        let count = reload(&counters.count, &counters.reload, &counters.budget, |count| {
            let mut manage = data.manage.lock();
            let event = PolicyEvent::BackEdges { loop_id, count, running, calls };
            decision = self.engine.policy.on_event(&mut manage.policy, &event, &env);
            self.engine.stress.modes().loop_budget(decision.next_budget)
        });
        self.carry_out(func, data, &decision);
        if data.spend_patience(count) && self.is_better_outside(data, loop_id) {
            data.feedback.cap_loop_budgets(self.engine.config.tuning.min_poll_budget);
            return None;
        }
        let best = {
            let manage = data.manage.lock();
            manage.versions.best(EntryPoint::Loop(loop_id)).filter(|v| v.tier > running).cloned()?
        };
        data.stats.osr_entered(best.tier);
        self.emit(func, || EventKind::OsrEntered { tier: best.tier, loop_id });
        Some(best)
    }

    /// Whether a loop around a loop has better code than it has.
    fn is_better_outside(&self, data: &FuncData, loop_id: LoopId) -> bool {
        let manage = data.manage.lock();
        let tier = |id| manage.versions.best(EntryPoint::Loop(id)).map(|version| version.tier);
        data.loops_outside(loop_id).any(|outer| tier(outer) > tier(loop_id))
    }

    /// A loop of the code `version` was asked for a sample, at the place of `state`. Gives whether
    /// it is to leave there, because there is better code for what runs.
    ///
    /// What runs may be several activations, of inlined calls. The outermost of them that is in a
    /// loop is what would be entered in better code: were an inner one to leave for its own, the
    /// loop around it would go on in the interpreter, get back into this code, and so on, each
    /// time deeper in the stack.
    pub fn on_sample(self: &Arc<Self>, version: &CodeVersion, state: &FrameState) -> bool {
        let in_loop = |frame: &FrameDescr| {
            let data = self.existing(frame.func)?;
            Some((frame.func, data, data.loop_around(frame.resume)?))
        };
        let Some((func, data, loop_id)) = state.frames.iter().find_map(in_loop) else {
            return false;
        };
        let running = version.tier;
        let env = self.engine.environment();
        let calls = data.feedback.calls();
        let decision = {
            let mut manage = data.manage.lock();
            let event = PolicyEvent::Sample { loop_id, running, calls };
            self.engine.policy.on_event(&mut manage.policy, &event, &env)
        };
        self.carry_out(func, data, &decision);
        if let Some(tier) = self.engine.stress.hop_tier(self.engine.existing) {
            return tier > running;
        }
        let manage = data.manage.lock();
        let better = manage.versions.best(EntryPoint::Loop(loop_id));
        better.is_some_and(|best| best.tier > running)
    }

    fn carry_out(self: &Arc<Self>, func: FuncId, data: &FuncData, decision: &Decision) {
        for request in &decision.compile {
            self.request(func, data, request);
        }
    }

    /// Queues a compilation, or does it at once in the stress mode that wants that.
    fn request(self: &Arc<Self>, func: FuncId, data: &FuncData, request: &Request) {
        let &Request { entry, tier, priority } = request;
        let unit = Unit { func, tier, osr: osr_loop(entry) };
        if self.engine.stress.modes().sync {
            // A failure is in the statistics; the function stays where it is.
            let _ = self.compile_now(unit);
            return;
        }
        data.manage.lock().policy.queued(entry, tier);
        let job = Job {
            module: Arc::downgrade(self),
            unit,
            priority: u64::from(priority),
            queued_at: Instant::now(),
        };
        if self.engine.queue_for(tier).push(job).is_err() {
            data.manage.lock().policy.cancelled(entry, tier);
        } else {
            self.emit(func, || EventKind::CompileQueued { tier, entry, priority });
        }
    }

    /// A worker takes a job.
    pub fn run_job(self: &Arc<Self>, job: &Job) {
        let mut unit = job.unit;
        let entry = entry_point(unit.osr);
        let Some(data) = self.existing(unit.func) else { return };
        {
            let mut manage = data.manage.lock();
            let request = Request { entry, tier: unit.tier, priority: 0 };
            let env = self.engine.environment();
            match self.engine.policy.reconsider(&manage.policy, &request, &env) {
                Some(tier) => unit.tier = tier,
                None => {
                    manage.policy.cancelled(entry, unit.tier);
                    drop(manage);
                    data.stats.cancelled();
                    self.emit(unit.func, || EventKind::CompileCancelled { tier: unit.tier, entry });
                    return;
                }
            }
        }
        let waited = job.queued_at.elapsed();
        data.stats.dequeued(unit.tier, waited.as_nanos() as u64);
        // With nobody left who could run the code, a compiler that takes long is not waited for.
        let wanted = || Arc::strong_count(self) > 1;
        // A failure is in the statistics; the function stays where it is.
        let _ = self.compile_after(unit, waited, &wanted);
    }

    /// Compiles and installs a unit on this thread, at once; gives the installed version.
    pub fn compile_now(self: &Arc<Self>, unit: Unit) -> Result<Arc<CodeVersion>, CompileError> {
        self.compile_after(unit, Duration::ZERO, &|| true)
    }

    fn compile_after(
        self: &Arc<Self>,
        unit: Unit,
        waited: Duration,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Arc<CodeVersion>, CompileError> {
        let Unit { func, tier, osr } = unit;
        let entry = entry_point(osr);
        let data = self.data(func).map_err(CompileError::Codegen)?;
        data.manage.lock().policy.started(entry, tier);
        let waited_micros = waited.as_micros() as u64;
        self.emit(func, || EventKind::CompileStarted { tier, entry, waited_micros });
        let started = Instant::now();
        let mut outcome = self.compile(unit, data, wanted);
        if matches!(outcome, Err(CompileError::NoRoom)) && self.make_room(func, data, entry) {
            outcome = self.compile(unit, data, wanted);
        }
        let nanos = started.elapsed().as_nanos() as u64;
        data.stats.compiled(tier, nanos);
        match outcome {
            Ok(version) => {
                self.emit(func, || EventKind::CompileFinished {
                    tier,
                    entry,
                    micros: nanos / 1000,
                    bytes: version.len() as u64,
                    generator: version.generator.to_owned(),
                });
                if self.engine.climbs_from(tier) {
                    self.engine.ticker.sample();
                }
                self.install(func, data, entry, &version);
                Ok(version)
            }
            Err(error) => {
                data.manage.lock().policy.failed(entry, tier, &error);
                data.stats.compile_failed(tier, &error.to_string());
                self.react_to_fault(func, data, tier, &error);
                if let (CompileError::Panic(message), true) = (&error, tier < Tier::T3) {
                    self.engine.warn_once(format!(
                        "compilation of %{} for {tier} panicked: {message}; it stays where it was",
                        self.ir.func_name(func)
                    ));
                }
                self.emit(func, || EventKind::CompileFailed {
                    tier,
                    entry,
                    reason: error.to_string(),
                });
                Err(error)
            }
        }
    }

    /// A compiler's fault is not to be met again by the same function.
    fn react_to_fault(&self, func: FuncId, data: &FuncData, tier: Tier, error: &CompileError) {
        match error {
            CompileError::Lost(_) => {
                let max_tier = self.engine.existing.below(tier);
                let pin = Pin { max_tier, reason: error.to_string() };
                data.manage.lock().policy.pin = Some(pin.clone());
                data.stats.pinned(&pin);
                self.emit(func, || EventKind::Pinned { max_tier, reason: pin.reason });
            }
            CompileError::Unavailable(_) | CompileError::Absent(_) => {}
            CompileError::Panic(_) if tier >= Tier::T3 => {}
            _ => return,
        }
        self.engine.note_peak_fault(tier, error);
    }

    /// Publishes a version: the function that was asked for, then the others of the unit. One of
    /// those that has got code of the tier by itself keeps it.
    fn install(
        &self,
        func: FuncId,
        data: &FuncData,
        entry: EntryPoint,
        version: &Arc<CodeVersion>,
    ) {
        self.install_for(func, data, entry, version);
        for member in version.members() {
            if let Some(data) = self.existing(member)
                && data.manage.lock().versions.get(EntryPoint::Call, version.tier).is_none()
            {
                self.install_for(member, data, EntryPoint::Call, version);
            }
        }
        // The link that held it so far.
        self.unlink(version.clone());
    }

    /// Publishes a version for one function, at `entry` and wherever else it is entered.
    fn install_for(
        &self,
        func: FuncId,
        data: &FuncData,
        entry: EntryPoint,
        version: &Arc<CodeVersion>,
    ) {
        let tier = version.tier;
        let (before, replaced) = {
            let mut manage = data.manage.lock();
            manage.policy.cancelled(entry, tier);
            if version.given_up.load(Ordering::Acquire) {
                // Another function of the unit failed already. Who gives a version up says so
                // before it takes the locks of the functions.
                return;
            }
            let before = manage.policy.call.installed;
            let mut replaced = Vec::new();
            for entry in data.entries_of(version, func) {
                version.add_link();
                replaced.extend(manage.versions.set(entry, version.clone()));
                let best = manage.versions.best(entry).map_or(Tier::T0, |v| v.tier);
                manage.policy.installed(entry, best);
            }
            self.relink(func, &manage);
            (before, replaced)
        };
        let unit = (version.members().next().is_some()).then_some(version.func);
        data.stats.installed(tier, version.generator, version.bytes_of(func), unit);
        self.emit(func, || EventKind::Installed {
            tier,
            entry,
            generator: version.generator.to_owned(),
            unit,
        });
        if entry == EntryPoint::Call && tier > before {
            self.emit(func, || EventKind::Promoted { from: before, to: tier });
        }
        if let Some(first) = replaced.first() {
            data.stats.replaced(tier, first.bytes_of(func));
        }
        for replaced in replaced {
            self.unlink(replaced);
        }
    }

    /// Takes away a link to a version; retires it if that was the last one.
    fn unlink(&self, version: Arc<CodeVersion>) {
        if version.remove_link() {
            self.engine.retire(version);
        }
    }

    /// Makes the function's cell lead to its best version for calls.
    fn relink(&self, func: FuncId, manage: &Manage) {
        if self.engine.stress.modes().draws_tiers() {
            // Every call goes through the stub, which draws a tier.
            return;
        }
        let cell = self.cell(func);
        let native =
            manage.versions.best(EntryPoint::Call).map_or(ptr::null(), |v| v.entry_of(func));
        let stub = self.stub(func).unwrap_or(ptr::null());
        let entry = if native.is_null() { stub } else { native };
        cell.entry.store(entry.cast_mut(), Ordering::Release);
        cell.native.store(native.cast_mut(), Ordering::Release);
    }

    /// Unlinks a version from all functions that lead to it, and retires it; gives them, with the
    /// first of their entry points that led to it.
    fn discard(
        &self,
        version: &Arc<CodeVersion>,
        note: fn(&mut FuncState, EntryPoint, Tier),
    ) -> Vec<(FuncId, EntryPoint)> {
        let mut unlinked = Vec::new();
        version.given_up.store(true, Ordering::Release);
        for func in std::iter::once(version.func).chain(version.members()) {
            let Some(data) = self.existing(func) else { continue };
            let mut links = Vec::new();
            {
                let mut manage = data.manage.lock();
                for entry in data.entries_of(version, func) {
                    let installed = manage.versions.get(entry, version.tier);
                    if installed.is_none_or(|v| v.id != version.id) {
                        continue;
                    }
                    links.extend(manage.versions.take(entry, version.tier));
                    let fallback = manage.versions.best(entry).map_or(Tier::T0, |v| v.tier);
                    if links.len() == 1 {
                        note(&mut manage.policy, entry, fallback);
                        unlinked.push((func, entry));
                    } else {
                        manage.policy.discarded(entry, fallback);
                    }
                }
                self.relink(func, &manage);
            }
            for link in links {
                self.unlink(link);
            }
        }
        unlinked
    }

    /// Gives up a version that does not hold any more.
    fn invalidate(&self, version: &Arc<CodeVersion>, reason: &str) {
        for (func, entry) in self.discard(version, FuncState::discarded) {
            let Some(data) = self.existing(func) else { continue };
            let tier = version.tier;
            data.stats.invalidated(tier, version.bytes_of(func));
            self.emit(func, || EventKind::Invalidated { tier, entry, reason: reason.to_owned() });
        }
    }

    /// Code left for the interpreter at one of its exits.
    pub fn on_deopt(self: &Arc<Self>, version: &Arc<CodeVersion>, state: &FrameState) {
        // The outermost activation is of the function whose code it is.
        let func = state.frames.first().map_or(version.func, |frame| frame.func);
        let reason = state.reason;
        let Some(data) = self.existing(func) else { return };
        let Some(entry) = data.entries_of(version, func).next() else { return };
        let mut count = version.deopt_count.load(Ordering::Relaxed);
        if !matches!(reason, DeoptReason::Forced | DeoptReason::BetterCode) {
            count = version.deopt_count.fetch_add(1, Ordering::Relaxed) + 1;
            self.remember_failure(state);
        }
        let env = self.engine.environment();
        let decision = {
            let mut manage = data.manage.lock();
            let installed =
                manage.versions.get(entry, version.tier).is_some_and(|v| v.id == version.id);
            let event = PolicyEvent::Deopt {
                entry,
                tier: version.tier,
                reason,
                version_deopts: count,
                installed,
            };
            self.engine.policy.on_event(&mut manage.policy, &event, &env)
        };
        let frame = state.frames.last();
        let at = frame.map_or(func, |frame| frame.func);
        let resume = frame
            .and_then(|frame| Some(self.existing(frame.func)?.body.insts.get(frame.resume)?.loc));
        let (tier, loc) = (version.tier, resume.unwrap_or_default());
        data.stats.deoptimized(tier, reason, at, loc);
        self.emit(func, || EventKind::Deoptimized { tier, reason, at, loc });
        if reason == DeoptReason::BetterCode {
            // The interpreter is only on the way.
            for frame in &state.frames {
                if let Some(data) = self.existing(frame.func) {
                    data.be_patient();
                    data.feedback.cap_loop_budgets(0);
                }
            }
        } else {
            data.feedback.cap_loop_budgets(decision.next_budget);
        }
        if decision.discard {
            let reason = format!("{count} deoptimizations, the last for {}", reason.name());
            self.invalidate(version, &reason);
        }
        if let Some(pin) = decision.pin {
            data.stats.pinned(&pin);
            self.emit(func, || EventKind::Pinned { max_tier: pin.max_tier, reason: pin.reason });
        }
    }

    /// Remembers which guard failed, so that the next version does not speculate on it: the
    /// branch whose unlikely target the frame state resumes at, or the dialect instruction itself.
    fn remember_failure(&self, state: &FrameState) {
        let Some(frame) = state.frames.last() else { return };
        let Some(data) = self.existing(frame.func) else { return };
        let body = &data.body;
        let mut failed = Vec::new();
        if state.reason == DeoptReason::Specialization {
            failed.push(frame.resume);
        } else {
            for block in body.blocks.values() {
                let Some(&last) = block.insts.last() else { continue };
                let branch = &body.insts[last];
                let resumes = |target| Self::resume_point(body, target) == Some(frame.resume);
                if matches!(branch.op, Op::Guard | Op::BrIf) && branch.successors().any(resumes) {
                    failed.push(last);
                }
            }
        }
        data.manage.lock().failed_guards.extend(failed);
    }

    /// Gives up all code of a function that is above T0, by request.
    pub fn deoptimize(&self, func: FuncId) {
        let Some(data) = self.existing(func) else { return };
        let versions: Vec<Arc<CodeVersion>> =
            data.manage.lock().versions.iter().map(|(_, version)| version.clone()).collect();
        for version in versions {
            self.invalidate(&version, "requested");
        }
    }

    /// Evicts code that is worth less than what is to be compiled; gives whether some was.
    fn make_room(&self, func: FuncId, data: &FuncData, entry: EntryPoint) -> bool {
        let engine = &self.engine;
        let now = engine.now_ns();
        let decay = &engine.config.tuning.decay;
        let heat = data.manage.lock().policy.heat_at(entry, now, decay);
        let mut owners: Vec<(Arc<ModuleInner>, Arc<CodeVersion>, bool)> = Vec::new();
        let mut candidates: Vec<EvictionCandidate> = Vec::new();
        let mut known: FxHashMap<u64, usize> = FxHashMap::default();
        for module in engine.live_modules() {
            for (other, other_data) in module.all_existing() {
                let manage = other_data.manage.lock();
                for (other_entry, version) in manage.versions.iter() {
                    let best = manage.versions.best(other_entry).map(|v| v.id);
                    let superseded = best != Some(version.id);
                    let heat = manage.policy.heat_at(other_entry, now, decay);
                    let own = (module.id, other, other_entry) == (self.id, func, entry);
                    // Functions that were compiled as a unit go together.
                    if let Some(&i) = known.get(&version.id) {
                        candidates[i].heat = candidates[i].heat.max(heat);
                        candidates[i].superseded &= superseded;
                        owners[i].2 |= own;
                        continue;
                    }
                    known.insert(version.id, candidates.len());
                    let bytes = version.len() as u64;
                    candidates.push(EvictionCandidate { bytes, heat, superseded });
                    owners.push((module.clone(), version.clone(), own));
                }
            }
        }
        // The size of the code is not known before it is linked; this much is usual.
        let wanted = (data.body.live_insts() * BYTES_PER_INST) as u64;
        let Some(victims) = engine.policy.evict(&candidates, wanted, heat) else { return false };
        let mut evicted = false;
        for victim in victims {
            let (module, version, own) = &owners[victim];
            if *own {
                continue;
            }
            for (other, entry) in module.discard(version, FuncState::evicted) {
                let Some(other_data) = module.existing(other) else { continue };
                let (tier, bytes) = (version.tier, version.bytes_of(other));
                evicted = true;
                other_data.stats.evicted(tier, bytes);
                module.emit(other, || EventKind::Evicted { tier, entry, bytes });
            }
        }
        evicted
    }
}
