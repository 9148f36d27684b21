//! The program that is run beside the worker, what became of it, and looks at processes.

use cupola::events::Event;
use cupola::tuning::Preset;
use cupola::{Config, Dialects, Engine, Imports, Instance, Module, Store};
use cupola_runtime::{OptLevel, Tier};
use cupola_worker::{Worker, WorkerConfig};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

const TEXT: &str = "
export func %churn(n: i64, x: i64) -> i64 {
entry:
  one = i64.const 1
  factor = i64.const 6364136223846793005
  br next
next:
  x = i64.mul x, factor
  x = i64.add x, n
  n = i64.sub n, one
  last = i64.eqz n
  br_if last, done, next
done:
  return x
}
export func %fib(n: i64) -> i64 {
entry:
  two = i64.const 2
  small = i64.lt_s n, two
  br_if small, leaf, node
leaf:
  return n
node:
  one = i64.const 1
  a = i64.sub n, one
  b = i64.sub n, two
  x = call %fib(a)
  y = call %fib(b)
  r = i64.add x, y
  return r
}";

/// Iterations of one call of `churn`: some 20 ms in T2.
const ITERATIONS: i64 = 10_000_000;

/// What became of a run.
#[derive(Default)]
pub struct Outcome {
    /// Whether every call gave what it has to.
    pub result_is_right: bool,
    /// Entries at loops into T3.
    pub peak_loops: u64,
    /// Functions whose calls go to T3.
    pub peak_calls: usize,
    /// Failed compilations for T3, and why functions were pinned.
    pub faults: Vec<String>,
    /// The statistics.
    pub table: String,
    /// Lines of warning that the user got.
    pub warnings: Vec<String>,
}

/// How a run ends.
#[derive(Copy, Clone, PartialEq)]
enum End {
    /// With all compilations.
    Finish,
    /// At once, whatever is being compiled.
    Leave,
}

/// The standard error, caught until this is dropped.
struct Caught {
    before: OwnedFd,
    file: File,
}

impl Caught {
    fn new() -> Caught {
        let before = rustix::io::dup(rustix::stdio::stderr()).unwrap();
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let file = File::from(rustix::fs::memfd_create("stderr", flags).unwrap());
        rustix::stdio::dup2_stderr(&file).unwrap();
        Caught { before, file }
    }

    /// What came so far.
    fn text(&self) -> String {
        let mut bytes = vec![0; self.file.metadata().unwrap().len() as usize];
        self.file.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        // What a failed assertion says was caught, too.
        let text = self.text();
        rustix::stdio::dup2_stderr(&self.before).unwrap();
        eprint!("{text}");
    }
}

fn churn(mut n: i64, mut x: i64) -> i64 {
    while n != 0 {
        x = x.wrapping_mul(6364136223846793005).wrapping_add(n);
        n -= 1;
    }
    x
}

/// Runs the program for a time, longer if it has to `climb` and has not; panics if a result is
/// wrong or something stays behind.
pub fn run(config: &WorkerConfig, time: Duration, climb: bool) -> Outcome {
    run_beside(config, time, climb, End::Finish, |_| ()).0
}

/// Runs the program for a time and drops everything, whatever is being compiled.
pub fn run_and_leave(config: &WorkerConfig, time: Duration) -> Outcome {
    run_beside(config, time, false, End::Leave, |_| ()).0
}

/// Runs the program and collects the events.
pub fn run_with_events(config: &WorkerConfig, time: Duration) -> (Outcome, Vec<Event>) {
    run_beside(config, time, false, End::Finish, |_| ())
}

/// Runs the program and kills the worker, once, after `moment`, or when there is one.
pub fn run_killing(config: &WorkerConfig, time: Duration, moment: Duration) -> Outcome {
    let started = Instant::now();
    let mut killed = false;
    run_beside(config, time, false, End::Finish, move |_| {
        if !killed && started.elapsed() >= moment {
            for process in children() {
                killed = true;
                kill(process);
            }
        }
    })
    .0
}

fn run_beside(
    worker_config: &WorkerConfig,
    time: Duration,
    climb: bool,
    end: End,
    mut beside: impl FnMut(&Engine) + Send,
) -> (Outcome, Vec<Event>) {
    let caught = Caught::new();
    let worker = Worker::new(worker_config.clone());
    let mut config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing())
        .with_generator(worker.generator(Tier::T3, OptLevel::O3));
    config.tuning = Preset::Development.tuning();
    config.tuning.t3_samples = 2;
    config.tuning.peak_after_ns = 0;
    let engine = Engine::new(config).unwrap();
    engine.events().listen(1 << 14);
    let module = Module::from_text(&engine, "churn.cir", TEXT, &Dialects::new()).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &Imports::new()).unwrap();
    let loops = instance.typed::<(i64, i64), i64>(&store, "churn").unwrap();
    let calls = instance.typed::<i64, i64>(&store, "fib").unwrap();

    let expected = churn(ITERATIONS, 7);
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut outcome = Outcome { result_is_right: true, ..Outcome::default() };
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                beside(&engine);
                thread::sleep(Duration::from_micros(300));
            }
        });
        let started = Instant::now();
        loop {
            outcome.result_is_right &= loops.call(&mut store, (ITERATIONS, 7)).unwrap() == expected;
            outcome.result_is_right &= calls.call(&mut store, 20).unwrap() == 6765;
            let report = module.report();
            let functions = &report.functions;
            outcome.peak_loops = functions
                .iter()
                .flat_map(|f| &f.osr_entries)
                .filter(|osr| osr.tier == Tier::T3)
                .map(|osr| osr.count)
                .sum();
            outcome.peak_calls = functions.iter().filter(|f| f.call_tier == Tier::T3).count();
            let there = outcome.peak_loops > 0 && outcome.peak_calls > 0;
            if started.elapsed() >= time || climb && there {
                break;
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    if end == End::Finish {
        engine.finish_compilations();
    }
    let report = module.report();
    for function in &report.functions {
        outcome.faults.extend(
            function.failures.iter().filter(|f| f.tier == Tier::T3).map(|f| f.reason.clone()),
        );
        outcome.faults.extend(function.pinned.iter().map(|pin| pin.reason.clone()));
    }
    outcome.table = report.to_table(10);
    assert!(outcome.result_is_right, "{}", outcome.table);
    let events = std::iter::from_fn(|| engine.events().pop()).collect();
    drop((store, module, engine, worker));
    let text = caught.text();
    outcome.warnings.extend(text.lines().filter(|l| l.contains("warning")).map(str::to_owned));
    (outcome, events)
}

/// The processes that this one has started and not reaped.
pub fn children() -> Vec<u32> {
    children_of(std::process::id())
}

/// The processes that a process has started and not reaped, zombies among them.
pub fn children_of(parent: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{parent}/task")) else { return Vec::new() };
    let mut children = Vec::new();
    for task in tasks.flatten() {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        children.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    children
}

/// Whether a process is there and not merely waiting to be reaped by whoever inherited it.
pub fn exists(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, state)| !state.trim_start().starts_with('Z'))
}

/// How many file descriptors this process has.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// How many threads this process has.
pub fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Kills a process that this one has started.
pub fn kill(process: u32) {
    if let Some(pid) = rustix::process::Pid::from_raw(process as i32) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// Waits for something that happens soon.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
