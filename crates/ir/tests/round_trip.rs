//! Printing a module and parsing it again gives the same module.

use cupola_ir::{
    DialectOpId, Format, FuncId, Function, FunctionBuilder, Op, ParsedModule, Signature, SrcLoc,
    Type, parse, print_function,
};
use std::sync::Arc;

/// A function without its source positions, which are those of its text.
fn without_locs(function: &Function) -> Function {
    let mut function = function.clone();
    for inst in function.insts.values_mut() {
        inst.loc = SrcLoc::UNKNOWN;
    }
    function
}

fn functions(parsed: &ParsedModule) -> Vec<(FuncId, Function)> {
    let bodies = parsed.module.funcs.keys().filter_map(|id| Some((id, parsed.bodies.get(id)?)));
    let ssa = parsed.ssa.iter().map(|(id, function)| (*id, function));
    bodies.chain(ssa).map(|(id, f): (_, &Arc<Function>)| (id, without_locs(f))).collect()
}

fn parse_ok(name: &str, source: &str) -> ParsedModule {
    parse(name, source).unwrap_or_else(|e| panic!("{}", e.render(false)))
}

fn check(name: &str, source: &str) {
    let first = parse_ok(name, source);
    let text = first.print();
    let second = parse_ok("printed", &text);
    assert_eq!(first.module, second.module, "{text}");
    assert_eq!(functions(&first), functions(&second), "{text}");
    assert_eq!(text, second.print());
}

#[test]
fn every_kind_of_item_and_operand() {
    check("module.cir", include_str!("text/module.cir"));
}

/// The programs of the repository.
#[test]
fn examples_and_benchmark_programs() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    for dir in ["examples", "bench/programs"] {
        let entries = std::fs::read_dir(format!("{root}/{dir}")).expect("the directory is there");
        for path in entries.map(|entry| entry.expect("a readable directory").path()) {
            if path.extension().is_some_and(|extension| extension == "cir") {
                let source = std::fs::read_to_string(&path).expect("a readable file");
                let name = path.display().to_string();
                check(&name, &source);
                parse_ok(&name, &source).verify().unwrap_or_else(|e| panic!("{}", e.render(false)));
            }
        }
    }
}

/// One line with the opcode, in a function that has a parameter of each type, named like it.
fn line(op: Op) -> String {
    let result = |ty: Type| format!("x = {op} {}", ty);
    match op.format() {
        Format::Pure | Format::Lane | Format::Shuffle => {
            let (params, _) = op.pure_signature().expect("pure opcodes have signatures");
            let params: Vec<_> = params.iter().map(|ty| ty.name()).collect();
            let imm = match op.format() {
                Format::Lane => ", lane=1",
                Format::Shuffle => ", [0, 31, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16]",
                _ => "",
            };
            format!("x = {op} {}{imm}", params.join(", "))
        }
        Format::LoadLane if op.is_raw() => format!("x = {op} i64, v128, offset=8, lane=1"),
        Format::LoadLane => format!("x = {op} $m, i32, v128, lane=1"),
        Format::StoreLane if op.is_raw() => format!("{op} i64, v128, lane=0"),
        Format::StoreLane => format!("{op} $m, i32, v128, offset=8, lane=0"),
        Format::Load if op.is_raw() => format!("x = {op} i64, offset=8"),
        Format::Load => format!("x = {op} $m, i32, offset=8"),
        Format::Store => {
            let (value, _) = op.access().expect("stores have a type");
            let address = if op.is_raw() { "i64" } else { "$m, i32" };
            format!("{op} {address}, {value}, offset=9")
        }
        Format::Const if op.const_type().is_some_and(Type::is_reference) => {
            format!("x = {op} null")
        }
        Format::Const => format!("x = {op} 0x1"),
        Format::Copy => result(Type::F32),
        Format::Select => format!("x = {op} i32, f64, f64"),
        Format::MemorySize | Format::MemoryBase | Format::MemoryLen => format!("x = {op} $m"),
        Format::MemoryGrow => format!("x = {op} $m, i32"),
        Format::GlobalGet => format!("x = {op} $g"),
        Format::GlobalSet => format!("{op} $g, f64"),
        Format::Call => format!("x, y = {op} %g(i32, f32)"),
        Format::CallIndirect => {
            format!("x, y = {op} $t[i32](i32, f32) : (i32, f32) -> (i64, f64)")
        }
        Format::TableGet => format!("x = {op} $t, i32"),
        Format::TableHolds => format!("x = {op} $t, %f, i32"),
        Format::CallRef => format!("x, y = {op} ref(i32, f32) : (i32, f32) -> (i64, f64)"),
        Format::Dialect => format!("x = {op} a.b(i64)"),
        Format::TrapIf => format!("{op} i32, int_overflow"),
        Format::DeoptTick => format!("x = {op}"),
        Format::DeoptUnless => format!("{op} i32, forced [%f inst0 {{r0 = i32, r3 = f64}}]"),
        Format::Br => format!("{op} next"),
        Format::BrIf => format!("{op} i32, next, other"),
        Format::BrTable => format!("{op} i32, [next, other, next], other"),
        Format::FuelTick | Format::Return => op.to_string(),
        Format::Trap => format!("{op} bad_conversion"),
        Format::Deopt => format!("{op} cold_branch [%f inst0 {{r2 = f32}}]"),
    }
}

