//! What `cupola run` prints and exits with.

mod common;

use common::{Done, TempFile, cupola, line, root};
use std::process::{Command, Stdio};
use std::time::Duration;

const MODES: [&str; 4] = ["auto", "t0", "t1", "t2"];

/// The calls of the examples, and what they print.
const EXAMPLES: &[(&str, &str)] = &[
    ("examples/fib.cir --invoke fib 20", "6765"),
    ("examples/fib.cir --invoke fib -7", "-7"),
    ("examples/loop.cir --invoke nest 300", "149850000"),
    ("examples/dispatch.cir --invoke evaluate", "26"),
    ("examples/guard.cir --invoke sum 1000000", "333332033335513440"),
    ("examples/traps.cir --invoke average -10 0x3", "-3"),
    ("examples/traps.cir --invoke peek 65528", "0"),
    ("examples/traps.cir --invoke descend 2000", "2000"),
];

#[track_caller]
fn check(done: &Done, code: i32, stdout: &str) {
    assert_eq!(done.code, Some(code), "{}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout, stdout, "{}", done.stderr);
}

#[test]
fn the_example_of_the_readme() {
    check(&line("run examples/fib.cir --invoke fib 30"), 0, "832040\n");
}

#[test]
fn every_mode_and_stress_mode_gives_the_same() {
    let stress = "random-tier=3 hop=3 fail-guards=5 osr-always sync fail-compile=1 panic-compile=2 \
                  tiny-code=4096";
    let stress = stress.split_whitespace().map(|stress| format!("--stress {stress}"));
    let modes = MODES.map(|mode| format!("--mode {mode}"));
    let presets = ["development", "production"].map(|preset| format!("--preset {preset}"));
    let more = ["--fuel 99999999", "--block-counts"].map(str::to_owned);
    for options in modes.into_iter().chain(presets).chain(stress).chain(more) {
        for (call, expected) in EXAMPLES {
            check(&line(&format!("run {options} {call}")), 0, &format!("{expected}\n"));
        }
    }
}

/// `perf` looks for names of code in a file in `/tmp`, whatever `TMPDIR` says.
#[test]
fn names_of_code_for_perf() {
    let fib = root().join("examples/fib.cir");
    let child = Command::new(env!("CARGO_BIN_EXE_cupola"))
        .args(["run", "--perf-map", "--mode", "t1", fib.to_str().unwrap(), "--invoke", "fib", "20"])
        .env("TMPDIR", "/nowhere")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let map = format!("/tmp/perf-{}.map", child.id());
    assert!(child.wait_with_output().unwrap().status.success());
    let text = std::fs::read_to_string(&map).unwrap();
    std::fs::remove_file(&map).unwrap();
    let fields: Vec<_> = text.lines().map(|line| line.splitn(3, ' ').collect::<Vec<_>>()).collect();
    let fib = fields.iter().find(|fields| fields[2] == "cupola:fib [t1]").expect(&text);
    for number in &fib[..2] {
        assert_ne!(u64::from_str_radix(number, 16).unwrap(), 0);
    }
}

#[test]
fn arguments_and_results_of_all_types() {
    let file = TempFile::new(
        "cir",
        "export func %all(a: i32, b: i64, c: f32, d: f64) -> (i32, i64, f32, f64) {
block0:
  return a, b, c, d
}",
    );
    for (args, expected) in [
        ("-1 -2 -0.5 -1e300", "-1\n-2\n-0.5\n-1e300\n"),
        ("4294967295 0xffffffffffffffff 1 0x1.8p3", "-1\n-1\n1.0\n12.0\n"),
        (
            "-0x80000000 -9223372036854775808 -inf -nan",
            "-2147483648\n-9223372036854775808\n-inf\nNaN\n",
        ),
        ("+7 007 Inf NaN", "7\n7\ninf\nNaN\n"),
    ] {
        let fixed = ["run", file.name(), "--invoke", "all"];
        let done = cupola(fixed.into_iter().chain(args.split(' ')).chain(["--mode", "t1"]));
        check(&done, 0, expected);
    }
}

#[test]
fn programs_print_and_exit() {
    let file = TempFile::new(
        "cir",
        "import %print_i32(i32) = \"env\" \"print_i32\"
import %print_i64(i64) = \"env\" \"print_i64\"
import %print_f32(f32) = \"env\" \"print_f32\"
import %print_f64(f64) = \"env\" \"print_f64\"
import %exit(i32) = \"env\" \"exit\"
export func %main() -> i32 {
block0:
  a = i32.const -1
  call %print_i32(a)
  b = i64.const 1099511627776
  call %print_i64(b)
  c = f32.const 0.1
  call %print_f32(c)
  d = f64.const 2.5
  call %print_f64(d)
  return a
}
export func %leave(code: i32) -> i32 {
block0:
  call %print_i32(code)
  call %exit(code)
  return code
}",
    );
    for mode in MODES {
        let done = cupola(["run", file.name(), "--mode", mode]);
        check(&done, 0, "-1\n1099511627776\n0.1\n2.5\n-1\n");
        for code in [0, 7, 255] {
            let text = code.to_string();
            let args = ["run", file.name(), "--mode", mode, "--invoke", "leave", &text];
            check(&cupola(args), code, &format!("{code}\n"));
        }
    }
}

