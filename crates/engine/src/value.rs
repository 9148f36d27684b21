//! Values that cross between the host and a program.

use crate::store::{ExternRef, Func, Ref, StoreInner};
use cupola_ir::{RefType, SlotValue, Type};
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
    /// Vector of 128 bits, lane 0 lowest.
    V128(u128),
    /// Reference to a function, or null.
    FuncRef(Option<Func>),
    /// Reference to an object of the host, or null.
    ExternRef(Option<ExternRef>),
}

impl Value {
    /// The value's type.
    pub fn ty(self) -> Type {
        match self {
            Value::I32(_) => Type::I32,
            Value::I64(_) => Type::I64,
            Value::F32(_) => Type::F32,
            Value::F64(_) => Type::F64,
            Value::V128(_) => Type::V128,
            Value::FuncRef(_) => Type::FuncRef,
            Value::ExternRef(_) => Type::ExternRef,
        }
    }

    /// The bits of the slots that hold the value ([`Imm::constant`](cupola_ir::Imm::constant)). What
    /// a reference is to programs is the business of its store: its bits are zero.
    pub fn to_bits(self) -> u128 {
        match self {
            Value::I32(v) => v.to_slot().into(),
            Value::I64(v) => v.to_slot().into(),
            Value::F32(v) => v.to_slot().into(),
            Value::F64(v) => v.to_slot().into(),
            Value::V128(v) => v,
            Value::FuncRef(_) | Value::ExternRef(_) => 0,
        }
    }

    /// The value of type `ty` with these bits; of a reference, null, whatever they are.
    pub fn from_bits(ty: Type, bits: u128) -> Value {
        let slot = bits as u64;
        match ty {
            Type::I32 => Value::I32(SlotValue::from_slot(slot)),
            Type::I64 => Value::I64(SlotValue::from_slot(slot)),
            Type::F32 => Value::F32(SlotValue::from_slot(slot)),
            Type::F64 => Value::F64(SlotValue::from_slot(slot)),
            Type::V128 => Value::V128(bits),
            Type::FuncRef => Value::FuncRef(None),
            Type::ExternRef => Value::ExternRef(None),
        }
    }

    /// The reference, if it is one.
    pub fn reference(self) -> Option<Ref> {
        match self {
            Value::FuncRef(func) => Some(Ref::Func(func)),
            Value::ExternRef(object) => Some(Ref::Extern(object)),
            _ => None,
        }
    }

    /// Writes values into slots of a store, one after the other.
    ///
    /// # Panics
    /// If a reference belongs to another store.
    pub(crate) fn write_all(values: &[Value], store: &StoreInner, mut slots: &mut [u64]) {
        for value in values {
            let (own, rest) = slots.split_at_mut(value.ty().slots() as usize);
            own[0] = match value.reference() {
                Some(reference) => reference.to_word(store),
                None => value.to_bits() as u64,
            };
            if let Some(upper) = own.get_mut(1) {
                *upper = (value.to_bits() >> 64) as u64;
            }
            slots = rest;
        }
    }

    /// Reads values of these types from slots of a store, one after the other.
    ///
    /// # Safety
    /// Slots of references must hold references of that kind in this store.
    pub(crate) unsafe fn read_all(
        types: &[Type],
        store: &StoreInner,
        mut slots: &[u64],
    ) -> Vec<Value> {
        let read = |&ty: &Type| {
            let (own, rest) = slots.split_at(ty.slots() as usize);
            slots = rest;
            if let Some(kind) = RefType::of(ty) {
                // SAFETY: the caller's duty.
                return unsafe { Ref::from_word(store, kind, own[0]) }.into();
            }
            let upper = own.get(1).map_or(0, |&upper| u128::from(upper));
            Value::from_bits(ty, u128::from(own[0]) | upper << 64)
        };
        types.iter().map(read).collect()
    }

