//! Every pure opcode on vectors in both tiers against its evaluation function, over vectors of
//! interesting lanes.

mod common;

use common::vectors::operands;
use common::{World, generators};
use cupola_ir::{Format, Imm, Op, Type};
use std::fmt::Write;

/// A function of the module: what it computes, and its name.
struct Case {
    op: Op,
    imm: Imm,
    name: String,
}

/// Operand types and result type of a pure opcode that has to do with vectors.
fn vector_signature(op: Op) -> Option<(&'static [Type], Type)> {
    let (params, result) = op.pure_signature()?;
    let vector = params.contains(&Type::V128) || result == Type::V128;
    vector.then_some((params, result))
}

/// Choices of bytes that machines have instructions for, and others.
fn shuffles() -> Vec<[u8; 16]> {
    let mut all = vec![std::array::from_fn(|i| 15 - i as u8), [0; 16], [31; 16]];
    // Neighbours, starting in either operand.
    for start in 0..32 {
        all.push(std::array::from_fn(|i| (start + i as u8) % 32));
    }
    for width in [1, 2, 4, 8] {
        // Lanes of both operands in turn, from the low and from the high half.
        for half in [0, 8] {
            all.push(std::array::from_fn(|i| {
                let (lane, byte) = (i / width, i % width);
                (half + lane / 2 * width + byte + lane % 2 * 16) as u8
            }));
        }
        // Every other lane; one lane everywhere; neighbours exchanged.
        for odd in [0, 1] {
            all.push(std::array::from_fn(|i| {
                (i / width * 2 * width + odd * width + i % width) as u8
            }));
            all.push(std::array::from_fn(|i| (odd * width + i % width) as u8));
        }
        all.push(std::array::from_fn(|i| (i ^ width) as u8));
    }
    // Lanes of 32 bits in any order, of one operand and of both.
    for order in 0..256_usize {
        let lane = |i: usize| order >> (i / 4 * 2) & 3;
        all.push(std::array::from_fn(|i| (lane(i) * 4 + i % 4) as u8));
        if order % 7 == 0 {
            all.push(std::array::from_fn(|i| (lane(i) * 4 + i % 4 + i / 8 * 16) as u8));
            all.push(std::array::from_fn(|i| (lane(i) * 2 + i % 2 + i / 8 * 8) as u8));
        }
    }
    let mut state = 1_u32;
    for _ in 0..100 {
        all.push(std::array::from_fn(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 % 32
        }));
    }
    all
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &op in Op::ALL {
        if vector_signature(op).is_none() {
            continue;
        }
        let mut case = |imm, suffix: String| {
            cases.push(Case { op, imm, name: format!("{op}{suffix}") });
        };
        match op.format() {
            Format::Pure => case(Imm::None, String::new()),
            Format::Lane => {
                let lanes = op.lanes().expect("the number of lanes");
                (0..lanes).for_each(|lane| case(Imm::Lane(lane), format!(".{lane}")));
            }
            Format::Shuffle => {
                let shuffles = shuffles().into_iter().enumerate();
                shuffles.for_each(|(i, bytes)| case(Imm::Shuffle(bytes), format!(".{i}")));
            }
            format => panic!("a pure opcode of format {format:?}"),
        }
    }
    cases
}

/// The constants that the second operand of some opcodes is often, by its type.
fn usual_constants(op: Op) -> Vec<u128> {
    let name = op.name();
    if name.contains(".sh") && op.format() == Format::Pure {
        return vec![0, 1, 4, 7, 8, 12, 15, 16, 24, 31, 32, 63, 64, 0xffff_ffff];
    }
    if name.ends_with("swizzle") {
        return vec![
            0,
            0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100,
            u128::MAX / 255 * 16,
            0x80 << 64,
        ];
    }
    match op.pure_signature() {
        Some(([Type::V128, Type::V128], _)) if op.format() == Format::Pure => {
            vec![0, 1, u128::MAX]
        }
        _ => vec![],
    }
}

