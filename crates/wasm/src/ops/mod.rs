//! What WebAssembly has and the engine's instruction set has not: bulk memory and table
//! operations and references, as dialect operations. Their immediates (segments, memories, tables) are i32
//! operands behind the operands proper. Addresses in memories, indices of tables, distances
//! and sizes are i64; of memories and tables where they have 32 bits they are extended, and cut off
//! in results.

mod memory;
mod table;

use crate::state::State;
use cupola::{Caller, DialectCall, DialectOp, Dialects, HostError};
use cupola_ir::{DialectOpDecl, DialectOpId, Effects, Module, Signature, TrapCode, Type};
use std::sync::Arc;

type Handler = fn(&mut DialectCall<'_>) -> Result<(), HostError>;

macro_rules! ops {
    ($($(#[doc = $doc:literal])* $Name:ident $text:literal ($($param:ident),*) -> ($($result:ident),*)
        [$($effect:ident)*] = $handler:path;)*) => {
        /// An operation of the `wasm` dialect.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        pub(crate) enum WasmOp { $($(#[doc = $doc])* $Name,)* }

        impl WasmOp {
            const ALL: &'static [WasmOp] = &[$(WasmOp::$Name,)*];

            /// Its full name.
            const fn name(self) -> &'static str {
                match self { $(WasmOp::$Name => concat!("wasm.", $text),)* }
            }

            /// Its operand and result types.
            pub const fn types(self) -> (&'static [Type], &'static [Type]) {
                match self { $(WasmOp::$Name => (&[$(Type::$param),*], &[$(Type::$result),*]),)* }
            }

            const fn effect(self) -> Effects {
                match self {
                    $(WasmOp::$Name => Effects::empty()$(.union(Effects::$effect))*,)*
                }
            }

            const fn handler(self) -> Handler {
                match self { $(WasmOp::$Name => $handler,)* }
            }
        }
    };
}

ops! {
    /// `(to, from, count, to memory, from memory)`
    MemoryCopy "memory_copy" (I64, I64, I64, I32, I32) -> ()
        [TRAPS READS_MEMORY WRITES_MEMORY READS_STATE] = memory::copy;
    /// `(to, byte, count, memory)`
    MemoryFill "memory_fill" (I64, I32, I64, I32) -> ()
        [TRAPS WRITES_MEMORY READS_STATE] = memory::fill;
    /// `(to, from, count, segment, memory)`
    MemoryInit "memory_init" (I64, I32, I32, I32, I32) -> ()
        [TRAPS WRITES_MEMORY READS_STATE] = memory::init;
    /// `(segment)`
    DataDrop "data_drop" (I32) -> () [WRITES_STATE] = memory::data_drop;
    /// `(index, table)`
    TableGetFunc "table_get_func" (I64, I32) -> (FuncRef) [TRAPS READS_STATE] = table::get;
    /// `(index, table)`
    TableGetExtern "table_get_extern" (I64, I32) -> (ExternRef) [TRAPS READS_STATE] = table::get;
    /// `(index, value, table)`
    TableSetFunc "table_set_func" (I64, FuncRef, I32) -> ()
        [TRAPS READS_STATE WRITES_STATE] = table::set;
    /// `(index, value, table)`
    TableSetExtern "table_set_extern" (I64, ExternRef, I32) -> ()
        [TRAPS READS_STATE WRITES_STATE] = table::set;
    /// `(table)`
    TableSize "table_size" (I32) -> (I64) [READS_STATE] = table::size;
    /// `(value, count, table)`
    TableGrowFunc "table_grow_func" (FuncRef, I64, I32) -> (I64)
        [READS_STATE WRITES_STATE] = table::grow;
    /// `(value, count, table)`
    TableGrowExtern "table_grow_extern" (ExternRef, I64, I32) -> (I64)
        [READS_STATE WRITES_STATE] = table::grow;
    /// `(index, value, count, table)`
    TableFillFunc "table_fill_func" (I64, FuncRef, I64, I32) -> ()
        [TRAPS READS_STATE WRITES_STATE] = table::fill;
    /// `(index, value, count, table)`
    TableFillExtern "table_fill_extern" (I64, ExternRef, I64, I32) -> ()
        [TRAPS READS_STATE WRITES_STATE] = table::fill;
    /// `(to, from, count, to table, from table)`
    TableCopy "table_copy" (I64, I64, I64, I32, I32) -> ()
        [TRAPS READS_STATE WRITES_STATE] = table::copy;
    /// `(to, from, count, segment, table)`
    TableInit "table_init" (I64, I32, I32, I32, I32) -> ()
        [TRAPS READS_STATE WRITES_STATE] = table::init;
    /// `(segment)`
    ElemDrop "elem_drop" (I32) -> () [WRITES_STATE] = table::elem_drop;
    /// `(function)`
    RefFunc "ref_func" (I32) -> (FuncRef) [] = table::ref_func;
    /// `(reference)`
    FuncRefIsNull "funcref_is_null" (FuncRef) -> (I32) [] = table::is_null;
    /// `(reference)`
    ExternRefIsNull "externref_is_null" (ExternRef) -> (I32) [] = table::is_null;
}

impl WasmOp {
    /// Its id in every module: all modules declare all of them, in this order.
    pub fn id(self) -> DialectOpId {
        DialectOpId::from_u32(self as u32)
    }
}

impl DialectOp for WasmOp {
    fn signature(&self) -> Signature {
        let (params, results) = self.types();
        Signature::new(params.iter().copied(), results.iter().copied())
    }

    fn effects(&self) -> Effects {
        self.effect()
    }

    fn call(&self, call: &mut DialectCall<'_>) -> Result<(), HostError> {
        self.handler()(call)
    }
}

/// Declares all operations in a module that has none.
pub(crate) fn declare(module: &mut Module) {
    for op in WasmOp::ALL {
        let Signature { params, results } = op.signature();
        let name = op.name().to_owned();
        let id =
            module.dialect_ops.push(DialectOpDecl { name, params, results, effects: op.effect() });
        debug_assert_eq!(id, op.id());
    }
}

/// The handlers of all operations.
pub(crate) fn dialects() -> Dialects {
    let mut dialects = Dialects::new();
    for &op in WasmOp::ALL {
        dialects.register(op.name(), Arc::new(op));
    }
    dialects
}

/// The state of the calling instance.
fn state<'a>(caller: &Caller<'a>) -> Result<&'a State, HostError> {
    caller.data().downcast_ref().ok_or_else(|| "not an instance of a WebAssembly module".into())
}

/// An operand in all its bits: one that is i64, or i32 extended with zeros.
fn wide_operand(call: &DialectCall<'_>, index: usize) -> u64 {
    call.slots()[index]
}

/// An i32 operand; nothing before it is a vector.
fn operand(call: &DialectCall<'_>, index: usize) -> u32 {
    call.slots()[index] as u32
}

/// `start..start + count`, if it lies within `len`.
fn range(
    start: impl Into<u64>,
    count: impl Into<u64>,
    len: usize,
    code: TrapCode,
) -> Result<std::ops::Range<usize>, TrapCode> {
    let start = start.into();
    match start.checked_add(count.into()) {
        // What is not above a usize is one.
        Some(end) if end <= len as u64 => Ok(start as usize..end as usize),
        _ => Err(code),
    }
}
