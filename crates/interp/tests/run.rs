//! Functions at work: calls, memory, tables, traps with their backtraces, counters.

mod world;

use cupola_ir::*;
use cupola_runtime::{CodegenOptions, Frame, Tier, VmContext};
use std::sync::atomic::Ordering;
use world::World;

const FIB: &str = "
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
}";

#[test]
fn recursion() {
    let world = World::parse(FIB);
    assert_eq!(world.call("fib", &[20]).unwrap(), [6765]);
    assert_eq!(world.feedback(world.func("fib")).calls(), 21891);
}

#[test]
fn deep_recursion_traps_and_leaves_nothing_behind() {
    let world = World::parse(
        "func %down(n: i32) -> i32 {
        block0:
          br_if n, more, end
        more:
          one = i32.const 1
          m = i32.sub n, one
          r = call %down(m)
          r = i32.add r, one
          return r
        end:
          return n
        }",
    );
    assert_eq!(world.call("down", &[5000]).unwrap(), [5000]);
    let trap = world.call("down", &[100_000]).unwrap_err();
    assert_eq!(trap.trap_code(), Some(TrapCode::StackOverflow));
    assert_eq!(trap.frames.len(), cupola_runtime::MAX_FRAMES);
    assert!(trap.omitted > 5000);
    assert_eq!(world.call("down", &[5000]).unwrap(), [5000]);
}

#[test]
fn many_arguments_and_results() {
    let world = World::parse(
        "func %turn(a: i32, b: i64, c: f32, d: f64, e: i32, f: i64) -> (i64, i32, f64, f32, i64, i32) {
        block0:
          return f, e, d, c, b, a
        }
        func %f(a: i32, b: i64, c: f32, d: f64, e: i32, f: i64) -> (i64, i32, f64, f32, i64, i32) {
        block0:
          t, u, v, w, x, y = call %turn(a, b, c, d, e, f)
          t, u, v, w, x, y = call %turn(y, x, w, v, u, t)
          return t, u, v, w, x, y
        }",
    );
    assert_eq!(world.call("f", &[1, 2, 3, 4, 5, 6]).unwrap(), [6, 5, 4, 3, 2, 1]);
}

#[test]
fn br_table_and_select() {
    let world = World::parse(
        "func %f(i: i32) -> i32 {
          reg r: i32
        block0:
          br_table i, [a, b, a], d
        a:
          r = i32.const 10
          br out
        b:
          r = i32.const 20
          br out
        d:
          ten = i32.const 10
          big = i32.gt_u i, ten
          nine = i32.const 9
          r = select big, i, nine
          br out
        out:
          return r
        }",
    );
    for (index, result) in [(0, 10), (1, 20), (2, 10), (3, 9), (11, 11), (u32::MAX, u32::MAX)] {
        assert_eq!(world.call("f", &[index.into()]).unwrap(), [u64::from(result)]);
    }
}

#[test]
fn accesses_at_the_bounds_of_memory() {
    for (memory, index) in [("$m", 0), ("$n", 1)] {
        let world = World::parse(&format!(
            "memory $m 1
            memory $n 1
            func %load(a: i32) -> i64 {{
            block0:
              v = i64.load {memory}, a, offset=4
              return v
            }}
            func %store(a: i32, v: i32) {{
            block0:
              i32.store16 {memory}, a, v, offset=65534
              return
            }}
            func %far(a: i32) -> i32 {{
            block0:
              v = i32.load8_s {memory}, a, offset=0xffffffffffffffff
              return v
            }}
            func %grow(a: i32) -> i32 {{
            block0:
              old = memory.grow {memory}, a
              v = i32.load {memory}, a, offset=65536
              s = memory.size {memory}
              v = i32.add v, s
              return v
            }}"
        ));
        world.write(index, 65528, &[1, 2, 3, 4, 5, 6, 7, 0x88]);
        assert_eq!(world.call("load", &[65524]).unwrap(), [0x8807060504030201]);
        for address in [65525, 65532, 65536, 0xffff_fffc, 0xffff_ffff] {
            assert_eq!(world.trap("load", &[address]), TrapCode::MemOutOfBounds);
        }
        world.call("store", &[0, 0xabcd_1234]).unwrap();
        assert_eq!(world.read(index, 65533, 3), [6, 0x34, 0x12]);
        assert_eq!(world.trap("store", &[1, 0]), TrapCode::MemOutOfBounds);
        assert_eq!(world.trap("far", &[0]), TrapCode::MemOutOfBounds);
        assert_eq!(world.trap("far", &[1]), TrapCode::MemOutOfBounds);
        assert_eq!(world.call("grow", &[2]).unwrap(), [3]);
    }
}

