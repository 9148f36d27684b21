//! Values and patterns of values in messages.

use cupola_wasm::Val;
use wast::WastRet;
use wast::core::{NanPattern, WastRetCore};

/// The values of a result.
pub(crate) fn list(values: &[Val]) -> String {
    joined(values.iter().map(|&value| describe(value)))
}

/// The results that a script expects.
pub(crate) fn patterns(results: &[WastRet<'_>]) -> String {
    joined(results.iter().map(|result| match result {
        WastRet::Core(pattern) => describe_pattern(pattern),
        _ => "a component's value".to_owned(),
    }))
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { "no values".to_owned() } else { parts.join(", ") }
}

fn describe(value: Val) -> String {
    match value {
        // The bits tell canonical and arithmetic ones apart.
        Val::F32(v) if v.is_nan() => format!("f32 NaN {:#x}", v.to_bits()),
        Val::F64(v) if v.is_nan() => format!("f64 NaN {:#x}", v.to_bits()),
        value => format!("{} {value}", value.ty()),
    }
}

fn describe_pattern(pattern: &WastRetCore<'_>) -> String {
    match pattern {
        WastRetCore::I32(v) => describe(Val::I32(*v)),
        WastRetCore::I64(v) => describe(Val::I64(*v)),
        WastRetCore::F32(v) => nan("f32", v, |v| describe(Val::F32(f32::from_bits(v.bits)))),
        WastRetCore::F64(v) => nan("f64", v, |v| describe(Val::F64(f64::from_bits(v.bits)))),
        WastRetCore::V128(v) => format!("v128 {v:?}"),
        WastRetCore::RefNull(_) => "a null reference".to_owned(),
        WastRetCore::RefExtern(Some(v)) => format!("host object {v}"),
        WastRetCore::RefExtern(None) => "a host object".to_owned(),
        WastRetCore::RefFunc(_) => "a function".to_owned(),
        WastRetCore::Either(options) => {
            let options: Vec<String> = options.iter().map(describe_pattern).collect();
            options.join(" or ")
        }
        other => format!("{other:?}"),
    }
}

fn nan<T>(ty: &str, pattern: &NanPattern<T>, value: impl Fn(&T) -> String) -> String {
    match pattern {
        NanPattern::CanonicalNan => format!("{ty} canonical NaN"),
        NanPattern::ArithmeticNan => format!("{ty} arithmetic NaN"),
        NanPattern::Value(v) => value(v),
    }
}
