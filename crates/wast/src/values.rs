//! Values in scripts: arguments, and patterns that results are compared with.

use crate::outcome::Stop;
use cupola::{ExternRef, Store};
use cupola_wasm::Val;
use wast::core::{NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::token::{F32, F64};
use wast::{WastArg, WastRet};

/// The value of an argument.
pub(crate) fn argument(store: &mut Store, arg: &WastArg<'_>) -> Result<Val, Stop> {
    use wast::core::{AbstractHeapType, HeapType};
    let WastArg::Core(arg) = arg else { return Err(Stop::skipped("component model")) };
    Ok(match arg {
        WastArgCore::I32(v) => Val::I32(*v),
        WastArgCore::I64(v) => Val::I64(*v),
        WastArgCore::F32(v) => Val::F32(f32::from_bits(v.bits)),
        WastArgCore::F64(v) => Val::F64(f64::from_bits(v.bits)),
        WastArgCore::V128(v) => Val::V128(u128::from_le_bytes(v.to_le_bytes())),
        WastArgCore::RefExtern(v) | WastArgCore::RefHost(v) => {
            Val::ExternRef(Some(ExternRef::new(store, *v)))
        }
        WastArgCore::RefNull(HeapType::Abstract { ty: AbstractHeapType::Func, .. }) => {
            Val::FuncRef(None)
        }
        WastArgCore::RefNull(HeapType::Abstract { ty: AbstractHeapType::Extern, .. }) => {
            Val::ExternRef(None)
        }
        // Null references of other types.
        WastArgCore::RefNull(_) => return Err(Stop::skipped("garbage collection")),
    })
}

/// Whether a result is one that the script expects.
pub(crate) fn matches(store: &Store, value: Val, expected: &WastRet<'_>) -> bool {
    let WastRet::Core(expected) = expected else { return false };
    match (value, expected) {
        (_, WastRetCore::Either(options)) => {
            options.iter().any(|option| matches_core(store, value, option))
        }
        _ => matches_core(store, value, expected),
    }
}

fn matches_core(store: &Store, value: Val, expected: &WastRetCore<'_>) -> bool {
    match (value, expected) {
        (Val::I32(a), WastRetCore::I32(b)) => a == *b,
        (Val::I64(a), WastRetCore::I64(b)) => a == *b,
        (Val::F32(a), WastRetCore::F32(pattern)) => matches_f32(a.to_bits(), pattern),
        (Val::F64(a), WastRetCore::F64(pattern)) => matches_f64(a.to_bits(), pattern),
        (Val::V128(a), WastRetCore::V128(pattern)) => matches_v128(a, pattern),
        (Val::FuncRef(a), WastRetCore::RefNull(_)) => a.is_none(),
        (Val::ExternRef(a), WastRetCore::RefNull(_)) => a.is_none(),
        (Val::ExternRef(Some(a)), WastRetCore::RefExtern(b)) => {
            b.is_none_or(|b| a.object(store).downcast_ref() == Some(&b))
        }
        (Val::FuncRef(a), WastRetCore::RefFunc(_)) => a.is_some(),
        _ => false,
    }
}

fn matches_f32(bits: u32, pattern: &NanPattern<F32>) -> bool {
    match pattern {
        NanPattern::CanonicalNan => bits & 0x7fff_ffff == 0x7fc0_0000,
        NanPattern::ArithmeticNan => bits & 0x7fc0_0000 == 0x7fc0_0000,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn matches_f64(bits: u64, pattern: &NanPattern<F64>) -> bool {
    const QUIET: u64 = 0x7ff8 << 48;
    match pattern {
        NanPattern::CanonicalNan => bits & (u64::MAX >> 1) == QUIET,
        NanPattern::ArithmeticNan => bits & QUIET == QUIET,
        NanPattern::Value(value) => bits == value.bits,
    }
}

fn matches_v128(bits: u128, pattern: &V128Pattern) -> bool {
    let by_lane = |count: usize, matches: &dyn Fn(usize, u64) -> bool| {
        let width = 128 / count;
        (0..count).all(|lane| {
            let lane_bits = (bits >> (lane * width)) as u64 & u64::MAX >> (64 - width);
            matches(lane, lane_bits)
        })
    };
    match pattern {
        V128Pattern::I8x16(lanes) => by_lane(16, &|i, bits| bits == u64::from(lanes[i] as u8)),
        V128Pattern::I16x8(lanes) => by_lane(8, &|i, bits| bits == u64::from(lanes[i] as u16)),
        V128Pattern::I32x4(lanes) => by_lane(4, &|i, bits| bits == u64::from(lanes[i] as u32)),
        V128Pattern::I64x2(lanes) => by_lane(2, &|i, bits| bits == lanes[i] as u64),
        V128Pattern::F32x4(lanes) => by_lane(4, &|i, bits| matches_f32(bits as u32, &lanes[i])),
        V128Pattern::F64x2(lanes) => by_lane(2, &|i, bits| matches_f64(bits, &lanes[i])),
    }
}
