//! What is allocated piece by piece, stays at its address, and goes all at once.

use std::cell::RefCell;
use std::ptr::NonNull;

/// Owns any number of values.
pub(super) struct Arena<T>(RefCell<Vec<NonNull<T>>>);

impl<T> Default for Arena<T> {
    fn default() -> Arena<T> {
        Arena(RefCell::default())
    }
}

impl<T> Arena<T> {
    /// Keeps a value at an address of its own until the arena goes. Only shared references to it
    /// may be made.
    pub fn alloc(&self, value: T) -> NonNull<T> {
        let place = NonNull::from(Box::leak(Box::new(value)));
        self.0.borrow_mut().push(place);
        place
    }

    /// As [`Arena::alloc`], but gives the value's number.
    pub fn push(&self, value: T) -> usize {
        self.alloc(value);
        self.0.borrow().len() - 1
    }

    /// The value with a number.
    pub fn get(&self, index: usize) -> Option<NonNull<T>> {
        self.0.borrow().get(index).copied()
    }

    /// All values that there are.
    pub fn all(&self) -> Vec<NonNull<T>> {
        self.0.borrow().clone()
    }
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        for place in self.0.take() {
            // SAFETY: allocated as a box in `alloc`, and given back once.
            drop(unsafe { Box::from_raw(place.as_ptr()) });
        }
    }
}
