//! SSA construction from the register form.
//!
//! One walk over the reachable blocks in reverse postorder that carries the current value of each
//! register. A register with one definition needs no block parameter: the verifier makes sure that
//! the definition dominates every use. Of the others, those live into a block with several
//! predecessors get a parameter there, unless all predecessors are known and agree; parameters that
//! turn out redundant once loops are closed are removed at the end (see
//! [`remove_redundant_params`]). Liveness prunes dead parameters, and is needed for frame states
//! anyway. Copies vanish. Memory is proportional to the live registers summed over edges.
//!
//! Speculation happens here, because here the values of the registers are known: a guard, or a
//! branch with an edge that was never taken, becomes a `deopt_unless` with a frame state that goes
//! on at the first instruction of the block not taken, and that block is not translated unless it
//! is reached in another way.

mod ticks;

pub use ticks::Ticks;

use super::edges::remove_redundant_params;
use super::exits::{SsaInfo, has_resume_state, live_at_resume_points};
use cranelift_entity::SecondaryMap;
use cupola_ir::analysis::{Cfg, Liveness};
use cupola_ir::{
    Block, BlockData, DeoptReason, EntryKind, Form, FuncId, Function, Inst, InstData, Op, Reg,
    Target, Type,
};
use smallvec::{SmallVec, smallvec};

/// How to construct.
pub struct ConstructOptions<'a> {
    /// The function, for frame states.
    pub func: FuncId,
    /// Construct the function as entered at this loop header: the parameters are the registers live
    /// there, by index, and what cannot be reached from there is dropped.
    pub osr_header: Option<Block>,
    /// Whether to speculate that a guard (given with its block) succeeds.
    pub speculate: &'a dyn Fn(Block, Inst) -> bool,
    /// Whether a `br_if` never goes to the target with this index, as far as the profile knows. If
    /// that is said of both targets, it stays a branch.
    pub cold_edge: &'a dyn Fn(Inst, usize) -> bool,
    /// How often each block of the register form ran.
    pub block_counts: Option<&'a [u64]>,
    /// Whether to record resume states of calls and dialect instructions.
    pub resume_states: bool,
    /// What to weave in.
    pub ticks: Ticks<'a>,
}

impl ConstructOptions<'_> {
    /// Construction without speculation, for a function entered by a call.
    pub fn plain(func: FuncId) -> ConstructOptions<'static> {
        ConstructOptions {
            func,
            osr_header: None,
            speculate: &|_, _| false,
            cold_edge: &|_, _| false,
            block_counts: None,
            resume_states: false,
            ticks: Ticks::default(),
        }
    }

    /// The target that a block's terminator is assumed never to go to, with the reason to give. An
    /// edge that consumes fuel is not left: the interpreter would go on behind it.
    fn cold_target(&self, body: &Function, block: Block) -> Option<(usize, DeoptReason)> {
        let inst = body.terminator(block);
        let data = &body.insts[inst];
        if data.targets.len() != 2 || data.targets[0].block == data.targets[1].block {
            return None;
        }
        let cold = match data.op {
            Op::Guard if (self.speculate)(block, inst) => Some((1, DeoptReason::GuardFailed)),
            Op::BrIf => {
                let cold = [0, 1].map(|i| (self.cold_edge)(inst, i));
                match cold {
                    [true, false] => Some((0, DeoptReason::ColdBranch)),
                    [false, true] => Some((1, DeoptReason::ColdBranch)),
                    _ => None,
                }
            }
            _ => None,
        };
        cold.filter(|&(index, _)| !self.ticks.on_edge(block, data.targets[index].block))
    }
}

/// Constructs the SSA form of `body`, a verified function in register form.
pub fn construct(body: &Function, options: &ConstructOptions<'_>) -> (Function, SsaInfo) {
    debug_assert_eq!(body.form, Form::Register);
    let live = Liveness::compute(body, &Cfg::compute(body));
    let shape = Shape::compute(body, options, &live);
    let mut construction = Construction {
        body,
        options,
        live: &live,
        func: Function::new(Form::Ssa, body.sig.clone()),
        info: SsaInfo::default(),
        current: SecondaryMap::with_default(Reg::from_u32(u32::MAX - 1)),
        joins: SecondaryMap::new(),
        edge_values: Vec::new(),
        shape,
    };
    construction.func.num_sites = body.num_sites;
    construction.func.insts.reserve(body.insts.len());
    construction.func.regs.reserve(body.regs.len());
    construction.run();
    let Construction { mut func, mut info, .. } = construction;
    let mut renames = remove_redundant_params(&mut func);
    if !renames.is_empty() {
        for value in info.values_mut() {
            *value = renames.get(*value);
        }
    }
    (func, info)
}

