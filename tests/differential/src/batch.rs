//! Checking many seeds.

use crate::compare::{Mismatch, Stats, check_seed};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Stack of the threads that run programs; wasmtime wants some of its own on it.
const STACK: usize = 16 << 20;

/// Checks seeds in that many threads, up to the first about which engines do not agree.
///
/// # Errors
/// With that one.
///
/// # Panics
/// If a check panics.
pub fn check_seeds(seeds: Range<u64>, threads: usize) -> Result<Stats, Box<Mismatch>> {
    let next = AtomicU64::new(seeds.start);
    let result = Mutex::new(Ok(Stats::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let checked = check_seed(seed);
            let mut result = result.lock().expect("nothing panics while it is locked");
            match (&mut *result, checked) {
                (Ok(stats), Ok(one)) => *stats += one,
                (Ok(_), Err(mismatch)) => {
                    *result = Err(mismatch);
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
