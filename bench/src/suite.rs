//! The main run: all programs, steady state and whole processes.

use crate::contestant::Contestant;
use crate::cupola::{CupolaProgram, SETTINGS};
use crate::measure::Clock;
use crate::native::{BuildDir, Compiler};
use crate::process;
use crate::programs::{PROGRAMS, Program};
use crate::results::{Point, Report, Steady, Whole};
use crate::{html, machine, measure, table};
use std::path::{Path, PathBuf};

/// Native run length at which steady state is measured, in milliseconds.
const STEADY_MS: f64 = 5.0;
/// Native run lengths of whole processes, in milliseconds.
const LENGTHS_MS: &[f64] = &[0.02, 0.1, 0.5, 1.5, 5.0, 15.0, 50.0, 200.0];
/// The same in a quick run.
const QUICK_LENGTHS_MS: &[f64] = &[0.1, 5.0];
/// Whole processes are measured by at most so many runs at each length.
const MAX_WHOLE_REPS: usize = 5;

/// What to measure, and where results go.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only programs whose name contains this.
    pub filter: Option<String>,
    /// Fewer and shorter measurements.
    pub quick: bool,
    /// Only calls in one process, no whole processes.
    pub steady: bool,
    /// What calls are timed by.
    pub clock: Clock,
    /// Write all results to this file.
    pub json: Option<PathBuf>,
    /// Write a page with plots to this file.
    pub html: Option<PathBuf>,
    /// Measurements of each contestant.
    pub reps: Option<usize>,
}

/// Measures, prints the tables, and writes the files that were asked for.
pub fn run(options: &Options) -> Result<(), String> {
    let filter = options.filter.as_deref().unwrap_or("");
    let programs: Vec<&Program> = PROGRAMS.iter().filter(|p| p.name.contains(filter)).collect();
    if programs.is_empty() {
        let names: Vec<&str> = PROGRAMS.iter().map(|p| p.name).collect();
        return Err(format!(
            "no program's name contains {filter:?}; there are {}",
            names.join(", ")
        ));
    }
    let command = (!options.steady).then(machine::cupola_command).transpose()?;
    let dir = BuildDir::new()?;
    let mut report = Report {
        machine: machine::describe(),
        clock: options.clock.name().to_owned(),
        reps: options.reps.unwrap_or(if options.quick { 5 } else { 15 }),
        ..Report::default()
    };
    let mut compilers = Vec::new();
    for found in [Compiler::gcc(), Compiler::clang("-O3")] {
        match found {
            Ok(compiler) => {
                report.compilers.push(format!("{}: {}", compiler.name, compiler.version));
                compilers.push(compiler);
            }
            Err(reason) => report.skipped.push(reason),
        }
    }
    // The last one found: clang, or gcc, or T2 where there is no compiler.
    report.baseline = compilers.last().map_or("t2".to_owned(), |c| c.name.clone());

    for program in programs {
        eprintln!("{}: {}", program.name, program.what);
        let in_program = |e: String| format!("{}: {e}", program.name);
        let steady =
            steady(program, &compilers, &dir, report.reps, options.clock).map_err(in_program)?;
        report.steady.push(steady);
        if let Some(command) = &command {
            let lengths = if options.quick { QUICK_LENGTHS_MS } else { LENGTHS_MS };
            let commands =
                whole_commands(program, &compilers, &dir, command).map_err(in_program)?;
            let reps = report.reps.min(MAX_WHOLE_REPS);
            report.whole.push(whole(program, &commands, lengths, reps).map_err(in_program)?);
        }
    }

    print!("{}", table::report(&report));
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        write(path, &text)?;
    }
    if let Some(path) = &options.html {
        write(path, &html::page(&report))?;
    }
    let wrong: Vec<String> = report
        .steady
        .iter()
        .flat_map(|s| s.accounts.iter().map(move |a| (s, a)))
        .filter(|(_, a)| !a.as_named)
        .map(|(s, a)| format!("{}, {}: {}", s.program, a.contestant, a.ran))
        .collect();
    if !wrong.is_empty() {
        return Err(format!("not run as named:\n{}", wrong.join("\n")));
    }
    Ok(())
}

fn steady(
    program: &Program,
    compilers: &[Compiler],
    dir: &BuildDir,
    reps: usize,
    clock: Clock,
) -> Result<Steady, String> {
    let mut contestants: Vec<Box<dyn Contestant>> = Vec::new();
    for compiler in compilers {
        contestants.push(Box::new(compiler.library(program, dir.path())?));
    }
    for &setting in SETTINGS {
        let loaded = CupolaProgram::load(setting, program);
        contestants.push(Box::new(loaded.map_err(|e| format!("{}: {e}", setting.name))?));
    }
    let n = program.size_for(STEADY_MS);
    let (cells, checksum, accounts) = measure::steady(&mut contestants, n, reps, clock)?;
    Ok(Steady { program: program.name.to_owned(), n, checksum, cells, accounts })
}

/// The native executables, and the command in its modes.
fn whole_commands(
    program: &Program,
    compilers: &[Compiler],
    dir: &BuildDir,
    cupola: &Path,
) -> Result<Vec<process::Program>, String> {
    let mut commands = Vec::new();
    for compiler in compilers {
        let path = compiler.executable(program, dir.path())?;
        commands.push(process::Program { name: compiler.name.clone(), path, args: Vec::new() });
    }
    for mode in ["t0", "t1", "t2", "auto"] {
        let file = program.cir().display().to_string();
        let args = ["run", file.as_str(), "--mode", mode, "--invoke", "main"].map(str::to_owned);
        let (name, path) = (mode.to_owned(), cupola.to_owned());
        commands.push(process::Program { name, path, args: args.to_vec() });
    }
    Ok(commands)
}

fn whole(
    program: &Program,
    commands: &[process::Program],
    lengths: &[f64],
    reps: usize,
) -> Result<Whole, String> {
    // Two lengths that stand for the same `n` would be the same measurement twice.
    let mut sizes: Vec<(f64, i64)> = lengths.iter().map(|&ms| (ms, program.size_for(ms))).collect();
    sizes.reverse();
    sizes.dedup_by_key(|&mut (_, n)| n);
    sizes.reverse();
    let ns: Vec<i64> = sizes.iter().map(|&(_, n)| n).collect();
    let rows = measure::whole(commands, &ns, reps)?;
    let points = sizes
        .iter()
        .zip(rows)
        .map(|(&(length_ms, n), cells)| Point {
            length_ms,
            n,
            cells,
            accounts: Vec::new(),
            errors: Vec::new(),
        })
        .collect();
    Ok(Whole { program: program.name.to_owned(), points })
}

/// Writes a result file.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
