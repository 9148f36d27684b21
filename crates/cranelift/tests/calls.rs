//! Calls: through the entry table, of themselves, indirect, of the host, with many arguments and
//! results; traps within, with their positions; dialect operations.

mod common;

use common::{Event, World, generators};
use cupola_ir::{DialectOpId, SiteId, SrcLoc, TrapCode};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{Symbol, Tier, VmLimits};
use std::sync::atomic::Ordering::Relaxed;

const FIB: &str = include_str!("../../../examples/fib.cir");

#[test]
fn recursion_through_the_table_and_directly() {
    for generator in generators() {
        let world = World::new(FIB);
        world.install_all(&*generator);
        assert_eq!(world.call("fib", &[20]), Ok(vec![6765]));
        let artifact = world.artifact(&*generator, world.func("fib"));
        let direct = generator.tier() == Tier::T2;
        let to_itself = artifact.relocs.iter().any(|reloc| reloc.symbol == Symbol::SelfStart);
        assert_eq!(to_itself, direct, "only T2 calls itself directly");
    }
}

const MANY: &str = "
func %spread(a: i32, b: f64, c: i64, d: f32, e: i64, f: i64, g: i32, h: i64, i: f64) -> (i64, f64, i32, f32, i64, f64) {
b0:
  return h, i, g, d, c, b
}
func %pass(a: i32, b: f64, c: i64, d: f32, e: i64, f: i64, g: i32, h: i64, i: f64) -> (f64, i64, f32, i32) {
b0:
  p, q, r, s, t, u = call %spread(a, b, c, d, e, f, g, h, i)
  v = i64.add p, t
  return q, v, s, r
}
func %pairs(a: i32, b: f32) -> (f32, i32, f32, i32) {
b0:
  return b, a, b, a
}
";

#[test]
fn many_arguments_and_results() {
    let args = [
        1,
        2.5f64.to_bits(),
        3,
        u64::from(4.5f32.to_bits()),
        5,
        6,
        0xffff_fff9,
        8,
        9.5f64.to_bits(),
    ];
    for generator in generators() {
        let world = World::new(MANY);
        world.install_all(&*generator);
        let spread = [8, args[8], args[6], args[3], 3, args[1]];
        assert_eq!(world.call("spread", &args), Ok(spread.to_vec()));
        let passed = [args[8], 11, args[3], args[6]];
        assert_eq!(world.call("pass", &args), Ok(passed.to_vec()));
        let (a, b) = (0xffff_ffff, u64::from(0.5f32.to_bits()));
        assert_eq!(world.call("pairs", &[a, b]), Ok(vec![b, a, b, a]));
    }
}

const INDIRECT: &str = "
table $t = [%one, %two, null, %other]
func %one(a: i32) -> i32 {
b0:
  x = i32.const 1
  r = i32.add a, x
  return r
}
func %two(a: i32) -> i32 {
b0:
  x = i32.const 2
  r = i32.add a, x
  return r
}
func %other(a: i64) -> i32 {
b0:
  x = i32.const 3
  return x
}
func %go(i: i32, a: i32) -> i32 {
b0:
  r = call_indirect $t[i](a) : (i32) -> i32
  return r
}
";

#[test]
fn indirect_calls() {
    for generator in generators() {
        let world = World::new(INDIRECT);
        world.install_all(&*generator);
        assert_eq!(world.call("go", &[1, 40]), Ok(vec![42]));
        assert_eq!(world.call("go", &[0, 40]), Ok(vec![41]));
        assert_eq!(world.call("go", &[1, 41]), Ok(vec![43]));
        assert_eq!(world.call("go", &[2, 0]), Err(TrapCode::NullFunction));
        assert_eq!(world.call("go", &[3, 0]), Err(TrapCode::SignatureMismatch));
        assert_eq!(world.call("go", &[4, 0]), Err(TrapCode::TableOutOfBounds));
        assert_eq!(world.call("go", &[u64::from(u32::MAX), 0]), Err(TrapCode::TableOutOfBounds));
    }
}

