//! Loops, counters, on-stack replacement, deoptimization, fuel, polling.

mod common;

use common::{Event, World, generators};
use cupola_cranelift::{baseline, optimizing};
use cupola_ir::{Block, EntryKind, FrameLayout, LoopId, TrapCode};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{CodeGenerator, CodegenOptions};
use std::sync::atomic::Ordering::Relaxed;

/// Sums of pairs, in two nested loops, with results of several types.
const LOOPS: &str = "
func %nest(n: i32, m: i64, x: f32) -> (i64, f32, i32) {
entry:
  acc = i64.const 0
  i = i32.const 0
  one = i32.const 1
  onel = i64.const 1
  br outer
outer:
  c = i32.lt_s i, n
  br_if c, start, done
start:
  j = i64.const 0
  br inner
inner:
  acc = i64.add acc, j
  x = f32.add x, x
  half = f32.const 0.5
  x = f32.mul x, half
  j = i64.add j, onel
  d = i64.lt_u j, m
  br_if d, inner, next
next:
  i = i32.add i, one
  br outer
done:
  return acc, x, i
}
";

fn expected(n: u64, m: u64) -> Vec<u64> {
    vec![n * (m * (m - 1) / 2), u64::from(1.5f32.to_bits()), n]
}

fn args(n: u64, m: u64) -> [u64; 3] {
    [n, m, u64::from(1.5f32.to_bits())]
}

#[test]
fn loops_in_both_tiers() {
    for generator in generators() {
        for (fuel, block_counts) in [(false, false), (true, true)] {
            let options =
                CodegenOptions { fuel, block_counts, verify: true, ..CodegenOptions::default() };
            let world = World::with_options(LOOPS, options);
            world.install_all(&*generator);
            assert_eq!(world.call("nest", &args(7, 11)), Ok(expected(7, 11)));
            let feedback = &world.feedback[0];
            let is_t1 = generator.tier() == cupola_runtime::Tier::T1;
            if is_t1 {
                assert_eq!(feedback.calls(), 1);
                let counts = [0, 1].map(|id| feedback.loop_count(LoopId::from_u32(id)));
                // The headers' runs: one more than the back edges for each time a loop is entered.
                // Without fuel the inner loop is laid down four times and counted when it is
                // entered and after each four runs: 1 + 4 + 4 of 11.
                assert_eq!(counts, [8, 7 * if fuel { 11 } else { 9 }]);
            }
            if is_t1 && block_counts {
                let counts = [0, 1, 2, 3, 4, 5]
                    .map(|b| feedback.block_count(Block::from_u32(b)).expect("on"));
                assert_eq!(counts, [1, 8, 7, 77, 7, 1]);
            }
            let used = i64::MAX - world.limits.fuel.load(Relaxed);
            assert_eq!(used, if fuel { 1 + 7 + 70 } else { 0 });
        }
    }
}

#[test]
fn fuel_runs_out() {
    let options = CodegenOptions { fuel: true, verify: true, ..CodegenOptions::default() };
    for generator in generators() {
        let world = World::with_options(LOOPS, options);
        world.install_all(&*generator);
        world.limits.fuel.store(78, Relaxed);
        assert_eq!(world.call("nest", &args(7, 11)), Ok(expected(7, 11)));
        world.limits.fuel.store(77, Relaxed);
        assert_eq!(world.call("nest", &args(7, 11)), Err(TrapCode::OutOfFuel));
    }
}

#[test]
fn used_up_budgets_call_the_engine() {
    let world = World::new(LOOPS);
    world.install_all(&*baseline());
    let func = world.func("nest");
    let feedback = &world.feedback[0];
    feedback.header().call_budget.store(0, Relaxed);
    feedback.loop_feedback(LoopId::from_u32(1)).budget.store(9, Relaxed);
    assert_eq!(world.call("nest", &args(7, 11)), Ok(expected(7, 11)));
    let events = [Event::CallHot(func), Event::LoopHot(func, LoopId::from_u32(1))];
    assert_eq!(world.take_events(), events);
}

/// An OSR entry at each loop header, entered with a T0 frame.
#[test]
fn osr_entries() {
    let world = World::new(LOOPS);
    let func = world.func("nest");
    let body = world.body(func);
    let frame = FrameLayout::of(&body);
    let sig = NativeSig::osr(&body.sig);
    for (number, header) in [(0, 1), (1, 3)].map(|(id, n)| (id, Block::from_u32(n))) {
        for generator in generators() {
            let code = osr_code(&world, &*generator, header);
            let mut slots = vec![0xdead_beef_u64; frame.size() as usize];
            let names = |name: &str| {
                body.reg_names.iter().position(|n| n.as_deref() == Some(name)).expect("a register")
            };
            // In the middle: i = 2 of 5 is running, j = 4 of 10, `acc` is what was summed up.
            let acc = 2 * 45 + if header.as_u32() == 3 { 6 } else { 0 };
            let values =
                [("n", 5), ("m", 10), ("x", args(0, 0)[2]), ("i", 2), ("j", 4), ("acc", acc)];
            for (name, value) in values.into_iter().chain([("one", 1), ("onel", 1)]) {
                slots[names(name)] = value;
            }
            let found = world.run(code, &sig, &[slots.as_ptr() as u64, number]).expect("no trap");
            assert_eq!(found, expected(5, 10), "{} at {header}", generator.name());
        }
    }
}

