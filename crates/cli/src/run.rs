//! `cupola run`.

use crate::args::{PreopenedDir, RunArgs, RunMode, Stats, Variable};
use crate::failure::Failure;
use crate::host::{self, Exit, Output};
use crate::input::{self, Program};
use crate::values;
use cupola::events::EventLog;
use cupola::ir::{FuncId, TrapCode};
use cupola::tuning::{Preset, Tuning};
use cupola::{Config, Engine, Error, Mode, Module, Store, Tier, Value};
use cupola_runtime::{CompileError, OptLevel};
use cupola_wasm::wasi::{self, WasiBuilder, WasiCtx};
use cupola_worker::{Worker, WorkerConfig};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Write as _, stderr};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::time::Duration;

/// What is said of a program that `--timeout` ended.
const TOO_LONG: &str = "it ran longer than --timeout allows";

/// How long after the timeout a program may be in a host function, or on its way out.
const HOST_GRACE: Duration = Duration::from_millis(500);

/// Most functions in the table of statistics; the JSON has all.
const TABLE_ROWS: usize = 40;

/// Runs a program; gives the exit code.
pub fn run(options: &RunArgs, program_args: &[OsString]) -> Result<i32, Failure> {
    // The process ends next, so that waiting for compilations under way and giving memory back
    // piece by piece would be in vain.
    let engine = ManuallyDrop::new(Engine::new(config(options)?)?);
    let loading = input::loading(options.validate, &options.without);
    let program = input::load(&engine, &options.file, options.trust, &loading)?;
    let program = ManuallyDrop::new(program);
    let module = &program.module;
    let call = what_to_call(&program, options, program_args)?;
    let uses_wasi = program.uses_wasi();
    let wasi = match uses_wasi {
        true => Some(wasi_ctx(options, program_args)?),
        false => None,
    };
    let output = Output::new(uses_wasi);
    // Opened before the program runs, so that a wrong path is not noticed at its end.
    let json = match &options.stats {
        Some(Stats::Json(path)) => Some((path, File::create(path).map_err(cannot_write(path))?)),
        _ => None,
    };
    let log = options.log.then(|| EventLog::start(&engine, stderr()));
    let log = log.transpose().map_err(|error| Failure::Input(error.to_string()))?;
    let mut store = ManuallyDrop::new(Store::new(&engine));
    let store = &mut *store;
    if let Some(fuel) = options.fuel {
        store.set_fuel(fuel);
    }
    if let Some(timeout) = options.timeout {
        interrupt_after(store, timeout, &output)?;
    }

    let result = execute(&program, store, &output, wasi, &call);

    if let Err(error) = &result
        && !matches!(error, cupola_wasm::Error::Engine(Error::Trap(_)))
    {
        return result.map(|_| 0).map_err(|error| failure(error, options));
    }
    let printed = finish_output(&output, result.as_deref().unwrap_or_default());
    if let Some(log) = log {
        log.finish().map_err(|error| Failure::Input(format!("cannot write the log: {error}")))?;
    }
    if let (Some(CompileError::Absent(reason)), true) =
        (engine.peak_fault(), options.log || options.stats.is_some())
    {
        eprintln!("cupola: note: no code for T3, the peak compiler is not there: {reason}");
    }
    if options.block_counts {
        eprint!("{}", block_counts(module));
    }
    if options.stats == Some(Stats::Table) {
        eprint!("{}", module.report().to_table(TABLE_ROWS));
    }
    if let Some((path, mut file)) = json {
        let text = module.report().to_json();
        writeln!(file, "{text}").map_err(cannot_write(path))?;
    }
    match result {
        Ok(_) => printed.map(|()| 0),
        Err(error) => match exit_code(&error) {
            Some(code) => printed.map(|()| code),
            None => Err(failure(error, options)),
        },
    }
}

/// What to call: a function with arguments, and perhaps one that sets the program up before.
struct Call<'a> {
    initializer: Option<&'static str>,
    name: &'a str,
    args: Vec<Value>,
}

fn execute(
    program: &Program,
    store: &mut Store,
    output: &Output,
    wasi: Option<WasiCtx>,
    call: &Call<'_>,
) -> Result<Vec<Value>, cupola_wasm::Error> {
    let instance = program.instantiate(store, host::imports(output), wasi)?;
    if let Some(initializer) = call.initializer {
        instance.call(store, initializer, &[])?;
    }
    Ok(instance.call(store, call.name, &call.args)?)
}

