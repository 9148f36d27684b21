//! Checking many seeds.

use std::fmt;
use std::ops::{AddAssign, Range};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stack of the threads that run programs; wasmtime wants some of its own on it.
const STACK: usize = 16 << 20;

/// What checks count, to be added up and handed from process to process.
pub trait Tally: Default + AddAssign + fmt::Display + Send {
    /// The numbers.
    fn numbers(&self) -> Vec<u64>;
    /// The tally with these numbers, if they are as many as it has.
    fn from_numbers(numbers: &[u64]) -> Option<Self>;
}

/// Checks seeds in that many threads, up to the first with which something is wrong.
///
/// # Errors
/// With what is wrong.
///
/// # Panics
/// If a check panics.
pub fn check_seeds<T: Tally, E: Send>(
    seeds: Range<u64>,
    threads: usize,
    check: impl Fn(u64) -> Result<T, E> + Sync,
) -> Result<T, E> {
    let next = AtomicU64::new(seeds.start);
    let result = Mutex::new(Ok(T::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let checked = check(seed);
            let mut result = result.lock().expect("nothing panics while it is locked");
            match (&mut *result, checked) {
                (Ok(tally), Ok(one)) => *tally += one,
                (Ok(_), Err(error)) => {
                    *result = Err(error);
                    next.store(seeds.end, Ordering::Relaxed);
                }
                (Err(_), _) => return,
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, work).expect("threads can be started");
        }
    });
    result.into_inner().expect("nothing panics while it is locked")
}
