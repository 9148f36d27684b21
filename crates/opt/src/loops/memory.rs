//! Lowering of linear-memory accesses to a bounds check and a raw access.
//!
//! `i32.load $m, a, offset=k` becomes address arithmetic, a compare with the memory's length, a
//! `trap_if` and a raw load, so that the reads of the memory's base and length, and checks of
//! equal addresses, can be merged and moved out of loops. A memory never shrinks; where the
//! declared minimum size covers `k` plus the access, the check is `a > len - (k + size)`, whose
//! right side is the same all through a loop, else `a + (k + size) > len`; with 64-bit addresses,
//! where that sum could wrap around, `k + size > len || a > len - (k + size)`.
//!
//! Accesses whose offset does not fit the raw form's immediate stay as they are. Checks are not
//! removed here; the merging of equal ones is left to value numbering.
//!
//! Before:
//! ```text
//! memory $m 1
//! ssa func %f(a: i32) -> i32 {
//! block0:
//!   v = i32.load $m, a, offset=4
//!   return v
//! }
//! ```
//! After:
//! ```text
//! memory $m 1
//! ssa func %f(a: i32) -> i32 {
//! block0:
//!   ea = i64.extend_i32_u a
//!   len = memory.len $m
//!   reach = i64.const 8
//!   limit = i64.sub len, reach
//!   out = i64.gt_u ea, limit
//!   trap_if out, mem_oob
//!   base = memory.base $m
//!   p = i64.add base, ea
//!   v = raw.i32.load p, offset=4
//!   return v
//! }
//! ```

use cupola_ir::{
    Function, Imm, Inst, InstData, MemArg, MemoryDecl, Module, Op, PAGE_SIZE, Reg, TrapCode, Type,
};

/// Greatest offset that a raw access takes.
const MAX_RAW_OFFSET: u64 = i32::MAX as u64;

/// Lowers every access to linear memory in `func`, which is in SSA form.
pub fn run(func: &mut Function, module: &Module) {
    lower(func, module, |_, _| true);
}

/// Lowers the accesses to linear memory that `wanted` says: it gets the memory's declaration, and
/// how far behind the address operand the access ends.
pub(super) fn lower(
    func: &mut Function,
    module: &Module,
    wanted: impl Fn(&MemoryDecl, u64) -> bool,
) {
    let lowered = |func: &Function, inst: Inst| {
        lowered(func, inst).filter(|&(_, arg, reach)| wanted(&module.memories[arg.memory], reach))
    };
    for block in func.block_order() {
        if !func.blocks[block].insts.iter().any(|&inst| lowered(func, inst).is_some()) {
            continue;
        }
        let old = std::mem::take(&mut func.blocks[block].insts);
        let mut lowering =
            Lowering { func, module, out: Vec::with_capacity(old.len() + 8), like: old[0] };
        for inst in old {
            match lowered(lowering.func, inst) {
                Some((raw, arg, reach)) => lowering.access(inst, raw, arg, reach),
                None => lowering.out.push(inst),
            }
        }
        let out = lowering.out;
        func.blocks[block].insts = out;
    }
}

/// The raw opcode, the immediate, and offset plus size of an access that is to be lowered.
fn lowered(func: &Function, inst: Inst) -> Option<(Op, MemArg, u64)> {
    let data = &func.insts[inst];
    let (raw, (_, size)) = (data.op.to_raw()?, data.op.access()?);
    let arg = data.imm.mem()?;
    let reach = arg.offset.checked_add(u64::from(size))?;
    (reach <= MAX_RAW_OFFSET).then_some((raw, arg, reach))
}

struct Lowering<'a> {
    func: &'a mut Function,
    module: &'a Module,
    out: Vec<Inst>,
    /// The access that is being lowered: new instructions stand for its place in the source.
    like: Inst,
}

impl Lowering<'_> {
    fn push(&mut self, mut data: InstData) {
        let like = &self.func.insts[self.like];
        (data.loc, data.inline_site) = (like.loc, like.inline_site);
        let inst = self.func.insts.push(data);
        self.out.push(inst);
    }

    fn value(&mut self, ty: Type, op: Op, args: &[Reg], imm: Imm) -> Reg {
        let result = self.func.regs.push(ty);
        self.push(InstData::new(op, args, &[result]).with_imm(imm));
        result
    }

    fn access(&mut self, inst: Inst, raw: Op, arg: MemArg, reach: u64) {
        self.like = inst;
        let memory = Imm::Memory(arg.memory);
        let address = self.func.insts[inst].args[0];
        let decl = &self.module.memories[arg.memory];
        let (memory64, min) = (decl.memory64, decl.min_pages.saturating_mul(PAGE_SIZE));
        let ea = match memory64 {
            true => address,
            false => self.value(Type::I64, Op::I64ExtendI32U, &[address], Imm::None),
        };
        let len = self.value(Type::I64, Op::MemoryLen, &[], memory);
        let reach_value = self.value(Type::I64, Op::I64Const, &[], Imm::Bits(reach));
        let out_of_bounds = if reach <= min || memory64 {
            let limit = self.value(Type::I64, Op::I64Sub, &[len, reach_value], Imm::None);
            let above = self.value(Type::I32, Op::I64GtU, &[ea, limit], Imm::None);
            if reach <= min {
                above
            } else {
                let none = self.value(Type::I32, Op::I64GtU, &[reach_value, len], Imm::None);
                self.value(Type::I32, Op::I32Or, &[none, above], Imm::None)
            }
        } else {
            let end = self.value(Type::I64, Op::I64Add, &[ea, reach_value], Imm::None);
            self.value(Type::I32, Op::I64GtU, &[end, len], Imm::None)
        };
        let code = Imm::Trap(TrapCode::MemOutOfBounds);
        self.push(InstData::new(Op::TrapIf, &[out_of_bounds], &[]).with_imm(code));
        let base = self.value(Type::I64, Op::MemoryBase, &[], memory);
        let pointer = self.value(Type::I64, Op::I64Add, &[base, ea], Imm::None);
        let data = &mut self.func.insts[inst];
        data.op = raw;
        data.args[0] = pointer;
        self.out.push(inst);
    }
}
