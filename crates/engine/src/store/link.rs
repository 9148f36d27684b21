//! Binds the imports of a module to what is provided, by name and type.
//!
//! Types fit as WebAssembly has it: functions have the same signature, globals the same type and
//! mutability; memories and tables are addressed by the same type, at least as large as asked for,
//! and if a greatest size is asked for, have one themselves that is not greater. Only what belongs
//! to the store can be imported.

use super::global::GlobalInner;
use super::memory::MemoryInner;
use super::table::TableInner;
use super::{Func, Handle, StoreInner};
use crate::error::{Error, MissingImport};
use crate::host::{Extern, HostFunc, Imports, Provided};
use crate::module::ModuleInner;
use cupola_ir::{
    FuncId, FuncKind, GlobalDecl, ImportName, MemoryDecl, RefType, Signature, TableDecl,
};
use cupola_runtime::VmFuncRef;
use std::fmt;
use std::ptr::NonNull;

/// What an imported function is.
pub(super) enum LinkedFunc {
    Host(HostFunc),
    /// A function of an instance of the store.
    Ref(NonNull<VmFuncRef>),
}

/// What the imports of a module are bound to. Of memories, tables and globals there is one for each
/// of the module's, none for those that it defines.
pub(super) struct Linked {
    pub funcs: Vec<(FuncId, LinkedFunc)>,
    pub memories: Vec<Option<NonNull<MemoryInner>>>,
    pub tables: Vec<Option<NonNull<TableInner>>>,
    pub globals: Vec<Option<NonNull<GlobalInner>>>,
}

impl Linked {
    pub fn new(
        store: &StoreInner,
        module: &ModuleInner,
        imports: &Imports,
    ) -> Result<Linked, Error> {
        let linker = Linker { store, module, imports };
        let ir = &module.ir;
        let mut missing = Vec::new();
        let mut funcs = Vec::new();
        for (func, decl) in &ir.funcs {
            if let FuncKind::Import { module, name } = &decl.kind {
                match linker.func(func, module, name) {
                    Ok(linked) => funcs.push((func, linked)),
                    Err(import) => missing.push(import),
                }
            }
        }
        let linked = Linked {
            funcs,
            memories: bind(
                &mut missing,
                ir.memories.values().map(|decl| (decl, decl.import.as_ref())),
                |decl, name| linker.memory(decl, name),
            ),
            tables: bind(
                &mut missing,
                ir.tables.values().map(|decl| (decl, decl.import.as_ref())),
                |decl, name| linker.table(decl, name),
            ),
            globals: bind(
                &mut missing,
                ir.globals.values().map(|decl| (decl, decl.import.as_ref())),
                |decl, name| linker.global(decl, name),
            ),
        };
        if missing.is_empty() { Ok(linked) } else { Err(Error::MissingImports(missing)) }
    }
}

/// Binds declarations of one kind, and notes which cannot be bound.
fn bind<'d, D: 'd, T>(
    missing: &mut Vec<MissingImport>,
    decls: impl Iterator<Item = (&'d D, Option<&'d ImportName>)>,
    link: impl Fn(&D, &ImportName) -> Result<NonNull<T>, MissingImport>,
) -> Vec<Option<NonNull<T>>> {
    let bind = |(decl, name): (&D, Option<&ImportName>)| {
        link(decl, name?).map_err(|import| missing.push(import)).ok()
    };
    decls.map(bind).collect()
}

struct Linker<'a> {
    store: &'a StoreInner,
    module: &'a ModuleInner,
    imports: &'a Imports,
}

