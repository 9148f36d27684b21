//! A guest that calls what the test tells it to.

use cupola::{Config, Engine, Store};
use cupola_wasm::wasi::{self, WasiBuilder};
use cupola_wasm::{Imports, Instance, Module, Options, Val};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Error numbers.
pub mod errno {
    pub const AGAIN: u16 = 6;
    pub const BADF: u16 = 8;
    pub const EXIST: u16 = 20;
    pub const FAULT: u16 = 21;
    pub const INVAL: u16 = 28;
    pub const ISDIR: u16 = 31;
    pub const LOOP: u16 = 32;
    pub const NAMETOOLONG: u16 = 37;
    pub const NOENT: u16 = 44;
    pub const NOTDIR: u16 = 54;
    pub const NOTEMPTY: u16 = 55;
    pub const NOTSOCK: u16 = 57;
    pub const NOTSUP: u16 = 58;
    pub const PERM: u16 = 63;
    pub const SPIPE: u16 = 70;
    pub const NOTCAPABLE: u16 = 76;
}

/// Rights, and flags of `path_open`.
pub mod flags {
    pub const READ: u64 = 1 << 1;
    pub const SEEK: u64 = 1 << 2;
    pub const TELL: u64 = 1 << 5;
    pub const WRITE: u64 = 1 << 6;
    pub const PATH_OPEN: u64 = 1 << 13;
    pub const READDIR: u64 = 1 << 14;
    /// As many as there are.
    pub const ALL: u64 = (1 << 30) - 1;
    pub const CREAT: i64 = 1;
    pub const DIRECTORY: i64 = 2;
    pub const EXCL: i64 = 4;
    pub const TRUNC: i64 = 8;
    pub const APPEND: i64 = 1;
    pub const NONBLOCK: i64 = 4;
}

/// All functions, with `i` for each parameter that is an i32 and `I` for each i64.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

/// A module that exports a function around each.
fn module_text() -> String {
    let mut imports = String::new();
    let mut funcs = String::new();
    for (name, params) in FUNCTIONS {
        let types: String =
            params.chars().map(|p| if p == 'i' { " i32" } else { " i64" }).collect();
        let ty = format!("(param{types}) (result i32)");
        let gets: String = (0..params.len()).map(|i| format!(" (local.get {i})")).collect();
        writeln!(imports, "(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} {ty}))")
            .expect("a string");
        writeln!(funcs, "(func (export \"{name}\") {ty} (call ${name}{gets}))").expect("a string");
    }
    format!(
        "(module {imports} (import \"wasi_snapshot_preview1\" \"proc_exit\" \
         (func $exit (param i32))) (memory (export \"memory\") 2) {funcs} \
         (func (export \"proc_exit\") (param i32) (call $exit (local.get 0)) unreachable))"
    )
}

/// Bytes of the guest's memory.
pub const MEMORY: u32 = 2 << 16;

/// Where the guest's strings and results lie; below is for tests.
const SCRATCH: u32 = 1 << 16;

pub struct Guest {
    store: Store,
    instance: Instance,
    next: u32,
}

