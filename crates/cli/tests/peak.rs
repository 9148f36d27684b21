//! The peak compiler behind the command: T3 alone, the ladder, optimization levels, and what is
//! said when it is not there. What needs `cupola-llvm` is skipped where that is not built.

mod common;

use common::{Done, TempFile, has_peak};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const FIB: &str = "examples/fib.cir --invoke fib 27";

fn fib(options: &str) -> Done {
    let done = common::line(&format!("run {options} {FIB}"));
    assert_eq!(done.code, Some(0), "{options}: {}", done.stderr);
    assert_eq!(done.stdout, "196418\n", "{options}");
    done
}

/// A loop that takes some 400 ms in T2 code: the compiler above has the lowest priority, and other
/// tests run beside it.
const LOOP: &str = "
export func %main() -> i64 {
entry:
  n = i64.const 400000000
  x = i64.const 7
  one = i64.const 1
  factor = i64.const 6364136223846793005
  br next
next:
  x = i64.mul x, factor
  x = i64.add x, n
  n = i64.sub n, one
  last = i64.eqz n
  br_if last, done, next
done:
  return x
}";

#[test]
fn t3_alone() {
    if has_peak("t3_alone") {
        let done = fib("--mode t3 --stats");
        assert!(done.stderr.contains("llvm-O3"), "{}", done.stderr);
        assert!(!done.stderr.contains("cranelift"), "{}", done.stderr);
    }
}

#[test]
fn every_level_is_used_and_named() {
    if has_peak("every_level_is_used_and_named") {
        for level in ["O1", "O2", "O3"] {
            let done = fib(&format!("--mode t3 --peak-opt {level} --stats"));
            assert!(done.stderr.contains(&format!("llvm-{level}")), "{level}: {}", done.stderr);
        }
    }
}

#[test]
fn code_of_t3_is_shown() {
    if has_peak("code_of_t3_is_shown") {
        for (stage, expected) in [("asm", "t3 by llvm-O3"), ("clif", "define hidden")] {
            let done = common::line(&format!("dump examples/fib.cir --tier 3 --stage {stage}"));
            assert_eq!(done.code, Some(0), "{stage}: {}", done.stderr);
            assert!(done.stdout.contains(expected), "{stage}: {}", done.stdout);
        }
    }
}

/// A loop goes through all steps, and each of them is another code generator's.
#[test]
fn the_ladder_is_climbed() {
    if has_peak("the_ladder_is_climbed") {
        let program = TempFile::new("cir", LOOP);
        let path = program.path().display().to_string();
        let log = common::cupola(["run", "--mode", "ladder", "--log", &path]);
        assert_eq!(log.code, Some(0), "{}", log.stderr);
        for generator in ["llvm-O1", "llvm-O2"] {
            assert!(log.stderr.contains(generator), "{generator} is missing: {}", log.stderr);
        }
        let alone = common::cupola(["run", "--mode", "t2", "--no-peak", &path]);
        assert_eq!(log.stdout, alone.stdout);
    }
}

/// The command under a name beside which there is no peak compiler.
struct Alone(PathBuf);

impl Alone {
    fn new() -> Alone {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cupola-alone-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::hard_link(env!("CARGO_BIN_EXE_cupola"), &path).expect("the same file system");
        Alone(path)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        // It is in a directory for such things.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs the loop with this in the environment, and without the search path.
fn run_with(worker: &str, options: &[&str]) -> Done {
    let program = TempFile::new("cir", LOOP);
    let alone = Alone::new();
    let mut command = Command::new(&alone.0);
    command.arg("run").args(options).arg(program.path()).stdin(Stdio::null());
    command.env("PATH", "/nonexistent").env_remove("CUPOLA_LLVM");
    if !worker.is_empty() {
        command.env("CUPOLA_LLVM", worker);
    }
    let started = std::time::Instant::now();
    let output = command.output().expect("the copy can be started");
    let text = |bytes| String::from_utf8(bytes).expect("the command writes UTF-8");
    Done {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        time: started.elapsed(),
    }
}

/// That it is not installed is mentioned to who asks what ran, and to nobody else.
#[test]
fn not_installed() {
    let plain = run_with("", &[]);
    assert_eq!(plain.code, Some(0));
    assert_eq!(plain.stderr, "");
    for options in ["--stats", "--log"] {
        let done = run_with("", &[options]);
        assert_eq!(done.stdout, plain.stdout);
        let notes = done.stderr.lines().filter(|l| l.contains("the peak compiler is not there"));
        assert_eq!(notes.count(), 1, "{}", done.stderr);
    }
    let needed = run_with("", &["--mode", "t3"]);
    assert_ne!(needed.code, Some(0));
    assert!(needed.stderr.contains("`cupola-llvm` is neither"), "{}", needed.stderr);
}

/// Who names one that is not there, or is something else, is warned once.
#[test]
fn one_warning() {
    let plain = run_with("", &[]);
    for worker in ["/nonexistent/cupola-llvm", "/bin/true", "/bin/cat", "/etc/passwd"] {
        let done = run_with(worker, &[]);
        assert_eq!(done.code, Some(0), "{worker}: {}", done.stderr);
        assert_eq!(done.stdout, plain.stdout, "{worker}");
        let lines: Vec<&str> = done.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{worker}: {}", done.stderr);
        assert!(lines[0].starts_with("cupola: warning: the peak compiler: "), "{}", lines[0]);
    }
}
