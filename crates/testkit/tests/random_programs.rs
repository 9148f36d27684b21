//! Random programs do the same in all modes.

use cupola_testkit::generate::{Choices, Program, check_bytes, check_seed, first_mismatch};
use cupola_testkit::mode::RunMode;
use std::time::{Duration, Instant};

/// Programs are checked for this long; on a slow machine they are fewer.
const TIME: Duration = Duration::from_secs(15);

#[test]
fn seeds() {
    let started = Instant::now();
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while started.elapsed() < TIME {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= 400 {
                        return;
                    }
                    if let Err(mismatch) = check_seed(seed) {
                        panic!("seed {seed}, {mismatch}");
                    }
                }
            });
        }
    });
    let checked = next.into_inner();
    println!("{checked} programs in {:?}", started.elapsed());
    assert!(checked > 20, "only {checked} programs were checked");
}

#[test]
fn bytes() {
    for length in [0usize, 1, 7, 40, 200] {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 37 + length) as u8).collect();
        if let Err(mismatch) = check_bytes(&bytes) {
            panic!("{length} bytes, {mismatch}");
        }
    }
}

#[test]
fn programs_are_valid_and_read_back() {
    for seed in 0..100 {
        let program = Program::generate(&mut Choices::seeded(seed));
        let text = program.text();
        let parsed = cupola::ir::parse("random", &text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        parsed.verify().unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
        assert_eq!(parsed.print(), text);
    }
}

#[test]
fn programs_that_trap_everywhere_agree() {
    let seeds = (10_000..10_010).map(|seed| Program::generate(&mut Choices::seeded(seed)));
    for program in seeds {
        assert!(first_mismatch(&program, &RunMode::ALL[..3]).is_none(), "{}", program.text());
    }
}
