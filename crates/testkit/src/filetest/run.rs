//! Running one file.

use super::directives::{Directives, EventPattern, Expect, Run};
use crate::mode::{RunMode, stressed};
use crate::session::{End, Session, State};
use cupola::Config;
use cupola::events::{Event, Names};
use cupola::ir::{
    EagerBodies, FuncId, Function, Module, ParsedModule, SrcLoc, parse, verify_function,
};
use cupola_opt::destruct::{OnDeopt, out_of_ssa};
use cupola_opt::passes;
use std::path::Path;

/// What went wrong in a file.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The mode, or what else was checked.
    pub mode: String,
    /// The line of the directive, if it is about one.
    pub line: Option<usize>,
    /// What happened instead.
    pub message: String,
}

impl Failure {
    fn new(mode: &str, line: Option<usize>, message: impl Into<String>) -> Failure {
        Failure { mode: mode.to_owned(), line, message: message.into() }
    }
}

/// Runs a file in all its modes, and gives what went wrong.
pub fn run_file(path: &Path) -> Vec<Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => run_text(&path.display().to_string(), &text),
        Err(error) => vec![Failure::new("file", None, error.to_string())],
    }
}

/// As [`run_file`], with the file's text.
pub fn run_text(name: &str, text: &str) -> Vec<Failure> {
    match check(name, text) {
        Ok(failures) => failures,
        Err(message) => vec![Failure::new("file", None, message)],
    }
}

fn check(name: &str, text: &str) -> Result<Vec<Failure>, String> {
    let directives = Directives::read(text)?;
    let parsed = parse(name, text).and_then(|parsed| parsed.verify().map(|()| parsed));
    let parsed = match parsed {
        Ok(parsed) if directives.errors.is_empty() => parsed,
        Ok(_) => return Err("there are no errors".to_owned()),
        Err(errors) => {
            let mut found: Vec<(usize, &str)> = errors
                .list()
                .iter()
                .map(|d| (errors.line_column(d.span.start).0, d.message.as_str()))
                .collect();
            found.sort();
            let mut expected: Vec<_> =
                directives.errors.iter().map(|(line, text)| (*line, text.as_str())).collect();
            expected.sort();
            return match found == expected {
                true => Ok(Vec::new()),
                false => Err(format!("the errors are\n{errors}")),
            };
        }
    };
    let mut failures = Vec::new();
    failures.extend(reprint(&parsed).err().map(|e| Failure::new("print", None, e)));
    let runs = directives.runs(&parsed.module)?;
    let bodies = complete(&parsed)?;
    let mut module = parsed.module.clone();
    // The register form of what the optimizer makes of accesses to memory is raw accesses.
    module.trusted = !directives.passes.is_empty();
    let program = Program { module: &module, runs: &runs };
    let reference = match program.outcomes(&bodies, RunMode::ALL[0].config(), &[]) {
        Ok(outcomes) => outcomes,
        Err(message) => return Err(format!("t0: {message}")),
    };
    program.expectations("t0", &reference, &mut failures);
    for pass in &directives.passes {
        let changed = after_pass(&parsed, &module, pass)?;
        program.compare(pass, &changed, RunMode::ALL[0].config(), &reference, &mut failures);
    }
    if directives.passes.is_empty() {
        for mode in selected(&directives)? {
            program.compare(mode.name, &bodies, mode.config(), &reference, &mut failures);
        }
        for stress in &directives.stress {
            program.compare(stress, &bodies, stressed(stress), &reference, &mut failures);
        }
    }
    if !directives.events.is_empty() {
        let config = RunMode::find("sync").ok_or("there is a mode `sync`")?.config();
        if let Err(message) = program.outcomes(&bodies, config, &directives.events) {
            failures.push(Failure::new("events", None, message));
        }
    }
    Ok(failures)
}

fn selected(directives: &Directives) -> Result<Vec<&'static RunMode>, String> {
    match &directives.modes {
        None => Ok(RunMode::usual().iter().collect()),
        Some(names) => {
            let find = |name: &String| {
                RunMode::find(name).ok_or_else(|| format!("there is no mode `{name}`"))
            };
            names.iter().map(find).collect()
        }
    }
}

/// The printed module reads as the same module.
fn reprint(parsed: &ParsedModule) -> Result<(), String> {
    let text = parsed.print();
    let again = parse("printed", &text).map_err(|errors| format!("{errors}\n{text}"))?;
    let without_places = |function: &Function| {
        let mut function = function.clone();
        function.insts.values_mut().for_each(|inst| inst.loc = SrcLoc::UNKNOWN);
        function
    };
    let same_bodies = parsed.module.funcs.keys().all(|id| {
        let [a, b] = [parsed, &again].map(|p| p.bodies.get(id).map(|f| without_places(f)));
        a == b
    });
    if again.module != parsed.module || !same_bodies || again.print() != text {
        return Err(format!("printing gives another module:\n{text}"));
    }
    Ok(())
}

/// The bodies of a file; functions that are given in SSA form only are brought to register form.
fn complete(parsed: &ParsedModule) -> Result<EagerBodies, String> {
    let mut bodies = parsed.bodies.clone();
    for (id, function) in &parsed.ssa {
        if bodies.get(*id).is_none() {
            bodies.set(*id, to_register_form(function)?);
        }
    }
    Ok(bodies)
}

fn to_register_form(function: &Function) -> Result<Function, String> {
    out_of_ssa(function, OnDeopt::Reject).map_err(|error| error.to_string())
}

