//! Runs specification scripts (`.wast`): modules with directives that say what is to become of them.
//!
//! A script runs in a store of its own, with the `spectest` module. A directive passes, fails with
//! what was expected and what was found, or is skipped, because it needs a proposal that is not
//! supported, or a module that does. Modules that are to be refused are validated whole, however
//! others are. Messages of errors are compared for traps only.
#![forbid(unsafe_code)]

mod describe;
mod outcome;
mod session;
mod spectest;
mod values;

pub use outcome::{BadScript, Failure, Outcome, Place, Skip};

use cupola::Engine;
use cupola_wasm::Options;
use session::Session;
use wast::Wast;
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};

/// Runs a script. `name` stands in messages and backtraces.
///
/// # Errors
/// If it is not well-formed.
pub fn run(
    engine: &Engine,
    name: &str,
    text: &str,
    options: &Options,
) -> Result<Outcome, BadScript> {
    let mut lexer = Lexer::new(text);
    // Names in scripts are there to be confusing.
    lexer.allow_confusing_unicode(true);
    let bad = |error| BadScript::new(error, name, text);
    let buffer = ParseBuffer::new_with_lexer(lexer).map_err(bad)?;
    let script = parse::<Wast<'_>>(&buffer).map_err(bad)?;
    let mut session = Session::new(engine, name, options);
    let mut outcome = Outcome::default();
    for directive in script.directives {
        let (line, column) = directive.span().linecol_in(text);
        let place = Place { line: line + 1, column: column + 1 };
        outcome.add(place, session.directive(directive));
    }
    Ok(outcome)
}
