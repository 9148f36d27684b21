//! Address space that is short.

use std::process::{Command, Output};

/// Runs a module with one page of memory with 4 GiB of address space.
fn run_with_little_address_space(options: &[&str]) -> Output {
    let path = std::env::temp_dir().join(format!("cupola-limit-{}.wat", std::process::id()));
    let text = r#"(module (memory 1) (func (export "_start") (i32.store (i32.const 8) (i32.const 1))
        (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then unreachable))))"#;
    std::fs::write(&path, text).expect("the temporary directory can be written");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -v 4194304 && exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_cupola"),
        "run",
    ]);
    command.args(options).arg(&path);
    command.output().expect("the command runs")
}

#[test]
fn a_reservation_that_fails_names_its_option() {
    let output = run_with_little_address_space(&[]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains("cannot reserve 6 GiB of address space"), "{message}");
    assert!(message.contains("--no-memory-reservation"), "{message}");
}

#[test]
fn without_reservation_a_memory_takes_its_size() {
    for mode in ["t0", "t1", "t2"] {
        let output = run_with_little_address_space(&["--no-memory-reservation", "--mode", mode]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
