//! Writes modules.

use super::literal::{write_literal, write_string};
use super::print_function::write_function;
use crate::entities::{FuncId, GlobalId, MemId, TableId};
use crate::function::Function;
use crate::module::{EagerBodies, FuncKind, ImportName, Module, RefType};
use crate::op::Effects;
use rustc_hash::FxHashSet;
use std::fmt::Write;
use std::sync::Arc;

/// The text of a module, of the bodies that there are, and of functions in SSA form. Parsing it
/// gives the same again, source positions apart, if the names are different and every function
/// numbers its registers, blocks and instructions like the text does; otherwise it gives
/// equivalent functions.
pub fn print_module(
    module: &Module,
    bodies: &EagerBodies,
    ssa: &[(FuncId, Arc<Function>)],
) -> String {
    let names = Names::of(module);
    let mut out = String::new();
    write_items(&mut out, module, &names);
    let mut ssa: Vec<_> = ssa.iter().collect();
    ssa.sort_by_key(|(func, _)| *func);
    let mut ssa = ssa.into_iter().peekable();
    for (id, decl) in module.funcs.iter() {
        let sig = &module.sigs[decl.sig];
        let name = names.func(id);
        if !out.is_empty() {
            out.push('\n');
        }
        let own_name = decl.name.as_ref().is_some_and(|name| module.exports.get(name) == Some(&id));
        let body = bodies.get(id);
        match &decl.kind {
            FuncKind::Import { module: from, name: import } => {
                put(&mut out, format_args!("import {name}{sig} = "));
                write_string(&mut out, from.as_bytes());
                out.push(' ');
                write_string(&mut out, import.as_bytes());
                out.push('\n');
            }
            FuncKind::Defined => {
                if own_name {
                    out.push_str("export ");
                }
                match body {
                    Some(body) => write_function(&mut out, module, &names, Some(bodies), id, body),
                    None => put(&mut out, format_args!("func {name}{sig}\n")),
                }
            }
        }
        let mut exports: Vec<_> = module
            .exports
            .iter()
            .filter(|&(export, func)| {
                let by_item = decl.kind == FuncKind::Defined && Some(export) == decl.name.as_ref();
                *func == id && !by_item
            })
            .map(|(export, _)| export)
            .collect();
        exports.sort();
        for export in exports {
            out.push_str("export ");
            write_string(&mut out, export.as_bytes());
            put(&mut out, format_args!(" = {name}\n"));
        }
        while let Some((_, function)) = ssa.next_if(|(func, _)| *func == id) {
            out.push('\n');
            write_function(&mut out, module, &names, Some(bodies), id, function);
        }
    }
    out
}

fn write_items(out: &mut String, module: &Module, names: &Names) {
    if !module.name.is_empty() {
        out.push_str("module ");
        write_string(out, module.name.as_bytes());
        out.push('\n');
    }
    for (id, memory) in module.memories.iter() {
        let addresses = if memory.memory64 { "i64 " } else { "" };
        let (import, name) = (import_word(&memory.import), names.memory(id));
        put(out, format_args!("{import}memory {name} {addresses}{}", memory.min_pages));
        if let Some(max) = memory.max_pages {
            put(out, format_args!(" {max}"));
        }
        write_import(out, &memory.import);
        out.push('\n');
    }
    for (id, global) in module.globals.iter() {
        let mutable = if global.mutable { "mut " } else { "" };
        let (import, name) = (import_word(&global.import), names.global(id));
        put(out, format_args!("{import}global {name} {mutable}{}", global.ty));
        if global.import.is_none() {
            out.push_str(" = ");
            write_literal(out, global.ty, global.init);
        }
        write_import(out, &global.import);
        out.push('\n');
    }
    for (id, table) in module.tables.iter() {
        let indices = if table.table64 { " i64" } else { "" };
        put(out, format_args!("{}table {}{indices}", import_word(&table.import), names.table(id)));
        let plain = table.element == RefType::Func && table.max.is_none();
        let short = plain && table.import.is_none() && table.min == table.elements.len() as u64;
        if !short {
            let element = if table.element == RefType::Extern { " extern" } else { "" };
            put(out, format_args!("{element} {}", table.min));
            if let Some(max) = table.max {
                put(out, format_args!(" {max}"));
            }
        }
        write_import(out, &table.import);
        if !short && table.elements.is_empty() {
            out.push('\n');
            continue;
        }
        out.push_str(" = [");
        for (i, element) in table.elements.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match element {
                Some(func) => put(out, format_args!("{comma}{}", names.func(*func))),
                None => put(out, format_args!("{comma}null")),
            }
        }
        out.push_str("]\n");
    }
    for segment in &module.data {
        put(out, format_args!("data {} {} ", names.memory(segment.memory), segment.offset));
        write_string(out, &segment.bytes);
        out.push('\n');
    }
    for op in module.dialect_ops.values() {
        let sig = crate::Signature { params: op.params.clone(), results: op.results.clone() };
        put(out, format_args!("dialect {}{sig}", op.name));
        if op.effects != Effects::ANY {
            let list: Vec<_> =
                op.effects.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
            put(out, format_args!(" [{}]", list.join(", ")));
        }
        out.push('\n');
    }
}

