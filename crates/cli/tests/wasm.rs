//! WebAssembly programs.

mod common;

use common::{TempFile, cupola};

const PROGRAM: &str = r#"(module
  (import "env" "print_i32" (func $print (param i32)))
  (import "env" "exit" (func $exit (param i32)))
  (memory 1)
  (data (i32.const 8) "\2a\00\00\00")
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "_start")
    (call $print (i32.load (i32.const 8)))
    (call $exit (i32.const 7)))
  (func $far (export "far") (result i32) (i32.load (i32.const -4))))"#;

#[test]
fn a_program_runs_in_every_tier() {
    let file = TempFile::new("wat", PROGRAM);
    for mode in ["t0", "t1", "t2", "auto"] {
        let output = cupola(["run", "--mode", mode, file.name()]);
        assert_eq!(output.stdout, "42\n", "in {mode}");
        assert_eq!(output.code, Some(7), "in {mode}");
        let output = cupola(["run", "--mode", mode, file.name(), "--invoke", "fib", "15"]);
        assert_eq!(output.stdout, "610\n", "in {mode}");
    }
}

#[test]
fn a_trap_names_the_function_and_the_place() {
    let file = TempFile::new("wat", PROGRAM);
    let output = cupola(["run", file.name(), "--invoke", "far"]);
    let message = output.stderr;
    assert!(message.contains("out of bounds memory access"), "{message}");
    assert!(message.contains("%far") && message.contains(":0x"), "{message}");
    assert_eq!(output.code, Some(1));
}

#[test]
fn proposals_can_be_switched_off() {
    let text = r#"(module (memory i64 1) (memory 1) (func (export "_start")))"#;
    let file = TempFile::new("wat", text);
    assert_eq!(cupola(["run", file.name()]).code, Some(0));
    assert_eq!(cupola(["run", "--without", "relaxed-simd", file.name()]).code, Some(0));
    for list in ["memory64", "extended-const,multi-memory", "multi-memory,memory64"] {
        let output = cupola(["run", "--without", list, file.name()]);
        assert!(output.stderr.contains(", at offset "), "{}", output.stderr);
        assert_eq!(output.code, Some(2), "{list}");
    }
    let output = cupola(["run", "--without", "memory46", file.name()]);
    assert!(output.stderr.contains("multi-memory"), "{}", output.stderr);
    assert_eq!(output.code, Some(2));
}
