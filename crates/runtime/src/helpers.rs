//! The functions of the engine that generated code calls.
//!
//! Generated code never calls them directly but through a thunk for each
//! ([`crate::arch::helper_thunk`]), which saves where generated code was left, so that its frames
//! can be walked. They use the C calling convention and take the context first. Those that can
//! fail do not return then: they unwind to the entry into generated code.

use serde::{Deserialize, Serialize};

/// Type of a helper's argument or result in generated code.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum HelperType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer or address.
    I64,
}

macro_rules! helpers {
    ($($(#[doc = $doc:literal])* $Name:ident ($($arg:ident),*) $(-> $ret:ident)?;)*) => {
        /// A function of the engine that generated code calls.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum Helper { $($(#[doc = $doc])* $Name,)* }

        impl Helper {
            /// All helpers.
            pub const ALL: &'static [Helper] = &[$(Helper::$Name,)*];

            /// Its name, for listings.
            pub const fn name(self) -> &'static str {
                match self { $(Helper::$Name => stringify!($Name),)* }
            }

            /// Types of the arguments behind the context, and of the result.
            pub const fn signature(self) -> (&'static [HelperType], Option<HelperType>) {
                match self {
                    $(Helper::$Name => (
                        &[$(HelperType::$arg),*],
                        helpers!(@ret $($ret)?),
                    ),)*
                }
            }
        }
    };
    (@ret) => { None };
    (@ret $ret:ident) => { Some(HelperType::$ret) };
}

helpers! {
    /// `(func)`: the call counter of a function ran out.
    CallHot(I32);
    /// `(func, loop) -> code`: the counter of a loop ran out. Gives the address of code to go on in
    /// (an OSR entry for this loop), or 0 to stay.
    LoopHot(I32, I32) -> I64;
    /// `(code id, exit)`: a loop of optimized code was asked to look for better code. Sets
    /// `VmLimits::leave` to whether it is to leave by its deoptimization exit `exit`, behind which
    /// better code goes on. Keeps all registers, of vector registers the low 128 bits.
    Poll(I64, I32);
    /// `(code id, exit, values)`: goes on in the interpreter to the function's end. `values` points
    /// to the frame state's values, one after the other in slots; the function's results
    /// are stored to the same place, from the first slot on.
    Deopt(I64, I32, I64);
    /// `(memory, pages) -> old size`: grows a memory; gives -1 if it cannot grow.
    MemoryGrow(I32, I64) -> I64;
    /// `(func, op, site, slots)`: a dialect operation of function `func`; `slots` points to the
    /// operands and takes the results, from the first slot on.
    Dialect(I32, I32, I32, I64);
}
