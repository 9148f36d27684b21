//! Random register-form functions: any graph, also irreducible; every run ends, because edges that
//! go back pass a check of a step counter.

use cupola_ir::{
    Block, DialectOpDecl, DialectOpId, Effects, Format, FuncDecl, FuncId, FuncKind, Function,
    FunctionBuilder, GlobalDecl, GlobalId, Imm, InstData, MemId, MemoryDecl, Module, Op, Reg,
    SigId, Signature, TableDecl, TableId, TrapCode, Type,
};
use std::sync::Arc;

/// A small generator of random numbers.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A module and its bodies; function 0 is the one to call, with an i32 and an i64, giving an i64.
pub struct Program {
    pub module: Module,
    pub bodies: Vec<Option<Arc<Function>>>,
}

impl Program {
    pub fn main() -> FuncId {
        FuncId::from_u32(0)
    }

    pub fn random(seed: u64) -> Program {
        let mut random = Random::new(seed);
        let mut module = Module::default();
        let sig = module.intern_sig(Signature::new([Type::I32, Type::I64], [Type::I64]));
        for name in ["main", "callee", "host"] {
            let kind = match name {
                "host" => FuncKind::Import { module: "env".into(), name: name.into() },
                _ => FuncKind::Defined,
            };
            module.funcs.push(FuncDecl { name: Some(name.into()), sig, kind });
        }
        module.memories.push(MemoryDecl::new(1, Some(2)));
        module.globals.push(GlobalDecl::new(Type::I64, true, 7));
        module.globals.push(GlobalDecl::new(Type::I32, true, 3));
        module.globals.push(GlobalDecl::new(Type::V128, true, 3 << 64));
        let elements = vec![Some(FuncId::from_u32(1)), None, Some(FuncId::from_u32(2))];
        module.tables.push(TableDecl::of(elements));
        for (name, effects) in [("t.pure", Effects::empty()), ("t.any", Effects::ANY)] {
            module.dialect_ops.push(DialectOpDecl {
                name: name.into(),
                params: [Type::I64, Type::F64].into_iter().collect(),
                results: [Type::I64].into_iter().collect(),
                effects,
            });
        }
        let blocks = 2 + random.below(9);
        let main = Generator::function(&module, sig, &mut random, blocks, true);
        let blocks = 1 + random.below(3);
        let callee = Generator::function(&module, sig, &mut random, blocks, false);
        Program { module, bodies: vec![Some(Arc::new(main)), Some(Arc::new(callee)), None] }
    }
}

struct Generator<'a> {
    b: FunctionBuilder<'a>,
    random: &'a mut Random,
    /// Variables that are assigned from the start on, and temporaries of the current block.
    readable: Vec<Reg>,
    variables: Vec<Reg>,
    blocks: Vec<Block>,
    steps: Reg,
    calls: bool,
    /// Pure operations emitted so far.
    computed: Vec<(Op, Vec<Reg>, Imm)>,
}

impl<'a> Generator<'a> {
    fn function(
        module: &'a Module,
        sig: SigId,
        random: &'a mut Random,
        blocks: usize,
        calls: bool,
    ) -> Function {
        let mut b = FunctionBuilder::new(module, module.sigs[sig].clone());
        let mut variables = vec![b.param(0), b.param(1)];
        let steps = b.i32(60);
        for ty in Type::ALL {
            for _ in 0..1 + random.below(3) {
                let bits = constant(random, ty);
                variables.push(b.bits(ty, bits));
            }
        }
        let blocks: Vec<Block> = (0..blocks).map(|_| b.block()).collect();
        let readable = variables.clone();
        let mut generator = Generator {
            b,
            random,
            readable,
            variables,
            blocks,
            steps,
            calls,
            computed: Vec::new(),
        };
        let first = generator.blocks[0];
        generator.b.br(first);
        for i in 0..generator.blocks.len() {
            generator.block(i);
        }
        generator.b.finish()
    }

