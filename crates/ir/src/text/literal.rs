//! Numbers and strings of the text format: reading and writing.

use crate::types::Type;
use std::fmt::Write;

/// The bits of the literal `text` of type `ty`: those of its slot, or of both slots of a vector.
///
/// # Errors
/// A message for people.
pub fn parse_literal(text: &str, ty: Type) -> Result<u128, String> {
    match ty {
        Type::I32 => parse_int(text, 32).map(u128::from),
        Type::I64 => parse_int(text, 64).map(u128::from),
        Type::F32 => parse_float(text, &F32).map(u128::from),
        Type::F64 => parse_float(text, &F64).map(u128::from),
        Type::V128 => parse_vector(text),
        Type::FuncRef | Type::ExternRef if text == "null" => Ok(0),
        Type::FuncRef | Type::ExternRef => Err(format!("`{}` is not `null`", shorten(text))),
    }
}

/// A vector as one hexadecimal number, lane 0 lowest.
fn parse_vector(text: &str) -> Result<u128, String> {
    let digits = text.strip_prefix("0x").filter(|digits| !digits.starts_with('+'));
    let parsed = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
    parsed.ok_or_else(|| format!("`{}` is not a hexadecimal number of 128 bits", shorten(text)))
}

/// Sign and digits of a number.
fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// An unsigned number, decimal or hexadecimal.
///
/// # Errors
/// A message for people.
pub(super) fn parse_u64(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with('+') => None,
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    };
    parsed.ok_or_else(|| format!("`{}` is not a number from 0 to 2^64-1", shorten(text)))
}

fn parse_int(text: &str, bits: u32) -> Result<u64, String> {
    let (negative, digits) = split_sign(text);
    let mask = u64::MAX >> (64 - bits);
    let error = || format!("`{}` is not an integer of {bits} bits", shorten(text));
    let magnitude = parse_u64(digits).map_err(|_| error())?;
    let limit = if negative { 1 << (bits - 1) } else { mask };
    if magnitude > limit {
        return Err(error());
    }
    Ok(if negative { magnitude.wrapping_neg() & mask } else { magnitude })
}

/// A binary format of IEEE 754.
struct FloatFormat {
    name: &'static str,
    /// Bits of the fraction.
    fraction: u32,
    /// Bits of the exponent.
    exponent: u32,
    /// The value of a decimal literal.
    decimal: fn(&str) -> Option<u64>,
}

const F32: FloatFormat = FloatFormat {
    name: "f32",
    fraction: 23,
    exponent: 8,
    decimal: |text| text.parse::<f32>().ok().map(|v| u64::from(v.to_bits())),
};

const F64: FloatFormat = FloatFormat {
    name: "f64",
    fraction: 52,
    exponent: 11,
    decimal: |text| text.parse::<f64>().ok().map(f64::to_bits),
};

impl FloatFormat {
    fn infinity(&self) -> u64 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    fn quiet_nan(&self) -> u64 {
        self.infinity() | 1 << (self.fraction - 1)
    }

    fn sign(&self) -> u64 {
        1 << (self.fraction + self.exponent)
    }
}

fn parse_float(text: &str, format: &FloatFormat) -> Result<u64, String> {
    let error = || format!("`{}` is not an {} literal", shorten(text), format.name);
    let (negative, magnitude) = split_sign(text);
    let bits = match magnitude {
        "inf" => format.infinity(),
        "nan" => format.quiet_nan(),
        _ => {
            if let Some(bits) = magnitude.strip_prefix("nan:") {
                let bits = parse_u64(bits).map_err(|_| error())?;
                let is_nan = bits & format.infinity() == format.infinity()
                    && bits & !(format.sign() | format.infinity()) != 0
                    && bits >> (format.fraction + format.exponent) <= 1;
                return if is_nan && !negative { Ok(bits) } else { Err(error()) };
            }
            match magnitude.strip_prefix("0x").or_else(|| magnitude.strip_prefix("0X")) {
                Some(digits) => parse_hex_float(digits, format).ok_or_else(error)?,
                // What Rust takes besides digits ("infinity") is not part of the format.
                None if magnitude.starts_with(|c: char| c.is_ascii_digit()) => {
                    (format.decimal)(magnitude).ok_or_else(error)?
                }
                None => return Err(error()),
            }
        }
    };
    Ok(if negative { bits | format.sign() } else { bits })
}

