//! From SSA form back to the register form, so that the interpreter can run a function before and
//! after a pass.
//!
//! Every value becomes a register of its own and block parameters are assigned by copies on the
//! edges, on blocks of their own where the edge leaves a branch. The copies of an edge happen at
//! once: they are put into an order in which nothing is overwritten that is still to be read, with a
//! temporary register for each cycle. Feedback sites are numbered anew, since passes copy instructions
//! that have one. Values are not coalesced: the result is for tests, not for speed.

use cranelift_entity::SecondaryMap;
use cupola_ir::{
    Block, BlockData, EntryKind, Form, Function, Imm, InstData, Op, Reg, SiteId, Target, TrapCode,
    Type,
};
use smallvec::SmallVec;

/// What to do about deoptimizations, which the register form does not have.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OnDeopt {
    /// Give up.
    Reject,
    /// Trap with [`TrapCode::Unreachable`].
    Trap,
}

/// The function leaves for the interpreter somewhere, and that was not to be replaced by a trap.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the register form has no deoptimization")]
pub struct HasDeopt;

/// The register form of `func`, which is in SSA form. A function entered at a loop header becomes
/// one with the values live there as parameters.
///
/// # Errors
/// If it may deoptimize and `on_deopt` is [`OnDeopt::Reject`].
pub fn out_of_ssa(func: &Function, on_deopt: OnDeopt) -> Result<Function, HasDeopt> {
    let order = func.block_order();
    let mut sig = func.sig.clone();
    let params = &func.blocks[func.entry()].params;
    if matches!(func.entry_kind, EntryKind::Osr { .. }) {
        sig.params = params.iter().map(|&param| func.regs[param]).collect();
    }
    let mut out = Function::new(Form::Register, sig);
    let mut reg_of: SecondaryMap<Reg, Option<Reg>> = SecondaryMap::new();
    for (i, &param) in params.iter().enumerate() {
        reg_of[param] = Some(Reg::from_u32(i as u32));
    }
    let mut block_of: SecondaryMap<Block, Option<Block>> = SecondaryMap::new();
    for &block in &order {
        block_of[block] = Some(out.blocks.push(BlockData::default()));
    }
    let mut destruct = Destruct { func, out, reg_of, block_of, on_deopt };
    for &block in &order {
        destruct.block(block)?;
    }
    Ok(destruct.out)
}

struct Destruct<'a> {
    func: &'a Function,
    out: Function,
    reg_of: SecondaryMap<Reg, Option<Reg>>,
    block_of: SecondaryMap<Block, Option<Block>>,
    on_deopt: OnDeopt,
}

impl Destruct<'_> {
    fn reg(&mut self, value: Reg) -> Reg {
        let (out, func) = (&mut self.out, self.func);
        *self.reg_of[value].get_or_insert_with(|| out.regs.push(func.regs[value]))
    }

    fn push(&mut self, block: Block, inst: InstData) {
        let inst = self.out.insts.push(inst);
        self.out.blocks[block].insts.push(inst);
    }

    fn block(&mut self, from: Block) -> Result<(), HasDeopt> {
        let func = self.func;
        let block = self.block_of[from].expect("the block is in the layout");
        for &inst in &func.blocks[from].insts {
            let data = &func.insts[inst];
            if data.op.is_ssa_only() {
                self.only_in_ssa(block, data)?;
                continue;
            }
            let args: SmallVec<[Reg; 8]> = data.args.iter().map(|&arg| self.reg(arg)).collect();
            let results: SmallVec<[Reg; 2]> = data.results.iter().map(|&r| self.reg(r)).collect();
            let single = data.targets.len() == 1;
            let targets =
                data.targets.iter().map(|target| Target::new(self.edge(block, target, single)));
            let targets = targets.collect();
            let imm = self.numbered_anew(data.imm);
            let new = InstData::new(data.op, &args, &results)
                .with_imm(imm)
                .with_targets(targets)
                .with_loc(data.loc);
            self.push(block, new);
        }
        Ok(())
    }

    /// The immediate with a feedback site of its own, where it has one.
    fn numbered_anew(&mut self, imm: Imm) -> Imm {
        let site = SiteId::from_u32(self.out.num_sites);
        let new = match imm {
            Imm::Indirect(sig, table, _) => Imm::Indirect(sig, table, site),
            Imm::Dialect(op, _) => Imm::Dialect(op, site),
            other => return other,
        };
        self.out.num_sites += 1;
        new
    }

    /// Emits what stands for an instruction that the register form does not have.
    fn only_in_ssa(&mut self, block: Block, data: &InstData) -> Result<(), HasDeopt> {
        if matches!(data.op, Op::FuelTick | Op::OsrPoll) {
            // Whoever runs the register form counts and polls by itself.
            return Ok(());
        }
        if self.on_deopt == OnDeopt::Reject {
            return Err(HasDeopt);
        }
        let imm = Imm::Trap(TrapCode::Unreachable);
        if data.op.is_terminator() {
            self.push(block, InstData::new(Op::Trap, &[], &[]).with_imm(imm).with_loc(data.loc));
            return Ok(());
        }
        if let &[result] = data.results.as_slice() {
            // A tick says yes: there are no forced deoptimizations here.
            let result = self.reg(result);
            let one = InstData::new(Op::I32Const, &[], &[result]).with_imm(Imm::Bits(1));
            self.push(block, one.with_loc(data.loc));
            return Ok(());
        }
        let cond = self.reg(data.args[0]);
        let failed = self.out.regs.push(Type::I32);
        self.push(block, InstData::new(Op::I32Eqz, &[cond], &[failed]));
        self.push(
            block,
            InstData::new(Op::TrapIf, &[failed], &[]).with_imm(imm).with_loc(data.loc),
        );
        Ok(())
    }

    /// Makes the copies of an edge that leaves `block`, and gives the block to branch to.
    fn edge(&mut self, block: Block, target: &Target, single: bool) -> Block {
        let func = self.func;
        let to = self.block_of[target.block].expect("branches stay within the layout");
        let params = &func.blocks[target.block].params;
        let moves: Vec<(Reg, Reg)> =
            params.iter().zip(&target.args).map(|(&p, &a)| (self.reg(p), self.reg(a))).collect();
        if moves.iter().all(|(dest, src)| dest == src) {
            return to;
        }
        let place = if single { block } else { self.out.blocks.push(BlockData::default()) };
        self.parallel_copy(place, moves);
        if single {
            return to;
        }
        self.push(place, InstData::new(Op::Br, &[], &[]).with_targets(vec![Target::new(to)]));
        place
    }

    fn parallel_copy(&mut self, block: Block, mut moves: Vec<(Reg, Reg)>) {
        loop {
            moves.retain(|(dest, src)| dest != src);
            let free =
                moves.iter().position(|&(dest, _)| moves.iter().all(|&(_, src)| src != dest));
            match (free, moves.first().copied()) {
                (Some(free), _) => {
                    let (dest, src) = moves.swap_remove(free);
                    self.push(block, InstData::new(Op::Copy, &[src], &[dest]));
                }
                (None, Some((dest, _))) => {
                    // Only cycles are left: what is in `dest` is saved for who reads it.
                    let saved = self.out.regs.push(self.out.regs[dest]);
                    self.push(block, InstData::new(Op::Copy, &[dest], &[saved]));
                    for (_, src) in &mut moves {
                        if *src == dest {
                            *src = saved;
                        }
                    }
                }
                (None, None) => return,
            }
        }
    }
}