#[test]
fn calls_through_tables() {
    let mut world = World::parse(
        "table $t = [%inc, %pair, null, %host]
        import %host(i32) -> i32 = \"test\" \"host\"
        func %inc(a: i32) -> i32 {
        block0:
          one = i32.const 1
          a = i32.add a, one
          return a
        }
        func %pair(a: i32) -> (i32, i32) {
        block0:
          return a, a
        }
        func %f(i: i32, a: i32) -> i32 {
        block0:
          r = call_indirect $t[i](a) : (i32) -> i32
          return r
        }",
    );
    world.script.host = Some(Box::new(|_, _, slots| {
        slots[0] *= 2;
        Ok(())
    }));
    for _ in 0..3 {
        assert_eq!(world.call("f", &[0, 41]).unwrap(), [42]);
        assert_eq!(world.call("f", &[3, 41]).unwrap(), [82]);
    }
    assert_eq!(world.trap("f", &[1, 0]), TrapCode::SignatureMismatch);
    assert_eq!(world.trap("f", &[2, 0]), TrapCode::NullFunction);
    assert_eq!(world.trap("f", &[4, 0]), TrapCode::TableOutOfBounds);
    assert_eq!(world.trap("f", &[u32::MAX.into(), 0]), TrapCode::TableOutOfBounds);
    let site = world.feedback(world.func("f")).site(SiteId::from_u32(0));
    let inc = u64::from(world.func("inc").as_u32());
    assert_eq!(site.word0.load(Ordering::Relaxed), (inc + 1) << 32 | 3);
    assert_eq!(site.word2.load(Ordering::Relaxed), 0);
}

#[test]
fn calls_of_another_instance() {
    let other = World::parse(
        "memory $m 1
        func %peek(a: i32) -> i32 {
        block0:
          v = i32.load $m, a
          return v
        }",
    );
    other.write(0, 8, &[42]);
    let mut world = World::parse(
        "memory $m 1
        table $t = [null]
        func %f(a: i32) -> i32 {
        block0:
          z = i32.const 0
          r = call_indirect $t[z](a) : (i32) -> i32
          v = i32.load $m, a
          r = i32.add r, v
          return r
        }",
    );
    // Instances that call each other share their limits; signature numbers are 100 in both.
    let mut other = other;
    let peek = other.func("peek");
    // SAFETY: the context of a world starts with a `VmContext`.
    unsafe { (*other.ctx()).limits = &raw mut *world.limits };
    let reference = other.func_ref(peek);
    world.set_table(0, 0, reference);
    world.write(0, 8, &[100]);
    assert_eq!(world.call("f", &[8]).unwrap(), [142]);
}

#[test]
fn globals_and_dialect_operations() {
    let world = World::parse(
        "global $g mut i64 = 5
        dialect test.swap(i64, i64) -> (i64, i64)
        dialect test.fail(i64)
        func %f(a: i64) -> (i64, i64) {
        block0:
          g = global.get $g
          x, y = dialect test.swap(a, g)
          x, y = dialect test.swap(x, y)
          k = i64.const 7
          global.set $g, k
          return x, y
        }
        func %fail(a: i64) {
        block0:
          dialect test.fail(a)
          return
        }",
    );
    assert_eq!(world.call("f", &[1]).unwrap(), [2, 5]);
    assert_eq!(world.global(0), 7);
    let trap = world.call("fail", &[1]).unwrap_err();
    assert_eq!(trap.to_string(), "dialect failed");
    assert_eq!(trap.frames.len(), 1);
}

