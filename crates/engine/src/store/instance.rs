//! Instances: the state of one running program.

use super::global::GlobalInner;
use super::link::{Linked, LinkedFunc};
use super::memory::MemoryInner;
use super::table::TableInner;
use super::{AsStore, AsStoreMut, Func, Global, Handle, Memory, StoreInner, Table, TypedFunc};
use crate::error::Error;
use crate::host::{HostFunc, Imports};
use crate::module::{Module, ModuleInner};
use crate::policy::TierSet;
use crate::value::{Value, ValueList};
use cupola_ir::{FuncId, GlobalId, MemId, TableId};
use cupola_runtime::{FuncCell, Place, Services, Tier, VmContext, VmFuncRef, VmMemory, VmTable};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

/// The allocation of a context: the `VmContext` and what the layout puts behind it.
struct ContextMemory {
    ctx: NonNull<VmContext>,
    layout: Layout,
}

impl ContextMemory {
    fn new(size: u32) -> ContextMemory {
        let layout = Layout::from_size_align(size as usize, 16).expect("a context is small");
        // SAFETY: the size is at least that of `VmContext`, hence not zero.
        let ctx = unsafe { alloc_zeroed(layout) }.cast::<VmContext>();
        let Some(ctx) = NonNull::new(ctx) else { handle_alloc_error(layout) };
        ContextMemory { ctx, layout }
    }
}

impl Drop for ContextMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.ctx.as_ptr().cast(), self.layout) }
    }
}

/// References to the functions of an instance, by [`FuncId`], each made when it is asked for.
struct FuncRefs(NonNull<[VmFuncRef]>);

impl FuncRefs {
    fn new(count: usize) -> FuncRefs {
        let refs = Box::<[VmFuncRef]>::new_zeroed_slice(count);
        // SAFETY: null pointers and zeros are a reference, if one to nothing yet.
        FuncRefs(NonNull::from(Box::leak(unsafe { refs.assume_init() })))
    }

    /// The place of a reference.
    fn at(&self, func: FuncId) -> NonNull<VmFuncRef> {
        let index = func.as_u32() as usize;
        assert!(index < self.0.len(), "{func} is not a function of the module");
        // SAFETY: within the allocation.
        unsafe { self.0.cast::<VmFuncRef>().add(index) }
    }
}

