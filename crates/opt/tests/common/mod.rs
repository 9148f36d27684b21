//! What the tests of the optimizer share.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod eval;
pub mod generate;
pub mod shape;

use cupola_ir::{Bodies, FuncId, Function, Module, ParsedModule};
use std::sync::Arc;

/// The seeds of a test that has `count` of them; `CUPOLA_SEEDS=1000..9000` in the environment sets
/// others for a long run.
pub fn seeds(count: u64) -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("CUPOLA_SEEDS") else { return 0..count };
    let (start, end) = text.split_once("..").expect("CUPOLA_SEEDS is START..END");
    let number = |text: &str| text.parse().expect("CUPOLA_SEEDS has numbers");
    number(start)..number(end)
}

/// Parses a module that must be right.
pub fn parse(name: &str, text: &str) -> ParsedModule {
    cupola_ir::parse(name, text).unwrap_or_else(|errors| panic!("{name}: {errors:?}\n{text}"))
}

/// The only function in SSA form of a module, with its layout set.
pub fn ssa_function(parsed: &ParsedModule) -> (FuncId, Function) {
    let (id, func) = parsed.ssa.first().expect("a function in SSA form");
    let mut func = Function::clone(func);
    func.layout = func.block_order();
    (*id, func)
}

/// The register forms of a module, by function.
pub fn bodies(module: &Module, bodies: &dyn Bodies) -> Vec<Option<Arc<Function>>> {
    module.funcs.keys().map(|id| bodies.body(id).ok()).collect()
}

/// Fails if the function is ill-formed.
pub fn verify(module: &Module, id: FuncId, func: &Function, what: &str) {
    if let Err(errors) = cupola_ir::verify_function(module, id, func) {
        panic!("{what}: {errors:?}\n{}", cupola_ir::print_function(module, id, func));
    }
}

/// The text behind `Before` or `After` in a module header.
pub fn example(source: &str, title: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let mut lines = lines.skip_while(|line| !line.trim_start().starts_with(title));
    lines.next().unwrap_or_else(|| panic!("the header has no {title:?}"));
    let block = lines.skip_while(|line| line.trim() != "```text").skip(1);
    let block = block.take_while(|line| line.trim() != "```");
    block.map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line))).collect()
}
