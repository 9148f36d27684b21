//! Damaged modules are refused, or run.

use cupola_differential::{check_bytes, check_damaged, check_seeds, damaged_module, fuzz};

/// How many modules are damaged; `MODULES=N` changes it.
const MODULES: u64 = 2_000;

#[test]
fn damaged_modules_are_refused_or_run() {
    let modules = std::env::var("MODULES").ok().and_then(|n| n.parse().ok()).unwrap_or(MODULES);
    let tally = match check_seeds(0..modules, 2, check_damaged) {
        Ok(tally) => tally,
        Err(fault) => panic!("{fault}"),
    };
    println!("{tally}");
    assert_eq!(tally.modules, modules);
    // Damage is not so great that only the decoder sees it, and not so small that nothing is hit.
    assert!(tally.refused * 4 > tally.modules, "{tally}");
    assert!(tally.started * 10 > tally.modules, "{tally}");
    assert!(tally.calls * 10 > tally.modules, "{tally}");
}

#[test]
fn bytes_of_all_kinds_are_refused() {
    let header = b"\0asm\x01\0\0\0";
    let mut cases = vec![Vec::new(), vec![0; 100_000], vec![0xff; 100_000], header[..5].to_vec()];
    // A section that is said to be long, and counts that are.
    for section in 0..14 {
        cases.push([&header[..], &[section, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat());
        cases.push([&header[..], &[section, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat());
    }
    for (index, case) in cases.iter().enumerate() {
        let tally = check_bytes(case, index as u64)
            .unwrap_or_else(|fault| panic!("{:x?}: {fault}", &case[..case.len().min(20)]));
        // An empty custom section with a long name is cut off at its end, too.
        assert_eq!(tally.refused, 1, "{:x?}", &case[..case.len().min(20)]);
    }
}

/// The functions of the fuzz targets take whatever comes.
#[test]
fn fuzz_targets() {
    let noise = damaged_module(3);
    for length in [0, 1, 7, 8, 9, 40, noise.len()] {
        fuzz::damaged(&noise[..length.min(noise.len())]);
        fuzz::program(&noise[..length.min(noise.len())]);
    }
}
