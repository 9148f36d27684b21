//! WASI programs on the command line.

mod common;

use common::{Done, TempFile, cupola};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Prints its arguments, then its environment, each string on a line of its own, by one write for
/// each; then copies stdin to stdout, and exits with the number of arguments.
const ECHO: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 48) "\n")
  (func $len (param $at i32) (result i32) (local $end i32)
    (local.set $end (local.get $at))
    (block $done (loop $next
      (br_if $done (i32.eqz (i32.load8_u (local.get $end))))
      (local.set $end (i32.add (local.get $end) (i32.const 1)))
      (br $next)))
    (i32.sub (local.get $end) (local.get $at)))
  (func $line (param $at i32)
    (i32.store (i32.const 16) (local.get $at))
    (i32.store (i32.const 20) (call $len (local.get $at)))
    (i32.store (i32.const 24) (i32.const 48))
    (i32.store (i32.const 28) (i32.const 1))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 32))))
  (func $lines (param $count i32) (local $i i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
      (call $line (i32.load (i32.add (i32.const 64) (i32.shl (local.get $i) (i32.const 2)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next))))
  (func (export "_start") (local $count i32)
    (drop (call $args_sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 64) (i32.const 4096)))
    (local.set $count (i32.load (i32.const 0)))
    (call $lines (local.get $count))
    (drop (call $env_sizes (i32.const 0) (i32.const 4)))
    (drop (call $env (i32.const 64) (i32.const 4096)))
    (call $lines (i32.load (i32.const 0)))
    (i32.store (i32.const 16) (i32.const 4096))
    (loop $copy
      (i32.store (i32.const 20) (i32.const 10))
      (drop (call $read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 32)))
      (i32.store (i32.const 20) (i32.load (i32.const 32)))
      (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 32)))
      (br_if $copy (i32.load (i32.const 20))))
    (call $exit (local.get $count))))"#;

