//! Instances: modules set up to run.

use crate::error::Error;
use crate::imports::Imports;
use crate::info::{Export, ModuleInfo, SegmentMode, TablePlace};
use crate::module::Module;
use crate::state::State;
use crate::types::{Val, ValType, func_of, type_list};
use cupola::{AsStore, AsStoreMut, Memory, Ref, Value};
use cupola_ir::{GlobalId, TrapCode};
use std::sync::Arc;

/// An instance of a module: memories, tables and globals of its own. A handle, to be used with the
/// store that it was made in; used with another its methods panic.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    engine: cupola::Instance,
}

impl Instance {
    /// Sets up an instance: binds imports, initializes globals, tables and memories, and runs the
    /// start function.
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
        let globals = global_values(info, imports)?;
        let elements: Vec<Arc<[u64]>> = info
            .elements
            .iter()
            .map(|segment| segment.items.iter().map(|item| item.eval(&globals) as u64).collect())
            .collect();
        // Active and declared segments are gone once the instance is set up.
        let remaining = info.elements.iter().zip(&elements).map(|(segment, items)| {
            if matches!(segment.mode, SegmentMode::Passive) {
                items.clone()
            } else {
                Arc::default()
            }
        });
        let state = State::new(info.clone(), remaining.collect());
        init_host_tables(&state, &elements, &globals)?;
        let engine =
            cupola::Instance::with_data(store, &module.engine, &imports.funcs, Box::new(state))?;
        for (index, (global, &bits)) in info.globals.iter().zip(&globals).enumerate() {
            let value = Value::from_bits(global.ty.register(), bits);
            engine.init_global(store, GlobalId::from_u32(index as u32), value);
        }
        init_engine_tables(store, engine, info, &elements, &globals)?;
        init_memories(store, engine, info, &globals)?;
        if let Some(start) = info.start {
            engine.func(store, start).call(store, &[])?;
        }
        Ok(Instance { engine })
    }

    pub(crate) fn info(self, store: &impl AsStore) -> &ModuleInfo {
        let state = self.engine.data(store).downcast_ref::<State>();
        &state.expect("instances are made with their state").info
    }

    fn exported(self, store: &impl AsStore, name: &str) -> Option<Export> {
        self.info(store).exports.get(name).copied()
    }

    /// The engine's instance, for those who use it by the engine's types: there a reference is an
    /// i64.
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
        args: &[Val],
    ) -> Result<Vec<Val>, Error> {
        let Some(Export::Func(func)) = self.exported(store, name) else {
            return Err(Error::NoExport { kind: "function", name: name.to_owned() });
        };
        let ty = self.info(store).func_type(func).clone();
        if !args.iter().map(|arg| arg.ty()).eq(ty.params.iter().copied()) {
            return Err(Error::Arguments {
                name: name.to_owned(),
                expected: type_list(ty.params.iter().copied()),
                found: type_list(args.iter().map(|arg| arg.ty())),
            });
        }
        let args: Vec<Value> = args.iter().map(|arg| arg.to_engine()).collect();
        let results = self.engine.func(store, func).call(store, &args)?;
        let typed = ty.results.iter().zip(results);
        Ok(typed.map(|(&ty, value)| Val::from_bits(ty, value.to_bits())).collect())
    }

    /// An exported memory.
    pub fn memory(self, store: &impl AsStore, name: &str) -> Option<Memory> {
        match self.exported(store, name) {
            Some(Export::Memory(memory)) => self.engine.memory(store, memory),
            _ => None,
        }
    }

    /// The value of an exported global.
    pub fn global(self, store: &impl AsStore, name: &str) -> Option<Val> {
        let Some(Export::Global(index)) = self.exported(store, name) else { return None };
        let ty = self.info(store).globals[index as usize].ty;
        let global = self.engine.global(store, GlobalId::from_u32(index))?;
        Some(Val::from_bits(ty, global.get(store).to_bits()))
    }
}

/// The bits that all globals start with.
fn global_values(info: &ModuleInfo, imports: &Imports) -> Result<Vec<u128>, Error> {
    let mut values = Vec::with_capacity(info.globals.len());
    for import in &info.global_imports {
        let problem = |problem: String| Error::Link {
            module: import.module.clone(),
            name: import.name.clone(),
            problem,
        };
        let key = (import.module.clone(), import.name.clone());
        let value = imports.globals.get(&key).ok_or_else(|| {
            problem(format!("no immutable global of type {} is provided", import.ty))
        })?;
        if value.ty() != import.ty {
            return Err(problem(format!(
                "the global is of type {}, not {}",
                value.ty(),
                import.ty
            )));
        }
        if value.ty() == ValType::FuncRef && *value != Val::FuncRef(None) {
            return Err(problem("not supported yet: functions of another instance".to_owned()));
        }
        values.push(value.to_engine().to_bits());
    }
    for global in &info.globals[info.global_imports.len()..] {
        let value = global.init.as_ref().map_or(0, |init| init.eval(&values));
        values.push(value);
    }
    Ok(values)
}

/// Where the items of a segment go, if there is room for them.
fn place(offset: u64, count: usize, len: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(count)?;
    (end <= len).then_some(start..end)
}

const TABLE_OOB: Error = Error::Segment(TrapCode::TableOutOfBounds);

fn init_host_tables(state: &State, elements: &[Arc<[u64]>], globals: &[u128]) -> Result<(), Error> {
    for (segment, items) in state.info.elements.iter().zip(elements) {
        let SegmentMode::Active(table, offset) = &segment.mode else { continue };
        let TablePlace::Host(table) = state.info.tables[*table as usize].place else { continue };
        let mut slots = state.host_table(table);
        let range =
            place(offset.eval(globals) as u64, items.len(), slots.len()).ok_or(TABLE_OOB)?;
        slots[range].copy_from_slice(items);
    }
    Ok(())
}

fn init_engine_tables(
    store: &mut impl AsStoreMut,
    engine: cupola::Instance,
    info: &ModuleInfo,
    elements: &[Arc<[u64]>],
    globals: &[u128],
) -> Result<(), Error> {
    for (segment, items) in info.elements.iter().zip(elements) {
        let SegmentMode::Active(table, offset) = &segment.mode else { continue };
        let TablePlace::Engine(table) = info.tables[*table as usize].place else { continue };
        let Some(table) = engine.table(store, table) else { continue };
        let len = table.size(store) as usize;
        let range = place(offset.eval(globals) as u64, items.len(), len).ok_or(TABLE_OOB)?;
        for (slot, &item) in range.zip(items.iter()) {
            let func = func_of(item).map(|func| engine.func(store, func));
            table.set(store, slot as u64, Ref::Func(func));
        }
    }
    Ok(())
}

fn init_memories(
    store: &mut impl AsStoreMut,
    engine: cupola::Instance,
    info: &ModuleInfo,
    globals: &[u128],
) -> Result<(), Error> {
    for segment in &info.data {
        let SegmentMode::Active(memory, offset) = &segment.mode else { continue };
        let bytes = &info.bytes[segment.bytes.clone()];
        let Some(memory) = engine.memory(store, *memory) else { continue };
        let memory = memory.data_mut(store);
        let range = place(offset.eval(globals) as u64, bytes.len(), memory.len())
            .ok_or(Error::Segment(TrapCode::MemOutOfBounds))?;
        memory[range].copy_from_slice(bytes);
    }
    Ok(())
}
