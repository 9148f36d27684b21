//! Builds register-form functions; what a language implementer emits code with.

use crate::entities::{Block, DialectOpId, FuncId, GlobalId, MemId, Reg, SigId, SiteId, TableId};
use crate::function::{BlockData, Form, Function};
use crate::inst::{Imm, InstData, MemArg, SrcLoc, Target};
use crate::module::Module;
use crate::op::{Format, Op, V128};
use crate::trap::TrapCode;
use crate::types::{Signature, Type};
use smallvec::SmallVec;

/// Emits one function in register form.
///
/// Registers are mutable variables: read and assign them as the source language does. Emit into
/// one block at a time ([`FunctionBuilder::switch_to`]), end each with one terminator, and call
/// [`FunctionBuilder::finish`]. Ill-typed code is found by [`verify`](crate::verify), not here.
///
/// ```
/// use cupola_ir::{FunctionBuilder, Module, Op, Signature, Type};
///
/// // fn double_plus_one(n: i64) -> i64 { n + n + 1 }
/// let module = Module::default();
/// let mut b = FunctionBuilder::new(&module, Signature::new([Type::I64], [Type::I64]));
/// let n = b.param(0);
/// let twice = b.ins(Op::I64Add, &[n, n]);
/// let one = b.i64(1);
/// let sum = b.ins(Op::I64Add, &[twice, one]);
/// b.return_(&[sum]);
/// let function = b.finish();
/// assert_eq!(function.live_insts(), 4);
/// ```
pub struct FunctionBuilder<'m> {
    module: &'m Module,
    func: Function,
    current: Block,
    loc: SrcLoc,
}

