//! The peak compiler in a process of its own.
//!
//! Linking a large compiler into every program that embeds the engine costs start-up time and
//! memory, and its faults would be the program's. So the compiler is a separate executable that
//! [`serve`]s requests, and the engine gets a [`CodeGenerator`](cupola_runtime::CodeGenerator) made
//! by a [`Worker`], which starts the executable at the first request and never before.
//!
//! - [`protocol`]: frames of bounded length over a socket pair that is the worker's standard input
//!   and output; a handshake on versions and processor features; requests carry functions in SSA
//!   form, replies carry artifacts.
//! - [`Worker`]: one thread that owns the process: deadlines, restarts, limits, reaping.
//! - [`serve`]: the loop of the worker's `main`. A worker ends when its parent does.
//!
//! Whatever the worker does, a request ends with an artifact that was checked against the request
//! ([`cupola_runtime::validate`]) or with an error that says why there is none.

mod client;
mod locate;
mod process;
pub mod protocol;
mod server;

pub use client::{Worker, WorkerConfig};
pub use server::{serve, serve_standard_streams};
