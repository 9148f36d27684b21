//! Symbols of artifacts as Cranelift's user-defined external names, and back.

use cranelift_codegen::ir::UserExternalName;
use cupola_ir::FuncId;
use cupola_runtime::{Helper, Symbol};

const SELF_START: u32 = 0;
const HELPER: u32 = 1;
const FEEDBACK: u32 = 2;
const CODE_ID: u32 = 3;

/// The name that stands for `symbol`.
pub(crate) fn to_name(symbol: Symbol) -> UserExternalName {
    let (namespace, index) = match symbol {
        Symbol::SelfStart => (SELF_START, 0),
        Symbol::Helper(helper) => (HELPER, helper as u32),
        Symbol::Feedback(func) => (FEEDBACK, func.as_u32()),
        Symbol::CodeId => (CODE_ID, 0),
    };
    UserExternalName::new(namespace, index)
}

/// The symbol that `name` stands for.
pub(crate) fn from_name(name: &UserExternalName) -> Option<Symbol> {
    Some(match name.namespace {
        SELF_START => Symbol::SelfStart,
        HELPER => Symbol::Helper(*Helper::ALL.get(name.index as usize)?),
        FEEDBACK => Symbol::Feedback(FuncId::from_u32(name.index)),
        CODE_ID => Symbol::CodeId,
        _ => return None,
    })
}
