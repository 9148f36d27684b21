//! Stores: what instances that call each other share.
//!
//! A [`Store`] is one thread of execution. It owns the limits and T0's stack, and everything that
//! was made in it: instances, memories, tables, globals. These are used through small handles
//! that can be copied and name their store, so that a handle is of no use, and no danger, in
//! another one. Whatever a store owns stays at its address until the store goes.
//!
//! All that is in a store is only changed by the thread that has the store, and only through
//! shared references and cells, because code that runs (generated code, host functions that call
//! back) may come by at any time between.

mod arena;
mod caller;
mod func;
mod global;
mod instance;
mod limits;
mod link;
mod memory;
mod reference;
mod run;
mod table;

pub use caller::Caller;
pub use func::{Func, TypedFunc};
pub use global::Global;
pub use instance::Instance;
pub use limits::InterruptHandle;
pub use memory::Memory;
pub use reference::{ExternRef, Ref};
pub use table::Table;

use crate::code::Execution;
use crate::engine::{Engine, EngineInner};
use arena::Arena;
use cupola_interp::T0Stack;
use global::GlobalInner;
pub(crate) use instance::InstanceInner;
pub(crate) use limits::Limits;
use memory::MemoryInner;
use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use table::TableInner;

/// The number of a store; no two stores of a process have the same.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(NonZeroU64);

impl StoreId {
    fn new() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        StoreId(NonZeroU64::new(id).expect("2^64 stores are more than can be made"))
    }
}

/// What belongs to one store. It never moves, since what it owns points to it.
pub(crate) struct StoreInner {
    id: StoreId,
    pub engine: Arc<EngineInner>,
    pub limits: Arc<Limits>,
    pub execution: Arc<Execution>,
    /// Activations of `run`, to tell the outermost from calls out of host functions.
    depth: Cell<u32>,
    _t0_stack: T0Stack,
    instances: Arena<InstanceInner>,
    memories: Arena<MemoryInner>,
    tables: Arena<TableInner>,
    globals: Arena<GlobalInner>,
    /// What the host has handed over for programs to hold.
    objects: Arena<Box<dyn Any + Send>>,
}

impl StoreInner {
    /// # Panics
    /// If this is not the store of a handle.
    fn check(&self, store: StoreId) {
        assert!(store == self.id, "a handle was used with another store than its own");
    }
}

/// What a handle leads to, and the store that it belongs to.
pub(crate) struct Handle<T> {
    store: StoreId,
    target: NonNull<T>,
}

impl<T> Copy for Handle<T> {}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Handle<T> {
        *self
    }
}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Handle<T>) -> bool {
        self.store == other.store && self.target == other.target
    }
}

impl<T> Eq for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:p} in store {}", self.target, self.store.0)
    }
}

// SAFETY: a handle gives its target only to who has its store, which one thread has at a time.
unsafe impl<T> Send for Handle<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Handle<T> {}

impl<T> Handle<T> {
    /// A handle for something that `store` owns until it goes.
    fn new(store: &StoreInner, target: NonNull<T>) -> Handle<T> {
        Handle { store: store.id, target }
    }

    /// What it leads to.
    ///
    /// # Panics
    /// If `store` is not the handle's.
    fn get(self, store: &StoreInner) -> &T {
        store.check(self.store);
        // SAFETY: the target belongs to the store with this number, which is alive.
        unsafe { self.target.as_ref() }
    }
}

/// A thread of execution: instances that can call each other, and all that they use.
///
/// A store is used by one thread at a time; different stores may run instances of the same module
/// on different threads, which share its code, counters and feedback. What was made in a store is
/// given back when the store is dropped, all at once.
///
/// [`Instance`], [`Func`], [`Memory`], [`Table`] and [`Global`] are handles for use with the store
/// that they were made in; used with another they panic.
pub struct Store {
    inner: NonNull<StoreInner>,
}

// SAFETY: all that the raw pointers in a store lead to is owned by it, or shared and synchronized
// (cells, feedback, limits); nothing is tied to the thread that made it.
unsafe impl Send for Store {}

impl Store {
    /// A store for instances of an engine's modules.
    pub fn new(engine: &Engine) -> Store {
        let engine = engine.inner.clone();
        let limits = Arc::new(Limits::new(engine.stress.modes().deopt_budget()));
        let execution = engine.code.register();
        engine.ticker.watch(&limits, &execution);
        if engine.stress.modes().always_polls() {
            limits.sampled(true);
        }
        let mut t0_stack = T0Stack::new(engine.config.t0_stack_slots);
        // SAFETY: the limits are not shared yet.
        t0_stack.install(unsafe { &mut *limits.get() });
        let inner = StoreInner {
            id: StoreId::new(),
            limits,
            execution,
            depth: Cell::new(0),
            _t0_stack: t0_stack,
            instances: Arena::default(),
            memories: Arena::default(),
            tables: Arena::default(),
            globals: Arena::default(),
            objects: Arena::default(),
            engine,
        };
        Store { inner: NonNull::from(Box::leak(Box::new(inner))) }
    }

    fn get(&self) -> &StoreInner {
        // SAFETY: the allocation is the store's own until it is dropped, and nothing makes a `&mut`
        // of it.
        unsafe { self.inner.as_ref() }
    }

    /// The engine.
    pub fn engine(&self) -> Engine {
        Engine { inner: self.get().engine.clone() }
    }

    /// A handle that can interrupt what this store runs from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle::new(self.get().limits.clone(), self.get().engine.ticker.bell())
    }

    /// Sets how much fuel is left, where the engine was configured to consume it: one unit for
    /// each function entry and each back edge.
    pub fn set_fuel(&mut self, fuel: u64) {
        self.get().limits.set_fuel(fuel);
    }

    /// How much fuel is left.
    pub fn fuel(&self) -> u64 {
        self.get().limits.fuel()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: allocated as a box in `new`; what leads there are handles, which are of no use
        // without the store, and what the store owns, which goes with it.
        drop(unsafe { Box::from_raw(self.inner.as_ptr()) });
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.get().id.0).finish()
    }
}

/// A reference to a store, of the engine's own use.
#[derive(Copy, Clone)]
pub struct StoreRef<'a>(pub(crate) &'a StoreInner);

mod sealed {
    /// Keeps the traits to the engine's types.
    pub trait Sealed {}
}

/// What has a store to look at: a [`Store`], or the [`Caller`] of a host function.
pub trait AsStore: sealed::Sealed {
    /// The store.
    #[doc(hidden)]
    fn as_store(&self) -> StoreRef<'_>;
}

/// What has a store to run and change things in.
pub trait AsStoreMut: AsStore {}

impl sealed::Sealed for Store {}

impl AsStore for Store {
    fn as_store(&self) -> StoreRef<'_> {
        StoreRef(self.get())
    }
}

impl AsStoreMut for Store {}

impl sealed::Sealed for Caller<'_> {}

impl AsStore for Caller<'_> {
    fn as_store(&self) -> StoreRef<'_> {
        StoreRef(self.instance.store())
    }
}

impl AsStoreMut for Caller<'_> {}
