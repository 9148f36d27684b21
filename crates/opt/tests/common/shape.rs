//! Functions as text that does not depend on how blocks, registers and instructions are numbered.

use cupola_ir::analysis::Cfg;
use cupola_ir::{Block, Function, Imm, Reg};
use rustc_hash::FxHashMap;
use std::fmt::Write;

/// The function with blocks and registers numbered in the order of the text, the blocks in reverse
/// postorder.
pub fn shape(func: &Function) -> String {
    shape_in_order(func, Cfg::compute(func).rpo())
}

/// The function with its blocks in this order.
pub fn shape_in_order(func: &Function, order: &[Block]) -> String {
    let blocks: FxHashMap<Block, usize> = order.iter().copied().zip(0..).collect();
    let mut regs: FxHashMap<Reg, usize> = FxHashMap::default();
    for &block in order {
        let data = &func.blocks[block];
        let results = data.insts.iter().flat_map(|&inst| &func.insts[inst].results);
        for &reg in data.params.iter().chain(results) {
            let next = regs.len();
            assert!(regs.insert(reg, next).is_none(), "{reg} is defined twice");
        }
    }
    let list = |list: &[Reg]| {
        let names = list.iter().map(|reg| match regs.get(reg) {
            Some(number) => format!("v{number}"),
            None => format!("undefined {reg}"),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    for (i, &block) in order.iter().enumerate() {
        let data = &func.blocks[block];
        let _ = writeln!(text, "block{i}({}):", list(&data.params));
        for &inst in &data.insts {
            let data = &func.insts[inst];
            let imm = match data.imm {
                Imm::FrameState(state) => format!("{:?}", func.frame_states[state]),
                imm => format!("{imm:?}"),
            };
            let _ =
                write!(text, "  {} = {} {} {imm}", list(&data.results), data.op, list(&data.args));
            for target in &data.targets {
                let _ = write!(text, " block{}({})", blocks[&target.block], list(&target.args));
            }
            text.push('\n');
        }
    }
    text
}
