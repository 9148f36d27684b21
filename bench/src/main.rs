//! Programs, and the harness that measures Cupola on them beside what C compilers make of the same
//! programs. `README.md` says what is measured and how.

mod contestant;
mod cupola;
mod html;
mod machine;
mod measure;
mod micro;
mod native;
mod plot;
mod process;
mod programs;
mod results;
mod stats;
mod suite;
mod table;
mod wasm;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Measures Cupola on the bench set, beside C compilers, in one interleaved run.
#[derive(Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    suite: SuiteArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Single figures: compile times, lookup, counters, start-up, memory, fib(30), the loop nest.
    Micro {
        /// Measurements of each alternative.
        #[arg(long, default_value_t = 31, value_parser = clap::value_parser!(u32).range(1..))]
        reps: u32,
        /// Write the results to this file.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Time calls by the processor time of their thread, where the machine has other load.
        #[arg(long)]
        cpu_time: bool,
    },
    /// WebAssembly programs in whole processes: native, Cupola in its modes, and peers.
    Wasm(wasm::SuiteOptions),
    /// Start-up to exit of a trivial WebAssembly program.
    WasmStart(wasm::StartOptions),
    /// Large WebAssembly modules, from start to first output; fetches them from PyPI.
    WasmLarge(wasm::LargeOptions),
}

/// What to measure, and where results go.
#[derive(Args, Clone, Debug)]
struct SuiteArgs {
    /// Only programs whose name contains this.
    filter: Option<String>,
    /// Fewer and shorter measurements.
    #[arg(long)]
    quick: bool,
    /// Only calls in one process, no whole processes.
    #[arg(long)]
    steady: bool,
    /// Time calls by the processor time of their thread, where the machine has other load.
    #[arg(long)]
    cpu_time: bool,
    /// Write all results to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Write a page with plots to this file.
    #[arg(long)]
    html: Option<PathBuf>,
    /// Measurements of each contestant.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    reps: Option<u32>,
}

fn clock(cpu_time: bool) -> measure::Clock {
    if cpu_time { measure::Clock::Thread } else { measure::Clock::Wall }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Micro { reps, json, cpu_time }) => {
            micro::run(reps as usize, clock(cpu_time), json.as_deref())
        }
        Some(Command::Wasm(options)) => wasm::run(&options),
        Some(Command::WasmStart(options)) => wasm::start(&options),
        Some(Command::WasmLarge(options)) => wasm::large(&options),
        None => suite::run(&suite::Options {
            filter: cli.suite.filter,
            quick: cli.suite.quick,
            steady: cli.suite.steady,
            clock: clock(cli.suite.cpu_time),
            json: cli.suite.json,
            html: cli.suite.html,
            reps: cli.suite.reps.map(|r| r as usize),
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}
