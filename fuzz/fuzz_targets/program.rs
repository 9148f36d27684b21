//! `cargo fuzz run program`: the program that the bytes make does the same in all modes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cupola_testkit::fuzz::program(bytes));
