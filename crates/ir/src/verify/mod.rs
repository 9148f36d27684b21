//! Verifier.

mod typing;

pub(crate) use typing::{ResultTypes, result_types};
