//! What generated modules may import: the same in every engine.

use crate::value::{Type, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The module name of all imports.
pub const MODULE: &str = "host";

/// Pages of the memory `memory` at the start, and its greatest number.
pub const MEMORY: (u32, u32) = (1, 4);

/// Slots of the table `table` at the start, and their greatest number.
pub const TABLE: (u32, u32) = (10, 20);

/// Globals: name, value, whether it can be set.
pub const GLOBALS: &[(&str, Value, bool)] = &[
    ("size", Value::I32(40), false),
    ("offset", Value::I64(65_530), false),
    ("count", Value::I64(-3), true),
    ("ratio", Value::F64(0x3fd5_5555_5555_5555), true),
    ("lanes", Value::V128(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100), true),
    ("reference", Value::Extern(None), true),
];

/// A function of the host.
pub struct HostFunc {
    /// Its name.
    pub name: &'static str,
    /// Types of its parameters.
    pub params: &'static [Type],
    /// Types of its results.
    pub results: &'static [Type],
    /// What it does; an error is a trap.
    pub body: fn(&[Value]) -> Option<Vec<Value>>,
}

/// All of them.
pub const FUNCS: &[HostFunc] = &[
    HostFunc { name: "note", params: &[Type::I32], results: &[], body: |_| Some(Vec::new()) },
    HostFunc {
        name: "picky",
        params: &[Type::I32, Type::I64],
        results: &[Type::I64],
        body: |args| match *args {
            [Value::I32(a), Value::I64(b)] if a % 3 != 1 => {
                Some(vec![Value::I64(b.wrapping_sub(i64::from(a)))])
            }
            _ => None,
        },
    },
    HostFunc {
        name: "mix",
        params: &[
            Type::F64,
            Type::I32,
            Type::F32,
            Type::I64,
            Type::I32,
            Type::I64,
            Type::I32,
            Type::I64,
        ],
        results: &[Type::I64, Type::F64, Type::I32],
        body: |args| {
            let sum = digest(0, args);
            let float = (sum as i32 as f64 / 16.0).to_bits();
            Some(vec![Value::I64(sum as i64), Value::F64(float), Value::I32((sum >> 40) as i32)])
        },
    },
    HostFunc {
        name: "vector",
        params: &[Type::V128, Type::I32, Type::V128],
        results: &[Type::V128],
        body: |args| match *args {
            [Value::V128(a), Value::I32(by), Value::V128(b)] => {
                Some(vec![Value::V128(a.rotate_left(by as u32) ^ b)])
            }
            _ => None,
        },
    },
    HostFunc {
        name: "object",
        params: &[Type::Extern, Type::Func],
        results: &[Type::Extern],
        body: |args| match *args {
            [Value::Extern(None), _] => Some(vec![Value::Extern(Some(77))]),
            [object, Value::Func(false)] => Some(vec![object]),
            _ => Some(vec![Value::Extern(None)]),
        },
    },
];

/// What the host was called with so far, as a hash.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<AtomicU64>);

impl Trace {
    /// Calls the function of that index.
    pub fn call(&self, index: usize, args: &[Value]) -> Option<Vec<Value>> {
        let seen = digest(self.0.load(Ordering::Relaxed) ^ index as u64, args);
        self.0.store(seen, Ordering::Relaxed);
        (FUNCS[index].body)(args)
    }

    /// The hash.
    pub fn hash(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn digest(start: u64, values: &[Value]) -> u64 {
    values.iter().fold(start, |sum, value| {
        let bits = match *value {
            Value::I32(v) => u128::from(v as u32),
            Value::I64(v) => u128::from(v as u64),
            Value::F32(v) => v.into(),
            Value::F64(v) => v.into(),
            Value::V128(v) => v,
            Value::Func(there) => there.into(),
            Value::Extern(object) => object.map_or(1 << 40, u128::from),
        };
        let folded = bits as u64 ^ ((bits >> 64) as u64).rotate_left(17);
        (sum.rotate_left(5) ^ folded).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// A module that imports all there is, as the generator wants it.
pub fn declarations() -> Vec<u8> {
    use wasm_encoder::{
        EntityType, GlobalType, ImportSection, MemoryType, RefType, TableType, TypeSection,
    };
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    for (index, func) in FUNCS.iter().enumerate() {
        types.ty().function(
            func.params.iter().map(|&ty| encoded(ty)),
            func.results.iter().map(|&ty| encoded(ty)),
        );
        imports.import(MODULE, func.name, EntityType::Function(index as u32));
    }
    for &(name, value, mutable) in GLOBALS {
        let val_type = encoded(type_of(value));
        imports.import(
            MODULE,
            name,
            EntityType::Global(GlobalType { val_type, mutable, shared: false }),
        );
    }
    let memory = MemoryType {
        minimum: MEMORY.0.into(),
        maximum: Some(MEMORY.1.into()),
        memory64: false,
        shared: false,
        page_size_log2: None,
    };
    imports.import(MODULE, "memory", EntityType::Memory(memory));
    let table = TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: TABLE.0.into(),
        maximum: Some(TABLE.1.into()),
        shared: false,
    };
    imports.import(MODULE, "table", EntityType::Table(table));
    let mut module = wasm_encoder::Module::new();
    module.section(&types).section(&imports);
    module.finish()
}

fn encoded(ty: Type) -> wasm_encoder::ValType {
    use wasm_encoder::{RefType, ValType};
    match ty {
        Type::I32 => ValType::I32,
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
        Type::V128 => ValType::V128,
        Type::Func => ValType::Ref(RefType::FUNCREF),
        Type::Extern => ValType::Ref(RefType::EXTERNREF),
    }
}

fn type_of(value: Value) -> Type {
    match value {
        Value::I32(_) => Type::I32,
        Value::I64(_) => Type::I64,
        Value::F32(_) => Type::F32,
        Value::F64(_) => Type::F64,
        Value::V128(_) => Type::V128,
        Value::Func(_) => Type::Func,
        Value::Extern(_) => Type::Extern,
    }
}
