//! References: to functions, and to objects of the host.
//!
//! To programs a reference is a word: of a function the address of its [`VmFuncRef`], which lives
//! as long as the store, of an object of the host its number in the store's list, counted from 1;
//! 0 is null. Programs cannot make such words up, since their types are checked.

use super::{AsStore, AsStoreMut, Func, Handle, StoreId, StoreInner};
use cupola_ir::RefType;
use cupola_runtime::VmFuncRef;
use std::any::Any;
use std::ptr::NonNull;

/// An object of the host that programs can hold and pass on: a handle, to be used with the
/// [`Store`](crate::Store) that it was made in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct ExternRef {
    store: StoreId,
    index: usize,
}

impl ExternRef {
    /// Hands an object over to a store, which keeps it until it is dropped.
    pub fn new(store: &mut impl AsStoreMut, object: impl Any + Send) -> ExternRef {
        let store = store.as_store().0;
        ExternRef { store: store.id, index: store.objects.push(Box::new(object)) }
    }

    /// The object.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub fn object(self, store: &impl AsStore) -> &(dyn Any + Send) {
        let store = store.as_store().0;
        store.check(self.store);
        let object = store.objects.get(self.index).expect("objects stay in their store");
        // SAFETY: the store keeps it, at this address, and only shared references are made.
        &**unsafe { object.as_ref() }
    }
}

/// A reference, as tables hold them.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Ref {
    /// To a function, or null.
    Func(Option<Func>),
    /// To an object of the host, or null.
    Extern(Option<ExternRef>),
}

impl Ref {
    /// The null reference of a kind.
    pub fn null(ty: RefType) -> Ref {
        match ty {
            RefType::Func => Ref::Func(None),
            RefType::Extern => Ref::Extern(None),
        }
    }

    /// What kind of reference it is.
    pub fn ty(self) -> RefType {
        match self {
            Ref::Func(_) => RefType::Func,
            Ref::Extern(_) => RefType::Extern,
        }
    }

    /// Whether it refers to nothing.
    pub fn is_null(self) -> bool {
        matches!(self, Ref::Func(None) | Ref::Extern(None))
    }

    /// The word for it.
    ///
    /// # Panics
    /// If it belongs to another store.
    pub(crate) fn to_word(self, store: &StoreInner) -> u64 {
        match self {
            Ref::Func(Some(func)) => {
                let reference: *const VmFuncRef = func.0.get(store);
                reference as u64
            }
            Ref::Extern(Some(object)) => {
                store.check(object.store);
                object.index as u64 + 1
            }
            Ref::Func(None) | Ref::Extern(None) => 0,
        }
    }

    /// What a word refers to.
    ///
    /// # Safety
    /// The word must be one of a reference of this kind in this store.
    pub(crate) unsafe fn from_word(store: &StoreInner, ty: RefType, word: u64) -> Ref {
        match ty {
            RefType::Func => {
                let reference = NonNull::new(word as *mut VmFuncRef);
                Ref::Func(reference.map(|reference| Func(Handle::new(store, reference))))
            }
            RefType::Extern => {
                let index = (word as usize).checked_sub(1);
                Ref::Extern(index.map(|index| ExternRef { store: store.id, index }))
            }
        }
    }
}
