//! The machine, and the `cupola` command as it was built beside this harness.

use std::path::PathBuf;
use std::process::Command;

/// Processor, number of cores, and operating system.
pub fn describe() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// The `cupola` command, built now if it is not up to date, in this executable's profile.
pub fn cupola_command() -> Result<PathBuf, String> {
    let harness = std::env::current_exe().map_err(|e| e.to_string())?;
    let dir = harness.parent().ok_or("this executable has no directory")?;
    let path = dir.join("cupola");
    let mut cargo = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    cargo.args(["build", "--quiet", "-p", "cupola-cli", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if let Some(target) = dir.parent() {
        cargo.env("CARGO_TARGET_DIR", target);
    }
    let status = cargo.status().map_err(|e| format!("cargo: {e}"))?;
    if !status.success() || !path.is_file() {
        return Err(format!("{cargo:?} did not make {}", path.display()));
    }
    Ok(path)
}
