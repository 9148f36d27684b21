//! Synthetic time lines: what a function does, and when which tier is asked for.

use super::*;
use crate::tuning::{Preset, Tuning};
use cupola_runtime::CompileError;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;

/// A function in a simulated engine: counters run out at the budgets that the policy sets, and
/// compilations take a given time.
struct Simulation {
    policy: ThresholdPolicy,
    state: FuncState,
    available: TierSet,
    now: u64,
    compile_ns: u64,
    budget: i32,
    reload: i32,
    calls: u64,
    loop_budget: i32,
    loop_reload: i32,
    running: Tier,
    under_way: Vec<(Request, u64)>,
    /// What was asked for, and after how many calls and back edges.
    log: Vec<(EntryPoint, Tier, u64)>,
    slow_paths: u64,
    edges: u64,
}

impl Simulation {
    fn new(tuning: Tuning, available: TierSet) -> Simulation {
        let policy = ThresholdPolicy::new(tuning);
        let (budget, loop_budget) =
            (policy.first_call_budget(available), policy.first_loop_budget(available));
        Simulation {
            policy,
            state: FuncState::new(100, 1, 0),
            available,
            now: 0,
            compile_ns: 20_000,
            budget,
            reload: budget,
            calls: 0,
            loop_budget,
            loop_reload: loop_budget,
            running: Tier::T0,
            under_way: Vec::new(),
            log: Vec::new(),
            slow_paths: 0,
            edges: 0,
        }
    }

    fn env(&self) -> Environment {
        Environment { now_ns: self.now, available: self.available, queue_len: self.under_way.len() }
    }

    fn take(&mut self, decision: &Decision, at: u64) {
        for request in &decision.compile {
            self.state.queued(request.entry, request.tier);
            self.state.started(request.entry, request.tier);
            self.under_way.push((*request, self.now + self.compile_ns));
            self.log.push((request.entry, request.tier, at));
        }
    }

    fn finish_compilations(&mut self) {
        let now = self.now;
        let state = &mut self.state;
        self.under_way.retain(|(request, done)| {
            if *done <= now {
                state.installed(request.entry, request.tier);
            }
            *done > now
        });
    }

    /// Calls the function `n` times, `every` nanoseconds apart.
    fn call(&mut self, n: u64, every: u64) {
        for _ in 0..n {
            self.now += every;
            self.finish_compilations();
            self.calls += 1;
            if self.state.call.installed >= Tier::T2 {
                continue; // not counted
            }
            self.budget -= 1;
            if self.budget < 0 {
                self.slow_paths += 1;
                let count = (self.reload - self.budget) as u64;
                let env = self.env();
                let event = PolicyEvent::Calls { count };
                let decision = self.policy.on_event(&mut self.state, &event, &env);
                self.take(&decision, self.calls);
                self.budget = decision.next_budget;
                self.reload = decision.next_budget;
            }
        }
    }

    /// Runs the loop for `n` iterations; code of a higher tier is entered when it is noticed.
    fn iterate(&mut self, n: u64, every: [u64; 3]) {
        for _ in 0..n {
            self.now += every[self.running as usize];
            self.finish_compilations();
            self.edges += 1;
            if self.running >= Tier::T2 {
                continue;
            }
            self.loop_budget -= 1;
            if self.loop_budget < 0 {
                self.slow_paths += 1;
                let count = (self.loop_reload - self.loop_budget) as u64;
                let loop_id = LoopId::from_u32(0);
                let running = self.running;
                let env = self.env();
                let event = PolicyEvent::BackEdges { loop_id, count, running, calls: self.calls };
                let decision = self.policy.on_event(&mut self.state, &event, &env);
                self.take(&decision, self.edges);
                self.loop_budget = decision.next_budget;
                self.loop_reload = decision.next_budget;
                self.running = self.running.max(self.state.loops[0].entry.installed);
            }
        }
    }
}

