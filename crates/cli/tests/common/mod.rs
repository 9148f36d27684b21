//! Running the command.

// Each test program uses a part of this.
#![allow(dead_code, reason = "each test program uses a part of this")]

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What the command did.
pub struct Done {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub time: Duration,
}

/// Runs `cupola` with these arguments.
pub fn cupola<I: IntoIterator<Item: AsRef<OsStr>>>(args: I) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupola"));
    command.args(args).stdin(Stdio::null());
    let started = Instant::now();
    let Output { status, stdout, stderr } = command.output().expect("the command can be started");
    let text = |bytes| String::from_utf8(bytes).expect("the command writes UTF-8");
    Done {
        code: status.code(),
        stdout: text(stdout),
        stderr: text(stderr),
        time: started.elapsed(),
    }
}

/// Runs `cupola` with the arguments in a line, split at spaces, in the root of the repository.
pub fn line(args: &str) -> Done {
    let root = root();
    cupola(args.split_whitespace().map(|arg| match arg.strip_prefix("examples/") {
        Some(file) => root.join("examples").join(file).into_os_string(),
        None => arg.into(),
    }))
}

/// Whether the peak compiler is there for the command. If not, says that `test` is skipped, past
/// what the test harness keeps of tests that do not fail.
pub fn has_peak(test: &str) -> bool {
    let beside = Path::new(env!("CARGO_BIN_EXE_cupola")).with_file_name("cupola-llvm");
    let there = beside.is_file() || std::env::var_os("CUPOLA_LLVM").is_some();
    if !there {
        let mut stderr = std::io::stderr().lock();
        let _ = writeln!(stderr, "skipped: {test}, because cupola-llvm is not built");
    }
    there
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file that is removed at the end.
pub struct TempFile(PathBuf);

impl TempFile {
    pub fn new(extension: &str, bytes: impl AsRef<[u8]>) -> TempFile {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cupola-cli-{}-{number}.{extension}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).expect("the directory for temporary files can be written");
        TempFile(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn name(&self) -> &str {
        self.0.to_str().expect("the path is UTF-8")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // If it is gone already, all is well.
        let _ = std::fs::remove_file(&self.0);
    }
}
