//! Instances: modules set up to run.

use crate::error::Error;
use crate::imports::Imports;
use crate::info::{Export, ModuleInfo, SegmentMode};
use crate::module::Module;
use crate::state::State;
use crate::types::type_list;
use cupola::{AsStore, AsStoreMut, Global, Memory, Ref, Table, TypedFunc, Value, ValueList};
use cupola_ir::{GlobalId, RefType, TrapCode};
use std::sync::Arc;

/// An instance of a module: a program with its memories, tables and globals. A handle, to be used
/// with the store that it was made in; used with another its methods panic.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    engine: cupola::Instance,
}

impl Instance {
    /// Sets up an instance: binds imports, initializes globals, tables and memories, and runs the
    /// start function. If something of this fails, what was done before stays done: to imported
    /// tables and memories, it can be seen.
    ///
    /// # Errors
    /// If an import is missing or of another type, a segment does not fit, or the start function
    /// traps.
    pub fn new(
        store: &mut impl AsStoreMut,
        module: &Module,
        imports: &Imports,
    ) -> Result<Instance, Error> {
        let info = &module.info;
        let state = Box::new(State::new(info.clone()));
        let engine = cupola::Instance::with_data(store, &module.engine, &imports.engine, state)?;
        let instance = Instance { engine };
        for (index, global) in info.globals.iter().enumerate() {
            if let Some(init) = &global.init {
                let value = init.eval(store, engine);
                engine.init_global(store, GlobalId::from_u32(index as u32), value);
            }
        }
        instance.init_tables(store, info)?;
        instance.init_memories(store, info)?;
        if let Some(start) = info.start {
            engine.func(store, start).call(store, &[])?;
        }
        Ok(instance)
    }

    fn init_tables(self, store: &mut impl AsStoreMut, info: &ModuleInfo) -> Result<(), Error> {
        for (index, segment) in info.elements.iter().enumerate() {
            if matches!(segment.mode, SegmentMode::Declared) {
                continue;
            }
            let item = |value: Value| value.reference().unwrap_or(Ref::null(RefType::Func));
            let items = segment.items.iter().map(|init| item(init.eval(store, self.engine)));
            let items: Arc<[Ref]> = items.collect();
            let SegmentMode::Active(table, offset) = &segment.mode else {
                self.state(store).set_elements(index, items);
                continue;
            };
            let start = offset.eval(store, self.engine).to_bits() as u64;
            let table = self.engine.table(store, *table);
            if !table.is_some_and(|table| table.write(store, start, &items)) {
                return Err(Error::Segment(TrapCode::TableOutOfBounds));
            }
        }
        Ok(())
    }

    fn init_memories(self, store: &mut impl AsStoreMut, info: &ModuleInfo) -> Result<(), Error> {
        for segment in &info.data[info.initial_data..] {
            let SegmentMode::Active(memory, offset) = &segment.mode else { continue };
            let start = usize::try_from(offset.eval(store, self.engine).to_bits()).ok();
            let bytes = &info.bytes[segment.bytes.clone()];
            let memory = self.engine.memory(store, *memory);
            let memory = memory.map(|memory| memory.data_mut(store)).unwrap_or_default();
            let range = start.and_then(|start| Some(start..start.checked_add(bytes.len())?));
            let Some(place) = range.and_then(|range| memory.get_mut(range)) else {
                return Err(Error::Segment(TrapCode::MemOutOfBounds));
            };
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn state(self, store: &impl AsStore) -> &State {
        let state = self.engine.data(store).downcast_ref();
        state.expect("instances are made with their state")
    }

    pub(crate) fn info(self, store: &impl AsStore) -> &ModuleInfo {
        &self.state(store).info
    }

    pub(crate) fn exported(self, store: &impl AsStore, name: &str) -> Option<Export> {
        self.info(store).exports.get(name).copied()
    }

    /// The engine's instance.
    pub fn engine(self) -> cupola::Instance {
        self.engine
    }

    /// Calls an exported function.
    ///
    /// # Errors
    /// If there is no such function, the arguments are not of its parameters' types, or it traps.
    ///
    /// # Panics
    /// If a host function panics, with that panic.
    pub fn call(
        self,
        store: &mut impl AsStoreMut,
        name: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Error> {
        let Some(Export::Func(func)) = self.exported(store, name) else {
            return Err(Error::NoExport { kind: "function", name: name.to_owned() });
        };
        let params = &self.info(store).func_type(func).params;
        if !args.iter().map(|arg| arg.ty()).eq(params.iter().copied()) {
            return Err(Error::Arguments {
                name: name.to_owned(),
                expected: type_list(params.iter().copied()),
                found: type_list(args.iter().map(|arg| arg.ty())),
            });
        }
        Ok(self.engine.func(store, func).call(store, args)?)
    }

    /// Looks up an exported function once, to call it often and with Rust values.
    ///
    /// # Errors
    /// If there is no such function, or it has another signature.
    pub fn typed<P: ValueList, R: ValueList>(
        self,
        store: &impl AsStore,
        name: &str,
    ) -> Result<TypedFunc<P, R>, Error> {
        match self.exported(store, name) {
            Some(Export::Func(func)) => Ok(self.engine.func(store, func).typed(store)?),
            _ => Err(Error::NoExport { kind: "function", name: name.to_owned() }),
        }
    }

    /// An exported memory.
    pub fn memory(self, store: &impl AsStore, name: &str) -> Option<Memory> {
        match self.exported(store, name) {
            Some(Export::Memory(memory)) => self.engine.memory(store, memory),
            _ => None,
        }
    }

    /// An exported table.
    pub fn table(self, store: &impl AsStore, name: &str) -> Option<Table> {
        match self.exported(store, name) {
            Some(Export::Table(table)) => self.engine.table(store, table),
            _ => None,
        }
    }

    /// An exported global.
    pub fn global(self, store: &impl AsStore, name: &str) -> Option<Global> {
        match self.exported(store, name) {
            Some(Export::Global(global)) => self.engine.global(store, global),
            _ => None,
        }
    }
}