/// Tuning that polls so often that polling does not blur when thresholds are noticed.
fn exact(preset: Preset) -> Tuning {
    Tuning { waiting_poll_ns: 0, min_poll_budget: 0, ..preset.tuning() }
}

fn first_loop() -> EntryPoint {
    EntryPoint::Loop(LoopId::from_u32(0))
}

fn up_to_t2() -> TierSet {
    TierSet::up_to(Tier::T2)
}

#[test]
fn calls_in_quick_succession_climb_at_the_thresholds() {
    for (preset, t1, t2) in [
        (Preset::Development, 10, 100),
        (Preset::Default, 100, 1_000),
        (Preset::Production, 1_000, 10_000),
    ] {
        let mut sim = Simulation::new(preset.tuning(), up_to_t2());
        sim.compile_ns = 0;
        sim.call(20_000, 100);
        assert_eq!(sim.log[0], (EntryPoint::Call, Tier::T1, t1), "{preset:?}");
        let (entry, tier, at) = sim.log[1];
        assert_eq!((entry, tier), (EntryPoint::Call, Tier::T2));
        // The poll that notices T1's code may come a little late.
        assert!((t2..t2 + 300).contains(&at), "{preset:?} at {at}");
        assert_eq!(sim.log.len(), 2);
    }
}

#[test]
fn rate_decides_and_not_age() {
    let mut slow = Simulation::new(Tuning::default(), up_to_t2());
    slow.call(100, 36 * SECOND);
    assert_eq!(slow.log, [], "100 calls in an hour");
    slow.call(100_000, 200 * MS);
    assert_eq!(slow.log, [], "five calls a second, for hours");

    let mut quick = Simulation::new(Tuning::default(), up_to_t2());
    quick.call(100, 100_000);
    assert_eq!(quick.log, [(EntryPoint::Call, Tier::T1, 100)], "100 calls in 10 ms");

    // Above a tenth of the threshold a second: T1, never T2.
    let mut middling = Simulation::new(Tuning::default(), up_to_t2());
    middling.call(100_000, 50 * MS);
    assert_eq!(middling.log.len(), 1);
    assert_eq!(middling.state.call.installed, Tier::T1);
}

#[test]
fn heat_settles_at_rate_over_alpha() {
    let decay = Tuning::default().decay;
    for batch in [1, 7, 500] {
        let mut heat = Heat::new(0);
        let mut now = 0;
        for _ in 0..10_000 / batch {
            now += batch * 20 * MS;
            heat.add(batch, now, &decay);
        }
        let h = heat.at(now, &decay);
        assert!((450.0..550.0).contains(&h), "50 a second in batches of {batch}: {h}");
        assert_eq!(heat.total(), 10_000 / batch * batch);
        let half = heat.at(now + decay.half_life_ns() as u64, &decay);
        assert!((0.45..0.6).contains(&(half / h)), "{half} of {h}");
    }
    let never = crate::tuning::Decay { alpha: 0.0, interval_ns: SECOND };
    let mut heat = Heat::new(0);
    heat.add(60, 3_600 * SECOND, &never);
    assert_eq!(heat.add(40, 7_200 * SECOND, &never), 100.0);
}

#[test]
fn one_cold_call_of_a_long_loop_reaches_t2_soon() {
    let mut sim = Simulation::new(Tuning::default(), up_to_t2());
    sim.calls = 1;
    sim.compile_ns = 100_000;
    sim.iterate(1_000_000, [5, 1, 1]);
    assert_eq!(sim.log[0], (first_loop(), Tier::T1, 1_000));
    assert_eq!((sim.log[1].0, sim.log[1].1), (first_loop(), Tier::T2));
    assert_eq!(sim.log.len(), 2, "a single call asks for no call entry");
    assert_eq!(sim.running, Tier::T2);
    // T0's thousand iterations, two compilations, and what polling adds.
    let mut again = Simulation::new(Tuning::default(), up_to_t2());
    again.calls = 1;
    again.compile_ns = 100_000;
    while again.running < Tier::T2 {
        again.iterate(1, [5, 1, 1]);
    }
    assert!(again.now < 5_000 + 2 * (100_000 + 15_000), "{} ns", again.now);
}

