//! Copies the templates of a plan into one function.

use super::plan::Plan;
use super::template::Template;
use crate::ssa::ResumeState;
use cupola_ir::analysis::Cfg;
use cupola_ir::{
    Block, BlockData, FrameDescr, FrameState, Function, Imm, InlineSite, InlinedCall, Inst,
    InstData, Op, Reg, SrcLoc, Target,
};
use smallvec::SmallVec;

/// Makes the function that a plan describes.
pub(super) fn emit(plan: &Plan) -> Function {
    let root = &plan.nodes[0].template.func;
    if plan.nodes.len() == 1 {
        return root.clone();
    }
    let mut out = Function::new(root.form, root.sig.clone());
    out.entry_kind = root.entry_kind.clone();
    // Feedback sites of copied instructions stay those of the callee's feedback.
    let sites = plan.nodes.iter().map(|node| node.template.func.num_sites);
    out.num_sites = sites.max().unwrap_or(0);
    let sum = |f: fn(&Function) -> usize| -> usize {
        plan.nodes.iter().map(|node| f(&node.template.func)).sum()
    };
    out.insts.reserve(sum(|func| func.insts.len()));
    out.regs.reserve(sum(|func| func.regs.len()));
    let mut emitter = Emitter { plan, out, active: Vec::new(), diverges: false };
    let entry = emitter.out.blocks.push(BlockData::default());
    emitter.out.layout.push(entry);
    emitter.root(entry);
    let mut out = emitter.out;
    if emitter.diverges {
        let cfg = Cfg::compute(&out);
        out.layout.retain(|&block| cfg.is_reachable(block));
    }
    out
}

/// What a copy does where its template returns.
#[derive(Clone, Copy)]
enum Return {
    /// It returns.
    FromRoot,
    /// It goes on in this block with the results as arguments.
    To(Block),
    /// It is the only return: the block goes on with what follows the call.
    FallThrough,
}

/// A copy that is being made.
struct Activation {
    node: usize,
    /// The call of the template that the copy of the next activation stands for.
    call: Option<Inst>,
    /// What the template's registers are called in the result.
    regs: Vec<Reg>,
    site: Option<InlineSite>,
    /// Of a head: the position of the call that it stands for, which its instructions have.
    position: Option<SrcLoc>,
    /// Block counts of the template times this are those of the copy.
    scale: Option<f64>,
}

struct Emitter<'a> {
    plan: &'a Plan,
    out: Function,
    active: Vec<Activation>,
    /// Whether some inlined function never returns, so that blocks may have become unreachable.
    diverges: bool,
}

