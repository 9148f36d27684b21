//! WebAssembly on Cupola.
//!
//! A [`Module`] is decoded and indexed at load; each of its functions is validated and translated
//! to register form at its first call. An [`Instance`] of it runs on the engine, starting in the
//! interpreter and climbing through its tiers.
//!
//! What is there: WebAssembly 2.0 with SIMD, relaxed SIMD (its deterministic profile), extended
//! constants, multiple memories, 64-bit memories. What is not gives [`Error::Unsupported`] with the
//! proposal's name and the place: tail calls, threads, garbage collection, exceptions. Instances of
//! one [`Store`](cupola::Store) import what others export ([`Imports::define_instance`]), and what
//! the host makes ([`Imports::define`]). A program gets only what its host gives
//! it; [`wasi`] has what programs for WASI preview 1 need.
//!
//! ```
//! use cupola_wasm::{Imports, Instance, Module, Options, Val};
//!
//! let wat = r#"(module (func (export "add") (param i32 i32) (result i32)
//!     (i32.add (local.get 0) (local.get 1))))"#;
//! let engine = cupola::Engine::new(cupola::Config::new())?;
//! let module = Module::new(&engine, "add.wat", wat::parse_str(wat)?, &Options::default())?;
//! let mut store = cupola::Store::new(&engine);
//! let instance = Instance::new(&mut store, &module, &Imports::new())?;
//! let sum = instance.call(&mut store, "add", &[Val::I32(40), Val::I32(2)])?;
//! assert_eq!(sum, [Val::I32(42)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod bodies;
mod decode;
mod error;
mod imports;
mod info;
mod instance;
mod module;
mod ops;
mod state;
mod translate;
mod types;
pub mod wasi;

pub use cupola::Value as Val;
pub use cupola_ir::Type as ValType;
pub use error::Error;
pub use imports::Imports;
pub use instance::Instance;
pub use module::{Module, Options, Validation};
pub use types::FuncType;
