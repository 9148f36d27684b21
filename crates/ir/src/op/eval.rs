//! Evaluation functions too long for a row of the opcode table, and the traits that give every
//! pure opcode its meaning as a type (so that T0's handlers are generic over it).

use super::Op;
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

/// A tuple of operand values.
pub trait Operands: Copy {
    /// How many operands there are.
    const COUNT: usize;
    /// Reads the operands; `slot(i)` is the slot of operand `i`.
    fn read(slot: impl Fn(usize) -> u64) -> Self;
}

impl<A: SlotValue> Operands for (A,) {
    const COUNT: usize = 1;
    #[inline(always)]
    fn read(slot: impl Fn(usize) -> u64) -> Self {
        (A::from_slot(slot(0)),)
    }
}

impl<A: SlotValue, B: SlotValue> Operands for (A, B) {
    const COUNT: usize = 2;
    #[inline(always)]
    fn read(slot: impl Fn(usize) -> u64) -> Self {
        (A::from_slot(slot(0)), B::from_slot(slot(1)))
    }
}

impl<A: SlotValue, B: SlotValue, C: SlotValue> Operands for (A, B, C) {
    const COUNT: usize = 3;
    #[inline(always)]
    fn read(slot: impl Fn(usize) -> u64) -> Self {
        (A::from_slot(slot(0)), B::from_slot(slot(1)), C::from_slot(slot(2)))
    }
}

/// A pure opcode as a type.
pub trait PureOp {
    /// The opcode.
    const OP: Op;
    /// The operand types.
    type Args: Operands;
    /// The result type.
    type Output: SlotValue;
    /// Computes the result.
    ///
    /// # Errors
    /// The trap that the operands cause.
    fn eval(args: Self::Args) -> Result<Self::Output, TrapCode>;
}

/// A load or store opcode as a type: how the bytes in memory become a register value.
pub trait MemoryOp {
    /// The opcode on linear memory.
    const OP: Op;
    /// The opcode on raw addresses.
    const RAW: Op;
    /// The register type.
    type Value: SlotValue;
    /// The type in memory.
    type Memory: Copy;
    /// Extends a loaded value to the register type.
    fn extend(value: Self::Memory) -> Self::Value;
    /// Cuts a register value to the stored type.
    fn truncate(value: Self::Value) -> Self::Memory;
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

/// What an evaluation function returns: a value, or a result.
pub(super) trait Outcome<T> {
    fn outcome(self) -> Result<T, TrapCode>;
}

impl<T: SlotValue> Outcome<T> for T {
    #[inline(always)]
    fn outcome(self) -> Result<T, TrapCode> {
        Ok(self)
    }
}

impl<T: SlotValue> Outcome<T> for Result<T, TrapCode> {
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