impl Guest {
    pub fn new(builder: WasiBuilder) -> Guest {
        let engine = Engine::new(Config::new()).expect("an engine");
        let bytes = wat::parse_str(module_text()).expect("the module is right");
        let module = Module::new(&engine, "guest", bytes, &Options::default());
        let module = module.expect("the module is valid");
        let mut imports = Imports::new();
        wasi::add_to(&mut imports, builder.build().expect("no zero bytes"));
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &imports).expect("all is provided");
        Guest { store, instance, next: SCRATCH }
    }

    /// A guest with this directory as `/`, descriptor 3.
    pub fn with_dir(dir: &TempDir) -> Guest {
        let mut builder = WasiBuilder::new();
        builder.preopened_dir(dir.path(), "/").expect("the directory is there");
        Guest::new(builder)
    }

    /// Calls a function; gives its error number, 0 for none.
    pub fn call(&mut self, name: &str, args: &[i64]) -> u16 {
        let (_, params) = FUNCTIONS.iter().find(|f| f.0 == name).expect("such a function");
        assert_eq!(params.len(), args.len(), "{name}");
        let value = |(param, &arg)| match param {
            'i' => Val::I32(arg as i32),
            _ => Val::I64(arg),
        };
        let args: Vec<Val> = params.chars().zip(args).map(value).collect();
        let results = self.instance.call(&mut self.store, name, &args).expect("no trap");
        let [Val::I32(errno)] = results[..] else { panic!("{name} gives {results:?}") };
        u16::try_from(errno).expect("an error number")
    }

    /// Calls `proc_exit`; gives what the embedder sees.
    pub fn exit(&mut self, code: i32) -> Option<u32> {
        let result = self.instance.call(&mut self.store, "proc_exit", &[Val::I32(code)]);
        let error = result.expect_err("it ends");
        wasi::exit_code(&error)
    }

    pub fn memory(&mut self) -> &mut [u8] {
        let memory = self.instance.memory(&self.store, "memory").expect("it is exported");
        memory.data_mut(&mut self.store)
    }

    /// Room for as many bytes as these, with these in it.
    pub fn put(&mut self, bytes: &[u8]) -> i64 {
        let len = bytes.len() as u32;
        if self.next + len > MEMORY {
            self.next = SCRATCH;
        }
        let at = self.next;
        self.next += len.next_multiple_of(8);
        self.memory()[at as usize..][..bytes.len()].copy_from_slice(bytes);
        i64::from(at)
    }

    pub fn bytes(&mut self, at: i64, len: usize) -> Vec<u8> {
        self.memory()[at as usize..][..len].to_vec()
    }

    pub fn u32(&mut self, at: i64) -> u32 {
        u32::from_le_bytes(self.bytes(at, 4).try_into().expect("four"))
    }

    pub fn u64(&mut self, at: i64) -> u64 {
        u64::from_le_bytes(self.bytes(at, 8).try_into().expect("eight"))
    }

    /// Calls a function that leaves a u32 at its last parameter.
    pub fn get_u32(&mut self, name: &str, args: &[i64]) -> Result<u32, u16> {
        let out = self.put(&[0xee; 4]);
        match self.call(name, &[args, &[out]].concat()) {
            0 => Ok(self.u32(out)),
            errno => Err(errno),
        }
    }

    /// Calls a function that leaves a u64 at its last parameter.
    pub fn get_u64(&mut self, name: &str, args: &[i64]) -> Result<u64, u16> {
        let out = self.put(&[0xee; 8]);
        match self.call(name, &[args, &[out]].concat()) {
            0 => Ok(self.u64(out)),
            errno => Err(errno),
        }
    }

    /// Calls a function on a path relative to a directory: arguments are the descriptor, those in
    /// `before`, the path, those in `after`.
    pub fn path(&mut self, name: &str, fd: i64, before: &[i64], path: &str, after: &[i64]) -> u16 {
        let at = self.put(path.as_bytes());
        self.call(name, &[&[fd], before, &[at, path.len() as i64], after].concat())
    }

    /// Opens a path of `fd`, following links, with all rights.
    pub fn open(&mut self, fd: i64, path: &str, how: i64) -> Result<i64, u16> {
        self.open_with(fd, path, how, flags::ALL, 0)
    }

    pub fn open_with(
        &mut self,
        fd: i64,
        path: &str,
        how: i64,
        rights: u64,
        fd_flags: i64,
    ) -> Result<i64, u16> {
        let at = self.put(path.as_bytes());
        let rights = rights as i64;
        let args = [fd, 1, at, path.len() as i64, how, rights, flags::ALL as i64, fd_flags];
        self.get_u32("path_open", &args).map(i64::from)
    }

    /// A list of one buffer.
    pub fn list(&mut self, at: i64, len: usize) -> i64 {
        let entry = [at as u32, len as u32].map(u32::to_le_bytes).concat();
        self.put(&entry)
    }

    pub fn write(&mut self, fd: i64, bytes: &[u8]) -> Result<u32, u16> {
        let at = self.put(bytes);
        let list = self.list(at, bytes.len());
        self.get_u32("fd_write", &[fd, list, 1])
    }

    pub fn read(&mut self, fd: i64, len: usize) -> Result<Vec<u8>, u16> {
        let at = self.put(&vec![0; len]);
        let list = self.list(at, len);
        let read = self.get_u32("fd_read", &[fd, list, 1])?;
        Ok(self.bytes(at, read as usize))
    }

    pub fn seek(&mut self, fd: i64, offset: i64, whence: i64) -> Result<u64, u16> {
        self.get_u64("fd_seek", &[fd, offset, whence])
    }

    /// The words of a file's `filestat`: device, inode, type, links, size, and three times.
    pub fn stat(&mut self, fd: i64) -> Result<[u64; 8], u16> {
        let out = self.put(&[0xee; 64]);
        match self.call("fd_filestat_get", &[fd, out]) {
            0 => Ok(self.stat_at(out)),
            errno => Err(errno),
        }
    }

    /// As [`Guest::stat`], of a path; `lookup` 1 follows links.
    pub fn path_stat(&mut self, fd: i64, lookup: i64, path: &str) -> Result<[u64; 8], u16> {
        let out = self.put(&[0xee; 64]);
        match self.path("path_filestat_get", fd, &[lookup], path, &[out]) {
            0 => Ok(self.stat_at(out)),
            errno => Err(errno),
        }
    }

    fn stat_at(&mut self, at: i64) -> [u64; 8] {
        let words = [0, 1, 2, 3, 4, 5, 6, 7];
        words.map(|i| self.u64(at + i * 8))
    }

    /// A descriptor's type, flags, rights and inherited rights.
    pub fn fdstat(&mut self, fd: i64) -> Result<(u8, u16, u64, u64), u16> {
        let out = self.put(&[0xee; 24]);
        match self.call("fd_fdstat_get", &[fd, out]) {
            0 => {
                let bytes = self.bytes(out, 4);
                let flags = u16::from_le_bytes([bytes[2], bytes[3]]);
                Ok((bytes[0], flags, self.u64(out + 8), self.u64(out + 16)))
            }
            errno => Err(errno),
        }
    }
}

/// A directory that is removed at the end.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("cupola-wasi-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).expect("the directory for temporary files can be written");
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> &TempDir {
        std::fs::write(self.0.join(name), bytes).expect("it can be written");
        self
    }

    pub fn dir(&self, name: &str) -> &TempDir {
        std::fs::create_dir(self.0.join(name)).expect("it can be made");
        self
    }

    pub fn link(&self, name: &str, to: impl AsRef<Path>) -> &TempDir {
        std::os::unix::fs::symlink(to, self.0.join(name)).expect("it can be made");
        self
    }

    pub fn contents(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).expect("it can be read")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // If it is gone already, all is well.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
