//! Errors of the engine, as opposed to traps of a program.

use crate::host::HostError;
use cupola_ir::TrapCode;
use cupola_runtime::{CompileError, Frame, Tier};
use std::fmt;

/// What can go wrong in using the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program trapped, or a host function it called gave an error.
    #[error(transparent)]
    Trap(#[from] ExecutionTrap),
    /// There is no function of that name.
    #[error("no function named `{0}`")]
    NoSuchFunction(String),
    /// A function was called or typed with another signature than it has.
    #[error("function `{name}` has signature {expected}, used with {found}")]
    SignatureMismatch {
        /// The function.
        name: String,
        /// Its signature.
        expected: String,
        /// The signature it was used with.
        found: String,
    },
    /// The module imports something that is not provided, or not of its type.
    #[error("import `{module}` `{name}`: {wanted} is not provided{hint}")]
    MissingImport {
        /// First part of the name.
        module: String,
        /// Second part of the name.
        name: String,
        /// What the module wants.
        wanted: String,
        /// What is there instead, if something is.
        hint: String,
    },
    /// The module uses a dialect operation that was not registered.
    #[error("dialect operation `{name}` is not registered{hint}")]
    MissingDialectOp {
        /// The operation.
        name: String,
        /// What is there instead, if something similar is.
        hint: String,
    },
    /// The module is not valid.
    #[error("{0}")]
    InvalidModule(String),
    /// A limit of the embedder or of the machine was met.
    #[error("{0}")]
    Limit(String),
    /// The tier asked for does not exist in this engine.
    #[error("tier {0} is not available: {1}")]
    TierUnavailable(Tier, String),
    /// A compilation that was asked for failed.
    #[error("compilation of `{func}` for {tier} failed: {error}")]
    Compile {
        /// The function.
        func: String,
        /// The tier.
        tier: Tier,
        /// Why.
        error: CompileError,
    },
}

/// How an execution ended early.
#[derive(Debug)]
pub enum TrapCause {
    /// The program trapped.
    Code(TrapCode),
    /// A host function or a dialect operation gave an error.
    Host(HostError),
}

impl fmt::Display for TrapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrapCause::Code(code) => write!(f, "{code}"),
            TrapCause::Host(error) => write!(f, "{error}"),
        }
    }
}

/// An execution that ended early, and where.
#[derive(Debug)]
pub struct ExecutionTrap {
    /// How it ended.
    pub cause: TrapCause,
    /// The activations, the innermost first; only the innermost of a deep stack.
    pub frames: Vec<Frame>,
    /// How many more there were.
    pub omitted: usize,
    backtrace: Vec<String>,
}

impl ExecutionTrap {
    /// `backtrace` has a line for each frame.
    pub(crate) fn new(
        cause: TrapCause,
        frames: Vec<Frame>,
        omitted: usize,
        backtrace: Vec<String>,
    ) -> ExecutionTrap {
        ExecutionTrap { cause, frames, omitted, backtrace }
    }

    /// The trap code, if the program itself trapped.
    pub fn code(&self) -> Option<TrapCode> {
        match self.cause {
            TrapCause::Code(code) => Some(code),
            TrapCause::Host(_) => None,
        }
    }

    /// The host function's error, if that ended the program.
    pub fn host_error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match &self.cause {
            TrapCause::Host(error) => Some(&**error),
            TrapCause::Code(_) => None,
        }
    }

    /// One line for each activation, the innermost first.
    pub fn backtrace(&self) -> &[String] {
        &self.backtrace
    }
}

impl fmt::Display for ExecutionTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        for line in &self.backtrace {
            write!(f, "\n  at {line}")?;
        }
        if self.omitted > 0 {
            write!(f, "\n  ... and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ExecutionTrap {}
