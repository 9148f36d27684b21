//! Tables of a store.

use super::{AsStore, AsStoreMut, Handle, Ref, StoreInner};
use crate::error::Error;
use cupola_ir::{RefType, TableDecl};
use cupola_runtime::{VmCallKey, VmContext, VmFuncRef, VmTable};
use std::cell::{Cell, RefCell, UnsafeCell};
use std::ops::Range;
use std::ptr::{self, NonNull};

/// A table, which its instance's context and those of instances that import it lead to.
pub(crate) struct TableInner {
    pub element: RefType,
    /// Whether its indices are i64.
    pub table64: bool,
    /// Greatest number of slots, as declared.
    pub max: Option<u64>,
    slots: RefCell<Slots>,
    /// Where generated code reads address and length of the slots: in the context of the instance
    /// that defines the table, or `own`.
    place: Cell<*mut VmTable>,
    own: UnsafeCell<VmTable>,
}

/// The references of a table, and what calls by the instance that defines it look at.
#[derive(Default)]
struct Slots {
    words: Vec<u64>,
    /// As many as there are words, if there is an owner, each [`VmCallKey::to_word`].
    keys: Vec<u64>,
    /// The context of the instance that defines the table, if its elements are functions.
    owner: Option<NonNull<VmContext>>,
}

impl Slots {
    fn len(&self) -> usize {
        self.words.len()
    }

    /// Changes words of a range, and the keys with them.
    fn change(&mut self, range: Range<usize>, by: impl FnOnce(&mut [u64])) {
        by(&mut self.words[range.clone()]);
        self.update_keys(range);
    }

    fn update_keys(&mut self, range: Range<usize>) {
        let Some(owner) = self.owner else { return };
        for (key, &word) in self.keys[range.clone()].iter_mut().zip(&self.words[range]) {
            // SAFETY: words of a table of functions are null or references of its store.
            let reference = unsafe { (word as *const VmFuncRef).as_ref() };
            let of = |reference| VmCallKey::of(reference, owner.as_ptr());
            *key = reference.map(of).unwrap_or_default().to_word();
        }
    }

    /// Adds slots up to `new`; gives whether there was room.
    fn grow(&mut self, new: usize, word: u64) -> bool {
        let old = self.len();
        let keys = if self.owner.is_some() { new } else { 0 };
        if self.words.try_reserve(new - old).is_err()
            || self.keys.try_reserve(keys.saturating_sub(old)).is_err()
        {
            return false;
        }
        self.words.resize(new, word);
        self.keys.resize(keys, 0);
        self.update_keys(old..new);
        true
    }
}

impl TableInner {
    /// A table as declared, of nulls, in a store.
    pub fn alloc(store: &StoreInner, decl: &TableDecl) -> Result<NonNull<TableInner>, Error> {
        let limit = limit(store, decl.max, decl.table64);
        if decl.min > limit {
            return Err(Error::Limit(format!(
                "a table of {} slots is above the limit of {limit}",
                decl.min
            )));
        }
        let table = TableInner {
            element: decl.element,
            table64: decl.table64,
            max: decl.max,
            slots: Slots { words: vec![0; decl.min as usize], ..Slots::default() }.into(),
            place: Cell::new(ptr::null_mut()),
            own: UnsafeCell::new(VmTable { slots: ptr::null_mut(), len: 0, keys: ptr::null() }),
        };
        let place = store.tables.alloc(table);
        // SAFETY: just allocated.
        let table = unsafe { place.as_ref() };
        // SAFETY: `own` is used for nothing else.
        unsafe { table.set_place(table.own.get(), None) };
        Ok(place)
    }

    /// Lets generated code find the slots, which are all null, by `place`, and that of `owner` call
    /// functions by their keys.
    ///
    /// # Safety
    /// `place` must stay valid as long as the store, and be written by nobody else.
    pub unsafe fn set_place(&self, place: *mut VmTable, owner: Option<NonNull<VmContext>>) {
        self.place.set(place);
        let mut slots = self.slots.borrow_mut();
        slots.owner = owner.filter(|_| self.element == RefType::Func);
        if slots.owner.is_some() {
            slots.keys = vec![0; slots.len()];
        }
        self.publish(&mut slots);
    }

    /// Where generated code finds the slots.
    pub fn place(&self) -> *mut VmTable {
        self.place.get()
    }

    fn publish(&self, slots: &mut Slots) {
        let vm = VmTable {
            slots: slots.words.as_mut_ptr(),
            len: slots.len() as u64,
            keys: slots.keys.as_ptr(),
        };
        // SAFETY: the place is valid (`set_place`); generated code reads it anew behind everything
        // that writes instance state.
        unsafe { self.place.get().write(vm) }
    }

    /// The number of slots.
    pub fn len(&self) -> u64 {
        self.slots.borrow().len() as u64
    }

    /// Sets the slots from `start` on; gives whether there are so many.
    pub fn write(&self, start: u64, words: impl ExactSizeIterator<Item = u64>) -> bool {
        let mut slots = self.slots.borrow_mut();
        let Some(range) = range(start, words.len() as u64, slots.len()) else { return false };
        slots.change(range, |slots| {
            for (slot, word) in slots.iter_mut().zip(words) {
                *slot = word;
            }
        });
        true
    }