#[test]
fn a_loop_called_again_gets_code_for_calls() {
    let mut sim = Simulation::new(Tuning::default(), up_to_t2());
    sim.compile_ns = 1_000;
    for _ in 0..200 {
        sim.calls += 1;
        sim.running = sim.state.call.installed;
        sim.iterate(100, [5, 1, 1]);
    }
    assert!(sim.log.contains(&(EntryPoint::Call, Tier::T1, 1_000)), "{:?}", sim.log);
    assert_eq!(sim.state.call.installed, Tier::T2);
    assert!(sim.calls < 1_000);
}

#[test]
fn slow_paths_are_rare_where_nothing_is_to_be_gained() {
    let mut sim = Simulation::new(Tuning::default(), TierSet::up_to(Tier::T1));
    sim.calls = 1;
    sim.iterate(20_000_000, [5, 1, 1]);
    assert_eq!(sim.running, Tier::T1);
    // 20 ms of loop, one each millisecond.
    assert!(sim.slow_paths < 60, "{}", sim.slow_paths);
    // And the loop that becomes slower is still looked at in time.
    let before = sim.slow_paths;
    sim.iterate(2_000, [0, 5_000, 0]);
    sim.iterate(2_000_000, [0, 5, 0]);
    assert!(sim.slow_paths > before);
}

#[test]
fn only_available_tiers_are_asked_for() {
    let mut sim = Simulation::new(Preset::Development.tuning(), TierSet::up_to(Tier::T0));
    sim.call(1_000_000, 10);
    assert_eq!(sim.log, []);
    let only_t2: TierSet = [Tier::T0, Tier::T2].into_iter().collect();
    let mut sim = Simulation::new(Preset::Development.tuning(), only_t2);
    sim.call(10_000, 10);
    assert_eq!(sim.log, [(EntryPoint::Call, Tier::T2, 100)]);
}

#[test]
fn a_full_queue_is_asked_again_later() {
    let policy = ThresholdPolicy::new(Tuning { queue_bound: 4, ..Tuning::default() });
    let mut state = FuncState::new(100, 0, 0);
    let mut env = Environment { now_ns: 1_000, available: up_to_t2(), queue_len: 4 };
    let decision = policy.on_event(&mut state, &PolicyEvent::Calls { count: 100 }, &env);
    assert!(decision.compile.is_empty());
    assert!(decision.next_budget < 10_000);
    env.queue_len = 3;
    let decision = policy.on_event(&mut state, &PolicyEvent::Calls { count: 1 }, &env);
    assert_eq!(decision.compile.len(), 1);
}

#[test]
fn failed_compilations_are_not_repeated() {
    let mut sim = Simulation::new(Tuning::default(), up_to_t2());
    sim.call(100, 10);
    assert_eq!(sim.log.len(), 1);
    sim.under_way.clear();
    sim.state.failed(EntryPoint::Call, Tier::T1, &CompileError::Panic("boom".into()));
    assert_eq!(sim.state.call.pending, None);
    sim.call(10_000, 10);
    let tiers: Vec<Tier> = sim.log.iter().map(|entry| entry.1).collect();
    assert_eq!(tiers, [Tier::T1, Tier::T2]);
}

#[test]
fn no_room_makes_the_next_attempt_later_not_never() {
    let mut sim = Simulation::new(exact(Preset::Default), up_to_t2());
    let mut asked: Vec<u64> = Vec::new();
    for _ in 0..5 {
        let logged = sim.log.len();
        let before = sim.calls;
        while sim.log.len() == logged {
            sim.call(1, 10);
        }
        asked.push(sim.calls - before);
        sim.under_way.clear();
        let tier = sim.log[logged].1;
        sim.state.failed(EntryPoint::Call, tier, &CompileError::NoRoom);
    }
    assert_eq!(asked, [100, 200, 400, 800, 1_600]);
}

