//! Values that cross between the host and a program.

use cupola_ir::{SlotValue, Type};
use smallvec::SmallVec;
use std::fmt;

/// A value of any type.
#[derive(Copy, Clone, Debug, PartialEq)]
pub enum Value {
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// IEEE 754 binary32.
    F32(f32),
    /// IEEE 754 binary64.
    F64(f64),
}

impl Value {
    /// The value's type.
    pub fn ty(self) -> Type {
        match self {
            Value::I32(_) => Type::I32,
            Value::I64(_) => Type::I64,
            Value::F32(_) => Type::F32,
            Value::F64(_) => Type::F64,
        }
    }

    /// The slot that holds the value.
    pub fn to_slot(self) -> u64 {
        match self {
            Value::I32(v) => v.to_slot(),
            Value::I64(v) => v.to_slot(),
            Value::F32(v) => v.to_slot(),
            Value::F64(v) => v.to_slot(),
        }
    }

    /// The value of type `ty` in a slot.
    pub fn from_slot(ty: Type, slot: u64) -> Value {
        match ty {
            Type::I32 => Value::I32(SlotValue::from_slot(slot)),
            Type::I64 => Value::I64(SlotValue::from_slot(slot)),
            Type::F32 => Value::F32(SlotValue::from_slot(slot)),
            Type::F64 => Value::F64(SlotValue::from_slot(slot)),
        }
    }

    /// Whether two values have the same type and the same bits, any two NaN counting as the same.
    pub fn same(self, other: Value) -> bool {
        match (self, other) {
            (Value::F32(a), Value::F32(b)) if a.is_nan() && b.is_nan() => true,
            (Value::F64(a), Value::F64(b)) if a.is_nan() && b.is_nan() => true,
            _ => self.ty() == other.ty() && self.to_slot() == other.to_slot(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::I32(v) => write!(f, "{v}"),
            Value::I64(v) => write!(f, "{v}"),
            Value::F32(v) => write!(f, "{v:?}"),
            Value::F64(v) => write!(f, "{v:?}"),
        }
    }
}

macro_rules! value_from {
    ($($ty:ty => $Variant:ident;)*) => {$(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Value {
                Value::$Variant(value)
            }
        }
    )*};
}

value_from! { i32 => I32; i64 => I64; f32 => F32; f64 => F64; }

/// A list of Rust values that stands for a function's parameters or results: `()`, one value, or
/// a tuple of up to nine.
pub trait ValueList: Sized {
    /// The types.
    fn types() -> SmallVec<[Type; 6]>;
    /// Writes the values into the first slots.
    fn write(self, slots: &mut [u64]);
    /// Reads the values from the first slots.
    fn read(slots: &[u64]) -> Self;
}

macro_rules! single {
    ($($ty:ty)*) => {$(
        impl ValueList for $ty {
            fn types() -> SmallVec<[Type; 6]> {
                SmallVec::from_slice(&[<$ty as SlotValue>::TYPE])
            }
            fn write(self, slots: &mut [u64]) {
                slots[0] = self.to_slot();
            }
            fn read(slots: &[u64]) -> Self {
                <$ty as SlotValue>::from_slot(slots[0])
            }
        }
    )*};
}

single! { i32 i64 f32 f64 }

macro_rules! tuple {
    ($($T:ident $i:tt),*) => {
        impl<$($T: SlotValue),*> ValueList for ($($T,)*) {
            fn types() -> SmallVec<[Type; 6]> {
                SmallVec::from_slice(&[$($T::TYPE),*])
            }
            fn write(self, slots: &mut [u64]) {
                $(slots[$i] = self.$i.to_slot();)*
            }
            fn read(slots: &[u64]) -> Self {
                ($($T::from_slot(slots[$i]),)*)
            }
        }
    };
}

impl ValueList for () {
    fn types() -> SmallVec<[Type; 6]> {
        SmallVec::new()
    }
    fn write(self, _slots: &mut [u64]) {}
    fn read(_slots: &[u64]) -> Self {}
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
