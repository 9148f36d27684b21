//! wasmtime, with Cranelift.

use crate::host::{FUNCS, GLOBALS, MEMORY, MODULE, TABLE, Trace};
use crate::subject::{MAX_PAGES, MAX_TABLE};
use crate::value::{End, Trap, Type, Value};
use std::sync::OnceLock;
use wasmtime::{
    AsContextMut, Config, Engine, Error, ExternRef, FuncType, Global, GlobalType, Instance, Linker,
    Memory, MemoryType, Module, Mutability, OptLevel, Ref, RefType, Store, StoreLimits,
    StoreLimitsBuilder, Table, TableType, Trap as Code, V128, Val, ValType,
};

pub struct Guest {
    store: Store<StoreLimits>,
    instance: Instance,
    trace: Trace,
}

/// A host function's error.
#[derive(Debug)]
struct Disliked;

impl std::fmt::Display for Disliked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host does not like this")
    }
}

impl std::error::Error for Disliked {}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        config
            .cranelift_opt_level(OptLevel::None)
            .max_wasm_stack(1 << 20)
            .wasm_extended_const(true)
            .wasm_memory64(true)
            .wasm_multi_memory(true);
        Engine::new(&config).expect("the configuration is valid")
    })
}

impl Guest {
    pub fn new(wasm: &[u8]) -> Result<Guest, End> {
        let module = Module::new(engine(), wasm).map_err(|error| end_of(&error))?;
        let limits = StoreLimitsBuilder::new()
            .memory_size((MAX_PAGES as usize) << 16)
            .table_elements(MAX_TABLE)
            .build();
        let mut store = Store::new(engine(), limits);
        store.limiter(|limits| limits);
        let trace = Trace::default();
        let linker = imports(&mut store, &trace).map_err(|error| end_of(&error))?;
        let instance = linker.instantiate(&mut store, &module).map_err(|error| end_of(&error))?;
        Ok(Guest { store, instance, trace })
    }
}

fn imports(store: &mut Store<StoreLimits>, trace: &Trace) -> Result<Linker<StoreLimits>, Error> {
    let mut linker = Linker::new(engine());
    for (index, func) in FUNCS.iter().enumerate() {
        let types = |types: &[Type]| types.iter().map(|&ty| type_to(ty)).collect::<Vec<_>>();
        let ty = FuncType::new(engine(), types(func.params), types(func.results));
        let trace = trace.clone();
        linker.func_new(MODULE, func.name, ty, move |mut caller, args, results| {
            let args: Vec<Value> = args.iter().map(|arg| value_from(&mut caller, arg)).collect();
            let values = trace.call(index, &args).ok_or(Disliked)?;
            for (result, value) in results.iter_mut().zip(values) {
                *result = value_to(&mut caller, value)?;
            }
            Ok(())
        })?;
    }
    for &(name, value, mutable) in GLOBALS {
        let value = value_to(&mut *store, value)?;
        let mutability = if mutable { Mutability::Var } else { Mutability::Const };
        let ty = GlobalType::new(value.ty(&*store)?, mutability);
        let ty = match value {
            Val::ExternRef(_) => GlobalType::new(ValType::EXTERNREF, mutability),
            _ => ty,
        };
        let global = Global::new(&mut *store, ty, value)?;
        linker.define(&mut *store, MODULE, name, global)?;
    }
    let memory = Memory::new(&mut *store, MemoryType::new(MEMORY.0, Some(MEMORY.1)))?;
    let table = TableType::new(RefType::FUNCREF, TABLE.0, Some(TABLE.1));
    let table = Table::new(&mut *store, table, Ref::Func(None))?;
    linker.define(&mut *store, MODULE, "memory", memory)?;
    linker.define(&mut *store, MODULE, "table", table)?;
    Ok(linker)
}

