//! Generated modules in all engines, for long runs: `smith --from SEED --count N --jobs 2`; with
//! `--damaged`, damaged modules in Cupola.
//!
//! Seeds are checked by processes of their own, in small batches, so that a crash or a program that
//! does not end is one finding among others: all are printed, and the run goes on behind them.

use clap::Parser;
use cupola_differential::{
    Damaged, Stats, Tally, check_damaged, check_seed, check_seeds, damaged_module, module,
};
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Seeds that one process checks.
const BATCH: u64 = 200;

/// A seed that takes longer is taken not to end.
const DEADLINE: Duration = Duration::from_secs(600);

/// Checks generated modules in all engines.
#[derive(Parser)]
struct Args {
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds.
    #[arg(long, default_value_t = 2_000)]
    count: u64,
    /// Processes at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Load and run damaged modules, in Cupola alone.
    #[arg(long)]
    damaged: bool,
    /// Print the module of the first seed, in the binary format, and check nothing.
    #[arg(long)]
    print: bool,
    /// Check them in this process, and say before each which it is.
    #[arg(long, hide = true)]
    worker: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.print {
        let wasm = if args.damaged { damaged_module(args.from) } else { module(args.from) };
        let printed = std::io::stdout().write_all(&wasm);
        return if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let failures = match (args.worker, args.damaged) {
        (true, false) => worker(args.seeds(), check_seed),
        (true, true) => worker(args.seeds(), check_damaged),
        (false, false) => all::<Stats>(&args),
        (false, true) => all::<Damaged>(&args),
    };
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Args {
    fn seeds(&self) -> Range<u64> {
        self.from..self.from.saturating_add(self.count)
    }
}

/// Checks all seeds, by processes of their own; gives how many failed.
fn all<T: Tally>(args: &Args) -> u64 {
    let seeds = args.seeds();
    let started = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let total = Mutex::new((T::default(), 0, 0));
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if from >= seeds.end {
                        return;
                    }
                    let (tally, failed) = batch::<T>(from..seeds.end.min(from + BATCH), args);
                    let mut total = total.lock().expect("nothing panics while it is locked");
                    let (tallies, failures, batches) = &mut *total;
                    *tallies += tally;
                    *failures += failed;
                    *batches += 1;
                    if *batches % 10 == 0 {
                        println!("{failures} failed; {tallies}; {:.0?}", started.elapsed());
                    }
                }
            });
        }
    });
    let (tallies, failures, _) = total.into_inner().expect("nothing panics while it is locked");
    println!("done: {failures} failed; {tallies}; {:.0?}", started.elapsed());
    failures
}

/// Checks seeds one after the other; gives how many failed. Before each a line has its number,
/// behind it one what was counted, or that it failed.
fn worker<T: Tally, E: Display + Send>(
    seeds: Range<u64>,
    check: impl Fn(u64) -> Result<T, E> + Sync,
) -> u64 {
    let mut out = std::io::stdout();
    let mut say = |line: String| {
        // Without a reader there is nobody to go on for.
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            std::process::exit(1);
        }
    };
    let mut failures = 0;
    for seed in seeds {
        say(format!("at {seed}"));
        match check_seeds(seed..seed + 1, 1, &check) {
            Ok(tally) => {
                let numbers: Vec<String> = tally.numbers().iter().map(u64::to_string).collect();
                say(format!("good {}", numbers.join(" ")));
            }
            Err(error) => {
                failures += 1;
                eprintln!("{error}");
                say("bad".to_owned());
            }
        }
    }
    failures
}

/// The tally that a worker's line has.
fn tally<T: Tally>(line: &str) -> Option<T> {
    let numbers: Option<Vec<u64>> = line.split(' ').map(|word| word.parse().ok()).collect();
    T::from_numbers(&numbers?)
}

/// Lets processes check seeds; gives what they count, and how many failed.
fn batch<T: Tally>(seeds: Range<u64>, args: &Args) -> (T, u64) {
    let (mut total, mut failures) = (T::default(), 0);
    let mut next = seeds.start;
    while next < seeds.end {
        let count = seeds.end - next;
        let mut worker = match Worker::start(next, count, args.damaged) {
            Ok(worker) => worker,
            Err(error) => {
                eprintln!("a process for seeds {next} to {} cannot be started: {error}", seeds.end);
                return (total, failures + count);
            }
        };
        let mut checking = None;
        loop {
            match worker.lines.recv_timeout(DEADLINE) {
                Ok(line) => match line.split_once(' ') {
                    Some(("at", seed)) => checking = seed.parse::<u64>().ok(),
                    Some(("good", line)) => {
                        total += tally(line).unwrap_or_default();
                        next = checking.take().map_or(next, |seed| seed + 1);
                    }
                    _ => {
                        failures += 1;
                        next = checking.take().map_or(next, |seed| seed + 1);
                    }
                },
                Err(error) => {
                    let _ = worker.child.kill();
                    let status = worker.child.wait();
                    if next < seeds.end {
                        eprintln!("seed {next}: the process ends ({error}): {status:?}");
                        failures += 1;
                        next += 1;
                    }
                    break;
                }
            }
        }
    }
    (total, failures)
}

/// A process that checks seeds, and the lines it writes.
struct Worker {
    child: Child,
    lines: Receiver<String>,
}

impl Worker {
    fn start(from: u64, count: u64, damaged: bool) -> std::io::Result<Worker> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--worker", "--from", &from.to_string(), "--count", &count.to_string()])
            .args(damaged.then_some("--damaged"))
            .stdout(Stdio::piped())
            .spawn()?;
        let (send, lines) = channel();
        let out = child.stdout.take().expect("it was asked for");
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Worker { child, lines })
    }
}
