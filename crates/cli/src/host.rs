//! What the command provides to programs: output and an exit code.

use crate::failure::Failure;
use cupola::{Imports, Value};
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write, stdout};
use std::sync::{Arc, Mutex, PoisonError};

/// The functions, as `--help` and messages about imports list them.
pub const HELP: &str = "\
Functions that a program can import:
  env.print_i32(i32)  env.print_i64(i64)  env.print_f32(f32)  env.print_f64(f64)
      print a number and a line end on stdout
  env.exit(i32)
      end the program with this exit code

WebAssembly programs can also import all of WASI preview 1 (wasi_snapshot_preview1). They get
this process's standard streams, FILE and ARGS as arguments, the variables of --env, and the
directories of --dir. With --invoke, an exported `_initialize` is called first.

Exit codes: 0 or the program's own; 1 after a trap or an error in the program; 2 if the command
line or the file is wrong.";

/// The error that `env.exit` ends the program with.
#[derive(Debug)]
pub struct Exit(pub i32);

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit with code {}", self.0)
    }
}

impl std::error::Error for Exit {}

/// The program's stdout: written line by line to a terminal and where WASI writes to it as well, in
/// blocks to anything else.
#[derive(Clone)]
pub struct Output {
    out: Arc<Mutex<BufWriter<Stdout>>>,
    by_line: bool,
}

impl Output {
    pub fn new(shared: bool) -> Output {
        // What `Stdout` itself buffers is at most one line, and passed on by `flush`.
        let out = Arc::new(Mutex::new(BufWriter::new(stdout())));
        Output { out, by_line: shared || stdout().is_terminal() }
    }

    pub fn line(&self, value: Value) -> Result<(), WriteError> {
        // A writer is in order whatever the panic that poisoned its lock.
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(out, "{value}").map_err(WriteError)?;
        if self.by_line { out.flush().map_err(WriteError) } else { Ok(()) }
    }

    pub fn flush(&self) -> Result<(), WriteError> {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.flush().map_err(WriteError)
    }
}

/// Stdout is closed or full.
#[derive(Debug)]
pub struct WriteError(io::Error);

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to stdout: {}", self.0)
    }
}

impl std::error::Error for WriteError {}

/// Writes a text of the command itself to stdout.
pub fn print(text: &[u8]) -> Result<(), Failure> {
    let written = stdout().lock().write_all(text).and_then(|()| stdout().flush());
    written.map_err(|error| Failure::Program(WriteError(error).to_string()))
}

/// The functions of [`HELP`].
pub fn imports(output: &Output) -> Imports {
    let mut imports = Imports::new();
    let out = output.clone();
    imports.func("env", "print_i32", move |(v,): (i32,)| out.line(Value::I32(v)));
    let out = output.clone();
    imports.func("env", "print_i64", move |(v,): (i64,)| out.line(Value::I64(v)));
    let out = output.clone();
    imports.func("env", "print_f32", move |(v,): (f32,)| out.line(Value::F32(v)));
    let out = output.clone();
    imports.func("env", "print_f64", move |(v,): (f64,)| out.line(Value::F64(v)));
    imports.func("env", "exit", |(code,): (i32,)| -> Result<(), Exit> { Err(Exit(code)) });
    imports
}
