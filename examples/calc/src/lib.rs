//! calc: a small language on Cupola, the example of `docs/new-language.md`.
//!
//! ```text
//! fn length(x, y) { return (x ^ 2 + y ^ 2) ^ 0.5; }
//! var n = 0;
//! while n < 10 { n = n + 1; print length(n, n); }
//! ```
//!
//! [`compile`] goes from source to register form (`token`, `parse`, `ast`, `lower`); [`load`] hands
//! that to an engine. The language's one operation of its own, `x ^ y`, is in [`pow`].

pub mod ast;
mod lower;
pub mod parse;
pub mod pow;
pub mod token;

use cupola::ir::{EagerBodies, Module};
use cupola::{Dialects, Engine, Imports};
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// A place in a source file; both numbers count from 1.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Pos {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// What is wrong with a source file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// Where.
    pub pos: Pos,
    /// What.
    pub message: String,
}

impl SourceError {
    fn new(pos: Pos, message: impl Into<String>) -> SourceError {
        SourceError { pos, message: message.into() }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.pos.line, self.pos.column, self.message)
    }
}

impl std::error::Error for SourceError {}

/// A program in register form.
pub struct Compiled {
    /// The declarations. Every function is exported; `main` is the statements outside of functions.
    pub module: Module,
    /// The functions.
    pub bodies: EagerBodies,
}

/// Compiles a source file; `name` stands in backtraces.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn compile(name: &str, source: &str) -> Result<Compiled, SourceError> {
    lower::lower(name, &parse::parse(source)?)
}

/// The operations of calc's own.
pub fn dialects() -> Dialects {
    let mut dialects = Dialects::new();
    dialects.register("calc.pow", Arc::new(pow::Pow));
    dialects
}

/// What calc programs import: `print`, which writes a line to `out`.
pub fn imports(out: impl Write + Send + 'static) -> Imports {
    let out = Mutex::new(out);
    let mut imports = Imports::new();
    imports.func("calc", "print", move |value: f64| {
        writeln!(out.lock().unwrap_or_else(PoisonError::into_inner), "{value}")
    });
    imports
}

/// Compiles a source file and hands it to an engine.
///
/// # Errors
/// A [`SourceError`], or what the engine has against the module.
pub fn load(
    engine: &Engine,
    name: &str,
    source: &str,
) -> Result<cupola::Module, Box<dyn std::error::Error>> {
    let Compiled { module, bodies } = compile(name, source)?;
    Ok(cupola::Module::with_bodies(engine, module, bodies, &dialects())?)
}
