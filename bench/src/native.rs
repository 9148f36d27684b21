//! The native side: C programs compiled by the machine's compilers, as shared objects whose
//! `bench_main` is called in this process, and as executables for whole-process times.

use crate::contestant::Contestant;
use crate::programs::{Program, programs_dir};
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Flags for all compilers: the programs' arithmetic is that of the instruction set, so neither
/// `errno` nor contraction to fused operations.
const FLAGS: &[&str] = &["-std=c11", "-Wall", "-Wextra", "-fno-math-errno", "-ffp-contract=off"];

/// A C compiler with an optimization level.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// Name in tables: `clang -O3`.
    pub name: String,
    /// First line of its `--version`.
    pub version: String,
    command: &'static str,
    level: &'static str,
}

impl Compiler {
    /// The first of some commands that exists, with an optimization level.
    pub fn find(
        family: &str,
        commands: &[&'static str],
        level: &'static str,
    ) -> Result<Compiler, String> {
        commands
            .iter()
            .find_map(|&command| {
                let output = Command::new(command).arg("--version").output().ok()?;
                let text = String::from_utf8_lossy(&output.stdout);
                let version = text.lines().next().filter(|_| output.status.success())?.to_owned();
                Some(Compiler { name: format!("{family} {level}"), version, command, level })
            })
            .ok_or_else(|| format!("{family} {level}: skipped, no {} here", commands.join(" or ")))
    }

    /// gcc -O2.
    pub fn gcc() -> Result<Compiler, String> {
        Compiler::find("gcc", &["gcc"], "-O2")
    }

    /// clang, the newest that the programs were tuned with first.
    pub fn clang(level: &'static str) -> Result<Compiler, String> {
        Compiler::find("clang", &["clang-16", "clang"], level)
    }

    /// Compiles and links C files.
    pub fn compile(&self, args: &[&str], inputs: &[PathBuf], output: &Path) -> Result<(), String> {
        let mut command = Command::new(self.command);
        command.arg(self.level).args(FLAGS).args(args).args(inputs).arg("-o").arg(output);
        let done = command.output().map_err(|e| format!("{}: {e}", self.command))?;
        if !done.status.success() {
            return Err(format!("{command:?}:\n{}", String::from_utf8_lossy(&done.stderr)));
        }
        Ok(())
    }

    fn output(&self, dir: &Path, program: &Program, extension: &str) -> PathBuf {
        dir.join(format!("{}-{}{}.{extension}", program.name, self.command, self.level))
    }

    /// Compiles a program into an executable that prints its checksum.
    pub fn executable(&self, program: &Program, dir: &Path) -> Result<PathBuf, String> {
        let output = self.output(dir, program, "exe");
        self.compile(&[], &[programs_dir().join("driver.c"), program.c()], &output)?;
        Ok(output)
    }

    /// Compiles a program into a shared object and loads it.
    pub fn library(&self, program: &Program, dir: &Path) -> Result<NativeFunction, String> {
        let output = self.output(dir, program, "so");
        self.compile(&["-shared", "-fPIC"], &[program.c()], &output)?;
        NativeFunction::load(self.name.clone(), &output)
    }
}

/// `bench_main` of a loaded shared object, which stays loaded until the process ends.
pub struct NativeFunction {
    name: String,
    entry: extern "C" fn(i64) -> i64,
}

impl NativeFunction {
    fn load(name: String, path: &Path) -> Result<NativeFunction, String> {
        let c_path = CString::new(path.as_os_str().as_bytes()).map_err(|e| e.to_string())?;
        // SAFETY: a terminated string; the object was made from the set's programs, which have no
        // constructors.
        let library = unsafe { libc::dlopen(c_path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if library.is_null() {
            return Err(last_error(path));
        }
        // SAFETY: the handle is one of `dlopen`'s, and it is never closed.
        let symbol = unsafe { libc::dlsym(library, c"bench_main".as_ptr()) };
        if symbol.is_null() {
            return Err(last_error(path));
        }
        // SAFETY: `bench.h` declares `bench_main` with this type, and every program includes it.
        let entry =
            unsafe { std::mem::transmute::<*mut libc::c_void, extern "C" fn(i64) -> i64>(symbol) };
        Ok(NativeFunction { name, entry })
    }
}

/// What the dynamic linker has to say.
fn last_error(path: &Path) -> String {
    // SAFETY: `dlerror` gives a null pointer or a string that lives until its next call.
    let message = unsafe {
        let text = libc::dlerror();
        (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
    };
    message.unwrap_or_else(|| format!("{}: cannot be loaded", path.display()))
}

impl Contestant for NativeFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn call(&mut self, n: i64) -> Result<i64, String> {
        Ok((self.entry)(n))
    }

    fn account(&self) -> Result<String, String> {
        Ok("native".to_owned())
    }
}

/// A directory for what is compiled, removed when dropped.
pub struct BuildDir(PathBuf);

impl BuildDir {
    /// Makes it.
    pub fn new() -> Result<BuildDir, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("cupola-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(BuildDir(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for BuildDir {
    fn drop(&mut self) {
        // What cannot be removed from the temporary directory does no harm there.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::{PROGRAMS, find};

    #[test]
    fn compilers_agree_on_every_program() {
        let compilers: Vec<Compiler> =
            [Compiler::gcc(), Compiler::clang("-O3")].into_iter().filter_map(Result::ok).collect();
        if compilers.is_empty() {
            eprintln!("skipped: no C compiler here");
            return;
        }
        let dir = BuildDir::new().unwrap();
        for program in PROGRAMS {
            let n = program.size_for(0.1);
            let results: Vec<i64> = compilers
                .iter()
                .map(|c| c.library(program, dir.path()).unwrap().call(n).unwrap())
                .collect();
            assert!(results.windows(2).all(|w| w[0] == w[1]), "{}: {results:?}", program.name);
        }
        let mut fib = compilers[0].library(find("fib").unwrap(), dir.path()).unwrap();
        assert_eq!(fib.call(20), Ok(6765));
    }

    #[test]
    fn an_absent_compiler_is_named() {
        let error = Compiler::find("zcc", &["no-such-compiler"], "-O9").unwrap_err();
        assert!(error.contains("zcc -O9: skipped"), "{error}");
    }
}
