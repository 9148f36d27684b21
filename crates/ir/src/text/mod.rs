//! The text format (`.cir`): parser, printer, messages.
//!
//! ```text
//! ; comment to the end of the line
//! module "name"
//! memory $m 1 16                         ; least and, optionally, greatest number of pages
//! memory $n i64 1                        ; addresses and sizes are i64
//! global $g mut i64 = 5
//! table $t = [%f, %g, null]
//! table $u 10 20 = [%f]                  ; least and, optionally, greatest number of slots
//! table $x extern 4                      ; of objects of the host
//! table $y i64 10 = [%f]                 ; indices are i64
//! import memory $o 1 2 = "env" "o"       ; so also globals and tables, without what they hold
//! data $m 1024 "bytes\00\ff\n\"\\"
//! import %print(i64) = "env" "print"
//! dialect calc.pow(f64, f64) -> f64 [traps, reads_memory]   ; no list: may do anything
//! export func %fib(n: i32) -> i32 {
//!   reg t: i32                           ; optional: types are inferred from the first definition
//! block0:
//!   two = i32.const 2
//!   c = i32.lt_s n, two
//!   br_if c, small, large
//! small:
//!   return n
//! large:
//!   …
//! }
//! export "other name" = %f
//! ssa func %f(v0: i32) -> i32 {          ; SSA form of %f
//!   inline inl0 = %g at 3:5              ; an inlined call, and where it stood
//! block0:
//!   br block1(v0)
//! block1(v1: i32) [count=12]:            ; parameters, and how often the profile saw it run
//!   v2 = i32.eqz v1 @inl0                ; copied from that call's callee
//!   deopt_unless v2, guard_failed [%f inst2 {n = v1}]
//!   return v2
//! }
//! ssa func %f(i32) -> i32 osr large(n = v0: i32) { … }     ; entered at a loop of %f
//! ```
//!
//! Names of functions begin with `%`, of memories, globals and tables with `$`; a name of other
//! characters than letters, digits, `_` and `.` is put in quotes (`%"operator new"`). A function
//! without a body is a declaration. An instruction ends with its line; bracketed lists may go over
//! several lines.
//! Registers are numbered in the order of their definition, instructions and blocks in the order
//! of the text; `rN` (in SSA form `vN`) is the name of register `N` if it has no other. Feedback
//! sites are numbered likewise unless `site=N` says otherwise, and `sites N` gives their number if
//! it is greater. The text cannot make a module trusted; that is its user's decision.

mod diagnostics;
mod lexer;
mod literal;
mod parser;
mod print_function;
mod print_module;
mod source_map;

pub use diagnostics::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS};
pub use literal::parse_literal;
pub use print_function::print_function;
pub use print_module::print_module;
pub use source_map::{FunctionSpans, SourceMap};

use crate::entities::FuncId;
use crate::function::Function;
use crate::module::{EagerBodies, FuncKind, Module};
use crate::verify::{Place, VerifyError, verify_frame_states, verify_function, verify_module};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// A module read from text.
#[derive(Clone, Debug)]
pub struct ParsedModule {
    /// The module, without its bodies.
    pub module: Module,
    /// The bodies of its functions in register form.
    pub bodies: EagerBodies,
    /// Functions that the text gives in SSA form, in the order of the text.
    pub ssa: Vec<(FuncId, Arc<Function>)>,
    /// What the text is called in messages.
    pub name: String,
    /// The text.
    pub source: Arc<str>,
    /// Where functions, blocks and instructions stand in it.
    pub source_map: SourceMap,
}

impl ParsedModule {
    /// Verifies the module and all its functions.
    ///
    /// # Errors
    /// The rules that they break, and where in the text.
    pub fn verify(&self) -> Result<(), Diagnostics> {
        let mut errors = Vec::new();
        let mut add = |result: Result<(), Vec<VerifyError>>| {
            let sound = result.is_ok();
            errors.extend(result.err().unwrap_or_default());
            sound
        };
        // Bodies are checked against the module, so it has to be sound.
        if add(verify_module(&self.module)) {
            let ssa: FxHashSet<FuncId> = self.ssa.iter().map(|&(id, _)| id).collect();
            for (id, decl) in self.module.funcs.iter() {
                let defined = decl.kind == FuncKind::Defined;
                match self.bodies.get(id) {
                    Some(body) => {
                        add(verify_function(&self.module, id, body));
                    }
                    None if defined && !ssa.contains(&id) => {
                        let message = "the function has no body".to_string();
                        let place = Place::Func(id);
                        add(Err(vec![VerifyError { place, context: String::new(), message }]));
                    }
                    None => {}
                }
            }
            for (id, function) in &self.ssa {
                if add(verify_function(&self.module, *id, function)) {
                    add(verify_frame_states(&self.module, *id, function, &self.bodies));
                }
            }
        }
        if errors.is_empty() {
            return Ok(());
        }
        let diagnostics = errors.into_iter().map(|error| self.diagnostic(&error)).collect();
        Err(Diagnostics::new(&self.name, self.source.clone(), diagnostics))
    }

    /// A verification error with its place in the text.
    pub fn diagnostic(&self, error: &VerifyError) -> Diagnostic {
        let span = self.source_map.find(error.place);
        // What has no place says by itself what it is about.
        let message = match span {
            Some(_) => error.message.clone(),
            None => error.to_string(),
        };
        Diagnostic { span: span.unwrap_or(0..0), message, note: None }
    }

    /// The text of the module as the printer writes it.
    pub fn print(&self) -> String {
        print_module(&self.module, &self.bodies, &self.ssa)
    }
}

/// Parses a module. `name` is what messages call the text, a file's name for example. The module
/// is not yet verified.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn parse(name: &str, source: &str) -> Result<ParsedModule, Diagnostics> {
    parser::parse(name, source)
}

/// Parses a module from bytes that should be UTF-8.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn parse_bytes(name: &str, bytes: &[u8]) -> Result<ParsedModule, Diagnostics> {
    let error = match std::str::from_utf8(bytes) {
        Ok(source) => return parse(name, source),
        Err(error) => error,
    };
    // The message shows what stands before the wrong byte on its line.
    let offset = error.valid_up_to();
    let valid = std::str::from_utf8(&bytes[..offset]).unwrap_or_default();
    let message = format!("not a text: byte {offset} ({:#04x}) is not valid UTF-8", bytes[offset]);
    let diagnostic = Diagnostic { span: offset..offset, message, note: None };
    Err(Diagnostics::new(name, Arc::from(valid), vec![diagnostic]))
}
