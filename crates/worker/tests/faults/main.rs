//! A worker that behaves, and workers that do not: programs give the right results all the same,
//! the user is told once, and no process or file descriptor stays behind.
//!
//! This executable is also the worker: with `--worker FAULT` as arguments it serves requests with
//! Cranelift's optimizing code generator, and goes wrong as it is told. So nothing here needs LLVM.
//! `CUPOLA_KILLS=N` sets how often the worker is killed at random moments; `CUPOLA_LLVM` makes that
//! test use the real one.

mod program;
mod wicked;

use cupola::events::{Event, EventKind};
use cupola_runtime::{CompileError, OptLevel, Tier};
use cupola_worker::{Worker, WorkerConfig};
use program::{Outcome, children, descriptors, run};
use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

/// The settings of tests, for a worker with this fault.
fn config(fault: &str) -> WorkerConfig {
    WorkerConfig {
        program: Some(std::env::current_exe().expect("the path of the test")),
        arguments: vec![OsString::from("--worker"), OsString::from(fault)],
        ..WorkerConfig::default()
    }
}

fn check(condition: bool, what: &str, outcome: &Outcome) {
    assert!(condition, "{what}: {:?}\n{}", outcome.faults, outcome.table);
}

/// The function that is run all the time climbs to T3, by a loop entry and by calls.
fn climbs() {
    let outcome = run(&config("none"), Duration::from_secs(10), true);
    check(outcome.peak_loops > 0, "no loop went on in T3", &outcome);
    check(outcome.peak_calls > 0, "no call goes to T3", &outcome);
    check(outcome.faults.is_empty(), "a fault", &outcome);
    check(outcome.table.contains("llvm-O3"), "who made the code", &outcome);
    assert_eq!(outcome.warnings, [""; 0]);
}

fn nothing_starts_before_it_is_needed() {
    let worker = Worker::new(config("none"));
    let _generator = worker.generator(Tier::T3, OptLevel::O3);
    assert_eq!(children(), Vec::<u32>::new());
    worker.start().unwrap();
    assert_eq!(children().len(), 1);
    drop((worker, _generator));
    assert_eq!(children(), Vec::<u32>::new());
}

/// Whatever the worker does instead of answering.
fn faults() {
    let cases = [
        ("hang", "in time"),
        ("hang-greeting", "in time"),
        ("garbage", "did not answer"),
        ("garbage-greeting", "handshake"),
        ("huge-frame", "longer than"),
        ("half-frame", "the compiler"),
        ("exit", "exited with code 3"),
        ("abort", "killed by signal 6"),
        ("other-version", "version 0.0.0-other"),
        ("memory", "killed by signal"),
        ("wrong-function", "answer is wrong"),
        ("wrong-reloc", "answer is wrong"),
        ("wrong-traps", "answer is wrong"),
        ("wrong-exits", "answer is wrong"),
        ("other-reply", "something else"),
        ("panic", "panic in the compiler"),
    ];
    for (fault, expected) in cases {
        let mut config = config(fault);
        // All others come to their end by themselves, however busy the machine is.
        let patience = if fault.starts_with("hang") { 300 } else { 20_000 };
        config.deadline = Duration::from_millis(patience);
        config.memory_limit = 256 << 20;
        let outcome = run(&config, Duration::from_millis(400), false);
        let told = outcome.faults.iter().any(|reason| reason.contains(expected));
        check(told, &format!("{fault}: `{expected}` is nowhere"), &outcome);
        check(outcome.peak_loops == 0, fault, &outcome);
        one_warning(fault, &outcome);
    }
}

fn one_warning(what: &str, outcome: &Outcome) {
    assert_eq!(outcome.warnings.len(), 1, "{what}: {:?}", outcome.warnings);
    let warning = &outcome.warnings[0];
    assert!(warning.starts_with("cupola: warning: the peak compiler: "), "{what}: {warning}");
}

fn missing() {
    let mut config = config("none");
    config.program = Some("/nonexistent/cupola-llvm".into());
    let outcome = run(&config, Duration::from_millis(200), false);
    check(outcome.faults.iter().any(|f| f.contains("cannot start")), "no reason", &outcome);
    one_warning("missing", &outcome);
}

/// That none is installed is no fault: nobody is warned, and nothing is asked for.
fn not_installed() {
    let config = WorkerConfig::default();
    if !matches!(Worker::new(config.clone()).start(), Err(CompileError::Absent(_))) {
        return println!("skipped: not_installed, because cupola-llvm is installed here");
    }
    let outcome = run(&config, Duration::from_millis(100), false);
    check(outcome.faults.is_empty(), "a fault", &outcome);
    assert_eq!(outcome.warnings, [""; 0]);
}

