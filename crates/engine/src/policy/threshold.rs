//! The policy by thresholds: a function or loop is compiled for a tier once it is as hot as the
//! tier's threshold says, each tier about ten times as hot as the one before.
//!
//! Heat is measured when counters run out, so budgets are chosen such that this happens just when
//! a threshold would be reached if no time passed, and often enough to notice code that was
//! awaited, or an interruption. It does not weigh what a compilation costs against what it gains.

use super::{
    Decision, EntryPoint, EntryState, Environment, EvictionCandidate, FuncState, LoopState, Pin,
    Policy, PolicyEvent, Request, TierSet,
};
use crate::tuning::Tuning;
use cupola_ir::{DeoptReason, LoopId};
use cupola_runtime::Tier;

/// A newcomer must be this much hotter than code that it displaces, so that two functions that
/// do not both find room do not take turns.
const EVICTION_MARGIN: f64 = 2.0;

/// Hotness may have fallen to this share of the threshold before a queued compilation is dropped.
const WANTED_SHARE: f64 = 0.5;

/// Setbacks count towards longer thresholds at most up to here; 2³² calls never come.
const MAX_SETBACKS: u32 = 32;

/// Compiles what passes the thresholds of a [`Tuning`].
#[derive(Clone, Debug)]
pub struct ThresholdPolicy {
    tuning: Tuning,
}

/// A counter that ran out.
struct Expiry {
    heat: f64,
    count: u64,
    elapsed_ns: u64,
}

impl ThresholdPolicy {
    /// The policy with these thresholds.
    pub fn new(tuning: Tuning) -> ThresholdPolicy {
        ThresholdPolicy { tuning }
    }

    /// Its thresholds.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Heat at which an entry point is compiled for `tier`; none for T0.
    fn threshold(&self, state: &FuncState, entry: EntryPoint, tier: Tier) -> Option<f64> {
        let (events, factor) = match entry {
            EntryPoint::Call => (self.tuning.calls(tier), 1.0),
            EntryPoint::Loop(id) if tier >= Tier::T2 && state.has_other_entry(id, tier) => {
                (self.tuning.back_edges(tier), self.tuning.further_entry)
            }
            EntryPoint::Loop(_) => (self.tuning.back_edges(tier), 1.0),
        };
        events.map(|events| f64::from(events) * factor * self.backoff(state, tier))
    }

    /// What setbacks multiply thresholds by.
    fn backoff(&self, state: &FuncState, tier: Tier) -> f64 {
        // Only speculative tiers have versions that are discarded; any code can be evicted.
        let discards = if tier >= Tier::T2 { state.discards } else { 0 };
        let setbacks = (discards + state.evictions).min(MAX_SETBACKS);
        self.tuning.recompile_backoff.powi(setbacks as i32)
    }

    /// The tiers above `current` that an entry point may be compiled for, with their thresholds,
    /// lowest first.
    fn goals(
        &self,
        state: &FuncState,
        entry: EntryPoint,
        current: Tier,
        env: &Environment,
    ) -> impl DoubleEndedIterator<Item = (Tier, f64)> {
        let early = env.now_ns < self.tuning.peak_after_ns;
        env.available
            .iter()
            .filter(move |&tier| tier < Tier::T3 || !early)
            .filter(move |&tier| tier > current && state.allows(entry, tier))
            .filter_map(move |tier| Some((tier, self.threshold(state, entry, tier)?)))
    }

    /// The best of these tiers whose threshold `heat` reaches; where none may be left out, the
    /// lowest, if its threshold is reached.
    fn best(
        &self,
        mut goals: impl DoubleEndedIterator<Item = (Tier, f64)>,
        heat: f64,
    ) -> Option<(Tier, f64)> {
        let reached = |&(_, threshold): &(Tier, f64)| heat >= threshold;
        match self.tuning.skips_tiers {
            true => goals.rfind(reached),
            false => goals.next().filter(reached),
        }
    }

    /// The tier for which an entry point as hot as this is to be compiled.
    fn target(
        &self,
        state: &FuncState,
        entry: EntryPoint,
        current: Tier,
        heat: f64,
        env: &Environment,
    ) -> Option<(Tier, f64)> {
        self.best(self.goals(state, entry, current, env), heat)
    }

