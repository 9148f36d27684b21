//! Known failures: a list of files for each mode, checked both ways.

use super::run::Failure;
use std::collections::BTreeMap;
use std::path::Path;

/// Names of files that fail, by mode.
#[derive(Clone, Debug, Default)]
pub struct KnownFailures(BTreeMap<String, Vec<String>>);

impl KnownFailures {
    /// Reads `MODE.txt` for every mode from a directory: a file's name on each line, `#` begins a
    /// comment.
    ///
    /// # Errors
    /// If the directory or a file cannot be read.
    pub fn read(directory: &Path) -> std::io::Result<KnownFailures> {
        let mut known = BTreeMap::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let Some(mode) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            let text = std::fs::read_to_string(&path)?;
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            let names = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
            known.insert(mode.to_owned(), names);
        }
        Ok(KnownFailures(known))
    }

    /// Adds an entry.
    pub fn add(&mut self, mode: &str, file: &str) {
        self.0.entry(mode.to_owned()).or_default().push(file.to_owned());
    }
}

/// Messages about failures that are not known, and about known failures that did not happen.
/// `results` has the failures of each file.
pub fn check_known(results: &[(String, Vec<Failure>)], known: &KnownFailures) -> Vec<String> {
    let mut messages = Vec::new();
    let is_known =
        |mode: &str, file: &str| known.0.get(mode).is_some_and(|k| k.iter().any(|n| n == file));
    for (file, failures) in results {
        for failure in failures.iter().filter(|failure| !is_known(&failure.mode, file)) {
            let line = failure.line.map(|line| format!(":{line}")).unwrap_or_default();
            messages.push(format!("{file}{line}: in {}: {}", failure.mode, failure.message));
        }
    }
    for (mode, files) in &known.0 {
        for file in files {
            let failures = results.iter().find(|(name, _)| name == file).map(|(_, f)| f);
            if !failures.is_some_and(|f| f.iter().any(|failure| failure.mode == *mode)) {
                messages.push(format!("{file} is listed as failing in {mode}, and does not fail"));
            }
        }
    }
    messages
}
