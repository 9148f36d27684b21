//! A second, simpler program to check the optimizer with: an evaluator of both forms, built on the
//! opcodes' evaluation functions. It reads functions as they are, checks that every register is
//! assigned before it is read, and follows deoptimizations by going on in the register form.

use cupola_ir::analysis::Cfg;
use cupola_ir::{
    Block, Effects, EntryKind, Form, Format, FrameState, FuncId, Function, Imm, InstData,
    LoadLaneOp, LoadOp, MemId, Module, Op, PAGE_SIZE, Reg, RegValue, SigId, StoreLaneOp, StoreOp,
    TableId, TrapCode, Type, V128, memory,
};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A value, as `Imm::constant_bits` has it.
pub type Bits = u128;

fn to_bits(args: &[u64]) -> Vec<Bits> {
    args.iter().map(|&arg| arg.into()).collect()
}

/// Why evaluation ended without results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The program trapped.
    Trap(TrapCode),
    /// It took too many steps.
    TooLong,
    /// It accessed a host address that belongs to no memory.
    WildAccess,
}

/// What can be seen of a run from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub result: Result<Vec<Bits>, Stop>,
    pub memories: Vec<Vec<u8>>,
    pub globals: Vec<Bits>,
    /// Dialect operations with effects and calls of imports, with their operands.
    pub trace: Vec<(String, Vec<Bits>)>,
    /// Fuel left, if it is consumed.
    pub fuel: Option<i64>,
}

