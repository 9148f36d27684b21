//! Running a program in all modes.

use super::{Choices, Program, shrink};
use crate::mode::RunMode;
use crate::session::{End, Session, State};
use cupola::ir::TrapCode;
use cupola::{CodegenOptions, Config, Value};
use std::fmt;

/// The calls that are made: arguments of `run`.
pub type Calls = &'static [(i32, i64, i32)];

/// Enough of them that functions climb, with some few in each tier.
const CALLS: Calls = &[(0, 0, 1), (1, 5, 14), (-3, -1, 1), (1 << 20, 1 << 40, 12)];

/// Fuel for a run in T0: far more than a program takes that was not made endless by shrinking.
const FUEL: u64 = 2_000_000;

/// Two modes that disagree about a program.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The mode that is wrong, if T0 is right.
    pub mode: String,
    /// In which call, and what happened.
    pub message: String,
    /// The program, made as small as possible.
    pub text: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {}: {}\n{}", self.mode, self.message, self.text)
    }
}

impl std::error::Error for Mismatch {}

/// Makes a program of a seed and runs it in all modes.
///
/// # Errors
/// If they do not agree.
pub fn check_seed(seed: u64) -> Result<(), Box<Mismatch>> {
    check(&Program::generate(&mut Choices::seeded(seed)))
}

/// Makes a program of bytes and runs it in all modes.
///
/// # Errors
/// If they do not agree.
pub fn check_bytes(bytes: &[u8]) -> Result<(), Box<Mismatch>> {
    check(&Program::generate(&mut Choices::of_bytes(bytes)))
}

/// Runs a program in all modes.
///
/// # Errors
/// If they do not agree; with the program made smaller.
pub fn check(program: &Program) -> Result<(), Box<Mismatch>> {
    let Some((mode, message)) = first_mismatch(program, RunMode::usual()) else { return Ok(()) };
    let one = [*mode];
    let small = shrink(program, &|program| first_mismatch(program, &one).is_some());
    let message = first_mismatch(&small, &one).map_or(message, |(_, message)| message);
    Err(Box::new(Mismatch { mode: mode.name.to_owned(), message, text: small.text() }))
}

/// The first of these modes in which a program does something else than in T0, and what. A program
/// that is not valid or does not end is not looked at.
pub fn first_mismatch<'m>(
    program: &Program,
    modes: &'m [RunMode],
) -> Option<(&'m RunMode, String)> {
    let reference = match outcomes(program, reference_config()) {
        Ok(Some(reference)) => reference,
        Ok(None) => return None,
        Err(message) => return Some((&modes[0], format!("t0: {message}"))),
    };
    modes.iter().find_map(|mode| Some((mode, differs(program, mode.config(), &reference)?)))
}

/// What a program does under this configuration that it does not do in T0.
pub fn first_mismatch_under(program: &Program, config: Config) -> Option<String> {
    match outcomes(program, reference_config()) {
        Ok(Some(reference)) => differs(program, config, &reference),
        Ok(None) => None,
        Err(message) => Some(format!("t0: {message}")),
    }
}

fn differs(program: &Program, config: Config, reference: &[Outcome]) -> Option<String> {
    let found = match outcomes(program, config) {
        Ok(Some(found)) => found,
        // How deep a stack is depends on the tier; calls through the host take most of it.
        Ok(None) => return None,
        Err(message) => return Some(message),
    };
    let mut pairs = CALLS.iter().zip(&found).zip(reference);
    let ((call, found), expected) = pairs.find(|((_, found), expected)| found != expected)?;
    Some(difference(*call, found, expected))
}

/// T0, with fuel.
fn reference_config() -> Config {
    let mut config = RunMode::ALL[0].config();
    config.codegen = CodegenOptions { fuel: true, ..config.codegen };
    config
}

type Outcome = (End, State);

fn difference(call: (i32, i64, i32), found: &Outcome, expected: &Outcome) -> String {
    let (a, b, n) = call;
    let call = format!("run({a}, {b}, {n})");
    if found.0 != expected.0 {
        return format!("{call} {}, in t0 {}", found.0, expected.0);
    }
    let at = found.1.trace.iter().zip(&expected.1.trace).position(|(a, b)| a != b);
    let State { memories, globals, trace } = &found.1;
    format!(
        "{call} leaves {memories:?} {globals:?}, in t0 {:?} {:?}; traces of {} and {} lines differ at {at:?}",
        expected.1.memories,
        expected.1.globals,
        trace.len(),
        expected.1.trace.len()
    )
}

/// What the calls do; none if they do not end, or only because the stack does: how deep that is
/// depends on the tier.
fn outcomes(program: &Program, config: Config) -> Result<Option<Vec<Outcome>>, String> {
    let fuel = config.codegen.fuel;
    let mut session = Session::new(&program.module, &program.bodies, config)
        .map_err(|error| error.to_string())?;
    let run = program.module.find_func("run").ok_or("there is no function `run`")?;
    let mut outcomes = Vec::new();
    for &(a, b, n) in CALLS {
        if fuel {
            session.store().set_fuel(FUEL);
        }
        let end = session.call(run, &[Value::I32(a), Value::I64(b), Value::I32(n)])?;
        if matches!(end, End::Trap(TrapCode::OutOfFuel | TrapCode::StackOverflow)) {
            return Ok(None);
        }
        outcomes.push((end, session.state()));
    }
    Ok(Some(outcomes))
}
