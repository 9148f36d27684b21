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
    /// A fifth level, for configurations that climb in more steps: the classic ladder of LLVM's
    /// O1, O2 and O3 above baseline code.
    T4,
}

impl Tier {
    /// All tiers, lowest first.
    pub const ALL: [Tier; 5] = [Tier::T0, Tier::T1, Tier::T2, Tier::T3, Tier::T4];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Tier::T0 => "t0",
            Tier::T1 => "t1",
            Tier::T2 => "t2",
            Tier::T3 => "t3",
            Tier::T4 => "t4",
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

/// How hard a peak compiler works.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum OptLevel {
    /// The quick passes.
    O1,
    /// All passes that do not trade much size for speed.
    O2,
    /// All passes.
    #[default]
    O3,
}

impl OptLevel {
    /// All levels, lowest first.
    pub const ALL: [OptLevel; 3] = [OptLevel::O1, OptLevel::O2, OptLevel::O3];

    /// Its name: `O1`, `O2` or `O3`.
    pub const fn name(self) -> &'static str {
        match self {
            OptLevel::O1 => "O1",
            OptLevel::O2 => "O2",
            OptLevel::O3 => "O3",
        }
    }
}

/// What a module's code is generated for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodegenOptions {
    /// Count calls and back edges in T1 (always on but for the measurement of what it costs).
    pub counters: bool,
    /// Count block executions in T0 and T1.
    pub block_counts: bool,
    /// For SSA form: a tier above this one may take over, so count calls as T1 does. (Where loops
    /// look for better code, the function has `osr.poll` instructions.)
    pub climbs: bool,
    /// For SSA form: loops look for interruptions. Where they do not, whoever interrupts sends
    /// signals ([`crate::signals::nudge`]).
    pub polls: bool,
    /// Consume fuel at function entries and back edges.
    pub fuel: bool,
    /// Reserve the address space of 32-bit memories, with a guard behind it, so that compiled code
    /// needs no bounds checks for what [`MemoryDecl::is_guarded`](cupola_ir::MemoryDecl::is_guarded)
    /// covers: an access out of bounds faults. Takes 6 GiB of address space (not of memory) for
    /// each memory. Where it is off, memories may move as they grow, and code checks.
    pub memory_reservation: bool,
    /// Run the code generator's own verifier (debug builds and tests).
    pub verify: bool,
}

impl Default for CodegenOptions {
    fn default() -> Self {
        CodegenOptions {
            counters: true,
            block_counts: false,
            climbs: false,
            polls: true,
            fuel: false,
            memory_reservation: true,
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
    /// compiled for entries at all loop headers if `osr_header` is given.
    pub code: &'a Function,
    /// For register form: compile for entries at loop headers, of which this one is wanted now.
    pub osr_header: Option<cupola_ir::Block>,
    /// Where the function's counters stand.
    pub feedback: &'a FeedbackLayout,
    /// How often the function was called while calls were counted.
    pub calls: u64,
    /// Options.
    pub options: CodegenOptions,
}

/// Why a compilation failed. The function stays in the tier it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
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
    /// The process that generates code was lost while it did; it may be there for the next.
    #[error("{0}")]
    Lost(String),
    /// The code generator cannot be had, now or later.
    #[error("not available: {0}")]
    Unavailable(String),
    /// The code generator is not installed, which is not a fault.
    #[error("not installed: {0}")]
    Absent(String),
    /// Nobody wants the code any more.
    #[error("given up, nobody wants it any more")]
    Abandoned,
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

    /// Whether it can be had, as far as can be told without starting anything. Asked once, when the
    /// first code is compiled that this one's would take over from.
    ///
    /// # Errors
    /// If it cannot.
    fn available(&self) -> Result<(), CompileError> {
        Ok(())
    }

    /// Whether compiling is waiting for somebody else, rather than work; then it is done by a
    /// thread of its own.
    fn is_remote(&self) -> bool {
        false
    }

    /// Whether it gains from seeing several functions at once ([`CodeGenerator::compile_unit`]).
    fn takes_units(&self) -> bool {
        false
    }

    /// Compiles functions of one module that call each other as one unit, so that calls between
    /// them can be direct or inlined. The first may be entered in any way, the others are entered
    /// by calls; no function is there twice. The artifact is the first one's, with the others as
    /// its [`members`](Artifact::members); without any if only the first was compiled.
    ///
    /// # Errors
    /// If the unit cannot be compiled, with the reason.
    fn compile_unit(&self, unit: &[CompileRequest<'_>]) -> Result<Artifact, CompileError> {
        match unit.first() {
            Some(first) => self.compile(first),
            None => Err(CompileError::Unsupported("a unit of no functions".to_owned())),
        }
    }

    /// As [`CodeGenerator::compile_unit`], but given up soon after `wanted` says that nobody wants
    /// the code any more. A generator that takes long, or waits, asks now and then.
    ///
    /// # Errors
    /// As [`CodeGenerator::compile_unit`], and [`CompileError::Abandoned`].
    fn compile_unit_while(
        &self,
        unit: &[CompileRequest<'_>],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Artifact, CompileError> {
        let _ = wanted;
        self.compile_unit(unit)
    }

    /// The code generator's own intermediate code, as text, for `dump --stage clif`.
    ///
    /// # Errors
    /// If the function cannot be compiled, with the reason.
    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError>;
}
