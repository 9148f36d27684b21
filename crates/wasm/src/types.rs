//! WebAssembly's types and values, and what they are in the engine.
//!
//! A reference is an i64 to the engine, 0 if it is null: of a function its index plus 1, of a host
//! object the host's number plus 1. A program cannot make one up, since its types were checked, and
//! nothing trusts one: tables are set by function index, within bounds.

use cupola::Value;
use cupola_ir::{FuncId, SigId, Type};
use smallvec::SmallVec;
use std::fmt;

/// A value type.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Vector of 128 bits.
    V128,
    /// Reference to a function, or null.
    FuncRef,
    /// Reference to an object of the host, or null.
    ExternRef,
}

impl ValType {
    /// The type from the decoder's; none if it is of a proposal that is not supported.
    pub(crate) fn from_parsed(ty: wasmparser::ValType) -> Option<ValType> {
        Some(match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(ty) if ty == wasmparser::RefType::FUNCREF => ValType::FuncRef,
            wasmparser::ValType::Ref(ty) if ty == wasmparser::RefType::EXTERNREF => {
                ValType::ExternRef
            }
            wasmparser::ValType::Ref(_) => return None,
        })
    }

    /// The type of the register that holds such a value.
    pub(crate) fn register(self) -> Type {
        match self {
            ValType::I32 => Type::I32,
            ValType::I64 | ValType::FuncRef | ValType::ExternRef => Type::I64,
            ValType::F32 => Type::F32,
            ValType::F64 => Type::F64,
            ValType::V128 => Type::V128,
        }
    }

    /// The name of the type in the text format.
    pub fn name(self) -> &'static str {
        match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 => "v128",
            ValType::FuncRef => "funcref",
            ValType::ExternRef => "externref",
        }
    }
}

/// A list of types as the text format writes it.
pub(crate) fn type_list(types: impl IntoIterator<Item = ValType>) -> String {
    let names: Vec<&str> = types.into_iter().map(ValType::name).collect();
    format!("({})", names.join(" "))
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuncType {
    /// Types of the parameters.
    pub params: SmallVec<[ValType; 6]>,
    /// Types of the results.
    pub results: SmallVec<[ValType; 2]>,
    pub(crate) sig: SigId,
}

/// A value.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Val {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// IEEE 754 binary32.
    F32(f32),
    /// IEEE 754 binary64.
    F64(f64),
    /// Vector of 128 bits; lane 0 has the lowest.
    V128(u128),
    /// A function of the instance by its index, or null.
    FuncRef(Option<u32>),
    /// An object of the host by a number of the host's choice, or null.
    ExternRef(Option<u32>),
}

impl Val {
    /// The value's type.
    pub fn ty(self) -> ValType {
        match self {
            Val::I32(_) => ValType::I32,
            Val::I64(_) => ValType::I64,
            Val::F32(_) => ValType::F32,
            Val::F64(_) => ValType::F64,
            Val::V128(_) => ValType::V128,
            Val::FuncRef(_) => ValType::FuncRef,
            Val::ExternRef(_) => ValType::ExternRef,
        }
    }

    /// The value as the engine has it.
    pub(crate) fn to_engine(self) -> Value {
        match self {
            Val::I32(v) => Value::I32(v),
            Val::I64(v) => Value::I64(v),
            Val::F32(v) => Value::F32(v),
            Val::F64(v) => Value::F64(v),
            Val::V128(v) => Value::V128(v),
            Val::FuncRef(v) | Val::ExternRef(v) => Value::I64(v.map_or(0, |v| i64::from(v) + 1)),
        }
    }

    /// The value of type `ty` with the bits that the engine has for it ([`Value::to_bits`]).
    pub(crate) fn from_bits(ty: ValType, bits: u128) -> Val {
        let slot = bits as u64;
        let reference = || slot.checked_sub(1).map(|v| v as u32);
        match ty {
            ValType::FuncRef => Val::FuncRef(reference()),
            ValType::ExternRef => Val::ExternRef(reference()),
            ValType::I32 => Val::I32(slot as i32),
            ValType::I64 => Val::I64(slot as i64),
            ValType::F32 => Val::F32(f32::from_bits(slot as u32)),
            ValType::F64 => Val::F64(f64::from_bits(slot)),
            ValType::V128 => Val::V128(bits),
        }
    }
}

impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Val::I32(v) => write!(f, "{v}"),
            Val::I64(v) => write!(f, "{v}"),
            Val::F32(v) => write!(f, "{v:?}"),
            Val::F64(v) => write!(f, "{v:?}"),
            Val::V128(v) => write!(f, "{v:#034x}"),
            Val::FuncRef(None) | Val::ExternRef(None) => f.write_str("null"),
            Val::FuncRef(Some(index)) => write!(f, "func {index}"),
            Val::ExternRef(Some(number)) => write!(f, "extern {number}"),
        }
    }
}

/// The function behind a function reference as the engine has it.
pub(crate) fn func_of(payload: u64) -> Option<FuncId> {
    payload.checked_sub(1).map(|index| FuncId::from_u32(index as u32))
}

/// A function reference as the engine has it.
pub(crate) fn func_payload(func: Option<FuncId>) -> u64 {
    func.map_or(0, |func| u64::from(func.as_u32()) + 1)
}
