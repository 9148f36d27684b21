//! What the parser and the verifier say about wrong texts, and how it looks.

mod support;

use cupola_ir::{parse, parse_bytes};
use support::check_cases;

#[test]
fn parser() {
    check_cases("parse_errors.txt", |source| match parse("t.cir", source) {
        Ok(_) => "accepted".to_string(),
        Err(errors) => errors.to_string(),
    });
}

#[test]
fn verifier() {
    check_cases("verify_errors.txt", |source| {
        let parsed = parse("t.cir", source).unwrap_or_else(|e| panic!("{}", e.render(false)));
        parsed.verify().map_or_else(|errors| errors.to_string(), |()| "accepted".to_string())
    });
}

#[test]
fn rendering() {
    check_cases("rendered.txt", |source| {
        let result = parse("t.cir", source).and_then(|parsed| parsed.verify());
        result.map_or_else(|errors| errors.render(false), |()| "accepted".to_string())
    });
}

#[test]
fn colour_can_be_switched_on() {
    let errors = parse("t.cir", "func %f(").unwrap_err();
    assert!(errors.render(true).contains('\u{1b}'));
    assert!(!errors.render(false).contains('\u{1b}'));
}

#[test]
fn bytes_that_are_no_text() {
    let errors = parse_bytes("t.cir", b"module \"a\"\nfunc \xff").unwrap_err();
    let message = "t.cir:2:6: error: not a text: byte 16 (0xff) is not valid UTF-8";
    assert_eq!(errors.to_string(), message);
    assert!(errors.render(false).contains("func"));
    assert!(parse_bytes("t.cir", b"module \"a\"").is_ok());
}

#[test]
fn long_lines_are_cut() {
    let source = format!("module \"a\"\n{}{}", " ".repeat(1_000_000), "£".repeat(1_000_000));
    let rendered = parse("t.cir", &source).unwrap_err().render(false);
    assert!(rendered.len() < 3000, "{}", rendered.len());
    assert!(rendered.contains("the line is long; this is its column 1000001"), "{rendered}");
}
