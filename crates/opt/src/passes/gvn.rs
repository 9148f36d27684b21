//! Global value numbering, with redundant loads and checks.
//!
//! A walk over the dominator tree with a hash table of the instructions seen: one that computes what
//! a dominating one has computed is replaced by that. It covers whatever depends on its operands
//! only (trapping operations too: the dominating one has trapped before), `trap_if` and
//! `deopt_unless` on a condition already checked, and reads of memory and of instance state. A read
//! is equal to another only if both have the same epoch, a number that changes where something may
//! have been written: within a block at writes, and at joins unless the blocks on all paths from the
//! immediate dominator (a bounded search) write nothing. A store or `global.set` makes its value
//! known to later reads of the same place. All memory is one: a store to one address ends what is
//! known of every other.
//!
//! Before:
//! ```text
//! memory $m 1
//! ssa func %f(a: i32, b: i32) -> i32 {
//! block0:
//!   s = i32.add a, b
//!   d = i32.div_s a, b
//!   x = i32.load $m, s
//!   br_if d, block1, block2
//! block1:
//!   t = i32.add b, a
//!   e = i32.div_s a, b
//!   y = i32.load $m, t
//!   u = i32.xor e, y
//!   br block3(u)
//! block2:
//!   br block3(s)
//! block3(v: i32):
//!   z = i32.load $m, s
//!   i32.store $m, b, v
//!   w = i32.load $m, b
//!   p = i32.load $m, s
//!   q = i32.add z, w
//!   r = i32.add q, p
//!   return r
//! }
//! ```
//! After:
//! ```text
//! memory $m 1
//! ssa func %f(a: i32, b: i32) -> i32 {
//! block0:
//!   s = i32.add a, b
//!   d = i32.div_s a, b
//!   x = i32.load $m, s
//!   br_if d, block1, block2
//! block1:
//!   u = i32.xor d, x
//!   br block3(u)
//! block2:
//!   br block3(s)
//! block3(v: i32):
//!   i32.store $m, b, v
//!   p = i32.load $m, s
//!   q = i32.add x, v
//!   r = i32.add q, p
//!   return r
//! }
//! ```

use crate::ssa::Renames;
use cupola_ir::analysis::{Cfg, DomTree};
use cupola_ir::{Block, Effects, Format, Function, Imm, Inst, InstData, Module, Op, Reg, Type};
use rustc_hash::FxHasher;
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// How many blocks are looked at between a join and its immediate dominator.
const MAX_JOIN_SEARCH: usize = 32;

/// Runs the pass.
pub fn run(func: &mut Function, module: &Module) {
    let cfg = Cfg::compute(func);
    let dom = DomTree::compute(&cfg);
    let insts = func.insts.len();
    let mut gvn = Gvn {
        module,
        dom: &dom,
        cfg: &cfg,
        table: vec![None; (2 * insts).next_power_of_two()],
        block_of: vec![func.entry(); insts],
        epoch_of: vec![0; insts],
        renames: Renames::new(func.regs.len()),
        writes: vec![Written::default(); func.blocks.len()],
        exits: vec![Epochs::default(); func.blocks.len()],
        now: Epochs::default(),
        clock: 0,
        func,
    };
    for &block in cfg.rpo() {
        let func = &gvn.func;
        let written = func.blocks[block].insts.iter().map(|&i| Written::by(&func.insts[i], module));
        let written = written.fold(Written::default(), Written::union);
        gvn.writes[block.as_u32() as usize] = written;
    }
    for &block in dom.preorder() {
        gvn.block(block);
    }
}

/// When memory contents, global variables and other instance state were last written.
#[derive(Copy, Clone, Default)]
struct Epochs {
    memory: u32,
    globals: u32,
    state: u32,
}

/// What code may write.
#[derive(Copy, Clone, Default)]
struct Written {
    memory: bool,
    globals: bool,
    state: bool,
}

impl Written {
    const ALL: Written = Written { memory: true, globals: true, state: true };

    fn by(data: &InstData, module: &Module) -> Written {
        let effects = data.effects(module);
        let state = effects.contains(Effects::WRITES_STATE);
        let global_set = data.op.format() == Format::GlobalSet;
        Written {
            memory: effects.contains(Effects::WRITES_MEMORY),
            globals: state,
            state: state && !global_set,
        }
    }

