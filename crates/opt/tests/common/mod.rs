//! What the tests of the optimizer share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod eval;
pub mod generate;
