//! What is known of a module once its sections were read; all but the functions' code.

use crate::types::FuncType;
use cupola::{AsStore, Instance, Value};
use cupola_ir::{FuncId, GlobalId, MemId, RefType, SharedBytes, TableId, Type};
use rustc_hash::FxHashMap;
use std::ops::Range;
use wasmparser::{ValidatorResources, WasmFeatures};

/// A constant expression.
#[derive(Clone, Debug)]
pub(crate) enum Const {
    /// One that is no more than this operand.
    Operand(ConstOperand),
    /// Anything else, in postfix order.
    Expr(Box<[ConstOp]>),
}

/// An operand of a constant expression.
#[derive(Copy, Clone, Debug)]
pub(crate) enum ConstOperand {
    Value(Value),
    /// The value of another global.
    Global(GlobalId),
    /// The reference to a function.
    Func(FuncId),
}

/// An operation of a constant expression.
#[derive(Copy, Clone, Debug)]
pub(crate) enum ConstOp {
    Operand(ConstOperand),
    Binary(ConstBinary),
}

/// An arithmetic operation of a constant expression.
#[derive(Copy, Clone, Debug)]
pub(crate) enum ConstBinary {
    Add,
    Sub,
    Mul,
}

impl ConstOperand {
    fn eval(self, store: &impl AsStore, instance: Instance) -> Value {
        match self {
            ConstOperand::Value(value) => value,
            ConstOperand::Global(global) => {
                let global = instance.global(store, global);
                global.expect("validated expressions name globals that exist").get(store)
            }
            ConstOperand::Func(func) => Value::FuncRef(Some(instance.func(store, func))),
        }
    }
}

impl ConstBinary {
    fn eval(self, a: Value, b: Value) -> Value {
        match (self, a, b) {
            (ConstBinary::Add, Value::I32(a), Value::I32(b)) => a.wrapping_add(b).into(),
            (ConstBinary::Sub, Value::I32(a), Value::I32(b)) => a.wrapping_sub(b).into(),
            (ConstBinary::Mul, Value::I32(a), Value::I32(b)) => a.wrapping_mul(b).into(),
            (ConstBinary::Add, Value::I64(a), Value::I64(b)) => a.wrapping_add(b).into(),
            (ConstBinary::Sub, Value::I64(a), Value::I64(b)) => a.wrapping_sub(b).into(),
            (ConstBinary::Mul, Value::I64(a), Value::I64(b)) => a.wrapping_mul(b).into(),
            _ => unreachable!("validated expressions have operands of one integer type"),
        }
    }
}

impl Const {
    /// The value in an instance, whose globals that it names are set already.
    pub fn eval(&self, store: &impl AsStore, instance: Instance) -> Value {
        let ops = match self {
            Const::Operand(operand) => return operand.eval(store, instance),
            Const::Expr(ops) => ops,
        };
        let mut stack: Vec<Value> = Vec::new();
        for op in ops {
            let value = match *op {
                ConstOp::Operand(operand) => operand.eval(store, instance),
                ConstOp::Binary(op) => match (stack.pop(), stack.pop()) {
                    (Some(b), Some(a)) => op.eval(a, b),
                    _ => unreachable!("validated expressions have two operands here"),
                },
            };
            stack.push(value);
        }
        stack.pop().expect("validated expressions have a value")
    }
}

/// A global.
#[derive(Clone, Debug)]
pub(crate) struct GlobalInfo {
    pub ty: Type,
    pub mutable: bool,
    /// None: it is imported.
    pub init: Option<Const>,
}

/// A table.
#[derive(Copy, Clone, Debug)]
pub(crate) struct TableInfo {
    pub element: RefType,
    /// The type of its indices and sizes.
    pub index_type: Type,
}

/// Where a segment goes at instantiation.
#[derive(Clone, Debug)]
pub(crate) enum SegmentMode<Place> {
    Passive,
    Active(Place, Const),
    Declared,
}

/// An element segment.
#[derive(Clone, Debug)]
pub(crate) struct ElementSegment {
    pub mode: SegmentMode<TableId>,
    pub items: Vec<Const>,
}

/// A data segment.
#[derive(Clone, Debug)]
pub(crate) struct DataSegment {
    pub mode: SegmentMode<MemId>,
    pub bytes: Range<usize>,
}

/// What an export refers to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Export {
    Func(FuncId),
    Table(TableId),
    Memory(MemId),
    Global(GlobalId),
}

/// A module without its code.
pub(crate) struct ModuleInfo {
    pub bytes: SharedBytes,
    /// What it may use.
    pub features: WasmFeatures,
    pub types: Vec<FuncType>,
    /// The type of each function.
    pub funcs: Vec<u32>,
    pub imported_funcs: u32,
    /// Where the body of each defined function stands.
    pub bodies: Vec<Range<usize>>,
    pub tables: Vec<TableInfo>,
    /// Of each memory, the type of its addresses and sizes.
    pub address_types: Vec<Type>,
    pub globals: Vec<GlobalInfo>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment>,
    /// How many of them, the first, the engine itself puts into memories.
    pub initial_data: usize,
    pub exports: FxHashMap<String, Export>,
    pub start: Option<FuncId>,
    /// What validation of a function needs of the module; none if all functions are valid.
    pub unchecked: Option<ValidatorResources>,
}

impl ModuleInfo {
    pub fn func_type(&self, func: FuncId) -> &FuncType {
        &self.types[self.funcs[func.as_u32() as usize] as usize]
    }
}
