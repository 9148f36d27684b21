//! Specification scripts.

mod common;

use common::{Done, TempFile, cupola};

fn run(text: &str, options: &[&str]) -> (Done, String) {
    let file = TempFile::new("wast", text);
    let done = cupola(["wast"].iter().chain(options).copied().chain([file.name()]));
    let name = file.name().to_owned();
    (done, name)
}

const PASSING: &str = r#"
(module $m
  (global (export "g") i32 (i32.const 5))
  (func (export "nan") (result f32) (f32.div (f32.const 0) (f32.const 0)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "div") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func $deep (export "deep") (call $deep)))
(register "m")
(invoke "add" (i32.const 1) (i32.const 2))
(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (either (i32.const 9) (i32.const 3)))
(assert_return (invoke $m "nan") (f32.const nan:arithmetic))
(assert_return (get "g") (i32.const 5))
(assert_trap (invoke "div" (i32.const 0)) "integer divide by zero")
(assert_exhaustion (invoke "deep") "call stack exhausted")
(module (import "m" "add" (func $add (param i32 i32) (result i32)))
  (import "spectest" "print_i32" (func (param i32)))
  (func (export "six") (result i32) (call $add (i32.const 2) (i32.const 4))))
(assert_return (invoke "six") (i32.const 6))
(assert_unlinkable (module (import "m" "nothing" (func))) "unknown import")
(assert_invalid (module (func (result i32) (f32.const 0))) "type mismatch")
(assert_malformed (module quote "(func") "unexpected end")
"#;

#[test]
fn scripts_pass_in_every_mode() {
    let modes: [&[&str]; 6] = [
        &["--mode", "t0"],
        &["--mode", "t1"],
        &["--mode", "t2"],
        &["--stress", "random-tier=7,sync"],
        &["--validate", "eager"],
        &["--no-memory-reservation"],
    ];
    for options in modes {
        let (done, _) = run(PASSING, options);
        let summary = "14 of 14 directives passed, 0 failed, 0 skipped\n";
        assert_eq!(done.stdout, summary, "{options:?} {}", done.stderr);
        assert_eq!(done.code, Some(0));
    }
}

#[test]
fn failures_have_place_and_both_sides() {
    let text = r#"(module (func (export "one") (result i32) (i32.const 1)))
  (assert_return (invoke "one") (i32.const 2))
(assert_trap (invoke "one") "unreachable")
(assert_return (invoke "none"))
(assert_invalid (module) "anything")
(assert_unlinkable (module) "anything")
"#;
    let (done, name) = run(text, &[]);
    let expected = [
        "2:4: expected i32 2, found i32 1",
        "3:2: expected trap `unreachable`, found i32 1",
        "4:2: expected no values, found no exported function named `none`",
        "5:2: expected an error, found a valid module",
        "6:2: expected link error `anything`, found an instance",
    ];
    let mut lines: Vec<String> = expected.iter().map(|line| format!("{name}:{line}")).collect();
    lines.push("1 of 6 directives passed, 5 failed, 0 skipped".to_owned());
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!(done.code, Some(1));
}

#[test]
fn proposals_are_skipped_by_name_with_all_that_needs_them() {
    let text = r#"(module (func (export "f") return_call 0))
(invoke "f")
(register "tail")
(module (import "tail" "f" (func)))
(assert_exception (invoke "f"))
(module (func (export "g")))
(assert_return (invoke "g"))
"#;
    let (done, name) = run(text, &[]);
    let lines = [
        format!("{name}: not supported yet: exception handling (1 skipped)"),
        format!("{name}: not supported yet: tail call (4 skipped)"),
        "2 of 7 directives passed, 0 failed, 5 skipped".to_owned(),
    ];
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), lines);
    assert_eq!(done.code, Some(0));
}

#[test]
fn proposals_that_are_switched_off_are_errors() {
    let text = "(assert_invalid (module (memory 0) (memory 0)) \"multiple memories\")\n";
    assert_eq!(run(text, &[]).0.code, Some(1));
    assert_eq!(run(text, &["--without", "multi-memory"]).0.code, Some(0));
}

#[test]
fn bad_scripts_are_told_with_their_place() {
    let (done, name) = run("(module)\n(assert_nothing)\n", &[]);
    assert!(done.stderr.contains(&name) && done.stderr.contains(":2:"), "{}", done.stderr);
    assert_eq!(done.code, Some(2));
    let done = cupola(["wast", "/nonexistent/script.wast"]);
    assert!(done.stderr.contains("cannot read"), "{}", done.stderr);
    assert_eq!(done.code, Some(2));
}
