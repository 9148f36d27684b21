//! `cargo fuzz run wasm_damaged`: any bytes are loaded as a module and run, or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cupola_differential::fuzz::damaged(bytes));
