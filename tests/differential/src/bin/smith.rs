//! Generated modules in all engines, for long runs: `smith --from SEED --count N --jobs 2`.
//!
//! Seeds are checked by processes of their own, in small batches, so that a crash or a program that
//! does not end is one finding among others: all are printed, and the run goes on behind them.

use clap::Parser;
use cupola_differential::{Stats, check_seeds};
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
const DEADLINE: Duration = Duration::from_secs(120);

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
    /// Check them in this process, and say before each which it is.
    #[arg(long, hide = true)]
    worker: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seeds = args.from..args.from.saturating_add(args.count);
    if args.worker {
        worker(seeds);
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let totals = Mutex::new(Totals::default());
    std::thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if from >= seeds.end {
                        return;
                    }
                    let (stats, failures) = batch(from..seeds.end.min(from + BATCH));
                    let mut totals = totals.lock().expect("nothing panics while it is locked");
                    totals.stats += stats;
                    totals.failures += failures;
                    totals.batches += 1;
                    if totals.batches % 10 == 0 {
                        println!("{totals}, {:.0?}", started.elapsed());
                    }
                }
            });
        }
    });
    let totals = totals.into_inner().expect("nothing panics while it is locked");
    println!("done: {totals}, {:.0?}", started.elapsed());
    if totals.failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Totals {
    stats: Stats,
    failures: u64,
    batches: u64,
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} failed; {}", self.failures, self.stats)
    }
}

/// Checks seeds one after the other. Before each a line has its number, behind it one its
/// statistics, or that it failed.
fn worker(seeds: Range<u64>) {
    let mut out = std::io::stdout();
    let mut say = |line: String| {
        // Without a reader there is nobody to go on for.
        if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
            std::process::exit(1);
        }
    };
    for seed in seeds {
        say(format!("at {seed}"));
        match check_seeds(seed..seed + 1, 1) {
            Ok(stats) => say(format!("agree {}", stats.to_line())),
            Err(mismatch) => {
                eprintln!("{mismatch}");
                say("differ".to_owned());
            }
        }
    }
}

/// Lets processes check seeds; gives statistics, and how many failed.
fn batch(seeds: Range<u64>) -> (Stats, u64) {
    let (mut stats, mut failures) = (Stats::default(), 0);
    let mut next = seeds.start;
    while next < seeds.end {
        let count = seeds.end - next;
        let mut worker = match Worker::start(next, count) {
            Ok(worker) => worker,
            Err(error) => {
                eprintln!("a process for seeds {next} to {} cannot be started: {error}", seeds.end);
                return (stats, failures + count);
            }
        };
        let mut checking = None;
        loop {
            match worker.lines.recv_timeout(DEADLINE) {
                Ok(line) => match line.split_once(' ') {
                    Some(("at", seed)) => checking = seed.parse::<u64>().ok(),
                    Some(("agree", line)) => {
                        stats += Stats::from_line(line).unwrap_or_default();
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
    (stats, failures)
}

/// A process that checks seeds, and the lines it writes.
struct Worker {
    child: Child,
    lines: Receiver<String>,
}

impl Worker {
    fn start(from: u64, count: u64) -> std::io::Result<Worker> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--worker", "--from", &from.to_string(), "--count", &count.to_string()])
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
