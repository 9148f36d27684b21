//! WebAssembly on Cupola.
//!
//! A [`Module`] is decoded and indexed at load; each of its functions is validated and translated
//! to register form at its first call. An [`Instance`] of it runs on the engine, starting in the
//! interpreter and climbing through its tiers.
//!
//! What is there: WebAssembly 2.0 with SIMD, relaxed SIMD (its deterministic profile), extended
//! constants, multiple memories, 64-bit memories and tables; a host can switch off what goes beyond 2.0
//! ([`Proposals`]). What is not there gives [`Error::Unsupported`] with the proposal's name and the
//! place: tail calls, threads, garbage collection, exceptions. Instances of one
//! [`Store`](cupola::Store) import what others export ([`Imports::define_instance`]), and what
//! the host makes ([`Imports::define`]). A program gets only what its host gives
//! it; [`wasi`] has what programs for WASI preview 1 need. Backtraces and reports name functions as
//! the name section does, and places in the source as the module's DWARF does.
//!
//! ```
//! use cupola_wasm::{Imports, Instance, Module, Options, Val};
//!
//! let wat = r#"(module
//!     (import "host" "double" (func $double (param i32) (result i32)))
//!     (import "host" "times" (func $times (param i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (func (export "store_double") (param $at i32) (param $n i32)
//!         (i32.store (local.get $at) (call $double (local.get $n))))
//!     (func (export "add") (param i32 i32) (result i32)
//!         (i32.add (local.get 0) (local.get 1)))
//!     (func (export "six_times") (param i32) (result i32) (call $times (local.get 0))))"#;
//! let engine = cupola::Engine::new(cupola::Config::new())?;
//! let module = Module::new(&engine, "test.wat", wat::parse_str(wat)?, &Options::default())?;
//! let mut imports = Imports::new();
//! imports.func("host", "double", |n: i32| 2 * n);
//! // A function of the host may use the store, and call back the instance that called it.
//! imports.func_with_caller("host", "times", |caller, n: i32| {
//!     let sum = caller.call("add", &[Val::I32(n), Val::I32(2 * n)])?;
//!     Ok::<i32, cupola::Error>(if let [Val::I32(sum)] = sum[..] { 2 * sum } else { 0 })
//! });
//! let mut store = cupola::Store::new(&engine);
//! let instance = Instance::new(&mut store, &module, &imports)?;
//! instance.typed::<(i32, i32), ()>(&store, "store_double")?.call(&mut store, (16, 21))?;
//! let memory = instance.memory(&store, "memory").expect("it is exported");
//! assert_eq!(memory.data(&store)[16], 42);
//! assert_eq!(instance.call(&mut store, "six_times", &[Val::I32(7)])?, [Val::I32(42)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod bodies;
mod decode;
mod dwarf;
mod error;
mod imports;
mod info;
mod instance;
mod module;
mod ops;
mod proposals;
mod state;
mod translate;
mod types;
pub mod wasi;

pub use cupola::Value as Val;
pub use cupola_ir::SharedBytes;
pub use cupola_ir::Type as ValType;
pub use error::Error;
pub use imports::Imports;
pub use instance::Instance;
pub use module::{Module, Options, Validation};
pub use proposals::Proposals;
pub use types::FuncType;