/// What is translated, found before the walk.
struct Shape {
    /// Reachable blocks of the register form in reverse postorder.
    rpo: Vec<Block>,
    /// Edges into each block, with the entry into the first where that is an edge.
    preds: SecondaryMap<Block, u32>,
    /// The block of the SSA form.
    block: SecondaryMap<Block, Option<Block>>,
    /// Targets assumed never to be taken.
    cold: SecondaryMap<Block, Option<(usize, DeoptReason)>>,
    /// Registers with more than one definition.
    redefined: Vec<bool>,
}

impl Shape {
    fn compute(body: &Function, options: &ConstructOptions<'_>, live: &Liveness) -> Shape {
        let start = options.osr_header.unwrap_or(body.entry());
        let mut shape = Shape {
            rpo: Vec::with_capacity(body.blocks.len()),
            preds: SecondaryMap::new(),
            block: SecondaryMap::new(),
            cold: SecondaryMap::new(),
            redefined: vec![false; body.regs.len()],
        };
        shape.preds.resize(body.blocks.len());
        shape.depth_first(body, options, start);
        let first = u32::from(options.osr_header.is_some());
        for (i, &block) in shape.rpo.iter().enumerate() {
            shape.block[block] = Some(Block::from_u32(first + i as u32));
        }
        let mut defined = vec![false; body.regs.len()];
        let mut define = |reg: Reg, redefined: &mut Vec<bool>| {
            let seen = &mut defined[reg.as_u32() as usize];
            redefined[reg.as_u32() as usize] |= std::mem::replace(seen, true);
        };
        if let Some(header) = options.osr_header {
            shape.preds[header] += 1;
            live.live_in(header).for_each(|reg| define(reg, &mut shape.redefined));
        } else {
            let params = (0..body.sig.params.len() as u32).map(Reg::from_u32);
            params.for_each(|reg| define(reg, &mut shape.redefined));
        }
        for &block in &shape.rpo {
            for &inst in &body.blocks[block].insts {
                for &result in &body.insts[inst].results {
                    define(result, &mut shape.redefined);
                }
            }
        }
        shape
    }

    fn depth_first(&mut self, body: &Function, options: &ConstructOptions<'_>, start: Block) {
        let mut visited = vec![false; body.blocks.len()];
        let mut stack = vec![(start, 0)];
        visited[start.as_u32() as usize] = true;
        self.cold[start] = options.cold_target(body, start);
        while let Some((block, next)) = stack.last_mut() {
            // Targets are visited last to first, so that the first comes first in the order.
            let targets = &body.insts[body.terminator(*block)].targets;
            if *next == targets.len() {
                self.rpo.push(*block);
                stack.pop();
                continue;
            }
            *next += 1;
            let index = targets.len() - *next;
            let succ = targets[index].block;
            if self.cold[*block].is_some_and(|(cold, _)| cold == index) {
                continue;
            }
            self.preds[succ] += 1;
            if !std::mem::replace(&mut visited[succ.as_u32() as usize], true) {
                self.cold[succ] = options.cold_target(body, succ);
                stack.push((succ, 0));
            }
        }
        self.rpo.reverse();
    }

    fn redefined(&self, reg: Reg) -> bool {
        self.redefined[reg.as_u32() as usize]
    }
}

/// What is known of a block before and after its visit.
#[derive(Clone, Default)]
struct Join {
    /// Edges from blocks already visited: the branch, its target's index, and where in
    /// `edge_values` the values of the redefined registers live into this block start.
    edges: SmallVec<[(Inst, u32, u32); 2]>,
    /// Once visited: the registers that have parameters, in their order.
    params: Vec<Reg>,
    visited: bool,
}

struct Construction<'a> {
    body: &'a Function,
    options: &'a ConstructOptions<'a>,
    live: &'a Liveness,
    shape: Shape,
    func: Function,
    info: SsaInfo,
    /// The current value of each register.
    current: SecondaryMap<Reg, Reg>,
    joins: SecondaryMap<Block, Join>,
    edge_values: Vec<Reg>,
}