#[test]
fn traps_tell_where() {
    for mode in MODES {
        let done = line(&format!("run examples/traps.cir --mode {mode} --invoke average 10 0"));
        check(&done, 1, "");
        let mut lines = done.stderr.lines();
        assert_eq!(lines.next(), Some("error: integer division by zero"), "{mode}");
        for (name, place) in [("%divide", "traps.cir:15:3"), ("%average", "traps.cir:9:3")] {
            let line = lines.next().unwrap_or_default();
            assert!(line.contains(name) && line.contains(place), "{mode}: {}", done.stderr);
        }
        for (call, message) in [
            ("average -2147483648 -1", "integer overflow"),
            ("peek 65529", "out of bounds memory access"),
            ("even 5", "unreachable code executed"),
            ("descend 1000000000", "call stack exhausted"),
        ] {
            let done = line(&format!("run examples/traps.cir --mode {mode} --invoke {call}"));
            check(&done, 1, "");
            let expected = format!("error: {message}\n  at %");
            assert!(done.stderr.starts_with(&expected), "{mode}: {}", done.stderr);
        }
    }
}

#[test]
fn a_failed_compilation_is_never_another_tier() {
    for mode in ["t1", "t2"] {
        let args = format!("run examples/fib.cir --mode {mode} --stress fail-compile=1");
        let done = line(&format!("{args} --invoke fib 10"));
        check(&done, 1, "");
        let expected = format!("error: compilation of `fib` for {mode} failed");
        assert!(done.stderr.starts_with(&expected), "{}", done.stderr);
    }
}

#[test]
fn fuel_runs_out() {
    for mode in MODES {
        let done = line(&format!("run examples/fib.cir --mode {mode} --invoke fib 30 --fuel 5000"));
        check(&done, 1, "");
        assert!(done.stderr.starts_with("error: all fuel consumed"), "{mode}: {}", done.stderr);
    }
}

#[test]
fn memory_is_limited() {
    let file = TempFile::new(
        "cir",
        "memory $m 1
export func %main() -> i32 {
block0:
  n = i32.const 1
  old = memory.grow $m, n
  old = memory.grow $m, n
  return old
}",
    );
    check(&cupola(["run", file.name()]), 0, "2\n");
    check(&cupola(["run", file.name(), "--max-memory", "128K"]), 0, "-1\n");
}

#[test]
fn raw_accesses_take_trust() {
    let text = "export func %main() -> i64 {
block0:
  c = i32.const 0
  br_if c, block1, block2
block1:
  p = i64.const 0
  v = raw.i64.load p
  return v
block2:
  z = i64.const 5
  return z
}";
    let file = TempFile::new("cir", text);
    check(&cupola(["run", "--trust", file.name()]), 0, "5\n");
    assert_eq!(cupola(["run", file.name()]).code, Some(2));
}

/// In what time beyond the limit the command ended. Start-up and the machine's load are in it, so
/// the best of several runs counts.
fn overrun(call: &str) -> Duration {
    let limit = Duration::from_millis(100);
    let run = || {
        let done = line(&format!("run {call} --timeout 0.1"));
        check(&done, 1, "");
        assert!(done.stderr.starts_with("error: execution interrupted"), "{}", done.stderr);
        done.time - limit
    };
    let mut best = run();
    for _ in 0..20 {
        if best < Duration::from_millis(10) {
            break;
        }
        best = best.min(run());
    }
    best
}

#[test]
fn a_timeout_interrupts_within_ten_milliseconds() {
    let spin = TempFile::new("cir", "export func %spin() {\na:\n  br b\nb:\n  br b\n}");
    for mode in MODES {
        for call in [
            "examples/loop.cir --invoke nest 1000000000".to_owned(),
            "examples/fib.cir --invoke fib 60".to_owned(),
            format!("{} --invoke spin", spin.name()),
        ] {
            let overrun = overrun(&format!("{call} --mode {mode}"));
            assert!(overrun < Duration::from_millis(10), "{call} in {mode}: {overrun:?}");
        }
    }
    check(&line("run examples/fib.cir --invoke fib 5 --timeout 60"), 0, "5\n");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let program = env!("CARGO_BIN_EXE_cupola");
    let script = format!("'{program}' run \"$0\" --invoke fib 5 > /dev/full");
    let file = common::root().join("examples/fib.cir");
    let output = std::process::Command::new("sh").arg("-c").arg(script).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"));
}
