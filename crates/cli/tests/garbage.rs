//! Files of garbage: a short error that says what is wrong, and no panic. The exit code is 2; where
//! only a function's body is garbage, its first call traps, so that it is 1.

mod common;

use common::{TempFile, cupola};

/// Size of the files.
const SIZE: usize = 4 << 20;

/// Longer messages are of no use to anybody.
const MESSAGE: usize = 3_000;

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// Bytes without a pattern, always the same.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(SIZE / 8).flatten().collect()
}

/// A function whose body is this.
fn function(body: &[u8]) -> Vec<u8> {
    let number = |mut n: usize| {
        let mut bytes = Vec::new();
        while n >= 0x80 {
            bytes.push(n as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    };
    let body = [&number(body.len())[..], body].concat();
    let code = [&[1][..], &body].concat();
    let sections: &[u8] = &[
        1, 4, 1, 0x60, 0, 0, // a type
        3, 2, 1, 0, // a function of it
        7, 10, 1, 6, b'_', b's', b't', b'a', b'r', b't', 0, 0, // exported
        10,
    ];
    [HEADER, sections, &number(code.len())[..], &code].concat()
}

#[test]
fn garbage_is_refused() {
    let (noise, zeros) = (noise(), vec![0; SIZE]);
    let files: &[(&str, Vec<u8>, i32, &str)] = &[
        ("wasm", noise.clone(), 2, "magic header not detected"),
        ("wasm", zeros.clone(), 2, "magic header not detected"),
        ("wasm", [HEADER, &noise].concat(), 2, "at offset"),
        ("wasm", [HEADER, &zeros].concat(), 2, "at offset"),
        ("wasm", function(&noise[..1 << 20]), 1, "at offset"),
        ("wasm", function(&zeros[..1 << 20]), 1, "at offset"),
        ("wat", noise.clone(), 2, "valid utf-8"),
        ("wat", zeros.clone(), 2, "unexpected character"),
        ("cir", noise.clone(), 2, "UTF-8"),
        ("cir", zeros.clone(), 2, ":1:1"),
        ("", noise, 2, "UTF-8"),
        ("", zeros, 2, ":1:1"),
    ];
    for (extension, bytes, code, expected) in files {
        let file = TempFile::new(extension, bytes);
        for options in [&[][..], &["--mode", "t2"]] {
            let done = cupola([&["run"], options, &[file.name()]].concat());
            let start: String = done.stderr.chars().take(MESSAGE).collect();
            let file = format!("{} bytes of .{extension}: {start}", bytes.len());
            assert_eq!(done.code, Some(*code), "{file}");
            assert!(done.stderr.len() < MESSAGE, "{file}");
            assert!(done.stderr.contains(expected), "no `{expected}` with {file}");
            assert!(!done.stderr.contains("panicked"), "{file}");
            assert_eq!(done.stdout, "", "{file}");
        }
    }
}
