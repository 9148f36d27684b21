//! The passes, and the pipelines made of them.
//!
//! A pass is one file whose header shows a function before and after it (a test runs that), and one
//! line in [`PASSES`]. A pipeline is a list. Passes work on SSA form in place; they keep
//! [`Function::layout`] the list of live blocks, and leave instructions that they remove in
//! [`Function::insts`], in no block.

pub mod dce;
pub mod fold;
pub mod gvn;
pub mod sccp;
pub mod simplify_cfg;
pub mod switch;

use crate::loops;
use cupola_ir::{Function, Module};

/// A pass.
#[derive(Copy, Clone)]
pub struct Pass {
    /// Its name on the command line, in traces and in tests.
    pub name: &'static str,
    /// Changes a function in SSA form.
    pub run: fn(&mut Function, &Module),
}

/// Passes in the order in which they run.
pub type Pipeline = &'static [Pass];

/// Constant folding and algebraic simplification.
pub const FOLD: Pass = Pass { name: "fold", run: fold::run };
/// Sparse conditional constant propagation.
pub const SCCP: Pass = Pass { name: "sccp", run: sccp::run };
/// Global value numbering, with redundant loads.
pub const GVN: Pass = Pass { name: "gvn", run: gvn::run };
/// Dead code elimination.
pub const DCE: Pass = Pass { name: "dce", run: dce::run };
/// Merging and threading of blocks.
pub const SIMPLIFY_CFG: Pass = Pass { name: "simplify_cfg", run: simplify_cfg::run };
/// Small tables of branches as compares.
pub const SWITCH: Pass = Pass { name: "switch", run: switch::run };
/// Loops with their tests at the end.
pub const ROTATE: Pass = Pass { name: "rotate", run: loops::rotate::run };
/// Accesses to linear memory as bounds checks and raw accesses.
pub const LOWER_MEMORY: Pass = Pass { name: "lower_memory", run: loops::memory::run };
/// The same for the accesses that the guards of reserved memories do not cover.
pub const LOWER_UNGUARDED: Pass = Pass { name: "lower_unguarded", run: loops::unguarded::run };
/// Loop-invariant code motion.
pub const LICM: Pass = Pass { name: "licm", run: loops::licm::run };
/// Order of blocks in the code.
pub const LAYOUT: Pass = Pass { name: "layout", run: crate::layout::run };

/// All passes.
pub const PASSES: &[Pass] = &[
    FOLD,
    SCCP,
    GVN,
    DCE,
    SIMPLIFY_CFG,
    SWITCH,
    ROTATE,
    LOWER_MEMORY,
    LOWER_UNGUARDED,
    LICM,
    LAYOUT,
];

macro_rules! pipeline {
    ($lower:expr) => {
        &[
            ROTATE,
            FOLD,
            SCCP,
            SIMPLIFY_CFG,
            $lower,
            SWITCH,
            GVN,
            LICM,
            FOLD,
            DCE,
            SIMPLIFY_CFG,
            LAYOUT,
        ]
    };
}

/// What runs behind construction, where every access to linear memory is checked. Loops are
/// rotated first, so that tests in front of them whose outcome is known are folded; memory accesses
/// are lowered before what merges and moves their parts.
pub const CHECKED: Pipeline = pipeline!(LOWER_MEMORY);
/// The same where guards check accesses to linear memory.
pub const GUARDED: Pipeline = pipeline!(LOWER_UNGUARDED);

/// The pass with this name.
pub fn find(name: &str) -> Option<&'static Pass> {
    PASSES.iter().find(|pass| pass.name == name)
}
