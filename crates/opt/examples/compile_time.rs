//! How long the optimizer takes on recursive fib, and per instruction on functions of growing size:
//! `cargo run --release --example compile_time`;
//! `-- --print` shows the result.

use cupola_ir::{
    Bodies, FuncDecl, FuncId, FuncKind, Function, FunctionBuilder, Module, Op, Signature, Type,
};
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

/// A function of `n` loops one after the other, each with a diamond in it.
fn chain(module: &Module, n: usize) -> Function {
    let mut b = FunctionBuilder::new(module, Signature::new([Type::I32], [Type::I32]));
    let (x, i) = (b.i32(1), b.i32(0));
    for k in 0..n {
        let [head, left, right, join, next] = [(); 5].map(|()| b.block());
        b.assign(i, b.param(0));
        b.br(head);
        b.switch_to(head);
        let c = b.ins(Op::I32LtS, &[x, i]);
        b.br_if(c, left, right);
        b.switch_to(left);
        let step = b.i32(k as i32);
        b.ins_to(x, Op::I32Add, &[x, step]);
        b.br(join);
        b.switch_to(right);
        b.ins_to(x, Op::I32Xor, &[x, i]);
        b.br(join);
        b.switch_to(join);
        let one = b.i32(1);
        b.ins_to(i, Op::I32Sub, &[i, one]);
        b.br_if(i, head, next);
        b.switch_to(next);
    }
    b.return_(&[x]);
    b.finish()
}

fn main() {
    fib();
    let mut module = Module::default();
    let sig = module.intern_sig(Signature::new([Type::I32], [Type::I32]));
    module.funcs.push(FuncDecl { name: None, sig, kind: FuncKind::Defined });
    for n in [10, 100, 1000, 10_000] {
        let body = chain(&module, n);
        let env = Env(Arc::new(body.clone()));
        let request = OptRequest {
            module: &module,
            func: FuncId::from_u32(0),
            body: &body,
            osr_header: None,
            env: &env,
            options: OptOptions { timings: true, verify: false, ..OptOptions::default() },
        };
        let start = Instant::now();
        let optimized = optimize(&request, None).expect("without verification");
        let time = start.elapsed();
        let slowest = optimized.timings.iter().max_by_key(|timing| timing.time);
        let slowest = slowest.expect("passes ran");
        let insts = body.live_insts();
        println!(
            "{n} loops, {insts} instructions: {time:?}, {} ns an instruction; {} {:?}",
            time.as_nanos() as usize / insts,
            slowest.pass,
            slowest.time
        );
    }
}

fn fib() {
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
    if std::env::args().any(|arg| arg == "--print") {
        println!("{}", cupola_ir::print_function(&parsed.module, func, &optimized.func));
    }
}
