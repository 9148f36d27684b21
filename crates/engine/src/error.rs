//! Errors of the engine, as opposed to traps of a program.

use crate::Tier;
use cupola_runtime::{CompileError, Trap, TrapKind};
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
    /// The module imports a function that the host does not provide.
    #[error("import `{module}` `{name}` of signature {sig} is not provided{hint}")]
    MissingImport {
        /// First part of the name.
        module: String,
        /// Second part of the name.
        name: String,
        /// The signature that the module wants.
        sig: String,
        /// What is there instead, if something similar is.
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

/// A trap with the names of its backtrace looked up.
#[derive(Debug)]
pub struct ExecutionTrap {
    trap: Box<Trap>,
    backtrace: Vec<String>,
}

impl ExecutionTrap {
    pub(crate) fn new(trap: Box<Trap>, backtrace: Vec<String>) -> ExecutionTrap {
        ExecutionTrap { trap, backtrace }
    }

    /// The trap.
    pub fn trap(&self) -> &Trap {
        &self.trap
    }

    /// The trap code, if the program itself trapped.
    pub fn code(&self) -> Option<cupola_ir::TrapCode> {
        self.trap.trap_code()
    }

    /// The host function's error, if that ended the program.
    pub fn host_error(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        match &self.trap.kind {
            TrapKind::Host(error) => Some(&**error),
            _ => None,
        }
    }

    /// One line for each activation, the innermost first.
    pub fn backtrace(&self) -> &[String] {
        &self.backtrace
    }
}

impl fmt::Display for ExecutionTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.trap)?;
        for line in &self.backtrace {
            write!(f, "\n  at {line}")?;
        }
        if self.trap.omitted > 0 {
            write!(f, "\n  ... and {} more", self.trap.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ExecutionTrap {}
