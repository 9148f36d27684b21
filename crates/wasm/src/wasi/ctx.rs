//! What one program sees of the world, and how that is put together.

use super::clock::{Clock, SystemClock};
use super::errno::Errno;
use super::stdio::{InputPipe, OutputPipe, Stdio};
use super::table::{Descriptor, Directory, Object, Table};
use super::types::{FdFlags, Rights};
use cap_std::fs::Dir;
use rustix::fs::OFlags;
use std::ffi::OsString;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Fills bytes at random.
pub(crate) type Random = dyn FnMut(&mut [u8]) -> Result<(), Errno> + Send;

/// The state of one program: arguments, environment, descriptors, clocks.
pub struct WasiCtx {
    pub(crate) args: Vec<Vec<u8>>,
    /// Each `NAME=VALUE`.
    pub(crate) env: Vec<Vec<u8>>,
    pub(crate) fds: Table,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) random: Box<Random>,
}

impl fmt::Debug for WasiCtx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasiCtx")
            .field("args", &self.args)
            .field("env", &self.env)
            .field("fds", &self.fds)
            .finish_non_exhaustive()
    }
}

/// Puts a [`WasiCtx`] together. As it is made, a program has no arguments, no environment, empty
/// standard input, no output and no directories.
///
/// ```
/// use cupola_wasm::wasi::{OutputPipe, WasiBuilder};
///
/// let stdout = OutputPipe::new();
/// let mut builder = WasiBuilder::new();
/// builder.arg("prog").env("HOME", "/").stdin(b"input".to_vec()).stdout(&stdout);
/// let ctx = builder.build()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WasiBuilder {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdio: [Object; 3],
    preopens: Vec<Directory>,
    clock: Box<dyn Clock>,
    random: Box<Random>,
}

impl Default for WasiBuilder {
    fn default() -> WasiBuilder {
        WasiBuilder {
            args: Vec::new(),
            env: Vec::new(),
            stdio: [
                Object::Input(InputPipe::default()),
                Object::Output(OutputPipe::new()),
                Object::Output(OutputPipe::new()),
            ],
            preopens: Vec::new(),
            clock: Box::new(SystemClock),
            random: Box::new(|bytes| getrandom::fill(bytes).map_err(|_| Errno::Io)),
        }
    }
}

impl fmt::Debug for WasiBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasiBuilder")
            .field("args", &self.args)
            .field("env", &self.env)
            .field("stdio", &self.stdio)
            .field("preopens", &self.preopens)
            .finish_non_exhaustive()
    }
}

impl WasiBuilder {
    /// Nothing yet.
    pub fn new() -> WasiBuilder {
        WasiBuilder::default()
    }

    /// Adds an argument; the first is the program's name.
    pub fn arg(&mut self, arg: impl Into<OsString>) -> &mut WasiBuilder {
        self.args.push(arg.into().into_vec());
        self
    }

    /// Adds arguments.
    pub fn args(
        &mut self,
        args: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> &mut WasiBuilder {
        self.args.extend(args.into_iter().map(|arg| arg.into().into_vec()));
        self
    }

    /// Sets an environment variable, in place of one of the same name.
    pub fn env(
        &mut self,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> &mut WasiBuilder {
        let mut variable = name.into().into_vec();
        variable.push(b'=');
        self.env.retain(|before| !before.starts_with(&variable));
        variable.extend(value.into().into_vec());
        self.env.push(variable);
        self
    }

    /// Gives the program the process's own standard streams.
    pub fn inherit_stdio(&mut self) -> &mut WasiBuilder {
        self.stdio = [Stdio::In, Stdio::Out, Stdio::Err].map(Object::Stdio);
        self
    }

    /// Gives the program these bytes to read from standard input.
    pub fn stdin(&mut self, bytes: Vec<u8>) -> &mut WasiBuilder {
        self.stdio[0] = Object::Input(InputPipe::new(bytes));
        self
    }

    /// Takes what the program writes to standard output.
    pub fn stdout(&mut self, pipe: &OutputPipe) -> &mut WasiBuilder {
        self.stdio[1] = Object::Output(pipe.clone());
        self
    }

    /// Takes what the program writes to standard error.
    pub fn stderr(&mut self, pipe: &OutputPipe) -> &mut WasiBuilder {
        self.stdio[2] = Object::Output(pipe.clone());
        self
    }

    /// Gives the program a directory of the host and all in it, and nothing outside: under the
    /// path `guest`, it finds `host`.
    ///
    /// # Errors
    /// If there is no such directory, or it cannot be opened.
    pub fn preopened_dir(
        &mut self,
        host: impl AsRef<Path>,
        guest: impl Into<OsString>,
    ) -> io::Result<&mut WasiBuilder> {
        // Cap-std would open it in a way in which it cannot be read.
        let directory = OFlags::DIRECTORY.bits() as i32;
        let file = OpenOptions::new().read(true).custom_flags(directory).open(host)?;
        let dir = Dir::from_std_file(file);
        let preopen = Some(guest.into().into_vec());
        self.preopens.push(Directory { preopen, ..Directory::new(dir) });
        Ok(self)
    }

    /// Sets the clocks; without this they are the system's.
    pub fn clock(&mut self, clock: impl Clock + 'static) -> &mut WasiBuilder {
        self.clock = Box::new(clock);
        self
    }

    /// Sets the source of random bytes; without this it is the system's.
    pub fn random(&mut self, mut fill: impl FnMut(&mut [u8]) + Send + 'static) -> &mut WasiBuilder {
        self.random = Box::new(move |bytes| {
            fill(bytes);
            Ok(())
        });
        self
    }

    /// Makes the state of a program.
    ///
    /// # Errors
    /// If an argument, a variable or a directory's path has a zero byte, which ends it for
    /// programs.
    pub fn build(self) -> io::Result<WasiCtx> {
        let paths = self.preopens.iter().filter_map(|directory| directory.preopen.as_ref());
        for text in self.args.iter().chain(&self.env).chain(paths) {
            if text.contains(&0) {
                let text = String::from_utf8_lossy(text);
                let message = format!("zero byte in the argument, variable or path {text:?}");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        let mut fds = Table::default();
        let limits = [
            Rights::all() - Rights::FD_WRITE,
            Rights::all() - Rights::FD_READ,
            Rights::all() - Rights::FD_READ,
        ];
        let stdio = self.stdio.into_iter().zip(limits);
        let stdio = stdio.map(|(object, rights)| (object, rights, Rights::empty()));
        let all = Rights::FILE | Rights::DIR;
        let preopens = self.preopens.into_iter().map(|dir| (Object::Dir(dir), all, all));
        for (object, rights, inheriting) in stdio.chain(preopens) {
            let descriptor = Descriptor::new(object, rights, inheriting, FdFlags::empty());
            fds.insert(descriptor).map_err(|_| io::Error::other("too many directories"))?;
        }
        Ok(WasiCtx { args: self.args, env: self.env, fds, clock: self.clock, random: self.random })
    }
}
