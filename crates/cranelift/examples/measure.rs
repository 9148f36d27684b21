//! What compiling costs and what the code costs: the figures behind the two tiers' design.
//!
//! `cargo run --release -p cupola-cranelift --example measure [FILE.cir FUNCTION]` prints the
//! machine code of a function as well.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{World, disassemble};
use cupola_runtime::{CodeGenerator, CodegenOptions};
use std::time::{Duration, Instant};

const FIB: &str = include_str!("../../../examples/fib.cir");
const LOOP: &str = "export func %sum(n: i64) -> i64 {
entry:
  s = i64.const 0
  i = i64.const 0
  one = i64.const 1
  br head
head:
  more = i64.lt_s i, n
  br_if more, body, done
body:
  s = i64.add s, i
  i = i64.add i, one
  br head
done:
  return s
}
ssa func %sum(n: i64) -> i64 {
entry:
  zero = i64.const 0
  one = i64.const 1
  any = i64.lt_s zero, n
  br_if any, body(zero, zero), done(zero)
body(s: i64, i: i64):
  s2 = i64.add s, i
  i2 = i64.add i, one
  more = i64.lt_s i2, n
  br_if more, body(s2, i2), done(s2)
done(r: i64):
  return r
}
";

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn time(count: usize, mut work: impl FnMut()) -> Duration {
    for _ in 0..count / 4 + 1 {
        work();
    }
    let once = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    median((0..count).map(once).collect())
}

fn options(counters: bool) -> CodegenOptions {
    CodegenOptions { counters, verify: false, ..CodegenOptions::default() }
}

fn compile_time(name: &str, generator: &dyn CodeGenerator, source: &str, counters: bool) {
    let world = World::with_options(source, options(counters));
    let func = world.parsed.module.funcs.keys().next().expect("a function");
    let code = match generator.tier() {
        cupola_runtime::Tier::T1 => world.body(func),
        _ => world.ssa(func),
    };
    let mut size = 0;
    let took = time(4000, || size = world.artifact_of(generator, func, &code, None).code.len());
    println!("compile {name:24} counters {counters:5} {took:>10.2?} {size:5} bytes");
}

fn run_time(name: &str, generator: &dyn CodeGenerator, source: &str, arg: u64, counters: bool) {
    let world = World::with_options(source, options(counters));
    world.install_all(generator);
    let func = world.parsed.module.funcs.keys().next().expect("a function");
    let func = world.parsed.module.func_name(func);
    let took = time(30, || {
        world.call(&func, &[arg]).expect("no trap");
    });
    println!("run     {name:24} counters {counters:5} {took:>10.2?}");
}

fn main() {
    let t1 = cupola_cranelift::baseline();
    let t2 = cupola_cranelift::optimizing();
    let mut args = std::env::args().skip(1);
    if let (Some(file), Some(func)) = (args.next(), args.next()) {
        let source = std::fs::read_to_string(file).expect("a file");
        let world = World::with_options(&source, options(true));
        for generator in [&t1, &t2] {
            let artifact = world.artifact(&**generator, world.func(&func));
            println!("{}\n{}", artifact.generator, disassemble(&artifact));
        }
        return;
    }
    for counters in [false, true] {
        compile_time("fib T1", &*t1, FIB, counters);
        compile_time("sum T1", &*t1, LOOP, counters);
    }
    compile_time("fib T2", &*t2, FIB, true);
    compile_time("sum T2", &*t2, LOOP, true);
    for counters in [false, true, false, true] {
        run_time("fib(30) T1", &*t1, FIB, 30, counters);
        run_time("sum(1e6) T1", &*t1, LOOP, 1_000_000, counters);
    }
    run_time("fib(30) T2", &*t2, FIB, 30, true);
    run_time("sum(1e6) T2", &*t2, LOOP, 1_000_000, true);
}
