//! Printing a module and parsing it again gives the same module.

use cupola_ir::{FuncId, Function, ParsedModule, SrcLoc, parse};
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
    for dir in ["examples", "bench/programs", "tests/filetests"] {
        let Ok(entries) = std::fs::read_dir(format!("{root}/{dir}")) else { continue };
        for path in entries.map(|entry| entry.expect("a readable directory").path()) {
            if path.extension().is_some_and(|extension| extension == "cir") {
                let source = std::fs::read_to_string(&path).expect("a readable file");
                check(&path.display().to_string(), &source);
            }
        }
    }
}