fn osr_code(world: &World, generator: &dyn CodeGenerator, header: Block) -> *const u8 {
    let func = world.func("nest");
    let body = world.body(func);
    let artifact = match generator.tier() {
        cupola_runtime::Tier::T1 => world.artifact_of(generator, func, &body, Some(header)),
        _ => {
            let plain = cupola_opt::ssa::ConstructOptions::plain(func);
            let options = cupola_opt::ssa::ConstructOptions { osr_header: Some(header), ..plain };
            let ssa = cupola_opt::ssa::construct(&body, &options).0;
            world.artifact_of(generator, func, &ssa, None)
        }
    };
    match (&artifact.entry_kind, generator.tier()) {
        (EntryKind::AnyLoop, cupola_runtime::Tier::T1) => {}
        (EntryKind::Osr { header: h, .. }, cupola_runtime::Tier::T2 | cupola_runtime::Tier::T3) => {
            assert_eq!(*h, header);
        }
        (kind, tier) => panic!("{tier} is entered by {kind:?}"),
    }
    world.link(&artifact)
}

/// A running T1 loop goes on in other code.
#[test]
fn baseline_loops_move_to_better_code() {
    for generator in generators() {
        for (id, header) in [(0, 1), (1, 3)] {
            let world = World::new(LOOPS);
            world.install_all(&*baseline());
            let feedback = world.feedback[0].loop_feedback(LoopId::from_u32(id));
            feedback.budget.store(3, Relaxed);
            let code = osr_code(&world, &*generator, Block::from_u32(header));
            world.better_code.set(code);
            assert_eq!(world.call("nest", &args(7, 11)), Ok(expected(7, 11)));
            assert_eq!(world.take_events().len(), 1);
            assert!(world.better_code.get().is_null(), "it was taken");
        }
    }
}

const DEOPT: &str = "
func %f(a: i32, x: f32, b: i64) -> (i32, f64) {
entry:
  c = i32.lt_s a, a
  y = f64.const 2.5
  guard c, fine, slow
fine:
  return a, y
slow:
  return a, y
}
func %g(a: i32) -> (i64, i64, i64) {
entry:
  z = i64.const 0
  return z, z, z
}
ssa func %f(a: i32, x: f32, b: i64) -> (i32, f64) {
entry:
  zero = i32.const 0
  c = i32.ne a, zero
  y = f64.const 2.5
  deopt_unless c, guard_failed [%f inst3 {a = a, y = y}, %g inst0 {a = a}, %f inst3 {x = x, b = b}]
  t = deopt.tick
  deopt_unless t, forced [%f inst3 {b = b}]
  return a, y
}
ssa func %g(a: i32) -> (i64, i64, i64) {
entry:
  deopt cold_branch [%g inst0 {a = a}]
}
";

#[test]
fn deoptimization_exits() {
    let world = World::new(DEOPT);
    world.install_all(&*optimizing());
    let x = u64::from(1.5f32.to_bits());
    let (y, b) = (2.5f64.to_bits(), 0x1234_5678_9abc);
    assert_eq!(world.call("f", &[9, x, b]), Ok(vec![9, y]));
    assert!(world.take_events().is_empty());

    *world.handler.borrow_mut() = Box::new(|slots| {
        slots[..2].copy_from_slice(&[77, 8.5f64.to_bits()]);
        Ok(())
    });
    assert_eq!(world.call("f", &[0, x, b]), Ok(vec![77, 8.5f64.to_bits()]));
    let code_id = u64::from(world.func("f").as_u32());
    assert_eq!(world.take_events(), [Event::Deopt(code_id, 0, vec![0, y, 0, x, b])]);

    // SAFETY: no code runs.
    unsafe { (*(*world.ctx()).limits).deopt_budget = 0 };
    assert_eq!(world.call("f", &[9, x, b]), Ok(vec![77, 8.5f64.to_bits()]));
    assert_eq!(world.take_events(), [Event::Deopt(code_id, 1, vec![b])]);

    *world.handler.borrow_mut() = Box::new(|slots| {
        slots[..3].copy_from_slice(&[1, 2, 3]);
        Ok(())
    });
    assert_eq!(world.call("g", &[5]), Ok(vec![1, 2, 3]));
}

/// Two loops one after the other and one within another, none of which ends.
const ENDLESS: &str = "
func %spin(n: i32) -> i32 {
entry:
  i = i32.const 0
  one = i32.const 1
  br first
first:
  i = i32.add i, one
  c = i32.lt_s i, n
  br_if c, first, second
second:
  br second
}
";

#[test]
fn optimized_loops_poll() {
    for n in [0, 1_000_000] {
        let world = World::new(ENDLESS);
        world.install_all(&*optimizing());
        let address = &raw const world.limits.interrupt as usize;
        let interrupter = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            // SAFETY: the world outlives the thread, which is joined below.
            let interrupt = unsafe { &*(address as *const std::sync::atomic::AtomicU32) };
            interrupt.store(1, Relaxed);
        });
        assert_eq!(world.call("spin", &[n]), Err(TrapCode::Interrupted));
        interrupter.join().expect("it does not panic");
    }
}
