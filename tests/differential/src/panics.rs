//! Counting panics. Those of a compilation are caught by the engine, which goes on without the
//! code; they are faults all the same.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Panics of all threads so far.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Counts panics from now on, beside what is done with them otherwise.
fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            COUNT.fetch_add(1, Ordering::SeqCst);
            before(info);
        }));
    });
}

/// Does something in which nothing may panic, in whatever thread.
///
/// # Errors
/// If something panics. (It may be what another thread checks at the same time.)
pub fn none_in<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    watch();
    let before = COUNT.load(Ordering::SeqCst);
    let result = panic::catch_unwind(AssertUnwindSafe(act));
    let count = COUNT.load(Ordering::SeqCst) - before;
    match result {
        Ok(value) if count == 0 => Ok(value),
        _ => Err(format!("{count} panics (see above)")),
    }
}
