//! The peak compiler in one process with the program: `cargo test -p cupola --features llvm`.
#![cfg(feature = "llvm")]

use cupola::{Config, Dialects, Engine, Imports, Instance, Mode, Module, Store, Tier, Value};
use cupola_runtime::OptLevel;

const TEXT: &str = "export func %collatz(n: i64) -> i64 {
entry:
  steps = i64.const 0
  one = i64.const 1
  three = i64.const 3
  br next
next:
  done = i64.eq n, one
  br_if done, end, step
step:
  steps = i64.add steps, one
  odd = i64.and n, one
  half = i64.shr_u n, one
  up = i64.mul n, three
  up = i64.add up, one
  o = i32.wrap_i64 odd
  n = select o, up, half
  br next
end:
  return steps
}
";

/// The report on a function that ran for its value at 27.
fn run(config: Config) -> String {
    let engine = Engine::new(config).unwrap();
    let module = Module::from_text(&engine, "collatz.cir", TEXT, &Dialects::new()).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &Imports::new()).unwrap();
    let steps = instance.call(&mut store, "collatz", &[Value::I64(27)]).unwrap();
    assert_eq!(steps, [Value::I64(111)]);
    module.report().to_table(1)
}

#[test]
fn every_level_runs_in_the_process() {
    for level in OptLevel::ALL {
        let mut config = Config::new().with_llvm(level).unwrap();
        config.mode = Mode::Only(Tier::T3);
        let table = run(config);
        assert!(table.contains(&format!("llvm-{}", level.name())), "{table}");
    }
}