impl Drop for FuncRefs {
    fn drop(&mut self) {
        // SAFETY: allocated as a box in `new`.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// What belongs to one instance. It never moves, since its context points to it.
pub(crate) struct InstanceInner {
    pub module: Arc<ModuleInner>,
    store: NonNull<StoreInner>,
    /// Host functions, by [`FuncId`], up to the last imported one.
    pub hosts: Vec<Option<HostFunc>>,
    pub memories: Vec<NonNull<MemoryInner>>,
    tables: Vec<NonNull<TableInner>>,
    globals: Vec<NonNull<GlobalInner>>,
    context: ContextMemory,
    func_refs: FuncRefs,
    /// What the front end keeps for the instance.
    data: Box<dyn Any + Send>,
}

impl InstanceInner {
    pub fn ctx(&self) -> *mut VmContext {
        self.context.ctx.as_ptr()
    }

    /// The store that it belongs to.
    pub fn store(&self) -> &StoreInner {
        // SAFETY: a store outlives its instances, and nothing makes a `&mut` of it.
        unsafe { self.store.as_ref() }
    }

    /// The instance of a context.
    ///
    /// # Safety
    /// The context must be that of an instance of a store of this crate, which lives for `'a`.
    pub unsafe fn of<'a>(ctx: *mut VmContext) -> &'a InstanceInner {
        // SAFETY: the services of such a context are its instance.
        unsafe { &*(*ctx).services.cast::<InstanceInner>() }
    }

    pub fn data(&self) -> &(dyn Any + Send) {
        &*self.data
    }

    /// The memory with this id.
    pub fn memory(&self, memory: MemId) -> Option<&MemoryInner> {
        // SAFETY: the store owns it as long as the instance.
        self.memories.get(memory.as_u32() as usize).map(|memory| unsafe { memory.as_ref() })
    }

    /// The reference to a function, also to an imported one.
    ///
    /// # Panics
    /// If the module has no such function.
    pub fn func_ref(&self, func: FuncId) -> NonNull<VmFuncRef> {
        if self.module.ir.is_import(func) {
            let offset = self.module.layout.import(func) as usize;
            // SAFETY: within the context.
            return unsafe { self.context.ctx.byte_add(offset).cast() };
        }
        let place = self.func_refs.at(func);
        // SAFETY: the place is within the allocation; this thread alone uses it, and writes to it
        // before anything else knows it.
        unsafe {
            if (*place.as_ptr()).cell.is_null() {
                place.write(self.own_reference(func));
            }
        }
        place
    }

    /// A reference to a function of the module that is called with this instance's context.
    fn own_reference(&self, func: FuncId) -> VmFuncRef {
        VmFuncRef {
            cell: self.module.cell(func) as *const FuncCell,
            context: self.ctx(),
            sig: self.module.layout.sig_id(self.module.ir.funcs[func].sig),
            func: func.as_u32(),
        }
    }

    fn func(&self, func: FuncId) -> Func {
        Func(Handle::new(self.store(), self.func_ref(func)))
    }

    /// Makes an instance in a store.
    fn alloc(
        store: &StoreInner,
        module: &Arc<ModuleInner>,
        imports: &Imports,
        data: Box<dyn Any + Send>,
    ) -> Result<NonNull<InstanceInner>, Error> {
        if !Arc::ptr_eq(&module.engine, &store.engine) {
            let problem = "the module belongs to another engine than the store";
            return Err(Error::InvalidModule(problem.to_owned()));
        }
        let ir = &module.ir;
        let linked = Linked::new(store, module, imports)?;
        store.ensure_entries(module)?;
        let memories = ir
            .memories
            .values()
            .zip(&linked.memories)
            .map(|(decl, linked)| linked.map_or_else(|| MemoryInner::alloc(store, decl), Ok));
        let tables = ir
            .tables
            .values()
            .zip(&linked.tables)
            .map(|(decl, linked)| linked.map_or_else(|| TableInner::alloc(store, decl), Ok));
        let globals = ir.globals.values().zip(&linked.globals).map(|(decl, linked)| {
            let init = || Value::from_bits(decl.ty, decl.init);
            linked.unwrap_or_else(|| GlobalInner::alloc(store, init(), decl.mutable))
        });
        let mut hosts = Vec::new();
        for (func, linked) in &linked.funcs {
            hosts.resize(func.as_u32() as usize, None);
            hosts.push(match linked {
                LinkedFunc::Host(host) => Some(host.clone()),
                LinkedFunc::Ref(_) => None,
            });
        }
        let place = store.instances.alloc(InstanceInner {
            hosts,
            memories: memories.collect::<Result<Vec<_>, Error>>()?,
            tables: tables.collect::<Result<Vec<_>, Error>>()?,
            globals: globals.collect(),
            context: ContextMemory::new(module.layout.size()),
            func_refs: FuncRefs::new(ir.funcs.len()),
            data,
            store: store.into(),
            module: module.clone(),
        });
        // SAFETY: just allocated; only shared references are made of it.
        let instance = unsafe { place.as_ref() };
        // SAFETY: nothing but this function knows the context yet.
        unsafe { instance.fill_context(&linked) };
        for (decl, table) in ir.tables.values().zip(&instance.tables) {
            let elements = decl.elements.iter().map(|element| match element {
                Some(func) => instance.func_ref(*func).as_ptr() as u64,
                None => 0,
            });
            // SAFETY: the store owns it.
            let written = unsafe { table.as_ref() }.write(0, elements);
            debug_assert!(written, "the verifier counts the elements");
        }
        Ok(place)
    }

    /// Fills the context in: what the module defines gets its place there, what it imports a
    /// pointer to its place elsewhere.
    ///
    /// # Safety
    /// To be called once, before anything else uses the context.
    unsafe fn fill_context(&self, linked: &Linked) {
        let (ir, layout, ctx) = (&self.module.ir, &self.module.layout, self.ctx());
        // SAFETY: `ctx` points to a zeroed allocation of the module's context layout, which lives as
        // long as the store; the offsets are that layout's. What is linked belongs to the store.
        unsafe {
            (&raw mut (*ctx).limits).write(self.store().limits.get());
            (&raw mut (*ctx).funcs).write(self.module.cells());
            (&raw mut (*ctx).func_refs).write(self.func_refs.0.cast().as_ptr());
            let services: *const dyn Services = self;
            (&raw mut (*ctx).services).write(services);
            let at = |place: Place| ctx.byte_add(place.offset() as usize);
            for (id, memory) in ir.memories.keys().zip(&self.memories) {
                match layout.memory(id) {
                    place @ Place::Inline(_) => memory.as_ref().set_place(at(place).cast()),
                    place => at(place).cast::<*mut VmMemory>().write(memory.as_ref().place()),
                }
            }
            for (id, table) in ir.tables.keys().zip(&self.tables) {
                match layout.table(id) {
                    place @ Place::Inline(_) => {
                        table.as_ref().set_place(at(place).cast(), NonNull::new(ctx));
                    }
                    place => at(place).cast::<*mut VmTable>().write(table.as_ref().place()),
                }
            }
            for ((id, global), linked) in ir.globals.keys().zip(&self.globals).zip(&linked.globals)
            {
                let global = global.as_ref();
                match (layout.global(id), linked) {
                    (place @ Place::Inline(_), None) => global.set_place(at(place).cast()),
                    // It cannot be set, so that a copy is as good.
                    (place @ Place::Inline(_), Some(_)) => at(place)
                        .cast::<u64>()
                        .copy_from(global.place(), global.ty.slots() as usize),
                    (place, _) => at(place).cast::<*mut u64>().write(global.place()),
                }
            }
            for (func, linked) in &linked.funcs {
                let reference = match linked {
                    LinkedFunc::Host(_) => self.own_reference(*func),
                    LinkedFunc::Ref(target) => *target.as_ref(),
                };
                ctx.byte_add(layout.import(*func) as usize).cast::<VmFuncRef>().write(reference);
            }
        }
    }
}

/// A running program: a module's code with memories, globals and tables. A handle, to be used with
/// the [`Store`](crate::Store) that it was made in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Instance(pub(super) Handle<InstanceInner>);

impl StoreInner {
    /// Sees to it that compiled code can call what a new instance of `module` and the instances
    /// that are here already get from each other. A single module does that when its first code is
    /// linked.
    fn ensure_entries(&self, module: &Arc<ModuleInner>) -> Result<(), Error> {
        if self.engine.existing == TierSet::EMPTY.with(Tier::T0) {
            return Ok(());
        }
        // SAFETY: the arena keeps its values, and only shared references are made of them.
        let others = self.instances.all().into_iter().map(|i| unsafe { &i.as_ref().module });
        let mut others = others.filter(|other| !Arc::ptr_eq(other, module)).peekable();
        let fits = others.peek().is_none() || module.ensure_entries();
        if fits && others.all(|other| other.ensure_entries()) {
            return Ok(());
        }
        Err(Error::Limit("no room in code memory for the entries of functions".to_owned()))
    }
}

impl Instance {
    /// Makes an instance: memories and tables are set up, imports bound.
    ///
    /// # Errors
    /// If an import is missing or of another type, a memory cannot be had, or the module belongs
    /// to another engine than the store.
    pub fn new(
        store: &mut impl AsStoreMut,
        module: &Module,
        imports: &Imports,
    ) -> Result<Instance, Error> {
        Instance::with_data(store, module, imports, Box::new(()))
    }

    /// As [`Instance::new`], with state of the front end's own, which its dialect operations get
    /// by [`Caller::data`](crate::Caller::data).
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub fn with_data(
        store: &mut impl AsStoreMut,
        module: &Module,
        imports: &Imports,
        data: Box<dyn Any + Send>,
    ) -> Result<Instance, Error> {
        let inner = store.as_store().0;
        let place = InstanceInner::alloc(inner, &module.inner, imports, data)?;
        let instance = Instance(Handle::new(inner, place));
        instance.fill_memories(store)?;
        Ok(instance)
    }

    /// Puts the data segments of the module into the memories: by mapping images of those that the
    /// instance has to itself, else by copying.
    fn fill_memories(self, store: &mut impl AsStoreMut) -> Result<(), Error> {
        let module = self.0.get(store.as_store().0).module.clone();
        let images = module.images.for_instance(&module.ir);
        let mut mapped = vec![false; module.ir.memories.len()];
        for (index, (id, decl)) in module.ir.memories.iter().enumerate() {
            let image = images.get(index).and_then(Option::as_ref);
            let own = image.filter(|_| decl.import.is_none());
            let memory = self.0.get(store.as_store().0).memory(id);
            mapped[index] = own.zip(memory).is_some_and(|(image, memory)| memory.map(image));
        }
        let is_mapped = |memory: MemId| mapped.get(memory.as_u32() as usize) == Some(&true);
        for segment in module.ir.data.iter().filter(|segment| !is_mapped(segment.memory)) {
            let memory = self.memory(store, segment.memory);
            let memory = memory.map(|memory| memory.data_mut(store)).unwrap_or_default();
            let start = usize::try_from(segment.offset).ok();
            let range =
                start.and_then(|start| Some(start..start.checked_add(segment.bytes.len())?));
            let Some(bytes) = range.and_then(|range| memory.get_mut(range)) else {
                return Err(Error::InvalidModule(format!(
                    "data segment at {} lies outside {}",
                    segment.offset, segment.memory
                )));
            };
            bytes.copy_from_slice(&segment.bytes);
        }
        Ok(())
    }

    /// Calls an exported function.
    ///
    /// # Errors
    /// If there is no such function, the arguments do not fit its signature, or it traps.
    ///
    /// # Panics
    /// If a host function that the program calls panics, with that panic; or if the instance
    /// belongs to another store, as all methods do.
    pub fn call(
        self,
        store: &mut impl AsStoreMut,
        name: &str,
        args: &[Value],
    ) -> Result<Vec<Value>, Error> {
        self.export(store, name)?.call(store, args)
    }

    /// An exported function.
    ///
    /// # Errors
    /// If there is no such function.
    pub fn export(self, store: &impl AsStore, name: &str) -> Result<Func, Error> {
        let inner = self.0.get(store.as_store().0);
        Ok(inner.func(inner.module.export(name)?))
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
        self.export(store, name)?.typed(store)
    }

    /// Any function of the module, exported or not.
    ///
    /// # Panics
    /// If the module has no such function.
    pub fn func(self, store: &impl AsStore, func: FuncId) -> Func {
        self.0.get(store.as_store().0).func(func)
    }

    /// A memory, by its id in the module.
    pub fn memory(self, store: &impl AsStore, memory: MemId) -> Option<Memory> {
        let store = store.as_store().0;
        let memory = *self.0.get(store).memories.get(memory.as_u32() as usize)?;
        Some(Memory(Handle::new(store, memory)))
    }

    /// A table, by its id in the module.
    pub fn table(self, store: &impl AsStore, table: TableId) -> Option<Table> {
        let store = store.as_store().0;
        let table = *self.0.get(store).tables.get(table.as_u32() as usize)?;
        Some(Table(Handle::new(store, table)))
    }

    /// A global, by its id in the module.
    pub fn global(self, store: &impl AsStore, global: GlobalId) -> Option<Global> {
        let store = store.as_store().0;
        let global = *self.0.get(store).globals.get(global.as_u32() as usize)?;
        Some(Global(Handle::new(store, global)))
    }

    /// Sets a global that the module defines, also one that the program cannot set; gives whether
    /// there is such a global and the value is of its type. Compiled code may take globals that
    /// the program cannot set for constants, so this is for setting an instance up.
    pub fn init_global(self, store: &mut impl AsStoreMut, global: GlobalId, value: Value) -> bool {
        let global = self.global(store, global);
        let store = store.as_store().0;
        global.is_some_and(|global| global.0.get(store).set(store, value))
    }

    /// What the front end keeps for the instance.
    pub fn data(self, store: &impl AsStore) -> &(dyn Any + Send) {
        self.0.get(store.as_store().0).data()
    }

    /// The module that this is an instance of.
    pub fn module(self, store: &impl AsStore) -> Module {
        Module { inner: self.0.get(store.as_store().0).module.clone() }
    }
}
