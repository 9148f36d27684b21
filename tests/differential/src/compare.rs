//! Running subjects in all engines.

use crate::batch::Tally;
use crate::guest::{Engine, Run, run};
use crate::subject::Subject;
use crate::value::{End, Trap};
use std::fmt;
use std::fmt::Write;
use std::ops::AddAssign;

/// The engine that the others are compared with: Cupola's interpreter.
const REFERENCE: Engine = Engine::Cupola("t0");

/// All others.
const OTHERS: &[Engine] = &[
    Engine::Cupola("t1"),
    Engine::Cupola("t2"),
    Engine::Cupola("auto"),
    Engine::Cupola("random-tier"),
    Engine::Cupola("chaos"),
    Engine::Wasmi,
    Engine::Wasmtime,
];

/// What was compared.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Modules.
    pub modules: u64,
    /// Modules whose instantiation trapped.
    pub not_started: u64,
    /// Modules left out because the stack was full somewhere.
    pub left_out: u64,
    /// Calls.
    pub calls: u64,
    /// Calls that returned.
    pub returned: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Stats) {
        self.modules += other.modules;
        self.not_started += other.not_started;
        self.left_out += other.left_out;
        self.calls += other.calls;
        self.returned += other.returned;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} modules ({} of them trap at the start, {} left out), {} calls, {} of them return",
            self.modules, self.not_started, self.left_out, self.calls, self.returned
        )
    }
}

impl Tally for Stats {
    fn numbers(&self) -> Vec<u64> {
        let Stats { modules, not_started, left_out, calls, returned } = *self;
        vec![modules, not_started, left_out, calls, returned]
    }

    fn from_numbers(numbers: &[u64]) -> Option<Stats> {
        let [modules, not_started, left_out, calls, returned] = *numbers else { return None };
        Some(Stats { modules, not_started, left_out, calls, returned })
    }
}

/// Engines that do not agree about a module.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// What the module was made of.
    pub seed: u64,
    /// For each engine that does something else than T0, what.
    pub differences: Vec<(Engine, String)>,
    /// The module.
    pub wasm: Vec<u8>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}:", self.seed)?;
        for (engine, difference) in &self.differences {
            writeln!(f, "  {engine}: {difference}")?;
        }
        writeln!(f, "to see it again: {}", command(self.seed))?;
        match wasmprinter::print_bytes(&self.wasm) {
            Ok(text) => f.write_str(&text),
            Err(error) => write!(f, "the module cannot be printed: {error}"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// The command that checks a seed alone.
fn command(seed: u64) -> String {
    format!("cargo run --release -p cupola-differential --bin smith -- --from {seed} --count 1")
}

/// Makes a module of a seed and runs it in all engines.
///
/// # Errors
/// If they do not agree.
pub fn check_seed(seed: u64) -> Result<Stats, Box<Mismatch>> {
    check(Subject::generate(seed), seed)
}

/// Runs a subject in all engines.
///
/// # Errors
/// If they do not agree.
pub fn check(subject: Subject, seed: u64) -> Result<Stats, Box<Mismatch>> {
    let expected = run(&subject, REFERENCE);
    let mut stats = Stats { modules: 1, ..Stats::default() };
    let mut differences = Vec::new();
    if let End::Failure(message) = &expected.start {
        differences.push((REFERENCE, message.clone()));
    }
    let mut full = stack_is_full(&expected);
    for &engine in OTHERS {
        let found = run(&subject, engine);
        full |= stack_is_full(&found);
        if found != expected {
            differences.push((engine, difference(&subject, &found, &expected)));
        }
    }
    if full {
        stats.left_out = 1;
        return Ok(stats);
    }
    if !differences.is_empty() {
        return Err(Box::new(Mismatch { seed, differences, wasm: subject.wasm }));
    }
    stats.not_started = u64::from(matches!(expected.start, End::Trap(_)));
    stats.calls = expected.calls.len() as u64;
    let returned = expected.calls.iter().filter(|(end, _)| matches!(end, End::Values(_)));
    stats.returned = returned.count() as u64;
    Ok(stats)
}

/// How deep a stack is differs, so that such a run says nothing.
fn stack_is_full(run: &Run) -> bool {
    let mut ends = run.calls.iter().map(|(end, _)| end).chain([&run.start]);
    ends.any(|end| *end == End::Trap(Trap::Stack))
}

fn difference(subject: &Subject, found: &Run, expected: &Run) -> String {
    let mut text = String::new();
    if found.start != expected.start {
        let _ = write!(text, "start {}, in t0 {}", found.start, expected.start);
        return text;
    }
    let calls = subject.calls.iter().zip(&found.calls).zip(&expected.calls);
    for (index, ((call, found), expected)) in calls.enumerate() {
        if found == expected {
            continue;
        }
        let _ = write!(text, "call {index}, {}({:x?}) {}", call.func, call.args, found.0);
        if found.0 != expected.0 {
            let _ = write!(text, ", in t0 {}", expected.0);
        }
        let values = found.1.iter().zip(&expected.1).zip(&subject.globals);
        for ((found, expected), name) in values.filter(|((a, b), _)| a != b) {
            let _ = write!(text, "; global {name} is {found:x?}, in t0 {expected:x?}");
        }
        return text;
    }
    for fault in &found.faults {
        let _ = write!(text, "{fault}; ");
    }
    let _ = write!(text, "in the end: host {:x}, in t0 {:x}", found.host, expected.host);
    for (name, (found, expected)) in
        subject.memories.iter().zip(found.memories.iter().zip(&expected.memories))
    {
        if found != expected {
            let _ = write!(text, "; memory {name} is {found:x?}, in t0 {expected:x?}");
        }
    }
    for (name, (found, expected)) in
        subject.tables.iter().zip(found.tables.iter().zip(&expected.tables))
    {
        if found != expected {
            let _ = write!(text, "; table {name} is {found:?}, in t0 {expected:?}");
        }
    }
    text
}
