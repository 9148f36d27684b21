//! `cargo fuzz run parse`: any bytes are read or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cupola_testkit::fuzz::parse(bytes));
