//! Baseline code for entries at loops: one code of a function is entered at all of them.

use cupola::events::{Event, EventKind};
use cupola::policy::EntryPoint;
use cupola::stress::Stress;
use cupola::{Config, Dialects, Engine, Imports, Instance, Module, Store, Tier};

/// Three loops one behind the other, the second around another one, with values that live across.
const TEXT: &str = "
export func %f(a: i64, b: i64, c: i64) -> i64 {
entry:
  one = i64.const 1
  three = i64.const 3
  x = i64.const 11
  kept = i64.mul a, b
  br first
first:
  x = i64.mul x, three
  x = i64.add x, a
  a = i64.sub a, one
  more = i64.gt_s a, one
  br_if more, first, outer
outer:
  j = i64.const 20
  br inner
inner:
  x = i64.xor x, j
  x = i64.rotl x, one
  j = i64.sub j, one
  more = i64.gt_s j, one
  br_if more, inner, after
after:
  b = i64.sub b, three
  more = i64.gt_s b, one
  br_if more, outer, last
last:
  x = i64.add x, c
  x = i64.xor x, kept
  c = i64.sub c, one
  more = i64.gt_s c, one
  br_if more, last, done
done:
  return x
}";

fn expected([mut a, mut b, mut c]: [i64; 3]) -> i64 {
    let mut x = 11i64;
    let kept = a * b;
    loop {
        x = x.wrapping_mul(3).wrapping_add(a);
        a -= 1;
        if a <= 1 {
            break;
        }
    }
    loop {
        x = (2..=20).rev().fold(x, |x, j| (x ^ j).rotate_left(1));
        b -= 3;
        if b <= 1 {
            break;
        }
    }
    loop {
        x = x.wrapping_add(c) ^ kept;
        c -= 1;
        if c <= 1 {
            return x;
        }
    }
}

/// Each of the calls comes to another loop first that goes around often. One compilation is for
/// entries at loops, and serves all of them; given up, it is in the way at none.
#[test]
fn one_code_is_entered_at_every_loop() {
    let mut entered = Vec::new();
    for (a, b, c) in [(50_000, 4, 4), (4, 50_000, 4), (4, 4, 50_000), (5_000, 5_000, 5_000)] {
        let mut config = Config::new().with_generator(cupola_cranelift::baseline());
        config.stress = "sync".parse::<Stress>().expect("the mode exists");
        let engine = Engine::new(config).expect("the configuration is valid");
        engine.events().listen(1 << 16);
        let module =
            Module::from_text(&engine, "loops.cir", TEXT, &Dialects::new()).expect("valid");
        let id = module.ir().find_func("f").expect("it is there");
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &Imports::new()).expect("no imports");
        let func = instance.typed::<(i64, i64, i64), i64>(&store, "f").expect("it is exported");
        let found = func.call(&mut store, (a, b, c)).expect("it does not trap");
        assert_eq!(found, expected([a, b, c]));
        let events: Vec<Event> = std::iter::from_fn(|| engine.events().pop()).collect();
        let of_loops = |event: &&Event| {
            matches!(&event.kind, EventKind::CompileFinished { entry: EntryPoint::Loop(_), .. })
        };
        assert_eq!(events.iter().filter(of_loops).count(), 1, "{events:?}");
        entered.extend(events.iter().find_map(|event| match event.kind {
            EventKind::OsrEntered { tier: Tier::T1, loop_id } => Some(loop_id.as_u32()),
            _ => None,
        }));
        let installed = |module: &Module| {
            let state = module.state_of(id).expect("it was called");
            state.loops.iter().map(|l| l.entry.installed).collect::<Vec<_>>()
        };
        assert_eq!(installed(&module), [Tier::T1; 4]);
        module.deoptimize(id);
        assert_eq!(installed(&module), [Tier::T0; 4]);
    }
    entered.truncate(3);
    entered.sort_unstable();
    entered.dedup();
    assert_eq!(entered.len(), 3, "each call entered at a loop of its own: {entered:?}");
}
