//! What fuzz targets check. The targets themselves (`fuzz/`) are stubs over these functions, and a
//! test runs them briefly, so that they are always known to work.

use crate::generate::check_bytes;
use cupola::ir::parse_bytes;

/// The parser and the verifier answer to any bytes, their messages can be shown, and what is read
/// is printed as a text that reads as the same.
///
/// # Panics
/// If that is not so.
pub fn parse(bytes: &[u8]) {
    let parsed = match parse_bytes("input", bytes) {
        Ok(parsed) => parsed,
        Err(errors) => {
            assert!(!errors.list().is_empty() && !errors.render(false).is_empty());
            return;
        }
    };
    if let Err(errors) = parsed.verify() {
        assert!(!errors.list().is_empty() && !errors.render(false).is_empty());
    }
    let text = parsed.print();
    match cupola::ir::parse("printed", &text) {
        Ok(again) => assert_eq!(again.print(), text),
        Err(errors) => panic!("what was printed is refused: {errors}\n{text}"),
    }
}

/// The program that the bytes make does the same in all modes.
///
/// # Panics
/// If it does not; with the program made small.
pub fn program(bytes: &[u8]) {
    if let Err(mismatch) = check_bytes(bytes) {
        panic!("{mismatch}");
    }
}
