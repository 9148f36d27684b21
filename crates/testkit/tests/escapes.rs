//! Nothing reaches outside of a memory: accesses with every form of address, around all bounds, in
//! every tier, with reserved memories and with checked ones.
//!
//! Functions with one access each are drawn at random (opcode, memory, offset, form of the
//! address), called with addresses around what is then the bounds, and compared with a model in
//! which an access is a range of bytes: the same trap, the same value, and all bytes of all
//! memories the same afterwards. `ESCAPES=N` draws N modules instead of a few.

use cupola::ir::{Format, MEMORY_GUARD, MemId, Op, PAGE_SIZE, TrapCode, Type};
use cupola::{Dialects, Engine, Error, Imports, Instance, Memory, Module, Store, Value};
use cupola_testkit::generate::Choices;
use cupola_testkit::mode::RunMode;
use std::collections::HashMap;
use std::fmt::Write;

/// Name, declaration, and whether addresses are i64. The second has no page at the start.
const MEMORIES: [(&str, &str, bool); 4] =
    [("$a", "1 2", false), ("$b", "0 2", false), ("$c", "i64 1 2", true), ("$d", "1 1", false)];
const MODES: [&str; 5] = ["t0", "t1", "t2", "auto", "random-tier"];
const FUNCTIONS: usize = 30;
const ADDRESSES: usize = 10;
/// Where accesses before and behind the one under test leave their marks.
const MARKS: [u64; 2] = [40, 41];
const MARK: u8 = 0x5a;

/// How a function comes to its address.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Form {
    /// It is an argument.
    Argument,
    /// It is a constant.
    Constant(u64),
    /// It is computed: `base + index * 4`.
    Computed,
    /// It is the same in all rounds of a loop.
    Invariant,
    /// It moves by this much in each of three rounds of a loop.
    Walk(i64),
    /// The access stands in a loop, behind a branch that is not taken.
    Skipped,
    /// The value loaded is not used.
    Dead,
    /// Other stores stand before and behind it.
    Between,
}

#[derive(Debug)]
struct Function {
    name: String,
    op: Op,
    memory: usize,
    offset: u64,
    /// The lane, of accesses to one.
    lane: u8,
    form: Form,
}

