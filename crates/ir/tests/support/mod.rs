//! Tests as data: files of cases, each a text and what is expected of it.

use std::path::Path;

/// Checks every case of the file `tests/text/NAME`. A case is a line `=== title`, the input, a line
/// `---`, and what `run` gives for the input. With `BLESS=1` in the environment the file is
/// rewritten with what `run` gives.
pub fn check_cases(name: &str, run: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text").join(name);
    let file = std::fs::read_to_string(&path).expect("the file of cases can be read");
    let mut blessed = String::new();
    let mut failed = Vec::new();
    for case in file.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (input, expected) = rest.split_once("---\n").unwrap_or((rest, ""));
        let found = run(input);
        let found: Vec<&str> = found.lines().map(str::trim_end).collect();
        let found = found.join("\n");
        if found.trim_end() != expected.trim_end() {
            failed
                .push(format!("=== {title}\n{input}--- expected\n{expected}--- found\n{found}\n"));
        }
        blessed += &format!("=== {title}\n{input}---\n{}\n\n", found.trim_end());
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, format!("{}\n", blessed.trim_end()))
            .expect("the file can be written");
    } else {
        assert!(failed.is_empty(), "{}\n(BLESS=1 rewrites {name})", failed.join("\n"));
    }
}
