//! Value types and signatures.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::fmt;

/// The type of a register.
///
/// Every type names how many interpreter slots of 64 bits it takes ([`Type::slots`]); all layouts
/// (T0 frames, on-stack-replacement buffers, deoptimization buffers) are computed from that.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Type {
    /// 32-bit integer, no sign of its own.
    I32,
    /// 64-bit integer, no sign of its own.
    I64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Vector of 128 bits, of lanes that the operations give it.
    V128,
    /// Reference to a function, or null. Programs cannot make one up.
    FuncRef,
    /// Reference to an object of the host, or null. Programs cannot make one up.
    ExternRef,
}

impl Type {
    /// All types of numbers and vectors, in the order in which the manual lists them.
    pub const ALL: [Type; 5] = [Type::I32, Type::I64, Type::F32, Type::F64, Type::V128];

    /// All types of references.
    pub const REFERENCES: [Type; 2] = [Type::FuncRef, Type::ExternRef];

    /// The name of the type in the text format.
    pub const fn name(self) -> &'static str {
        match self {
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::V128 => "v128",
            Type::FuncRef => "funcref",
            Type::ExternRef => "externref",
        }
    }

    /// The type named `name` in the text format.
    pub fn from_name(name: &str) -> Option<Type> {
        Type::ALL.into_iter().chain(Type::REFERENCES).find(|ty| ty.name() == name)
    }

    /// How many 64-bit slots a value of this type takes in a T0 frame. The lower slot has the low
    /// half.
    pub const fn slots(self) -> u32 {
        match self {
            Type::V128 => 2,
            _ => 1,
        }
    }

    /// How many slots values of these types take one after the other.
    pub fn slots_of(types: &[Type]) -> usize {
        types.iter().map(|ty| ty.slots() as usize).sum()
    }

    /// Whether it is a floating-point type.
    pub const fn is_float(self) -> bool {
        matches!(self, Type::F32 | Type::F64)
    }

    /// Whether it is a type of references.
    pub const fn is_reference(self) -> bool {
        matches!(self, Type::FuncRef | Type::ExternRef)
    }

    /// Whether values of this type travel in floating-point (that is, vector) registers.
    pub const fn in_float_register(self) -> bool {
        matches!(self, Type::F32 | Type::F64 | Type::V128)
    }

    /// Size of a value in bytes.
    pub const fn bytes(self) -> u32 {
        match self {
            Type::I32 | Type::F32 => 4,
            Type::I64 | Type::F64 | Type::FuncRef | Type::ExternRef => 8,
            Type::V128 => 16,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Parameter and result types of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    /// Types of the parameters.
    pub params: SmallVec<[Type; 6]>,
    /// Types of the results.
    pub results: SmallVec<[Type; 2]>,
}

impl Signature {
    /// A signature with these parameter and result types.
    pub fn new(
        params: impl IntoIterator<Item = Type>,
        results: impl IntoIterator<Item = Type>,
    ) -> Signature {
        Signature { params: params.into_iter().collect(), results: results.into_iter().collect() }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[Type]| -> fmt::Result {
            for (i, ty) in types.iter().enumerate() {
                write!(f, "{}{ty}", if i == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        f.write_str("(")?;
        list(f, &self.params)?;
        f.write_str(")")?;
        match self.results.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " -> {one}"),
            many => {
                f.write_str(" -> (")?;
                list(f, many)?;
                f.write_str(")")
            }
        }
    }
}
