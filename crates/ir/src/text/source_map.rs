//! Where the parts of a parsed module stand in its text.

use crate::entities::FuncId;
use crate::function::Form;
use crate::verify::Place;
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Places of a function's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionSpans {
    /// Its first line, up to the signature.
    pub header: Range<usize>,
    /// The label of each block.
    pub blocks: Vec<Range<usize>>,
    /// Each instruction.
    pub insts: Vec<Range<usize>>,
}

/// Places of a module's items and functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMap {
    items: FxHashMap<Place, Range<usize>>,
    functions: FxHashMap<(FuncId, Form), FunctionSpans>,
}

impl SourceMap {
    pub(super) fn insert_item(&mut self, place: Place, span: Range<usize>) {
        self.items.insert(place, span);
    }

    pub(super) fn insert_function(&mut self, func: FuncId, form: Form, spans: FunctionSpans) {
        self.functions.insert((func, form), spans);
    }

    /// Places of one function.
    pub fn function(&self, func: FuncId, form: Form) -> Option<&FunctionSpans> {
        self.functions.get(&(func, form))
    }

    /// The most exact place known of an item, an instruction, a block or a function.
    pub fn find(&self, place: Place) -> Option<Range<usize>> {
        let Place::Body { func, form, block, inst } = place else {
            return self.items.get(&place).cloned();
        };
        let Some(spans) = self.function(func, form) else {
            return self.items.get(&Place::Func(func)).cloned();
        };
        let inst = inst.and_then(|inst| spans.insts.get(inst.as_u32() as usize));
        let block = block.and_then(|block| spans.blocks.get(block.as_u32() as usize));
        Some(inst.or(block).unwrap_or(&spans.header).clone())
    }
}
