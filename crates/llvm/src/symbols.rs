//! Names of external symbols in LLVM modules, and back.

use cupola_ir::{FuncId, TrapCode};
use cupola_runtime::{Helper, Symbol};

const HELPER: &str = "cupola.helper.";
const TRAP: &str = "cupola.trap.";
const CODE_ID: &str = "cupola.code_id";
const FEEDBACK: &str = "cupola.feedback.";

/// What an external name stands for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum External {
    /// Something that the linker knows.
    Symbol(Symbol),
    /// A trap, at the position with this index.
    Trap(TrapCode, u32),
}

/// The name of a helper.
pub(crate) fn helper(helper: Helper) -> String {
    format!("{HELPER}{}", helper as u8)
}

/// The name of a trap at a position.
pub(crate) fn trap(code: TrapCode, position: u32) -> String {
    format!("{TRAP}{}.{position}", code as u8)
}

/// The name of the number under which the engine knows the code.
pub(crate) fn code_id() -> &'static str {
    CODE_ID
}

/// The name of a function's feedback.
pub(crate) fn feedback(func: FuncId) -> String {
    format!("{FEEDBACK}{}", func.as_u32())
}

/// What `name` stands for, if it is one of these.
pub(crate) fn parse(name: &str) -> Option<External> {
    if name == CODE_ID {
        Some(External::Symbol(Symbol::CodeId))
    } else if let Some(index) = name.strip_prefix(HELPER) {
        let helper = Helper::ALL.get(index.parse::<usize>().ok()?)?;
        Some(External::Symbol(Symbol::Helper(*helper)))
    } else if let Some(func) = name.strip_prefix(FEEDBACK) {
        let func = FuncId::from_u32(func.parse().ok()?);
        Some(External::Symbol(Symbol::Feedback(func)))
    } else {
        let (code, position) = name.strip_prefix(TRAP)?.split_once('.')?;
        Some(External::Trap(TrapCode::from_u8(code.parse().ok()?)?, position.parse().ok()?))
    }
}