    fn union(self, other: Written) -> Written {
        Written {
            memory: self.memory | other.memory,
            globals: self.globals | other.globals,
            state: self.state | other.state,
        }
    }

    fn any(self) -> bool {
        self.memory | self.globals
    }
}

struct Gvn<'a> {
    func: &'a mut Function,
    module: &'a Module,
    cfg: &'a Cfg,
    dom: &'a DomTree,
    /// Open addressing with linear probing; at most half full.
    table: Vec<Option<Inst>>,
    /// Of the instructions in the table: their blocks and epochs.
    block_of: Vec<Block>,
    epoch_of: Vec<u32>,
    renames: Renames,
    writes: Vec<Written>,
    exits: Vec<Epochs>,
    now: Epochs,
    clock: u32,
}

impl Gvn<'_> {
    fn block(&mut self, block: Block) {
        self.now = self.entry_epochs(block);
        let mut insts = std::mem::take(&mut self.func.blocks[block].insts);
        insts.retain(|&inst| self.instruction(block, inst));
        self.func.blocks[block].insts = insts;
        self.exits[block.as_u32() as usize] = self.now;
    }

    /// The epochs at the start of a block: those at the end of its immediate dominator, but for
    /// what is written in between.
    fn entry_epochs(&mut self, block: Block) -> Epochs {
        let Some(idom) = self.dom.idom(block) else { return Epochs::default() };
        let mut epochs = self.exits[idom.as_u32() as usize];
        let mut seen: SmallVec<[Block; MAX_JOIN_SEARCH]> = SmallVec::new();
        let mut work: SmallVec<[Block; 8]> = SmallVec::from_slice(self.cfg.preds(block));
        let mut written = Written::default();
        while let Some(between) = work.pop() {
            if between == idom || seen.contains(&between) {
                continue;
            }
            if seen.len() == MAX_JOIN_SEARCH {
                written = Written::ALL;
                break;
            }
            seen.push(between);
            written = written.union(self.writes[between.as_u32() as usize]);
            work.extend_from_slice(self.cfg.preds(between));
        }
        self.advance(&mut epochs, written);
        epochs
    }

    fn advance(&mut self, epochs: &mut Epochs, written: Written) {
        self.clock += 1;
        let choose = |written: bool, epoch: u32| if written { self.clock } else { epoch };
        *epochs = Epochs {
            memory: choose(written.memory, epochs.memory),
            globals: choose(written.globals, epochs.globals),
            state: choose(written.state, epochs.state),
        };
    }

    /// Looks at an instruction; whether it stays.
    fn instruction(&mut self, block: Block, inst: Inst) -> bool {
        for used in self.func.insts[inst].uses_mut() {
            *used = self.renames.get(*used);
        }
        let data = &self.func.insts[inst];
        let effects = data.effects(self.module);
        let written = Written::by(data, self.module);
        if written.any() {
            self.write(block, inst, written);
            return true;
        }
        let check = matches!(data.op.format(), Format::TrapIf | Format::DeoptUnless);
        let other = Effects::CALLS | Effects::DEOPTS | Effects::POLLS | Effects::TERMINATOR;
        if !check && (effects.intersects(other) || data.results.is_empty()) {
            return true;
        }
        let epoch = self.read_epoch(data, effects);
        let Some(leader) = self.find_or_insert(block, inst, epoch) else { return true };
        let (leader, data) = (&self.func.insts[leader], &self.func.insts[inst]);
        match leader.op.format() {
            // What a store or an assignment of a global left there is its last operand.
            Format::Store | Format::GlobalSet => {
                let value = leader.args[leader.args.len() - 1];
                self.renames.set(data.results[0], value);
            }
            _ => {
                for (&result, &value) in data.results.iter().zip(&leader.results) {
                    self.renames.set(result, value);
                }
            }
        }
        false
    }

    /// The epoch that a read belongs to; 0 for what reads nothing.
    fn read_epoch(&self, data: &InstData, effects: Effects) -> u32 {
        let mut epoch = 0;
        if effects.contains(Effects::READS_MEMORY) {
            epoch = self.now.memory;
        }
        let reads_state = effects.contains(Effects::READS_STATE);
        match data.op.format() {
            // Bounds only ever grow, so that an access that was in bounds stays so.
            Format::Load | Format::LoadLane => {}
            Format::GlobalGet | Format::Dialect if reads_state => {
                epoch = epoch.max(self.now.state).max(self.now.globals);
            }
            _ if reads_state => epoch = epoch.max(self.now.state),
            _ => {}
        }
        epoch
    }

    fn write(&mut self, block: Block, inst: Inst, written: Written) {
        let mut now = self.now;
        self.advance(&mut now, written);
        self.now = now;
        let op = self.func.insts[inst].op;
        match op.format() {
            Format::GlobalSet => {
                self.find_or_insert(block, inst, now.globals.max(now.state));
            }
            Format::Store if whole_access(op) => {
                self.find_or_insert(block, inst, now.memory);
            }
            _ => {}
        }
    }

    /// The dominating instruction with the same value; if there is none, this one is what later ones
    /// find.
    fn find_or_insert(&mut self, block: Block, inst: Inst, epoch: u32) -> Option<Inst> {
        let data = &self.func.insts[inst];
        let mask = self.table.len() - 1;
        let mut at = hash(data, epoch) as usize & mask;
        while let Some(leader) = self.table[at] {
            let place = leader.as_u32() as usize;
            if self.epoch_of[place] == epoch && equal(&self.func.insts[leader], data) {
                if self.dom.dominates(self.block_of[place], block) {
                    return Some(leader);
                }
                // The walk has left the leader's subtree for good.
                break;
            }
            at = (at + 1) & mask;
        }
        self.table[at] = Some(inst);
        self.block_of[inst.as_u32() as usize] = block;
        self.epoch_of[inst.as_u32() as usize] = epoch;
        None
    }
}

