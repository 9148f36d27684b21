//! Every pure opcode in both tiers against its evaluation function, over interesting operands.

mod common;

use common::{World, generators};
use cupola_ir::{Op, Type};
use std::fmt::Write;

fn interesting(ty: Type) -> Vec<u64> {
    let f32s = |values: &[f32]| values.iter().map(|v| u64::from(v.to_bits())).collect();
    let f64s = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect();
    match ty {
        Type::I32 => [
            0,
            1,
            2,
            7,
            31,
            32,
            33,
            127,
            128,
            255,
            0x7fff,
            0x8000,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0x8000_0001,
            0xffff_fffe,
            0xffff_ffff,
            0x1234_5678,
        ]
        .to_vec(),
        Type::I64 => [
            0,
            1,
            2,
            7,
            63,
            64,
            65,
            0x80,
            0x8000,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x1_0000_0000,
            0x7fff_ffff_ffff_ffff,
            0x8000_0000_0000_0000,
            0x8000_0000_0000_0001,
            0xffff_ffff_ffff_fffe,
            u64::MAX,
            0x1234_5678_9abc_def0,
        ]
        .to_vec(),
        Type::F32 => f32s(&[
            0.0,
            -0.0,
            0.5,
            -0.5,
            1.0,
            -1.0,
            1.5,
            2.5,
            -2.5,
            0.99999994,
            -0.99999994,
            3e9,
            -3e9,
            2147483648.0,
            -2147483648.0,
            -2147483904.0,
            4294967296.0,
            9223372036854775808.0,
            -9223372036854775808.0,
            18446744073709551616.0,
            1e30,
            f32::MIN_POSITIVE,
            1e-45,
            f32::MAX,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            -f32::NAN,
        ]),
        Type::F64 => f64s(&[
            0.0,
            -0.0,
            0.5,
            -0.5,
            1.0,
            -1.0,
            1.5,
            2.5,
            -2.5,
            0.9999999999999999,
            -0.9999999999999999,
            2147483647.0,
            2147483648.0,
            -2147483648.0,
            -2147483649.0,
            4294967295.0,
            4294967296.0,
            9223372036854774784.0,
            9223372036854775808.0,
            -9223372036854775808.0,
            -9223372036854777856.0,
            18446744073709551616.0,
            1e300,
            f64::MIN_POSITIVE,
            5e-324,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            -f64::NAN,
        ]),
    }
}

fn is_nan(ty: Type, bits: u64) -> bool {
    match ty {
        Type::F32 => f32::from_bits(bits as u32).is_nan(),
        Type::F64 => f64::from_bits(bits).is_nan(),
        _ => false,
    }
}

/// Operations on the sign bit alone keep the payload of a NaN; in the others it is free.
fn same(op: Op, ty: Type, a: u64, b: u64) -> bool {
    let bitwise = ["abs", "neg", "copysign", "reinterpret"];
    let exact = bitwise.iter().any(|name| op.name().contains(name));
    a == b || (!exact && is_nan(ty, a) && is_nan(ty, b))
}

/// One function for each pure opcode, in register form; and one that branches on the result, so
/// that fused comparisons are met as well.
fn source() -> String {
    let mut text = String::new();
    for &op in Op::ALL {
        let Some((params, result)) = op.pure_signature() else { continue };
        let names = ["a", "b", "c"];
        let list: Vec<String> =
            params.iter().zip(names).map(|(ty, name)| format!("{name}: {ty}")).collect();
        let (list, args) = (list.join(", "), names[..params.len()].join(", "));
        let name = op.name();
        write!(
            text,
            "func %{name}({list}) -> {result} {{\nb0:\n  r = {name} {args}\n  return r\n}}\n"
        )
        .expect("a string");
        if op.is_compare() {
            write!(
                text,
                "func %{name}.branch({list}) -> i32 {{\nb0:\n  r = {name} {args}\n  br_if r, yes, no\n\
                 yes:\n  one = i32.const 1\n  return one\nno:\n  zero = i32.const 0\n  return zero\n}}\n\
                 func %{name}.not({list}) -> i32 {{\nb0:\n  r = {name} {args}\n  n = i32.eqz r\n  \
                 yes = i32.const 7\n  no = i32.const 8\n  s = select n, yes, no\n  return s\n}}\n"
            )
            .expect("a string");
        }
    }
    text
}

fn operands(params: &[Type]) -> Vec<Vec<u64>> {
    params.iter().fold(vec![vec![]], |lists, &ty| {
        let extend = |list: &Vec<u64>| {
            interesting(ty)
                .into_iter()
                .map(|value| list.iter().copied().chain([value]).collect())
                .collect::<Vec<Vec<u64>>>()
        };
        lists.iter().flat_map(extend).collect()
    })
}

#[test]
fn pure_ops_agree_with_their_evaluation() {
    let source = source();
    for generator in generators() {
        let world = World::new(&source);
        world.install_all(&*generator);
        for &op in Op::ALL {
            let Some((params, result)) = op.pure_signature() else { continue };
            for args in operands(params) {
                let expected = op.eval(&args).expect("operands of the right number");
                let found = world.call(op.name(), &args);
                let agree = match (&expected, &found) {
                    (Ok(expected), Ok(found)) => same(op, result, *expected, found[0]),
                    (Err(expected), Err(found)) => expected == found,
                    _ => false,
                };
                assert!(
                    agree,
                    "{op} {args:x?} in {}: {found:x?}, not {expected:x?}",
                    generator.name()
                );
                if op.is_compare() {
                    let branched = world.call(&format!("{op}.branch"), &args);
                    assert_eq!(branched.expect("no trap")[0], expected.expect("no trap"), "{op}");
                    let negated = world.call(&format!("{op}.not"), &args).expect("no trap")[0];
                    assert_eq!(negated, 7 + expected.expect("no trap"), "{op}");
                }
            }
        }
    }
}
