//! Any bytes at all: the parser and the verifier answer, and what they accept can be printed.

use cupola_ir::{parse, parse_bytes};
use proptest::prelude::*;
use std::time::{Duration, Instant};

const MODULE: &str = include_str!("text/module.cir");

fn check(bytes: &[u8]) {
    match parse_bytes("t.cir", bytes) {
        Err(errors) => {
            assert!(!errors.list().is_empty());
            assert!(!errors.render(false).is_empty());
            assert!(!errors.to_string().is_empty());
        }
        Ok(parsed) => {
            if let Err(errors) = parsed.verify() {
                assert!(!errors.render(false).is_empty());
            }
            let text = parsed.print();
            let again = parse("printed", &text);
            let again = again.unwrap_or_else(|e| panic!("{}\n{text}", e.render(false)));
            assert_eq!(again.print(), text);
        }
    }
}

/// Pieces of the language.
fn piece() -> impl Strategy<Value = String> {
    let words: Vec<&str> = MODULE.split_whitespace().collect();
    let words: Vec<String> = words.into_iter().map(String::from).collect();
    prop_oneof![
        10 => prop::sample::select(words),
        3 => Just("\n".to_string()),
        1 => prop::sample::select(vec!["{", "}", "(", ")", "[", "]", ",", ":", "=", "\"", "@", "->", "-", "%", "$", ";"]).prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }

    #[test]
    fn characters(text in ".{0,300}") {
        check(text.as_bytes());
    }

    #[test]
    fn pieces(pieces in prop::collection::vec(piece(), 0..200)) {
        check(pieces.join(" ").as_bytes());
    }

    /// A correct module with a few changes: bytes replaced, parts removed or doubled.
    #[test]
    fn changed_modules(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0usize..30, 0u8..4, any::<u8>()), 1..6)
    ) {
        let mut bytes = MODULE.as_bytes().to_vec();
        for (index, length, kind, byte) in changes {
            let at = index.index(bytes.len());
            let end = (at + length).min(bytes.len());
            match kind {
                0 => bytes[at] = byte & 0x7f,
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => bytes.truncate(bytes.len().max(2 * length) - length),
            }
        }
        check(&bytes);
    }
}

#[test]
fn every_prefix_of_a_module() {
    for end in 0..MODULE.len() {
        check(&MODULE.as_bytes()[..end]);
    }
}

/// Two megabytes of several kinds of garbage, and of correct functions: no time that grows faster
/// than the text.
#[test]
fn large_texts() {
    let size = 2_000_000;
    let pieces = [
        "(",
        "{",
        "\"",
        "\n",
        "x",
        "[[",
        "; ",
        "£",
        "func %f() {\n",
        "func %f(",
        "a = ",
        "reg a: ",
        "global $g ",
        "0x",
        "-",
        "block0: ",
        "@inl0 ",
        "export \"",
        "memory $m 1\n",
    ];
    for piece in pieces {
        quick(piece, &piece.repeat(size / piece.len()));
        // Within a body.
        let body = format!("func %f(a: i32) {{\nblock0:\n{}", piece.repeat(size / piece.len()));
        quick(piece, &body);
        quick(piece, &format!("{body}\n}}\n"));
    }
    let line = "  b = i32.add a, a\n".repeat(size / 20);
    quick("straight line", &format!("func %f(a: i32) {{\nblock0:\n{line}  return\n}}\n"));
    let functions: String = (0..size / 60)
        .map(|i| format!("func %f{i}(a: i32) -> i32 {{\nblock0:\n  return a\n}}\n"))
        .collect();
    quick("functions", &functions);
    let blocks: String = (0..size / 60)
        .map(|i| format!("b{i}:\n  x{i} = copy a\n  br_if x{i}, b{}, end\n", i + 1))
        .collect();
    let last = size / 60;
    quick(
        "blocks",
        &format!("func %f(a: i32) {{\n{blocks}b{last}:\n  br end\nend:\n  return\n}}\n"),
    );
    let copies: String = (0..size / 20).map(|i| format!("  c{i} = copy c{}\n", i + 1)).collect();
    let last = size / 20;
    quick(
        "types inferred backwards",
        &format!("func %f(a: i32) {{\nblock0:\n{copies}  c{last} = copy a\n  return\n}}\n"),
    );
}

fn quick(what: &str, text: &str) {
    let start = Instant::now();
    match parse("t.cir", text) {
        Err(errors) => drop(errors.render(false)),
        Ok(parsed) => drop(parsed.verify().map_err(|errors| errors.render(false))),
    }
    let time = start.elapsed();
    if std::env::var_os("SHOW_TIMES").is_some() {
        println!("{time:?} {what:?}");
    }
    assert!(time < Duration::from_secs(10), "{what:?} took {time:?}");
}
