//! Globals of a store.

use super::{AsStore, AsStoreMut, Handle, StoreInner};
use crate::value::Value;
use cupola_ir::Type;
use std::cell::{Cell, UnsafeCell};
use std::ptr::NonNull;

/// A global, which its instance's context and those of instances that import it lead to.
pub(crate) struct GlobalInner {
    pub ty: Type,
    pub mutable: bool,
    /// Where generated code finds the value: in the context of the instance that defines the
    /// global, or `own`.
    place: Cell<*mut u64>,
    own: UnsafeCell<[u64; 2]>,
}

impl GlobalInner {
    /// A global with a value, in a store.
    pub fn alloc(store: &StoreInner, value: Value, mutable: bool) -> NonNull<GlobalInner> {
        let mut slots = [0; 2];
        Value::write_all(&[value], store, &mut slots);
        let own = UnsafeCell::new(slots);
        let place = Cell::new(own.get().cast());
        let global = store.globals.alloc(GlobalInner { ty: value.ty(), mutable, place, own });
        // SAFETY: just allocated.
        let inner = unsafe { global.as_ref() };
        inner.place.set(inner.own.get().cast());
        global
    }

    /// Lets generated code find the value at `place`.
    ///
    /// # Safety
    /// `place` must stay valid as long as the store, and be written by nobody but generated code.
    pub unsafe fn set_place(&self, place: *mut u64) {
        // SAFETY: the caller's duty; the old place is valid too.
        unsafe { place.copy_from(self.place.get(), self.ty.slots() as usize) }
        self.place.set(place);
    }

    /// Where generated code finds the value.
    pub fn place(&self) -> *mut u64 {
        self.place.get()
    }

    pub fn get(&self, store: &StoreInner) -> Value {
        // SAFETY: the place is valid (`set_place`), has the slots of the type, and nothing runs
        // meanwhile.
        let slots =
            unsafe { std::slice::from_raw_parts(self.place.get(), self.ty.slots() as usize) };
        // SAFETY: a global holds a value of its type.
        unsafe { Value::read_all(&[self.ty], store, slots)[0] }
    }

    /// Sets the value, whether the global is mutable or not; gives whether it is of its type.
    pub fn set(&self, store: &StoreInner, value: Value) -> bool {
        if value.ty() != self.ty {
            return false;
        }
        // SAFETY: as in `get`.
        let slots =
            unsafe { std::slice::from_raw_parts_mut(self.place.get(), self.ty.slots() as usize) };
        Value::write_all(&[value], store, slots);
        true
    }
}

/// A global variable of a [`Store`](crate::Store): a handle, to be used with that store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Global(pub(super) Handle<GlobalInner>);

impl Global {
    /// A new global of the value's type, for instances to import.
    pub fn new(store: &mut impl AsStoreMut, value: Value, mutable: bool) -> Global {
        let store = store.as_store().0;
        Global(Handle::new(store, GlobalInner::alloc(store, value, mutable)))
    }

    /// Its value.
    ///
    /// # Panics
    /// If it belongs to another store; so do all methods.
    pub fn get(self, store: &impl AsStore) -> Value {
        let store = store.as_store().0;
        self.0.get(store).get(store)
    }

    /// Sets it; gives whether it is mutable and the value is of its type. If not, it stays as it is.
    pub fn set(self, store: &mut impl AsStoreMut, value: Value) -> bool {
        let store = store.as_store().0;
        let global = self.0.get(store);
        global.mutable && global.set(store, value)
    }

    /// Its type.
    pub fn ty(self, store: &impl AsStore) -> Type {
        self.0.get(store.as_store().0).ty
    }

    /// Whether it can be set.
    pub fn is_mutable(self, store: &impl AsStore) -> bool {
        self.0.get(store.as_store().0).mutable
    }
}