fn after_pass(parsed: &ParsedModule, module: &Module, name: &str) -> Result<EagerBodies, String> {
    let pass = passes::find(name).ok_or_else(|| format!("there is no pass `{name}`"))?;
    if parsed.ssa.is_empty() {
        return Err("there is no function in SSA form".to_owned());
    }
    let mut bodies = parsed.bodies.clone();
    for (id, function) in &parsed.ssa {
        let mut function = Function::clone(function);
        function.layout = function.block_order();
        (pass.run)(&mut function, module);
        let verified = |function: &Function| {
            verify_function(module, *id, function).map_err(|e| format!("after {name}: {e:?}"))
        };
        verified(&function)?;
        let function = to_register_form(&function)?;
        verified(&function)?;
        bodies.set(*id, function);
    }
    Ok(bodies)
}

/// What a call did.
struct Outcome {
    end: End,
    state: State,
    backtrace: Vec<(String, u32)>,
}

struct Program<'a> {
    module: &'a Module,
    runs: &'a [Run],
}

impl Program<'_> {
    /// Makes all calls. If events are to be seen, it is an error if they are not.
    fn outcomes(
        &self,
        bodies: &EagerBodies,
        config: Config,
        events: &[EventPattern],
    ) -> Result<Vec<Outcome>, String> {
        let mut session =
            Session::new(self.module, bodies, config).map_err(|error| error.to_string())?;
        let stream = session.module().engine();
        if !events.is_empty() {
            stream.events().listen(1 << 16);
        }
        let mut outcomes = Vec::new();
        for run in self.runs {
            let func = self.module.find_func(&run.func).ok_or("the function was found before")?;
            let end = session
                .call(func, &run.args)
                .map_err(|message| format!("line {}: {message}", run.line))?;
            let backtrace = session.backtrace.clone();
            outcomes.push(Outcome { end, state: session.state(), backtrace });
        }
        let seen: Vec<Event> = std::iter::from_fn(|| stream.events().pop()).collect();
        self.find_events(&seen, events)?;
        Ok(outcomes)
    }

    fn find_events(&self, seen: &[Event], patterns: &[EventPattern]) -> Result<(), String> {
        let mut rest = seen.iter();
        for pattern in patterns {
            if rest.any(|event| self.fits(event, pattern)) {
                continue;
            }
            let lines: Vec<String> = seen.iter().map(|event| event.describe(self)).collect();
            return Err(format!("{pattern:?} was not seen in\n{}", lines.join("\n")));
        }
        Ok(())
    }

    fn fits(&self, event: &Event, pattern: &EventPattern) -> bool {
        // The first tier that the description names.
        let line = event.describe(self);
        let tier = |word: &str| word.trim_end_matches([':', ',']) == pattern.tier_name();
        event.kind.name() == pattern.name
            && pattern.func.as_ref().is_none_or(|f| *f == self.module.func_name(event.func))
            && (pattern.tier.is_none() || line.split_whitespace().any(tier))
    }

    fn expectations(&self, mode: &str, outcomes: &[Outcome], failures: &mut Vec<Failure>) {
        for (run, outcome) in self.runs.iter().zip(outcomes) {
            let fits = match &run.expect {
                Expect::Return => matches!(outcome.end, End::Values(_)),
                Expect::Values(values) => outcome.end == End::Values(values.clone()),
                Expect::Trap(code, _) => outcome.end == End::Trap(*code),
                Expect::Failed(message) => outcome.end == End::Failed(message.clone()),
                Expect::Panicked(message) => outcome.end == End::Panicked(message.clone()),
            };
            if !fits {
                failures.push(Failure::new(mode, Some(run.line), outcome.end.to_string()));
            } else if let Expect::Trap(_, Some(frames)) = &run.expect
                && !outcome.backtrace.starts_with(frames)
            {
                let message = format!("the backtrace is {:?}", outcome.backtrace);
                failures.push(Failure::new(mode, Some(run.line), message));
            }
        }
    }

    /// All calls do the same as in the reference.
    fn compare(
        &self,
        mode: &str,
        bodies: &EagerBodies,
        config: Config,
        reference: &[Outcome],
        failures: &mut Vec<Failure>,
    ) {
        let outcomes = match self.outcomes(bodies, config, &[]) {
            Ok(outcomes) => outcomes,
            Err(message) => return failures.push(Failure::new(mode, None, message)),
        };
        let before = failures.len();
        if mode != "t0" {
            self.expectations(mode, &outcomes, failures);
        }
        if failures.len() > before {
            return;
        }
        for ((run, outcome), reference) in self.runs.iter().zip(&outcomes).zip(reference) {
            let message = if outcome.end != reference.end {
                format!("{}, in t0 {}", outcome.end, reference.end)
            } else if outcome.state != reference.state {
                format!("{:?}, in t0 {:?}", outcome.state, reference.state)
            } else {
                continue;
            };
            return failures.push(Failure::new(mode, Some(run.line), message));
        }
    }
}

impl EventPattern {
    fn tier_name(&self) -> String {
        self.tier.map(|tier| tier.to_string()).unwrap_or_default()
    }
}

impl Names for Program<'_> {
    fn func_name(&self, _module: u32, func: FuncId) -> String {
        self.module.func_name(func)
    }

    fn location(&self, _module: u32, loc: SrcLoc) -> String {
        self.module.format_loc(loc)
    }
}
