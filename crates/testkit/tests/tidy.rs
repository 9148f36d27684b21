//! Things about the sources that no compiler checks: which crate may know which, that what the
//! documents name exists, sizes of files, and how many places know an opcode.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a directory with this extension, but for those that are built.
fn files(directory: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    files(&root(), "rs", &mut found);
    assert!(found.len() > 100);
    found
}

/// What a crate may depend on, of the workspace's crates; tests may depend on more.
const ARROWS: &[(&str, &[&str])] = &[
    ("cupola-ir", &[]),
    ("cupola-opt", &["cupola-ir"]),
    ("cupola-runtime", &["cupola-ir"]),
    ("cupola-codemem", &["cupola-ir", "cupola-runtime"]),
    ("cupola-interp", &["cupola-ir", "cupola-runtime"]),
    ("cupola-cranelift", &["cupola-ir", "cupola-runtime", "cupola-opt"]),
    ("cupola", &["cupola-ir", "cupola-runtime", "cupola-opt", "cupola-codemem", "cupola-interp"]),
];

#[test]
fn dependencies_point_downward() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(&package["name"]);
        let dependencies: Vec<String> = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            // What is there only for who asks for it by a feature.
            .filter(|dependency| dependency["optional"] == false)
            .map(|dependency| text(&dependency["name"]))
            .collect();
        if let Some((_, allowed)) = ARROWS.iter().find(|(other, _)| *other == name) {
            seen += 1;
            for dependency in dependencies.iter().filter(|d| d.starts_with("cupola")) {
                assert!(allowed.contains(&dependency.as_str()), "{name} depends on {dependency}");
            }
        }
        let knows_cranelift = dependencies.iter().any(|d| d == "cranelift-codegen");
        assert!(!knows_cranelift || name == "cupola-cranelift", "{name} knows Cranelift");
    }
    assert_eq!(seen, ARROWS.len(), "a crate is missing");
}

/// What stands between single backticks in a text, outside of code blocks.
fn quoted(text: &str) -> Vec<String> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn documents_name_what_exists() {
    let root = root();
    let mut documents = Vec::new();
    files(&root.join("docs"), "md", &mut documents);
    let readme = root.join("README.md");
    documents.extend(readme.exists().then_some(readme));
    let rust: String = sources().iter().map(|path| read(path)).collect();
    let mut missing = Vec::new();
    for document in &documents {
        for word in quoted(&read(document)) {
            let first = word.split_whitespace().next().unwrap_or_default();
            let path = first.trim_end_matches([',', ':', '/']);
            let exists = if word.contains("--") {
                // Flags stand in the command's sources, or are cargo's or a tool's.
                word.split_whitespace().filter(|w| w.starts_with("--")).all(|flag| {
                    let name = flag.trim_start_matches('-').split('=').next().unwrap_or_default();
                    let field = name.replace('-', "_");
                    ["release", "locked", "workspace", "example", ""].contains(&name)
                        || rust.contains(&format!("{field}:"))
                        || rust.contains(&format!("\"{name}\""))
                })
            } else if looks_like_path(path) {
                // Paths are from the root, or from the document.
                let from = document.parent().unwrap_or(&root);
                root.join(path).exists() || from.join(path).exists()
            } else if let Some(op) = looks_like_op(first) {
                cupola::ir::Op::from_name(op).is_some() || rust.contains(&format!("\"{op}\""))
            } else {
                continue;
            };
            if !exists {
                missing.push(format!("{}: `{word}`", document.display()));
            }
        }
    }
    assert!(missing.is_empty(), "named but not there:\n{}", missing.join("\n"));
}

fn looks_like_path(word: &str) -> bool {
    let known = ["crates/", "docs/", "tests/", "examples/", "bench/", "fuzz/", "scripts/"];
    known.iter().any(|start| word.starts_with(start)) && !word.contains(['*', '<', '{'])
}

/// `i32.add` and the like.
fn looks_like_op(word: &str) -> Option<&str> {
    let (ty, name) = word.split_once('.')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    (["i32", "i64", "f32", "f64", "raw", "memory", "global", "deopt"].contains(&ty) && is_name)
        .then_some(word)
}

#[test]
fn nothing_is_left_to_do() {
    // Written so that this file does not contain them.
    let words =
        [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"], ["todo", "!("], ["unimplemented", "!("]];
    let words = words.map(|parts| parts.concat());
    let mut found = Vec::new();
    for path in sources() {
        for (line, number) in read(&path).lines().zip(1..) {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn files_stay_readable() {
    let sizes: Vec<(usize, PathBuf)> =
        sources().into_iter().map(|path| (read(&path).lines().count(), path)).collect();
    let large: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > 500).collect();
    let too_large: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > 1000).collect();
    assert!(too_large.is_empty(), "above 1,000 lines: {too_large:?}");
    assert!(large.len() * 50 <= sizes.len(), "above 500 lines: {large:?}");
}

/// Crates that a new opcode may concern. Front ends emit those that they want, and are not counted.
const CORE: &[&str] =
    &["ir", "opt", "runtime", "codemem", "interp", "cranelift", "engine", "cli", "llvm"];

/// The files of these crates that mention an opcode by its Rust name, outside of tests.
fn places(op: &str) -> BTreeSet<String> {
    let mentions = |text: &str| {
        text.match_indices(op).any(|(at, _)| {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let before = text[..at].chars().next_back().is_some_and(is_word);
            let after = text[at + op.len()..].chars().next().is_some_and(is_word);
            !before && !after
        })
    };
    let mut found = Vec::new();
    let root = root();
    for name in CORE {
        let directory = root.join("crates").join(name);
        if directory.is_dir() {
            files(&directory, "rs", &mut found);
        }
    }
    let relative = found.into_iter().filter(|path| mentions(code(&read(path))));
    let relative = relative.map(|path| path.strip_prefix(&root).unwrap().display().to_string());
    relative.filter(|path| path.contains("/src/") && !path.contains("/tests")).collect()
}

/// A source without its unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// A new opcode is a row of the table and an arm of each code generator; the optimizer may know
/// more about it. Counted for opcodes of every kind that no algebraic rule is about.
#[test]
fn an_opcode_is_known_in_few_places() {
    let mut counts = BTreeMap::new();
    for op in ["I32Popcnt", "I64Clz", "F64Nearest", "F32Copysign", "I64TruncSatF32U", "I32Rotr"] {
        let places = places(op);
        let table = "crates/ir/src/op/table.rs";
        assert!(places.contains(table), "{op} is not in the table");
        let mut generators = Vec::new();
        for generator in ["crates/cranelift/src/lower/", "crates/llvm/src/lower/"] {
            let arms: Vec<_> = places.iter().filter(|p| p.starts_with(generator)).collect();
            assert_eq!(arms.len(), 1, "{op} is lowered in {arms:?}");
            generators.extend(arms);
        }
        let others: Vec<_> = places
            .iter()
            .filter(|p| *p != table && !generators.contains(p))
            .filter(|p| !p.starts_with("crates/opt/src/passes/fold/"))
            .collect();
        assert!(others.is_empty(), "{op} is also known in {others:?}");
        counts.insert(op, places.len());
    }
    println!("files that know an opcode: {counts:?}");
}