impl<'m> FunctionBuilder<'m> {
    /// Starts a function of `module` with this signature; the entry block is current.
    pub fn new(module: &'m Module, sig: Signature) -> FunctionBuilder<'m> {
        let mut func = Function::new(Form::Register, sig);
        let current = func.blocks.push(BlockData::default());
        FunctionBuilder { module, func, current, loc: SrcLoc::UNKNOWN }
    }

    /// The register of parameter `index`.
    ///
    /// # Panics
    /// If the signature has fewer parameters.
    pub fn param(&self, index: usize) -> Reg {
        assert!(index < self.func.sig.params.len(), "the function has no parameter {index}");
        Reg::from_u32(index as u32)
    }

    /// A new register. It must be assigned on every path before it is read; the verifier checks that.
    pub fn reg(&mut self, ty: Type) -> Reg {
        self.func.regs.push(ty)
    }

    /// Gives a register a name, for dumps.
    pub fn name_reg(&mut self, reg: Reg, name: &str) {
        let index = reg.as_u32() as usize;
        if self.func.reg_names.len() <= index {
            self.func.reg_names.resize(index + 1, None);
        }
        self.func.reg_names[index] = Some(name.to_owned());
    }

    /// The type of a register.
    pub fn type_of(&self, reg: Reg) -> Type {
        self.func.regs[reg]
    }

    /// A new block; emit into it after [`FunctionBuilder::switch_to`].
    pub fn block(&mut self) -> Block {
        self.func.blocks.push(BlockData::default())
    }

    /// Makes `block` the one that instructions are added to.
    pub fn switch_to(&mut self, block: Block) {
        self.current = block;
    }

    /// The block that instructions are added to.
    pub fn current(&self) -> Block {
        self.current
    }

    /// Whether the current block already has its terminator.
    pub fn is_terminated(&self) -> bool {
        let last = self.func.blocks[self.current].insts.last();
        last.is_some_and(|&inst| self.func.insts[inst].op.is_terminator())
    }

    /// Sets the source position of the instructions that follow.
    pub fn set_loc(&mut self, loc: SrcLoc) {
        self.loc = loc;
    }

    /// Adds an instruction as it is, at the current source position.
    ///
    /// # Panics
    /// If the current block already has its terminator.
    pub fn push(&mut self, mut inst: InstData) {
        assert!(!self.is_terminated(), "{} behind the end of {}", inst.op, self.current);
        inst.loc = self.loc;
        let inst = self.func.insts.push(inst);
        self.func.blocks[self.current].insts.push(inst);
    }

    /// Emits a pure instruction into a new register.
    ///
    /// # Panics
    /// If the opcode is not pure.
    pub fn ins(&mut self, op: Op, args: &[Reg]) -> Reg {
        self.ins_with(op, args, Imm::None)
    }

    /// Emits a pure instruction into a register that exists.
    pub fn ins_to(&mut self, dest: Reg, op: Op, args: &[Reg]) {
        self.push(InstData::new(op, args, &[dest]));
    }

    /// Assigns one register to another of the same type.
    pub fn assign(&mut self, dest: Reg, src: Reg) {
        self.push(InstData::new(Op::Copy, &[src], &[dest]));
    }

    /// Emits a constant, given by its slot (a vector by its lower one, with zeros above), into a
    /// new register.
    pub fn constant(&mut self, ty: Type, bits: u64) -> Reg {
        let dest = self.reg(ty);
        self.constant_to(dest, bits);
        dest
    }

    /// Emits a constant, given by its bits ([`Imm::constant`]), into a new register.
    pub fn bits(&mut self, ty: Type, bits: u128) -> Reg {
        let dest = self.reg(ty);
        self.bits_to(dest, bits);
        dest
    }

    /// Assigns a constant, given by its slot (a vector by its lower one, with zeros above).
    pub fn constant_to(&mut self, dest: Reg, bits: u64) {
        self.bits_to(dest, bits.into());
    }

    /// Assigns a constant, given by its bits ([`Imm::constant`]).
    pub fn bits_to(&mut self, dest: Reg, bits: u128) {
        let ty = self.type_of(dest);
        let imm = Imm::constant(ty, bits);
        self.push(InstData::new(Op::const_of(ty), &[], &[dest]).with_imm(imm));
    }

    /// An i32 constant in a new register.
    pub fn i32(&mut self, value: i32) -> Reg {
        self.constant(Type::I32, u64::from(value as u32))
    }

    /// An i64 constant in a new register.
    pub fn i64(&mut self, value: i64) -> Reg {
        self.constant(Type::I64, value as u64)
    }

    /// An f32 constant in a new register.
    pub fn f32(&mut self, value: f32) -> Reg {
        self.constant(Type::F32, u64::from(value.to_bits()))
    }

    /// An f64 constant in a new register.
    pub fn f64(&mut self, value: f64) -> Reg {
        self.constant(Type::F64, value.to_bits())
    }

    /// A v128 constant in a new register.
    pub fn v128(&mut self, value: u128) -> Reg {
        self.bits(Type::V128, value)
    }

    /// Emits an instruction on a lane of a vector into a new register.
    ///
    /// # Panics
    /// If the opcode is not one of [`Format::Lane`].
    pub fn lane(&mut self, op: Op, args: &[Reg], lane: u8) -> Reg {
        assert_eq!(op.format(), Format::Lane, "{op} is not on a lane");
        self.ins_with(op, args, Imm::Lane(lane))
    }

    /// Emits `i8x16.shuffle` into a new register: lanes of `a` and, from 16 on, of `b`.
    pub fn shuffle(&mut self, a: Reg, b: Reg, lanes: V128) -> Reg {
        self.ins_with(Op::I8x16Shuffle, &[a, b], Imm::Shuffle(lanes))
    }

    fn ins_with(&mut self, op: Op, args: &[Reg], imm: Imm) -> Reg {
        let (_, ty) = op.pure_signature().unwrap_or_else(|| panic!("{op} is not pure"));
        let dest = self.reg(ty);
        self.push(InstData::new(op, args, &[dest]).with_imm(imm));
        dest
    }

    /// The second operand if the i32 `cond` is not zero, else the third.
    pub fn select(&mut self, cond: Reg, then: Reg, otherwise: Reg) -> Reg {
        let dest = self.reg(self.type_of(then));
        self.push(InstData::new(Op::Select, &[cond, then, otherwise], &[dest]));
        dest
    }

    /// Loads from a linear memory (or, with a raw opcode, from a host address).
    ///
    /// # Panics
    /// If the opcode is not a load.
    pub fn load(&mut self, op: Op, memory: MemId, address: Reg, offset: u64) -> Reg {
        assert_eq!(op.format(), Format::Load, "{op} is not a load");
        let dest = self.reg(op.access().expect("a load has an access type").0);
        let imm = Imm::Mem(MemArg { memory, offset });
        self.push(InstData::new(op, &[address], &[dest]).with_imm(imm));
        dest
    }

    /// Stores to a linear memory (or, with a raw opcode, to a host address).
    ///
    /// # Panics
    /// If the opcode is not a store.
    pub fn store(&mut self, op: Op, memory: MemId, address: Reg, value: Reg, offset: u64) {
        assert_eq!(op.format(), Format::Store, "{op} is not a store");
        let imm = Imm::Mem(MemArg { memory, offset });
        self.push(InstData::new(op, &[address, value], &[]).with_imm(imm));
    }

    /// Loads a lane of a vector; the operands are address and vector. Gives the vector with the
    /// lane replaced.
    ///
    /// # Panics
    /// If the opcode is not a load of a lane.
    pub fn load_lane(
        &mut self,
        op: Op,
        memory: MemId,
        operands: [Reg; 2],
        offset: u64,
        lane: u8,
    ) -> Reg {
        assert_eq!(op.format(), Format::LoadLane, "{op} does not load a lane");
        let dest = self.reg(Type::V128);
        let imm = Imm::MemLane(MemArg { memory, offset }, lane);
        self.push(InstData::new(op, &operands, &[dest]).with_imm(imm));
        dest
    }

    /// Stores a lane of a vector; the operands are address and vector.
    ///
    /// # Panics
    /// If the opcode is not a store of a lane.
    pub fn store_lane(&mut self, op: Op, memory: MemId, operands: [Reg; 2], offset: u64, lane: u8) {
        assert_eq!(op.format(), Format::StoreLane, "{op} does not store a lane");
        let imm = Imm::MemLane(MemArg { memory, offset }, lane);
        self.push(InstData::new(op, &operands, &[]).with_imm(imm));
    }

    /// The size of a memory in pages.
    pub fn memory_size(&mut self, memory: MemId) -> Reg {
        let dest = self.reg(self.module.memories[memory].address_type());
        self.push(InstData::new(Op::MemorySize, &[], &[dest]).with_imm(Imm::Memory(memory)));
        dest
    }

    /// Grows a memory; gives the old size in pages, or -1.
    pub fn memory_grow(&mut self, memory: MemId, pages: Reg) -> Reg {
        let dest = self.reg(self.module.memories[memory].address_type());
        self.push(InstData::new(Op::MemoryGrow, &[pages], &[dest]).with_imm(Imm::Memory(memory)));
        dest
    }

    /// Reads a global.
    pub fn global_get(&mut self, global: GlobalId) -> Reg {
        let dest = self.reg(self.module.globals[global].ty);
        self.push(InstData::new(Op::GlobalGet, &[], &[dest]).with_imm(Imm::Global(global)));
        dest
    }

    /// Sets a global.
    pub fn global_set(&mut self, global: GlobalId, value: Reg) {
        self.push(InstData::new(Op::GlobalSet, &[value], &[]).with_imm(Imm::Global(global)));
    }

    fn result_regs(&mut self, types: &[Type]) -> SmallVec<[Reg; 2]> {
        types.iter().map(|&ty| self.reg(ty)).collect()
    }

    /// Calls a function; gives new registers with its results.
    pub fn call(&mut self, func: FuncId, args: &[Reg]) -> SmallVec<[Reg; 2]> {
        let module = self.module;
        let results = self.result_regs(&module.func_sig(func).results);
        self.push(InstData::new(Op::Call, args, &results).with_imm(Imm::Func(func)));
        results
    }

    fn site(&mut self) -> SiteId {
        self.func.num_sites += 1;
        SiteId::from_u32(self.func.num_sites - 1)
    }

    /// Calls the function in slot `index` of a table; gives new registers with its results.
    pub fn call_indirect(
        &mut self,
        sig: SigId,
        table: TableId,
        args: &[Reg],
        index: Reg,
    ) -> SmallVec<[Reg; 2]> {
        let module = self.module;
        let results = self.result_regs(&module.sigs[sig].results);
        let imm = Imm::Indirect(sig, table, self.site());
        let operands: SmallVec<[Reg; 6]> = args.iter().copied().chain([index]).collect();
        self.push(InstData::new(Op::CallIndirect, &operands, &results).with_imm(imm));
        results
    }

    /// Emits a dialect operation; gives new registers with its results.
    pub fn dialect(&mut self, op: DialectOpId, args: &[Reg]) -> SmallVec<[Reg; 2]> {
        let module = self.module;
        let results = self.result_regs(&module.dialect_ops[op].results);
        let imm = Imm::Dialect(op, self.site());
        self.push(InstData::new(Op::Dialect, args, &results).with_imm(imm));
        results
    }

    /// Traps if the i32 `cond` is not zero.
    pub fn trap_if(&mut self, cond: Reg, code: TrapCode) {
        self.push(InstData::new(Op::TrapIf, &[cond], &[]).with_imm(Imm::Trap(code)));
    }

    /// Ends the block: goes on in `target`.
    pub fn br(&mut self, target: Block) {
        self.push(InstData::new(Op::Br, &[], &[]).with_targets(vec![Target::new(target)]));
    }

    /// Ends the block: goes on in `then` if the i32 `cond` is not zero, else in `otherwise`.
    pub fn br_if(&mut self, cond: Reg, then: Block, otherwise: Block) {
        let targets = vec![Target::new(then), Target::new(otherwise)];
        self.push(InstData::new(Op::BrIf, &[cond], &[]).with_targets(targets));
    }

    /// Ends the block like [`FunctionBuilder::br_if`], with `otherwise` not expected to be reached:
    /// optimized code may leave for the interpreter there.
    pub fn guard(&mut self, cond: Reg, then: Block, otherwise: Block) {
        let targets = vec![Target::new(then), Target::new(otherwise)];
        self.push(InstData::new(Op::Guard, &[cond], &[]).with_targets(targets));
    }

    /// Ends the block: goes on in `targets[index]` (unsigned), or in `default`.
    pub fn br_table(&mut self, index: Reg, targets: &[Block], default: Block) {
        let targets = targets.iter().copied().chain([default]).map(Target::new).collect();
        self.push(InstData::new(Op::BrTable, &[index], &[]).with_targets(targets));
    }

    /// Ends the block: returns.
    pub fn return_(&mut self, values: &[Reg]) {
        self.push(InstData::new(Op::Return, values, &[]));
    }

    /// Ends the block: traps.
    pub fn trap(&mut self, code: TrapCode) {
        self.push(InstData::new(Op::Trap, &[], &[]).with_imm(Imm::Trap(code)));
    }

    /// The function that was built.
    pub fn finish(self) -> Function {
        self.func
    }
}
