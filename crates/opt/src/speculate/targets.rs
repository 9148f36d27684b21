//! Indirect calls whose targets the profile knows.
//!
//! Where one or two functions of the module are what a site calls most of the time, the reference
//! in the table is compared with the instance's reference to each of them, and the call that
//! follows is a direct one, which may be inlined. What is left goes through the reference. Nothing
//! is assumed that could fail later: no deoptimization. Null and the signature need no check in
//! front of the comparisons, since these functions are neither null nor of another signature; they
//! are checked where the reference is called, so that traps stay what they were.
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
//!   callee = table.get $t, i
//!   known = func.is %inc, callee
//!   br_if known, block1, block2
//! block1:
//!   a = call %inc(x)
//!   br block3(a)
//! block2:
//!   b = call_ref callee(x) : (i32) -> i32
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

/// A target, and how often it was seen.
type Seen = (FuncId, u64);

/// Replaces indirect calls in `func`, whose resume states are `info`; gives how many.
pub fn run(
    func: &mut Function,
    info: &mut SsaInfo,
    module: &Module,
    profile: Option<&Profile>,
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
            let targets = frequent(seen, sig, module);
            if targets.is_empty() {
                continue;
            }
            let total = calls(seen);
            let mut split = Split { func, info, inst, total, layout: &mut layout };
            block = split.run(block, at - 1, (sig, table), &targets);
            at = 0;
            replaced += 1;
        }
    }
    func.layout = layout;
    replaced
}

fn calls(seen: &SiteProfile) -> u64 {
    let [_, first, _, second, other] = seen.words;
    first.saturating_add(second).saturating_add(other)
}

/// The targets to compare with, the most frequent first.
fn frequent(seen: &SiteProfile, sig: SigId, module: &Module) -> SmallVec<[Seen; 2]> {
    let [first, first_count, second, second_count, _] = seen.words;
    let total = calls(seen);
    let known =
        [(first, first_count), (second, second_count)].into_iter().filter_map(|(key, n)| {
            let func = FuncId::from_u32(u32::try_from(key.checked_sub(1)?).ok()?);
            let same = module.funcs.get(func).is_some_and(|decl| decl.sig == sig);
            (same && !module.is_import(func)).then_some((func, n))
        });
    let mut targets: SmallVec<[Seen; 2]> =
        known.filter(|&(_, n)| at_least(n, MIN_SHARE, total)).collect();
    targets.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
    let found = targets.iter().fold(0, |sum: u64, &(_, n)| sum.saturating_add(n));
    if total < MIN_CALLS || !at_least(found, MIN_FOUND, total) {
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
    fn run(
        &mut self,
        block: Block,
        at: usize,
        (sig, table): (SigId, TableId),
        targets: &[Seen],
    ) -> Block {
        let data = self.func.insts[self.inst].clone();
        let behind = self.func.blocks[block].insts.split_off(at);
        let count = self.func.blocks[block].count;
        let after = self.func.blocks.push(BlockData {
            params: data.results.iter().copied().collect(),
            insts: behind[1..].to_vec(),
            count,
        });
        let (&index, operands) = data.args.split_last().expect("an indirect call has an index");
        let callee = self.func.regs.push(Type::FuncRef);
        let get = InstData::new(Op::TableGet, &[index], &[callee]).with_imm(Imm::Table(table));
        self.push(block, get);
        let mut left = self.total;
        let mut from = block;
        for &(target, seen) in targets {
            let known = self.func.regs.push(Type::I32);
            let is = InstData::new(Op::FuncIs, &[callee], &[known]).with_imm(Imm::Func(target));
            self.push(from, is);
            left = left.saturating_sub(seen);
            let direct = self.block(count, seen);
            let others = self.block(count, left);
            let to = vec![Target::new(direct), Target::new(others)];
            self.push(from, InstData::new(Op::BrIf, &[known], &[]).with_targets(to));
            let call = InstData::new(Op::Call, operands, &[]).with_imm(Imm::Func(target));
            self.call(direct, call, &data.results, after);
            from = others;
        }
        let through: SmallVec<[Reg; 4]> = operands.iter().copied().chain([callee]).collect();
        let call = InstData::new(Op::CallRef, &through, &[]).with_imm(Imm::Sig(sig));
        self.call(from, call, &data.results, after);
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
