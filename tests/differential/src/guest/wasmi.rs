//! wasmi.

use crate::host::{FUNCS, GLOBALS, MEMORY, MODULE, TABLE, Trace};
use crate::subject::{MAX_PAGES, MAX_TABLE};
use crate::value::{End, Trap, Type, Value};
use std::sync::OnceLock;
use wasmi::errors::{ErrorKind, HostError, InstantiationError, MemoryError, TableError};
use wasmi::{
    AsContext, AsContextMut, Config, Engine, Error, Extern, ExternRef, F32, F64, FuncType, Global,
    Instance, Linker, Memory, MemoryType, Module, Mutability, Nullable, Ref, RefType, Store,
    StoreLimits, StoreLimitsBuilder, Table, TableType, TrapCode, V128, Val, ValType,
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

impl HostError for Disliked {}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::default();
        config.wasm_multi_memory(true).wasm_memory64(true).wasm_simd(true);
        config.set_max_recursion_depth(20_000).set_max_stack_height(64 << 20);
        Engine::new(&config)
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
        let instance =
            linker.instantiate_and_start(&mut store, &module).map_err(|error| end_of(&error))?;
        Ok(Guest { store, instance, trace })
    }
}

fn imports(store: &mut Store<StoreLimits>, trace: &Trace) -> Result<Linker<StoreLimits>, Error> {
    let mut linker = Linker::new(engine());
    for (index, func) in FUNCS.iter().enumerate() {
        let types = |types: &[Type]| types.iter().map(|&ty| type_to(ty)).collect::<Vec<_>>();
        let ty = FuncType::new(types(func.params), types(func.results));
        let trace = trace.clone();
        linker.func_new(MODULE, func.name, ty, move |mut caller, args, results| {
            let args: Vec<Value> = args.iter().map(|arg| value_from(&caller, arg)).collect();
            let values = trace.call(index, &args).ok_or_else(|| Error::host(Disliked))?;
            for (result, value) in results.iter_mut().zip(values) {
                *result = value_to(&mut caller, value);
            }
            Ok(())
        })?;
    }
    for &(name, value, mutable) in GLOBALS {
        let value = value_to(&mut *store, value);
        let mutability = if mutable { Mutability::Var } else { Mutability::Const };
        let global = Global::new(&mut *store, value, mutability);
        linker.define(MODULE, name, global)?;
    }
    let memory = Memory::new(&mut *store, MemoryType::new(MEMORY.0, Some(MEMORY.1)))?;
    let table = TableType::new(RefType::Func, TABLE.0, Some(TABLE.1));
    let table = Table::new(&mut *store, table, Ref::null(RefType::Func))?;
    linker.define(MODULE, "memory", memory)?.define(MODULE, "table", table)?;
    Ok(linker)
}

impl super::Guest for Guest {
    fn call(&mut self, func: &str, args: &[Value]) -> End {
        let func = self.instance.get_func(&self.store, func).expect("the export is a function");
        let args: Vec<Val> = args.iter().map(|&arg| value_to(&mut self.store, arg)).collect();
        let ty = func.ty(&self.store);
        let mut results: Vec<Val> =
            ty.results().iter().map(|&ty| Val::default_for_ty(ty)).collect();
        match func.call(&mut self.store, &args, &mut results) {
            Ok(()) => End::Values(results.iter().map(|v| value_from(&self.store, v)).collect()),
            Err(error) => end_of(&error),
        }
    }

    fn set_global(&mut self, name: &str, value: i32) {
        let global = self.instance.get_global(&self.store, name).expect("the export is a global");
        global.set(&mut self.store, Val::I32(value)).expect("the global can be set");
    }

    fn global(&mut self, name: &str) -> Value {
        let global = self.instance.get_global(&self.store, name).expect("the export is a global");
        value_from(&self.store, &global.get(&self.store))
    }

    fn memory(&mut self, name: &str) -> &[u8] {
        let Some(Extern::Memory(memory)) = self.instance.get_export(&self.store, name) else {
            panic!("the export is a memory");
        };
        memory.data(&self.store)
    }

    fn table(&mut self, name: &str) -> Vec<Value> {
        let table = self.instance.get_table(&self.store, name).expect("the export is a table");
        let slots = (0..table.size(&self.store)).map(|slot| table.get(&self.store, slot));
        slots
            .flatten()
            .map(|slot| match slot {
                Ref::Func(func) => Val::FuncRef(func),
                Ref::Extern(object) => Val::ExternRef(object),
            })
            .map(|slot| value_from(&self.store, &slot))
            .collect()
    }

    fn host(&self) -> u64 {
        self.trace.hash()
    }
}

fn end_of(error: &Error) -> End {
    let trap = match error.kind() {
        ErrorKind::Host(_) => Trap::Host,
        ErrorKind::Memory(MemoryError::OutOfBoundsAccess) => Trap::Memory,
        ErrorKind::Table(TableError::InitOutOfBounds)
        | ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit { .. }) => {
            Trap::Table
        }
        _ => match error.as_trap_code() {
            Some(TrapCode::UnreachableCodeReached) => Trap::Unreachable,
            Some(TrapCode::MemoryOutOfBounds) => Trap::Memory,
            Some(TrapCode::TableOutOfBounds) => Trap::Table,
            Some(TrapCode::IndirectCallToNull) => Trap::NullFunction,
            Some(TrapCode::IntegerDivisionByZero) => Trap::DivisionByZero,
            Some(TrapCode::IntegerOverflow) => Trap::Overflow,
            Some(TrapCode::BadConversionToInteger) => Trap::Conversion,
            Some(TrapCode::StackOverflow) => Trap::Stack,
            Some(TrapCode::BadSignature) => Trap::Signature,
            _ => return End::Failure(format!("{error} ({:?})", error.kind())),
        },
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

fn value_to(store: impl AsContextMut, value: Value) -> Val {
    match value {
        Value::I32(v) => Val::I32(v),
        Value::I64(v) => Val::I64(v),
        Value::F32(v) => Val::F32(F32::from_bits(v)),
        Value::F64(v) => Val::F64(F64::from_bits(v)),
        Value::V128(v) => Val::V128(V128::from(v)),
        Value::Func(_) => Val::FuncRef(Nullable::Null),
        Value::Extern(None) => Val::ExternRef(Nullable::Null),
        Value::Extern(Some(object)) => Val::ExternRef(ExternRef::new(store, object).into()),
    }
}

fn value_from(store: &impl AsContext, value: &Val) -> Value {
    match value {
        Val::I32(v) => Value::I32(*v),
        Val::I64(v) => Value::I64(*v),
        Val::F32(v) => Value::f32(v.to_bits()),
        Val::F64(v) => Value::f64(v.to_bits()),
        Val::V128(v) => Value::V128(v.as_u128()),
        Val::FuncRef(func) => Value::Func(!func.is_null()),
        Val::ExternRef(object) => Value::Extern(object.val().map(|object| {
            *object.data(store.as_context()).downcast_ref().expect("all objects are numbers")
        })),
    }
}