impl Linker<'_> {
    fn func(&self, func: FuncId, module: &str, name: &str) -> Result<LinkedFunc, MissingImport> {
        let sig = self.module.ir.func_sig(func);
        let missing = |found: String| missing(module, name, Wanted::Func(sig), found);
        let found = match self.imports.get(module, name) {
            Some(Provided::Host(host)) if host.sig == *sig => {
                return Ok(LinkedFunc::Host(host.clone()));
            }
            Some(Provided::Host(host)) => Wanted::Func(&host.sig).to_string(),
            Some(&Provided::Extern(Extern::Func(Func(handle)))) => {
                let target = self.of_store(handle).map_err(missing)?;
                // SAFETY: the store keeps it.
                let found = unsafe { target.as_ref() };
                if found.sig == self.module.layout.sig_id(self.module.ir.funcs[func].sig) {
                    return Ok(LinkedFunc::Ref(target));
                }
                Wanted::Func(Func(handle).sig_in(self.store)).to_string()
            }
            other => self.describe(other),
        };
        Err(missing(found))
    }

    fn memory(
        &self,
        decl: &MemoryDecl,
        ImportName { module, name }: &ImportName,
    ) -> Result<NonNull<MemoryInner>, MissingImport> {
        let missing = |found: String| missing(module, name, Wanted::Memory(decl), found);
        let found = self.imports.get(module, name);
        let Some(&Provided::Extern(Extern::Memory(memory))) = found else {
            return Err(missing(self.describe(found)));
        };
        let target = self.of_store(memory.0).map_err(missing)?;
        let memory = memory.0.get(self.store);
        let fits = memory.memory64 == decl.memory64
            && limits_fit((memory.size(), memory.max_pages), (decl.min_pages, decl.max_pages));
        if fits { Ok(target) } else { Err(missing(self.describe(found))) }
    }

    fn table(
        &self,
        decl: &TableDecl,
        ImportName { module, name }: &ImportName,
    ) -> Result<NonNull<TableInner>, MissingImport> {
        let missing = |found: String| missing(module, name, Wanted::Table(decl), found);
        let found = self.imports.get(module, name);
        let Some(&Provided::Extern(Extern::Table(table))) = found else {
            return Err(missing(self.describe(found)));
        };
        let target = self.of_store(table.0).map_err(missing)?;
        let table = table.0.get(self.store);
        let fits = (table.element, table.table64) == (decl.element, decl.table64)
            && limits_fit((table.len(), table.max), (decl.min, decl.max));
        if fits { Ok(target) } else { Err(missing(self.describe(found))) }
    }

    fn global(
        &self,
        decl: &GlobalDecl,
        ImportName { module, name }: &ImportName,
    ) -> Result<NonNull<GlobalInner>, MissingImport> {
        let missing = |found: String| missing(module, name, Wanted::Global(decl), found);
        let found = self.imports.get(module, name);
        let Some(&Provided::Extern(Extern::Global(global))) = found else {
            return Err(missing(self.describe(found)));
        };
        let target = self.of_store(global.0).map_err(missing)?;
        let global = global.0.get(self.store);
        let fits = (global.ty, global.mutable) == (decl.ty, decl.mutable);
        if fits { Ok(target) } else { Err(missing(self.describe(found))) }
    }

    /// What a handle leads to, if it is one of this store.
    fn of_store<T>(&self, handle: Handle<T>) -> Result<NonNull<T>, String> {
        let own = handle.store == self.store.id;
        own.then_some(handle.target).ok_or_else(|| "something of another store".to_owned())
    }

    /// What is provided, for messages.
    fn describe(&self, found: Option<&Provided>) -> String {
        let Some(found) = found else { return String::new() };
        match *found {
            Provided::Host(_) | Provided::Extern(Extern::Func(_)) => "a function".to_owned(),
            Provided::Extern(Extern::Memory(memory)) if memory.0.store == self.store.id => {
                let memory = memory.0.get(self.store);
                let mut decl = MemoryDecl::new(memory.size(), memory.max_pages);
                decl.memory64 = memory.memory64;
                Wanted::Memory(&decl).to_string()
            }
            Provided::Extern(Extern::Table(table)) if table.0.store == self.store.id => {
                let table = table.0.get(self.store);
                let decl = TableDecl {
                    element: table.element,
                    min: table.len(),
                    max: table.max,
                    table64: table.table64,
                    ..TableDecl::default()
                };
                Wanted::Table(&decl).to_string()
            }
            Provided::Extern(Extern::Global(global)) if global.0.store == self.store.id => {
                let global = global.0.get(self.store);
                Wanted::Global(&GlobalDecl::new(global.ty, global.mutable, 0)).to_string()
            }
            Provided::Extern(_) => "something of another store".to_owned(),
        }
    }
}

/// Whether something of a size, with a greatest size, is good for what asks for these limits.
fn limits_fit((size, max): (u64, Option<u64>), (min, wanted_max): (u64, Option<u64>)) -> bool {
    let max_fits = match (max, wanted_max) {
        (_, None) => true,
        (Some(max), Some(wanted)) => max <= wanted,
        (None, Some(_)) => false,
    };
    size >= min && max_fits
}

/// What a module wants to import, for messages.
enum Wanted<'a> {
    Func(&'a Signature),
    Memory(&'a MemoryDecl),
    Table(&'a TableDecl),
    Global(&'a GlobalDecl),
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = |f: &mut fmt::Formatter<'_>, min: u64, max: Option<u64>, what: &str| match max
        {
            Some(max) => write!(f, " of {min} to {max} {what}"),
            None => write!(f, " of at least {min} {what}"),
        };
        match self {
            Wanted::Func(sig) => write!(f, "a function of signature {sig}"),
            Wanted::Memory(decl) => {
                f.write_str(if decl.memory64 { "a 64-bit memory" } else { "a memory" })?;
                limits(f, decl.min_pages, decl.max_pages, "pages")
            }
            Wanted::Table(decl) => {
                f.write_str(if decl.table64 { "a 64-bit table" } else { "a table" })?;
                f.write_str(match decl.element {
                    RefType::Func => " of functions",
                    RefType::Extern => " of host objects",
                })?;
                limits(f, decl.min, decl.max, "slots")
            }
            Wanted::Global(decl) => {
                let kind = if decl.mutable { "a mutable" } else { "an immutable" };
                write!(f, "{kind} global of type {}", decl.ty)
            }
        }
    }
}

/// `found`: what there is instead, empty if nothing is.
fn missing(module: &str, name: &str, wanted: Wanted<'_>, found: String) -> MissingImport {
    let (module, name, wanted) = (module.to_owned(), name.to_owned(), wanted.to_string());
    MissingImport { module, name, wanted, found: Some(found).filter(|found| !found.is_empty()) }
}
