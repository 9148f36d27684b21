//! The corpus at several run lengths: time, ratio to the native program, and to the fastest peer.

use super::corpus::{self, Length, Program};
use super::rounds::{self, Outcome};
use super::runners::{Peers, Runner};
use super::{Common, announce};
use crate::native::{BuildDir, Compiler};
use crate::process;
use crate::results::{Account, Point, Report, Whole};
use crate::suite::write;
use crate::{cupola, html, machine, table};
use cupola_runtime::Tier;
use std::path::{Path, PathBuf};

/// A contestant that can be expected to need more than this is left out at a greater length.
const LIMIT_NS: f64 = 25e9;

/// What to measure, and where results go.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Only programs whose name contains this
    filter: Option<String>,
    /// Native run lengths
    #[arg(long, value_delimiter = ',', default_value = "5ms,200ms,5s")]
    lengths: Vec<Length>,
    /// Measurements of each contestant [default: 15 at 5ms, 7 at 200ms, 3 at 5s]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,
    #[command(flatten)]
    common: Common,
    /// Write a page with plots to this file
    #[arg(long)]
    html: Option<PathBuf>,
}

/// Measures, prints the tables, and writes the files that were asked for.
pub fn run(options: &Options) -> Result<(), String> {
    let filter = options.filter.as_deref().unwrap_or("");
    let mut programs = corpus::programs()?;
    programs.retain(|p| p.name.contains(filter));
    if programs.is_empty() {
        return Err(format!("no program's name contains {filter:?}"));
    }
    let mut lengths = options.lengths.clone();
    lengths.sort();
    lengths.dedup();
    let ours = options.common.runners()?;
    let peers = Peers::find();
    announce(&peers);
    let dir = BuildDir::new()?;
    let compiler = Compiler::clang("-O3");
    let baseline = compiler.as_ref().map_or(&ours[0].name, |c| &c.name).clone();
    let mut report = Report {
        machine: machine::describe(),
        clock: options.common.clock().name().to_owned(),
        baseline,
        ours: ours[0].name.clone(),
        peers: peers.runners.iter().map(|r| r.name.clone()).collect(),
        compilers: peers.versions.clone(),
        skipped: peers.missing.clone(),
        ..Report::default()
    };
    match &compiler {
        Ok(c) => report.compilers.insert(0, format!("{}: {}", c.name, c.version)),
        Err(reason) => report.skipped.push(reason.clone()),
    }
    for program in &programs {
        eprintln!("{}", program.name);
        let mut commands = Vec::new();
        if let Ok(compiler) = &compiler {
            let path = dir.path().join(&program.name);
            compiler.compile(&[], &[program.source()], &path)?;
            commands.push(process::Program { name: compiler.name.clone(), path, args: Vec::new() });
        }
        let runners = ours.iter().chain(&peers.runners);
        commands.extend(runners.map(|runner| runner.program(&program.module())));
        let mut whole = Whole { program: program.name.clone(), points: Vec::new() };
        for (i, &length) in lengths.iter().enumerate() {
            let runs = options.runs.map_or(length.runs(), |r| r as usize);
            let clock = options.common.clock();
            let args = [program.size(length).to_string()];
            let outcome = rounds::measure(&commands, &args, None, runs, clock);
            let point = point(program, length, outcome, &ours, dir.path());
            for error in &point.errors {
                eprintln!("  {} ms: {error}", length.ms());
            }
            if let Some(next) = lengths.get(i + 1) {
                let slow = too_slow(&point, next.ms());
                commands.retain(|c| !slow.contains(&c.name));
                report.skipped.extend(
                    slow.iter().map(|name| {
                        format!("{}, {name} at {} ms: too slow", program.name, next.ms())
                    }),
                );
            }
            whole.points.push(point);
        }
        report.whole.push(whole);
    }
    print!("{}", table::report(&report));
    if let Some(path) = &options.common.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        write(path, &text)?;
    }
    if let Some(path) = &options.html {
        write(path, &html::page(&report))?;
    }
    match report.whole.iter().flat_map(|w| &w.points).map(|p| p.errors.len()).sum() {
        0 => Ok(()),
        errors => Err(format!("{errors} errors")),
    }
}

/// What rounds gave, and what ran in our contestants.
fn point(
    program: &Program,
    length: Length,
    outcome: Outcome,
    ours: &[Runner],
    dir: &Path,
) -> Point {
    let Outcome { cells, mut errors, .. } = outcome;
    let n = program.size(length);
    let mut accounts = Vec::new();
    for runner in ours.iter().filter(|r| cells.iter().any(|c| c.contestant == r.name)) {
        match account(runner, program, n, dir) {
            Ok(account) => accounts.push(account),
            Err(error) => errors.push(format!("{}: {error}", runner.name)),
        }
    }
    Point { length_ms: length.ms(), n: n as i64, cells, accounts, errors }
}

/// Those whose time at this point says that they would need too long at a greater length.
fn too_slow(point: &Point, next_ms: f64) -> Vec<String> {
    let factor = next_ms / point.length_ms;
    let slow = point.cells.iter().filter(|c| c.time.median * factor > LIMIT_NS);
    slow.map(|c| c.contestant.clone()).collect()
}

/// What ran in which tier, by a run of its own.
fn account(runner: &Runner, program: &Program, n: u64, dir: &Path) -> Result<Account, String> {
    let file = dir.join("stats.json");
    let options = [format!("--stats=json:{}", file.display())];
    runner.with_options(&program.module(), &options).output(&[n.to_string()])?;
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let stats = serde_json::from_str(&text).map_err(|e| format!("statistics: {e}"))?;
    let only = Tier::ALL.into_iter().find(|t| t.name() == runner.name);
    Ok(Account::of(&runner.name, cupola::account(&stats, only)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Cell;

    #[test]
    fn the_slow_are_left_out_at_greater_lengths() {
        let cell = |name: &str, ns: f64| Cell::of(name.to_owned(), &[ns]).unwrap();
        let point = Point {
            length_ms: 200.0,
            n: 1,
            cells: vec![cell("a", 0.9e9), cell("b", 1.1e9)],
            accounts: Vec::new(),
            errors: Vec::new(),
        };
        assert_eq!(too_slow(&point, 5_000.0), ["b"]);
    }
}