    /// How urgent a compilation is: heat as a multiple of the threshold, weighed by how quickly
    /// the tier compiles and how much it gains, and for loops by that something runs in it now.
    ///
    /// By Smith's rule, waiting costs least if jobs are taken in the order of what they gain a
    /// second over how long they take. Of two functions that are as hot, the larger one gains more,
    /// but by less than it is larger, since each call runs only some of it: the square root is taken
    /// for that (Smith, *Various optimizers for single-stage production*, 1956).
    fn priority(size: u32, entry: EntryPoint, tier: Tier, ratio: f64) -> u32 {
        let weight = match tier {
            Tier::T0 | Tier::T1 => 16.0,
            Tier::T2 => 4.0,
            Tier::T3 | Tier::T4 => 1.0,
        };
        let waiting = if matches!(entry, EntryPoint::Loop(_)) { 2.0 } else { 1.0 };
        // Casts of floats saturate.
        (1024.0 * ratio * weight * waiting / f64::from(size.max(16)).sqrt()) as u32
    }

    /// Adds a request if the queue has room.
    fn request(
        &self,
        decision: &mut Decision,
        state: &FuncState,
        entry: EntryPoint,
        (tier, threshold): (Tier, f64),
        heat: f64,
        env: &Environment,
    ) {
        if env.queue_len + decision.compile.len() < self.tuning.queue_bound {
            let priority = Self::priority(state.size, entry, tier, heat / threshold);
            decision.compile.push(Request { entry, tier, priority });
        }
    }

    /// The budget with which a counter that counts as quickly as it did runs out after `ns`.
    fn budget_for(&self, ns: u64, expiry: &Expiry) -> i32 {
        let events = expiry.count as f64 / expiry.elapsed_ns.max(1) as f64 * ns as f64;
        (events as i32).clamp(self.tuning.min_poll_budget, self.tuning.max_budget)
    }

    /// The next budget of an entry point's counter. `waiting`: something better is on its way.
    fn next_budget(
        &self,
        state: &FuncState,
        entry: EntryPoint,
        current: Tier,
        waiting: bool,
        expiry: &Expiry,
        env: &Environment,
    ) -> i32 {
        if waiting {
            return self.budget_for(self.tuning.waiting_poll_ns, expiry);
        }
        let idle = self.budget_for(self.tuning.idle_poll_ns, expiry);
        match self.goals(state, entry, current, env).next() {
            None => idle,
            Some((_, threshold)) => {
                // Not less than a small share of the threshold: heat that hovers just below it
                // must not bring every event here.
                let missing = (threshold - expiry.heat).max(threshold / 16.0);
                idle.min((missing.ceil() as i32).saturating_sub(1).max(0))
            }
        }
    }

    fn on_calls(&self, state: &mut FuncState, count: u64, env: &Environment) -> Decision {
        let elapsed_ns = env.now_ns.saturating_sub(state.heat.last_ns());
        let heat = state.heat.add(count, env.now_ns, &self.tuning.decay);
        let state = &*state;
        let EntryState { installed, pending, .. } = state.call;
        let mut decision = Decision::default();
        let target = self.target(state, EntryPoint::Call, installed, heat, env);
        if let (None, Some(goal)) = (pending, target) {
            self.request(&mut decision, state, EntryPoint::Call, goal, heat, env);
        }
        let waiting = pending.is_some() || target.is_some();
        decision.next_budget = self.next_budget(
            state,
            EntryPoint::Call,
            installed,
            waiting,
            &Expiry { heat, count, elapsed_ns },
            env,
        );
        decision
    }

