//! Loop inversion: `while (c) { body }` becomes `if (c) do { body } while (c)`.
//!
//! A loop whose header decides whether to leave it costs two branches an iteration. The header is
//! copied in front of the loop, where the copy decides whether to enter it; the header itself is
//! then reached by back edges only and ends an iteration. What the header computes from values of
//! outside the loop moves into the copy, once and for all; all its other values have two
//! definitions afterwards, and `repair` gives the blocks that both reach parameters for them.
//!
//! All loops are rotated in one go over one graph: the copies are made first, then dominance is
//! computed anew once. Loops that already end with their test, and those with a large header, stay.
//!
//! Before:
//! ```text
//! ssa func %sum(n: i32) -> i32 {
//! block0:
//!   zero = i32.const 0
//!   br block1(zero, zero)
//! block1(i: i32, s: i32):
//!   c = i32.lt_s i, n
//!   br_if c, block2, block3
//! block2:
//!   t = i32.add s, i
//!   one = i32.const 1
//!   j = i32.add i, one
//!   br block1(j, t)
//! block3:
//!   return s
//! }
//! ```
//! After:
//! ```text
//! ssa func %sum(n: i32) -> i32 {
//! block0:
//!   zero = i32.const 0
//!   br block4(zero, zero)
//! block4(i1: i32, s1: i32):
//!   c1 = i32.lt_s i1, n
//!   br_if c1, block2(i1, s1), block3(s1)
//! block2(i2: i32, s2: i32):
//!   t = i32.add s2, i2
//!   one = i32.const 1
//!   j = i32.add i2, one
//!   br block1(j, t)
//! block1(i: i32, s: i32):
//!   c = i32.lt_s i, n
//!   br_if c, block2(i, s), block3(s)
//! block3(s3: i32):
//!   return s3
//! }
//! ```

use super::repair::{Repair, TwoDefs};
use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest, NaturalLoop};
use cupola_ir::{Block, BlockData, Function, Module, Op, Reg};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Loops whose header has more instructions stay as they are.
const MAX_HEADER: usize = 32;

/// Rotates the loops of `func`, which is in SSA form.
pub fn run(func: &mut Function, module: &Module) {
    let cfg = Cfg::compute(func);
    let forest = LoopForest::compute(func, &cfg, &DomTree::compute(&cfg));
    let loops: Vec<NaturalLoop> = forest
        .loops()
        .filter(|&(id, _)| is_candidate(func, &forest, id))
        .map(|(id, _)| id)
        .collect();
    if loops.is_empty() {
        return;
    }
    // For each copy, the loop that its original is the header of.
    let mut copies: SecondaryMap<Block, Option<NaturalLoop>> = SecondaryMap::new();
    let mut copy_of: SecondaryMap<Block, Option<Block>> = SecondaryMap::new();
    let mut defs = Vec::new();
    let defined = defining_blocks(func);
    for &id in &loops {
        let header = forest.get(id).header;
        let inside = |value: Reg| defined[value].is_some_and(|block| forest.contains(id, block));
        let (copy, values) = copy_header(func, module, header, inside);
        func.blocks[copy].count =
            forest.get(id).preheader.and_then(|block| func.blocks[block].count);
        copies[copy] = Some(id);
        copy_of[header] = Some(copy);
        defs.push(TwoDefs { first: copy, second: header, values });
    }
    for block in func.blocks.keys() {
        let Some(&last) = func.blocks[block].insts.last() else { continue };
        for target in &mut func.insts[last].targets {
            let Some(copy) = copy_of[target.block] else { continue };
            let id = forest.with_header(target.block).expect("the header of a rotated loop");
            // A copy stands where its loop is entered: in the loop around it.
            let place = match copies[block] {
                Some(of) => forest.get(of).parent.map(|parent| forest.get(parent).header),
                None => Some(block),
            };
            if !place.is_some_and(|place| forest.contains(id, place)) {
                target.block = copy;
            }
        }
    }
    Repair::new(func).run(&defs);
}

fn is_candidate(func: &Function, forest: &LoopForest, id: NaturalLoop) -> bool {
    let data = forest.get(id);
    let leaves = |block| func.successors(block).any(|to| !forest.contains(id, to));
    let last = &func.insts[func.terminator(data.header)];
    let ends_with_test = data.latches.iter().all(|&latch| leaves(latch));
    matches!(last.op, Op::BrIf | Op::Guard)
        && leaves(data.header)
        && func.successors(data.header).any(|to| to != data.header && forest.contains(id, to))
        && !ends_with_test
        && func.blocks[data.header].insts.len() <= MAX_HEADER
}

/// The block that each value is defined in.
fn defining_blocks(func: &Function) -> SecondaryMap<Reg, Option<Block>> {
    let mut blocks = SecondaryMap::new();
    blocks.resize(func.regs.len());
    for (block, data) in func.blocks.iter() {
        let results = data.insts.iter().flat_map(|&inst| &func.insts[inst].results);
        for &value in data.params.iter().chain(results) {
            blocks[value] = Some(block);
        }
    }
    blocks
}

/// Copies a header; gives the copy and, for each value of the header that is not loop-invariant,
/// its counterpart in the copy and itself.
fn copy_header(
    func: &mut Function,
    module: &Module,
    header: Block,
    inside: impl Fn(Reg) -> bool,
) -> (Block, Vec<(Reg, Reg)>) {
    let mut map: FxHashMap<Reg, Reg> = FxHashMap::default();
    let mut values = Vec::new();
    let mut fresh = |func: &mut Function, old: Reg, map: &mut FxHashMap<Reg, Reg>| {
        let new = func.regs.push(func.regs[old]);
        map.insert(old, new);
        values.push((new, old));
        new
    };
    let mut copy = BlockData::default();
    for param in func.blocks[header].params.clone() {
        copy.params.push(fresh(func, param, &mut map));
    }
    let mut kept = Vec::new();
    let mut invariant: SmallVec<[Reg; 8]> = SmallVec::new();
    for inst in std::mem::take(&mut func.blocks[header].insts) {
        let data = &func.insts[inst];
        let is_invariant = data.effects(module).is_pure()
            && data.args.iter().all(|arg| !inside(*arg) || invariant.contains(arg));
        if is_invariant {
            invariant.extend_from_slice(&data.results);
            copy.insts.push(inst);
            continue;
        }
        kept.push(inst);
        let mut data = data.clone();
        for used in data.uses_mut() {
            *used = map.get(used).copied().unwrap_or(*used);
        }
        for result in &mut data.results {
            *result = fresh(func, *result, &mut map);
        }
        copy.insts.push(func.insts.push(data));
    }
    func.blocks[header].insts = kept;
    let copy = func.blocks.push(copy);
    if !func.layout.is_empty() {
        let at = func.layout.iter().position(|&block| block == header);
        func.layout.insert(at.unwrap_or(func.layout.len()), copy);
    }
    (copy, values)
}
