//! What fuzz targets check. The targets themselves (`fuzz/`) are stubs over these functions, and a
//! test runs them briefly.

use crate::compare::check;
use crate::damage::check_bytes;
use crate::random::Random;
use crate::subject::Subject;

/// Any bytes are a module or refused; what is one runs without a fault.
///
/// # Panics
/// If that is not so.
pub fn damaged(bytes: &[u8]) {
    if let Err(message) = check_bytes(bytes, bytes.len() as u64) {
        panic!("{message}");
    }
}

/// The module that the bytes make does the same in all engines. Their first eight are the seed of
/// what the bytes do not say: limits of the module, and arguments.
///
/// # Panics
/// If it does not.
pub fn program(bytes: &[u8]) {
    let (head, rest) = bytes.split_at(bytes.len().min(8));
    let seed = head.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    if let Err(mismatch) = check(Subject::of_bytes(rest, &mut Random::new(seed)), seed) {
        panic!("{mismatch}");
    }
}
