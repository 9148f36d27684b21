//! Damaged modules: whatever is in a file, loading it gives a module or a clear error, and what
//! runs of it ends, without a panic and without more memory than its size asks for.

mod corpus;
mod mutate;

use crate::allocations::peak_of;
use crate::batch::Tally;
use crate::panics;
use crate::random::Random;
use cupola::ir::{FuncKind, Signature};
use cupola::{Engine, Global, InterruptHandle, Memory, Store, Table};
use cupola_testkit::mode::RunMode;
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val, ValType, Validation};
use std::fmt;
use std::ops::AddAssign;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Exported functions that are called.
const MAX_CALLED: usize = 16;

/// Entries and back edges of all calls of a module.
const FUEL: u64 = 3_000;

/// Filling memory takes no fuel; what takes longer than this is interrupted.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What loading may take, in bytes, beside a multiple of the module's size. The validator makes room
/// for as many things as a section says it has, up to a million.
const ALLOWANCE: usize = 64 << 20;

/// What loading may take for each byte of a module. (One of a type section is a type in several
/// tables.)
const PER_BYTE: usize = 600;

/// What became of damaged modules.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Damaged {
    /// Modules.
    pub modules: u64,
    /// Those that are not valid.
    pub refused: u64,
    /// Those that were instantiated.
    pub started: u64,
    /// Calls.
    pub calls: u64,
    /// The most memory that loading took beyond the allowance, in bytes for each of the module.
    pub peak: u64,
}

impl AddAssign for Damaged {
    fn add_assign(&mut self, other: Damaged) {
        self.modules += other.modules;
        self.refused += other.refused;
        self.started += other.started;
        self.calls += other.calls;
        self.peak = self.peak.max(other.peak);
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damaged { modules, refused, started, calls, peak } = self;
        write!(
            f,
            "{modules} damaged modules ({refused} of them are not valid, {started} start), \
             {calls} calls, loading takes at most {peak} bytes for each of the module"
        )
    }
}

impl Tally for Damaged {
    fn numbers(&self) -> Vec<u64> {
        let Damaged { modules, refused, started, calls, peak } = *self;
        vec![modules, refused, started, calls, peak]
    }

    fn from_numbers(numbers: &[u64]) -> Option<Damaged> {
        let [modules, refused, started, calls, peak] = *numbers else { return None };
        Some(Damaged { modules, refused, started, calls, peak })
    }
}

/// What is wrong with a damaged module.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What the module was made of.
    pub seed: u64,
    /// What happened.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { seed, message } = self;
        write!(
            f,
            "damaged module of seed {seed}: {message}\nto see it again: cargo run --release \
             -p cupola-differential --bin smith -- --damaged --from {seed} --count 1"
        )
    }
}

impl std::error::Error for Fault {}

/// The damaged module of a seed.
pub fn damaged_module(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut any = || match random.one_in(4) {
        true => random.choose(corpus::programs()),
        false => random.choose(corpus::tests()),
    };
    let (module, other) = (any(), any());
    mutate::damage(module, other, &mut random)
}

/// Damages a module as a seed says, and loads and runs what comes of it.
///
/// # Errors
/// If something happens that should not.
pub fn check_damaged(seed: u64) -> Result<Damaged, Box<Fault>> {
    check_bytes(&damaged_module(seed), seed).map_err(|message| Box::new(Fault { seed, message }))
}

/// Loads and runs whatever these bytes are; `choice` chooses the mode.
///
/// # Errors
/// If something happens that should not.
pub fn check_bytes(bytes: &[u8], choice: u64) -> Result<Damaged, String> {
    panics::none_in(|| check(bytes, choice))?
}