#[test]
fn backtraces_name_functions_and_places() {
    let source = "func %inner(a: i32) -> i32 {
block0:
  ten = i32.const 10
  r = i32.div_s ten, a
  t = i32.eq r, ten
  trap_if t, int_overflow
  return r
}
func %outer(a: i32) -> i32 {
block0:
  x = call %inner(a)
  y = call %inner(x)
  return y
}";
    let world = World::parse(source);
    let (inner, outer) = (world.func("inner"), world.func("outer"));
    let lines = |arg: u64| -> (TrapCode, Vec<(FuncId, u32)>) {
        let trap = world.call("outer", &[arg]).unwrap_err();
        let frame = |f: &Frame| {
            assert_eq!(f.tier, Tier::T0);
            (f.func, f.loc.to_line_column().0)
        };
        (trap.trap_code().unwrap(), trap.frames.iter().map(frame).collect())
    };
    assert_eq!(lines(0), (TrapCode::IntDivByZero, vec![(inner, 4), (outer, 11)]));
    assert_eq!(lines(1), (TrapCode::IntOverflow, vec![(inner, 6), (outer, 11)]));
    assert_eq!(lines(11), (TrapCode::IntDivByZero, vec![(inner, 4), (outer, 12)]));
    assert_eq!(lines(6), (TrapCode::IntOverflow, vec![(inner, 6), (outer, 12)]));
}

const LOOP: &str = "
export func %sum(n: i32) -> i32 {
  reg i: i32, s: i32
block0:
  i = i32.const 0
  s = i32.const 0
  br head
head:
  c = i32.lt_u i, n
  br_if c, body, exit
body:
  s = i32.add s, i
  one = i32.const 1
  i = i32.add i, one
  br head
exit:
  return s
}";

#[test]
fn counters_run_out_and_count() {
    let mut world = World::parse(LOOP);
    world.budget = 10;
    let sum = world.func("sum");
    for _ in 0..25 {
        assert_eq!(world.call("sum", &[4]).unwrap(), [6]);
    }
    // A budget of 10 passes below zero with every 11th call or back edge.
    assert_eq!(world.script.calls_hot.borrow().len(), 2);
    assert_eq!(world.script.loops_hot.borrow().len(), 100 / 11);
    assert_eq!(world.script.loops_hot.borrow()[0], (sum, LoopId::from_u32(0)));
    world.script.interrupt.set(true);
    let trap = world.call("sum", &[1000]).unwrap_err();
    assert_eq!(trap.trap_code(), Some(TrapCode::Interrupted));
    assert_eq!(trap.frames.len(), 1);
    assert_ne!(trap.frames[0].loc, SrcLoc::UNKNOWN);
}

#[test]
fn fuel_and_block_counts() {
    let mut world = World::parse(LOOP);
    world.options = CodegenOptions { fuel: true, block_counts: true, ..world.options };
    world.limits.fuel.store(6, Ordering::Relaxed);
    assert_eq!(world.call("sum", &[5]).unwrap(), [10]);
    assert_eq!(world.limits.fuel.load(Ordering::Relaxed), 0);
    world.limits.fuel.store(5, Ordering::Relaxed);
    assert_eq!(world.trap("sum", &[5]), TrapCode::OutOfFuel);
    let feedback = world.feedback(world.func("sum"));
    let count = |block| feedback.block_count(Block::from_u32(block)).unwrap();
    assert_eq!([0, 1, 2, 3].map(count), [2, 11, 10, 1]);
}

