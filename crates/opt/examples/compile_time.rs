//! How long the optimizer takes on recursive fib: `cargo run --release --example compile_time`.

use cupola_ir::{Bodies, FuncId, Function};
use cupola_opt::{OptEnv, OptOptions, OptRequest, Profile, optimize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FIB: &str = "
func %fib(n: i32) -> i32 {
block0:
  two = i32.const 2
  c = i32.lt_s n, two
  br_if c, block1, block2
block1:
  return n
block2:
  one = i32.const 1
  x = i32.sub n, one
  a = call %fib(x)
  y = i32.sub n, two
  b = call %fib(y)
  r = i32.add a, b
  return r
}
";

struct Env(Arc<Function>);

impl OptEnv for Env {
    fn body(&self, _: FuncId) -> Option<Arc<Function>> {
        Some(self.0.clone())
    }

    fn profile(&self, _: FuncId) -> Option<Profile> {
        Some(Profile { calls: 10_000, ..Profile::default() })
    }
}

fn main() {
    const RUNS: u32 = 2000;
    let parsed = cupola_ir::parse("fib", FIB).expect("the program is right");
    let func = FuncId::from_u32(0);
    let body = parsed.bodies.body(func).expect("fib has a body");
    let env = Env(body.clone());
    let request = |timings| OptRequest {
        module: &parsed.module,
        func,
        body: &body,
        osr_header: None,
        env: &env,
        options: OptOptions { timings, verify: false, ..OptOptions::default() },
    };
    let mut best = Duration::MAX;
    let mut by_pass: BTreeMap<(usize, &str), Duration> = BTreeMap::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        let optimized = optimize(&request(false), None).expect("without verification");
        best = best.min(start.elapsed());
        std::hint::black_box(optimized);
    }
    for _ in 0..RUNS {
        let optimized = optimize(&request(true), None).expect("without verification");
        for (i, timing) in optimized.timings.iter().enumerate() {
            let least = by_pass.entry((i, timing.pass)).or_insert(Duration::MAX);
            *least = (*least).min(timing.time);
        }
    }
    let optimized = optimize(&request(false), None).expect("without verification");
    let (insts, inlined) = (optimized.func.live_insts(), optimized.inlined);
    println!("fib: {insts} instructions, {inlined} calls inlined, least {best:?} of {RUNS} runs");
    for ((_, pass), time) in by_pass {
        println!("  {pass:14} {time:?}");
    }
}
