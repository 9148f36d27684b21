//! Failures on the way to an artifact.

use cupola_runtime::CompileError;
use inkwell::builder::BuilderError;

/// Why lowering failed: a builder refused an instruction, which is a mistake of ours, or the
/// function cannot be compiled.
#[derive(Debug)]
pub(crate) enum Error {
    Builder(BuilderError),
    Compile(CompileError),
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl From<BuilderError> for Error {
    fn from(error: BuilderError) -> Error {
        Error::Builder(error)
    }
}

impl From<CompileError> for Error {
    fn from(error: CompileError) -> Error {
        Error::Compile(error)
    }
}

impl From<Error> for CompileError {
    fn from(error: Error) -> CompileError {
        match error {
            Error::Builder(error) => CompileError::Codegen(error.to_string()),
            Error::Compile(error) => error,
        }
    }
}

/// An error of LLVM, or about what it made.
pub(crate) fn codegen(message: impl ToString) -> CompileError {
    CompileError::Codegen(message.to_string())
}