#[test]
fn failing_code_is_discarded_then_the_function_is_pinned() {
    let mut sim = Simulation::new(exact(Preset::Development), up_to_t2());
    sim.compile_ns = 0;
    let (deopts, recompiles) =
        (sim.policy.tuning().max_deopts_per_version, sim.policy.tuning().max_recompiles);
    let mut climbs = Vec::new();
    for round in 0.. {
        let before = sim.calls;
        while sim.state.call.installed < Tier::T2 && sim.calls - before < 1_000_000 {
            sim.call(1, 10);
        }
        if sim.state.call.installed < Tier::T2 {
            break;
        }
        climbs.push(sim.calls - before);
        for n in 1..=deopts {
            let event = PolicyEvent::Deopt {
                entry: EntryPoint::Call,
                tier: Tier::T2,
                reason: DeoptReason::GuardFailed,
                version_deopts: n,
                installed: true,
            };
            let env = sim.env();
            let decision = sim.policy.on_event(&mut sim.state, &event, &env);
            assert_eq!(decision.discard, n == deopts);
            assert_eq!(decision.pin.is_some(), n == deopts && round == recompiles);
            assert!(decision.compile.is_empty(), "no deoptimization recompiles at once");
            if decision.discard {
                sim.state.discarded(EntryPoint::Call, Tier::T1);
            }
        }
    }
    assert_eq!(climbs.len() as u32, recompiles + 1);
    assert!(climbs[1..].windows(2).all(|w| w[1] >= 2 * w[0] - 10), "ever later: {climbs:?}");
    let pin = sim.state.pin.as_ref().unwrap();
    assert_eq!(pin.max_tier, Tier::T1);
    assert!(pin.reason.contains("guard_failed"), "{}", pin.reason);
    assert_eq!(sim.state.call.installed, Tier::T1);
}

#[test]
fn forced_deopts_and_those_of_old_versions_do_not_count() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let mut state = FuncState::new(100, 0, 0);
    state.installed(EntryPoint::Call, Tier::T2);
    let env = Environment { now_ns: 0, available: up_to_t2(), queue_len: 0 };
    for (reason, installed) in [(DeoptReason::Forced, true), (DeoptReason::GuardFailed, false)] {
        let event = PolicyEvent::Deopt {
            entry: EntryPoint::Call,
            tier: Tier::T2,
            reason,
            version_deopts: 1_000,
            installed,
        };
        let decision = policy.on_event(&mut state, &event, &env);
        assert!(!decision.discard && decision.pin.is_none());
    }
    assert_eq!(state.discards, 0);
}

#[test]
fn waiting_compilations_become_pointless() {
    let mut sim = Simulation::new(Tuning::default(), up_to_t2());
    sim.call(100, 10);
    let (request, _) = sim.under_way[0];
    let mut env = sim.env();
    assert_eq!(sim.policy.reconsider(&sim.state, &request, &env), Some(Tier::T1));
    env.now_ns += 20 * SECOND;
    assert_eq!(sim.policy.reconsider(&sim.state, &request, &env), None, "went cold");
    env.now_ns = sim.now;
    env.available = TierSet::up_to(Tier::T0);
    assert_eq!(sim.policy.reconsider(&sim.state, &request, &env), None, "tier gone");
    let env = sim.env();
    sim.state.installed(EntryPoint::Call, Tier::T2);
    assert_eq!(sim.policy.reconsider(&sim.state, &request, &env), None, "better code is there");
}

#[test]
fn what_became_hotter_while_it_waited_skips_a_tier() {
    let mut sim = Simulation::new(Tuning::default(), up_to_t2());
    sim.call(100, 10);
    let (request, _) = sim.under_way[0];
    assert_eq!(request.tier, Tier::T1);
    sim.state.heat.add(900, sim.now, &Tuning::default().decay);
    let env = sim.env();
    assert_eq!(sim.policy.reconsider(&sim.state, &request, &env), Some(Tier::T2));
    sim.state.pin = Some(Pin { max_tier: Tier::T1, reason: "a test".to_owned() });
    assert_eq!(sim.policy.reconsider(&sim.state, &request, &env), Some(Tier::T1));
}