/// An instance of a module.
pub struct Machine<'a> {
    module: &'a Module,
    /// Register forms, by function.
    bodies: &'a [Option<Arc<Function>>],
    memories: Vec<Vec<u8>>,
    globals: Vec<Bits>,
    trace: Vec<(String, Vec<Bits>)>,
    steps: u64,
    /// How many are too many.
    max_steps: u64,
    depth: u32,
    /// How often code has left for the interpreter.
    pub deopts: u64,
    /// Ticks of forced deoptimizations so far, and the number of the one that fails.
    ticks: u64,
    failing: Option<u64>,
    fuel: Option<i64>,
    /// Graphs of register forms, for their back edges.
    graphs: FxHashMap<*const Function, Cfg>,
    /// A function to run in another form, at its calls.
    instead: Option<(FuncId, &'a Function)>,
    /// An entry at a loop header: the optimized code, and the arrivals at the header before it.
    osr: Option<(FuncId, &'a Function, u32)>,
}

type Step<T> = Result<T, Stop>;

impl<'a> Machine<'a> {
    pub fn new(module: &'a Module, bodies: &'a [Option<Arc<Function>>]) -> Machine<'a> {
        let mut memories: Vec<Vec<u8>> =
            module.memories.values().map(|m| vec![0; (m.min_pages * PAGE_SIZE) as usize]).collect();
        for data in &module.data {
            let memory = &mut memories[data.memory.as_u32() as usize];
            memory[data.offset as usize..][..data.bytes.len()].copy_from_slice(&data.bytes);
        }
        let globals = module.globals.values().map(|g| g.init).collect();
        Machine {
            module,
            bodies,
            memories,
            globals,
            trace: Vec::new(),
            steps: 0,
            max_steps: 200_000,
            depth: 0,
            deopts: 0,
            ticks: 0,
            failing: None,
            fuel: None,
            graphs: FxHashMap::default(),
            instead: None,
            osr: None,
        }
    }

    /// Runs calls of `func` in this form. It may take more steps: an access may become several
    /// instructions.
    pub fn instead(mut self, func: FuncId, code: &'a Function) -> Self {
        self.max_steps *= 10;
        self.instead = Some((func, code));
        self
    }

    /// Goes on in `code` when `func` has arrived at `code`'s loop header `after` times before.
    pub fn osr(mut self, func: FuncId, code: &'a Function, after: u32) -> Self {
        self.osr = Some((func, code, after));
        self
    }

    /// Makes the tick with this number, counted from 1, force a deoptimization.
    pub fn fail_tick(mut self, number: u64) -> Self {
        self.failing = Some(number);
        self
    }

    /// Consumes fuel, of which there is so much.
    pub fn fuel(mut self, fuel: i64) -> Self {
        self.fuel = Some(fuel);
        self
    }

    pub fn call(mut self, func: FuncId, args: &[u64]) -> (Outcome, u64) {
        let result = self.invoke(func, &to_bits(args));
        let Machine { memories, globals, trace, deopts, fuel, .. } = self;
        (Outcome { result, memories, globals, trace, fuel }, deopts)
    }

    /// How many ticks of forced deoptimizations a call comes by.
    pub fn count_ticks(mut self, func: FuncId, args: &[u64]) -> u64 {
        let _ = self.invoke(func, &to_bits(args));
        self.ticks
    }

    fn consume_fuel(&mut self) -> Step<()> {
        let Some(fuel) = &mut self.fuel else { return Ok(()) };
        *fuel -= 1;
        if *fuel < 0 { Err(Stop::Trap(TrapCode::OutOfFuel)) } else { Ok(()) }
    }

    /// Consumes the fuel of an edge: the register form implies that of back edges, SSA form says it.
    fn take_edge(&mut self, code: &Function, from: Block, to: Block) -> Step<()> {
        if self.fuel.is_none() || code.form == Form::Ssa {
            return Ok(());
        }
        let graph = self.graphs.entry(code).or_insert_with(|| Cfg::compute(code));
        if graph.is_back_edge(from, to) { self.consume_fuel() } else { Ok(()) }
    }

    fn invoke(&mut self, func: FuncId, args: &[Bits]) -> Step<Vec<Bits>> {
        if self.module.is_import(func) {
            let results = &self.module.func_sig(func).results;
            return Ok(self.foreign(self.module.func_name(func), args, results, true));
        }
        self.depth += 1;
        if self.depth > 200 {
            return Err(Stop::Trap(TrapCode::StackOverflow));
        }
        let bodies = self.bodies;
        let code = match self.instead {
            Some((f, code)) if f == func => code,
            _ => bodies[func.as_u32() as usize].as_deref().expect("the function has a body"),
        };
        let params: Vec<Reg> = match code.form {
            Form::Register => (0..args.len() as u32).map(Reg::from_u32).collect(),
            Form::Ssa => code.blocks[code.entry()].params.to_vec(),
        };
        assert_eq!(params.len(), args.len());
        if code.form == Form::Register {
            self.consume_fuel()?;
        }
        let mut regs = vec![None; code.regs.len()];
        for (param, &arg) in params.iter().zip(args) {
            regs[param.as_u32() as usize] = Some(arg);
        }
        let result = self.run(code, regs, code.entry(), 0);
        self.depth -= 1;
        result
    }

    /// Runs `code` from an instruction of a block to the end.
    fn run(
        &mut self,
        code: &Function,
        mut regs: Vec<Option<Bits>>,
        mut block: Block,
        mut index: usize,
    ) -> Step<Vec<Bits>> {
        loop {
            self.steps += 1;
            if self.steps > self.max_steps {
                return Err(Stop::TooLong);
            }
            let inst = code.blocks[block].insts[index];
            let data = &code.insts[inst];
            let get = |reg: Reg| {
                regs[reg.as_u32() as usize].unwrap_or_else(|| panic!("{reg} read at {inst} unset"))
            };
            let args: Vec<Bits> = data.args.iter().map(|&reg| get(reg)).collect();
            index += 1;
            let target = match data.op {
                Op::Br => 0,
                Op::BrIf | Op::Guard => usize::from(args[0] as u32 == 0),
                Op::BrTable => (args[0] as u32 as usize).min(data.targets.len() - 1),
                Op::Return => return Ok(args),
                Op::Trap => return Err(Stop::Trap(trap_code(data))),
                Op::Deopt => return self.deopt(frame_state(code, data), &args),
                Op::DeoptUnless if args[0] as u32 == 0 => {
                    return self.deopt(frame_state(code, data), &args[1..]);
                }
                _ => {
                    let results = self.instruction(data, &args)?;
                    for (&reg, value) in data.results.iter().zip(results) {
                        regs[reg.as_u32() as usize] = Some(value);
                    }
                    continue;
                }
            };
            let target = &data.targets[target];
            let values: Vec<Bits> = target.args.iter().map(|&reg| get(reg)).collect();
            let params = &code.blocks[target.block].params;
            assert_eq!(params.len(), values.len(), "arguments of {inst}");
            for (&param, value) in params.iter().zip(values) {
                regs[param.as_u32() as usize] = Some(value);
            }
            self.take_edge(code, block, target.block)?;
            (block, index) = (target.block, 0);
            if let Some(entry) = self.osr_entry(code, block) {
                let EntryKind::Osr { regs: live, .. } = &entry.entry_kind else { unreachable!() };
                let mut inner = vec![None; entry.regs.len()];
                for (&param, &reg) in entry.blocks[entry.entry()].params.iter().zip(live) {
                    inner[param.as_u32() as usize] = regs[reg.as_u32() as usize];
                }
                return self.run(entry, inner, entry.entry(), 0);
            }
        }
    }

    /// The code to go on in, if this arrival at `block` is one at a loop header to enter code at.
    fn osr_entry(&mut self, code: &Function, block: Block) -> Option<&'a Function> {
        let (func, entry, after) = self.osr.as_mut()?;
        let EntryKind::Osr { header, .. } = &entry.entry_kind else { unreachable!() };
        let body = self.bodies[func.as_u32() as usize].as_deref();
        if *header != block || !body.is_some_and(|body| std::ptr::eq(body, code)) {
            return None;
        }
        if *after > 0 {
            *after -= 1;
            return None;
        }
        let entry = *entry;
        self.osr = None;
        Some(entry)
    }

    /// Goes on in the register form from a frame state.
    fn deopt(&mut self, state: &FrameState, values: &[Bits]) -> Step<Vec<Bits>> {
        self.deopts += 1;
        assert_eq!(state.value_count(), values.len());
        let mut frames = Vec::new();
        let mut values = values.iter();
        let bodies = self.bodies;
        for frame in &state.frames {
            let body = bodies[frame.func.as_u32() as usize].as_deref().expect("it has a body");
            let mut regs = vec![None; body.regs.len()];
            for &reg in &frame.regs {
                regs[reg.as_u32() as usize] = values.next().copied();
            }
            let place = body.blocks.keys().find_map(|block| {
                let insts = &body.blocks[block].insts;
                insts.iter().position(|&i| i == frame.resume).map(|index| (block, index))
            });
            frames.push((
                body,
                regs,
                frame.resume,
                place.expect("the instruction stands in a block"),
            ));
        }
        let (body, regs, _, (block, index)) = frames.pop().expect("a frame state has frames");
        let mut results = self.run(body, regs, block, index)?;
        while let Some((body, mut regs, call, (block, index))) = frames.pop() {
            for (&reg, value) in body.insts[call].results.iter().zip(results) {
                regs[reg.as_u32() as usize] = Some(value);
            }
            results = self.run(body, regs, block, index + 1)?;
        }
        Ok(results)
    }

    /// An operation from outside: its results depend on its operands (and on what happened before,
    /// if it has effects).
    fn foreign(
        &mut self,
        name: String,
        args: &[Bits],
        results: &[Type],
        effects: bool,
    ) -> Vec<Bits> {
        let mut hash = name.bytes().fold(17u64, |h, b| h.wrapping_mul(31) + u64::from(b));
        for arg in args {
            let folded = *arg as u64 ^ (arg >> 64) as u64;
            hash = (hash ^ folded).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        if effects {
            self.trace.push((name, args.to_vec()));
            hash ^= self.trace.len() as u64;
        }
        let value = |ty: &Type| match ty {
            Type::I32 => (hash >> 40).into(),
            Type::I64 => (hash >> 20).into(),
            Type::F32 => ((hash >> 50) as f32).to_bits().into(),
            Type::F64 => ((hash >> 50) as f64).to_bits().into(),
            Type::V128 => Bits::from(hash) << 64 | Bits::from(!hash),
            Type::FuncRef | Type::ExternRef => 0,
        };
        results.iter().map(value).collect()
    }

    fn table_slot(&self, table: TableId, index: Bits) -> Step<Bits> {
        let elements = &self.module.tables[table].elements;
        let slot = usize::try_from(index).ok().and_then(|index| elements.get(index));
        let slot = slot.ok_or(Stop::Trap(TrapCode::TableOutOfBounds))?;
        Ok(slot.map_or(0, |func| Bits::from(func.as_u32()) + 1))
    }

    fn invoke_reference(&mut self, sig: SigId, callee: Bits, args: &[Bits]) -> Step<Vec<Bits>> {
        let func = u32::try_from(callee).ok().and_then(|callee| callee.checked_sub(1));
        let func = FuncId::from_u32(func.ok_or(Stop::Trap(TrapCode::NullFunction))?);
        if self.module.funcs[func].sig != sig {
            return Err(Stop::Trap(TrapCode::SignatureMismatch));
        }
        self.invoke(func, args)
    }

    fn instruction(&mut self, data: &InstData, args: &[Bits]) -> Step<Vec<Bits>> {
        if let Some(result) = data.op.eval(data.imm, args) {
            return result.map(|value| vec![value]).map_err(Stop::Trap);
        }
        if let Some((_, size)) = data.op.access() {
            return self.access(data, args, size as usize);
        }
        if let Some(bits) = data.imm.constant_bits() {
            return Ok(vec![bits]);
        }
        Ok(match data.imm {
            Imm::Memory(memory) => {
                vec![self.memory_op(data.op, memory, args).into()]
            }
            Imm::Global(global) => {
                let slot = &mut self.globals[global.as_u32() as usize];
                match args {
                    [value] => {
                        *slot = *value;
                        vec![]
                    }
                    _ => vec![*slot],
                }
            }
            Imm::Func(func) => self.invoke(func, args)?,
            Imm::Table(table) => vec![self.table_slot(table, args[0])?],
            // A reference is the function's number plus one.
            Imm::TableFunc(table, func) => {
                let reference = self.table_slot(table, args[0])?;
                vec![Bits::from(reference == Bits::from(func.as_u32()) + 1)]
            }
            Imm::Indirect(sig, table, _) => {
                let (&index, args) = args.split_last().expect("an index");
                let callee = self.table_slot(table, index)?;
                self.invoke_reference(sig, callee, args)?
            }
            Imm::Sig(sig) => {
                let (&callee, args) = args.split_last().expect("a reference");
                self.invoke_reference(sig, callee, args)?
            }
            Imm::Dialect(op, _) => {
                let decl = &self.module.dialect_ops[op];
                self.foreign(
                    decl.name.clone(),
                    args,
                    &decl.results,
                    decl.effects != Effects::empty(),
                )
            }
            Imm::Trap(code) if args[0] as u32 != 0 => return Err(Stop::Trap(code)),
            Imm::Trap(_) | Imm::FrameState(_) => vec![],
            _ if data.op == Op::FuelTick => {
                self.consume_fuel()?;
                vec![]
            }
            _ if data.op == Op::DeoptTick => {
                self.ticks += 1;
                vec![Bits::from(self.failing != Some(self.ticks))]
            }
            _ if data.op == Op::Select => vec![args[if args[0] as u32 != 0 { 1 } else { 2 }]],
            _ if data.op == Op::Copy => vec![args[0]],
            _ => panic!("{} has no meaning here", data.op),
        })
    }

    fn memory_op(&mut self, op: Op, memory: MemId, args: &[Bits]) -> u64 {
        let bytes = &mut self.memories[memory.as_u32() as usize];
        let pages = bytes.len() as u64 / PAGE_SIZE;
        match op {
            Op::MemorySize => pages,
            Op::MemoryLen => bytes.len() as u64,
            // A made-up address space in which raw accesses find their memory again.
            Op::MemoryBase => u64::from(memory.as_u32() + 1) << 40,
            _ => {
                let limit = self.module.memories[memory].max_pages.unwrap_or(4);
                match pages.checked_add(args[0] as u64).filter(|&new| new <= limit) {
                    Some(new) => {
                        bytes.resize((new * PAGE_SIZE) as usize, 0);
                        pages
                    }
                    None if self.module.memories[memory].memory64 => u64::MAX,
                    None => u64::from(u32::MAX),
                }
            }
        }
    }

    fn access(&mut self, data: &InstData, args: &[Bits], size: usize) -> Step<Vec<Bits>> {
        let mem = data.imm.mem().expect("an access has a memory");
        let pointer = args[0] as u64;
        let (memory, address) = if data.op.is_raw() {
            let memory = (pointer >> 40).wrapping_sub(1) as usize;
            if memory >= self.memories.len() {
                return Err(Stop::WildAccess);
            }
            (memory, (pointer & ((1 << 40) - 1)) + mem.offset)
        } else {
            let Some(address) = pointer.checked_add(mem.offset) else {
                return Err(Stop::Trap(TrapCode::MemOutOfBounds));
            };
            (mem.memory.as_u32() as usize, address)
        };
        let bytes = &mut self.memories[memory];
        let end = address.checked_add(size as u64).filter(|&end| end <= bytes.len() as u64);
        let Some(end) = end else {
            let trap = Stop::Trap(TrapCode::MemOutOfBounds);
            return Err(if data.op.is_raw() { Stop::WildAccess } else { trap });
        };
        let place = &mut bytes[address as usize..end as usize];
        let lane = match data.imm {
            Imm::MemLane(_, lane) => lane,
            _ => 0,
        };
        Ok(match data.op.format() {
            Format::Load => vec![load(data.op, place)],
            Format::Store => {
                store(data.op, args[1], place);
                vec![]
            }
            Format::LoadLane => vec![load_lane(data.op, args[1].to_le_bytes(), lane, place)],
            _ => {
                store_lane(data.op, args[1].to_le_bytes(), lane, place);
                vec![]
            }
        })
    }
}

