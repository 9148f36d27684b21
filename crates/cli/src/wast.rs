//! `cupola wast`.

use crate::args::WastArgs;
use crate::failure::Failure;
use crate::host;
use crate::input;
use crate::run;
use cupola::Engine;
use cupola_runtime::OptLevel;
use cupola_wast::Outcome;
use std::fmt::Write as _;
use std::path::Path;

/// What `--help` says at the end.
pub const HELP: &str = "\
Each script gets an engine of its own. A directive that fails is printed as FILE:LINE:COLUMN, with
what was expected and what was found; one that needs a proposal which is not supported is skipped.

Exit codes: 0 if none fails; 1 if one does; 2 if the command line or a script is wrong.";

/// Runs scripts; gives the exit code.
pub fn run(options: &WastArgs) -> Result<i32, Failure> {
    let mut all = Outcome::default();
    for file in &options.files {
        let outcome = run_script(file, options)?;
        host::print(report(&file.display().to_string(), &outcome).as_bytes())?;
        all.passed += outcome.passed;
        all.failures.extend(outcome.failures);
        all.skips.extend(outcome.skips);
    }
    let summary = format!(
        "{} of {} directives passed, {} failed, {} skipped\n",
        all.passed,
        all.total(),
        all.failures.len(),
        all.skips.len()
    );
    host::print(summary.as_bytes())?;
    Ok(i32::from(!all.failures.is_empty()))
}

fn run_script(file: &Path, options: &WastArgs) -> Result<Outcome, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::Input(format!("cannot read `{name}`: {error}")))?;
    let mut config = run::tiers(options.mode, options.preset, Some(OptLevel::default()))?;
    config.stress = options.stress.clone();
    config.codegen.memory_reservation = !options.no_memory_reservation;
    let engine = Engine::new(config)?;
    let loading = input::loading(options.validate, &options.without);
    cupola_wast::run(&engine, &name, &text, &loading)
        .map_err(|error| Failure::Input(error.to_string()))
}

/// Failures one by one, skipped directives by what they need.
fn report(name: &str, outcome: &Outcome) -> String {
    let mut out = String::new();
    for failure in &outcome.failures {
        let _ = writeln!(out, "{name}:{}: {failure}", failure.place);
    }
    let mut needs: Vec<&str> = outcome.skips.iter().map(|skip| skip.needs.as_str()).collect();
    needs.sort_unstable();
    for same in needs.chunk_by(|a, b| a == b) {
        let _ = writeln!(out, "{name}: not supported yet: {} ({} skipped)", same[0], same.len());
    }
    out
}