/// The exit code, if the program ended by giving one.
fn exit_code(error: &cupola_wasm::Error) -> Option<i32> {
    if let Some(code) = wasi::exit_code(error) {
        return Some(code as i32);
    }
    let cupola_wasm::Error::Engine(Error::Trap(trap)) = error else { return None };
    trap.host_error()?.downcast_ref().map(|exit: &Exit| exit.0)
}

fn is_preview0(module: &&String) -> bool {
    ["wasi_unstable", "wasi_snapshot_preview0"].contains(&module.as_str())
}

/// What to tell of an error that the program, or its instantiation, ended with.
fn failure(error: cupola_wasm::Error, options: &RunArgs) -> Failure {
    match error {
        cupola_wasm::Error::Engine(Error::MissingImports(ref imports))
            if let Some(module) = imports.iter().map(|import| &import.module).find(is_preview0) =>
        {
            Failure::Input(format!(
                "`{}` is made for WASI preview 0 (`{module}`), which is not supported; build it for \
                 preview 1 (the target wasm32-wasip1, or wasm32-wasi of a C compiler)",
                options.file.display()
            ))
        }
        cupola_wasm::Error::Engine(error @ Error::MissingImports(_)) => {
            Failure::Input(format!("{error}\n{}", host::HELP))
        }
        cupola_wasm::Error::Engine(Error::Trap(trap))
            if trap.code() == Some(TrapCode::Interrupted) && options.timeout.is_some() =>
        {
            Failure::Program(format!("{trap}\n{TOO_LONG}"))
        }
        cupola_wasm::Error::Engine(error) => error.into(),
        cupola_wasm::Error::Segment(_) => Failure::Program(error.to_string()),
        error => Failure::Input(error.to_string()),
    }
}

/// What a WASI program sees.
fn wasi_ctx(options: &RunArgs, program_args: &[OsString]) -> Result<WasiCtx, Failure> {
    let mut builder = WasiBuilder::new();
    builder.inherit_stdio().arg(&options.file);
    if options.invoke.is_none() {
        builder.args(program_args);
    }
    for Variable { name, value } in &options.env {
        match value {
            Some(value) => _ = builder.env(name, value),
            None => {
                if let Some(value) = std::env::var_os(name) {
                    builder.env(name, value);
                }
            }
        }
    }
    for PreopenedDir { host, guest } in &options.dir {
        builder.preopened_dir(host, guest).map_err(|error| {
            Failure::Input(format!("--dir: cannot open `{}`: {error}", host.display()))
        })?;
    }
    builder.build().map_err(|error| Failure::Input(error.to_string()))
}

fn config(options: &RunArgs) -> Result<Config, Failure> {
    let peak = (!options.no_peak).then_some(options.peak_opt);
    let mut config = tiers(options.mode, options.preset, peak)?;
    config.stress = options.stress.clone();
    config.codegen.fuel = options.fuel.is_some();
    config.codegen.block_counts = options.block_counts;
    config.perf_map = options.perf_map;
    config.codegen.memory_reservation = !options.no_memory_reservation;
    if let Some(bytes) = options.max_memory {
        config.max_memory_pages = bytes / cupola::ir::PAGE_SIZE;
    }
    Ok(config)
}

/// The code generators of a mode, and when functions get to them. `peak`: how hard the peak compiler
/// works; none: it is not used.
pub fn tiers(mode: RunMode, preset: Preset, peak: Option<OptLevel>) -> Result<Config, Failure> {
    let mut config = Config::new().with_generator(cupola_cranelift::baseline());
    config.tuning = preset.tuning();
    // Its process is started when something is to be compiled, and the executable is not looked
    // for before.
    let worker = Worker::new(WorkerConfig::default());
    let needed = match mode {
        RunMode::Tiers(mode) => {
            config.mode = mode;
            config = config.with_generator(cupola_cranelift::optimizing());
            if let Some(level) = peak {
                config = config.with_generator(worker.generator(Tier::T3, level));
            }
            mode == Mode::Only(Tier::T3)
        }
        RunMode::Ladder => {
            config.tuning = Tuning::ladder();
            let steps = [Tier::T2, Tier::T3, Tier::T4].into_iter().zip(OptLevel::ALL);
            for (tier, level) in steps {
                config = config.with_generator(worker.generator(tier, level));
            }
            true
        }
    };
    if needed && peak.is_none() {
        let message = "this mode needs the peak compiler, which --no-peak forbids";
        return Err(Failure::Input(message.to_owned()));
    }
    if needed {
        worker.start().map_err(|error| Failure::Input(format!("the peak compiler: {error}")))?;
    }
    Ok(config)
}