/// `1.8p3` behind `0x`: the nearest value, ties to even. The significand's first 64 bits are kept,
/// and one more for all those behind that are not zero.
fn parse_hex_float(digits: &str, format: &FloatFormat) -> Option<u64> {
    let (significand, exponent) = match digits.split_once(['p', 'P']) {
        Some((s, e)) => (s, e.parse::<i32>().ok()?.clamp(-1_000_000, 1_000_000)),
        None => (digits, 0),
    };
    let mut mantissa = 0u64;
    let mut scale = i64::from(exponent);
    let mut sticky = false;
    let mut in_fraction = false;
    let mut any = false;
    for c in significand.chars() {
        if c == '.' && !in_fraction {
            in_fraction = true;
            continue;
        }
        let digit = u64::from(c.to_digit(16)?);
        any = true;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            scale -= if in_fraction { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            scale += if in_fraction { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    if mantissa == 0 {
        return Some(0);
    }
    let shift = mantissa.leading_zeros();
    mantissa <<= shift;
    // The value is mantissa * 2^(scale - shift), with the mantissa's top bit set: the leading one
    // has this exponent.
    let bias = (1i64 << (format.exponent - 1)) - 1;
    let leading = scale - i64::from(shift) + 63;
    let biased = leading + bias;
    if biased >= (1 << format.exponent) - 1 {
        return Some(format.infinity());
    }
    // A normal number keeps fraction + 1 bits, a subnormal one fewer.
    let subnormal_by = if biased < 1 { 1 - biased } else { 0 };
    let drop = i64::from(63 - format.fraction) + subnormal_by;
    if drop > 64 {
        return Some(0);
    }
    let wide = u128::from(mantissa);
    let mut kept = (wide >> drop) as u64;
    let rest = wide & ((1u128 << drop) - 1);
    let half = 1u128 << (drop - 1);
    if rest > half || (rest == half && (sticky || kept & 1 == 1)) {
        kept += 1;
    }
    // `kept` has the leading one at bit `fraction` if normal, so adding it raises the exponent by
    // one; rounding up to the next power of two, or to infinity, comes out right by itself.
    let base = if biased < 1 { 0 } else { (biased as u64 - 1) << format.fraction };
    Some(base + kept)
}

/// Writes the literal of type `ty` with these bits, so that reading gives the same.
pub(super) fn write_literal(out: &mut String, ty: Type, bits: u128) {
    let vector = bits;
    let bits = bits as u64;
    match ty {
        Type::V128 => write_to(out, format_args!("{vector:#034x}")),
        Type::FuncRef | Type::ExternRef => out.push_str("null"),
        Type::I32 => write_to(out, format_args!("{}", bits as i32)),
        Type::I64 => write_to(out, format_args!("{}", bits as i64)),
        Type::F32 => {
            let value = f32::from_bits(bits as u32);
            match value.is_nan() {
                true => write_nan(out, u64::from(value.to_bits()), &F32),
                false => write_to(out, format_args!("{value:?}")),
            }
        }
        Type::F64 => {
            let value = f64::from_bits(bits);
            match value.is_nan() {
                true => write_nan(out, bits, &F64),
                false => write_to(out, format_args!("{value:?}")),
            }
        }
    }
}

fn write_nan(out: &mut String, bits: u64, format: &FloatFormat) {
    match bits ^ format.quiet_nan() {
        0 => out.push_str("nan"),
        sign if sign == format.sign() => out.push_str("-nan"),
        _ => write_to(out, format_args!("nan:{bits:#x}")),
    }
}

fn write_to(out: &mut String, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to a String cannot fail");
}

/// The bytes of a string literal given with its quotes, or the offset in it of a wrong escape.
pub(super) fn parse_string(literal: &str) -> Result<Vec<u8>, usize> {
    let bytes = literal.as_bytes();
    let inner = &bytes[1..bytes.len() - 1];
    let mut out = Vec::with_capacity(inner.len());
    let mut i = 0;
    while i < inner.len() {
        if inner[i] != b'\\' {
            out.push(inner[i]);
            i += 1;
            continue;
        }
        let hex = |at: usize| inner.get(at).and_then(|&b| char::from(b).to_digit(16));
        let (byte, length) = match (inner.get(i + 1), hex(i + 1), hex(i + 2)) {
            (Some(b'n'), ..) => (b'\n', 2),
            (Some(b't'), ..) => (b'\t', 2),
            (Some(b'r'), ..) => (b'\r', 2),
            (Some(&quoted @ (b'"' | b'\\')), ..) => (quoted, 2),
            (_, Some(high), Some(low)) => ((high << 4 | low) as u8, 3),
            _ => return Err(i + 1),
        };
        out.push(byte);
        i += length;
    }
    Ok(out)
}

/// Writes a string literal.
pub(super) fn write_string(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for &byte in bytes {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => write_to(out, format_args!("\\{byte:02x}")),
        }
    }
    out.push('"');
}

/// A text cut to a length that fits in a message.
pub(super) fn shorten(text: &str) -> String {
    const MAX: usize = 40;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f64_of(text: &str) -> f64 {
        f64::from_bits(parse_literal(text, Type::F64).unwrap() as u64)
    }

    fn f32_of(text: &str) -> f32 {
        f32::from_bits(parse_literal(text, Type::F32).unwrap() as u32)
    }

    #[test]
    fn integers() {
        for (text, bits) in [
            ("0", 0),
            ("-1", 0xffff_ffff),
            ("4294967295", 0xffff_ffff),
            ("-0x80000000", 0x8000_0000),
        ] {
            assert_eq!(parse_literal(text, Type::I32), Ok(bits), "{text}");
        }
        for text in ["4294967296", "-2147483649", "0x", "1.5", "0x+1", "-+1", "--1", "", "1_0"] {
            assert!(parse_literal(text, Type::I32).is_err(), "{text}");
        }
        assert_eq!(parse_literal("-9223372036854775808", Type::I64), Ok(1 << 63));
        assert_eq!(parse_literal("0xffffffffffffffff", Type::I64), Ok(u64::MAX.into()));
        assert!(parse_literal("18446744073709551616", Type::I64).is_err());
    }

    #[test]
    fn vectors() {
        let bits = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
        let text = "0x0123456789abcdef0011223344556677";
        assert_eq!(parse_literal(text, Type::V128), Ok(bits));
        assert_eq!(parse_literal("0x1", Type::V128), Ok(1));
        let mut written = String::new();
        write_literal(&mut written, Type::V128, bits);
        assert_eq!(written, text);
        for text in ["1", "0x", "0x+1", "-0x1", "0x100000000000000000000000000000000", "0xg"] {
            assert!(parse_literal(text, Type::V128).is_err(), "{text}");
        }
    }

    #[test]
    fn hexadecimal_floats() {
        assert_eq!(f64_of("0x1.8p3"), 12.0);
        assert_eq!(f64_of("-0x.8"), -0.5);
        assert_eq!(f64_of("0x0p5"), 0.0);
        assert_eq!(f64_of("0x1p-1074"), f64::from_bits(1));
        assert_eq!(f64_of("0x1p-1075"), 0.0, "a tie goes to even");
        assert_eq!(f64_of("0x1.8p-1075"), f64::from_bits(1));
        assert_eq!(f64_of("0x1p-1022"), f64::MIN_POSITIVE);
        assert_eq!(f64_of("0x1.fffffffffffffp1023"), f64::MAX);
        assert_eq!(f64_of("0x1.fffffffffffff8p1023"), f64::INFINITY);
        assert_eq!(f64_of("0x1p99999999"), f64::INFINITY);
        assert_eq!(f64_of("0x1p-99999999"), 0.0);
        assert_eq!(f32_of("0x1.000001p0"), 1.0, "a tie goes to even");
        assert_eq!(f32_of("0x1.00000100000000000000001p0"), 1.0 + f32::EPSILON, "just above");
        assert_eq!(f32_of("0x1.fffffep127"), f32::MAX);
        assert_eq!(f32_of("0x1p-149"), f32::from_bits(1));
        for text in [
            "0x",
            "0x.",
            "0x1p",
            "0x1.1.1",
            "0xg",
            "1e",
            "infinity",
            "e5",
            "nan:0x0",
            "-nan:0x7ff8000000000000",
        ] {
            assert!(parse_literal(text, Type::F64).is_err(), "{text}");
        }
    }

    #[test]
    fn every_kind_of_bits_survives_writing() {
        let patterns = [0, 1, 1 << 63, 0x7ff0 << 48, 0xfff0 << 48, 0x7ff8 << 48, 0xfff8 << 48];
        let more = [0x7ff0_0000_0000_0001, 0x3ff0_0000_0000_0001, u64::MAX, 0x7fef_ffff_ffff_ffff];
        for bits in patterns.into_iter().chain(more) {
            for ty in Type::ALL {
                let bits = u128::from(if ty.bytes() == 4 { bits >> 32 } else { bits });
                let mut text = String::new();
                write_literal(&mut text, ty, bits);
                assert_eq!(parse_literal(&text, ty), Ok(bits), "{ty} {text}");
            }
        }
    }

    #[test]
    fn strings() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut text = String::new();
        write_string(&mut text, &bytes);
        assert_eq!(parse_string(&text), Ok(bytes));
        assert_eq!(parse_string("\"a\\q\""), Err(2));
        assert_eq!(parse_string("\"\\0\""), Err(1));
        assert_eq!(parse_string("\"é\""), Ok("é".as_bytes().to_vec()));
    }
}