    fn on_back_edges(
        &self,
        state: &mut FuncState,
        loop_id: LoopId,
        count: u64,
        running: Tier,
        calls: u64,
        env: &Environment,
    ) -> Decision {
        let entry = EntryPoint::Loop(loop_id);
        let loop_heat = &mut state.loops[loop_id.as_u32() as usize].heat;
        let elapsed_ns = env.now_ns.saturating_sub(loop_heat.last_ns());
        let heat = loop_heat.add(count, env.now_ns, &self.tuning.decay);
        let state = &*state;
        let EntryState { installed, pending, .. } = *state.entry(entry);
        let mut decision = Decision::default();

        let current = installed.max(running);
        let target = self.target(state, entry, current, heat, env);
        // What is called often and loops little each time needs no entry at the loop: the next
        // call enters the code for calls.
        let edges = state.loops[loop_id.as_u32() as usize].heat.total() as f64;
        let reached = edges * f64::from(self.tuning.osr_calls);
        let stays = reached >= calls as f64 * f64::from(self.tuning.t1_back_edges);
        if let (None, Some(goal), true) = (pending, target, stays)
            && !state.is_awaited_elsewhere(loop_id, goal.0)
        {
            self.request(&mut decision, state, entry, goal, heat, env);
        }
        // A function that is called again is entered by calls too; without that, each activation
        // would start in T0 until it comes here.
        if calls > 1 && state.call.pending.is_none() {
            let goals = self
                .goals(state, EntryPoint::Call, state.call.installed, env)
                .filter_map(|(tier, _)| Some((tier, self.threshold(state, entry, tier)?)));
            let goal = self.best(goals, heat);
            if let Some(goal) = goal {
                self.request(&mut decision, state, EntryPoint::Call, goal, heat, env);
            }
        }
        let waiting = pending.is_some() || target.is_some();
        decision.next_budget = self.next_budget(
            state,
            entry,
            current,
            waiting,
            &Expiry { heat, count, elapsed_ns },
            env,
        );
        decision
    }

    /// A loop of optimized code gave a sample. When there were enough, it gets an entry, and so does
    /// the function, if that is called repeatedly.
    ///
    /// What is entered at a loop runs to the function's end, so that another entry into the same
    /// function gains only if that loop is not come to for long; and a peak compilation is dear. So
    /// one is made at a time, and a further one needs more samples.
    fn on_sample(
        &self,
        state: &mut FuncState,
        loop_id: LoopId,
        running: Tier,
        calls: u64,
        env: &Environment,
    ) -> Decision {
        let index = loop_id.as_u32() as usize;
        let heat = state.loops[index].samples.add(1, env.now_ns, &self.tuning.decay);
        let state = &*state;
        let samples: u64 = state.loops.iter().map(|l| l.samples.total()).sum();
        let mut decision = Decision::default();
        let mut consider = |entry, current, factor: f64| {
            let goals = self
                .goals(state, entry, current, env)
                .filter_map(|(tier, _)| Some((tier, self.sample_threshold(state, tier)? * factor)));
            let goal = self.best(goals, heat);
            if let (None, Some(goal)) = (state.entry(entry).pending, goal) {
                self.request(&mut decision, state, entry, goal, heat, env);
            }
        };
        let is_awaited = |l: &LoopState| l.entry.pending.is_some_and(|(tier, _)| tier > running);
        // A function that is soon left again comes into better code by its next call.
        let stays = calls <= samples.saturating_mul(self.tuning.calls_per_sample.into());
        if stays && !state.other_loops(loop_id).any(is_awaited) {
            let has_entry = state.has_other_entry(loop_id, Tier::T3);
            let factor = if has_entry { self.tuning.further_entry } else { 1.0 };
            let current = state.loops[index].entry.installed.max(running);
            consider(EntryPoint::Loop(loop_id), current, factor);
        }
        if calls > 1 {
            consider(EntryPoint::Call, state.call.installed, 1.0);
        }
        decision
    }

    /// Heat in samples at which a loop is compiled for `tier`; none where loops are counted.
    fn sample_threshold(&self, state: &FuncState, tier: Tier) -> Option<f64> {
        let samples = self.tuning.samples(tier)?;
        Some(f64::from(samples) * self.backoff(state, tier))
    }

    fn on_deopt(
        &self,
        state: &mut FuncState,
        tier: Tier,
        reason: DeoptReason,
        version_deopts: Option<u32>,
        available: TierSet,
    ) -> Decision {
        let mut decision =
            Decision { next_budget: self.tuning.min_poll_budget, ..Decision::default() };
        // A deoptimization that was asked for says nothing about the code, and code that is no
        // longer installed (none) need not go.
        let failing = version_deopts.is_some_and(|n| n >= self.tuning.max_deopts_per_version);
        if matches!(reason, DeoptReason::Forced | DeoptReason::BetterCode) || !failing {
            return decision;
        }
        decision.discard = true;
        state.discards += 1;
        state.cool();
        if state.discards > self.tuning.max_recompiles {
            let max_tier = available.below(tier);
            let reason = format!(
                "{tier} code discarded {} times, last for {}",
                state.discards,
                reason.name()
            );
            decision.pin = Some(Pin { max_tier, reason });
            state.pin.clone_from(&decision.pin);
        }
        decision
    }