/// One function for each case, in register form; for those that give truth values, others that
/// branch on them; for those of two operands, others where the second is a constant. They find
/// their operands, and leave their results, in memory, 16 bytes each.
fn source(cases: &[Case]) -> String {
    let mut text = String::new();
    let mut function = |name: &str, params: &[Type], result: Type, body: &str| {
        write!(text, "func %{name}(p: i64) {{\nb0:\n").expect("a string");
        for (i, ty) in params.iter().enumerate() {
            let operand = ["a", "b", "c"][i];
            writeln!(text, "  {operand} = raw.{ty}.load p, offset={}", i * 16).expect("a string");
        }
        let end = format!("raw.{result}.store p, r, offset={RESULT}\n  return");
        writeln!(text, "  {}\n}}", body.replace("END", &end)).expect("a string");
    };
    for Case { op, imm, name } in cases {
        let (params, result) = vector_signature(*op).expect("on vectors");
        let args = ["a", "b", "c"][..params.len()].join(", ");
        let imm_text = match imm {
            Imm::Lane(lane) => format!(", lane={lane}"),
            Imm::Shuffle(bytes) => format!(", {bytes:?}"),
            _ => String::new(),
        };
        function(name, params, result, &format!("r = {op} {args}{imm_text}\n  END"));
        if gives_truth(*op) {
            let body = format!(
                "r = {op} a\n  n = i32.eqz r\n  br_if n, no, next\nnext:\n  br_if r, yes, no\n\
                 yes:\n  r = i32.const 1\n  END\nno:\n  r = i32.const 0\n  END"
            );
            function(&format!("{name}.branch"), params, result, &body);
        }
        for (i, constant) in usual_constants(*op).into_iter().enumerate() {
            let ty = params[1];
            let literal = match ty {
                Type::V128 => format!("{constant:#x}"),
                _ => constant.to_string(),
            };
            let body = format!("b = {ty}.const {literal}\n  r = {op} a, b\n  END");
            function(&format!("{name}.const{i}"), &params[..1], result, &body);
        }
    }
    text
}

/// Whether the result of a pure opcode on vectors is 0 or 1.
fn gives_truth(op: Op) -> bool {
    op.name().ends_with("_true")
}

/// Arithmetic gives any NaN where it gives one; all else gives certain bits.
fn same(op: Op, a: u128, b: u128) -> bool {
    const ARITHMETIC: &[&str] = &[
        "add",
        "sub",
        "mul",
        "div",
        "sqrt",
        "min",
        "max",
        "ceil",
        "floor",
        "trunc",
        "nearest",
        "demote_f64x2_zero",
        "promote_low_f32x4",
        "relaxed_min",
        "relaxed_max",
        "relaxed_madd",
        "relaxed_nmadd",
    ];
    let same_or = |width: u32, is_nan: &dyn Fn(u64) -> bool| {
        (0..128 / width).all(|lane| {
            let of = |v: u128| (v >> (lane * width)) as u64 & u64::MAX >> (64 - width);
            of(a) == of(b) || is_nan(of(a)) && is_nan(of(b))
        })
    };
    match op.name().split_once('.') {
        Some(("f32x4", name)) if ARITHMETIC.contains(&name) => {
            same_or(32, &|bits| f32::from_bits(bits as u32).is_nan())
        }
        Some(("f64x2", name)) if ARITHMETIC.contains(&name) => {
            same_or(64, &|bits| f64::from_bits(bits).is_nan())
        }
        _ => a == b,
    }
}

/// Where functions leave their result.
const RESULT: usize = 64;

/// Calls a function with operands in memory.
fn call(world: &World, name: &str, args: &[u128]) -> u128 {
    let mut memory = [0_u128; 5];
    memory[..args.len()].copy_from_slice(args);
    world.call(name, &[memory.as_mut_ptr() as u64]).expect("no trap");
    // SAFETY: the code had the array's address.
    unsafe { memory.as_ptr().byte_add(RESULT).read_volatile() }
}

#[test]
fn vector_ops_agree_with_their_evaluation() {
    let cases = cases();
    let source = source(&cases);
    for generator in generators() {
        let world = World::new(&source);
        world.install_all(&*generator);
        for Case { op, imm, name } in &cases {
            let (params, _) = vector_signature(*op).expect("on vectors");
            let eval = |args: &[u128]| {
                let value = op.eval(*imm, args).expect("operands of the right number");
                value.expect("vectors do not trap")
            };
            let check = |name: &str, args: &[u128], expected: u128| {
                let found = call(&world, name, args);
                assert!(
                    same(*op, expected, found),
                    "{name} {args:x?} in {}: {found:x}, not {expected:x}",
                    generator.name()
                );
            };
            for args in operands(params) {
                check(name, &args, eval(&args));
                if gives_truth(*op) {
                    check(&format!("{name}.branch"), &args, eval(&args));
                }
            }
            for (i, constant) in usual_constants(*op).into_iter().enumerate() {
                for args in operands(&params[..1]) {
                    check(&format!("{name}.const{i}"), &args, eval(&[args[0], constant]));
                }
            }
        }
    }
}