#[test]
fn short_loops_of_functions_called_often_get_no_entries() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let env = Environment { now_ns: 0, available: up_to_t2(), queue_len: 0 };
    for (calls, entries) in [(1, 1), (10, 1), (11, 0), (500, 0)] {
        let mut state = FuncState::new(100, 1, 0);
        let loop_id = LoopId::from_u32(0);
        let event = PolicyEvent::BackEdges { loop_id, count: 1_000, running: Tier::T0, calls };
        let decision = policy.on_event(&mut state, &event, &env);
        let asked = |entry| decision.compile.iter().filter(|r| r.entry == entry).count();
        assert_eq!(asked(EntryPoint::Loop(loop_id)), entries, "{calls} calls");
        assert_eq!(asked(EntryPoint::Call), usize::from(calls > 1), "{calls} calls");
    }
}

#[test]
fn eviction_takes_the_coldest_and_spares_the_hotter() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let candidate = |bytes, heat, superseded| EvictionCandidate { bytes, heat, superseded };
    let code = [
        candidate(100, 50.0, false),
        candidate(100, 10.0, false),
        candidate(100, 900.0, true),
        candidate(100, 800.0, false),
    ];
    assert_eq!(policy.evict(&code, 100, 1_000.0), Some(vec![2]));
    assert_eq!(policy.evict(&code, 150, 1_000.0), Some(vec![2, 1]));
    assert_eq!(policy.evict(&code, 300, 1_000.0), Some(vec![2, 1, 0]));
    assert_eq!(policy.evict(&code, 400, 1_000.0), None, "800 is too hot to go for 1,000");
    assert_eq!(policy.evict(&code[..1], 100, 60.0), None);
}

#[test]
fn quick_tiers_and_hot_functions_go_first() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let env = Environment { now_ns: 0, available: up_to_t2(), queue_len: 0 };
    let priority = |installed: Tier, count: u64| {
        let mut state = FuncState::new(100, 0, 0);
        state.installed(EntryPoint::Call, installed);
        policy.on_event(&mut state, &PolicyEvent::Calls { count }, &env).compile[0].priority
    };
    assert!(priority(Tier::T0, 100) > priority(Tier::T1, 1_000));
    assert!(priority(Tier::T0, 900) > priority(Tier::T0, 100));
}

#[test]
fn of_functions_as_hot_the_small_ones_go_first() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let env = Environment { now_ns: 0, available: up_to_t2(), queue_len: 0 };
    let priority = |size: u32, count: u64| {
        let mut state = FuncState::new(size, 0, 0);
        policy.on_event(&mut state, &PolicyEvent::Calls { count }, &env).compile[0].priority
    };
    assert!(priority(40, 100) > priority(4_000, 100));
    assert!(priority(4_000, 900) > priority(400, 100), "but not whatever the heat");
}

#[test]
fn a_ladder_leaves_no_step_out() {
    let step = |skips_tiers: bool| {
        let policy = ThresholdPolicy::new(Tuning { skips_tiers, ..Tuning::default() });
        let env = Environment { now_ns: 0, available: up_to_t2(), queue_len: 0 };
        let mut state = FuncState::new(100, 1, 0);
        let (loop_id, running) = (LoopId::from_u32(0), Tier::T0);
        let edges = PolicyEvent::BackEdges { loop_id, count: 1 << 30, running, calls: 2 };
        let asked = policy.on_event(&mut state, &edges, &env).compile;
        let calls = policy.on_event(&mut state, &PolicyEvent::Calls { count: 1 << 30 }, &env);
        asked.iter().chain(&calls.compile).map(|request| request.tier).collect::<Vec<_>>()
    };
    assert_eq!(step(true), [Tier::T2; 3]);
    assert_eq!(step(false), [Tier::T1; 3]);
}