    /// Whether code of `tier` for `entry` is worth being compiled by one that finds the time.
    fn is_wanted(
        &self,
        state: &FuncState,
        entry: EntryPoint,
        tier: Tier,
        env: &Environment,
    ) -> bool {
        if !env.available.contains(tier)
            || !state.allows(entry, tier)
            || state.entry(entry).installed >= tier
        {
            return false;
        }
        // A call entry may have been asked for because of a loop, so the hottest counts.
        let reaches = |heated: EntryPoint| {
            let heat = state.heat_at(heated, env.now_ns, &self.tuning.decay);
            let threshold = self.threshold(state, heated, tier);
            let samples = match heated {
                EntryPoint::Call => None,
                EntryPoint::Loop(id) => {
                    let samples = state.loops[id.as_u32() as usize].samples;
                    Some(samples.at(env.now_ns, &self.tuning.decay))
                }
            };
            threshold.is_some_and(|threshold| heat >= threshold * WANTED_SHARE)
                || samples
                    .zip(self.sample_threshold(state, tier))
                    .is_some_and(|(samples, threshold)| samples >= threshold * WANTED_SHARE)
        };
        let mut loops = (0..state.loops.len() as u32).map(LoopId::from_u32).map(EntryPoint::Loop);
        reaches(entry) || entry == EntryPoint::Call && loops.any(reaches)
    }
}

impl Policy for ThresholdPolicy {
    fn first_call_budget(&self, available: TierSet) -> i32 {
        let lowest = available.iter().find_map(|tier| self.tuning.calls(tier));
        lowest.map_or(self.tuning.max_budget, |calls| {
            calls.saturating_sub(1).min(i32::MAX as u32) as i32
        })
    }

    fn first_loop_budget(&self, available: TierSet) -> i32 {
        // Without a tier to climb to, the counter only has to notice interruptions; how quick the
        // loop is, is not known yet.
        let lowest = available.iter().find_map(|tier| self.tuning.back_edges(tier));
        lowest.map_or(self.tuning.min_poll_budget, |edges| {
            edges.saturating_sub(1).min(i32::MAX as u32) as i32
        })
    }

    fn on_event(&self, state: &mut FuncState, event: &PolicyEvent, env: &Environment) -> Decision {
        match *event {
            PolicyEvent::Calls { count } => self.on_calls(state, count, env),
            PolicyEvent::BackEdges { loop_id, count, running, calls } => {
                self.on_back_edges(state, loop_id, count, running, calls, env)
            }
            PolicyEvent::Sample { loop_id, running, calls } => {
                self.on_sample(state, loop_id, running, calls, env)
            }
            PolicyEvent::Deopt { tier, reason, version_deopts, installed, .. } => {
                let failing = installed.then_some(version_deopts);
                self.on_deopt(state, tier, reason, failing, env.available)
            }
        }
    }

    fn reconsider(&self, state: &FuncState, request: &Request, env: &Environment) -> Option<Tier> {
        let Request { entry, tier, .. } = *request;
        if !self.is_wanted(state, entry, tier, env) {
            return None;
        }
        if !self.tuning.skips_tiers {
            return Some(tier);
        }
        // Tiers above T2 are compiled elsewhere and wait there.
        let better = env.available.iter().filter(|&better| better > tier && better <= Tier::T2);
        better.rev().find(|&better| self.is_wanted(state, entry, better, env)).or(Some(tier))
    }

    fn evict(&self, candidates: &[EvictionCandidate], bytes: u64, heat: f64) -> Option<Vec<usize>> {
        // What nothing enters any more costs least; then the coldest.
        let mut order: Vec<usize> = (0..candidates.len())
            .filter(|&i| candidates[i].superseded || candidates[i].heat * EVICTION_MARGIN <= heat)
            .collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&candidates[a], &candidates[b]);
            b.superseded.cmp(&a.superseded).then(a.heat.total_cmp(&b.heat))
        });
        let mut freed = 0;
        let victims: Vec<usize> = order
            .into_iter()
            .take_while(|&i| {
                let more = freed < bytes;
                freed += if more { candidates[i].bytes } else { 0 };
                more
            })
            .collect();
        (freed >= bytes).then_some(victims)
    }
}