fn import_word(import: &Option<ImportName>) -> &'static str {
    if import.is_some() { "import " } else { "" }
}

fn write_import(out: &mut String, import: &Option<ImportName>) {
    if let Some(ImportName { module, name }) = import {
        out.push_str(" = ");
        write_string(out, module.as_bytes());
        out.push(' ');
        write_string(out, name.as_bytes());
    }
}

/// Appends formatted text.
pub(super) fn put(out: &mut String, args: std::fmt::Arguments<'_>) {
    out.write_fmt(args).expect("writing to a String cannot fail");
}

/// The names of a module's entities in its text, with their `%` or `$`. Those without a name get
/// one from their number; of equal names, all but the first get a suffix.
pub(super) struct Names {
    funcs: Vec<String>,
    memories: Vec<String>,
    globals: Vec<String>,
    tables: Vec<String>,
}

impl Names {
    pub(super) fn of(module: &Module) -> Names {
        Names {
            funcs: unique('%', "func", module.funcs.values().map(|f| &f.name)),
            memories: unique('$', "mem", module.memories.values().map(|m| &m.name)),
            globals: unique('$', "global", module.globals.values().map(|g| &g.name)),
            tables: unique('$', "table", module.tables.values().map(|t| &t.name)),
        }
    }

    pub(super) fn func(&self, id: FuncId) -> &str {
        self.funcs.get(id.as_u32() as usize).map_or("%?", String::as_str)
    }

    pub(super) fn memory(&self, id: MemId) -> &str {
        self.memories.get(id.as_u32() as usize).map_or("$?", String::as_str)
    }

    pub(super) fn global(&self, id: GlobalId) -> &str {
        self.globals.get(id.as_u32() as usize).map_or("$?", String::as_str)
    }

    pub(super) fn table(&self, id: TableId) -> &str {
        self.tables.get(id.as_u32() as usize).map_or("$?", String::as_str)
    }
}

fn unique<'a>(
    sigil: char,
    kind: &str,
    entities: impl Iterator<Item = &'a Option<String>>,
) -> Vec<String> {
    let entities: Vec<&Option<String>> = entities.collect();
    let given: FxHashSet<&str> = entities.iter().filter_map(|name| name.as_deref()).collect();
    let mut taken = FxHashSet::default();
    let mut names = Vec::new();
    for (i, name) in entities.into_iter().enumerate() {
        let name = match name {
            Some(name) if taken.insert(name.clone()) => name.clone(),
            other => {
                let mut fresh = match other {
                    Some(name) => format!("{name}.{i}"),
                    None => format!("{kind}{i}"),
                };
                while given.contains(fresh.as_str()) || !taken.insert(fresh.clone()) {
                    fresh.push('_');
                }
                fresh
            }
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        let mut text = String::from(sigil);
        match !name.is_empty() && name.bytes().all(plain) {
            true => text.push_str(&name),
            false => write_string(&mut text, name.as_bytes()),
        }
        names.push(text);
    }
    names
}