impl Emitter<'_> {
    fn root(&mut self, entry: Block) {
        let template = &self.plan.nodes[0].template;
        let regs = self.fresh_regs(template);
        let params = &template.func.blocks[template.func.entry()].params;
        self.out.blocks[entry].params =
            params.iter().map(|&param| regs[param.as_u32() as usize]).collect();
        self.out.blocks[entry].count = template.func.blocks[template.func.entry()].count;
        let scale = Some(1.0);
        let (site, position) = (None, None);
        self.active.push(Activation { node: 0, call: None, regs, site, position, scale });
        self.body(entry, Return::FromRoot);
        self.active.pop();
    }

    fn fresh_regs(&mut self, template: &Template) -> Vec<Reg> {
        let out = &mut self.out.regs;
        template.func.regs.values().map(|&ty| out.push(ty)).collect()
    }

    fn top(&self) -> &Activation {
        self.active.last().expect("a copy is being made")
    }

    fn map(&self, reg: Reg) -> Reg {
        self.top().regs[reg.as_u32() as usize]
    }

    /// Copies the top activation's template, its entry block onto the end of `entry`. Gives the
    /// block and the values of the return if there is only one, and the caller goes on there.
    fn body(&mut self, entry: Block, returning: Return) -> Option<(Block, SmallVec<[Reg; 2]>)> {
        let plan = self.plan;
        let func = &plan.nodes[self.top().node].template.func;
        let scale = self.top().scale;
        let mut blocks = vec![entry; func.blocks.len()];
        for &block in &func.layout[1..] {
            let data = &func.blocks[block];
            let params = data.params.iter().map(|&param| self.map(param)).collect();
            let count = data.count.zip(scale).map(|(count, scale)| (count as f64 * scale) as u64);
            blocks[block.as_u32() as usize] =
                self.out.blocks.push(BlockData { params, insts: Vec::new(), count });
        }
        let mut returned = None;
        for &block in &func.layout {
            let mut at = blocks[block.as_u32() as usize];
            if block != func.entry() {
                self.out.layout.push(at);
            }
            for &inst in &func.blocks[block].insts {
                if let Some(&child) = plan.nodes[self.top().node].children.get(&inst) {
                    match self.call(child, inst, at, func.blocks[block].count) {
                        Some(next) => at = next,
                        // What follows a call that does not return is dead.
                        None => break,
                    }
                    continue;
                }
                let data = &func.insts[inst];
                if data.op == Op::Return && !matches!(returning, Return::FromRoot) {
                    let values = data.args.iter().map(|&arg| self.map(arg));
                    match returning {
                        Return::To(to) => {
                            let target = Target { block: to, args: values.collect() };
                            let mut data =
                                InstData::new(Op::Br, &[], &[]).with_targets(vec![target]);
                            data.loc = self.loc(&func.insts[inst]);
                            data.inline_site = self.top().site;
                            self.push(at, data);
                        }
                        _ => returned = Some((at, values.collect())),
                    }
                    continue;
                }
                self.copy(at, data, &blocks);
            }
        }
        returned
    }

    fn push(&mut self, block: Block, data: InstData) {
        let inst = self.out.insts.push(data);
        self.out.blocks[block].insts.push(inst);
    }

    /// Copies an instruction of the top activation's template.
    fn copy(&mut self, at: Block, data: &InstData, blocks: &[Block]) {
        let mut imm = data.imm;
        let mut args: SmallVec<[Reg; 4]> = data.args.iter().map(|&arg| self.map(arg)).collect();
        if let Imm::FrameState(state) = data.imm {
            let func = &self.plan.nodes[self.top().node].template.func;
            let own = &func.frame_states[state];
            let conditions = args.len() - own.value_count();
            let mut frames = Vec::with_capacity(self.active.len());
            let mut values = Vec::new();
            self.waiting_frames(&mut frames, &mut values);
            args.insert_many(conditions, values);
            frames.extend(own.frames.iter().cloned());
            imm = Imm::FrameState(
                self.out.frame_states.push(FrameState { frames, reason: own.reason }),
            );
        }
        let targets = data.targets.iter().map(|target| Target {
            block: blocks[target.block.as_u32() as usize],
            args: target.args.iter().map(|&arg| self.map(arg)).collect(),
        });
        let data = InstData {
            op: data.op,
            args,
            results: data.results.iter().map(|&result| self.map(result)).collect(),
            imm,
            targets: targets.collect(),
            loc: self.loc(data),
            inline_site: self.top().site,
        };
        self.push(at, data);
    }

    /// The position of the copy of an instruction of the top activation's template.
    fn loc(&self, data: &InstData) -> SrcLoc {
        self.top().position.unwrap_or(data.loc)
    }

    /// The frames of the activations around the top one, and the values of their registers.
    fn waiting_frames(&self, frames: &mut Vec<FrameDescr>, values: &mut Vec<Reg>) {
        for activation in &self.active[..self.active.len() - 1] {
            let template = &self.plan.nodes[activation.node].template;
            let Some(state) = activation.call.and_then(|call| template.info.state(call)) else {
                continue;
            };
            let live = template.info.values(state);
            frames.push(waiting_frame(template, state, live));
            values.extend(live.iter().map(|&(_, v)| activation.regs[v.as_u32() as usize]));
        }
    }

    /// Copies the callee of a call; gives the block in which the caller goes on, none if the callee
    /// does not return.
    fn call(&mut self, child: usize, inst: Inst, at: Block, count: Option<u64>) -> Option<Block> {
        let caller = &self.plan.nodes[self.top().node].template.func;
        let data = &caller.insts[inst];
        let template = &self.plan.nodes[child].template;
        let parent = self.top().site;
        let call_loc = self.loc(data);
        let (site, position) = if template.is_head {
            // The activation that its call makes is the only one of the callee.
            (parent, Some(call_loc))
        } else {
            let call = InlinedCall { parent, callee: template.id, call_loc };
            (Some(self.out.inlined.push(call)), None)
        };
        let mut regs = self.fresh_regs(template);
        let params = &template.func.blocks[template.func.entry()].params;
        for (&param, &arg) in params.iter().zip(&data.args) {
            regs[param.as_u32() as usize] = self.map(arg);
        }
        let entry_count = template.func.blocks[template.func.entry()].count;
        let here = count.zip(self.top().scale).map(|(count, scale)| count as f64 * scale);
        let scale = here.zip(entry_count.filter(|&count| count > 0)).map(|(h, e)| h / e as f64);
        let returning = if template.returns.len() == 1 {
            Return::FallThrough
        } else {
            let params = data.results.iter().map(|&result| self.map(result)).collect();
            let count = here.map(|count| count as u64);
            Return::To(self.out.blocks.push(BlockData { params, insts: Vec::new(), count }))
        };
        self.active.last_mut().expect("a copy is being made").call = Some(inst);
        self.active.push(Activation { node: child, call: None, regs, site, position, scale });
        let returned = self.body(at, returning);
        self.active.pop();
        let top = self.active.last_mut().expect("a copy is being made");
        match (returning, returned) {
            (Return::To(next), _) if !template.returns.is_empty() => {
                self.out.layout.push(next);
                Some(next)
            }
            (Return::FallThrough, Some((next, values))) => {
                for (&result, value) in data.results.iter().zip(values) {
                    top.regs[result.as_u32() as usize] = value;
                }
                Some(next)
            }
            _ => {
                self.diverges = true;
                None
            }
        }
    }
}

/// The frame of a caller whose callee was inlined.
fn waiting_frame(template: &Template, state: &ResumeState, live: &[(Reg, Reg)]) -> FrameDescr {
    FrameDescr {
        func: template.id,
        resume: state.source,
        regs: live.iter().map(|&(reg, _)| reg).collect(),
    }
}
