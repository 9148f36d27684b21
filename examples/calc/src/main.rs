//! `calc FILE [--stats] [--log] [--stress MODES]`: runs a calc program.
//!
//! Exit codes: 0, 1 if the program trapped, 2 for bad usage or a bad source file.

use cupola::events::EventLog;
use cupola::stress::Stress;
use cupola::{Config, Engine, Error, Instance, Store};
use std::process::ExitCode;

const USAGE: &str = "usage: calc FILE [--stats] [--log] [--stress MODES]";

/// The command line.
#[derive(Default)]
struct Options {
    file: String,
    stats: bool,
    log: bool,
    stress: Stress,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let mut options = Options::default();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--stats" => options.stats = true,
                "--log" => options.log = true,
                "--stress" => {
                    let modes = args.next().ok_or("--stress needs a list of modes")?;
                    options.stress = modes.parse().map_err(|e| format!("--stress: {e}"))?;
                }
                _ if arg.starts_with('-') || !options.file.is_empty() => {
                    return Err(format!("unexpected argument `{arg}`"));
                }
                _ => options.file = arg,
            }
        }
        if options.file.is_empty() { Err("no file is given".to_owned()) } else { Ok(options) }
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("calc: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("calc: {error}");
            let trapped = matches!(error.downcast_ref(), Some(Error::Trap(_)));
            ExitCode::from(if trapped { 1 } else { 2 })
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let source = std::fs::read_to_string(&options.file)
        .map_err(|error| format!("{}: {error}", options.file))?;
    let mut config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    config.stress = options.stress.clone();
    let engine = Engine::new(config)?;
    let module = calc::load(&engine, &options.file, &source).map_err(|error| {
        match error.downcast::<calc::SourceError>() {
            Ok(error) => format!("{}:{error}", options.file).into(),
            Err(error) => error,
        }
    })?;
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &calc::imports(std::io::stdout()))?;
    let log = options.log.then(|| EventLog::start(&engine, std::io::stderr())).transpose()?;
    let result = instance.call(&mut store, "main", &[]);
    if let Some(log) = log {
        log.finish()?;
    }
    if options.stats {
        eprint!("{}", module.report().to_table(usize::MAX));
    }
    result.map(|_| ()).map_err(Into::into)
}
