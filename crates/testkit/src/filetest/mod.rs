//! Filetests: programs in the text format whose comments say what to expect.
//!
//! Directives:
//! - `; run: %f(7, 9) == 0`: a call and its results (`== 1, nan` for several; nothing behind the
//!   call: it returns, and the results are those of T0); `; run: %g(0) traps int_div_zero`, also
//!   `… at %h:3, %g:7` with the innermost frames of the backtrace (function and line);
//!   `; run: %f() fails "message"` and `panics "message"` for host functions.
//! - `; error: message` on a faulty line: parsing and verification give exactly these errors.
//! - `; events: compiled t1 %h, osr-entered %h`: a run in mode `sync` shows these events in this
//!   order among others. Each is an event's name, a tier if it matters, and the function.
//! - `; test run modes=t0,t1`: the modes to run in, instead of all; `stress=…`: also with these
//!   stress modes.
//! - `; test pass NAME`: functions are given in SSA form; what they do in T0 is the same before
//!   and after that pass of the optimizer.
//!
//! Every call has to end the same way in every mode, with the same memory, globals and calls of
//! host functions. The calls of a file are made one after the other in one instance. A program
//! without errors is also printed and parsed again.

mod directives;
mod known;
mod run;

pub use directives::{Backtrace, Directives, EventPattern, Expect, Run};
pub use known::{KnownFailures, check_known};
pub use run::{Failure, run_file, run_text};