impl Function {
    fn draw(choices: &mut Choices<'_>, name: String) -> Function {
        let ops: Vec<Op> =
            Op::ALL.iter().copied().filter(|op| op.access().is_some() && !op.is_raw()).collect();
        let op = choices.pick(&ops);
        let memory = choices.below(MEMORIES.len());
        let near = |at: u64, choices: &mut Choices<'_>| {
            at.wrapping_add(choices.below(33) as u64).wrapping_sub(16)
        };
        let at = choices.pick(&[0, PAGE_SIZE, MEMORY_GUARD, 1 << 32, 1 << 63]);
        let offset = match choices.below(8) {
            0 | 1 => 0,
            2 => 1,
            3 => u64::from(u32::MAX) - choices.pick(&[0, 15]),
            4 => u64::MAX - choices.pick(&[0, 7, 15]),
            _ => near(at, choices),
        };
        let lane = choices.below(op.lanes().unwrap_or(1).into()) as u8;
        let mut function = Function { name, op, memory, offset, lane, form: Form::Argument };
        function.form = match choices.below(9) {
            0 => Form::Argument,
            1 | 2 => {
                let len = choices.pick(&[0, PAGE_SIZE, 2 * PAGE_SIZE]);
                Form::Constant(function.address(choices, len))
            }
            3 => Form::Computed,
            4 => Form::Invariant,
            5 => Form::Walk(choices.pick(&[1, 8, -8, 4096])),
            6 => Form::Skipped,
            7 => Form::Dead,
            _ => Form::Between,
        };
        function
    }

    fn wide(&self) -> bool {
        MEMORIES[self.memory].2
    }

    fn is_store(&self) -> bool {
        matches!(self.op.format(), Format::Store | Format::StoreLane)
    }

    /// Whether one lane of a vector is loaded or stored.
    fn has_lane(&self) -> bool {
        matches!(self.op.format(), Format::LoadLane | Format::StoreLane)
    }

    /// Whether a value is an operand: what is stored, or a vector of which a lane is loaded.
    fn takes_value(&self) -> bool {
        self.is_store() || self.has_lane()
    }

    fn access(&self) -> (Type, u64) {
        let (ty, size) = self.op.access().expect("it is an access");
        (ty, u64::from(size))
    }

    /// An address around a bound, in a memory of `len` bytes.
    fn address(&self, choices: &mut Choices<'_>, len: u64) -> u64 {
        let (_, size) = self.access();
        let last = len.wrapping_sub(self.offset).wrapping_sub(size);
        let address = match choices.below(12) {
            0 => choices.below(2) as u64,
            1 | 2 => last,
            3 => last.wrapping_add(1 + choices.below(16) as u64),
            4 => last.wrapping_sub(1 + choices.below(16) as u64),
            5 => choices.below(PAGE_SIZE as usize) as u64,
            6 => (1u64 << 31).wrapping_add(choices.below(33) as u64).wrapping_sub(16),
            7 => (1u64 << 32).wrapping_add(choices.below(33) as u64).wrapping_sub(16),
            8 => (1u64 << 63).wrapping_add(choices.below(33) as u64).wrapping_sub(16),
            9 => u64::MAX - choices.below(17) as u64,
            // With the offset, wraps around to the memory's start.
            10 => self.offset.wrapping_neg().wrapping_add(choices.below(8) as u64),
            _ => len.wrapping_add(choices.below(33) as u64).wrapping_sub(16),
        };
        if self.wide() { address } else { u64::from(address as u32) }
    }

    fn text(&self, out: &mut String) {
        let Function { name, op, offset, .. } = self;
        let memory = MEMORIES[self.memory].0;
        let a = if self.wide() { "i64" } else { "i32" };
        let (ty, _) = self.access();
        let access = |address: &str| {
            let result = if self.is_store() { "" } else { "w = " };
            let value = if self.takes_value() { ", v" } else { "" };
            let lane =
                if self.has_lane() { format!(", lane={}", self.lane) } else { String::new() };
            format!("{result}{op} {memory}, {address}{value}, offset={offset}{lane}")
        };
        let value = if self.takes_value() { format!(", v: {ty}") } else { String::new() };
        let gives = !self.is_store() && !matches!(self.form, Form::Skipped | Form::Dead);
        let (results, back) = match gives {
            true => (format!(" -> {ty}"), "return w"),
            false => (String::new(), "return"),
        };
        let body = match self.form {
            Form::Argument | Form::Dead => format!("b0:\n{}\n{back}\n", access("a")),
            Form::Constant(address) => {
                format!("b0:\nc = {a}.const {address}\n{}\n{back}\n", access("c"))
            }
            Form::Computed => format!(
                "b0:\nk = {a}.const 4\ni = {a}.mul n, k\nc = {a}.add a, i\n{}\n{back}\n",
                access("c")
            ),
            Form::Invariant => format!(
                "b0:\nbr b1\nb1:\n{}\none = {a}.const 1\nn = {a}.sub n, one\nz = {a}.eqz n\n\
                 br_if z, b2, b1\nb2:\n{back}\n",
                access("a")
            ),
            Form::Walk(step) => format!(
                "b0:\nc = copy a\nbr b1\nb1:\n{}\nk = {a}.const {step}\nc = {a}.add c, k\n\
                 one = {a}.const 1\nn = {a}.sub n, one\nz = {a}.eqz n\nbr_if z, b2, b1\n\
                 b2:\n{back}\n",
                access("c")
            ),
            Form::Skipped => format!(
                "b0:\nbr b1\nb1:\none = {a}.const 1\nn = {a}.sub n, one\nz = {a}.lt_s n, one\n\
                 h = {a}.const 100\ns = {a}.gt_s n, h\nbr_if s, b2, b3\nb2:\n{}\nbr b3\n\
                 b3:\nbr_if z, b4, b1\nb4:\nreturn\n",
                access("a")
            ),
            Form::Between => format!(
                "b0:\np = {a}.const {}\nq = {a}.const {}\nm = i32.const {MARK}\n\
                 i32.store8 {memory}, p, m\n{}\ni32.store8 {memory}, q, m\n{back}\n",
                MARKS[0],
                MARKS[1],
                access("a")
            ),
        };
        writeln!(out, "export func %{name}(a: {a}, n: {a}{value}){results} {{\n{body}}}")
            .expect("a string takes everything");
    }

    /// The arguments that make it access `address`.
    fn args(&self, address: u64, value: u128) -> Vec<Value> {
        let (first, n) = match self.form {
            Form::Computed => (address.wrapping_sub(28), 7),
            _ => (address, 3),
        };
        let number = |x: u64| match self.wide() {
            true => Value::I64(x as i64),
            false => Value::I32(x as i32),
        };
        let mut args = vec![number(first), number(n)];
        if self.takes_value() {
            args.push(match self.access().0 {
                Type::I32 => Value::I32(value as i32),
                Type::I64 => Value::I64(value as i64),
                Type::F32 => Value::F32(f32::from_bits(value as u32)),
                Type::F64 => Value::F64(f64::from_bits(value as u64)),
                Type::V128 => Value::V128(value),
                ty => unreachable!("no access is of type {ty}"),
            });
        }
        args
    }

    /// What happens: whether it traps, and the bytes that were loaded last.
    fn model(&self, address: u64, value: u128, bytes: &mut [u8]) -> Result<Option<Vec<u8>>, ()> {
        let (_, size) = self.access();
        let wrap = |x: u64| if self.wide() { x } else { u64::from(x as u32) };
        let at = match self.form {
            Form::Constant(address) => address,
            _ => wrap(address),
        };
        let addresses = match self.form {
            Form::Skipped => vec![],
            Form::Walk(step) => (0..3).map(|i| wrap(at.wrapping_add_signed(i * step))).collect(),
            _ => vec![at],
        };
        let mark = |place: u64, bytes: &mut [u8]| match self.form {
            Form::Between => bytes.get_mut(place as usize).map(|b| *b = MARK).ok_or(()),
            _ => Ok(()),
        };
        mark(MARKS[0], bytes)?;
        let mut loaded = None;
        for address in addresses {
            let start = u128::from(address) + u128::from(self.offset);
            let end = start + u128::from(size);
            if end > bytes.len() as u128 {
                return Err(());
            }
            let range = &mut bytes[start as usize..end as usize];
            match self.is_store() {
                true => range.copy_from_slice(&self.stored(value)),
                false => loaded = Some(range.to_vec()),
            }
        }
        mark(MARKS[1], bytes)?;
        Ok(loaded)
    }

    /// The bytes that are stored of a value.
    fn stored(&self, value: u128) -> Vec<u8> {
        let size = self.access().1 as usize;
        value.to_le_bytes()[size * usize::from(self.lane)..][..size].to_vec()
    }

    /// The result of a load of these bytes, of a scalar or of a lane of the vector `value`.
    fn loaded(&self, bytes: &[u8], value: u128) -> Option<Value> {
        if self.has_lane() {
            let mut vector = value.to_le_bytes();
            vector[bytes.len() * usize::from(self.lane)..][..bytes.len()].copy_from_slice(bytes);
            return Some(Value::V128(u128::from_le_bytes(vector)));
        }
        let mut word = [0; 8];
        word.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let unsigned = u64::from_le_bytes(word);
        let shift = 64 - 8 * bytes.len() as u32;
        let signed = ((unsigned << shift) as i64 >> shift) as u64;
        let bits = if self.op.name().ends_with("_s") { signed } else { unsigned };
        match self.op.access()?.0 {
            Type::I32 => Some(Value::I32(bits as i32)),
            Type::I64 => Some(Value::I64(bits as i64)),
            Type::F32 => Some(Value::F32(f32::from_bits(bits as u32))),
            Type::F64 => Some(Value::F64(f64::from_bits(bits))),
            _ => None,
        }
    }
}