    fn block(&mut self, index: usize) {
        self.b.switch_to(self.blocks[index]);
        self.readable = self.variables.clone();
        for _ in 0..self.random.below(12) {
            self.statement();
        }
        let (a, b) = (self.target(index), self.target(index));
        let mut cond = self.operand(Type::I32);
        if self.random.chance(50) {
            let other = self.operand(Type::I32);
            let compares = |op: &Op| {
                op.is_compare() && op.pure_signature().is_some_and(|(p, _)| p == [Type::I32; 2])
            };
            let ops: Vec<Op> = Op::ALL.iter().copied().filter(compares).collect();
            cond = self.b.ins(self.random.pick(&ops), &[cond, other]);
        }
        match self.random.below(20) {
            0 => self.b.trap(TrapCode::Unreachable),
            1 | 2 => {
                let value = self.operand(Type::I64);
                self.b.return_(&[value]);
            }
            3..8 => self.b.br(a),
            8..10 => {
                let c = self.target(index);
                self.b.br_table(cond, &[a, b], c);
            }
            10..13 => self.b.guard(cond, a, b),
            _ => self.b.br_if(cond, a, b),
        }
    }

    /// A block to go to from block `from`: a later one, or an earlier one behind a check.
    fn target(&mut self, from: usize) -> Block {
        let to = self.random.below(self.blocks.len() + 2);
        let here = self.b.current();
        let block = self.b.block();
        self.b.switch_to(block);
        if to > from && to < self.blocks.len() && self.random.chance(80) {
            self.b.br(self.blocks[to]);
        } else if to <= from {
            let one = self.b.i32(1);
            self.b.ins_to(self.steps, Op::I32Sub, &[self.steps, one]);
            let exit = self.b.block();
            self.b.br_if(self.steps, self.blocks[to], exit);
            self.b.switch_to(exit);
            self.return_variables();
        } else {
            self.return_variables();
        }
        self.b.switch_to(here);
        block
    }

    /// Returns a mix of all i64 variables, so that wrong values are seen.
    fn return_variables(&mut self) {
        let mut sum = self.b.i64(1);
        for reg in self.variables.clone() {
            let value = match self.b.type_of(reg) {
                Type::I32 => self.b.ins(Op::I64ExtendI32U, &[reg]),
                Type::I64 => reg,
                _ => continue,
            };
            let odd = self.b.i64(0x9e37_79b9);
            let product = self.b.ins(Op::I64Mul, &[sum, odd]);
            sum = self.b.ins(Op::I64Xor, &[product, value]);
        }
        self.b.return_(&[sum]);
    }

    fn operand(&mut self, ty: Type) -> Reg {
        let of_type: Vec<Reg> =
            self.readable.iter().copied().filter(|&reg| self.b.type_of(reg) == ty).collect();
        if self.random.chance(25) {
            let bits = constant(self.random, ty);
            return self.b.bits(ty, bits);
        }
        // Parameters and constants make sure that there is one of each type.
        self.random.pick(&of_type)
    }

    /// Keeps a result as a temporary, or assigns it to a variable.
    fn keep(&mut self, value: Reg) {
        let ty = self.b.type_of(value);
        let of_type: Vec<Reg> =
            self.variables.iter().copied().filter(|&reg| self.b.type_of(reg) == ty).collect();
        if self.random.chance(60) {
            let variable = self.random.pick(&of_type);
            self.b.assign(variable, value);
        } else {
            self.readable.push(value);
        }
    }

