//! Bodies of random functions.

use super::{Choices, budget, constant, signature};
use cupola::ir::{
    Block, DialectOpId, Effects, Format, FuncId, Function, FunctionBuilder, GlobalId, MemId,
    Module, Op, Reg, SigId, TableId, TrapCode, Type,
};

/// Makes one function.
pub(crate) struct BodyGenerator<'m, 'c, 'b> {
    b: FunctionBuilder<'m>,
    module: &'m Module,
    choices: &'c mut Choices<'b>,
    results: Vec<Type>,
    /// Registers that are assigned from the start on.
    variables: Vec<Reg>,
    /// The variables, and what the current block computed so far.
    readable: Vec<Reg>,
    /// Blocks that others may go to.
    blocks: Vec<Block>,
    /// Counts down on edges that go back.
    steps: Reg,
}

impl<'m, 'c, 'b> BodyGenerator<'m, 'c, 'b> {
    /// A function with this signature.
    pub fn function(module: &'m Module, sig: SigId, choices: &'c mut Choices<'b>) -> Function {
        let sig = signature(module, sig);
        let params = sig.params.len();
        let results = sig.results.to_vec();
        let mut b = FunctionBuilder::new(module, sig);
        let steps = b.reg(Type::I32);
        let (variables, readable) = (Vec::new(), Vec::new());
        let mut generator = BodyGenerator {
            b,
            module,
            choices,
            results,
            variables,
            readable,
            blocks: Vec::new(),
            steps,
        };
        generator.entry(params);
        for i in 0..generator.blocks.len() {
            generator.block(i);
        }
        generator.b.finish()
    }

    /// Takes one of the budget of calls, and assigns all variables.
    fn entry(&mut self, params: usize) {
        self.variables = (0..params).map(|i| self.b.param(i)).collect();
        let left = self.b.global_get(budget());
        let one = self.b.i32(1);
        let left = self.b.ins(Op::I32Sub, &[left, one]);
        self.b.global_set(budget(), left);
        let [over, start] = [(); 2].map(|()| self.b.block());
        let none = self.b.i32(0);
        let spent = self.b.ins(Op::I32LeS, &[left, none]);
        self.b.br_if(spent, over, start);
        self.b.switch_to(over);
        let zeros: Vec<Reg> =
            self.results.clone().iter().map(|&ty| self.b.constant(ty, 0)).collect();
        self.b.return_(&zeros);
        self.b.switch_to(start);
        let steps = self.choices.pick(&[3, 12, 12, 40]);
        self.b.constant_to(self.steps, steps);
        let most = self.choices.pick(&[1, 2, 4, 9]);
        for ty in Type::ALL {
            for _ in 0..1 + self.choices.below(most) {
                let bits = constant(self.choices, ty);
                let variable = self.b.bits(ty, bits);
                self.variables.push(variable);
            }
        }
        let most = self.choices.pick(&[2, 5, 10]);
        self.blocks = (0..1 + self.choices.below(most)).map(|_| self.b.block()).collect();
        self.b.br(self.blocks[0]);
    }

    fn block(&mut self, index: usize) {
        self.b.switch_to(self.blocks[index]);
        self.readable = self.variables.clone();
        for _ in 0..self.choices.below(7) {
            self.statement();
        }
        match self.choices.below(24) {
            0 => {
                let code = self.choices.pick(&[TrapCode::Unreachable, TrapCode::IntOverflow]);
                self.b.trap(code);
            }
            1 => self.return_some(),
            2..6 => {
                let target = self.target(index);
                self.b.br(target);
            }
            6..9 => {
                let selector = self.operand(Type::I32);
                let selector = if self.choices.chance(70) {
                    let mask = self.b.i32(3);
                    self.b.ins(Op::I32And, &[selector, mask])
                } else {
                    selector
                };
                let targets: Vec<Block> =
                    (0..self.choices.below(6)).map(|_| self.target(index)).collect();
                let default = self.target(index);
                self.b.br_table(selector, &targets, default);
            }
            9..14 => {
                let (likely, rare) = (self.target(index), self.target(index));
                let condition = self.likely();
                self.b.guard(condition, likely, rare);
            }
            _ => {
                let (then, otherwise) = (self.target(index), self.target(index));
                let condition = self.operand(Type::I32);
                self.b.br_if(condition, then, otherwise);
            }
        }
    }

