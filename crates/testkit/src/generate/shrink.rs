//! Making a program smaller that shows something: functions, branches and instructions are taken
//! away one by one, as long as what is left is valid and still shows it.

use super::Program;
use cupola::ir::{
    BlockData, EagerBodies, Form, FuncId, Function, Imm, Inst, InstData, Op, Target,
    verify_function,
};

/// A smaller program for which `shows` holds.
pub fn shrink(program: &Program, shows: &dyn Fn(&Program) -> bool) -> Program {
    let mut shrink = Shrink { program: program.clone(), shows };
    loop {
        let before = shrink.size();
        let funcs: Vec<FuncId> = shrink.program.module.funcs.keys().collect();
        for &func in &funcs {
            shrink.empty(func);
        }
        for &func in &funcs {
            shrink.branches(func);
            shrink.instructions(func);
        }
        if shrink.size() >= before {
            return shrink.program;
        }
    }
}

struct Shrink<'a> {
    program: Program,
    shows: &'a dyn Fn(&Program) -> bool,
}

impl Shrink<'_> {
    fn body(&self, func: FuncId) -> Option<Function> {
        self.program.bodies.get(func).map(|body| Function::clone(body))
    }

    fn size(&self) -> usize {
        let bodies = self.program.module.funcs.keys().filter_map(|f| self.program.bodies.get(f));
        bodies.map(|body| body.live_insts() + body.blocks.len()).sum()
    }

    /// Takes this body in place of the old one, if that still shows what is to be shown.
    fn attempt(&mut self, func: FuncId, body: Function) -> bool {
        let body = renumber(&body);
        if verify_function(&self.program.module, func, &body).is_err() {
            return false;
        }
        let mut bodies: EagerBodies = self.program.bodies.clone();
        bodies.set(func, body);
        let program = Program { module: self.program.module.clone(), bodies };
        let shows = (self.shows)(&program);
        if shows {
            self.program = program;
        }
        shows
    }

    /// Returns zeros at once.
    fn empty(&mut self, func: FuncId) {
        let Some(body) = self.body(func) else { return };
        if body.live_insts() > 1 + body.sig.results.len() {
            let mut empty = Function::new(Form::Register, body.sig.clone());
            empty.blocks.push(BlockData::default());
            push_return(&mut empty, 0);
            self.attempt(func, empty);
        }
    }

    /// Replaces branches by jumps or returns.
    fn branches(&mut self, func: FuncId) {
        let Some(body) = self.body(func) else { return };
        // From the end, so that numbers of blocks that are still to be looked at stay.
        for index in (0..body.blocks.len()).rev() {
            let Some(body) = self.body(func) else { return };
            let Some(block) = body.blocks.keys().nth(index) else { continue };
            let last = body.terminator(block);
            if body.insts[last].op != Op::Return {
                let mut ended = body.clone();
                ended.blocks[block].insts.pop();
                push_return(&mut ended, index);
                if self.attempt(func, ended) {
                    continue;
                }
            }
            if body.insts[last].targets.len() > 1 {
                for target in body.insts[last].targets.clone() {
                    let mut jumps = body.clone();
                    jumps.insts[last] = InstData::new(Op::Br, &[], &[])
                        .with_targets(vec![Target::new(target.block)]);
                    if self.attempt(func, jumps) {
                        break;
                    }
                }
            }
        }
    }

    /// Takes instructions away, or puts constants in their place.
    fn instructions(&mut self, func: FuncId) {
        let Some(body) = self.body(func) else { return };
        for index in (0..body.insts.len()).rev() {
            let Some(body) = self.body(func) else { return };
            let inst = Inst::from_u32(index as u32);
            if index >= body.insts.len() || body.insts[inst].op.is_terminator() {
                continue;
            }
            let mut without = body.clone();
            for block in without.blocks.values_mut() {
                block.insts.retain(|&i| i != inst);
            }
            if self.attempt(func, without) {
                continue;
            }
            if let &[result] = body.insts[inst].results.as_slice()
                && body.insts[inst].op.const_type().is_none()
            {
                let mut constant = body.clone();
                let op = Op::const_of(body.regs[result]);
                constant.insts[inst] =
                    InstData::new(op, &[], &[result]).with_imm(Imm::constant(body.regs[result], 1));
                self.attempt(func, constant);
            }
        }
    }
}

/// Ends block `index` by returning zeros.
fn push_return(func: &mut Function, index: usize) {
    let results = func.sig.results.clone();
    let mut values = Vec::new();
    let mut insts = Vec::new();
    for ty in results {
        let reg = func.regs.push(ty);
        let constant = InstData::new(Op::const_of(ty), &[], &[reg]).with_imm(Imm::constant(ty, 0));
        insts.push(func.insts.push(constant));
        values.push(reg);
    }
    insts.push(func.insts.push(InstData::new(Op::Return, &values, &[])));
    if let Some(block) = func.blocks.values_mut().nth(index) {
        block.insts.extend(insts);
    }
}

/// The function with only the blocks that can be reached, the instructions in them, and their
/// registers.
fn renumber(func: &Function) -> Function {
    let mut reached = vec![false; func.blocks.len()];
    let mut work = vec![func.entry()];
    while let Some(block) = work.pop() {
        if !std::mem::replace(&mut reached[block.as_u32() as usize], true) {
            work.extend(func.successors(block));
        }
    }
    let mut new = func.clone();
    new.insts.clear();
    new.blocks.clear();
    let mut numbers = vec![None; func.blocks.len()];
    for block in func.blocks.keys().filter(|b| reached[b.as_u32() as usize]) {
        numbers[block.as_u32() as usize] = Some(new.blocks.push(BlockData::default()));
    }
    let params = func.sig.params.len();
    let mut regs = vec![None; func.regs.len()];
    new.regs.clear();
    for (reg, &ty) in func.regs.iter().take(params) {
        regs[reg.as_u32() as usize] = Some(new.regs.push(ty));
    }
    for block in func.blocks.keys() {
        let Some(to) = numbers[block.as_u32() as usize] else { continue };
        for &inst in &func.blocks[block].insts {
            let mut data = func.insts[inst].clone();
            for target in &mut data.targets {
                if let Some(number) = numbers[target.block.as_u32() as usize] {
                    target.block = number;
                }
            }
            for reg in data.results.iter_mut().chain(&mut data.args) {
                let number = &mut regs[reg.as_u32() as usize];
                *reg = *number.get_or_insert_with(|| new.regs.push(func.regs[*reg]));
            }
            let inst = new.insts.push(data);
            new.blocks[to].insts.push(inst);
        }
    }
    new
}