    fn statement(&mut self) {
        let memory = MemId::from_u32(0);
        match self.random.below(28) {
            0 => {
                let ty = self.random.pick(&Type::ALL);
                let (c, a, b) = (self.operand(Type::I32), self.operand(ty), self.operand(ty));
                let value = self.b.select(c, a, b);
                self.keep(value);
            }
            23 => {
                let op = self.access(Format::LoadLane);
                let (address, offset) = self.address();
                let operands = [address, self.operand(Type::V128)];
                let lane = self.lane(op);
                let value = self.b.load_lane(op, memory, operands, offset, lane);
                self.keep(value);
            }
            22 => {
                let op = self.access(Format::StoreLane);
                let (address, offset) = self.address();
                let operands = [address, self.operand(Type::V128)];
                let lane = self.lane(op);
                self.b.store_lane(op, memory, operands, offset, lane);
            }
            1 | 2 | 24 | 25 => {
                let op = self.access(Format::Load);
                let (address, offset) = self.address();
                let value = self.b.load(op, memory, address, offset);
                self.keep(value);
            }
            3 | 4 | 26 => {
                let op = self.access(Format::Store);
                let (address, offset) = self.address();
                let value = self.operand(op.access().expect("a store").0);
                self.b.store(op, memory, address, value, offset);
            }
            5 | 27 => {
                let global = GlobalId::from_u32(self.random.below(3) as u32);
                let value = self.b.global_get(global);
                self.keep(value);
            }
            6 => {
                let index = self.random.below(3);
                let value = self.operand([Type::I64, Type::I32, Type::V128][index]);
                self.b.global_set(GlobalId::from_u32(index as u32), value);
            }
            7 => {
                let value = self.b.memory_size(memory);
                self.keep(value);
            }
            8 if self.random.chance(30) => {
                let pages = self.b.i32(self.random.below(2) as i32);
                let value = self.b.memory_grow(memory, pages);
                self.keep(value);
            }
            9 | 10 => {
                let op = DialectOpId::from_u32(self.random.below(2) as u32);
                let args = [self.operand(Type::I64), self.operand(Type::F64)];
                let value = self.b.dialect(op, &args)[0];
                self.keep(value);
            }
            11 | 12 if self.calls => {
                let args = [self.operand(Type::I32), self.operand(Type::I64)];
                let value = if self.random.chance(70) {
                    self.b.call(FuncId::from_u32(1 + self.random.below(2) as u32), &args)[0]
                } else {
                    let index = self.b.i32(self.random.pick(&[0, 0, 2, 2, 2, 1, 5]));
                    let (sig, table) = (SigId::from_u32(0), TableId::from_u32(0));
                    self.b.call_indirect(sig, table, &args, index)[0]
                };
                self.keep(value);
            }
            14 => {
                // Two variables change places, which makes cycles of copies at loop headers.
                let a = self.random.pick(&self.variables);
                let ty = self.b.type_of(a);
                let same: Vec<Reg> =
                    self.variables.iter().copied().filter(|&v| self.b.type_of(v) == ty).collect();
                let b = self.random.pick(&same);
                let saved = self.b.reg(ty);
                self.b.assign(saved, a);
                self.b.assign(a, b);
                self.b.assign(b, saved);
            }
            13 if self.random.chance(40) => {
                let (a, b) = (self.operand(Type::I32), self.operand(Type::I32));
                let cond = self.b.ins(Op::I32Eq, &[a, b]);
                self.b.trap_if(cond, TrapCode::IntOverflow);
            }
            _ => self.pure(),
        }
    }

    fn pure(&mut self) {
        // A repetition of what was computed before, for value numbering.
        if !self.computed.is_empty() && self.random.chance(15) {
            let index = self.random.below(self.computed.len());
            let (op, args, imm) = self.computed[index].clone();
            if args.iter().all(|arg| self.readable.contains(arg)) {
                let value = self.emit(op, &args, imm);
                return self.keep(value);
            }
        }
        let pure = |op: &Op| op.pure_signature().is_some();
        let integers = |op: &Op| {
            op.pure_signature()
                .is_some_and(|(params, _)| params == [Type::I32; 2] || params == [Type::I64; 2])
        };
        let ops: Vec<Op> = if self.random.chance(65) {
            Op::ALL.iter().copied().filter(integers).collect()
        } else {
            Op::ALL.iter().copied().filter(pure).collect()
        };
        let op = self.random.pick(&ops);
        // Operations that trap are rarer than the table makes them.
        if op.effects().contains(Effects::TRAPS) && self.random.chance(40) {
            return self.pure();
        }
        let (params, _) = op.pure_signature().expect("filtered for that");
        let mut args: Vec<Reg> = params.iter().map(|&ty| self.operand(ty)).collect();
        let imm = match op.format() {
            Format::Lane => Imm::Lane(self.lane(op)),
            Format::Shuffle => Imm::Shuffle([(); 16].map(|()| self.lane(op))),
            _ => Imm::None,
        };
        self.computed.push((op, args.clone(), imm));
        if args.len() == 2 && self.random.chance(40) {
            let bits = constant(self.random, params[1]);
            args[1] = self.b.bits(params[1], bits);
        }
        let value = self.emit(op, &args, imm);
        self.keep(value);
        // Chains of operations with constants and negations, for the folder.
        let ty = self.b.type_of(value);
        if self.random.chance(30) {
            let again = if ty == Type::I32 && self.random.chance(40) {
                self.b.ins(Op::I32Eqz, &[value])
            } else if op.pure_signature().is_some_and(|(params, _)| params == [ty, ty]) {
                let bits = constant(self.random, ty);
                let c = self.b.bits(ty, bits);
                self.emit(op, &[value, c], imm)
            } else {
                return;
            };
            self.keep(again);
        }
    }

