//! What is known of a module once its sections were read; all but the functions' code.

use crate::types::{FuncType, ValType};
use cupola_ir::{FuncId, MemId, TableId, Type};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;
use wasmparser::ValidatorResources;

/// A constant expression.
#[derive(Clone, Debug)]
pub(crate) enum Const {
    /// The bits of a constant or a reference.
    Bits(u128),
    /// The value of another global.
    Global(u32),
    /// Anything else, in postfix order.
    Expr(Box<[ConstOp]>),
}

/// An operation of a constant expression.
#[derive(Copy, Clone, Debug)]
pub(crate) enum ConstOp {
    Bits(u128),
    Global(u32),
    Binary(ConstBinary),
}

/// An arithmetic operation of a constant expression.
#[derive(Copy, Clone, Debug)]
pub(crate) enum ConstBinary {
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
}

impl Const {
    /// The value's bits, given those of the globals before.
    pub fn eval(&self, globals: &[u128]) -> u128 {
        let ops = match self {
            Const::Bits(bits) => return *bits,
            Const::Global(global) => return globals[*global as usize],
            Const::Expr(ops) => ops,
        };
        let mut stack: Vec<u128> = Vec::new();
        for op in ops {
            let value = match *op {
                ConstOp::Bits(bits) => bits,
                ConstOp::Global(global) => globals[global as usize],
                ConstOp::Binary(op) => {
                    // Validation has seen to it that there are two.
                    let (b, a) = (stack.pop().unwrap_or(0), stack.pop().unwrap_or(0));
                    let (a, b) = (a as u64, b as u64);
                    let narrow = |v: u64| v & 0xffff_ffff;
                    let slot = match op {
                        ConstBinary::I32Add => narrow(a.wrapping_add(b)),
                        ConstBinary::I32Sub => narrow(a.wrapping_sub(b)),
                        ConstBinary::I32Mul => narrow(a.wrapping_mul(b)),
                        ConstBinary::I64Add => a.wrapping_add(b),
                        ConstBinary::I64Sub => a.wrapping_sub(b),
                        ConstBinary::I64Mul => a.wrapping_mul(b),
                    };
                    slot.into()
                }
            };
            stack.push(value);
        }
        stack.pop().unwrap_or(0)
    }
}

/// Where a table's slots are kept.
#[derive(Copy, Clone, Debug)]
pub(crate) enum TablePlace {
    /// With the engine, which calls through it.
    Engine(TableId),
    /// With the instance, by index: a table of host references.
    Host(usize),
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct TableInfo {
    pub place: TablePlace,
    pub initial: u64,
    pub maximum: u64,
}

/// A global.
#[derive(Clone, Debug)]
pub(crate) struct GlobalInfo {
    pub ty: ValType,
    pub mutable: bool,
    /// None: it is imported.
    pub init: Option<Const>,
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
    pub mode: SegmentMode<u32>,
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
    Table(u32),
    Memory(MemId),
    Global(u32),
}

/// An import other than of functions.
#[derive(Clone, Debug)]
pub(crate) struct GlobalImport {
    pub module: String,
    pub name: String,
    pub ty: ValType,
}

/// A module without its code.
pub(crate) struct ModuleInfo {
    pub bytes: Arc<[u8]>,
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
    /// The imported globals, which come first.
    pub global_imports: Vec<GlobalImport>,
    pub elements: Vec<ElementSegment>,
    pub data: Vec<DataSegment>,
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