/// The exported function to call, and its arguments.
fn what_to_call<'a>(
    program: &Program,
    options: &'a RunArgs,
    program_args: &[OsString],
) -> Result<Call<'a>, Failure> {
    let module = &program.module;
    let (name, wanted) = match &options.invoke {
        Some(name) => (name.as_str(), true),
        None => (program.start(), false),
    };
    let file = options.file.display();
    let exports = || values::exports(module);
    let export = |name: &str| module.ir().exports.get(name).copied();
    let takes_nothing = |func: FuncId| module.ir().func_sig(func).params.is_empty();
    match (export(name), wanted) {
        (Some(func), true) => {
            let args = values::parse(module, func, program_args).map_err(Failure::Input)?;
            let initializer = export("_initialize").filter(|&func| takes_nothing(func));
            let initializer = initializer.filter(|_| name != "_initialize");
            Ok(Call { initializer: initializer.map(|_| "_initialize"), name, args })
        }
        (Some(_), false) if !program_args.is_empty() && !program.uses_wasi() => {
            Err(Failure::Input(format!(
                "`{file}` takes no arguments, but `{}` is behind it; options stand before the file",
                program_args[0].display()
            )))
        }
        (Some(func), false) if takes_nothing(func) => {
            Ok(Call { initializer: None, name, args: Vec::new() })
        }
        (None, true) => {
            let found =
                if module.func(name).is_some() { "is not exported" } else { "is not there" };
            Err(Failure::Input(format!("`{file}`: function `{name}` {found}; {}", exports())))
        }
        (_, false) => Err(Failure::Input(format!(
            "`{file}` has no `{name}` without parameters to start with, so say --invoke NAME ARGS; {}",
            exports()
        ))),
    }
}

/// Interrupts what runs in a store after a time, from a thread that ends with the process. A host
/// function is not interrupted: if the program waits in one, the process ends.
fn interrupt_after(store: &Store, timeout: Duration, output: &Output) -> Result<(), Failure> {
    let handle = store.interrupt_handle();
    let output = output.clone();
    let wait = move || {
        std::thread::sleep(timeout);
        handle.interrupt();
        std::thread::sleep(HOST_GRACE);
        // Nobody is left to be told that this fails.
        let _ = output.flush();
        let failure = Failure::Program(format!("the program waits in a host function; {TOO_LONG}"));
        failure.print();
        std::process::exit(failure.exit_code());
    };
    let thread = std::thread::Builder::new().name("cupola-timeout".to_owned()).spawn(wait);
    thread.map(drop).map_err(|error| Failure::Input(format!("cannot start a thread: {error}")))
}

/// Prints the results behind what the program printed.
fn finish_output(output: &Output, results: &[Value]) -> Result<(), Failure> {
    let printed = results.iter().try_for_each(|&value| output.line(value));
    printed.and_then(|()| output.flush()).map_err(|error| Failure::Program(error.to_string()))
}

fn cannot_write(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Input(format!("cannot write `{}`: {error}", path.display()))
}

/// How often each block of the functions that were called ran in T0 and T1.
fn block_counts(module: &Module) -> String {
    let mut out = String::from("block counts in T0 and T1\n");
    for func in module.ir().funcs.keys() {
        let Some(counts) = module.profile(func).and_then(|profile| profile.block_counts) else {
            continue;
        };
        if counts.iter().all(|&count| count == 0) {
            continue;
        }
        let _ = writeln!(out, "  %{}", module.ir().func_name(func));
        for (block, count) in counts.iter().enumerate() {
            let _ = writeln!(out, "    block{block:<6} {count:>14}");
        }
    }
    out
}