/// The bits of a value, so that NaNs can be compared.
fn bits(values: &[Value]) -> Vec<(Type, u128)> {
    let bits = |value: &Value| match *value {
        Value::I32(v) => u128::from(v as u32),
        Value::I64(v) => u128::from(v as u64),
        Value::F32(v) => u128::from(v.to_bits()),
        Value::F64(v) => u128::from(v.to_bits()),
        Value::V128(v) => v,
        reference => unreachable!("no access is of type {}", reference.ty()),
    };
    values.iter().map(|value| (value.ty(), bits(value))).collect()
}

/// One call: function, address, value to store; how many pages the memories have grown by.
struct Call {
    function: usize,
    address: u64,
    value: u128,
    grown: u64,
}

struct Program {
    functions: Vec<Function>,
    text: String,
    calls: Vec<Call>,
}

impl Program {
    fn draw(seed: u64) -> Program {
        let mut choices = Choices::seeded(seed);
        let functions: Vec<Function> =
            (0..FUNCTIONS).map(|i| Function::draw(&mut choices, format!("f{i}"))).collect();
        let mut text = String::new();
        for (name, decl, _) in MEMORIES {
            writeln!(text, "memory {name} {decl}").expect("a string takes everything");
        }
        functions.iter().for_each(|function| function.text(&mut text));
        let mut calls = Vec::new();
        for grown in [0, 1] {
            for _ in 0..ADDRESSES {
                for (index, function) in functions.iter().enumerate() {
                    let address = function.address(&mut choices, pages(function.memory, grown));
                    let value = u128::from(choices.word()) << 64 | u128::from(choices.word());
                    calls.push(Call { function: index, address, value, grown });
                }
            }
        }
        Program { functions, text, calls }
    }

