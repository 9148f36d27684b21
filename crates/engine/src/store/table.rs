//! Tables of a store.

use super::{AsStore, AsStoreMut, Func, Handle, StoreInner};
use cupola_runtime::{VmFuncRef, VmTable};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::{self, NonNull};

/// A table, which its instance's context leads to.
pub(crate) struct TableInner {
    slots: RefCell<Vec<*const VmFuncRef>>,
    /// Where generated code reads address and length of the slots: in the context of the instance
    /// that defines the table, or `own`.
    place: Cell<*mut VmTable>,
    own: UnsafeCell<VmTable>,
}

impl TableInner {
    /// A table with these slots, in a store, which the functions belong to.
    pub fn alloc(store: &StoreInner, slots: Vec<*const VmFuncRef>) -> NonNull<TableInner> {
        let own = UnsafeCell::new(VmTable { slots: ptr::null_mut(), len: 0 });
        let table = TableInner { slots: slots.into(), place: Cell::new(ptr::null_mut()), own };
        let table = store.tables.alloc(table);
        // SAFETY: just allocated.
        let inner = unsafe { table.as_ref() };
        // SAFETY: `own` is used for nothing else.
        unsafe { inner.set_place(inner.own.get()) };
        table
    }

    /// Lets generated code find the slots by `place`.
    ///
    /// # Safety
    /// `place` must stay valid as long as the store, and be written by nobody else.
    pub unsafe fn set_place(&self, place: *mut VmTable) {
        self.place.set(place);
        self.publish(&mut self.slots.borrow_mut());
    }

    /// Sets the first slots.
    pub fn fill(&self, values: impl Iterator<Item = *const VmFuncRef>) {
        for (slot, value) in self.slots.borrow_mut().iter_mut().zip(values) {
            *slot = value;
        }
    }

    fn publish(&self, slots: &mut Vec<*const VmFuncRef>) {
        let vm = VmTable { slots: slots.as_mut_ptr(), len: slots.len() as u64 };
        // SAFETY: the place is valid (`set_place`); generated code reads it anew behind everything
        // that writes instance state.
        unsafe { self.place.get().write(vm) }
    }
}

/// A table of a [`Store`](crate::Store): a handle, to be used with that store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Table(pub(super) Handle<TableInner>);

impl Table {
    /// The number of slots.
    ///
    /// # Panics
    /// If it belongs to another store; so do all methods.
    pub fn size(self, store: &impl AsStore) -> u64 {
        self.0.get(store.as_store().0).slots.borrow().len() as u64
    }

    /// The function in a slot, if there is one; none if there is no such slot.
    pub fn get(self, store: &impl AsStore, index: u64) -> Option<Option<Func>> {
        let store = store.as_store().0;
        let slots = self.0.get(store).slots.borrow();
        let slot = *slots.get(usize::try_from(index).ok()?)?;
        Some(NonNull::new(slot.cast_mut()).map(|reference| Func(Handle::new(store, reference))))
    }

    /// Sets a slot; gives whether there is such a slot.
    pub fn set(self, store: &mut impl AsStoreMut, index: u64, func: Option<Func>) -> bool {
        let store = store.as_store().0;
        let value = slot_of(store, func);
        let mut slots = self.0.get(store).slots.borrow_mut();
        let slot = usize::try_from(index).ok().and_then(|index| slots.get_mut(index));
        slot.map(|slot| *slot = value).is_some()
    }

    /// Adds slots, all with this function; gives the number of slots before. The table stays as it
    /// is if there is no memory for it, and then nothing is given.
    pub fn grow(self, store: &mut impl AsStoreMut, by: u64, func: Option<Func>) -> Option<u64> {
        let store = store.as_store().0;
        let value = slot_of(store, func);
        let table = self.0.get(store);
        let mut slots = table.slots.borrow_mut();
        let old = slots.len();
        let new = old.checked_add(usize::try_from(by).ok()?)?;
        slots.try_reserve_exact(new - old).ok()?;
        slots.resize(new, value);
        table.publish(&mut slots);
        Some(old as u64)
    }
}

/// What stands in a slot for a function of `store`.
fn slot_of(store: &StoreInner, func: Option<Func>) -> *const VmFuncRef {
    func.map_or(ptr::null(), |func| func.0.get(store))
}
