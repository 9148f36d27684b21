//! Indirect calls whose targets the profile knows.
//!
//! Where one or two functions of the module are what a site calls most of the time, what the
//! table's slot holds is compared with each of them, and the call that follows is a direct one,
//! which may be inlined. What is left goes through the table. Where there are more targets, those
//! are compared with that are inlined in any case, small leaves: what they save is worth a comparison that often fails, and in a tree of calls most are leaves. Nothing
//! is assumed that could fail later: no deoptimization. Null and the signature need no check in
//! front of the comparisons, since these functions are neither null nor of another signature; they
//! are checked by the indirect call that is left, so that traps stay what they were.
//!
//! All calls that come from one have its place in the source and its resume state: a callee that
//! was inlined and leaves for the interpreter returns to the indirect call.
//!
//! Runs on functions as SSA construction made them, before inlining.
//!
//! With a profile that saw nothing but `%inc`:
//!
//! Before:
//! ```text
//! table $t = [%inc, null]
//! func %inc(a: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   r = i32.add a, one
//!   return r
//! }
//! func %f(i: i32, x: i32) -> i32 {
//! block0:
//!   r = call_indirect $t[i](x) : (i32) -> i32
//!   return r
//! }
//! ```
//! After:
//! ```text
//! table $t = [%inc, null]
//! func %inc(a: i32) -> i32 {
//! block0:
//!   one = i32.const 1
//!   r = i32.add a, one
//!   return r
//! }
//! ssa func %f(i: i32, x: i32) -> i32 {
//! block0:
//!   known = table.holds $t, %inc, i
//!   br_if known, block1, block2
//! block1:
//!   a = call %inc(x)
//!   br block3(a)
//! block2:
//!   b = call_indirect $t[i](x) : (i32) -> i32
//!   br block3(b)
//! block3(r: i32):
//!   return r
//! }
//! ```

use crate::ssa::SsaInfo;
use crate::{Profile, SiteProfile};
use cupola_ir::{
    Block, BlockData, FuncId, Function, Imm, Inst, InstData, Module, Op, Reg, SigId, TableId,
    Target, Type,
};
use smallvec::SmallVec;

/// Fewer calls say little about those to come.
const MIN_CALLS: u64 = 20;
/// The share of calls, in percent, from which a target is worth a comparison.
const MIN_SHARE: u64 = 10;
/// The share of calls, in percent, that the comparisons together must find.
const MIN_FOUND: u64 = 80;
/// The same where all that is found are small leaves.
const MIN_FOUND_LEAVES: u64 = 25;

/// A target, and how often it was seen.
type Seen = (FuncId, u64);

/// Replaces indirect calls in `func`, whose resume states are `info`; gives how many.
/// `is_small_leaf` says of a function whether it will be inlined wherever it is called.
pub fn run(
    func: &mut Function,
    info: &mut SsaInfo,
    module: &Module,
    profile: Option<&Profile>,
    is_small_leaf: &dyn Fn(FuncId) -> bool,
) -> usize {
    let Some(profile) = profile.filter(|profile| !profile.sites.is_empty()) else { return 0 };
    let mut replaced = 0;
    let mut layout = Vec::with_capacity(func.layout.len());
    for first in std::mem::take(&mut func.layout) {
        layout.push(first);
        let mut block = first;
        let mut at = 0;
        while let Some(&inst) = func.blocks[block].insts.get(at) {
            at += 1;
            let Imm::Indirect(sig, table, site) = func.insts[inst].imm else { continue };
            let Some(seen) = profile.sites.get(site.as_u32() as usize) else { continue };
            let targets = frequent(seen, sig, module, is_small_leaf);
            if targets.is_empty() {
                continue;
            }
            let total = seen.calls();
            let mut split = Split { func, info, inst, total, layout: &mut layout };
            block = split.run(block, at - 1, table, &targets);
            at = 0;
            replaced += 1;
        }
    }
    func.layout = layout;
    replaced
}