#[track_caller]
fn check(done: &Done, code: i32, stdout: &str) {
    assert_eq!(done.code, Some(code), "{}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout, stdout, "{}", done.stderr);
}

#[test]
fn arguments_and_environment() {
    let file = TempFile::new("wat", ECHO);
    let name = file.name();
    for mode in ["auto", "t0", "t1", "t2"] {
        let args = ["run", "--mode", mode, name, "a", "--mode", "-x", "--", "", "--help"];
        check(&cupola(args), 7, &format!("{name}\na\n--mode\n-x\n--\n\n--help\n"));
        let args = ["run", "--env", "A=1", "--env=B", "--env", "C=", "--mode", mode, name];
        check(&cupola(args), 1, &format!("{name}\nA=1\nC=\n"));
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupola"));
    command.args(["run", "--env", "HELLO", name]).env("HELLO", "world").stdin(Stdio::null());
    let output = command.output().expect("it can be started");
    assert_eq!(output.stdout, format!("{name}\nHELLO=world\n").into_bytes());
}

#[test]
fn standard_streams() {
    let file = TempFile::new("wat", ECHO);
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupola"));
    command.args(["run", file.name()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"some lines\nof input\n").expect("it is read");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let expected = format!("{}\nsome lines\nof input\n", file.name());
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_of_the_program() {
    let file = TempFile::new(
        "wat",
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\02\00\00\00y\n")
  (func (export "_start") (local $error i32)
    (loop $again
      (local.set $error (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
      (br_if $again (i32.eqz (local.get $error))))
    (call $exit (local.get $error))))"#,
    );
    let script = format!(
        "('{}' run {}; echo $? >&2) | head -n 1",
        env!("CARGO_BIN_EXE_cupola"),
        file.name()
    );
    let output = Command::new("sh").arg("-c").arg(script).output().expect("sh is there");
    assert_eq!(output.stdout, b"y\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "64\n");
}

/// Opens the file `f` in its first directory, and exits with the error.
const OPEN: &str = r#"(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "f")
  (func (export "_start")
    (call $exit (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8))))
  (func (export "length") (param i32) (result i32)
    (if (result i32) (call $prestat (local.get 0) (i32.const 8)) (then (i32.const -1))
      (else (i32.load (i32.const 12))))))"#;

#[test]
fn directories() {
    let file = TempFile::new("wat", OPEN);
    let dir = std::env::temp_dir().join(format!("cupola-cli-wasi-{}", std::process::id()));
    std::fs::create_dir(&dir).expect("a new directory");
    let host = dir.to_str().expect("UTF-8");
    let badf = 8;
    let noent = 44;
    check(&cupola(["run", file.name()]), badf, "");
    check(&cupola(["run", "--dir", host, file.name()]), noent, "");
    std::fs::write(dir.join("f"), "").expect("written");
    check(&cupola(["run", "--dir", host, file.name()]), 0, "");
    let both = format!("{host}::/data");
    let length =
        |fd| cupola(["run", "--dir", host, "--dir", &both, "--invoke", "length", file.name(), fd]);
    check(&length("3"), 0, &format!("{}\n", host.len()));
    check(&length("4"), 0, "5\n");
    check(&length("5"), 0, "-1\n");
    let done = cupola(["run", "--dir", &format!("{host}/none"), file.name()]);
    check(&done, 2, "");
    assert!(done.stderr.contains("--dir: cannot open") && done.stderr.contains("/none"));
    std::fs::remove_dir_all(&dir).expect("removed");
}

#[test]
fn reactors_are_set_up_first() {
    let file = TempFile::new(
        "wat",
        r#"(module
  (import "env" "print_i32" (func $print (param i32)))
  (func (export "_initialize") (call $print (i32.const 1)))
  (func (export "f") (param i32) (result i32) (call $print (i32.const 2)) (local.get 0)))"#,
    );
    check(&cupola(["run", file.name(), "--invoke", "f", "3"]), 0, "1\n2\n3\n");
    check(&cupola(["run", "--invoke", "f", file.name(), "-3"]), 0, "1\n2\n-3\n");
    check(&cupola(["run", file.name(), "--invoke", "_initialize"]), 0, "1\n");
    let done = cupola(["run", file.name()]);
    check(&done, 2, "");
    assert!(done.stderr.contains("has no `_start`"), "{}", done.stderr);
}

#[test]
fn the_start_function_is_part_of_the_program() {
    let module = |body: &str| {
        let text = format!(
            r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
              (memory (export "memory") 1)
              (func $start {body}) (start $start) (func (export "_start")))"#
        );
        TempFile::new("wat", text)
    };
    check(&cupola(["run", module("(call $exit (i32.const 9))").name()]), 9, "");
    let done = cupola(["run", module("unreachable").name()]);
    check(&done, 1, "");
    assert!(done.stderr.contains("unreachable"), "{}", done.stderr);
    let spin = module("(loop $l (br $l))");
    for (options, message) in [
        (["--timeout", "50ms"], "execution interrupted"),
        (["--timeout", "0.05"], "it ran longer than --timeout allows"),
        (["--fuel", "1000"], "fuel"),
    ] {
        for mode in ["auto", "t0", "t1", "t2"] {
            let args = ["run", options[0], options[1], "--mode", mode, spin.name()];
            let done = cupola(args);
            check(&done, 1, "");
            assert!(done.stderr.contains(message), "{}", done.stderr);
            assert!(done.time < Duration::from_secs(20));
        }
    }
}

#[test]
fn a_timeout_ends_a_program_that_sleeps() {
    let file = TempFile::new(
        "wat",
        r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))"#,
    );
    let done = cupola(["run", "--timeout", "50ms", file.name()]);
    check(&done, 1, "");
    assert!(done.stderr.contains("waits in a host function"), "{}", done.stderr);
    assert!(done.time < Duration::from_secs(60));
}

#[test]
fn memory_is_limited() {
    let file = TempFile::new(
        "wat",
        r#"(module (memory 1) (func (export "grow") (param i32) (result i32)
          (memory.grow (local.get 0))))"#,
    );
    let grow = |limit, pages| {
        cupola(["run", "--max-memory", limit, file.name(), "--invoke", "grow", pages])
    };
    check(&grow("1M", "15"), 0, "1\n");
    check(&grow("1M", "16"), 0, "-1\n");
    check(&grow("65536", "1"), 0, "-1\n");
    assert_eq!(grow("1K", "1").code, Some(2));
}

#[test]
fn what_is_not_there() {
    for (import, message) in [
        (r#""wasi_snapshot_preview1" "fd_fly" (func (param i32))"#, "`fd_fly`"),
        (r#""wasi_snapshot_preview1" "fd_close" (func (param i64))"#, "`fd_close`"),
        (r#""wasi_unstable" "fd_close" (func (param i32) (result i32))"#, "WASI preview 0"),
        (r#""env" "invoke_vii" (func (param i32))"#, "`env` `invoke_vii`"),
    ] {
        let text = format!(r#"(module (import {import}) (func (export "_start")))"#);
        let done = cupola(["run", TempFile::new("wat", text).name()]);
        check(&done, 2, "");
        assert!(done.stderr.contains(message), "{}", done.stderr);
    }
    let plain = TempFile::new("wat", r#"(module (func (export "_start")))"#);
    let done = cupola(["run", plain.name(), "--mode", "t0"]);
    check(&done, 2, "");
    assert!(done.stderr.contains("options stand before the file"), "{}", done.stderr);
}
