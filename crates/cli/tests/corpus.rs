//! The programs of `bench/wasm`: in every mode they print what the native programs print.

mod common;

use common::{cupola, has_peak, root};
use std::path::Path;

const MODES: [&str; 4] = ["t0", "t1", "t2", "auto"];

/// Modes that need the peak compiler.
const PEAK_MODES: [&str; 2] = ["t3", "ladder"];

/// Runs the programs of the corpus, at their smallest size, whose number leaves this rest when
/// divided by four: four tests, which run at the same time.
fn check(part: usize) {
    let dir = root().join("bench/wasm");
    let read = |path: &Path| match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => panic!("{}: {error}", path.display()),
    };
    let sizes = read(&dir.join("sizes.txt"));
    let lines: Vec<&str> = sizes.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 20);
    let peak = has_peak("the corpus in t3 and on the ladder");
    let peak_modes = PEAK_MODES.into_iter().filter(|_| peak);
    let modes: Vec<&str> = MODES.into_iter().chain(peak_modes).collect();
    for line in lines.iter().skip(part).step_by(4) {
        let mut words = line.split_whitespace();
        let (Some(name), Some(size)) = (words.next(), words.next()) else {
            panic!("sizes.txt: {line:?}")
        };
        let expected = read(&dir.join("expected").join(name).with_extension("txt"));
        let module = dir.join(name).with_extension("wasm").display().to_string();
        for &mode in &modes {
            let done = cupola(["run", "--mode", mode, &module, size]);
            assert_eq!(done.code, Some(0), "{name} in {mode}: {}", done.stderr);
            assert_eq!(done.stdout, expected, "{name} in {mode}");
        }
    }
}

#[test]
fn every_program_prints_what_its_native_program_prints_1() {
    check(0);
}

#[test]
fn every_program_prints_what_its_native_program_prints_2() {
    check(1);
}

#[test]
fn every_program_prints_what_its_native_program_prints_3() {
    check(2);
}

#[test]
fn every_program_prints_what_its_native_program_prints_4() {
    check(3);
}