impl super::Guest for Guest {
    fn call(&mut self, func: &str, args: &[Value]) -> End {
        let store = &mut self.store;
        let func = self.instance.get_func(&mut *store, func).expect("the export is a function");
        let args = args.iter().map(|&arg| value_to(&mut *store, arg));
        let args = match args.collect::<Result<Vec<Val>, Error>>() {
            Ok(args) => args,
            Err(error) => return end_of(&error),
        };
        let mut results = vec![Val::I32(0); func.ty(&*store).results().len()];
        match func.call(&mut *store, &args, &mut results) {
            Ok(()) => End::Values(results.iter().map(|v| value_from(&mut *store, v)).collect()),
            Err(error) => end_of(&error),
        }
    }

    fn set_global(&mut self, name: &str, value: i32) {
        let store = &mut self.store;
        let global = self.instance.get_global(&mut *store, name).expect("the export is a global");
        global.set(store, Val::I32(value)).expect("the global can be set");
    }

    fn global(&mut self, name: &str) -> Value {
        let store = &mut self.store;
        let global = self.instance.get_global(&mut *store, name).expect("the export is a global");
        let value = global.get(&mut *store);
        value_from(store, &value)
    }

    fn memory(&mut self, name: &str) -> &[u8] {
        let memory = self.instance.get_memory(&mut self.store, name);
        memory.expect("the export is a memory").data(&self.store)
    }

    fn table(&mut self, name: &str) -> Vec<Value> {
        let store = &mut self.store;
        let table = self.instance.get_table(&mut *store, name).expect("the export is a table");
        let size = table.size(&*store);
        let slots: Vec<Ref> = (0..size).filter_map(|slot| table.get(&mut *store, slot)).collect();
        slots.into_iter().map(|slot| value_from(&mut *store, &slot.into())).collect()
    }

    fn host(&self) -> u64 {
        self.trace.hash()
    }
}

fn end_of(error: &Error) -> End {
    if error.downcast_ref::<Disliked>().is_some() {
        return End::Trap(Trap::Host);
    }
    let trap = match error.downcast_ref::<Code>() {
        Some(Code::StackOverflow) => Trap::Stack,
        Some(Code::MemoryOutOfBounds) => Trap::Memory,
        Some(Code::TableOutOfBounds) => Trap::Table,
        Some(Code::IndirectCallToNull) => Trap::NullFunction,
        Some(Code::BadSignature) => Trap::Signature,
        Some(Code::IntegerOverflow) => Trap::Overflow,
        Some(Code::IntegerDivisionByZero) => Trap::DivisionByZero,
        Some(Code::BadConversionToInteger) => Trap::Conversion,
        Some(Code::UnreachableCodeReached) => Trap::Unreachable,
        _ => return End::Failure(format!("{error:?}")),
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
        Type::Func => ValType::FUNCREF,
        Type::Extern => ValType::EXTERNREF,
    }
}

fn value_to(store: impl AsContextMut, value: Value) -> Result<Val, Error> {
    Ok(match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(v),
        Value::F64(v) => Val::F64(v),
        Value::V128(v) => Val::V128(V128::from(v)),
        Value::Func(_) => Val::FuncRef(None),
        Value::Extern(None) => Val::ExternRef(None),
        Value::Extern(Some(object)) => Val::ExternRef(Some(ExternRef::new(store, object)?)),
    })
}

fn value_from(mut store: impl AsContextMut, value: &Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(*v),
        Val::I64(v) => Value::I64(*v),
        Val::F32(v) => Value::f32(*v),
        Val::F64(v) => Value::f64(*v),
        Val::V128(v) => Value::V128(v.as_u128()),
        Val::FuncRef(func) => Value::Func(func.is_some()),
        Val::ExternRef(object) => Value::Extern(object.map(|object| {
            let data = object.data(store.as_context_mut()).ok().flatten();
            *data.and_then(|data| data.downcast_ref()).expect("all objects are numbers")
        })),
        other => panic!("a value of a proposal that is off: {other:?}"),
    }
}