/// Values as memory has them.
trait Bytes {
    fn from_bytes(bytes: &[u8]) -> Self;
    fn to_bytes(self) -> Vec<u8>;
}

macro_rules! bytes {
    ($($ty:ty)*) => {$(
        impl Bytes for $ty {
            fn from_bytes(bytes: &[u8]) -> Self {
                <$ty>::from_le_bytes(bytes.try_into().expect("the access's size"))
            }
            fn to_bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
        }
    )*};
}

bytes! { i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 }

impl<const N: usize> Bytes for [u8; N] {
    fn from_bytes(bytes: &[u8]) -> Self {
        bytes.try_into().expect("the access's size")
    }
    fn to_bytes(self) -> Vec<u8> {
        self.to_vec()
    }
}

macro_rules! accesses {
    (
        pure { $($pure:tt)* }
        lane { $($lane:tt)* }
        load { $($(#[doc = $ld:literal])* $L:ident $lt:literal $RL:ident $rlt:literal $LT:ident $lm:ty = $le:expr;)* }
        store { $($(#[doc = $sd:literal])* $S:ident $st:literal $RS:ident $rst:literal $ST:ident $sm:ty = $se:expr;)* }
        load_lane { $($(#[doc = $lld:literal])* $LL:ident $llt:literal $RLL:ident $rllt:literal $LLT:ident $llm:ty = $lle:expr;)* }
        store_lane { $($(#[doc = $sld:literal])* $SL:ident $slt:literal $RSL:ident $rslt:literal $SLT:ident $slm:ty = $sle:expr;)* }
        special { $($special:tt)* }
    ) => {
        fn load(op: Op, bytes: &[u8]) -> Bits {
            let mut bits = 0;
            match op {
                $(Op::$L | Op::$RL => {
                    memory::$L::load(Bytes::from_bytes(bytes)).write(&mut bits);
                })*
                _ => panic!("{op} is no load"),
            }
            bits
        }

        fn store(op: Op, value: Bits, bytes: &mut [u8]) {
            match op {
                $(Op::$S | Op::$RS => {
                    let value = memory::$S::store(RegValue::read(&[value][..], 0));
                    bytes.copy_from_slice(&value.to_bytes());
                })*
                _ => panic!("{op} is no store"),
            }
        }

        fn load_lane(op: Op, vector: V128, lane: u8, bytes: &[u8]) -> Bits {
            Bits::from_le_bytes(match op {
                $(Op::$LL | Op::$RLL => {
                    memory::$LL::load(vector, lane, Bytes::from_bytes(bytes))
                })*
                _ => panic!("{op} is no load of a lane"),
            })
        }

        fn store_lane(op: Op, vector: V128, lane: u8, bytes: &mut [u8]) {
            match op {
                $(Op::$SL | Op::$RSL => {
                    bytes.copy_from_slice(&memory::$SL::store(vector, lane).to_bytes());
                })*
                _ => panic!("{op} is no store of a lane"),
            }
        }
    };
}

cupola_ir::for_each_op!(accesses);

fn trap_code(data: &InstData) -> TrapCode {
    match data.imm {
        Imm::Trap(code) => code,
        _ => panic!("a trap has a code"),
    }
}

fn frame_state<'f>(code: &'f Function, data: &InstData) -> &'f FrameState {
    match data.imm {
        Imm::FrameState(state) => &code.frame_states[state],
        _ => panic!("a deoptimization has a frame state"),
    }
}
