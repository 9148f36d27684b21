//! The `cupola` command: the one place where front ends and tiers are put together.
//!
//! Exit codes: 0, or what the program says by `env.exit` or WASI's `proc_exit`; 1 for a trap, an
//! error in the program, or a compilation that was asked for and failed; 2 for bad usage or input.

mod args;
mod dump;
mod failure;
mod host;
mod input;
mod run;
mod values;
mod wast;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use failure::Failure;

fn main() {
    let (argv, program_args) = args::split_program_args(std::env::args_os());
    let outcome = match Cli::parse_from(argv).command {
        Command::Run(options) => run::run(&options, &program_args),
        Command::Wast(options) => wast::run(&options),
        Command::Dump(options) => dump::dump(&options).map(|()| 0),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "cupola", &mut script);
            host::print(&script).map(|()| 0)
        }
    };
    let code = outcome.unwrap_or_else(|failure: Failure| {
        failure.print();
        failure.exit_code()
    });
    std::process::exit(code);
}
