//! All files in `tests/filetests`, the examples, and random programs, in the modes of T3.

use cupola_runtime::OptLevel;
use cupola_testkit::filetest::run_file;
use cupola_testkit::generate::check_seed;
use cupola_testkit::mode::test_peak;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Random programs are checked for this long; on a slow machine they are fewer.
const TIME: Duration = Duration::from_secs(20);

fn programs(directory: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    for path in entries.map(|entry| entry.expect("the directory can be read").path()) {
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "cir") {
            found.push(path);
        }
    }
}

/// `CUPOLA_FILETEST` in the environment selects the files whose name contains it.
#[test]
fn filetests() {
    test_peak(cupola_llvm::peak(OptLevel::O3));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    programs(&root.join("tests/filetests"), &mut files);
    programs(&root.join("examples"), &mut files);
    let filter = std::env::var("CUPOLA_FILETEST").unwrap_or_default();
    files.retain(|path| path.to_string_lossy().contains(&filter));
    assert!(files.len() > 40 || !filter.is_empty());
    let mut messages = Vec::new();
    for path in &files {
        for failure in run_file(path) {
            let line = failure.line.map_or(String::new(), |line| format!(":{line}"));
            let (path, mode) = (path.display(), failure.mode);
            messages.push(format!("{path}{line}: in {mode}: {}", failure.message));
        }
    }
    assert!(messages.is_empty(), "{} failures:\n{}", messages.len(), messages.join("\n"));
}

/// `CUPOLA_SEED` in the environment is the first seed.
#[test]
fn random_programs() {
    test_peak(cupola_llvm::peak(OptLevel::O3));
    let first = std::env::var("CUPOLA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let (started, next) = (Instant::now(), AtomicU64::new(first));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while started.elapsed() < TIME {
                    let seed = next.fetch_add(1, Relaxed);
                    if let Err(mismatch) = check_seed(seed) {
                        panic!("seed {seed}, {mismatch}");
                    }
                }
            });
        }
    });
    let checked = next.into_inner() - first;
    println!("{checked} programs in {:?}", started.elapsed());
    assert!(checked > 4, "only {checked} programs were checked");
}