fn check(bytes: &[u8], choice: u64) -> Result<Damaged, String> {
    let modes = ["t0", "t1", "t2", "sync", "auto"];
    let mode = modes[(choice % modes.len() as u64) as usize];
    let mut config = RunMode::find(mode).expect("a mode of the test kit").config();
    config.max_memory_pages = 64;
    config.max_table_slots = 10_000;
    config.codegen.fuel = true;
    let engine = Engine::new(config).map_err(|error| error.to_string())?;

    let mut result = Damaged { modules: 1, ..Damaged::default() };
    let mut load = |validation| {
        let (module, peak) = peak_of(|| {
            Module::new(&engine, "damaged", bytes, &Options { validation, ..Options::default() })
        });
        let beyond = peak.saturating_sub(ALLOWANCE).div_ceil(bytes.len().max(1));
        result.peak = result.peak.max(beyond as u64);
        if beyond > PER_BYTE {
            return Err(format!("loading {} bytes takes {peak} bytes of memory", bytes.len()));
        }
        Ok(module)
    };
    let eager = load(Validation::Eager)?;
    let lazy = load(Validation::Lazy)?;
    let valid = match (&eager, &lazy) {
        (Ok(_), Err(error)) => return Err(format!("only lazy loading refuses it: {error}")),
        (eager, _) => eager.is_ok(),
    };
    for error in [&eager, &lazy].into_iter().filter_map(|loaded| loaded.as_ref().err()) {
        if error.to_string().is_empty() {
            return Err(format!("an error without a message: {error:?}"));
        }
    }
    result.refused = u64::from(!valid);
    if let Ok(module) = &lazy {
        run(&engine, module, valid, &mut result)?;
    }
    Ok(result)
}

/// Makes an instance and calls what it exports.
fn run(engine: &Engine, module: &Module, valid: bool, result: &mut Damaged) -> Result<(), String> {
    let mut store = Store::new(engine);
    store.set_fuel(FUEL);
    let imports = imports(module, &mut store);
    let interrupt = store.interrupt_handle();
    with_timeout(interrupt, || {
        let instance = match Instance::new(&mut store, module, &imports) {
            Ok(instance) => instance,
            Err(error) => return expected(&error, valid, true),
        };
        result.started = 1;
        let mut funcs: Vec<(String, Vec<ValType>)> = module
            .exported_funcs()
            .map(|(name, ty)| (name.to_owned(), ty.params.to_vec()))
            .collect();
        funcs.sort_by(|a, b| a.0.cmp(&b.0));
        funcs.truncate(MAX_CALLED);
        for (name, params) in funcs {
            let args: Vec<Val> = params.iter().map(|&ty| Val::from_bits(ty, 0)).collect();
            result.calls += 1;
            if let Err(error) = instance.call(&mut store, &name, &args) {
                expected(&error, valid, false)?;
            }
        }
        Ok(())
    })
}

/// Whether an error is one that a module may give: a trap; of one that is not valid, that it is
/// not; at the start, that something cannot be had.
fn expected(error: &Error, valid: bool, start: bool) -> Result<(), String> {
    if error.trap_code().is_some() {
        return Ok(());
    }
    match error {
        Error::Engine(cupola::Error::MissingImports(_) | cupola::Error::Limit(_)) if start => {
            Ok(())
        }
        Error::Engine(cupola::Error::Trap(_)) if !valid => Ok(()),
        error => Err(format!("a module that is {} gives: {error}", word(valid))),
    }
}

fn word(valid: bool) -> &'static str {
    if valid { "valid" } else { "not valid" }
}

/// What a module imports: functions that give zeros, and globals, memories and tables of zeros. What
/// is beyond the limits is left missing.
fn imports(module: &Module, store: &mut Store) -> Imports {
    let mut imports = Imports::new();
    let ir = module.engine_module().ir();
    for decl in ir.funcs.values() {
        if let FuncKind::Import { module, name } = &decl.kind {
            let sig: Signature = ir.sigs[decl.sig].clone();
            let results: Vec<ValType> = sig.results.iter().copied().collect();
            imports.func_dynamic(module, name, sig, move |_, _| {
                Ok(results.iter().map(|&ty| Val::from_bits(ty, 0)).collect())
            });
        }
    }
    for decl in ir.memories.values() {
        if let (Some(name), Ok(memory)) = (&decl.import, Memory::new(store, decl)) {
            imports.define(&name.module, &name.name, memory);
        }
    }
    for decl in ir.tables.values() {
        if let (Some(name), Ok(table)) = (&decl.import, Table::new(store, decl)) {
            imports.define(&name.module, &name.name, table);
        }
    }
    for decl in ir.globals.values() {
        if let Some(name) = &decl.import {
            let global = Global::new(store, Val::from_bits(decl.ty, 0), decl.mutable);
            imports.define(&name.module, &name.name, global);
        }
    }
    imports
}

/// Does something, which is interrupted when its time is over.
fn with_timeout<T>(interrupt: InterruptHandle, act: impl FnOnce() -> T) -> T {
    let (done, wait) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while wait.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let result = act();
        drop(done);
        result
    })
}
