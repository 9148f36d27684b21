//! What is woven into code, at work: the bench programs, and random ones, give the same where
//! optimized code is made to leave all the time, and use the same fuel in all tiers.

use cupola::ir::{EagerBodies, Module, TrapCode};
use cupola::{Config, Value};
use cupola_testkit::generate::{Choices, Program};
use cupola_testkit::mode::{RunMode, stressed};
use cupola_testkit::session::{End, Session, State};
use std::path::Path;

/// The bench programs, with arguments that keep them short.
const BENCH: [(&str, i64); 11] = [
    ("collatz", 40),
    ("fib", 12),
    ("hashtable", 1),
    ("loopnest", 2),
    ("mandelbrot", 2),
    ("matmul", 2),
    ("nbody", 20),
    ("sieve", 1),
    ("sort", 1),
    ("tokens", 1),
    ("vm", 20),
];

/// Calls of one function after another, so that functions climb.
struct Subject {
    name: String,
    module: Module,
    bodies: EagerBodies,
    func: &'static str,
    calls: Vec<Vec<Value>>,
}

fn bench_programs() -> Vec<Subject> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/programs");
    let subject = |(name, n): (&str, i64)| {
        let text = std::fs::read_to_string(directory.join(format!("{name}.cir"))).unwrap();
        let parsed = cupola::ir::parse(name, &text).unwrap_or_else(|e| panic!("{name}: {e}"));
        Subject {
            name: name.to_owned(),
            module: parsed.module,
            bodies: parsed.bodies,
            func: "main",
            calls: [n, 0, n, n].iter().map(|&n| vec![Value::I64(n)]).collect(),
        }
    };
    BENCH.map(subject).into()
}

fn random_programs(seeds: std::ops::Range<u64>) -> impl Iterator<Item = Subject> {
    seeds.map(|seed| {
        let program = Program::generate(&mut Choices::seeded(seed));
        let arguments = [(0, 0, 1), (1, 5, 14), (-3, -1, 1), (1 << 20, 1 << 40, 12), (2, 9, 13)];
        let call = |(a, b, n)| vec![Value::I32(a), Value::I64(b), Value::I32(n)];
        Subject {
            name: format!("seed {seed}"),
            module: program.module,
            bodies: program.bodies,
            func: "run",
            calls: arguments.map(call).into(),
        }
    })
}

/// What can be seen of a run: ends of the calls, the state and the fuel left after each.
type Outcome = Vec<(End, State, u64)>;

/// Runs all calls, with so much fuel for each. Gives also how many deoptimizations were forced.
fn run(subject: &Subject, config: Config, fuel: &[u64]) -> (Outcome, u64) {
    let mut session = Session::new(&subject.module, &subject.bodies, config).unwrap();
    let func = subject.module.find_func(subject.func).unwrap();
    let mut outcome = Vec::new();
    for (args, &fuel) in subject.calls.iter().zip(fuel) {
        session.store().set_fuel(fuel);
        let end = session.call(func, args).unwrap_or_else(|e| panic!("{}: {e}", subject.name));
        let left = session.store().fuel();
        outcome.push((end, session.state(), left));
    }
    let report = session.module().report();
    let deopts = report.functions.iter().flat_map(|func| &func.deopts);
    let forced = deopts.filter(|deopt| deopt.reason == "forced").map(|deopt| deopt.count);
    (outcome, forced.sum())
}

fn compare(subject: &Subject, mode: &str, found: &Outcome, expected: &Outcome) {
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let what = format!("{} in {mode}, call {i}", subject.name);
        assert_eq!(found.0, expected.0, "{what}");
        assert_eq!(found.2, expected.2, "{what}: fuel left");
        assert_eq!(found.1, expected.1, "{what}");
    }
}

/// More than anything here uses.
const PLENTY: u64 = 1 << 40;

fn mode(name: &str) -> Config {
    RunMode::find(name).unwrap_or_else(|| panic!("no mode {name}")).config()
}

