//! Random programs in all modes: `cargo run --release -p cupola-testkit --example fuzz -- START COUNT`.
//! Stops at the first that modes do not agree about, with the program made small.

use cupola_testkit::generate::{Choices, Program, check_seed};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let numbers: Option<Vec<u64>> = std::env::args().skip(1).map(|arg| arg.parse().ok()).collect();
    let (start, count) = match numbers.as_deref() {
        Some(&[start, count]) => (start, count),
        Some(&[seed]) => {
            println!("{}", Program::generate(&mut Choices::seeded(seed)).text());
            (seed, 1)
        }
        _ => {
            eprintln!("usage: fuzz FIRST_SEED COUNT, or fuzz SEED to see that program");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    for seed in start..start + count {
        if let Err(mismatch) = check_seed(seed) {
            println!("seed {seed}, {mismatch}");
            return ExitCode::FAILURE;
        }
        if (seed - start + 1) % 1000 == 0 {
            println!("{} programs, {:?}", seed - start + 1, started.elapsed());
        }
    }
    println!("{count} programs agree in all modes, {:?}", started.elapsed());
    ExitCode::SUCCESS
}
