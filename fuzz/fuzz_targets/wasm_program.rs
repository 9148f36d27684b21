//! `cargo fuzz run wasm_program`: the module that the bytes make does the same in all engines.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cupola_differential::fuzz::program(bytes));
