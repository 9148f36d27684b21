//! All files in `tests/filetests`, and the examples, in all modes.

use cupola_testkit::filetest::{Failure, KnownFailures, check_known, run_file, run_text};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

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

/// Runs the files below a directory on two threads; names are relative to it. `CUPOLA_FILETEST`
/// in the environment selects those whose name contains it.
fn run_all(directory: &Path) -> Vec<(String, Vec<Failure>)> {
    let mut files = Vec::new();
    programs(directory, &mut files);
    let filter = std::env::var("CUPOLA_FILETEST").unwrap_or_default();
    files.retain(|path| path.to_string_lossy().contains(&filter));
    files.sort();
    assert!(!files.is_empty() || !filter.is_empty());
    let queue = Mutex::new(files.into_iter());
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(path) = next else { return };
                    let name = path.strip_prefix(directory).unwrap().display().to_string();
                    let started = std::time::Instant::now();
                    let failures = run_file(&path);
                    if std::env::var_os("SHOW_TIMES").is_some() {
                        println!("{:?} {name}", started.elapsed());
                    }
                    results.lock().unwrap().push((name, failures));
                }
            });
        }
    });
    results.into_inner().unwrap()
}

fn report(messages: &[String]) {
    assert!(messages.is_empty(), "{} failures:\n{}", messages.len(), messages.join("\n"));
}

#[test]
fn filetests() {
    let results = run_all(&root().join("tests/filetests"));
    let known = KnownFailures::read(&root().join("tests/known-failures")).unwrap();
    report(&check_known(&results, &known));
}

#[test]
fn examples() {
    report(&check_known(&run_all(&root().join("examples")), &KnownFailures::default()));
}

#[test]
fn failures_are_found() {
    let program = "func %f(a: i32) -> i32 {\nb:\n  one = i32.const 1\n  r = i32.div_s one, a\n  return r\n}\n";
    let check = |directive: &str| run_text("t", &format!("{program}{directive}\n"));
    assert!(check("; run: %f(1) == 1").is_empty());
    assert!(check("; run: %f(0) traps int_div_zero at %f:4").is_empty());
    assert_eq!(check("; run: %f(1) == 2").len(), cupola_testkit::mode::RunMode::ALL.len());
    assert!(!check("; run: %f(0) traps int_div_zero at %f:5").is_empty());
    assert!(!check("; run: %f(0) traps unreachable").is_empty());
    assert!(!check("; run: %f(0) == 1").is_empty());
    assert!(!check("; run: %f(0)").is_empty());
    assert!(!check("; run: %f(1) fails \"x\"").is_empty());
    assert!(!check("; run: %f(1)\n; events: compiled t2 %f").is_empty());
    assert!(!check("; test pass nothing").is_empty());
    assert!(!check("; error: no").is_empty());
    assert!(!check("; run: %f(1, 2)").is_empty());
    assert!(!check("; test run modes=t9").is_empty());
}

#[test]
fn known_failures_are_checked_both_ways() {
    let failing = vec![Failure { mode: "t1".into(), line: Some(3), message: "wrong".into() }];
    let results = [("a.cir".to_owned(), failing), ("b.cir".to_owned(), Vec::new())];
    let mut known = KnownFailures::default();
    assert_eq!(check_known(&results, &known), ["a.cir:3: in t1: wrong"]);
    known.add("t1", "a.cir");
    assert!(check_known(&results, &known).is_empty());
    known.add("t1", "b.cir");
    assert_eq!(check_known(&results, &known).len(), 1);
}
