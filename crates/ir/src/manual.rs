//! The reference manual of the opcodes, from the opcode table.

use crate::op::{Effects, Format, Op};
use crate::types::Type;
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Opcodes

Generated from the opcode table in `crates/ir/src/op/table.rs` by the test `manual` of `cupola-ir`
(`BLESS=1 cargo test -p cupola-ir --test manual` writes it anew). How modules and functions are
written is told by the module `cupola_ir::text`, the rules that they keep to by `cupola_ir::verify`.

Types are `i32`, `i64`, `f32`, `f64`, `v128`, `funcref`, `externref`; `T` is any of them. Semantics are those of WebAssembly:
every operation is total or traps, and the payload of a NaN result is not specified. Linear memory
is addressed by an `i32`, or an `i64` where the memory says so (`A` below), unsigned, plus the
constant offset, without wrapping around; an access that is not within the memory traps. So are the
slots of tables. Raw accesses take a host address (`i64`) and check nothing; they stand only in
trusted modules and in optimized code.
";

/// The manual of all opcodes as Markdown (`docs/ops.md`).
pub fn ops_manual() -> String {
    let mut out = INTRODUCTION.to_string();
    let numeric = |op: &Op| op.pure_signature().is_some() || op.format() == Format::Const;
    let vectors = ["v128", "i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"];
    for (title, prefixes) in [
        ("Numbers", ["i32", "i64", "f32", "f64"].as_slice()),
        ("Vectors", vectors.as_slice()),
        ("References", ["funcref", "externref"].as_slice()),
    ] {
        for prefix in prefixes {
            let ops = Op::ALL.iter().filter(|op| {
                numeric(op) && op.name().split_once('.').is_some_and(|(p, _)| p == *prefix)
            });
            section(&mut out, &format!("{title}: {prefix}"), ops);
        }
    }
    let memory = |op: &Op| op.access().is_some();
    let linear = Op::ALL.iter().filter(|op| memory(op) && !op.is_raw());
    section(&mut out, "Linear memory: loads and stores", linear);
    let raw = Op::ALL.iter().filter(|op| memory(op) && op.is_raw());
    section(&mut out, "Host memory: loads and stores", raw);
    let rest = |op: &&Op| !numeric(op) && !memory(op);
    let straight = Op::ALL.iter().filter(|op| rest(op) && !op.is_terminator());
    section(&mut out, "Registers, memories, globals, calls, traps, deoptimization", straight);
    let terminators = Op::ALL.iter().filter(|op| rest(op) && op.is_terminator());
    section(&mut out, "Terminators", terminators);
    out
}

fn section<'a>(out: &mut String, title: &str, ops: impl Iterator<Item = &'a Op>) {
    write!(out, "\n## {title}\n\n| Opcode | Form | Effects | Meaning |\n|---|---|---|---|\n")
        .expect("writing to a String cannot fail");
    for &op in ops {
        let (form, effects, doc) = (form(op), effects(op), op.doc().trim());
        writeln!(out, "| `{op}` | `{form}` | {effects} | {doc} |")
            .expect("writing to a String cannot fail");
    }
}

/// How the opcode is written, with types in the place of registers.
fn form(op: Op) -> String {
    let access = |op: Op| op.access().map_or("", |(ty, _)| ty.name());
    match op.format() {
        Format::Pure | Format::Lane | Format::Shuffle => match op.pure_signature() {
            Some((params, result)) => {
                let params: Vec<_> = params.iter().map(|ty| ty.name()).collect();
                let imm = match op.format() {
                    Format::Lane => ", lane=N",
                    Format::Shuffle => ", [N, …]",
                    _ => "",
                };
                format!("{result} = {op} {}{imm}", params.join(", "))
            }
            None => String::new(),
        },
        Format::LoadLane if op.is_raw() => format!("v128 = {op} i64, v128, offset=N, lane=N"),
        Format::StoreLane if op.is_raw() => format!("{op} i64, v128, offset=N, lane=N"),
        Format::Load if op.is_raw() => format!("{} = {op} i64, offset=N", access(op)),
        Format::LoadLane => format!("v128 = {op} $m, A, v128, offset=N, lane=N"),
        Format::StoreLane => format!("{op} $m, A, v128, offset=N, lane=N"),
        Format::Load => format!("{} = {op} $m, A, offset=N", access(op)),
        Format::Store if op.is_raw() => format!("{op} i64, {}, offset=N", access(op)),
        Format::Store => format!("{op} $m, A, {}, offset=N", access(op)),
        Format::Const => format!("{} = {op} LITERAL", op.const_type().map_or("", Type::name)),
        Format::Copy => format!("T = {op} T"),
        Format::Select => format!("T = {op} i32, T, T"),
        Format::MemorySize => format!("A = {op} $m"),
        Format::MemoryGrow => format!("A = {op} $m, A"),
        Format::MemoryBase | Format::MemoryLen => format!("i64 = {op} $m"),
        Format::GlobalGet => format!("T = {op} $g"),
        Format::GlobalSet => format!("{op} $g, T"),
        Format::Call => format!("T… = {op} %f(T…)"),
        Format::CallIndirect => format!("T… = {op} $t[A](T…) : (T…) -> (T…)"),
        Format::TableGet => format!("funcref = {op} $t, A"),
        Format::TableHolds => format!("i32 = {op} $t, %f, A"),
        Format::CallRef => format!("T… = {op} funcref(T…) : (T…) -> (T…)"),
        Format::Dialect => format!("T… = {op} NAME(T…)"),
        Format::TrapIf => format!("{op} i32, CODE"),
        Format::DeoptTick => format!("i32 = {op}"),
        Format::FuelTick => op.to_string(),
        Format::DeoptUnless => format!("{op} i32, REASON [%f instN {{rN = T, …}}, …]"),
        Format::Br => format!("{op} BLOCK"),
        Format::BrIf => format!("{op} i32, BLOCK, BLOCK"),
        Format::BrTable => format!("{op} i32, [BLOCK, …], BLOCK"),
        Format::Return => format!("{op} T…"),
        Format::Trap => format!("{op} CODE"),
        Format::Deopt => format!("{op} REASON [%f instN {{rN = T, …}}, …]"),
    }
}

fn effects(op: Op) -> String {
    let effects = op.effects() - Effects::TERMINATOR;
    if effects == Effects::ANY {
        return "any".to_string();
    }
    let words = effects.iter_names().map(|(name, _)| name.to_ascii_lowercase().replace('_', " "));
    let mut words: Vec<String> = words.collect();
    if op.is_commutative() {
        words.push("commutative".to_string());
    }
    words.join(", ")
}