/// Whether this is a load or store of all bits of a register, so that a store's operand is what a
/// load gives.
fn whole_access(op: Op) -> bool {
    op.access().is_some_and(|(ty, bytes)| ty.bytes() == bytes)
}

/// What must be equal for two instructions to have the same value: loads and stores of whole
/// registers are one kind, and so are reads and assignments of globals.
fn kind(op: Op) -> (u16, Option<Type>) {
    match op.format() {
        Format::GlobalGet | Format::GlobalSet => (Op::GlobalGet as u16, None),
        Format::Load | Format::Store if whole_access(op) => {
            let like = if op.is_raw() { Op::RawI64Load } else { Op::I64Load };
            (like as u16, op.access().map(|(ty, _)| ty))
        }
        _ => (op as u16, None),
    }
}

/// The operands that the value depends on.
fn operands(data: &InstData) -> &[Reg] {
    match data.op.format() {
        Format::Store | Format::DeoptUnless => &data.args[..1],
        Format::GlobalSet => &[],
        _ => &data.args,
    }
}

/// The immediate that the value depends on: of a dialect operation not the site, of a check nothing.
fn immediate(data: &InstData) -> Imm {
    match data.imm {
        Imm::Dialect(op, _) => Imm::Dialect(op, cupola_ir::SiteId::from_u32(0)),
        Imm::Trap(_) | Imm::FrameState(_) => Imm::None,
        imm => imm,
    }
}

/// Both operands of a commutative operation, in one order. Floating-point operations are left out:
/// which of two NaNs comes out may depend on the order.
fn commuted(data: &InstData) -> Option<(Reg, Reg)> {
    let (_, result) = data.op.pure_signature().filter(|_| data.op.is_commutative())?;
    let &[a, b] = data.args.as_slice() else { return None };
    (!result.is_float()).then_some((a.min(b), a.max(b)))
}

fn hash(data: &InstData, epoch: u32) -> u64 {
    let mut hasher = FxHasher::default();
    kind(data.op).0.hash(&mut hasher);
    epoch.hash(&mut hasher);
    immediate(data).hash(&mut hasher);
    match commuted(data) {
        Some(pair) => pair.hash(&mut hasher),
        None => operands(data).iter().for_each(|arg| arg.hash(&mut hasher)),
    }
    hasher.finish()
}

fn equal(leader: &InstData, data: &InstData) -> bool {
    if kind(leader.op) != kind(data.op) || immediate(leader) != immediate(data) {
        return false;
    }
    match (commuted(leader), commuted(data)) {
        (Some(a), Some(b)) => a == b,
        _ => operands(leader) == operands(data),
    }
}