const HOST: &str = "
import %host(i32, f64) -> (f64, i32) = \"env\" \"host\"
dialect test.op(i32, f32, i64) -> (f32, i32)
func %go(a: i32, b: f64) -> (f64, i32) {
b0:
  x, y = call %host(a, b)
  return x, y
}
func %op(a: i32, b: f32, c: i64) -> (f32, i32) {
b0:
  x, y = dialect test.op(a, b, c)
  return x, y
}
";

#[test]
fn host_functions_and_dialect_operations() {
    for generator in generators() {
        let world = World::new(HOST);
        world.install_all(&*generator);
        let swap: common::Handler = Box::new(|slots| {
            slots.swap(0, 1);
            Ok(())
        });
        *world.handler.borrow_mut() = swap;
        let (a, b) = (0xffff_ffff, 1.5f64.to_bits());
        assert_eq!(world.call("go", &[a, b]), Ok(vec![b, a]));
        assert_eq!(world.take_events(), [Event::Called(world.func("host"), vec![a, b])]);
        let b = u64::from(1.5f32.to_bits());
        assert_eq!(world.call("op", &[a, b, 7]), Ok(vec![b, a]));
        let (op, site) = (DialectOpId::from_u32(0), SiteId::from_u32(0));
        let event = Event::Dialect(world.func("op"), op, site, vec![a, b, 7]);
        assert_eq!(world.take_events(), [event]);
    }
}

const TRAPS: &str = "func %outer(a: i32) -> i32 {
b0:
  r = call %inner(a)
  return r
}
func %inner(a: i32) -> i32 {
b0:
  z = i32.eqz a
  trap_if z, unreachable
  one = i32.const 1
  d = i32.div_s one, a
  br_if d, yes, no
yes:
  trap out_of_fuel
no:
  return d
}
func %deep(a: i32) -> i32 {
b0:
  r = call %deep(a)
  r = i32.add r, a
  return r
}
func %switch(a: i32) -> i32 {
b0:
  br_table a, [one, two, one], other
one:
  r = i32.const 1
  return r
two:
  r = i32.const 2
  return r
other:
  r = i32.const 3
  return r
}
";

#[test]
fn traps_with_positions() {
    for generator in generators() {
        let world = World::new(TRAPS);
        world.install_all(&*generator);
        assert_eq!(world.call("outer", &[5]), Ok(vec![0]));
        assert_eq!(world.call("outer", &[1]), Err(TrapCode::OutOfFuel));
        assert_eq!(world.call("deep", &[1]), Err(TrapCode::StackOverflow));
        assert_eq!(world.call("outer", &[5]), Ok(vec![0]));

        let func = world.func("outer");
        let code = world.install(&*generator, func);
        let sig = NativeSig::of(world.parsed.module.func_sig(func));
        let trap = world.run(code, &sig, &[0]).expect_err("a trap");
        assert_eq!(trap.trap_code(), Some(TrapCode::Unreachable));
        let lines: Vec<(u32, u32)> =
            trap.frames.iter().map(|f| (f.func.as_u32(), f.loc.to_line_column().0)).collect();
        assert_eq!(lines, [(1, 9), (0, 3)], "in {}", generator.name());
        assert_ne!(trap.frames[0].loc, SrcLoc::UNKNOWN);
        for (index, result) in [(0, 1), (1, 2), (2, 1), (3, 3), (u64::from(u32::MAX), 3)] {
            assert_eq!(world.call("switch", &[index]), Ok(vec![result]));
        }
    }
}

#[test]
fn an_interruption_traps_in_prologues() {
    for generator in generators() {
        let world = World::new(TRAPS);
        world.install_all(&*generator);
        world.limits.stack_limit.store(VmLimits::STACK_LIMIT_INTERRUPT, Relaxed);
        assert_eq!(world.call("outer", &[5]), Err(TrapCode::Interrupted));
    }
}