fn check_forced_deopts(subject: &Subject) -> u64 {
    let fuel = vec![PLENTY; subject.calls.len()];
    let (expected, _) = run(subject, mode("t0"), &fuel);
    let mut all = 0;
    for n in [1, 2, 7, 101] {
        for (tier, sync) in [("t2", ""), ("auto", "sync,"), ("auto", "sync,osr-always,")] {
            let mut config = mode(tier);
            let stress = format!("{sync}fail-guards={n}");
            config.stress = stress.parse().unwrap();
            let (outcome, forced) = run(subject, config, &fuel);
            compare(subject, &format!("{tier} with {stress}"), &outcome, &expected);
            assert!(forced > 0 || n > 2 || tier != "t2", "{}: {stress} forces none", subject.name);
            all += forced;
        }
    }
    all
}

#[test]
fn bench_programs_leave_optimized_code_by_force() {
    for subject in bench_programs() {
        let forced = check_forced_deopts(&subject);
        assert!(forced > 20, "{}: only {forced} forced deoptimizations", subject.name);
    }
}

/// What goes on in T0 stands on the native frame of the code that it left, so that deep recursion
/// takes more native stack than test threads have.
const STACK: usize = 16 << 20;

#[test]
fn random_programs_leave_optimized_code_by_force() {
    let check = || random_programs(0..30).map(|subject| check_forced_deopts(&subject)).sum();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(check).unwrap();
    let forced: u64 = thread.join().unwrap();
    assert!(forced > 1000, "only {forced} forced deoptimizations");
}

/// The modes in which fuel is compared with T0's.
fn fueled_configs() -> Vec<(String, Config)> {
    let modes = ["t0", "t1", "t2", "auto", "sync", "osr", "cold", "random-tier"];
    let named = modes.map(|name| (name.to_owned(), mode(name)));
    let stresses = ["sync,fail-guards=3", "sync,osr-always,fail-guards=2"];
    let stressed = stresses.map(|stress| (stress.to_owned(), stressed(stress)));
    let mut configs: Vec<_> = named.into_iter().chain(stressed).collect();
    configs.iter_mut().for_each(|(_, config)| config.codegen.fuel = true);
    configs
}

/// Compares all modes with the first, with plenty of fuel and with too little. Gives how many
/// calls ran out of it.
fn check_fuel(subject: &Subject) -> usize {
    let configs = fueled_configs();
    let plenty = vec![PLENTY; subject.calls.len()];
    let (full, _) = run(subject, configs[0].1.clone(), &plenty);
    let used: Vec<u64> = full.iter().map(|(_, _, left)| PLENTY - left).collect();
    assert!(used.iter().all(|&used| used > 0), "{} uses {used:?}", subject.name);
    // Too little in one call only, so that the others climb; and in each.
    let last = used.len() - 1;
    let but_last = |fuel: u64| {
        let mut all = plenty.clone();
        all[last] = fuel;
        all
    };
    let tries = [
        plenty.clone(),
        used.clone(),
        used.iter().map(|used| used - 1).collect(),
        used.iter().map(|used| used / 3).collect(),
        but_last(used[last] - 1),
        but_last(used[last] / 2),
    ];
    let mut ran_out = 0;
    for fuel in tries {
        let (expected, _) = run(subject, configs[0].1.clone(), &fuel);
        ran_out += expected.iter().filter(|call| call.0 == End::Trap(TrapCode::OutOfFuel)).count();
        for (name, config) in &configs[1..] {
            let (outcome, _) = run(subject, config.clone(), &fuel);
            compare(subject, &format!("{name} with fuel {fuel:?}"), &outcome, &expected);
        }
    }
    ran_out
}

#[test]
fn bench_programs_use_the_same_fuel_in_all_tiers() {
    for subject in bench_programs() {
        let ran_out = check_fuel(&subject);
        assert!(ran_out > 4, "{} ran out of fuel only {ran_out} times", subject.name);
    }
}

#[test]
fn random_programs_use_the_same_fuel_in_all_tiers() {
    let check = || random_programs(100..125).map(|subject| check_fuel(&subject)).sum();
    // Some recurse deeper in T0 than code could on the stack of a test's thread.
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(check);
    let ran_out: usize = thread.unwrap().join().unwrap();
    assert!(ran_out > 50, "only {ran_out} calls ran out of fuel");
}