impl Construction<'_> {
    fn run(&mut self) {
        self.joins.resize(self.body.blocks.len());
        self.current.resize(self.body.regs.len());
        match self.options.osr_header {
            Some(header) => self.osr_entry(header),
            None => {
                let entry = self.func.blocks.push(BlockData::default());
                self.func.layout.push(entry);
                for (i, &ty) in self.body.sig.params.iter().enumerate() {
                    self.add_param(entry, Reg::from_u32(i as u32), ty);
                }
            }
        }
        // An entry at a loop header has a block of its own, before those of the register form.
        let total = self.shape.rpo.len() + usize::from(self.options.osr_header.is_some());
        while self.func.blocks.len() < total {
            let block = self.func.blocks.push(BlockData::default());
            self.func.layout.push(block);
        }
        for i in 0..self.shape.rpo.len() {
            self.visit(self.shape.rpo[i]);
        }
    }

    fn add_param(&mut self, block: Block, reg: Reg, ty: Type) {
        let value = self.func.regs.push(ty);
        self.func.blocks[block].params.push(value);
        self.current[reg] = value;
    }

    /// Makes the entry block of a function entered at a loop header.
    fn osr_entry(&mut self, header: Block) {
        let entry = self.func.blocks.push(BlockData::default());
        self.func.layout.push(entry);
        let regs: Vec<Reg> = self.live.live_in(header).collect();
        for &reg in &regs {
            self.add_param(entry, reg, self.body.regs[reg]);
        }
        let target = self.shape.block[header].expect("the first block is translated");
        let inst = InstData::new(Op::Br, &[], &[]).with_targets(vec![Target::new(target)]);
        let inst = self.func.insts.push(inst);
        self.func.blocks[entry].insts.push(inst);
        self.leave(header, inst, 0);
        self.func.entry_kind = EntryKind::Osr { header, regs };
    }

    /// Records an edge to `to`, whose values are the current ones.
    fn leave(&mut self, to: Block, inst: Inst, index: usize) {
        let join = &mut self.joins[to];
        if join.visited {
            let args = join.params.iter().map(|&reg| self.current[reg]);
            self.func.insts[inst].targets[index].args.extend(args);
            return;
        }
        join.edges.push((inst, index as u32, self.edge_values.len() as u32));
        let live = self.live.live_in(to).filter(|&reg| self.shape.redefined(reg));
        self.edge_values.extend(live.map(|reg| self.current[reg]));
    }

    /// Sets the current values for the start of a block, and makes its parameters.
    fn enter(&mut self, from: Block, block: Block) {
        let edges = std::mem::take(&mut self.joins[from].edges);
        let closed = edges.len() as u32 == self.shape.preds[from];
        let live: SmallVec<[Reg; 16]> =
            self.live.live_in(from).filter(|&reg| self.shape.redefined(reg)).collect();
        let mut params = Vec::new();
        for (i, &reg) in live.iter().enumerate() {
            let value = |start: u32| self.edge_values[start as usize + i];
            let first = edges.first().map(|&(_, _, start)| value(start));
            let agreed = first.filter(|&v| closed && edges.iter().all(|e| value(e.2) == v));
            if let Some(value) = agreed {
                self.current[reg] = value;
                continue;
            }
            for &(inst, index, start) in &edges {
                let value = self.edge_values[start as usize + i];
                self.func.insts[inst].targets[index as usize].args.push(value);
            }
            self.add_param(block, reg, self.body.regs[reg]);
            params.push(reg);
        }
        let join = &mut self.joins[from];
        join.params = params;
        join.visited = true;
    }

    fn visit(&mut self, from: Block) {
        let block = self.shape.block[from].expect("visited blocks are translated");
        if self.shape.preds[from] > 0 {
            self.enter(from, block);
        }
        self.func.blocks[block].count = self
            .options
            .block_counts
            .and_then(|counts| counts.get(from.as_u32() as usize).copied());
        let body = self.body;
        let source = &body.blocks[from].insts;
        let ticks = self.options.ticks;
        if ticks.fuel.is_some() && self.options.osr_header.is_none() && from == body.entry() {
            self.fuel_tick(block, body.insts[source[0]].loc);
        }
        if ticks.deopts.is_some_and(|is_header| is_header(from)) {
            self.forced_deopt(block, source[0], self.live.live_in(from));
        }
        if ticks.polls.is_some_and(|is_header| is_header(from)) {
            self.osr_poll(block, source[0], self.live.live_in(from));
        }
        let mut resume_points = if (self.options.resume_states || ticks.deopts.is_some())
            && source.iter().any(|&inst| has_resume_state(body.insts[inst].op))
        {
            let live_out = body.successors(from).flat_map(|succ| self.live.live_in(succ));
            live_at_resume_points(body, from, live_out)
        } else {
            Vec::new()
        }
        .into_iter()
        .peekable();
        self.func.blocks[block].insts.reserve(source.len());
        let (&last, rest) = source.split_last().expect("a verified block ends with a terminator");
        for &inst in rest {
            let data = &body.insts[inst];
            if data.op == Op::Copy {
                self.current[data.results[0]] = self.current[data.args[0]];
                continue;
            }
            if let Some((_, regs)) = resume_points.next_if(|(at, _)| *at == inst) {
                if ticks.deopts.is_some() {
                    self.forced_deopt(block, inst, regs.iter().chain(&data.args).copied());
                }
                let new = Inst::from_u32(self.func.insts.len() as u32);
                let current = &self.current;
                self.info.push(new, inst, regs.into_iter().map(|reg| (reg, current[reg])));
            }
            self.instruction(block, data);
        }
        self.terminator(from, block, last);
    }

    fn instruction(&mut self, block: Block, data: &InstData) {
        let args = data.args.iter().map(|&reg| self.current[reg]).collect();
        let mut results = SmallVec::new();
        for &reg in &data.results {
            let value = self.func.regs.push(self.body.regs[reg]);
            self.current[reg] = value;
            results.push(value);
        }
        let new = InstData {
            op: data.op,
            args,
            results,
            imm: data.imm,
            targets: Vec::new(),
            loc: data.loc,
            inline_site: None,
        };
        self.push(block, new);
    }

    fn terminator(&mut self, from: Block, block: Block, inst: Inst) {
        let body = self.body;
        let data = &body.insts[inst];
        let mut args: SmallVec<[Reg; 4]> = data.args.iter().map(|&reg| self.current[reg]).collect();
        let mut op = data.op;
        if matches!(op, Op::Guard | Op::BrIf | Op::BrTable) && self.options.ticks.deopts.is_some() {
            let live = self.live;
            let live_out = body.successors(from).flat_map(|succ| live.live_in(succ));
            self.forced_deopt(block, inst, live_out.chain(data.args.iter().copied()));
        }
        let mut kept: SmallVec<[usize; 4]> = (0..data.targets.len()).collect();
        if let Some((cold, reason)) = self.shape.cold[from] {
            self.deopt(block, data, cold, reason);
            (op, args, kept) = (Op::Br, SmallVec::new(), smallvec![1 - cold]);
        }
        let to = |index: usize| data.targets[index].block;
        let targets = kept.iter().map(|&i| {
            Target::new(self.shape.block[to(i)].expect("successors kept are translated"))
        });
        let targets = targets.collect();
        let (results, imm, loc) = (SmallVec::new(), data.imm, data.loc);
        if kept.len() == 1 && self.options.ticks.on_edge(from, to(kept[0])) {
            self.fuel_tick(block, loc);
        }
        let new = InstData { op, args, results, imm, targets, loc, inline_site: None };
        let new = self.push(block, new);
        for (new_index, &index) in kept.iter().enumerate() {
            if kept.len() > 1 && self.options.ticks.on_edge(from, to(index)) {
                let jump = self.fuel_edge(new, new_index);
                self.leave(to(index), jump, 0);
            } else {
                self.leave(to(index), new, new_index);
            }
        }
    }

    /// Leaves for the interpreter if the branch `data` goes to its target `cold`.
    fn deopt(&mut self, block: Block, data: &InstData, cold: usize, reason: DeoptReason) {
        let target = data.targets[cold].block;
        let regs: Vec<Reg> = self.live.live_in(target).collect();
        let mut cond = self.current[data.args[0]];
        if cold == 0 {
            let inverted = self.func.regs.push(Type::I32);
            let eqz = InstData::new(Op::I32Eqz, &[cond], &[inverted]).with_loc(data.loc);
            self.push(block, eqz);
            cond = inverted;
        }
        let resume = self.body.blocks[target].insts[0];
        self.deopt_unless(block, cond, (resume, regs), reason, data.loc);
    }
}
