//! Evaluation functions of scalar operations that are too long for a row of the opcode table, and
//! the traits that give opcodes their meaning as types (so that T0's handlers are generic over
//! them).

use super::Op;
use super::lanes::V128;
use crate::trap::TrapCode;
use crate::types::Type;

/// A value that lives in one 64-bit slot; narrower values have zeros above.
pub trait SlotValue: Copy {
    /// The register type.
    const TYPE: Type;
    /// The value in the slot `bits`.
    fn from_slot(bits: u64) -> Self;
    /// The slot that holds the value.
    fn to_slot(self) -> u64;
}

impl SlotValue for i32 {
    const TYPE: Type = Type::I32;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        bits as i32
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self as u32)
    }
}

impl SlotValue for i64 {
    const TYPE: Type = Type::I64;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        bits as i64
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        self as u64
    }
}

impl SlotValue for f32 {
    const TYPE: Type = Type::F32;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        u64::from(self.to_bits())
    }
}

impl SlotValue for f64 {
    const TYPE: Type = Type::F64;
    #[inline(always)]
    fn from_slot(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    #[inline(always)]
    fn to_slot(self) -> u64 {
        self.to_bits()
    }
}

/// Where an operation finds its operands: registers' slots, by the operand's number.
pub trait Slots {
    /// The slot of an operand of one slot.
    fn slot(&self, operand: usize) -> u64;
    /// The bytes of a vector.
    fn vector(&self, operand: usize) -> V128;
}

/// Where an operation puts its result.
pub trait SlotsMut {
    /// Sets a result of one slot.
    fn set_slot(self, bits: u64);
    /// Sets a vector.
    fn set_vector(self, bytes: V128);
}

/// Values as [`Imm::constant_bits`](crate::Imm::constant_bits) has them.
impl Slots for [u128] {
    fn slot(&self, operand: usize) -> u64 {
        self[operand] as u64
    }
    fn vector(&self, operand: usize) -> V128 {
        self[operand].to_le_bytes()
    }
}

impl SlotsMut for &mut u128 {
    fn set_slot(self, bits: u64) {
        *self = u128::from(bits);
    }
    fn set_vector(self, bytes: V128) {
        *self = u128::from_le_bytes(bytes);
    }
}

/// A value of a register, of one slot or of two.
pub trait RegValue: Copy {
    /// The register type.
    const TYPE: Type;
    /// Reads an operand.
    fn read(slots: &(impl Slots + ?Sized), operand: usize) -> Self;
    /// Stores a result.
    fn write(self, slots: impl SlotsMut);
}

impl<T: SlotValue> RegValue for T {
    const TYPE: Type = T::TYPE;
    #[inline(always)]
    fn read(slots: &(impl Slots + ?Sized), operand: usize) -> Self {
        T::from_slot(slots.slot(operand))
    }
    #[inline(always)]
    fn write(self, slots: impl SlotsMut) {
        slots.set_slot(self.to_slot());
    }
}

impl RegValue for V128 {
    const TYPE: Type = Type::V128;
    #[inline(always)]
    fn read(slots: &(impl Slots + ?Sized), operand: usize) -> Self {
        slots.vector(operand)
    }
    #[inline(always)]
    fn write(self, slots: impl SlotsMut) {
        slots.set_vector(self);
    }
}

/// A tuple of operand values.
pub trait Operands: Copy {
    /// How many operands there are.
    const COUNT: usize;
    /// Reads the operands.
    fn read(slots: &(impl Slots + ?Sized)) -> Self;
}

impl<A: RegValue> Operands for (A,) {
    const COUNT: usize = 1;
    #[inline(always)]
    fn read(slots: &(impl Slots + ?Sized)) -> Self {
        (A::read(slots, 0),)
    }
}

impl<A: RegValue, B: RegValue> Operands for (A, B) {
    const COUNT: usize = 2;
    #[inline(always)]
    fn read(slots: &(impl Slots + ?Sized)) -> Self {
        (A::read(slots, 0), B::read(slots, 1))
    }
}

impl<A: RegValue, B: RegValue, C: RegValue> Operands for (A, B, C) {
    const COUNT: usize = 3;
    #[inline(always)]
    fn read(slots: &(impl Slots + ?Sized)) -> Self {
        (A::read(slots, 0), B::read(slots, 1), C::read(slots, 2))
    }
}

/// A pure opcode as a type.
pub trait PureOp {
    /// The opcode.
    const OP: Op;
    /// The operand types.
    type Args: Operands;
    /// The result type.
    type Output: RegValue;
    /// Computes the result.
    ///
    /// # Errors
    /// The trap that the operands cause.
    fn eval(args: Self::Args) -> Result<Self::Output, TrapCode>;
}

/// An opcode on a lane of a vector as a type.
pub trait LaneOp {
    /// The opcode.
    const OP: Op;
    /// The operand types.
    type Args: Operands;
    /// The result type.
    type Output: RegValue;
    /// Computes the result. `lane` is less than [`Op::lanes`].
    fn eval(args: Self::Args, lane: u8) -> Self::Output;
}

/// A load as a type: how the bytes in memory become a register value.
pub trait LoadOp {
    /// The opcode on linear memory.
    const OP: Op;
    /// The register type.
    type Value: RegValue;
    /// The type in memory.
    type Memory: Copy;
    /// The register value of what memory holds.
    fn load(value: Self::Memory) -> Self::Value;
}

/// A store as a type: how a register value becomes bytes in memory.
pub trait StoreOp {
    /// The opcode on linear memory.
    const OP: Op;
    /// The register type.
    type Value: RegValue;
    /// The type in memory.
    type Memory: Copy;
    /// What memory holds for a register value.
    fn store(value: Self::Value) -> Self::Memory;
}

/// A load of a lane of a vector as a type.
pub trait LoadLaneOp {
    /// The opcode on linear memory.
    const OP: Op;
    /// The type in memory.
    type Memory: Copy;
    /// The vector with the lane replaced by what memory holds.
    fn load(vector: V128, lane: u8, value: Self::Memory) -> V128;
}

/// A store of a lane of a vector as a type.
pub trait StoreLaneOp {
    /// The opcode on linear memory.
    const OP: Op;
    /// The type in memory.
    type Memory: Copy;
    /// The lane.
    fn store(vector: V128, lane: u8) -> Self::Memory;
}

/// Applies an evaluation function to a tuple of operands.
pub(super) trait EvalFn<Args> {
    type Out;
    fn apply(self, args: Args) -> Self::Out;
}

impl<F: Fn(A) -> R, A, R> EvalFn<(A,)> for F {
    type Out = R;
    #[inline(always)]
    fn apply(self, args: (A,)) -> R {
        self(args.0)
    }
}

impl<F: Fn(A, B) -> R, A, B, R> EvalFn<(A, B)> for F {
    type Out = R;
    #[inline(always)]
    fn apply(self, args: (A, B)) -> R {
        self(args.0, args.1)
    }
}

impl<F: Fn(A, B, C) -> R, A, B, C, R> EvalFn<(A, B, C)> for F {
    type Out = R;
    #[inline(always)]
    fn apply(self, args: (A, B, C)) -> R {
        self(args.0, args.1, args.2)
    }
}

/// Applies an evaluation function to a tuple of operands and the number of a lane.
pub(super) trait LaneFn<Args> {
    type Out;
    fn apply(self, args: Args, lane: u8) -> Self::Out;
}

impl<F: Fn(A, u8) -> R, A, R> LaneFn<(A,)> for F {
    type Out = R;
    #[inline(always)]
    fn apply(self, args: (A,), lane: u8) -> R {
        self(args.0, lane)
    }
}

impl<F: Fn(A, B, u8) -> R, A, B, R> LaneFn<(A, B)> for F {
    type Out = R;
    #[inline(always)]
    fn apply(self, args: (A, B), lane: u8) -> R {
        self(args.0, args.1, lane)
    }
}

/// Applies the function of a load or store.
#[inline(always)]
pub(super) fn convert<A, R>(f: impl Fn(A) -> R, value: A) -> R {
    f(value)
}

/// What an evaluation function returns: a value, or a result.
pub(super) trait Outcome<T> {
    fn outcome(self) -> Result<T, TrapCode>;
}

impl<T: RegValue> Outcome<T> for T {
    #[inline(always)]
    fn outcome(self) -> Result<T, TrapCode> {
        Ok(self)
    }
}

impl<T: RegValue> Outcome<T> for Result<T, TrapCode> {
    #[inline(always)]
    fn outcome(self) -> Result<T, TrapCode> {
        self
    }
}

macro_rules! integer_division {
    ($div_s:ident $div_u:ident $rem_s:ident $rem_u:ident $s:ty, $u:ty) => {
        #[inline(always)]
        pub(super) fn $div_s(a: $s, b: $s) -> Result<$s, TrapCode> {
            if b == 0 {
                return Err(TrapCode::IntDivByZero);
            }
            a.checked_div(b).ok_or(TrapCode::IntOverflow)
        }

        #[inline(always)]
        pub(super) fn $div_u(a: $s, b: $s) -> Result<$s, TrapCode> {
            (a as $u).checked_div(b as $u).map(|q| q as $s).ok_or(TrapCode::IntDivByZero)
        }

        #[inline(always)]
        pub(super) fn $rem_s(a: $s, b: $s) -> Result<$s, TrapCode> {
            if b == 0 { Err(TrapCode::IntDivByZero) } else { Ok(a.wrapping_rem(b)) }
        }

        #[inline(always)]
        pub(super) fn $rem_u(a: $s, b: $s) -> Result<$s, TrapCode> {
            (a as $u).checked_rem(b as $u).map(|q| q as $s).ok_or(TrapCode::IntDivByZero)
        }
    };
}

integer_division!(i32_div_s i32_div_u i32_rem_s i32_rem_u i32, u32);
integer_division!(i64_div_s i64_div_u i64_rem_s i64_rem_u i64, u64);

macro_rules! float_min_max {
    ($min:ident $max:ident $f:ty) => {
        #[inline(always)]
        pub(super) fn $min(a: $f, b: $f) -> $f {
            if a < b {
                a
            } else if b < a {
                b
            } else if a == b {
                // Equal operands differ at most in the sign of zero: -0 if either has it.
                <$f>::from_bits(a.to_bits() | b.to_bits())
            } else {
                a + b
            }
        }

        #[inline(always)]
        pub(super) fn $max(a: $f, b: $f) -> $f {
            if a > b {
                a
            } else if b > a {
                b
            } else if a == b {
                // Equal operands differ at most in the sign of zero: +0 if either has it.
                <$f>::from_bits(a.to_bits() & b.to_bits())
            } else {
                a + b
            }
        }
    };
}

float_min_max!(f32_min f32_max f32);
float_min_max!(f64_min f64_max f64);

/// Rounding to integers. The library's functions may give a NaN back as it is; the result has to be
/// a quiet one.
macro_rules! float_rounding {
    ($($name:ident $f:ty, $round:ident, $quiet:expr;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(a: $f) -> $f {
            if a.is_nan() { <$f>::from_bits(a.to_bits() | $quiet) } else { a.$round() }
        }
    )*};
}

float_rounding! {
    f32_ceil f32, ceil, 1 << 22;
    f32_floor f32, floor, 1 << 22;
    f32_trunc f32, trunc, 1 << 22;
    f32_nearest f32, round_ties_even, 1 << 22;
    f64_ceil f64, ceil, 1 << 51;
    f64_floor f64, floor, 1 << 51;
    f64_trunc f64, trunc, 1 << 51;
    f64_nearest f64, round_ties_even, 1 << 51;
}

/// Truncating conversions. `$below` is the greatest float that is too small, and `$above` the
/// smallest one that is too great, for the integer type.
macro_rules! float_to_int {
    ($($name:ident $f:ty => $via:ty => $out:ty, $below:expr, $above:expr;)*) => {$(
        #[inline(always)]
        pub(super) fn $name(a: $f) -> Result<$out, TrapCode> {
            if a.is_nan() {
                Err(TrapCode::BadConversion)
            } else if a > $below && a < $above {
                Ok(a as $via as $out)
            } else {
                Err(TrapCode::IntOverflow)
            }
        }
    )*};
}

float_to_int! {
    i32_trunc_f32_s f32 => i32 => i32, -2147483904.0, 2147483648.0;
    i32_trunc_f32_u f32 => u32 => i32, -1.0, 4294967296.0;
    i32_trunc_f64_s f64 => i32 => i32, -2147483649.0, 2147483648.0;
    i32_trunc_f64_u f64 => u32 => i32, -1.0, 4294967296.0;
    i64_trunc_f32_s f32 => i64 => i64, -9223373136366403584.0, 9223372036854775808.0;
    i64_trunc_f32_u f32 => u64 => i64, -1.0, 18446744073709551616.0;
    i64_trunc_f64_s f64 => i64 => i64, -9223372036854777856.0, 9223372036854775808.0;
    i64_trunc_f64_u f64 => u64 => i64, -1.0, 18446744073709551616.0;
}