    /// A condition that often holds for a while.
    fn likely(&mut self) -> Reg {
        match self.choices.below(4) {
            0 => self.operand(Type::I32),
            1 => {
                let bound = self.b.i32(1 + self.choices.below(6) as i32);
                self.b.ins(Op::I32GtS, &[self.steps, bound])
            }
            2 => {
                let (a, b) = (self.operand(Type::I64), self.operand(Type::I64));
                self.b.ins(Op::I64Ne, &[a, b])
            }
            _ => {
                let left = self.b.global_get(budget());
                let bound = self.b.i32(self.choices.pick(&[100, 200, 230, 245]));
                self.b.ins(Op::I32GtS, &[left, bound])
            }
        }
    }

    /// A block to go to from block `from`: a later one, or an earlier one behind a check.
    fn target(&mut self, from: usize) -> Block {
        let to = self.choices.below(self.blocks.len() + 1);
        if to > from && to < self.blocks.len() && self.choices.chance(60) {
            return self.blocks[to];
        }
        let here = self.b.current();
        let readable = self.readable.clone();
        let block = self.b.block();
        self.b.switch_to(block);
        self.readable = self.variables.clone();
        if to > from && to < self.blocks.len() {
            self.statement();
            self.b.br(self.blocks[to]);
        } else if to <= from {
            let one = self.b.i32(1);
            self.b.ins_to(self.steps, Op::I32Sub, &[self.steps, one]);
            let exit = self.b.block();
            if self.choices.chance(25) {
                self.b.guard(self.steps, self.blocks[to], exit);
            } else {
                self.b.br_if(self.steps, self.blocks[to], exit);
            }
            self.b.switch_to(exit);
            self.return_all();
        } else {
            self.return_all();
        }
        self.b.switch_to(here);
        self.readable = readable;
        block
    }

    /// Returns any values.
    fn return_some(&mut self) {
        let types = self.results.clone();
        let values: Vec<Reg> = types.into_iter().map(|ty| self.operand(ty)).collect();
        self.b.return_(&values);
    }

    /// Returns values of which the first integer is a mix of all variables, so that none can be
    /// wrong unnoticed.
    fn return_all(&mut self) {
        let mut sum = self.b.i64(1);
        for reg in self.variables.clone() {
            let value = match self.b.type_of(reg) {
                Type::I32 => self.b.ins(Op::I64ExtendI32U, &[reg]),
                Type::I64 => reg,
                Type::F32 => {
                    let value = self.canonical(reg);
                    let bits = self.b.ins(Op::I32ReinterpretF32, &[value]);
                    self.b.ins(Op::I64ExtendI32S, &[bits])
                }
                Type::F64 => {
                    let value = self.canonical(reg);
                    self.b.ins(Op::I64ReinterpretF64, &[value])
                }
                Type::FuncRef | Type::ExternRef => unreachable!("no register has this type"),
                Type::V128 => {
                    let halves = [0, 1].map(|i| self.b.lane(Op::I64x2ExtractLane, &[reg], i));
                    self.b.ins(Op::I64Xor, &halves)
                }
            };
            let odd = self.b.i64(0x9e37_79b9);
            let product = self.b.ins(Op::I64Mul, &[sum, odd]);
            sum = self.b.ins(Op::I64Xor, &[product, value]);
        }
        let mut mixed = false;
        let types = self.results.clone();
        let mut values = Vec::new();
        for ty in types {
            values.push(match ty {
                Type::I64 if !mixed => {
                    mixed = true;
                    sum
                }
                Type::I32 if !mixed => {
                    mixed = true;
                    self.b.ins(Op::I32WrapI64, &[sum])
                }
                ty => self.operand(ty),
            });
        }
        self.b.return_(&values);
    }

    /// A float with the one NaN in place of any.
    fn canonical(&mut self, value: Reg) -> Reg {
        let (ne, nan) = match self.b.type_of(value) {
            Type::F32 => (Op::F32Ne, self.b.f32(f32::NAN)),
            _ => (Op::F64Ne, self.b.f64(f64::NAN)),
        };
        let is_nan = self.b.ins(ne, &[value, value]);
        self.b.select(is_nan, nan, value)
    }

    /// The result of a vector operation with the one NaN in place of any, if its lanes are floats.
    /// Any operation may look at the bits of a vector, so none with another NaN is kept.
    fn canonical_lanes(&mut self, op: Op, value: Reg) -> Reg {
        let (eq, nan) = match op.name().split_once('.') {
            // A comparison gives a mask, in which all ones are no NaN.
            Some((_, "eq" | "ne" | "lt" | "gt" | "le" | "ge")) => return value,
            Some(("f32x4", _)) => (Op::F32x4Eq, constant_lanes(f32::NAN.to_bits().into(), 4)),
            Some(("f64x2", _)) => (Op::F64x2Eq, constant_lanes(f64::NAN.to_bits().into(), 8)),
            _ => return value,
        };
        let is_number = self.b.ins(eq, &[value, value]);
        let nan = self.b.v128(nan);
        self.b.ins(Op::V128Bitselect, &[value, nan, is_number])
    }

