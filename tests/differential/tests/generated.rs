//! Generated modules do the same in all engines.

use cupola_differential::{check_seed, check_seeds};
use std::time::Instant;

/// How many modules are made; `MODULES=N` changes it.
const MODULES: u64 = 2_000;

#[test]
fn modules_do_the_same_in_all_engines() {
    let modules = std::env::var("MODULES").ok().and_then(|n| n.parse().ok()).unwrap_or(MODULES);
    let started = Instant::now();
    let stats = match check_seeds(0..modules, 2, check_seed) {
        Ok(stats) => stats,
        Err(mismatch) => panic!("{mismatch}"),
    };
    println!("{stats}, {:?}", started.elapsed());
    assert_eq!(stats.modules, modules);
    assert!(stats.left_out * 50 < stats.modules, "too many are left out: {stats}");
    assert!(stats.not_started * 3 < stats.modules, "too few start: {stats}");
    assert!(stats.returned * 4 > stats.calls, "too few calls return: {stats}");
}
