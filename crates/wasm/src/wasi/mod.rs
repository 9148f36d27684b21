//! WASI preview 1: what programs that clang or rustc compiled for `wasm32-wasip1` import.
//!
//! All functions of `wasi_snapshot_preview1` are there; there are no sockets and no signals. A
//! program reaches only the directories that its host gives it: paths are resolved by cap-std, so
//! that `..`, absolute paths and symbolic links lead nowhere else. Its descriptors have rights as
//! the interface has them; reading or writing without the right is `EBADF`, other things are
//! `ENOTCAPABLE`.
//!
//! ```
//! use cupola_wasm::wasi::{self, OutputPipe, WasiBuilder};
//! use cupola_wasm::{Imports, Instance, Module, Options};
//!
//! let wat = r#"(module
//!     (import "wasi_snapshot_preview1" "fd_write"
//!         (func $write (param i32 i32 i32 i32) (result i32)))
//!     (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 0) "\08\00\00\00\03\00\00\00hi\n")
//!     (func (export "_start")
//!         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
//!         (call $exit (i32.const 7))))"#;
//! let engine = cupola::Engine::new(cupola::Config::new())?;
//! let module = Module::new(&engine, "hi.wat", wat::parse_str(wat)?, &Options::default())?;
//! let stdout = OutputPipe::new();
//! let mut builder = WasiBuilder::new();
//! builder.stdout(&stdout);
//! let mut imports = Imports::new();
//! wasi::add_to(&mut imports, builder.build()?);
//! let mut store = cupola::Store::new(&engine);
//! let instance = Instance::new(&mut store, &module, &imports)?;
//! let error = instance.call(&mut store, "_start", &[]).unwrap_err();
//! assert_eq!(wasi::exit_code(&error), Some(7));
//! assert_eq!(stdout.contents(), b"hi\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bind;
mod clock;
mod ctx;
mod dir;
mod errno;
mod fd;
mod io;
mod memory;
mod path;
mod poll;
mod process;
mod stdio;
mod table;
mod types;

use crate::error::Error;
use crate::imports::Imports;
use bind::{Binder, Function};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

pub use clock::{Clock, ClockId, SystemClock};
pub use ctx::{WasiBuilder, WasiCtx};
pub use stdio::OutputPipe;

/// The module that programs import from.
const MODULE: &str = "wasi_snapshot_preview1";

/// The error that `proc_exit` ends a program with.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Exit(
    /// The exit code.
    pub u32,
);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit with code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// The exit code, if the error is a program's end by `proc_exit`.
pub fn exit_code(error: &Error) -> Option<u32> {
    let Error::Engine(cupola::Error::Trap(trap)) = error else { return None };
    trap.host_error()?.downcast_ref().map(|exit: &Exit| exit.0)
}

/// Provides the functions over one state. It belongs to these imports: instances that are to have
/// descriptors of their own need imports of their own.
pub fn add_to(imports: &mut Imports, ctx: WasiCtx) {
    imports.func(MODULE, "proc_exit", |(code,): (i32,)| -> Result<(), Exit> {
        Err(Exit(code as u32))
    });
    let binder = &mut Binder { imports, module: MODULE, ctx: Arc::new(Mutex::new(ctx)) };
    process::args_get.bind("args_get", binder);
    process::args_sizes_get.bind("args_sizes_get", binder);
    process::environ_get.bind("environ_get", binder);
    process::environ_sizes_get.bind("environ_sizes_get", binder);
    clock::res_get.bind("clock_res_get", binder);
    clock::time_get.bind("clock_time_get", binder);
    fd::advise.bind("fd_advise", binder);
    fd::allocate.bind("fd_allocate", binder);
    fd::close.bind("fd_close", binder);
    fd::datasync.bind("fd_datasync", binder);
    fd::fdstat_get.bind("fd_fdstat_get", binder);
    fd::fdstat_set_flags.bind("fd_fdstat_set_flags", binder);
    fd::fdstat_set_rights.bind("fd_fdstat_set_rights", binder);
    fd::filestat_get.bind("fd_filestat_get", binder);
    fd::filestat_set_size.bind("fd_filestat_set_size", binder);
    fd::filestat_set_times.bind("fd_filestat_set_times", binder);
    io::pread.bind("fd_pread", binder);
    dir::prestat_get.bind("fd_prestat_get", binder);
    dir::prestat_dir_name.bind("fd_prestat_dir_name", binder);
    io::pwrite.bind("fd_pwrite", binder);
    io::read.bind("fd_read", binder);
    dir::readdir.bind("fd_readdir", binder);
    fd::renumber.bind("fd_renumber", binder);
    io::seek.bind("fd_seek", binder);
    fd::sync.bind("fd_sync", binder);
    io::tell.bind("fd_tell", binder);
    io::write.bind("fd_write", binder);
    path::create_directory.bind("path_create_directory", binder);
    path::filestat_get.bind("path_filestat_get", binder);
    path::filestat_set_times.bind("path_filestat_set_times", binder);
    path::link.bind("path_link", binder);
    path::open.bind("path_open", binder);
    path::readlink.bind("path_readlink", binder);
    path::remove_directory.bind("path_remove_directory", binder);
    path::rename.bind("path_rename", binder);
    path::symlink.bind("path_symlink", binder);
    path::unlink_file.bind("path_unlink_file", binder);
    poll::oneoff.bind("poll_oneoff", binder);
    process::proc_raise.bind("proc_raise", binder);
    process::random_get.bind("random_get", binder);
    process::sched_yield.bind("sched_yield", binder);
    process::sock_accept.bind("sock_accept", binder);
    process::sock_recv.bind("sock_recv", binder);
    process::sock_send.bind("sock_send", binder);
    process::sock_shutdown.bind("sock_shutdown", binder);
}
