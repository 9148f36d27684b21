//! What runs WebAssembly programs from the command line: Cupola in its modes, and peers found on the
//! machine.

use crate::process;
use crate::wasm::corpus;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Directories to look for peers in before those of `PATH`, separated like those.
pub const PEERS: &str = "CUPOLA_BENCH_PEERS";

/// A command that runs modules.
#[derive(Clone, Debug)]
pub struct Runner {
    /// Name in tables.
    pub name: String,
    path: PathBuf,
    args: Vec<String>,
}

impl Runner {
    /// Cupola in one mode, behind which more options may stand: `auto --no-peak`.
    pub fn cupola(path: &Path, mode: &str) -> Runner {
        let words = ["run", "--mode"].into_iter().chain(mode.split_whitespace());
        let args = words.map(str::to_owned).collect();
        Runner { name: mode.to_owned(), path: path.to_owned(), args }
    }

    /// The command for a module; the program's arguments go behind it.
    pub fn program(&self, module: &Path) -> process::Program {
        self.with_options(module, &[])
    }

    /// The same with more options of the runner.
    pub fn with_options(&self, module: &Path, options: &[String]) -> process::Program {
        let mut args = self.args.clone();
        args.extend_from_slice(options);
        args.push(module.display().to_string());
        process::Program { name: self.name.clone(), path: self.path.clone(), args }
    }
}

/// Peers that are here, their versions, and a line for each that is not.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// Those that are here.
    pub runners: Vec<Runner>,
    /// A line for each command.
    pub versions: Vec<String>,
    /// What is not here.
    pub missing: Vec<String>,
}

impl Peers {
    /// Looks for all that are known.
    pub fn find() -> Peers {
        let script = corpus::dir().join("run.mjs").display().to_string();
        let node = ["--no-warnings", script.as_str()];
        let mut peers = Peers::default();
        // No cache: a whole run is to contain its compilation.
        let uncached = ["run", "-C", "cache=n"];
        let winch = ["run", "-C", "cache=n", "-C", "compiler=winch"];
        peers.look_for("wasmtime", &[("wasmtime", &uncached), ("winch", &winch)]);
        peers.look_for("wasmi", &[("wasmi", &[])]);
        peers.look_for("node", &[("node", &node)]);
        peers
    }

    fn look_for(&mut self, command: &str, runners: &[(&str, &[&str])]) {
        let Some(path) = find(command, &search_path()) else {
            self.missing.push(format!("{command} is neither in {PEERS} nor in PATH"));
            return;
        };
        let version = Command::new(&path).arg("--version").output();
        let version = version.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
        let version = version.unwrap_or_else(|e| e.to_string());
        self.versions.push(format!("{}: {version}", path.display()));
        self.runners.extend(runners.iter().map(|&(name, args)| Runner {
            name: name.to_owned(),
            path: path.clone(),
            args: args.iter().map(|&a| a.to_owned()).collect(),
        }));
    }
}

fn search_path() -> Vec<PathBuf> {
    let variable = |name: &str| env::var_os(name).unwrap_or_default();
    let (ours, path) = (variable(PEERS), variable("PATH"));
    env::split_paths(&ours).chain(env::split_paths(&path)).collect()
}

fn find(command: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    dirs.iter()
        .filter(|dir| !dir.as_os_str().is_empty())
        .map(|dir| dir.join(command))
        .find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_the_order_of_directories() {
        let dirs = ["", "/no-such-directory", "/bin", "/usr/bin"].map(PathBuf::from);
        assert_eq!(find("sh", &dirs), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("no-such-command", &dirs), None);
    }

    #[test]
    fn options_stand_before_the_module() {
        let runner = Runner::cupola(Path::new("/c"), "t1");
        let program = runner.with_options(Path::new("m.wasm"), &["--log".to_owned()]);
        assert_eq!(program.args, ["run", "--mode", "t1", "--log", "m.wasm"]);
        assert_eq!(program.name, "t1");
        let runner = Runner::cupola(Path::new("/c"), "auto --no-peak");
        let program = runner.with_options(Path::new("m.wasm"), &[]);
        assert_eq!(program.args, ["run", "--mode", "auto", "--no-peak", "m.wasm"]);
    }
}
