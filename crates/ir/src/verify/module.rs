//! Rules of modules.

use super::{Place, VerifyError};
use crate::module::{Module, PAGE_SIZE, RefType};
use crate::op::Effects;
use crate::types::Type;
use rustc_hash::FxHashSet;

/// Whether `bits` are those of a constant of type `ty`: zero above it, and if it is a reference,
/// altogether.
pub(super) fn is_value_of(bits: u128, ty: Type) -> bool {
    if ty.is_reference() {
        return bits == 0;
    }
    ty.bytes() == 16 || bits >> (8 * ty.bytes()) == 0
}

/// Adds the rules that the module breaks.
pub(super) fn check(module: &Module, errors: &mut Vec<VerifyError>) {
    let mut error = |place: Place, context: &str, message: String| {
        errors.push(VerifyError { place, context: context.to_string(), message });
    };
    let mut sigs = FxHashSet::default();
    for (id, sig) in module.sigs.iter() {
        if !sigs.insert(sig) {
            error(Place::Module, "", format!("the signature {id}, {sig}, is there twice"));
        }
    }
    for (id, func) in module.funcs.iter() {
        if !module.sigs.is_valid(func.sig) {
            let message = format!("refers to {}, which does not exist", func.sig);
            error(Place::Func(id), &format!("%{}", module.func_name(id)), message);
        }
    }
    for (id, memory) in module.memories.iter() {
        let context = format!("${}", memory.name.clone().unwrap_or(id.to_string()));
        let reach = memory.addressable_pages();
        let max = memory.max_pages.unwrap_or(reach);
        if memory.min_pages > reach || max > reach {
            let message = format!("a memory has at most {reach} pages");
            error(Place::Memory(id), &context, message);
        } else if memory.min_pages > max {
            let message = format!("starts with {} pages, but may have {max}", memory.min_pages);
            error(Place::Memory(id), &context, message);
        }
    }
    for (id, global) in module.globals.iter() {
        if global.import.is_some() && global.init != 0 {
            let context = format!("${}", global.name.clone().unwrap_or(id.to_string()));
            let message = "an imported global has the value of its exporter".to_string();
            error(Place::Global(id), &context, message);
        } else if !is_value_of(global.init, global.ty) {
            let context = format!("${}", global.name.clone().unwrap_or(id.to_string()));
            let message = format!("{:#x} is not a slot of type {}", global.init, global.ty);
            error(Place::Global(id), &context, message);
        }
    }
    for (id, table) in module.tables.iter() {
        let context = format!("${}", table.name.clone().unwrap_or(id.to_string()));
        if table.max.is_some_and(|max| max < table.min) {
            let max = table.max.unwrap_or_default();
            let message = format!("starts with {} slots, but may have {max}", table.min);
            error(Place::Table(id), &context, message);
        } else if table.elements.len() as u64 > table.min {
            let message = format!("{} elements for {} slots", table.elements.len(), table.min);
            error(Place::Table(id), &context, message);
        } else if table.import.is_some() && !table.elements.is_empty() {
            let message = "an imported table has the elements of its exporter".to_string();
            error(Place::Table(id), &context, message);
        } else if table.element == RefType::Extern && !table.elements.is_empty() {
            let message = "functions in a table of objects of the host".to_string();
            error(Place::Table(id), &context, message);
        }
        for (slot, element) in table.elements.iter().enumerate() {
            if let Some(func) = element.filter(|&func| !module.funcs.is_valid(func)) {
                let message = format!("slot {slot} refers to {func}, which does not exist");
                error(Place::Table(id), &context, message);
            }
        }
    }
    for (index, segment) in module.data.iter().enumerate() {
        let context = format!("data segment {index}");
        let Some(memory) = module.memories.get(segment.memory) else {
            let message = format!("refers to {}, which does not exist", segment.memory);
            error(Place::Data(index), &context, message);
            continue;
        };
        let size = memory.min_pages.saturating_mul(PAGE_SIZE);
        let end = segment.offset.checked_add(segment.bytes.len() as u64);
        if end.is_none_or(|end| end > size) {
            let (offset, length) = (segment.offset, segment.bytes.len());
            let message = format!("{length} bytes at {offset} are not within a memory of {size}");
            error(Place::Data(index), &context, message);
        }
    }
    let mut names = FxHashSet::default();
    for (id, op) in module.dialect_ops.iter() {
        let word = |part: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
            part.bytes().all(plain) && part.starts_with(|c: char| c.is_ascii_alphabetic())
        };
        if !op.name.split_once('.').is_some_and(|(dialect, op)| word(dialect) && word(op)) {
            let message = "an operation's name is a dialect and a word, with a dot between";
            error(Place::DialectOp(id), &op.name, message.to_string());
        }
        if !names.insert(&op.name) {
            error(Place::DialectOp(id), &op.name, "this operation is declared twice".to_string());
        }
        if !Effects::ANY.contains(op.effects) {
            let message = "an operation can neither end a block nor deoptimize".to_string();
            error(Place::DialectOp(id), &op.name, message);
        }
    }
    let mut exports: Vec<_> = module.exports.iter().collect();
    exports.sort();
    for (name, &func) in exports {
        if !module.funcs.is_valid(func) {
            let message = format!("{func} does not exist");
            error(Place::Module, &format!("export {name:?}"), message);
        }
    }
}
