//! Errors of the engine, as opposed to traps of a program.

use crate::host::HostError;
use crate::module::ModuleInner;
use cupola_ir::TrapCode;
use cupola_runtime::{CompileError, Frame, Tier};
use std::fmt;
use std::sync::{Arc, OnceLock};

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
    /// The module imports things that are not provided, or not of their types.
    #[error("{}", missing_imports(.0))]
    MissingImports(Vec<MissingImport>),
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

/// An import that is not provided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingImport {
    /// First part of the name.
    pub module: String,
    /// Second part of the name.
    pub name: String,
    /// What the module wants.
    pub wanted: String,
    /// What is there instead, if something is.
    pub found: Option<String>,
}

impl fmt::Display for MissingImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MissingImport { module, name, wanted, found } = self;
        write!(f, "import `{module}` `{name}`: {wanted} is not provided")?;
        found.as_ref().map_or(Ok(()), |found| write!(f, "; there is {found}"))
    }
}

fn missing_imports(imports: &[MissingImport]) -> String {
    let lines: Vec<String> = imports.iter().map(MissingImport::to_string).collect();
    lines.join("\n")
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
pub struct ExecutionTrap {
    /// How it ended.
    pub cause: TrapCause,
    /// The activations, the innermost first; only the innermost of a deep stack.
    pub frames: Vec<Frame>,
    /// How many more there were.
    pub omitted: usize,
    /// The modules of the frames.
    modules: Box<[Arc<ModuleInner>]>,
    /// Only made when it is looked at: programs also end by traps that nobody reads, and front ends
    /// may have to read debug information for it.
    backtrace: OnceLock<Vec<String>>,
}

impl ExecutionTrap {
    /// `modules` has those of the frames that are still there.
    pub(crate) fn new(
        cause: TrapCause,
        frames: Vec<Frame>,
        omitted: usize,
        modules: Box<[Arc<ModuleInner>]>,
    ) -> ExecutionTrap {
        ExecutionTrap { cause, frames, omitted, modules, backtrace: OnceLock::new() }
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
            TrapCause::Code(_) => None,
            TrapCause::Host(error) => Some(&**error),
        }
    }

    /// The activations, the innermost first, for people: a line for each, and one more for each
    /// function that was inlined into it before the front end saw it.
    pub fn backtrace(&self) -> &[String] {
        self.backtrace.get_or_init(|| {
            let describe = |frame: &Frame| {
                let module = self.modules.iter().find(|module| module.id == frame.module);
                match module {
                    Some(module) => module.describe_frame(frame),
                    None => vec![format!("{} ({})", frame.func, frame.tier)],
                }
            };
            self.frames.iter().flat_map(describe).collect()
        })
    }
}

impl fmt::Debug for ExecutionTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ExecutionTrap");
        out.field("cause", &self.cause).field("frames", &self.frames);
        out.field("omitted", &self.omitted).finish_non_exhaustive()
    }
}

impl fmt::Display for ExecutionTrap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        for line in self.backtrace() {
            write!(f, "\n  at {line}")?;
        }
        if self.omitted > 0 {
            write!(f, "\n  ... and {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for ExecutionTrap {}
