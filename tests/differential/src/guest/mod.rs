//! Instances in an engine, as far as can be seen from outside.

mod cupola;
mod wasmi;
mod wasmtime;

use crate::subject::{FUEL, Subject};
use crate::value::{End, Value};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// An instance of a subject's module in some engine.
trait Guest {
    /// Calls an exported function.
    fn call(&mut self, func: &str, args: &[Value]) -> End;
    /// Sets an exported global of type `i32`.
    fn set_global(&mut self, name: &str, value: i32);
    /// The value of an exported global.
    fn global(&mut self, name: &str) -> Value;
    /// The bytes of an exported memory.
    fn memory(&mut self, name: &str) -> &[u8];
    /// The references in an exported table.
    fn table(&mut self, name: &str) -> Vec<Value>;
    /// What the host was called with.
    fn host(&self) -> u64;
}

/// An engine in one of its modes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Cupola in the mode of that name.
    Cupola(&'static str),
    /// wasmi.
    Wasmi,
    /// wasmtime.
    Wasmtime,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Engine::Cupola(mode) => write!(f, "cupola {mode}"),
            Engine::Wasmi => f.write_str("wasmi"),
            Engine::Wasmtime => f.write_str("wasmtime"),
        }
    }
}

/// All that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How the instantiation ended.
    pub start: End,
    /// How each call ended, and the exported globals then.
    pub calls: Vec<(End, Vec<Value>)>,
    /// Sizes of the exported memories in the end, in bytes, and hashes of what is in them.
    pub memories: Vec<(usize, u64)>,
    /// References in the exported tables in the end.
    pub tables: Vec<Vec<Value>>,
    /// What the host was called with.
    pub host: u64,
}

/// Runs a subject in an engine.
pub fn run(subject: &Subject, engine: Engine) -> Run {
    let ran = catch_unwind(AssertUnwindSafe(|| match engine {
        Engine::Cupola(mode) => record(subject, cupola::Guest::new(&subject.wasm, mode)),
        Engine::Wasmi => record(subject, wasmi::Guest::new(&subject.wasm)),
        Engine::Wasmtime => record(subject, wasmtime::Guest::new(&subject.wasm)),
    }));
    ran.unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or_default();
        Run::failed(End::Failure(format!("panic: {message}")))
    })
}

impl Run {
    fn failed(start: End) -> Run {
        Run { start, calls: Vec::new(), memories: Vec::new(), tables: Vec::new(), host: 0 }
    }
}

fn record(subject: &Subject, guest: Result<impl Guest, End>) -> Run {
    let mut guest = match guest {
        Ok(guest) => guest,
        Err(end) => return Run::failed(end),
    };
    let mut calls = Vec::new();
    for call in &subject.calls {
        guest.set_global(FUEL, call.fuel);
        let end = guest.call(&call.func, &call.args);
        calls.push((end, subject.globals.iter().map(|name| guest.global(name)).collect()));
    }
    let memories = subject.memories.iter().map(|name| {
        let bytes = guest.memory(name);
        (bytes.len(), hash(bytes))
    });
    let memories = memories.collect();
    let tables = subject.tables.iter().map(|name| guest.table(name)).collect();
    Run { start: End::Values(Vec::new()), calls, memories, tables, host: guest.host() }
}

/// A hash of whole words (memories are whole pages).
fn hash(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum: u64, word| {
        (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}