    /// Whether two values have the same type and the same bits, any two NaN counting as the same.
    pub fn same(self, other: Value) -> bool {
        match (self, other) {
            (Value::F32(a), Value::F32(b)) if a.is_nan() && b.is_nan() => true,
            (Value::F64(a), Value::F64(b)) if a.is_nan() && b.is_nan() => true,
            (Value::FuncRef(a), Value::FuncRef(b)) => a == b,
            (Value::ExternRef(a), Value::ExternRef(b)) => a == b,
            _ => self.ty() == other.ty() && self.to_bits() == other.to_bits(),
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
            Value::V128(v) => write!(f, "{v:#034x}"),
            Value::FuncRef(None) | Value::ExternRef(None) => f.write_str("null"),
            Value::FuncRef(Some(_)) => f.write_str("a function"),
            Value::ExternRef(Some(_)) => f.write_str("an object of the host"),
        }
    }
}

impl From<Ref> for Value {
    fn from(reference: Ref) -> Value {
        match reference {
            Ref::Func(func) => Value::FuncRef(func),
            Ref::Extern(object) => Value::ExternRef(object),
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

value_from! { i32 => I32; i64 => I64; f32 => F32; f64 => F64; u128 => V128; }

/// A Rust value that stands for one of a program: of type `i32`, `i64`, `f32`, `f64`, or `u128` for
/// a vector.
pub trait HostValue: Copy {
    /// The type.
    const TYPE: Type;
    /// Writes the value into the first slots.
    fn write_to(self, slots: &mut [u64]);
    /// Reads the value from the first slots.
    fn read_from(slots: &[u64]) -> Self;
}

macro_rules! one_slot {
    ($($ty:ty)*) => {$(
        impl HostValue for $ty {
            const TYPE: Type = <$ty as SlotValue>::TYPE;
            fn write_to(self, slots: &mut [u64]) {
                slots[0] = self.to_slot();
            }
            fn read_from(slots: &[u64]) -> Self {
                SlotValue::from_slot(slots[0])
            }
        }
    )*};
}

one_slot! { i32 i64 f32 f64 }

impl HostValue for u128 {
    const TYPE: Type = Type::V128;
    fn write_to(self, slots: &mut [u64]) {
        slots[0] = self as u64;
        slots[1] = (self >> 64) as u64;
    }
    fn read_from(slots: &[u64]) -> Self {
        u128::from(slots[0]) | u128::from(slots[1]) << 64
    }
}

/// A list of Rust values that stands for a function's parameters or results: `()`, one value, or
/// a tuple of up to nine.
pub trait ValueList: Sized {
    /// How many slots the values take.
    const SLOTS: usize;
    /// The types.
    fn types() -> SmallVec<[Type; 6]>;
    /// Writes the values into the first slots.
    fn write(self, slots: &mut [u64]);
    /// Reads the values from the first slots.
    fn read(slots: &[u64]) -> Self;
}

/// The most slots that a [`ValueList`] takes.
pub(crate) const MAX_LIST_SLOTS: usize = 18;

macro_rules! single {
    ($($ty:ty)*) => {$(
        impl ValueList for $ty {
            const SLOTS: usize = <$ty as HostValue>::TYPE.slots() as usize;
            fn types() -> SmallVec<[Type; 6]> {
                SmallVec::from_slice(&[<$ty as HostValue>::TYPE])
            }
            fn write(self, slots: &mut [u64]) {
                self.write_to(slots);
            }
            fn read(slots: &[u64]) -> Self {
                <$ty as HostValue>::read_from(slots)
            }
        }
    )*};
}

single! { i32 i64 f32 f64 u128 }

/// Takes the slots of the next value of a list.
struct Cursor(usize);

impl Cursor {
    fn next<T: HostValue>(&mut self) -> usize {
        let at = self.0;
        self.0 += T::TYPE.slots() as usize;
        at
    }
}

macro_rules! tuple {
    ($($T:ident $i:tt),*) => {
        impl<$($T: HostValue),*> ValueList for ($($T,)*) {
            const SLOTS: usize = 0 $(+ $T::TYPE.slots() as usize)*;
            fn types() -> SmallVec<[Type; 6]> {
                SmallVec::from_slice(&[$($T::TYPE),*])
            }
            fn write(self, slots: &mut [u64]) {
                let mut at = Cursor(0);
                $(self.$i.write_to(&mut slots[at.next::<$T>()..]);)*
            }
            fn read(slots: &[u64]) -> Self {
                let mut at = Cursor(0);
                ($($T::read_from(&slots[at.next::<$T>()..]),)*)
            }
        }
    };
}

impl ValueList for () {
    const SLOTS: usize = 0;
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