    fn lane(&mut self, op: Op) -> u8 {
        self.random.below(op.lanes().expect("an opcode on a lane").into()) as u8
    }

    fn emit(&mut self, op: Op, args: &[Reg], imm: Imm) -> Reg {
        let (_, ty) = op.pure_signature().expect("a pure opcode");
        let result = self.b.reg(ty);
        self.b.push(InstData::new(op, args, &[result]).with_imm(imm));
        result
    }

    /// A load or a store, often one of the few that are used most.
    fn access(&mut self, format: cupola_ir::Format) -> Op {
        let common = self.random.chance(70);
        let usable = |op: &Op| {
            let whole = op.access().is_some_and(|(ty, size)| ty.bytes() == size && !ty.is_float());
            let lanes = matches!(format, Format::LoadLane | Format::StoreLane);
            op.format() == format && !op.is_raw() && (whole || lanes || !common)
        };
        let ops: Vec<Op> = Op::ALL.iter().copied().filter(usable).collect();
        self.random.pick(&ops)
    }

    /// An address that is nearly always in bounds, often the same as another.
    fn address(&mut self) -> (Reg, u64) {
        let offset = self.random.pick(&[0, 0, 4, 8, 65532]);
        if self.random.chance(60) {
            return (self.b.i32(self.random.pick(&[0, 4, 8])), 0);
        }
        let address = self.operand(Type::I32);
        let mask = self.b.i32(self.random.pick(&[12, 12, 0xfff]));
        (self.b.ins(Op::I32And, &[address, mask]), offset)
    }
}

fn constant(random: &mut Random, ty: Type) -> u128 {
    if ty == Type::V128 {
        let halves = [Type::I64, Type::F64].map(|ty| slot(random, ty));
        return u128::from(halves[0]) | u128::from(halves[1]) << 64;
    }
    slot(random, ty).into()
}

fn slot(random: &mut Random, ty: Type) -> u64 {
    let small = random.pick(&[0u64, 1, 2, 3, 4, 7, 8, 16, 31, 64, 1000]);
    match ty {
        Type::I32 => match random.below(4) {
            0 => u64::from((small as i32).wrapping_neg() as u32),
            1 => random.pick(&[0x8000_0000, 0x7fff_ffff, 0xffff_ffff]),
            _ => small,
        },
        Type::I64 => match random.below(4) {
            0 => (small as i64).wrapping_neg() as u64,
            1 => random.pick(&[1 << 63, u64::MAX >> 1, u64::MAX, random.0]),
            _ => small,
        },
        Type::F32 => {
            let odd =
                random.pick(&[0.0f32, -0.0, 1.5, -3.0, 1e10, f32::INFINITY, f32::MIN_POSITIVE]);
            u64::from(if random.chance(50) { odd } else { small as f32 }.to_bits())
        }
        Type::FuncRef | Type::ExternRef => 0,
        Type::F64 | Type::V128 => {
            let odd =
                random.pick(&[0.0f64, -0.0, 1.5, -3.0, 1e20, f64::INFINITY, f64::MIN_POSITIVE]);
            if random.chance(50) { odd } else { small as f64 }.to_bits()
        }
    }
}