    fn grow(&self, store: &StoreInner, by: u64, word: u64) -> Option<u64> {
        let mut slots = self.slots.borrow_mut();
        let old = slots.len();
        let new = (old as u64).checked_add(by)?;
        if new > limit(store, self.max, self.table64) {
            return None;
        }
        if !slots.grow(new as usize, word) {
            return None;
        }
        self.publish(&mut slots);
        Some(old as u64)
    }
}

/// The greatest number of slots of a table with this greatest number and width of indices.
fn limit(store: &StoreInner, max: Option<u64>, table64: bool) -> u64 {
    let reach = if table64 { u64::MAX } else { u32::MAX.into() };
    max.unwrap_or(reach).min(store.engine.config.max_table_slots)
}

/// `start..start + count`, if that is within `len`.
fn range(start: u64, count: u64, len: usize) -> Option<Range<usize>> {
    let end = start.checked_add(count).filter(|&end| end <= len as u64)?;
    Some(start as usize..end as usize)
}

/// A table of a [`Store`](crate::Store): a handle, to be used with that store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Table(pub(super) Handle<TableInner>);

impl Table {
    /// A new table of nulls, for instances to import. The elements of the declaration are of no
    /// meaning here.
    ///
    /// # Errors
    /// If it is above the engine's limit.
    pub fn new(store: &mut impl AsStoreMut, decl: &TableDecl) -> Result<Table, Error> {
        let store = store.as_store().0;
        Ok(Table(Handle::new(store, TableInner::alloc(store, decl)?)))
    }

    /// What its slots hold.
    ///
    /// # Panics
    /// If it belongs to another store; so do all methods, also for the references they are given.
    pub fn element(self, store: &impl AsStore) -> RefType {
        self.0.get(store.as_store().0).element
    }

    /// The number of slots.
    pub fn size(self, store: &impl AsStore) -> u64 {
        self.0.get(store.as_store().0).len()
    }

    /// The greatest number of slots, as it was declared.
    pub fn max(self, store: &impl AsStore) -> Option<u64> {
        self.0.get(store.as_store().0).max
    }

    /// The reference in a slot; none if there is no such slot.
    pub fn get(self, store: &impl AsStore, index: u64) -> Option<Ref> {
        let store = store.as_store().0;
        let table = self.0.get(store);
        let word = *table.slots.borrow().words.get(usize::try_from(index).ok()?)?;
        // SAFETY: slots hold references of the table's kind in its store.
        Some(unsafe { Ref::from_word(store, table.element, word) })
    }

    /// Sets a slot; gives whether there is such a slot, and the reference is of the table's kind.
    pub fn set(self, store: &mut impl AsStoreMut, index: u64, to: Ref) -> bool {
        self.write(store, index, &[to])
    }

    /// Sets the slots from `start` on; gives whether there are so many, and the references are of
    /// the table's kind. If not, nothing is set.
    pub fn write(self, store: &mut impl AsStoreMut, start: u64, to: &[Ref]) -> bool {
        let store = store.as_store().0;
        let table = self.0.get(store);
        to.iter().all(|to| to.ty() == table.element)
            && table.write(start, to.iter().map(|to| to.to_word(store)))
    }

    /// Sets `count` slots from `start` on to the same; as [`Table::write`].
    pub fn fill(self, store: &mut impl AsStoreMut, start: u64, count: u64, to: Ref) -> bool {
        let store = store.as_store().0;
        let table = self.0.get(store);
        let mut slots = table.slots.borrow_mut();
        match range(start, count, slots.len()) {
            Some(range) if to.ty() == table.element => {
                slots.change(range, |slots| slots.fill(to.to_word(store)));
                true
            }
            _ => false,
        }
    }

    /// Copies `count` slots of `from`, which may be the same table, from slot `start` on to `to`
    /// on; gives whether there are so many in both, and both are of the same kind. If not, nothing
    /// is copied.
    pub fn copy(
        self,
        store: &mut impl AsStoreMut,
        to: u64,
        from: Table,
        start: u64,
        count: u64,
    ) -> bool {
        let store = store.as_store().0;
        let (target, source) = (self.0.get(store), from.0.get(store));
        let from_range = range(start, count, source.len() as usize);
        let to_range = range(to, count, target.len() as usize);
        let (Some(from_range), Some(to_range)) = (from_range, to_range) else { return false };
        if target.element != source.element {
            return false;
        }
        if self == from {
            let mut slots = target.slots.borrow_mut();
            slots.words.copy_within(from_range, to_range.start);
            slots.update_keys(to_range);
        } else {
            let source = source.slots.borrow();
            let from = &source.words[from_range];
            target.slots.borrow_mut().change(to_range, |slots| slots.copy_from_slice(from));
        }
        true
    }

    /// Adds slots that hold this reference; gives the number of slots before. If the table may not
    /// become so large, or the reference is of another kind, it stays as it is, and nothing is
    /// given.
    pub fn grow(self, store: &mut impl AsStoreMut, by: u64, to: Ref) -> Option<u64> {
        let store = store.as_store().0;
        let table = self.0.get(store);
        if to.ty() != table.element {
            return None;
        }
        table.grow(store, by, to.to_word(store))
    }
}
