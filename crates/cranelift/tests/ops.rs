//! Every pure opcode on scalars in both tiers against its evaluation function, over interesting
//! operands.

mod common;

use common::values::interesting;
use common::{World, generators};
use cupola_ir::{Imm, Op, Type};
use std::fmt::Write;

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

/// Operand types and result type of a pure opcode that has nothing to do with vectors.
fn scalar_signature(op: Op) -> Option<(&'static [Type], Type)> {
    let (params, result) = op.pure_signature()?;
    let scalar = !params.contains(&Type::V128) && result != Type::V128;
    scalar.then_some((params, result))
}

/// One function for each pure opcode, in register form; and one that branches on the result, so
/// that fused comparisons are met as well.
fn source() -> String {
    let mut text = String::new();
    for &op in Op::ALL {
        let Some((params, result)) = scalar_signature(op) else { continue };
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
            let Some((params, result)) = scalar_signature(op) else { continue };
            for args in operands(params) {
                let bits: Vec<u128> = args.iter().map(|&arg| arg.into()).collect();
                let expected = op.eval(Imm::None, &bits).expect("operands of the right number");
                let expected = expected.map(|bits| bits as u64);
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