/// What is entered at a loop of T1 is entered at all.
#[test]
fn baseline_code_for_loops_is_asked_for_once() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let env = Environment { now_ns: 0, available: up_to_t2(), queue_len: 0 };
    let mut state = FuncState::new(100, 2, 0);
    let asked = |state: &mut FuncState, id: u32| {
        let (loop_id, running) = (LoopId::from_u32(id), Tier::T0);
        let edges = PolicyEvent::BackEdges { loop_id, count: 1_000, running, calls: 1 };
        let compile = policy.on_event(state, &edges, &env).compile;
        compile.iter().map(|request| (request.entry, request.tier)).collect::<Vec<_>>()
    };
    let first = EntryPoint::Loop(LoopId::from_u32(0));
    assert_eq!(asked(&mut state, 0), [(first, Tier::T1)]);
    state.queued(first, Tier::T1);
    assert_eq!(asked(&mut state, 1), []);
    state.cancelled(first, Tier::T1);
    assert_eq!(asked(&mut state, 1), [(EntryPoint::Loop(LoopId::from_u32(1)), Tier::T1)]);
}

/// How many samples of a loop ask for a peak entry at it, at most 100.
fn samples_until_asked(state: &mut FuncState, loop_id: u32, calls: u64) -> Option<u32> {
    let policy = ThresholdPolicy::new(Tuning::default());
    let env = Environment {
        now_ns: SECOND / 2,
        available: Tier::ALL.into_iter().collect(),
        queue_len: 0,
    };
    let loop_id = LoopId::from_u32(loop_id);
    let event = PolicyEvent::Sample { loop_id, running: Tier::T2, calls };
    (1..=100).find(|_| {
        let decision = policy.on_event(state, &event, &env);
        decision.compile.iter().any(|request| request.entry == EntryPoint::Loop(loop_id))
    })
}

#[test]
fn one_peak_entry_of_a_function_at_a_time() {
    let mut state = FuncState::new(100, 3, 0);
    assert_eq!(samples_until_asked(&mut state, 0, 1), Some(10));
    state.queued(EntryPoint::Loop(LoopId::from_u32(0)), Tier::T3);
    assert_eq!(samples_until_asked(&mut state, 1, 1), None, "another is awaited");
    state.installed(EntryPoint::Loop(LoopId::from_u32(0)), Tier::T3);
    assert_eq!(samples_until_asked(&mut state, 2, 1), Some(40), "there is one");
}

#[test]
fn what_is_soon_left_gets_no_peak_entry_at_its_loop() {
    let mut state = FuncState::new(100, 1, 0);
    assert_eq!(samples_until_asked(&mut state, 0, 5_000), None);
    let mut state = FuncState::new(100, 1, 0);
    assert_eq!(samples_until_asked(&mut state, 0, 500), Some(50), "it was called often, and stays");
}

#[test]
fn inputs_and_outputs_can_be_recorded() {
    let policy = ThresholdPolicy::new(Tuning::default());
    let mut state = FuncState::new(100, 2, 5);
    let event = PolicyEvent::BackEdges {
        loop_id: LoopId::from_u32(1),
        count: 1_000,
        running: Tier::T0,
        calls: 2,
    };
    let env = Environment { now_ns: 10_000, available: up_to_t2(), queue_len: 0 };
    let input = serde_json::to_string(&(&state, event, env)).unwrap();
    let decision = policy.on_event(&mut state, &event, &env);
    let (mut state2, event2, env2): (FuncState, PolicyEvent, Environment) =
        serde_json::from_str(&input).unwrap();
    let again = policy.on_event(&mut state2, &event2, &env2);
    assert_eq!(decision.compile.len(), 2);
    assert_eq!((&again, &state2), (&decision, &state));
    let text = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
}
