//! What exits and entries of optimized code hand over is right.

use cupola_testkit::frame_maps::{check_exits, check_liveness};
use cupola_testkit::generate::{Choices, Program};
use std::time::{Duration, Instant};

fn programs(count: u64, time: Duration, check: &mut dyn FnMut(u64, &Program)) -> u64 {
    let started = Instant::now();
    for seed in 0..count {
        if started.elapsed() > time {
            return seed;
        }
        check(seed, &Program::generate(&mut Choices::seeded(seed)));
    }
    count
}

#[test]
fn all_live_registers_are_handed_over() {
    let mut states = 0;
    let checked = programs(150, Duration::from_secs(10), &mut |seed, program| {
        states += check_liveness(program)
            .unwrap_or_else(|problem| panic!("seed {seed}: {problem}\n{}", program.text()));
    });
    assert!(checked > 5 && states > 500, "{states} frame states of {checked} programs");
}

#[test]
fn every_exit_hands_over_the_right_values() {
    let checked = programs(40, Duration::from_secs(10), &mut |seed, program| {
        if let Err(problem) = check_exits(program, 24) {
            panic!("seed {seed}: {problem}\n{}", program.text());
        }
    });
    assert!(checked > 2, "only {checked} programs");
}