    fn operand(&mut self, ty: Type) -> Reg {
        let of_type: Vec<Reg> =
            self.readable.iter().copied().filter(|&reg| self.b.type_of(reg) == ty).collect();
        if of_type.is_empty() || self.choices.chance(20) {
            let bits = constant(self.choices, ty);
            return self.b.bits(ty, bits);
        }
        self.choices.pick(&of_type)
    }

    /// Keeps a result as a temporary, or assigns it to a variable.
    fn keep(&mut self, value: Reg) {
        let ty = self.b.type_of(value);
        let of_type: Vec<Reg> =
            self.variables.iter().copied().filter(|&reg| self.b.type_of(reg) == ty).collect();
        if !of_type.is_empty() && self.choices.chance(60) {
            let variable = self.choices.pick(&of_type);
            self.b.assign(variable, value);
        } else {
            self.readable.push(value);
        }
    }

    fn statement(&mut self) {
        match self.choices.below(28) {
            0 => {
                let ty = self.choices.pick(&Type::ALL);
                let (c, a, b) = (self.operand(Type::I32), self.operand(ty), self.operand(ty));
                let value = self.b.select(c, a, b);
                self.keep(value);
            }
            1..4 => self.load(),
            4..7 => self.store(),
            7 => {
                let global = GlobalId::from_u32(1 + self.choices.below(Type::ALL.len()) as u32);
                let value = self.b.global_get(global);
                self.keep(value);
            }
            8 => {
                let global = GlobalId::from_u32(1 + self.choices.below(Type::ALL.len()) as u32);
                let value = self.operand(self.module.globals[global].ty);
                self.b.global_set(global, value);
            }
            9 => {
                let memory = self.memory();
                let value = self.b.memory_size(memory);
                self.keep(value);
            }
            10 if self.choices.chance(40) => {
                let memory = self.memory();
                let ty = self.module.memories[memory].address_type();
                let pages = self.choices.below(2) as u64;
                let pages = self.b.constant(ty, pages);
                let value = self.b.memory_grow(memory, pages);
                self.keep(value);
            }
            11 | 12 => {
                let op = DialectOpId::from_u32(self.choices.pick(&[0, 0, 0, 1, 1, 2]));
                let mut args = [self.operand(Type::I64), self.operand(Type::I64)];
                if op.as_u32() == 2 {
                    // Mostly not negative, so that it rarely fails.
                    let mask = self.b.i64(self.choices.pick(&[-1, 0xff, 0xff, 0xff, 0xff]));
                    args[0] = self.b.ins(Op::I64And, &[args[0], mask]);
                }
                let value = self.b.dialect(op, &args)[0];
                self.keep(value);
            }
            13..17 => self.call(),
            17 => {
                // A parallel change of variables.
                let ty = self.choices.pick(&Type::ALL);
                let (a, b) = (self.operand(ty), self.operand(ty));
                let copy = self.b.reg(ty);
                self.b.assign(copy, a);
                self.keep(b);
                self.keep(copy);
            }
            18 if self.choices.chance(30) => {
                let (a, b) = (self.operand(Type::I32), self.operand(Type::I32));
                let condition = self.b.ins(Op::I32Eq, &[a, b]);
                let code = self.choices.pick(&[TrapCode::Unreachable, TrapCode::IntOverflow]);
                self.b.trap_if(condition, code);
            }
            _ => self.pure(),
        }
    }

    fn pure(&mut self) {
        let vectors = self.choices.chance(35);
        let wanted = |op: &Op| {
            let formats = [Format::Pure, Format::Lane, Format::Shuffle];
            formats.contains(&op.format()) && has_vectors(*op) == vectors
        };
        let ops: Vec<Op> = Op::ALL.iter().copied().filter(wanted).collect();
        let op = self.choices.pick(&ops);
        // Operations that trap are rarer than the table makes them.
        if op.effects().contains(Effects::TRAPS) && self.choices.chance(70) {
            return self.pure();
        }
        let Some((params, result)) = op.pure_signature() else { return };
        let mut args: Vec<Reg> = params.iter().map(|&ty| self.operand(ty)).collect();
        match op {
            Op::I32ReinterpretF32 | Op::I64ReinterpretF64 => args[0] = self.canonical(args[0]),
            Op::F32Copysign | Op::F64Copysign => args[1] = self.canonical(args[1]),
            _ => {}
        }
        let mut value = match op.format() {
            Format::Lane => {
                let lane = self.lane(op);
                self.b.lane(op, &args, lane)
            }
            Format::Shuffle => {
                let lanes = [(); 16].map(|()| self.lane(op));
                self.b.shuffle(args[0], args[1], lanes)
            }
            _ => self.b.ins(op, &args),
        };
        if result == Type::V128 {
            value = self.canonical_lanes(op, value);
        }
        self.keep(value);
    }

