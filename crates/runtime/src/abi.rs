//! The native calling convention: System V AMD64, with the context as the first argument.
//!
//! Arguments behind the context go to registers and stack as the C calling convention has it;
//! vectors go where floats do, on the stack at addresses that are multiples of 16. Results: up to
//! two integers and up to two floats or vectors in registers (`rax`, `rdx`, `xmm0`, `xmm1`).
//! A function with more results than that takes one more argument, right behind the context: the
//! address of an area to which it stores all of them, in slots, in order.

use cupola_ir::{Signature, Type};
use smallvec::SmallVec;

/// Integer argument registers, the context's included.
pub const INT_ARGS: usize = 6;
/// Floating-point argument registers.
pub const FLOAT_ARGS: usize = 8;

/// Where an argument travels.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ArgLoc {
    /// In the integer argument register with this index (`rdi` is 0).
    Int(u8),
    /// In the floating-point argument register with this index.
    Float(u8),
    /// On the stack, in the 8-byte word with this index (and the next, for a vector).
    Stack(u16),
}

/// Where a result travels.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ResultLoc {
    /// In the integer result register with this index (`rax`, `rdx`).
    Int(u8),
    /// In the floating-point result register with this index.
    Float(u8),
    /// In the result area, in the slot with this index (and the next, for a vector).
    Area(u16),
}

/// Whether results of these types need a result area.
pub fn needs_result_area(results: &[Type]) -> bool {
    let floats = results.iter().filter(|ty| ty.in_float_register()).count();
    floats > 2 || results.len() - floats > 2
}

/// Where arguments and results of a signature travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NativeSig {
    /// Place of each parameter.
    pub params: SmallVec<[ArgLoc; 6]>,
    /// Place of each result.
    pub results: SmallVec<[ResultLoc; 2]>,
    /// Whether the address of a result area is passed behind the context.
    pub result_area: bool,
    /// Words of stack arguments.
    pub stack_words: u16,
    /// The signature itself.
    pub types: Signature,
}

impl NativeSig {
    /// The places for `sig`.
    pub fn of(sig: &Signature) -> NativeSig {
        let result_area = needs_result_area(&sig.results);
        let (mut ints, mut floats, mut stack_words) = (if result_area { 2 } else { 1 }, 0, 0u16);
        let mut place = |ty: &Type| {
            let float = ty.in_float_register();
            let (used, limit) =
                if float { (&mut floats, FLOAT_ARGS) } else { (&mut ints, INT_ARGS) };
            if *used < limit {
                *used += 1;
                let index = (*used - 1) as u8;
                if float { ArgLoc::Float(index) } else { ArgLoc::Int(index) }
            } else {
                let words = ty.slots() as u16;
                let word = stack_words.next_multiple_of(words);
                stack_words = word + words;
                ArgLoc::Stack(word)
            }
        };
        let params = sig.params.iter().map(&mut place).collect();
        let (mut ints, mut floats, mut slots) = (0, 0, 0);
        let results = sig
            .results
            .iter()
            .map(|ty| {
                if result_area {
                    slots += ty.slots() as u16;
                    ResultLoc::Area(slots - ty.slots() as u16)
                } else {
                    let float = ty.in_float_register();
                    let used = if float { &mut floats } else { &mut ints };
                    *used += 1;
                    if float { ResultLoc::Float(*used - 1) } else { ResultLoc::Int(*used - 1) }
                }
            })
            .collect();
        NativeSig { params, results, result_area, stack_words, types: sig.clone() }
    }

    /// The places for an entry at a loop header of a function with signature `sig`: behind the
    /// context (and the result area, if the results need one) it takes the arguments of
    /// [`NativeSig::OSR_PARAMS`], and it returns the function's results.
    pub fn osr(sig: &Signature) -> NativeSig {
        let params = SmallVec::from_slice(&NativeSig::OSR_PARAMS);
        NativeSig::of(&Signature { params, results: sig.results.clone() })
    }

    /// What code that is entered at a loop header takes: the address of a T0 frame's slots, and the
    /// number of the loop, which code with one entry needs not look at.
    pub const OSR_PARAMS: [Type; 2] = [Type::I64, Type::I32];

    /// How many slots the arguments take.
    pub fn param_slots(&self) -> usize {
        Type::slots_of(&self.types.params)
    }

    /// How many slots the results take.
    pub fn result_slots(&self) -> usize {
        Type::slots_of(&self.types.results)
    }

    /// What a T0 slot holds for a value that travelled in a 64-bit register or word, whose upper
    /// half means nothing if the type is of 32 bits.
    #[inline]
    pub fn zero_extend(value: u64, ty: Type) -> u64 {
        if ty.bytes() == 4 { value & 0xffff_ffff } else { value }
    }
}

/// Registers and stack words at a call, as the trampolines load and save them.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct NativeFrame {
    /// Integer argument registers; the first is the context.
    pub ints: [u64; INT_ARGS],
    /// Floating-point argument registers.
    pub floats: [[u64; 2]; FLOAT_ARGS],
    /// The stack arguments.
    pub stack: *const u64,
    /// How many words of them there are.
    pub stack_words: usize,
    /// Integer result registers.
    pub result_ints: [u64; 2],
    /// Floating-point result registers.
    pub result_floats: [[u64; 2]; 2],
}
