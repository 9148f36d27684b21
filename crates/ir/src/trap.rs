//! The ways in which a program can trap.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! trap_codes {
    ($($(#[doc = $doc:literal])* $Name:ident $text:literal $message:literal;)*) => {
        /// Why a program trapped. A trap is a value; a failure of the engine is an error. The two
        /// never mix.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum TrapCode { $($(#[doc = $doc])* $Name,)* }

        impl TrapCode {
            /// All trap codes; a code's index is its `as u8` value.
            pub const ALL: &'static [TrapCode] = &[$(TrapCode::$Name,)*];

            /// The name of the code in the text format.
            pub const fn name(self) -> &'static str {
                match self { $(TrapCode::$Name => $text,)* }
            }

            /// A sentence for people.
            pub const fn message(self) -> &'static str {
                match self { $(TrapCode::$Name => $message,)* }
            }
        }
    };
}

trap_codes! {
    /// An `unreachable` instruction was executed.
    Unreachable "unreachable" "unreachable code executed";
    /// Integer division or remainder by zero.
    IntDivByZero "int_div_zero" "integer division by zero";
    /// Signed division of the smallest integer by -1, or a float out of range of the integer type
    /// it is converted to.
    IntOverflow "int_overflow" "integer overflow";
    /// Conversion of NaN to an integer.
    BadConversion "bad_conversion" "invalid conversion to integer";
    /// An access outside a linear memory.
    MemOutOfBounds "mem_oob" "out of bounds memory access";
    /// An access outside a table.
    TableOutOfBounds "table_oob" "out of bounds table access";
    /// An indirect call of an empty table slot.
    NullFunction "null_function" "indirect call of an uninitialized table slot";
    /// An indirect call of a function with another signature.
    SignatureMismatch "sig_mismatch" "indirect call of a function with another signature";
    /// The call stack is used up.
    StackOverflow "stack_overflow" "call stack exhausted";
    /// Another thread asked for the interruption.
    Interrupted "interrupted" "execution interrupted";
    /// The fuel given to the instance is used up.
    OutOfFuel "out_of_fuel" "all fuel consumed";
}

impl TrapCode {
    /// The code named `name` in the text format.
    pub fn from_name(name: &str) -> Option<TrapCode> {
        TrapCode::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code with the numeric value `byte`.
    pub fn from_u8(byte: u8) -> Option<TrapCode> {
        TrapCode::ALL.get(usize::from(byte)).copied()
    }
}

impl fmt::Display for TrapCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for TrapCode {}
