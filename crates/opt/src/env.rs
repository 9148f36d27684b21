//! What the optimizer is given, and what it gives back.

use crate::inline::InlineTuning;
use crate::speculate::Specializer;
use cupola_ir::{Block, DialectOpId, FuncId, Function, Inst, Module};
use rustc_hash::FxHashSet;
use std::sync::Arc;
use std::time::Duration;

/// What a feedback site saw: the words of the function's feedback, read at one moment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteProfile {
    /// For indirect calls: four targets, each with the function's index plus one in the upper half
    /// and how often it was called in the lower half, or 0; and how often any other target was
    /// called. For dialect operations the handler decides.
    pub words: [u64; 5],
}

impl SiteProfile {
    /// What an indirect call is known to have called: function indices, and how often. An index may
    /// be that of no function, as the words may have changed while they were read.
    pub fn targets(&self) -> impl Iterator<Item = (u32, u64)> {
        let [targets @ .., _] = self.words;
        let target = |word: u64| Some((((word >> 32) as u32).checked_sub(1)?, word & 0xffff_ffff));
        targets.into_iter().filter_map(target)
    }

    /// How often an indirect call was seen to run.
    pub fn calls(&self) -> u64 {
        let [.., other] = self.words;
        self.targets().fold(other, |sum, (_, count)| sum.saturating_add(count))
    }
}

/// What is known of how a function ran.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Calls counted.
    pub calls: u64,
    /// Back edges counted, by loop.
    pub loop_counts: Vec<u64>,
    /// How often each block of the register form ran, where that is counted.
    pub block_counts: Option<Vec<u64>>,
    /// What each feedback site saw.
    pub sites: Vec<SiteProfile>,
    /// Instructions of the register form on whose behalf code has left for the interpreter before:
    /// guards, cold branches, dialect operations. Not speculated on again.
    pub failed_guards: FxHashSet<Inst>,
}

/// What the optimizer asks the engine.
pub trait OptEnv {
    /// The register form of a function of the module; none if it has none (an import) or cannot be
    /// had at once.
    fn body(&self, func: FuncId) -> Option<Arc<Function>>;

    /// How a function ran so far; none if nothing is known.
    fn profile(&self, func: FuncId) -> Option<Profile>;

    /// What specializes a dialect operation, if its front end gave something.
    fn specializer(&self, _op: DialectOpId) -> Option<&dyn Specializer> {
        None
    }
}

/// Which loops look for better code at their headers, since a tier above may take over.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Polls {
    /// None.
    #[default]
    None,
    /// Those that go on for long when they are entered, as far as is known.
    LongLoops,
    /// All, but for those that come by the header of an inner one (a stress mode of the engine).
    AllLoops,
}

/// Options of the optimizer.
#[derive(Copy, Clone, Debug)]
pub struct OptOptions {
    /// Turn guards that never failed, and edges that a block profile never saw, into
    /// deoptimizations.
    pub speculate: bool,
    /// How much to inline.
    pub inline: InlineTuning,
    /// Consume fuel at function entries and back edges of the register form
    /// (`CodegenOptions::fuel` of the engine).
    pub fuel: bool,
    /// Count down the budget of forced deoptimizations at loop headers and before branches, calls
    /// and dialect instructions, and leave for the interpreter where it is used up (a stress mode
    /// of the engine).
    pub force_deopts: bool,
    /// 32-bit memories are reserved with a guard, and the code generator takes accesses that trap
    /// by faulting.
    pub guarded_memories: bool,
    /// Where to look for better code.
    pub polls: Polls,
    /// Measure each pass.
    pub timings: bool,
    /// Verify the function after each pass.
    pub verify: bool,
}

impl Default for OptOptions {
    fn default() -> Self {
        OptOptions {
            speculate: true,
            inline: InlineTuning::default(),
            fuel: false,
            force_deopts: false,
            polls: Polls::None,
            guarded_memories: false,
            timings: false,
            verify: cfg!(debug_assertions),
        }
    }
}

/// One function to optimize.
#[derive(Copy, Clone)]
pub struct OptRequest<'a> {
    /// The module.
    pub module: &'a Module,
    /// The function.
    pub func: FuncId,
    /// Its register form.
    pub body: &'a Function,
    /// Optimize it as entered at this loop header, not by a call.
    pub osr_header: Option<Block>,
    /// Where to ask for other bodies and for profiles.
    pub env: &'a dyn OptEnv,
    /// Options.
    pub options: OptOptions,
}

/// Called after construction and after each pass, with the pass's name.
pub type Trace<'a> = &'a mut dyn FnMut(&str, &Function);

/// How long a pass took.
#[derive(Copy, Clone, Debug)]
pub struct PassTiming {
    /// The pass.
    pub pass: &'static str,
    /// Its time.
    pub time: Duration,
}

/// An optimized function.
#[derive(Clone, Debug)]
pub struct Optimized {
    /// The function in SSA form, with its layout.
    pub func: Function,
    /// How many calls were inlined into it.
    pub inlined: usize,
    /// Time by pass in the order of running, if asked for.
    pub timings: Vec<PassTiming>,
}

/// Why a function could not be optimized. It stays in the tier it is in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptError {
    /// A pass left the function ill-formed: an error in the optimizer.
    #[error("ill-formed code after {pass}: {message}")]
    IllFormed {
        /// The pass.
        pass: &'static str,
        /// What the verifier said.
        message: String,
    },
}
