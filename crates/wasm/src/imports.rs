//! What modules can import: functions of the host, and what a store has.

use crate::info::Export;
use crate::instance::Instance;
use cupola::{AsStore, Caller, Extern, HostError, HostResult, Value, ValueList};
use cupola_ir::Signature;

/// What is provided to instances, by module and name. Things of a store (functions of other
/// instances, memories, tables, globals) can be imported by instances of that store only.
#[derive(Clone, Default)]
pub struct Imports {
    pub(crate) engine: cupola::Imports,
}

impl From<cupola::Imports> for Imports {
    fn from(engine: cupola::Imports) -> Imports {
        Imports { engine }
    }
}

impl Imports {
    /// Nothing.
    pub fn new() -> Imports {
        Imports::default()
    }

    /// Provides a closure over Rust values; `params` arrive as a tuple.
    pub fn func<P, R, F>(&mut self, module: &str, name: &str, f: F) -> &mut Imports
    where
        P: ValueList + 'static,
        R: HostResult + 'static,
        F: Fn(P) -> R + Send + Sync + 'static,
    {
        self.engine.func(module, name, f);
        self
    }

    /// Provides a closure that also gets the calling instance, and with it the store.
    pub fn func_with_caller<P, R, F>(&mut self, module: &str, name: &str, f: F) -> &mut Imports
    where
        P: ValueList + 'static,
        R: HostResult + 'static,
        F: Fn(&mut Caller<'_>, P) -> R + Send + Sync + 'static,
    {
        self.engine.func_with_caller(module, name, f);
        self
    }

    /// Provides a closure of any signature, known only at run time; also one with references.
    pub fn func_dynamic<F>(
        &mut self,
        module: &str,
        name: &str,
        sig: Signature,
        f: F,
    ) -> &mut Imports
    where
        F: Fn(&mut Caller<'_>, &[Value]) -> Result<Vec<Value>, HostError> + Send + Sync + 'static,
    {
        self.engine.func_dynamic(module, name, sig, f);
        self
    }

    /// Provides a function, a memory, a table or a global of a store.
    pub fn define(&mut self, module: &str, name: &str, item: impl Into<Extern>) -> &mut Imports {
        self.engine.define(module, name, item);
        self
    }

    /// Provides all that an instance exports.
    ///
    /// # Panics
    /// If the instance is of another store.
    pub fn define_instance(
        &mut self,
        store: &impl AsStore,
        module: &str,
        instance: Instance,
    ) -> &mut Imports {
        let exports = instance.info(store).exports.iter();
        for (name, &export) in exports {
            let item = instance.item(store, export);
            self.engine.define(module, name, item);
        }
        self
    }
}

/// What an export of an instance is.
impl Instance {
    fn item(self, store: &impl AsStore, export: Export) -> Extern {
        let engine = self.engine();
        let found = match export {
            Export::Func(func) => Some(engine.func(store, func).into()),
            Export::Memory(memory) => engine.memory(store, memory).map(Extern::from),
            Export::Table(table) => engine.table(store, table).map(Extern::from),
            Export::Global(global) => engine.global(store, global).map(Extern::from),
        };
        found.expect("exports refer to what their module has")
    }

    /// What is exported under a name.
    ///
    /// # Panics
    /// If the instance is of another store.
    pub fn export(self, store: &impl AsStore, name: &str) -> Option<Extern> {
        self.exported(store, name).map(|export| self.item(store, export))
    }
}
