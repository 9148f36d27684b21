//! Long and rough use: a million calls under random promotion and deoptimization, little code
//! memory, interruptions, threads, engines dropped while they compile.

use cupola::ir::FuncId;
use cupola::{
    Config, Dialects, Engine, Error, Imports, Instance, Mode, Module, Store, Tier, TypedFunc,
    Value, ValueList,
};
use cupola_testkit::generate::Choices;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// These tests measure time and memory of the process, so that they may not run side by side.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn config(mode: Mode) -> Config {
    let mut config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    config.mode = mode;
    config
}

fn module(config: Config, text: &str) -> Module {
    let engine = Engine::new(config).unwrap();
    Module::from_text(&engine, "stress", text, &Dialects::new()).unwrap()
}

/// An instance in a store of its own.
struct Subject {
    store: Store,
    instance: Instance,
}

impl Subject {
    fn new(module: &Module) -> Subject {
        let mut store = Store::new(&module.engine());
        let instance = Instance::new(&mut store, module, &Imports::new()).unwrap();
        Subject { store, instance }
    }

    fn typed<P: ValueList, R: ValueList>(&self, name: &str) -> TypedFunc<P, R> {
        self.instance.typed(&self.store, name).unwrap()
    }

    fn call(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        self.instance.call(&mut self.store, name, args)
    }
}

/// Resident memory of the process, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// `count` functions `f0`, `f1`, …: each has a loop and a guard, and calls the next one at times.
fn chain(count: usize) -> String {
    let mut text = String::from("global $g mut i64 = 0\n");
    for i in 0..count {
        let next = (i + 1) % count;
        text += &format!(
            "export func %f{i}(n: i64, depth: i32) -> i64 {{
entry:
  s = i64.const {i}
  k = i64.const 3
  one = i64.const 1
  i = i64.and n, k
  br loop
loop:
  s = i64.mul s, k
  s = i64.xor s, n
  i = i64.sub i, one
  zero = i64.const 0
  more = i64.gt_s i, zero
  br_if more, loop, done
done:
  fifteen = i64.const 15
  low = i64.and n, fifteen
  common = i64.ne low, fifteen
  guard common, fast, slow
fast:
  br_if depth, call_next, out
slow:
  s = i64.add s, k
  br_if depth, call_next, out
call_next:
  j = i32.const 1
  d = i32.sub depth, j
  r = call %f{next}(s, d)
  s = i64.add s, r
  br out
out:
  return s
}}
"
        );
    }
    text
}

#[test]
fn a_million_calls_promoted_and_deoptimized() {
    let _alone = alone();
    const FUNCS: usize = 8;
    const CALLS: u64 = 1_000_000;
    let text = chain(FUNCS);
    let reference = module(config(Mode::Only(Tier::T0)), &text);
    let mut reference = Subject::new(&reference);
    let module = module(config(Mode::Auto), &text);
    let mut subject = Subject::new(&module);
    let funcs: Vec<FuncId> = (0..FUNCS).map(|i| module.func(&format!("f{i}")).unwrap()).collect();
    let names: Vec<String> = (0..FUNCS).map(|i| format!("f{i}")).collect();
    let typed: Vec<_> = names.iter().map(|name| subject.typed::<(i64, i32), i64>(name)).collect();
    let plain: Vec<_> = names.iter().map(|name| reference.typed::<(i64, i32), i64>(name)).collect();
    let mut choices = Choices::seeded(11);
    let (mut warm, mut compiled, mut most_code) = (0, 0, 0);
    for call in 0..CALLS {
        if choices.below(600) == 0 {
            let func = choices.pick(&funcs);
            match choices.below(3) {
                0 => module.deoptimize(func),
                1 => module.compile_now(func, Tier::T1).unwrap(),
                _ => module.compile_now(func, Tier::T2).unwrap(),
            }
            compiled += 1;
            most_code = most_code.max(module.engine().code_bytes().0);
        }
        let index = choices.below(FUNCS);
        let (n, depth) = (choices.word() as i64, (choices.below(12)) as i32);
        let found = typed[index].call(&mut subject.store, (n, depth)).unwrap();
        let expected = plain[index].call(&mut reference.store, (n, depth)).unwrap();
        assert_eq!(found, expected, "call {call}: f{index}({n}, {depth})");
        if call == CALLS / 4 {
            warm = resident();
        }
    }
    let grown = resident().saturating_sub(warm);
    let (used, reclaimed) = module.engine().code_bytes();
    println!(
        "{compiled} changes by hand; resident memory {warm} bytes, then {grown} more; code: {used} \
         bytes, at most {most_code}, {reclaimed} given back"
    );
    assert!(grown < 3 << 20, "resident memory grew by {grown} bytes after warm-up");
    assert!(most_code < 1 << 20, "{most_code} bytes of code were installed for {FUNCS} functions");
    assert!(reclaimed > 0, "no code was given back");
}