/// The targets to compare with, the most frequent first.
fn frequent(
    seen: &SiteProfile,
    sig: SigId,
    module: &Module,
    is_small_leaf: &dyn Fn(FuncId) -> bool,
) -> SmallVec<[Seen; 4]> {
    let total = seen.calls();
    if total < MIN_CALLS {
        return SmallVec::new();
    }
    let known =
        seen.targets().map(|(index, n)| (FuncId::from_u32(index), n)).filter(|&(func, n)| {
            let same = module.funcs.get(func).is_some_and(|decl| decl.sig == sig);
            same && !module.is_import(func) && at_least(n, MIN_SHARE, total)
        });
    let mut targets: SmallVec<[Seen; 4]> = known.collect();
    targets.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    let found =
        |targets: &[Seen]| targets.iter().fold(0, |sum: u64, &(_, n)| sum.saturating_add(n));
    let two = &targets[..targets.len().min(2)];
    if at_least(found(two), MIN_FOUND, total) {
        targets.truncate(2);
        return targets;
    }
    targets.retain(|&mut (func, _)| is_small_leaf(func));
    if !at_least(found(&targets), MIN_FOUND_LEAVES, total) {
        targets.clear();
    }
    targets
}

fn at_least(part: u64, percent: u64, whole: u64) -> bool {
    u128::from(part) * 100 >= u128::from(percent) * u128::from(whole)
}

/// An indirect call that is being replaced.
struct Split<'a> {
    func: &'a mut Function,
    info: &'a mut SsaInfo,
    inst: Inst,
    /// How many calls the profile saw.
    total: u64,
    layout: &'a mut Vec<Block>,
}

impl Split<'_> {
    /// Replaces the call, which is instruction `at` of `block`; gives the block in which the code
    /// behind it goes on.
    fn run(&mut self, block: Block, at: usize, table: TableId, targets: &[Seen]) -> Block {
        let data = self.func.insts[self.inst].clone();
        let behind = self.func.blocks[block].insts.split_off(at);
        let count = self.func.blocks[block].count;
        let after = self.func.blocks.push(BlockData {
            params: data.results.iter().copied().collect(),
            insts: behind[1..].to_vec(),
            count,
        });
        let (&index, operands) = data.args.split_last().expect("an indirect call has an index");
        let mut left = self.total;
        let mut from = block;
        for &(target, seen) in targets {
            let known = self.func.regs.push(Type::I32);
            let holds = InstData::new(Op::TableHolds, &[index], &[known]);
            self.push(from, holds.with_imm(Imm::TableFunc(table, target)));
            left = left.saturating_sub(seen);
            let direct = self.block(count, seen);
            let others = self.block(count, left);
            let to = vec![Target::new(direct), Target::new(others)];
            self.push(from, InstData::new(Op::BrIf, &[known], &[]).with_targets(to));
            let call = InstData::new(Op::Call, operands, &[]).with_imm(Imm::Func(target));
            self.call(direct, call, &data.results, after);
            from = others;
        }
        let through = InstData::new(data.op, &data.args, &[]).with_imm(data.imm);
        self.call(from, through, &data.results, after);
        self.layout.push(after);
        after
    }

    /// A block that runs for `part` of the calls, where it is known how often its origin ran.
    fn block(&mut self, count: Option<u64>, part: u64) -> Block {
        let share = part as f64 / self.total as f64;
        let count = count.map(|count| (count as f64 * share) as u64);
        let block = self.func.blocks.push(BlockData { count, ..BlockData::default() });
        self.layout.push(block);
        block
    }

    /// Ends a block with a call, and with a branch to `after` with its results.
    fn call(&mut self, block: Block, mut call: InstData, results: &[Reg], after: Block) {
        let own = |&like: &Reg| self.func.regs.push(self.func.regs[like]);
        call.results = results.iter().map(own).collect();
        let args = call.results.iter().copied().collect();
        let inst = self.push(block, call);
        self.info.share(inst, self.inst);
        let target = Target { block: after, args };
        self.push(block, InstData::new(Op::Br, &[], &[]).with_targets(vec![target]));
    }

    fn push(&mut self, block: Block, data: InstData) -> Inst {
        let loc = self.func.insts[self.inst].loc;
        let inst = self.func.insts.push(data.with_loc(loc));
        self.func.blocks[block].insts.push(inst);
        inst
    }
}
