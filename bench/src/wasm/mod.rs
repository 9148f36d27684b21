//! WebAssembly programs in whole processes: native, Cupola in its modes, and peers, by turns.

mod corpus;
mod large;
mod rounds;
mod runners;
mod start;
mod suite;

pub use large::Options as LargeOptions;
pub use start::Options as StartOptions;
pub use suite::Options as SuiteOptions;

use crate::machine;
use runners::{Peers, Runner};
use std::path::PathBuf;

/// Measures the corpus.
pub fn run(options: &SuiteOptions) -> Result<(), String> {
    suite::run(options)
}

/// Measures starting and ending.
pub fn start(options: &StartOptions) -> Result<(), String> {
    start::run(options)
}

/// Measures the first output of large programs.
pub fn large(options: &LargeOptions) -> Result<(), String> {
    large::run(options)
}

/// What all measurements of WebAssembly take.
#[derive(clap::Args, Clone, Debug)]
struct Common {
    /// Modes of Cupola; the first is the one that is compared with the fastest peer
    #[arg(long, value_delimiter = ',', default_value = "auto,t0,t1,t2")]
    modes: Vec<String>,
    /// This command instead of the one that is built beside this harness
    #[arg(long, value_name = "PATH")]
    cupola: Option<PathBuf>,
    /// Time processes by their processor time, where the machine has other load
    #[arg(long)]
    cpu_time: bool,
    /// Write all results to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Common {
    fn clock(&self) -> rounds::Clock {
        if self.cpu_time { rounds::Clock::Processor } else { rounds::Clock::Wall }
    }

    /// Cupola in its modes.
    fn runners(&self) -> Result<Vec<Runner>, String> {
        let path = self.cupola.clone().map_or_else(machine::cupola_command, Ok)?;
        Ok(self.modes.iter().map(|mode| Runner::cupola(&path, mode)).collect())
    }
}

/// Says on stderr which peers are here and which are not.
fn announce(peers: &Peers) {
    for line in &peers.versions {
        eprintln!("{line}");
    }
    for line in &peers.missing {
        eprintln!("skipped: {line}");
    }
}