#[test]
fn many_functions_in_little_code_memory() {
    let _alone = alone();
    const FUNCS: usize = 600;
    let text = chain(FUNCS);
    let mut small = config(Mode::Auto);
    small.tuning.code_budget = 256 << 10;
    small.tuning.t1_calls = 2;
    small.tuning.t2_calls = 20;
    let reference = module(config(Mode::Only(Tier::T0)), &text);
    let mut reference = Subject::new(&reference);
    let module = module(small, &text);
    let mut subject = Subject::new(&module);
    for round in 0..40i64 {
        for index in 0..FUNCS {
            let (name, args) = (format!("f{index}"), [Value::I64(round * 7), Value::I32(5)]);
            let found = subject.call(&name, &args).unwrap();
            assert_eq!(found, reference.call(&name, &args).unwrap(), "{name} in round {round}");
            let used = module.engine().code_bytes().0;
            assert!(used <= 256 << 10, "{used} bytes of code are installed");
        }
    }
}

const ENDLESS: &str = "memory $m 1
export func %loop(n: i64) -> i64 {
entry:
  one = i64.const 1
  br loop
loop:
  n = i64.add n, one
  br_if_never = i64.eqz n
  br_if br_if_never, out, loop
out:
  return n
}
export func %empty_loop() {
entry:
  br loop
loop:
  br loop
}
export func %helper_loop() {
entry:
  none = i32.const 0
  br loop
loop:
  old = memory.grow $m, none
  br loop
}
export func %nested(n: i64) -> i64 {
entry:
  br outer
outer:
  i = i64.const 100
  one = i64.const 1
  br inner
inner:
  n = i64.mul n, i
  i = i64.sub i, one
  c = i64.eqz i
  br_if c, outer, inner
}
export func %fib(n: i64) -> i64 {
entry:
  two = i64.const 2
  c = i64.lt_s n, two
  br_if c, small, large
small:
  return n
large:
  one = i64.const 1
  x = i64.sub n, one
  a = call %fib(x)
  y = i64.sub n, two
  b = call %fib(y)
  s = i64.add a, b
  return s
}
";

#[test]
fn interruption_within_ten_milliseconds() {
    let _alone = alone();
    let modes = [Mode::Only(Tier::T0), Mode::Only(Tier::T1), Mode::Only(Tier::T2), Mode::Auto];
    for mode in modes {
        let module = module(config(mode), ENDLESS);
        for (name, args) in [
            ("loop", vec![Value::I64(1)]),
            ("empty_loop", vec![]),
            ("helper_loop", vec![]),
            ("nested", vec![Value::I64(1)]),
            ("fib", vec![Value::I64(90)]),
        ] {
            let mut subject = Subject::new(&module);
            // On a busy machine a thread may have to wait for its turn; the engine does not make
            // it wait every time.
            let times = (0..5).map(|_| {
                let handle = subject.store.interrupt_handle();
                let interrupter = std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(30));
                    let started = Instant::now();
                    handle.interrupt();
                    started
                });
                let result = subject.call(name, &args);
                let stopped = Instant::now();
                let started = interrupter.join().unwrap();
                match result {
                    Err(Error::Trap(trap)) => {
                        assert_eq!(trap.code(), Some(cupola::ir::TrapCode::Interrupted));
                        assert!(!trap.frames.is_empty(), "{name} in {mode:?} has no backtrace");
                    }
                    other => panic!("{name} in {mode:?}: {other:?}"),
                }
                stopped.saturating_duration_since(started)
            });
            let times: Vec<Duration> = times.collect();
            let best = times.iter().min().copied().unwrap_or_default();
            println!("{name} in {mode:?}: {times:?}");
            assert!(best < Duration::from_millis(10), "{name} in {mode:?}: {times:?}");
            // The instance can be used again.
            let again = subject.call("fib", &[Value::I64(10)]);
            assert_eq!(again.unwrap(), [Value::I64(55)]);
        }
    }
}

#[test]
fn two_threads_run_instances_of_one_module() {
    let _alone = alone();
    let text = chain(6);
    let mut eager = config(Mode::Auto);
    eager.tuning.t1_calls = 5;
    eager.tuning.t2_calls = 50;
    eager.stress = "random-tier=3".parse().unwrap();
    let module = module(eager, &text);
    let run = |seed: u64| {
        let mut subject = Subject::new(&module);
        let mut choices = Choices::seeded(seed);
        let mut sum = 0i64;
        for _ in 0..20_000 {
            let name = format!("f{}", choices.below(6));
            let args = [Value::I64(choices.word() as i64), Value::I32(choices.below(8) as i32)];
            match subject.call(&name, &args).unwrap()[..] {
                [Value::I64(result)] => sum = sum.rotate_left(5) ^ result,
                ref other => panic!("{other:?}"),
            }
            if choices.below(500) == 0 {
                module.deoptimize(module.func(&name).unwrap());
            }
        }
        sum
    };
    let together = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| run(5))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(together, [run(5), run(5)]);
}

#[test]
fn engines_dropped_while_they_compile() {
    let _alone = alone();
    let text = chain(60);
    for round in 0..30 {
        let mut eager = config(Mode::Auto);
        eager.tuning.t1_calls = 1;
        eager.tuning.t2_calls = 2;
        eager.tuning.workers = Some(2);
        let started = Instant::now();
        let module = module(eager, &text);
        let mut subject = Subject::new(&module);
        for _ in 0..1 + round % 4 {
            subject.call("f0", &[Value::I64(7), Value::I32(59)]).unwrap();
        }
        if round % 2 == 0 {
            std::thread::sleep(Duration::from_micros(200 * round));
        }
        drop(subject);
        drop(module);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "it took {took:?} to shut down");
    }
}
