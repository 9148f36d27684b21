//! Why the command failed, and the exit code that goes with it.

use cupola::Error;
use std::io::{IsTerminal, stderr};

/// Whether messages on stderr may be coloured: it is a terminal, and `NO_COLOR` is not set
/// (<https://no-color.org>).
pub fn stderr_color() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Why the command failed.
#[derive(Debug)]
pub enum Failure {
    /// Bad usage or input: what to tell, without `error:`.
    Input(String),
    /// Bad input, with messages that point at places in it.
    Diagnostics(cupola::ir::Diagnostics),
    /// The program, or a compilation that was asked for, failed.
    Program(String),
}

impl Failure {
    /// What the process exits with.
    pub fn exit_code(&self) -> i32 {
        match self {
            Failure::Input(_) | Failure::Diagnostics(_) => 2,
            Failure::Program(_) => 1,
        }
    }

    /// Tells it on stderr.
    pub fn print(&self) {
        match self {
            Failure::Input(message) | Failure::Program(message) => {
                let (red, plain) =
                    if stderr_color() { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
                eprintln!("{red}error:{plain} {message}");
            }
            Failure::Diagnostics(diagnostics) => {
                eprintln!("{}", diagnostics.render(stderr_color()).trim_end());
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error {
            // What a host function or a failed compilation ended the program with arrives as the
            // cause of a trap.
            Error::Trap(_) | Error::Compile { .. } => Failure::Program(error.to_string()),
            _ => Failure::Input(error.to_string()),
        }
    }
}
