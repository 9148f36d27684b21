//! Random programs do the same in all modes.

use cupola::Value;
use cupola_testkit::generate::{Choices, Program, check_bytes, check_seed};
use cupola_testkit::mode::RunMode;
use cupola_testkit::session::{End, Session};
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
        // Comments number instructions, which a builder does in another order than the text.
        let plain = |text: &str| -> Vec<String> {
            let line = |line: &str| line.split(" ;").next().unwrap_or_default().to_owned();
            text.lines().map(line).collect()
        };
        assert_eq!(plain(&parsed.print()), plain(&text), "seed {seed}");
    }
}

/// Most calls return, and the modes do what they are for: code is entered at loops, and left.
#[test]
fn programs_are_worth_running() {
    let (mut calls, mut returned, mut entered, mut left) = (0, 0, 0, 0);
    for seed in 0..60 {
        let program = Program::generate(&mut Choices::seeded(seed));
        let run = program.module.find_func("run").unwrap();
        let config = RunMode::find("osr").unwrap().config();
        let mut session = Session::new(&program.module, &program.bodies, config).unwrap();
        let events = session.module().engine();
        events.events().listen(1 << 16);
        for a in 0..4 {
            let args = [Value::I32(a), Value::I64(-7), Value::I32(6)];
            let end = session.call(run, &args).unwrap();
            calls += 1;
            returned += usize::from(matches!(end, End::Values(_)));
        }
        while let Some(event) = events.events().pop() {
            entered += usize::from(event.kind.name() == "osr-entered");
            left += usize::from(event.kind.name() == "deoptimized");
        }
    }
    println!("{returned} of {calls} calls return; {entered} entries at loops, {left} exits");
    assert!(returned * 2 > calls, "{returned} of {calls} calls return");
    assert!(entered > 500 && left > 50, "{entered} entries at loops, {left} exits");
}
