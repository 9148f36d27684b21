//! Values and ends of calls, as no engine in particular has them.

use crate::random::Random;
use std::fmt;

/// Types of values.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// Vector.
    V128,
    /// Reference to a function.
    Func,
    /// Reference to an object of the host.
    Extern,
}

impl Type {
    /// The type from the decoder's; none for one of the proposals that are off.
    pub fn from_parsed(ty: wasmparser::ValType) -> Option<Type> {
        Some(match ty {
            wasmparser::ValType::I32 => Type::I32,
            wasmparser::ValType::I64 => Type::I64,
            wasmparser::ValType::F32 => Type::F32,
            wasmparser::ValType::F64 => Type::F64,
            wasmparser::ValType::V128 => Type::V128,
            wasmparser::ValType::FUNCREF => Type::Func,
            wasmparser::ValType::EXTERNREF => Type::Extern,
            wasmparser::ValType::Ref(_) => return None,
        })
    }
}

/// A value. Floats are their bits, every NaN being the same one ([`Value::f32`], [`Value::f64`]);
/// of a reference to a function only is known whether there is one; an object of the host is a
/// number.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// Of type [`Type::I32`].
    I32(i32),
    /// Of type [`Type::I64`].
    I64(i64),
    /// Of type [`Type::F32`].
    F32(u32),
    /// Of type [`Type::F64`].
    F64(u64),
    /// Of type [`Type::V128`].
    V128(u128),
    /// Of type [`Type::Func`]: whether it is not null.
    Func(bool),
    /// Of type [`Type::Extern`].
    Extern(Option<u32>),
}

impl Value {
    /// The value of these bits.
    pub fn f32(bits: u32) -> Value {
        Value::F32(if f32::from_bits(bits).is_nan() { 0x7fc0_0000 } else { bits })
    }

    /// The value of these bits.
    pub fn f64(bits: u64) -> Value {
        Value::F64(if f64::from_bits(bits).is_nan() { 0x7ff8 << 48 } else { bits })
    }

    /// A value to call with: likely one at which something changes.
    pub fn random(ty: Type, random: &mut Random) -> Value {
        const INTS: &[i64] = &[0, 1, -1, 2, 7, 31, 32, 63, 64, 255, 65_535, 65_536, 1 << 20];
        const FLOATS: &[f64] =
            &[0.0, -0.0, 1.0, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 2_147_483_648.0];
        let bits = random.bits();
        let any = random.one_in(4);
        match ty {
            Type::I32 if any => Value::I32(bits as i32),
            Type::I32 => Value::I32(*random.choose(&[
                i32::MIN,
                i32::MAX,
                *random.clone().choose(INTS) as i32,
            ])),
            Type::I64 if any => Value::I64(bits as i64),
            Type::I64 => {
                Value::I64(*random.choose(&[i64::MIN, i64::MAX, *random.clone().choose(INTS)]))
            }
            Type::F32 if any => Value::f32(bits as u32),
            Type::F32 => Value::f32((*random.choose(FLOATS) as f32).to_bits()),
            Type::F64 if any => Value::f64(bits),
            Type::F64 => Value::f64(random.choose(FLOATS).to_bits()),
            Type::V128 => Value::V128(u128::from(bits) << 64 | u128::from(random.bits())),
            Type::Func => Value::Func(false),
            Type::Extern => Value::Extern((!any).then_some(bits as u32)),
        }
    }
}

/// Why an execution ended early.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `unreachable`.
    Unreachable,
    /// Out of the bounds of a memory.
    Memory,
    /// Out of the bounds of a table.
    Table,
    /// A call of a null reference.
    NullFunction,
    /// An indirect call of a function of another type.
    Signature,
    /// Division by zero.
    DivisionByZero,
    /// A quotient or an integer that does not fit.
    Overflow,
    /// A NaN that was to be an integer.
    Conversion,
    /// The stack is full. How deep it is differs.
    Stack,
    /// A host function gave an error.
    Host,
}

/// How a call or an instantiation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With results.
    Values(Vec<Value>),
    /// With a trap.
    Trap(Trap),
    /// With something that should not be: an error of the engine, or its panic.
    Failure(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Values(values) => write!(f, "gives {values:x?}"),
            End::Trap(trap) => write!(f, "traps: {trap:?}"),
            End::Failure(message) => write!(f, "fails: {message}"),
        }
    }
}
