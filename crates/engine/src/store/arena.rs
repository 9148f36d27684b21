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
}

impl<T> Drop for Arena<T> {
    fn drop(&mut self) {
        for place in self.0.take() {
            // SAFETY: allocated as a box in `alloc`, and given back once.
            drop(unsafe { Box::from_raw(place.as_ptr()) });
        }
    }
}
