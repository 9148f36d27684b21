//! Edges into blocks, and replacement of values: what passes over block parameters share.

use cranelift_entity::SecondaryMap;
use cupola_ir::{Block, Function, Inst, Reg};
use smallvec::SmallVec;

/// The edges into each block: the branch and the index of its target.
pub struct Incoming {
    edges: SecondaryMap<Block, SmallVec<[(Inst, u32); 2]>>,
}

impl Incoming {
    /// Finds the edges between the live blocks of a function.
    pub fn compute(func: &Function) -> Incoming {
        let mut edges: SecondaryMap<Block, SmallVec<[(Inst, u32); 2]>> = SecondaryMap::new();
        edges.resize(func.blocks.len());
        for &block in &func.layout {
            let inst = func.terminator(block);
            for (i, target) in func.insts[inst].targets.iter().enumerate() {
                edges[target.block].push((inst, i as u32));
            }
        }
        Incoming { edges }
    }

    /// The edges into a block.
    pub fn of(&self, block: Block) -> &[(Inst, u32)] {
        &self.edges[block]
    }
}

/// Values that stand for others from now on. Replacements may chain.
pub struct Renames {
    to: Vec<Reg>,
    any: bool,
}

impl Renames {
    /// No replacement, for a function with this many registers.
    pub fn new(regs: usize) -> Renames {
        Renames { to: (0..regs as u32).map(Reg::from_u32).collect(), any: false }
    }

    /// Whether nothing is replaced.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Replaces `from` by `to` from now on. Registers made after the map are allowed as `to`.
    pub fn set(&mut self, from: Reg, to: Reg) {
        let to = self.get(to);
        if from == to {
            // Only in code that cannot be reached does a value depend on nothing but itself.
            return;
        }
        self.to[from.as_u32() as usize] = to;
        self.any = true;
    }

    /// What stands for `reg` in the end.
    pub fn get(&mut self, reg: Reg) -> Reg {
        let mut last = reg;
        while let Some(&next) = self.to.get(last.as_u32() as usize) {
            if next == last {
                break;
            }
            last = next;
        }
        // Chains are shortened so that each is walked in full only once.
        let mut at = reg;
        while at != last {
            at = std::mem::replace(&mut self.to[at.as_u32() as usize], last);
        }
        last
    }

    /// Replaces the operands of all instructions in live blocks.
    pub fn apply(&mut self, func: &mut Function) {
        if self.is_empty() {
            return;
        }
        for &block in &func.layout {
            for &inst in &func.blocks[block].insts {
                for used in func.insts[inst].uses_mut() {
                    *used = self.get(*used);
                }
            }
        }
    }
}

/// Finds the block parameters that are the same value on every edge: `param` itself aside, all
/// edges pass one value. Replacing one may make others redundant; on reducible graphs what is left
/// is minimal SSA form (Braun et al., *Simple and Efficient Construction of Static Single
/// Assignment Form*, CC 2013, section 3.2). Removes them and gives the replacements made, already
/// applied to the function.
pub fn remove_redundant_params(func: &mut Function) -> Renames {
    let with_params: Vec<Block> = func
        .layout
        .iter()
        .copied()
        .skip(1)
        .filter(|&b| !func.blocks[b].params.is_empty())
        .collect();
    if with_params.is_empty() {
        return Renames { to: Vec::new(), any: false };
    }
    let incoming = Incoming::compute(func);
    let mut renames = Renames::new(func.regs.len());
    let mut changed = true;
    while changed {
        changed = false;
        for &block in &with_params {
            for (i, &param) in func.blocks[block].params.iter().enumerate() {
                if renames.get(param) != param {
                    continue;
                }
                if let Some(value) = only_argument(func, &incoming, &mut renames, block, i) {
                    renames.set(param, value);
                    changed = true;
                }
            }
        }
    }
    if !renames.is_empty() {
        for &block in &with_params {
            remove_params(func, &incoming, block, |param| renames.get(param) != param);
        }
        renames.apply(func);
    }
    renames
}

/// The one value that all edges pass for a parameter, the parameter itself aside.
fn only_argument(
    func: &Function,
    incoming: &Incoming,
    renames: &mut Renames,
    block: Block,
    index: usize,
) -> Option<Reg> {
    let param = func.blocks[block].params[index];
    let mut only = None;
    for &(inst, target) in incoming.of(block) {
        let arg = renames.get(func.insts[inst].targets[target as usize].args[index]);
        if arg != param && only.is_some_and(|value| value != arg) {
            return None;
        }
        if arg != param {
            only = Some(arg);
        }
    }
    only
}

/// Removes the parameters of `block` for which `dead` holds, and their arguments on every edge.
pub fn remove_params(
    func: &mut Function,
    incoming: &Incoming,
    block: Block,
    mut dead: impl FnMut(Reg) -> bool,
) {
    let kill: SmallVec<[bool; 8]> = func.blocks[block].params.iter().map(|&p| dead(p)).collect();
    if !kill.contains(&true) {
        return;
    }
    let mut keep = kill.iter().map(|&k| !k);
    func.blocks[block].params.retain(|_| keep.next().unwrap_or(true));
    for &(inst, target) in incoming.of(block) {
        let mut keep = kill.iter().map(|&k| !k);
        let args = &mut func.insts[inst].targets[target as usize].args;
        args.retain(|_| keep.next().unwrap_or(true));
    }
}
