//! Memories of a store.

use super::{AsStore, AsStoreMut, Handle, StoreInner};
use crate::error::Error;
use crate::memory::{Image, LinearMemory};
use cupola_ir::{MemoryDecl, PAGE_SIZE};
use cupola_runtime::VmMemory;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::{self, NonNull};

/// A memory, which its instance's context and those of instances that import it lead to.
pub(crate) struct MemoryInner {
    /// Greatest size in pages, as declared.
    pub max_pages: Option<u64>,
    /// Whether addresses and sizes are i64.
    pub memory64: bool,
    linear: RefCell<LinearMemory>,
    /// Where generated code reads base and length: in the context of the instance that defines
    /// the memory, or `own`.
    place: Cell<*mut VmMemory>,
    own: UnsafeCell<VmMemory>,
}

impl MemoryInner {
    /// A memory as declared, in a store.
    pub fn alloc(store: &StoreInner, decl: &MemoryDecl) -> Result<NonNull<MemoryInner>, Error> {
        let linear = LinearMemory::new(decl, store.engine.config.memory_options())?;
        let own = UnsafeCell::new(linear.vm_memory());
        let place = Cell::new(own.get());
        let memory = store.memories.alloc(MemoryInner {
            max_pages: decl.max_pages,
            memory64: decl.memory64,
            linear: linear.into(),
            place,
            own,
        });
        // SAFETY: just allocated.
        let inner = unsafe { memory.as_ref() };
        inner.place.set(inner.own.get());
        Ok(memory)
    }

    /// Lets generated code find the memory at `place`.
    ///
    /// # Safety
    /// `place` must stay valid as long as the store, and be written by nobody else.
    pub unsafe fn set_place(&self, place: *mut VmMemory) {
        // SAFETY: the caller's duty.
        unsafe { place.write(self.vm()) }
        self.place.set(place);
    }

    /// Maps an image over its bytes, which are zeros; gives whether that was possible.
    pub fn map(&self, image: &Image) -> bool {
        self.linear.borrow_mut().map(image)
    }

    /// Where generated code finds base and length.
    pub fn place(&self) -> *mut VmMemory {
        self.place.get()
    }

    /// The size in pages.
    pub fn size(&self) -> u64 {
        self.vm().len / PAGE_SIZE
    }

    /// Base and length.
    pub fn vm(&self) -> VmMemory {
        self.linear.borrow().vm_memory()
    }

    /// The committed bytes. They stay at their address until the memory grows; whoever makes a
    /// reference sees to it that no guest code runs meanwhile.
    fn bytes(&self) -> *mut [u8] {
        let vm = self.vm();
        // A memory without pages has no address of its own.
        let base = if vm.len == 0 { ptr::dangling_mut() } else { vm.base };
        ptr::slice_from_raw_parts_mut(base, vm.len as usize)
    }

    /// Grows by a number of pages; gives the old size, or none if that is not possible.
    pub fn grow(&self, pages: u64) -> Option<u64> {
        let mut linear = self.linear.borrow_mut();
        let old = linear.grow(pages);
        // SAFETY: the place is valid (`set_place`); generated code reads it anew behind everything
        // that may grow a memory.
        unsafe { self.place.get().write(linear.vm_memory()) }
        old
    }
}

/// A linear memory of a [`Store`](crate::Store): a handle, to be used with that store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Memory(pub(super) Handle<MemoryInner>);

impl Memory {
    /// A new memory, for instances to import.
    ///
    /// # Errors
    /// If it cannot be had, or is above the engine's limit.
    pub fn new(store: &mut impl AsStoreMut, decl: &MemoryDecl) -> Result<Memory, Error> {
        let store = store.as_store().0;
        Ok(Memory(Handle::new(store, MemoryInner::alloc(store, decl)?)))
    }

    /// Its bytes.
    ///
    /// # Panics
    /// If it belongs to another store; so do all methods.
    pub fn data(self, store: &impl AsStore) -> &[u8] {
        // SAFETY: nothing runs that could write the memory or grow it while the store is borrowed
        // (running needs it mutably).
        unsafe { &*self.0.get(store.as_store().0).bytes() }
    }

    /// Its bytes, to be written.
    pub fn data_mut(self, store: &mut impl AsStoreMut) -> &mut [u8] {
        // SAFETY: as in `data`, and the borrow is exclusive.
        unsafe { &mut *self.0.get(store.as_store().0).bytes() }
    }

    /// Its size in pages.
    pub fn size(self, store: &impl AsStore) -> u64 {
        self.0.get(store.as_store().0).size()
    }

    /// Its greatest size in pages, as it was declared.
    pub fn max(self, store: &impl AsStore) -> Option<u64> {
        self.0.get(store.as_store().0).max_pages
    }

    /// Grows it by a number of pages; gives the size before, or none if it cannot grow that far.
    pub fn grow(self, store: &mut impl AsStoreMut, pages: u64) -> Option<u64> {
        self.0.get(store.as_store().0).grow(pages)
    }
}
