//! What became of a script.

use std::fmt;
use std::path::Path;

/// A place in a script, counted from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The byte in it.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A directive that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where it stands.
    pub place: Place,
    /// What was to happen.
    pub expected: String,
    /// What happened.
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// A directive that was not tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Where it stands.
    pub place: Place,
    /// The proposal, or the feature, that it needs.
    pub needs: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not supported yet: {}", self.needs)
    }
}

/// What became of a script's directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many passed.
    pub passed: usize,
    /// Those that failed.
    pub failures: Vec<Failure>,
    /// Those that were not tried.
    pub skips: Vec<Skip>,
}

/// Why a directive did not pass.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    Failed { expected: String, found: String },
    Skipped { needs: String },
}

impl Stop {
    pub fn failed(expected: impl Into<String>, found: impl fmt::Display) -> Stop {
        // A backtrace has lines of its own.
        let found = found.to_string().replace('\n', " ");
        Stop::Failed { expected: expected.into(), found }
    }

    pub fn skipped(needs: impl Into<String>) -> Stop {
        Stop::Skipped { needs: needs.into() }
    }
}

impl Outcome {
    /// How many directives there are.
    pub fn total(&self) -> usize {
        self.passed + self.failures.len() + self.skips.len()
    }

    pub(crate) fn add(&mut self, place: Place, result: Result<(), Stop>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(Stop::Failed { expected, found }) => {
                self.failures.push(Failure { place, expected, found });
            }
            Err(Stop::Skipped { needs }) => self.skips.push(Skip { place, needs }),
        }
    }
}

/// A script that is not well-formed; shows the place.
#[derive(Debug)]
pub struct BadScript(wast::Error);

impl BadScript {
    pub(crate) fn new(mut error: wast::Error, name: &str, text: &str) -> BadScript {
        error.set_path(Path::new(name));
        error.set_text(text);
        BadScript(error)
    }
}

impl fmt::Display for BadScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for BadScript {}
