//! WebAssembly's types, which the engine has all of.

use cupola_ir::{SigId, Type};
use smallvec::SmallVec;

/// The type from the decoder's; none if it is of a proposal that is not supported.
pub(crate) fn from_parsed(ty: wasmparser::ValType) -> Option<Type> {
    Some(match ty {
        wasmparser::ValType::I32 => Type::I32,
        wasmparser::ValType::I64 => Type::I64,
        wasmparser::ValType::F32 => Type::F32,
        wasmparser::ValType::F64 => Type::F64,
        wasmparser::ValType::V128 => Type::V128,
        wasmparser::ValType::Ref(ty) if ty == wasmparser::RefType::FUNCREF => Type::FuncRef,
        wasmparser::ValType::Ref(ty) if ty == wasmparser::RefType::EXTERNREF => Type::ExternRef,
        wasmparser::ValType::Ref(_) => return None,
    })
}

/// A list of types as the text format writes it.
pub(crate) fn type_list(types: impl IntoIterator<Item = Type>) -> String {
    let names: Vec<&str> = types.into_iter().map(Type::name).collect();
    format!("({})", names.join(" "))
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuncType {
    /// Types of the parameters.
    pub params: SmallVec<[Type; 6]>,
    /// Types of the results.
    pub results: SmallVec<[Type; 2]>,
    pub(crate) sig: SigId,
}
