#[path = "../tests/world/mod.rs"]
mod world;
use std::time::Instant;
use world::World;

const SRC: &str = r#"
memory $m 16 16
export func %fib(n: i32) -> i32 {
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
export func %nest(n: i32) -> i64 {
  reg i: i32, j: i32, s: i64
block0:
  zero = i32.const 0
  one = i32.const 1
  k = i32.const 1000
  s = i64.const 0
  i = copy zero
  br outer
outer:
  c = i32.lt_s i, n
  br_if c, pre, exit
pre:
  j = copy zero
  br inner
inner:
  t = i64.extend_i32_u j
  s = i64.add s, t
  j = i32.add j, one
  d = i32.lt_s j, k
  br_if d, inner, next
next:
  i = i32.add i, one
  br outer
exit:
  return s
}
export func %sieve(n: i32) -> i32 {
  reg i: i32, j: i32, count: i32
block0:
  one = i32.const 1
  i = i32.const 2
  count = i32.const 0
  br outer
outer:
  c = i32.lt_u i, n
  br_if c, body, exit
body:
  f = i32.load8_u $m, i
  br_if f, next, prime
prime:
  count = i32.add count, one
  j = i32.add i, i
  br mark
mark:
  d = i32.lt_u j, n
  br_if d, set, next
set:
  i32.store8 $m, j, one
  j = i32.add j, i
  br mark
next:
  i = i32.add i, one
  br outer
exit:
  return count
}
"#;

fn main() {
    let reps: usize = std::env::args().nth(1).map_or(15, |a| a.parse().unwrap());
    for (name, arg, per) in
        [("fib", 30u64, 1.346e6), ("nest", 2000, 2e6), ("sieve", 1_000_000, 2.77e6)]
    {
        let mut times = Vec::new();
        let mut result = 0;
        for _ in 0..reps {
            let world = World::parse(SRC);
            let start = Instant::now();
            result = world.call(name, &[arg]).unwrap()[0];
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        let t = times[times.len() / 2];
        println!(
            "{name}({arg}) = {result}: median {:.2} ms, min {:.2}, {:.2} ns each",
            t * 1e3,
            times[0] * 1e3,
            t * 1e9 / per
        );
    }
}
