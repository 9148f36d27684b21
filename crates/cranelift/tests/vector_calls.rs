//! Vectors on their way: arguments and results of all kinds of calls, globals, frames, what
//! deoptimization exits hand over.

mod common;

use common::{Event, World, generators};
use cupola_cranelift::{Flags, Generator, baseline, optimizing};
use cupola_ir::{DialectOpId, FrameLayout, LoopId, SiteId};
use cupola_runtime::CompileError;
use cupola_runtime::abi::NativeSig;
use std::sync::atomic::Ordering::Relaxed;

/// Both slots of a vector that can be told from others by its number.
fn vector(number: u64) -> [u64; 2] {
    [number, 0x8000_0000_0000_0000 | number << 8]
}

const CALLS: &str = "
func %two(a: v128, b: f64, c: v128) -> (v128, v128) {
b0:
  return c, a
}
func %many(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, i: i32, j: v128, k: i64, l: f32, m: i64, n: i64, o: i64, p: v128, q: f64, r: v128) -> (v128, i32, v128, f32, v128, v128, i64, f64) {
b0:
  return r, i, j, l, p, a, o, q
}
func %pass(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128, i: i32, j: v128, k: i64, l: f32, m: i64, n: i64, o: i64, p: v128, q: f64, r: v128) -> (f64, v128, v128) {
b0:
  s, t, u, v, w, x, y, z = call %many(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
  aa, ab = call %two(s, z, u)
  ac = v128.xor aa, w
  ad = v128.xor ab, x
  return z, ac, ad
}
";

#[test]
fn arguments_and_results() {
    let mut args: Vec<u64> = (1..=8).flat_map(vector).collect();
    args.push(0xffff_fff9);
    args.extend(vector(10));
    args.extend([11, u64::from(1.5f32.to_bits()), 13, 14, 15]);
    args.extend(vector(16));
    args.push(2.5f64.to_bits());
    args.extend(vector(18));
    for generator in generators() {
        let world = World::new(CALLS);
        world.install_all(&*generator);
        let mut many: Vec<u64> = vector(18).to_vec();
        many.push(0xffff_fff9);
        many.extend(vector(10));
        many.push(u64::from(1.5f32.to_bits()));
        many.extend(vector(16));
        many.extend(vector(1));
        many.extend([15, 2.5f64.to_bits()]);
        assert_eq!(world.call("many", &args), Ok(many));
        let xor = |a, b| [0, 1].map(|i| vector(a)[i] ^ vector(b)[i]);
        let mut pass = vec![2.5f64.to_bits()];
        pass.extend(xor(10, 16));
        pass.extend(xor(18, 1));
        assert_eq!(world.call("pass", &args), Ok(pass));
    }
}

const ENGINE: &str = "
import %host(v128, i32, v128) -> (i32, v128) = \"env\" \"host\"
dialect test.op(i32, v128, i64) -> (v128, i32, v128)
global $i mut i32 = 7
global $v mut v128 = 0x1
global $j mut i64 = 9
func %go(a: v128, b: i32, c: v128) -> (i32, v128) {
b0:
  x, y = call %host(a, b, c)
  return x, y
}
func %op(a: i32, b: v128, c: i64) -> (v128, i32, v128) {
b0:
  x, y, z = dialect test.op(a, b, c)
  return x, y, z
}
func %swap(a: v128) -> (i32, v128, i64) {
b0:
  x = global.get $v
  global.set $v, a
  i = global.get $i
  j = global.get $j
  return i, x, j
}
";

#[test]
fn what_the_engine_is_called_with() {
    for generator in generators() {
        let world = World::new(ENGINE);
        world.install_all(&*generator);
        *world.handler.borrow_mut() = Box::new(|slots| {
            slots.reverse();
            Ok(())
        });
        let ([a, b], [c, d]) = (vector(1), vector(2));
        assert_eq!(world.call("go", &[a, b, 3, c, d]), Ok(vec![d & 0xffff_ffff, c, 3]));
        let host = world.func("host");
        assert_eq!(world.take_events(), [Event::Called(host, vec![a, b, 3, c, d])]);

        // The operands take one slot less than the results: nobody has set the last one.
        let results = world.call("op", &[3, a, b, 4]).expect("no trap");
        assert_eq!(results[1..], [4, b & 0xffff_ffff, a, 3]);
        let (op, site) = (DialectOpId::from_u32(0), SiteId::from_u32(0));
        let event = Event::Dialect(world.func("op"), op, site, vec![3, a, b, 4]);
        assert_eq!(world.take_events(), [event]);

        assert_eq!(world.call("swap", &[a, b]), Ok(vec![7, 1, 0, 9]));
        assert_eq!(world.call("swap", &[c, d]), Ok(vec![7, a, b, 9]));
    }
}

/// Sums of lanes, which live through the loop.
const LOOP: &str = "
func %sum(n: i32, step: v128) -> (i32, v128) {
entry:
  i = i32.const 0
  one = i32.const 1
  acc = v128.const 0x00000003000000020000000100000000
  br header
header:
  acc = i32x4.add acc, step
  i = i32.add i, one
  c = i32.lt_s i, n
  br_if c, header, done
done:
  return i, acc
}
";

fn sum(times: u64) -> Vec<u64> {
    let lane = |start: u64, step: u64| (start + step * times) & 0xffff_ffff;
    let low = lane(0, 5) | lane(1, 6) << 32;
    let high = lane(2, 0) | lane(3, 0x8000_0000) << 32;
    vec![times, low, high]
}

const STEP: [u64; 2] = [5 | 6 << 32, 0x8000_0000 << 32];

#[test]
fn loops_and_entries_into_them() {
    for generator in generators() {
        let world = World::new(LOOP);
        world.install_all(&*generator);
        let args = [10, STEP[0], STEP[1]];
        assert_eq!(world.call("sum", &args), Ok(sum(10)));

        // A T0 frame in the middle of the loop.
        let (func, header) = (world.func("sum"), cupola_ir::Block::from_u32(1));
        let body = world.body(func);
        let artifact = match generator.tier() {
            cupola_runtime::Tier::T1 => world.artifact_of(&*generator, func, &body, Some(header)),
            _ => {
                let plain = cupola_opt::ssa::ConstructOptions::plain(func);
                let options =
                    cupola_opt::ssa::ConstructOptions { osr_header: Some(header), ..plain };
                let ssa = cupola_opt::ssa::construct(&body, &options).0;
                world.artifact_of(&*generator, func, &ssa, None)
            }
        };
        let code = world.link(&artifact);
        let frame = FrameLayout::of(&body);
        let mut slots = vec![0xdead_beef_u64; frame.size() as usize];
        let mut set = |name: &str, values: &[u64]| {
            let found = body.reg_names.iter().position(|n| n.as_deref() == Some(name));
            let reg = cupola_ir::Reg::from_u32(found.expect("a register") as u32);
            slots[frame.slot(reg) as usize..][..values.len()].copy_from_slice(values);
        };
        let four = sum(4);
        set("n", &[10]);
        set("step", &STEP);
        set("i", &[4]);
        set("one", &[1]);
        set("acc", &four[1..]);
        let entry = NativeSig::osr(&body.sig);
        let found = world.run(code, &entry, &[slots.as_ptr() as u64, 0]).expect("no trap");
        assert_eq!(found, sum(10), "{}", generator.name());

        // A running T1 loop goes on there.
        let world = World::new(LOOP);
        world.install_all(&*baseline());
        let feedback = world.feedback[0].loop_feedback(LoopId::from_u32(0));
        feedback.budget.store(3, Relaxed);
        world.better_code.set(world.link(&artifact));
        assert_eq!(world.call("sum", &args), Ok(sum(10)));
        assert!(world.better_code.get().is_null(), "it was taken");
    }
}

const DEOPT: &str = "
func %f(a: i32, v: v128, b: i64) -> (i32, v128) {
entry:
  c = i32.lt_s a, a
  guard c, fine, slow
fine:
  return a, v
slow:
  return a, v
}
func %g(v: v128) -> (v128, i64, v128, v128) {
entry:
  z = i64.const 0
  return v, z, v, v
}
ssa func %f(a: i32, v: v128, b: i64) -> (i32, v128) {
entry:
  zero = i32.const 0
  c = i32.ne a, zero
  deopt_unless c, guard_failed [%f inst2 {a = a, v = v}, %g inst0 {v = v}, %f inst2 {b = b}]
  return a, v
}
ssa func %g(v: v128) -> (v128, i64, v128, v128) {
entry:
  deopt cold_branch [%g inst0 {v = v}]
}
";

#[test]
fn deoptimization_exits() {
    let world = World::new(DEOPT);
    world.install_all(&*optimizing());
    let [low, high] = vector(3);
    assert_eq!(world.call("f", &[9, low, high, 4]), Ok(vec![9, low, high]));
    assert!(world.take_events().is_empty());
    *world.handler.borrow_mut() = Box::new(|slots| {
        slots.iter_mut().zip(77..).for_each(|(slot, value)| *slot = value);
        Ok(())
    });
    assert_eq!(world.call("f", &[0, low, high, 4]), Ok(vec![77, 78, 79]));
    let code_id = u64::from(world.func("f").as_u32());
    let values = vec![0, low, high, low, high, 4];
    assert_eq!(world.take_events(), [Event::Deopt(code_id, 0, values)]);
    assert_eq!(world.call("g", &[low, high]), Ok((77..84).collect()));
}

/// Cranelift has no code for vectors on processors without what came after SSE2.
#[test]
fn processors_without_vector_instructions() {
    let plain = Flags { native_features: false };
    let generators = [Generator::baseline(plain), Generator::optimizing(plain)];
    let world =
        World::new("func %f(a: v128) -> v128 {\nb0:\n  return a\n}\nfunc %g() {\nb0:\n  return\n}");
    for generator in generators.map(|generator| generator.expect("the host is supported")) {
        let compile = |name: &str| {
            let func = world.func(name);
            world.try_artifact_of(&generator, func, &world.body(func), None)
        };
        assert!(matches!(compile("f"), Err(CompileError::Unsupported(_))));
        assert!(compile("g").is_ok());
    }
}
