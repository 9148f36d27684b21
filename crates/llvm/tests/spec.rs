//! The specification tests of WebAssembly in T3.
//!
//! LLVM compiles every function that is called, most of them for a single call: all files take half
//! a minute, on a busy machine several. The usual run takes a fixed sample, every seventh file,
//! another seventh in each mode; `SPEC_ALL=1` runs them all.

#[path = "../../wasm/tests/spec/suite.rs"]
mod suite;

use cupola_runtime::OptLevel;
use cupola_testkit::mode::test_peak;

/// Of so many files the usual run takes one.
const SHARE: usize = 7;

fn run(mode: &str, number: usize) {
    test_peak(cupola_llvm::peak(OptLevel::O2));
    let all = std::env::var_os("SPEC_ALL").is_some();
    suite::run(mode, |file| all || file % SHARE == number);
}

macro_rules! modes {
    ($($number:literal $name:ident $mode:literal;)*) => {$(
        #[test]
        fn $name() {
            run($mode, $number);
        }
    )*};
}

modes! {
    0 t3_sample "t3";
    2 t3_random_sample "t3-random";
    4 t3_chaos_sample "t3-chaos";
}