/// When nobody is left who could run it, what is being compiled is given up, and the process with
/// it.
fn nobody_waits_for_the_last_compilation() {
    let patient = WorkerConfig { deadline: Duration::from_secs(60), ..config("hang") };
    let outcome = program::run_and_leave(&patient, Duration::from_millis(300));
    let left = Instant::now();
    check(outcome.faults.is_empty(), "given up while it was wanted", &outcome);
    program::wait_for("the worker to end", || children().is_empty());
    assert!(left.elapsed() < Duration::from_secs(10), "{:?}", left.elapsed());
    program::wait_for("the threads to end", || program::threads() == 1);
    assert_eq!(outcome.warnings, [""; 0]);
}

/// A worker that is lost too often is given up for good.
fn restarts_are_bounded() {
    let worker = Worker::new(WorkerConfig { restarts_per_minute: 2, ..config("exit-greeting") });
    let mut lost = 0;
    loop {
        match worker.start() {
            Err(CompileError::Lost(_)) => lost += 1,
            Err(CompileError::Unavailable(reason)) => break assert!(reason.contains("3 times")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lost, 2);
    assert!(matches!(worker.start(), Err(CompileError::Unavailable(_))));
}

/// A worker that nobody asks anything is ended, and started again when it is needed.
fn idle_workers_end() {
    let worker = Worker::new(WorkerConfig { idle: Duration::from_millis(50), ..config("none") });
    for _ in 0..3 {
        worker.start().unwrap();
        program::wait_for("the worker to end", || children().is_empty());
    }
}

/// Killed while it is idle, the worker is reaped at once and replaced at the next request.
fn killed_while_idle() {
    let worker = Worker::new(config("none"));
    for _ in 0..3 {
        worker.start().unwrap();
        program::kill(children()[0]);
        program::wait_for("the worker to be reaped", || children().is_empty());
    }
    worker.start().unwrap();
}

/// Killed at random moments.
fn killed_at_random() {
    let kills = std::env::var("CUPOLA_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let mut config = config("none");
    if let Some(real) = std::env::var_os("CUPOLA_LLVM") {
        (config.program, config.arguments) = (Some(real.into()), Vec::new());
    }
    config.restarts_per_minute = usize::MAX;
    let (mut state, mut lost) = (0x9e37_79b9_7f4a_7c15_u64, 0);
    for _ in 0..kills {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let moment = Duration::from_micros(state % 60_000);
        let outcome = program::run_killing(&config, Duration::from_millis(90), moment);
        check(outcome.result_is_right, "the result", &outcome);
        assert_eq!(children(), Vec::<u32>::new(), "a process is left");
        if outcome.faults.is_empty() {
            assert_eq!(outcome.warnings, [""; 0]);
        } else {
            one_warning("killed", &outcome);
            lost += 1;
        }
    }
    println!("{kills} times killed, {lost} times during a request");
}

/// The worker does not outlive a parent that is killed.
fn ends_with_its_parent() {
    let own = std::env::current_exe().unwrap();
    for fault in ["none", "hang"] {
        let mut parent = Command::new(&own).args(["--parent", fault]).spawn().unwrap();
        let mut worker = None;
        program::wait_for("the worker to start", || {
            worker = program::children_of(parent.id()).first().copied();
            worker.is_some()
        });
        std::thread::sleep(Duration::from_millis(30));
        parent.kill().unwrap();
        parent.wait().unwrap();
        let worker = worker.unwrap();
        program::wait_for("the worker to end", || !program::exists(worker));
    }
}

/// The engine reports a fault as events, too.
fn events_tell() {
    let (_, events) = program::run_with_events(&config("exit"), Duration::from_millis(200));
    let pinned = |event: &Event| matches!(&event.kind, EventKind::Pinned { reason, .. } if reason.contains("code 3"));
    assert!(events.iter().any(pinned), "{events:?}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--worker") => return wicked::worker(&arguments[1]),
        Some("--parent") => {
            let worker = Worker::new(config(&arguments[1]));
            worker.start().expect("the worker starts");
            let _ = program::run(&config(&arguments[1]), Duration::from_secs(60), false);
            return;
        }
        _ => {}
    }
    let tests: [(&str, fn()); 12] = [
        ("climbs", climbs),
        ("nothing_starts_before_it_is_needed", nothing_starts_before_it_is_needed),
        ("faults", faults),
        ("missing", missing),
        ("not_installed", not_installed),
        ("nobody_waits_for_the_last_compilation", nobody_waits_for_the_last_compilation),
        ("restarts_are_bounded", restarts_are_bounded),
        ("idle_workers_end", idle_workers_end),
        ("killed_while_idle", killed_while_idle),
        ("killed_at_random", killed_at_random),
        ("ends_with_its_parent", ends_with_its_parent),
        ("events_tell", events_tell),
    ];
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    for (name, test) in tests {
        if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let (started, before) = (Instant::now(), descriptors());
        test();
        assert_eq!(children(), Vec::<u32>::new(), "{name}: a process is left");
        assert_eq!(descriptors(), before, "{name}: file descriptors");
        println!("test {name} ... ok ({} ms)", started.elapsed().as_millis());
    }
}