#[test]
fn every_opcode() {
    let items = "memory $m 1\nmemory $n 1\nglobal $g mut f64 = 1.0\ntable $t = [null]\n\
                 dialect a.b(i64) -> f32 []\nimport %g(i32, f32) -> (i64, f64) = \"a\" \"b\"\n";
    for &op in Op::ALL {
        for ssa in [false, true] {
            if op.is_ssa_only() && !ssa {
                continue;
            }
            let form = if ssa { "ssa " } else { "" };
            let end = if op.is_terminator() { "" } else { "  return\n" };
            let source = format!(
                "{items}{form}func %f(i32: i32, i64: i64, f32: f32, f64: f64, v128: v128, ref: funcref) {{\nblock0:\n  {}\n\
                 {end}next:\n  return\nother:\n  return\n}}\n",
                line(op)
            );
            check(op.name(), &source);
            let mut parsed = parse_ok(op.name(), &source);
            parsed.module.trusted = true;
            parsed.verify().unwrap_or_else(|e| panic!("{}", e.render(false)));
        }
    }
}

/// A function that no text describes: registers, instructions and sites in another order than the
/// text's, unused ones, names that clash with numbers. Printing it once makes it canonical.
#[test]
fn functions_in_another_order() {
    let parsed = parse_ok("t.cir", "dialect a.b()\nfunc %f(i32) -> i32\n");
    let module = parsed.module.clone();
    let id = FuncId::from_u32(0);
    let mut b = FunctionBuilder::new(&module, Signature::new([Type::I32], [Type::I32]));
    let (unused, last, first) = (b.reg(Type::F64), b.reg(Type::I32), b.reg(Type::I32));
    let (far, near) = (b.block(), b.block());
    b.br(near);
    b.switch_to(near);
    b.assign(first, b.param(0));
    b.dialect(DialectOpId::from_u32(0), &[]);
    b.br(far);
    b.switch_to(far);
    b.dialect(DialectOpId::from_u32(0), &[]);
    b.assign(last, first);
    b.return_(&[last]);
    let mut func = b.finish();
    func.num_sites += 2;
    func.reg_names = vec![None, Some("r2".into()), Some("not a name".into())];
    cupola_ir::verify_function(&module, id, &func).expect("a correct function");
    let text = format!("dialect a.b()\n{}", print_function(&module, id, &func));
    let again = parse_ok("printed", &text);
    again.verify().unwrap_or_else(|e| panic!("{}", e.render(false)));
    let body = again.bodies.get(id).expect("a body");
    assert_eq!(body.regs, func.regs, "{text}");
    assert_eq!(body.num_sites, func.num_sites, "{text}");
    assert_eq!(body.reg_names[unused.as_u32() as usize].as_deref(), Some("r2"), "{text}");
    check("printed", &text);
}
