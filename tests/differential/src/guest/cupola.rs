//! Cupola.

use crate::host::{FUNCS, GLOBALS, MEMORY, MODULE, TABLE, Trace};
use crate::subject::{MAX_PAGES, MAX_TABLE};
use crate::value::{End, Trap, Type, Value};
use cupola::ir::{MemoryDecl, Signature, TableDecl, TrapCode};
use cupola::{Engine, ExternRef, Global, Memory, Ref, Store, Table, TrapCause};
use cupola_testkit::mode::RunMode;
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val, ValType};

pub struct Guest {
    module: Module,
    store: Store,
    instance: Instance,
    trace: Trace,
}

impl Guest {
    pub fn new(wasm: &[u8], mode: &str) -> Result<Guest, End> {
        let mut config = RunMode::find(mode).expect("a mode of the test kit").config();
        config.max_memory_pages = MAX_PAGES;
        config.max_table_slots = MAX_TABLE as u64;
        config.tuning.t1_calls = 2;
        config.tuning.t2_calls = 4;
        let failure = |error: cupola::Error| End::Failure(error.to_string());
        let engine = Engine::new(config).map_err(failure)?;
        let options = Options::default();
        let module = Module::new(&engine, "subject", wasm, &options).map_err(|e| end_of(&e))?;
        let mut store = Store::new(&engine);
        let trace = Trace::default();
        let imports = imports(&mut store, &trace);
        let instance =
            Instance::new(&mut store, &module, &imports).map_err(|error| end_of(&error))?;
        Ok(Guest { module, store, instance, trace })
    }
}

fn imports(store: &mut Store, trace: &Trace) -> Imports {
    let mut imports = Imports::new();
    for (index, func) in FUNCS.iter().enumerate() {
        let types = |types: &[Type]| types.iter().map(|&ty| type_to(ty)).collect::<Vec<_>>();
        let sig = Signature::new(types(func.params), types(func.results));
        let trace = trace.clone();
        imports.func_dynamic(MODULE, func.name, sig, move |caller, args| {
            let args: Vec<Value> = args.iter().map(|&arg| value_from(caller, arg)).collect();
            let results = trace.call(index, &args).ok_or("the host does not like this")?;
            Ok(results.into_iter().map(|result| value_to(caller, result)).collect())
        });
    }
    for &(name, value, mutable) in GLOBALS {
        let value = value_to(store, value);
        imports.define(MODULE, name, Global::new(store, value, mutable));
    }
    let memory = MemoryDecl::new(MEMORY.0.into(), Some(MEMORY.1.into()));
    let memory = Memory::new(store, &memory).expect("it is small");
    let table =
        TableDecl { min: TABLE.0.into(), max: Some(TABLE.1.into()), ..TableDecl::default() };
    let table = Table::new(store, &table).expect("it is small");
    imports.define(MODULE, "memory", memory).define(MODULE, "table", table);
    imports
}

impl super::Guest for Guest {
    fn call(&mut self, func: &str, args: &[Value]) -> End {
        let args: Vec<Val> = args.iter().map(|&arg| value_to(&mut self.store, arg)).collect();
        match self.instance.call(&mut self.store, func, &args) {
            Ok(values) => {
                End::Values(values.into_iter().map(|v| value_from(&self.store, v)).collect())
            }
            Err(error) => end_of(&error),
        }
    }

    fn set_global(&mut self, name: &str, value: i32) {
        let global = self.instance.global(&self.store, name).expect("the export is a global");
        assert!(global.set(&mut self.store, Val::I32(value)), "the global can be set");
    }

    fn global(&mut self, name: &str) -> Value {
        let global = self.instance.global(&self.store, name).expect("the export is a global");
        value_from(&self.store, global.get(&self.store))
    }

    fn memory(&mut self, name: &str) -> &[u8] {
        let memory = self.instance.memory(&self.store, name).expect("the export is a memory");
        memory.data(&self.store)
    }

    fn table(&mut self, name: &str) -> Vec<Value> {
        let table = self.instance.table(&self.store, name).expect("the export is a table");
        let slots = (0..table.size(&self.store)).map(|slot| table.get(&self.store, slot));
        slots.flatten().map(|slot| value_from(&self.store, slot.into())).collect()
    }

    fn host(&self) -> u64 {
        self.trace.hash()
    }

    fn faults(&self) -> Vec<String> {
        let module = self.module.engine_module();
        let failed = module.ir().funcs.keys().filter_map(|func| {
            let state = module.state_of(func)?;
            let mut entries = state.loops.iter().map(|a_loop| a_loop.entry).chain([state.call]);
            let failed = entries.find(|entry| entry.failed.iter().next().is_some())?.failed;
            let tiers: Vec<_> = failed.iter().collect();
            Some(format!("{} cannot be compiled for {tiers:?}", module.ir().func_name(func)))
        });
        failed.collect()
    }
}

fn end_of(error: &Error) -> End {
    if let Error::Engine(cupola::Error::Trap(trap)) = error
        && matches!(trap.cause, TrapCause::Host(_))
    {
        return End::Trap(Trap::Host);
    }
    let trap = match error.trap_code() {
        Some(TrapCode::Unreachable) => Trap::Unreachable,
        Some(TrapCode::IntDivByZero) => Trap::DivisionByZero,
        Some(TrapCode::IntOverflow) => Trap::Overflow,
        Some(TrapCode::BadConversion) => Trap::Conversion,
        Some(TrapCode::MemOutOfBounds) => Trap::Memory,
        Some(TrapCode::TableOutOfBounds) => Trap::Table,
        Some(TrapCode::NullFunction) => Trap::NullFunction,
        Some(TrapCode::SignatureMismatch) => Trap::Signature,
        Some(TrapCode::StackOverflow) => Trap::Stack,
        Some(TrapCode::Interrupted | TrapCode::OutOfFuel) | None => {
            return End::Failure(error.to_string());
        }
    };
    End::Trap(trap)
}

fn type_to(ty: Type) -> ValType {
    match ty {
        Type::I32 => ValType::I32,
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
        Type::V128 => ValType::V128,
        Type::Func => ValType::FuncRef,
        Type::Extern => ValType::ExternRef,
    }
}

fn value_to(store: &mut impl cupola::AsStoreMut, value: Value) -> Val {
    match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(f32::from_bits(v)),
        Value::F64(v) => Val::F64(f64::from_bits(v)),
        Value::V128(v) => Val::V128(v),
        Value::Func(_) => Ref::Func(None).into(),
        Value::Extern(object) => Val::ExternRef(object.map(|object| ExternRef::new(store, object))),
    }
}

fn value_from(store: &impl cupola::AsStore, value: Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(v),
        Val::I64(v) => Value::I64(v),
        Val::F32(v) => Value::f32(v.to_bits()),
        Val::F64(v) => Value::f64(v.to_bits()),
        Val::V128(v) => Value::V128(v),
        Val::FuncRef(func) => Value::Func(func.is_some()),
        Val::ExternRef(object) => {
            Value::Extern(object.map(|object| {
                *object.object(store).downcast_ref().expect("all objects are numbers")
            }))
        }
    }
}
