//! Instances in an engine, as far as can be seen from outside.

mod cupola;
mod wasmi;
mod wasmtime;

use crate::panics;
use crate::subject::{FUEL, Subject};
use crate::value::{End, Value};
use std::fmt;

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
    /// What went wrong behind the scenes.
    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
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
    /// What went wrong without changing what the module does, like a compilation that failed.
    pub faults: Vec<String>,
}

/// Runs a subject in an engine.
pub fn run(subject: &Subject, engine: Engine) -> Run {
    let ran = panics::none_in(|| match engine {
        Engine::Cupola(mode) => record(subject, cupola::Guest::new(&subject.wasm, mode)),
        Engine::Wasmi => record(subject, wasmi::Guest::new(&subject.wasm)),
        Engine::Wasmtime => record(subject, wasmtime::Guest::new(&subject.wasm)),
    });
    ran.unwrap_or_else(|message| Run::failed(End::Failure(message)))
}

impl Run {
    fn failed(start: End) -> Run {
        Run {
            start,
            calls: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
            host: 0,
            faults: Vec::new(),
        }
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
    let (host, faults) = (guest.host(), guest.faults());
    Run { start: End::Values(Vec::new()), calls, memories, tables, host, faults }
}

/// A hash of whole words (memories are whole pages).
fn hash(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum: u64, word| {
        (sum.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}