    fn run(&self, mode: &RunMode, reservation: bool, vectors: &mut HashMap<usize, Vec<Value>>) {
        let mut config = mode.config();
        config.codegen.memory_reservation = reservation;
        let engine = Engine::new(config).expect("the configuration is valid");
        let module = Module::from_text(&engine, "escapes", &self.text, &Dialects::new())
            .unwrap_or_else(|error| panic!("{error}\n{}", self.text));
        let mut store = Store::new(&engine);
        let instance =
            Instance::new(&mut store, &module, &Imports::new()).expect("it can be instantiated");
        let memories: Vec<Memory> = (0..MEMORIES.len())
            .map(|i| instance.memory(&store, MemId::from_u32(i as u32)).expect("it is declared"))
            .collect();
        let mut pristine: Vec<Vec<u8>> = (0..MEMORIES.len()).map(|i| contents(i, 0)).collect();
        let reset = |store: &mut Store, memory: usize, bytes: &[u8]| {
            memories[memory].data_mut(store).copy_from_slice(bytes);
        };
        pristine.iter().enumerate().for_each(|(i, bytes)| reset(&mut store, i, bytes));
        let mut grown = 0;
        for (index, call) in self.calls.iter().enumerate() {
            if call.grown > grown {
                grown = call.grown;
                for (i, &memory) in memories.iter().enumerate() {
                    let can_grow = pages(i, 1) > pages(i, 0);
                    assert_eq!(memory.grow(&mut store, 1).is_some(), can_grow);
                    pristine[i] = contents(i, 1);
                    reset(&mut store, i, &pristine[i]);
                }
            }
            let function = &self.functions[call.function];
            let args = function.args(call.address, call.value);
            let what = || {
                let how = if reservation { "reserved" } else { "checked" };
                format!("{function:?}{args:?} in {}, {how}, grown by {grown}", mode.name)
            };
            let mut expected = pristine[function.memory].clone();
            let model = function.model(call.address, call.value, &mut expected);
            let result = instance.call(&mut store, &function.name, &args);
            match (&result, &model) {
                (Err(Error::Trap(trap)), Err(())) => {
                    assert_eq!(trap.code(), Some(TrapCode::MemOutOfBounds), "{}", what());
                }
                (Ok(values), Ok(loaded)) => {
                    let loaded = loaded.as_ref().filter(|_| !values.is_empty());
                    let value = match loaded.map(|bytes| function.loaded(bytes, call.value)) {
                        Some(Some(value)) => vec![value],
                        Some(None) => vectors.entry(index).or_insert(values.clone()).clone(),
                        None => vec![],
                    };
                    assert_eq!(bits(values), bits(&value), "{}", what());
                }
                _ => panic!("{} gave {result:?}, expected {model:?}", what()),
            }
            for (i, &memory) in memories.iter().enumerate() {
                let wanted = if i == function.memory { &expected } else { &pristine[i] };
                assert!(memory.data(&store) == &wanted[..], "memory {i} behind {}", what());
            }
            if expected != pristine[function.memory] {
                reset(&mut store, function.memory, &pristine[function.memory]);
            }
        }
    }
}

/// The size in bytes of a memory that was asked to grow by so many pages.
fn pages(memory: usize, grown: u64) -> u64 {
    let (min, max) = [(1, 2), (0, 2), (1, 2), (1, 1)][memory];
    (min + grown).min(max) * PAGE_SIZE
}

/// What a memory holds: no two neighbouring bytes are the same, nor are two memories.
fn contents(memory: usize, grown: u64) -> Vec<u8> {
    (0..pages(memory, grown) as usize)
        .map(|i| (i * 37 + (i >> 8) * 11 + memory * 101) as u8)
        .collect()
}

#[test]
fn no_access_reaches_outside_of_its_memory() {
    let rounds = std::env::var("ESCAPES").ok().map_or(4, |n| n.parse().expect("a number"));
    for seed in 0..rounds {
        let program = Program::draw(seed);
        let mut vectors = HashMap::new();
        for name in MODES {
            let mode = RunMode::find(name).expect("it is in the table");
            for reservation in [true, false] {
                program.run(mode, reservation, &mut vectors);
            }
        }
    }
}