    /// The number of a lane that the opcode may name.
    fn lane(&mut self, op: Op) -> u8 {
        self.choices.below(op.lanes().expect("an opcode on a lane").into()) as u8
    }

    fn call(&mut self) {
        let func = self.choices.below(self.module.funcs.len());
        let func = FuncId::from_u32(func as u32);
        if self.module.func_name(func) == "run" {
            return self.pure();
        }
        let sig_id = self.module.funcs[func].sig;
        let sig = signature(self.module, sig_id);
        let args: Vec<Reg> = sig.params.iter().map(|&ty| self.operand(ty)).collect();
        let results = if self.choices.chance(70) {
            self.b.call(func, &args)
        } else {
            let table = TableId::from_u32(0);
            // Mostly a slot that holds a function of this signature.
            let decl = &self.module.tables[table];
            let (elements, ty) = (&decl.elements, decl.index_type());
            let right = |f: &Option<FuncId>| f.is_some_and(|f| self.module.funcs[f].sig == sig_id);
            let index = match elements.iter().position(right) {
                Some(index) if self.choices.chance(90) => self.b.constant(ty, index as u64),
                Some(_) => self.operand(ty),
                None => return self.pure(),
            };
            self.b.call_indirect(sig_id, table, &args, index)
        };
        for result in results {
            self.keep(result);
        }
    }

    fn memory(&mut self) -> MemId {
        MemId::from_u32(self.choices.below(self.module.memories.len()) as u32)
    }

    fn load(&mut self) {
        let op = self.access([Format::Load, Format::LoadLane]);
        let memory = self.memory();
        let (address, offset) = self.address(memory);
        let value = if op.format() == Format::LoadLane {
            let (vector, lane) = (self.operand(Type::V128), self.lane(op));
            self.b.load_lane(op, memory, [address, vector], offset, lane)
        } else {
            self.b.load(op, memory, address, offset)
        };
        self.keep(value);
    }

    fn store(&mut self) {
        let op = self.access([Format::Store, Format::StoreLane]);
        let memory = self.memory();
        let (address, offset) = self.address(memory);
        let Some((ty, _)) = op.access() else { return };
        let mut value = self.operand(ty);
        if op.format() == Format::StoreLane {
            let lane = self.lane(op);
            return self.b.store_lane(op, memory, [address, value], offset, lane);
        }
        if ty.is_float() {
            value = self.canonical(value);
        }
        self.b.store(op, memory, address, value, offset);
    }

    /// An access of one of these formats to a linear memory.
    fn access(&mut self, formats: [Format; 2]) -> Op {
        let vectors = self.choices.chance(30);
        let wanted =
            |op: &Op| formats.contains(&op.format()) && !op.is_raw() && has_vectors(*op) == vectors;
        let ops: Vec<Op> = Op::ALL.iter().copied().filter(wanted).collect();
        self.choices.pick(&ops)
    }

    /// An address that is nearly always in bounds, often the same as another.
    fn address(&mut self, memory: MemId) -> (Reg, u64) {
        let ty = self.module.memories[memory].address_type();
        let offset = self.choices.pick(&[0, 0, 4, 8, 65520, 65535, 65536]);
        if self.choices.chance(40) {
            let address = self.choices.pick(&[0, 4, 8, 16]);
            return (self.b.constant(ty, address), offset % 16);
        }
        let address = self.operand(ty);
        let mask = self.choices.pick(&[12, 12, 0xff, 0xfff, 0xffff]);
        let mask = self.b.constant(ty, mask);
        let offset = match self.choices.below(40) {
            0 if ty == Type::I64 => self.choices.pick(&[1 << 32, 1 << 48, u64::MAX - 15]),
            0..4 => offset,
            _ => offset % 64,
        };
        let and = if ty == Type::I64 { Op::I64And } else { Op::I32And };
        (self.b.ins(and, &[address, mask]), offset)
    }
}

fn constant_lanes(bits: u128, bytes: u32) -> u128 {
    (0..16 / bytes).fold(0, |vector, lane| vector | bits << (8 * bytes * lane))
}

fn has_vectors(op: Op) -> bool {
    let access = op.access().is_some_and(|(ty, _)| ty == Type::V128);
    access
        || op.pure_signature().is_some_and(|(params, result)| {
            params.iter().chain([&result]).any(|&ty| ty == Type::V128)
        })
}
