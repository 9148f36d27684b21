//! Reading directives out of comments.

use cupola::ir::{Module, TrapCode, Type};
use cupola::{Tier, Value};

/// What a call has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// Return something.
    Return,
    /// Return these values.
    Values(Vec<Value>),
    /// Trap, with these innermost frames if they are given.
    Trap(TrapCode, Option<Backtrace>),
    /// End with this error of a host function.
    Failed(String),
    /// End with this panic of a host function.
    Panicked(String),
}

/// Names and lines of activations, the innermost first.
pub type Backtrace = Vec<(String, u32)>;

/// A call to make.
#[derive(Clone, Debug)]
pub struct Run {
    /// The line of the directive.
    pub line: usize,
    /// The function.
    pub func: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// What has to happen.
    pub expect: Expect,
}

/// An event that has to be seen.
#[derive(Clone, Debug)]
pub struct EventPattern {
    /// Its name.
    pub name: String,
    /// The tier that its description begins with.
    pub tier: Option<Tier>,
    /// The function.
    pub func: Option<String>,
}

/// All directives of a file.
#[derive(Clone, Debug, Default)]
pub struct Directives {
    /// Calls as they are written, with their lines.
    runs: Vec<(usize, String)>,
    /// Errors, with their lines.
    pub errors: Vec<(usize, String)>,
    /// Events to be seen in this order.
    pub events: Vec<EventPattern>,
    /// Modes to run in; none: all.
    pub modes: Option<Vec<String>>,
    /// More stress modes to run with.
    pub stress: Vec<String>,
    /// Passes to check.
    pub passes: Vec<String>,
}

impl Directives {
    /// Finds the directives of a text.
    ///
    /// # Errors
    /// If there is one that is not understood.
    pub fn read(text: &str) -> Result<Directives, String> {
        let mut directives = Directives::default();
        for (line, number) in text.lines().zip(1..) {
            let Some((code, comment)) = line.split_once("; ") else { continue };
            let at = |problem: String| format!("line {number}: {problem}");
            let alone = code.trim().is_empty();
            if let Some(error) = comment.strip_prefix("error: ") {
                directives.errors.push((number, error.trim().to_owned()));
            } else if let Some(run) = comment.strip_prefix("run: ").filter(|_| alone) {
                directives.runs.push((number, run.trim().to_owned()));
            } else if let Some(events) = comment.strip_prefix("events: ").filter(|_| alone) {
                for event in events.split(',') {
                    directives.events.push(event_pattern(event).map_err(at)?);
                }
            } else if let Some(test) = comment.strip_prefix("test ").filter(|_| alone) {
                directives.test(test).map_err(at)?;
            }
        }
        Ok(directives)
    }

    fn test(&mut self, text: &str) -> Result<(), String> {
        let mut words = text.split_whitespace();
        match words.next() {
            Some("run") => {
                for word in words {
                    if let Some(modes) = word.strip_prefix("modes=") {
                        self.modes = Some(modes.split(',').map(str::to_owned).collect());
                    } else if let Some(stress) = word.strip_prefix("stress=") {
                        self.stress.push(stress.to_owned());
                    } else {
                        return Err(format!("`test run` has no option `{word}`"));
                    }
                }
                Ok(())
            }
            Some("pass") => {
                self.passes.extend(words.map(str::to_owned));
                Ok(())
            }
            other => Err(format!("there is no `test {}`", other.unwrap_or_default())),
        }
    }

    /// The calls to make, with arguments and results of the types of the module's functions.
    ///
    /// # Errors
    /// If one is not understood.
    pub fn runs(&self, module: &Module) -> Result<Vec<Run>, String> {
        let run = |(line, text): &(usize, String)| {
            run(module, *line, text).map_err(|problem| format!("line {line}: {problem}"))
        };
        self.runs.iter().map(run).collect()
    }
}

fn event_pattern(text: &str) -> Result<EventPattern, String> {
    let mut words = text.split_whitespace();
    let name = words.next().ok_or("an event is missing")?.to_owned();
    let mut pattern = EventPattern { name, tier: None, func: None };
    for word in words {
        if let Some(func) = word.strip_prefix('%') {
            pattern.func = Some(func.to_owned());
        } else {
            let tier = Tier::ALL.into_iter().find(|tier| tier.to_string() == word);
            pattern.tier = Some(tier.ok_or_else(|| format!("`{word}` is no tier"))?);
        }
    }
    Ok(pattern)
}

fn run(module: &Module, line: usize, text: &str) -> Result<Run, String> {
    let text = text.strip_prefix('%').ok_or("a call begins with `%`")?;
    let (func, rest) = text.split_once('(').ok_or("a call has parentheses")?;
    let (args, expect) = rest.split_once(')').ok_or("a call has parentheses")?;
    let id = module.find_func(func).ok_or_else(|| format!("there is no function %{func}"))?;
    let sig = module.func_sig(id);
    let args = values(args, &sig.params)?;
    let expect = expect.trim();
    let (word, rest) = expect.split_once(' ').unwrap_or((expect, ""));
    let expect = match word {
        "" => Expect::Return,
        "==" => Expect::Values(values(rest, &sig.results)?),
        "traps" => {
            let (code, frames) = match rest.split_once(" at ") {
                Some((code, frames)) => (code, Some(backtrace(frames)?)),
                None => (rest, None),
            };
            let code = code.trim();
            let code = TrapCode::from_name(code).ok_or_else(|| format!("no trap `{code}`"))?;
            Expect::Trap(code, frames)
        }
        "fails" => Expect::Failed(rest.trim().trim_matches('"').to_owned()),
        "panics" => Expect::Panicked(rest.trim().trim_matches('"').to_owned()),
        _ => return Err(format!("`{word}` is no expectation")),
    };
    Ok(Run { line, func: func.to_owned(), args, expect })
}

fn backtrace(text: &str) -> Result<Backtrace, String> {
    let frame = |text: &str| {
        let (func, line) = text.trim().strip_prefix('%')?.split_once(':')?;
        Some((func.to_owned(), line.parse().ok()?))
    };
    let frames = text.split(',').map(|text| frame(text).ok_or(text));
    frames.collect::<Result<_, _>>().map_err(|text| format!("`{text}` is no %function:line"))
}

fn values(text: &str, types: &[Type]) -> Result<Vec<Value>, String> {
    let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    if words.len() != types.len() {
        return Err(format!("{} values where {} are expected", words.len(), types.len()));
    }
    words.into_iter().zip(types).map(|(word, &ty)| value(word, ty)).collect()
}

/// A value, written as constants are in the text format.
fn value(word: &str, ty: Type) -> Result<Value, String> {
    let text = format!("func %f() {{\nb:\n  v = {ty}.const {word}\n  return\n}}\n");
    let parsed = cupola::ir::parse("value", &text);
    let bits = parsed.ok().and_then(|parsed| {
        let func = parsed.module.find_func("f")?;
        parsed.bodies.get(func)?.insts.values().next()?.imm.constant_bits()
    });
    bits.map(|bits| Value::from_bits(ty, bits)).ok_or_else(|| format!("`{word}` is no {ty}"))
}
