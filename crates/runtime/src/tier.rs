//! Tiers, and the traits behind which code generators stand.

use crate::artifact::Artifact;
use crate::context::ContextLayout;
use crate::feedback::FeedbackLayout;
use cupola_ir::{FuncId, Function, Module};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A level of execution.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Tier {
    /// The interpreter.
    T0,
    /// Baseline code: quick to make, counts calls and back edges.
    T1,
    /// Code from the optimizer, with speculation.
    T2,
    /// Code from the peak compiler.
    T3,
}

impl Tier {
    /// All tiers, lowest first.
    pub const ALL: [Tier; 4] = [Tier::T0, Tier::T1, Tier::T2, Tier::T3];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::T0 => "t0",
            Tier::T1 => "t1",
            Tier::T2 => "t2",
            Tier::T3 => "t3",
        }
    }

    /// The tier with this index (T0 is 0).
    pub fn from_u8(index: u8) -> Option<Tier> {
        Tier::ALL.get(usize::from(index)).copied()
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a module's code is generated for; the same for all functions of an engine.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodegenOptions {
    /// Count calls and back edges in T1 (always on but for the measurement of what it costs).
    pub counters: bool,
    /// Count block executions in T0 and T1.
    pub block_counts: bool,
    /// Consume fuel at function entries and back edges.
    pub fuel: bool,
    /// Run the code generator's own verifier (debug builds and tests).
    pub verify: bool,
}

impl Default for CodegenOptions {
    fn default() -> Self {
        CodegenOptions {
            counters: true,
            block_counts: false,
            fuel: false,
            verify: cfg!(debug_assertions),
        }
    }
}

/// One function to compile.
#[derive(Copy, Clone)]
pub struct CompileRequest<'a> {
    /// The module.
    pub module: &'a Module,
    /// Offsets of instance state.
    pub context: &'a ContextLayout,
    /// The function.
    pub func: FuncId,
    /// Its register form: what frames and feedback are laid out by, whatever form `code` is in.
    pub register_form: &'a Function,
    /// What to compile: the register form itself (T1) or optimized SSA form (T2, T3). Its
    /// `entry_kind` says whether it is entered by a call or at a loop header. Register form is
    /// compiled for a loop header if `osr_header` is given.
    pub code: &'a Function,
    /// For register form: compile an entry at this loop header.
    pub osr_header: Option<cupola_ir::Block>,
    /// Where the function's counters stand.
    pub feedback: &'a FeedbackLayout,
    /// Options.
    pub options: CodegenOptions,
}

/// Why a compilation failed. The function stays in the tier it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The function is greater than the code generator takes.
    #[error("function too large: {0}")]
    TooLarge(String),
    /// The function does something that the code generator does not support.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// The code generator reported an error.
    #[error("code generator: {0}")]
    Codegen(String),
    /// The code generator panicked.
    #[error("panic in the compiler: {0}")]
    Panic(String),
    /// There is no room for the code within the budget.
    #[error("no room in code memory")]
    NoRoom,
}

/// Turns functions into artifacts. One object serves all threads at once.
pub trait CodeGenerator: Send + Sync {
    /// The tier whose code it makes.
    fn tier(&self) -> Tier;

    /// Its name, for the account of what ran.
    fn name(&self) -> &'static str;

    /// Compiles a function.
    ///
    /// # Errors
    /// If it cannot be compiled, with the reason.
    fn compile(&self, request: &CompileRequest<'_>) -> Result<Artifact, CompileError>;

    /// The code generator's own intermediate code, as text, for `dump --stage clif`.
    ///
    /// # Errors
    /// If the function cannot be compiled, with the reason.
    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError>;
}
