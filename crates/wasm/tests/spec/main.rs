//! The official specification tests, and a script of our own (`tests/scripts`), in every mode.
//!
//! Directives that are known to fail are listed by mode in `tests/known-failures/MODE.txt`, one
//! `FILE:LINE` a line; where nothing fails, there is no list. A directive that fails and is not
//! listed is an error, and so is one that is listed and does not fail. `BLESS=1` writes the lists
//! anew; `SPEC=NAME` runs the files whose name has that in it, and
//! `COUNTS=1` prints how many directives pass by file.

mod suite;

macro_rules! modes {
    ($($name:ident $mode:literal;)*) => {$(
        #[test]
        fn $name() {
            suite::run($mode, |_| true);
        }
    )*};
}

modes! {
    t0 "t0";
    t1 "t1";
    t2 "t2";
    auto "auto";
    random_tier "random-tier";
    chaos "chaos";
}
