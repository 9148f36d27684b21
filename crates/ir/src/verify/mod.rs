//! The verifier: what every producer of modules and functions has to keep to, and what every
//! consumer may rely on without looking.
//!
//! [`verify_module`]:
//! - signatures are pairwise different, and functions refer to ones that exist
//! - exports and table elements refer to functions that exist
//! - memories have no more pages than their addresses reach (65,536 if those are i32), and are not
//!   greater at the start than at their greatest
//! - data segments refer to memories that exist and lie within their size at the start
//! - initial values of globals are slots of their type (zeros above narrower values)
//! - dialect operations have different names with a dot inside, and declare only effects that an
//!   operation can have
//!
//! [`verify_function`], both forms:
//! - the function is one that the module defines, and has its signature
//! - there is an entry block, and no branch targets it
//! - every block ends with a terminator, and no other instruction is one
//! - no instruction stands in two places
//! - registers, blocks and what immediates refer to exist; immediates are of the opcode's kind
//! - constants are slots of their type
//! - number and types of operands and results are those of the opcode's row, of the function
//!   called, of the operation's declaration, of the global
//! - numbers of targets are those of the opcode; `br_table` has a default
//! - `global.set` only on mutable globals
//! - offsets of raw accesses are at most `i32::MAX`
//! - feedback sites are below the function's number of sites
//!
//! Register form:
//! - parameters are the first registers
//! - no block parameters, no target arguments, no SSA-only opcodes, no frame states, no layout, no
//!   inlined calls
//! - a register is assigned on every path from the entry before it is read
//! - raw accesses and `memory.base` only in trusted modules (in SSA form the optimizer makes them
//!   from checked accesses)
//! - no two instructions share a feedback site
//!
//! SSA form:
//! - the layout begins with the entry, names no block twice, and has all branch targets
//! - a register is defined once, and its definition dominates its uses
//! - the entry block's parameters are the function's, or as many as the registers of its entry at
//!   a loop
//! - target arguments match the target's parameters in number and types
//! - frame states have frames, the outermost of them of this function, and as many values as
//!   their instruction has operands for them
//! - inlined calls are of functions that exist, within inlined calls listed before
//!
//! [`verify_frame_states`], for which the register forms must be at hand:
//! - the instruction to resume at exists; in frames that wait, it is a call, and of the next
//!   frame's function if that is known, and its results are not listed
//! - the registers listed exist, none twice; their values are of their types; registers that are
//!   live at that instruction are all listed
//! - so for the registers of an entry at a loop, whose header is a block of the register form
//!
//! Blocks that cannot be reached are exempt from definite assignment and dominance only. Time is
//! linear in the function's size but for the data flow over registers that live across blocks.

mod assignment;
mod frames;
mod function;
mod instruction;
mod module;
mod ssa;
mod typing;

pub(crate) use typing::{ResultTypes, result_types};

use crate::entities::{Block, DialectOpId, FuncId, GlobalId, Inst, MemId, TableId};
use crate::function::{Form, Function};
use crate::module::{Bodies, Module};
use std::fmt;

/// At most this many errors are given for one module or function.
const MAX_ERRORS: usize = 50;

/// What a verification error is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The module as a whole.
    Module,
    /// A linear memory.
    Memory(MemId),
    /// A global variable.
    Global(GlobalId),
    /// A table.
    Table(TableId),
    /// A data segment, by its index.
    Data(usize),
    /// A dialect operation's declaration.
    DialectOp(DialectOpId),
    /// A function's declaration.
    Func(FuncId),
    /// A function's body, in one of its forms.
    Body {
        /// The function.
        func: FuncId,
        /// The form.
        form: Form,
        /// The block.
        block: Option<Block>,
        /// The instruction.
        inst: Option<Inst>,
    },
}

/// A rule that a module or function breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// Where.
    pub place: Place,
    /// Where, for people.
    pub context: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.context.is_empty() {
            write!(f, "{}: ", self.context)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for VerifyError {}

/// Checks a module, its function bodies apart.
///
/// # Errors
/// The rules that it breaks; never empty.
pub fn verify_module(module: &Module) -> Result<(), Vec<VerifyError>> {
    let mut errors = Vec::new();
    module::check(module, &mut errors);
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Checks a body, in either form, of a function of a module that was verified.
///
/// # Errors
/// The rules that it breaks; never empty.
pub fn verify_function(
    module: &Module,
    id: FuncId,
    func: &Function,
) -> Result<(), Vec<VerifyError>> {
    let mut checker = Checker::new(module, id, func);
    checker.function();
    checker.finish()
}

/// Checks what the frame states and the loop entry of a function in SSA form say about register
/// forms, as far as `bodies` has them. The function and the bodies must have been verified.
///
/// # Errors
/// The rules that it breaks; never empty.
pub fn verify_frame_states(
    module: &Module,
    id: FuncId,
    func: &Function,
    bodies: &dyn Bodies,
) -> Result<(), Vec<VerifyError>> {
    let mut checker = Checker::new(module, id, func);
    checker.frame_states(bodies);
    checker.finish()
}

/// A function being checked.
struct Checker<'a> {
    module: &'a Module,
    id: FuncId,
    func: &'a Function,
    errors: Vec<VerifyError>,
}

impl<'a> Checker<'a> {
    fn new(module: &'a Module, id: FuncId, func: &'a Function) -> Checker<'a> {
        Checker { module, id, func, errors: Vec::new() }
    }

    fn finish(self) -> Result<(), Vec<VerifyError>> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.errors) }
    }

    /// Reports an error about the function, a block or an instruction.
    fn error(&mut self, block: Option<Block>, inst: Option<Inst>, message: impl Into<String>) {
        if self.errors.len() >= MAX_ERRORS {
            return;
        }
        let name = self.module.funcs.get(self.id).and_then(|f| f.name.as_deref());
        let mut context = format!("%{}", name.unwrap_or(&self.id.to_string()));
        if let Some(block) = block {
            context += &format!(" {block}");
        }
        if let Some(inst) = inst {
            context += &format!(" {inst}");
            let loc = self.func.insts.get(inst).map(|data| data.loc).unwrap_or_default();
            let loc = self.module.format_loc(loc);
            if !loc.is_empty() {
                context += &format!(" ({loc})");
            }
        }
        let place = Place::Body { func: self.id, form: self.func.form, block, inst };
        self.errors.push(VerifyError { place, context, message: message.into() });
    }

    /// A register for people.
    fn reg_name(&self, reg: crate::Reg) -> String {
        let name = self.func.reg_names.get(reg.as_u32() as usize).cloned().flatten();
        let prefix = if self.func.form == Form::Ssa { "v" } else { "r" };
        name.unwrap_or_else(|| format!("{prefix}{}", reg.as_u32()))
    }
}