#[test]
fn an_interruption_and_the_native_stack_are_checked_at_entry() {
    let world = World::parse(FIB);
    world.limits.stack_limit.store(usize::MAX - 32 * 1024, Ordering::Relaxed);
    assert_eq!(world.trap("fib", &[1]), TrapCode::StackOverflow);
    world.limits.interrupt.store(1, Ordering::Relaxed);
    assert_eq!(world.trap("fib", &[1]), TrapCode::Interrupted);
}

extern "C" fn native_mix(_ctx: *mut VmContext, a: i32, b: f64, c: i64, d: f32) -> f64 {
    f64::from(a) + b * c as f64 + f64::from(d)
}

/// Stores to the loop's registers: `i` and `s` of `%sum` are slots 1 and 2.
extern "C" fn native_rest_of_sum(_ctx: *mut VmContext, slots: *mut u64) -> u32 {
    // SAFETY: T0 passes the slots of an activation of `%sum`.
    let [n, mut i, mut s] = unsafe { *slots.cast::<[u64; 3]>() };
    while i < n {
        (i, s) = (i + 1, s + i);
    }
    s as u32
}

#[test]
fn compiled_code_is_called_where_there_is_some() {
    let world = World::parse(
        "func %mix(a: i32, b: f64, c: i64, d: f32) -> f64 {
        block0:
          return b
        }
        func %f(a: i32, b: f64, c: i64, d: f32) -> f64 {
        block0:
          r = call %mix(a, b, c, d)
          return r
        }
        table $t = [%mix]
        func %g(a: i32, b: f64, c: i64, d: f32) -> f64 {
        block0:
          z = i32.const 0
          r = call_indirect $t[z](a, b, c, d) : (i32, f64, i64, f32) -> f64
          return r
        }",
    );
    let args = [u64::from(-3i32 as u32), 1.5f64.to_bits(), 4, u64::from(0.25f32.to_bits())];
    assert_eq!(world.call("f", &args).unwrap(), [1.5f64.to_bits()]);
    assert_eq!(world.call("g", &args).unwrap(), [1.5f64.to_bits()]);
    let mix = world.func("mix");
    world.cell(mix).native.store(native_mix as *mut u8, Ordering::Release);
    assert_eq!(world.call("f", &args).unwrap(), [3.25f64.to_bits()]);
    assert_eq!(world.call("g", &args).unwrap(), [3.25f64.to_bits()]);
}

#[test]
fn a_hot_loop_goes_on_in_compiled_code() {
    let mut world = World::parse(&format!(
        "{LOOP}
        func %twice(n: i32) -> i32 {{
        block0:
          a = call %sum(n)
          b = call %sum(n)
          a = i32.add a, b
          return a
        }}"
    ));
    world.budget = 50;
    world.script.osr.set(native_rest_of_sum as *const () as usize);
    assert_eq!(world.call("sum", &[1000]).unwrap(), [499_500]);
    assert_eq!(world.call("twice", &[1000]).unwrap(), [999_000]);
    assert_eq!(world.script.loops_hot.borrow().len(), 3);
}

#[test]
fn hosts_that_call_back_nest_and_panics_pass_through() {
    let mut world = World::parse(
        "import %host(i32) -> i32 = \"test\" \"host\"
        func %f(n: i32) -> i32 {
        block0:
          br_if n, more, end
        more:
          one = i32.const 1
          m = i32.sub n, one
          r = call %host(m)
          r = i32.add r, one
          return r
        end:
          return n
        }",
    );
    let f = world.func("f");
    world.script.host = Some(Box::new(move |ctx, _, slots| {
        assert!(slots[0] != 999, "unlucky");
        // SAFETY: the context is that of the world.
        unsafe { cupola_interp::call(ctx, f, slots) }
    }));
    assert_eq!(world.call("f", &[100]).unwrap(), [100]);
    let top = world.limits.t0_top;
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.call("f", &[1000])));
    assert!(panic.is_err());
    assert_eq!(world.limits.t0_top, top);
    assert_eq!(world.call("f", &[100]).unwrap(), [100]);
}
