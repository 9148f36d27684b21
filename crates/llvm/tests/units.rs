//! Functions that are compiled together: who comes in, that activations are told apart in their
//! common code, that they are given up together.

use cupola::{Dialects, Engine, Error, Imports, Instance, Module, Store, Tier, Value};
use cupola_runtime::OptLevel;
use cupola_testkit::mode::{only_under, stressed, test_peak};
use std::time::{Duration, Instant};

/// Two functions that call each other, too often to be inlined; the last divides by `d`. A guard
/// fails in one of them if `d` is above 1000.
const PROGRAM: &str = "\
export func %even(n: i32, d: i32) -> i32 {
entry:
  one = i32.const 1
  br_if n, more, last
last:
  h = i32.const 100
  r = i32.div_s h, d
  return r
more:
  m = i32.sub n, one
  r = call %odd(m, d)
  s = i32.add r, one
  return s
}
export func %odd(n: i32, d: i32) -> i32 {
entry:
  two = i32.const 2
  one = i32.const 1
  k = i32.const 1000
  c = i32.le_s d, k
  guard c, usual, large
usual:
  br_if n, more, last
large:
  d = i32.sub d, one
  br_if n, more, last
last:
  r = i32.rem_s two, d
  return r
more:
  m = i32.sub n, one
  r = call %even(m, d)
  s = i32.add r, two
  return s
}
";

/// An instance of the program.
struct Subject {
    store: Store,
    instance: Instance,
    module: Module,
}

impl Subject {
    fn new(config: cupola::Config) -> Subject {
        let engine = Engine::new(config).unwrap();
        let module = Module::from_text(&engine, "units", PROGRAM, &Dialects::new()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &Imports::new()).unwrap();
        Subject { store, instance, module }
    }

    /// In auto mode, with both functions in code of one unit.
    fn warm() -> Subject {
        test_peak(cupola_llvm::peak(OptLevel::O3));
        // The peak compiler is not asked before both functions are hot.
        let mut config = stressed("sync");
        config.tuning.peak_after_ns = 20_000_000;
        let mut subject = Subject::new(config);
        let started = Instant::now();
        let climbed = |units: &[(String, Tier, Option<String>)]| {
            !units.is_empty() && units.iter().all(|(_, tier, _)| *tier == Tier::T3)
        };
        while !climbed(&subject.units()) && started.elapsed() < Duration::from_secs(20) {
            for n in 0..200 {
                subject.call("even", n % 40, 7).unwrap();
            }
        }
        let units = subject.units();
        assert!(
            climbed(&units)
                && units.iter().all(|(_, _, unit)| *unit == units[0].2)
                && units[0].2.is_some(),
            "not one unit: {units:?}"
        );
        subject
    }

    fn call(&mut self, name: &str, n: i32, d: i32) -> Result<Vec<Value>, Error> {
        self.instance.call(&mut self.store, name, &[Value::I32(n), Value::I32(d)])
    }

    /// What the account says of each function: name, tier of calls, unit.
    fn units(&self) -> Vec<(String, Tier, Option<String>)> {
        let functions = self.module.report().functions;
        functions.into_iter().map(|func| (func.name, func.call_tier, func.unit)).collect()
    }

    /// Result, or trap and the functions and places of all activations.
    fn outcome(&mut self, name: &str, n: i32, d: i32) -> String {
        match self.call(name, n, d) {
            Ok(values) => format!("{values:?}"),
            Err(Error::Trap(trap)) => {
                let frames = trap.frames.iter().map(|frame| (frame.func, frame.loc));
                format!("{:?} in {:?}", trap.code(), frames.collect::<Vec<_>>())
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn activations_of_members_are_told_apart() {
    let mut subject = Subject::warm();
    let mut interpreted = Subject::new(only_under(Tier::T0, ""));
    for (name, n, d) in
        [("even", 8, 0), ("odd", 8, 0), ("even", 7, 0), ("odd", 0, 0), ("even", 9, 3)]
    {
        let expected = interpreted.outcome(name, n, d);
        assert_eq!(subject.outcome(name, n, d), expected, "{name}({n}, {d})");
    }
    assert!(interpreted.outcome("even", 8, 0).starts_with("Some("), "a trap");
    assert!(subject.units().iter().all(|(_, tier, _)| *tier == Tier::T3));
}

#[test]
fn members_are_given_up_together() {
    let mut subject = Subject::warm();
    let mut interpreted = Subject::new(only_under(Tier::T0, ""));
    let mut given_up = false;
    for n in 0..100 {
        let expected = interpreted.outcome("even", n % 30, 2000 + n);
        assert_eq!(subject.outcome("even", n % 30, 2000 + n), expected, "after {n} calls");
        let tiers: Vec<Tier> = subject.units().iter().map(|(_, tier, _)| *tier).collect();
        given_up |= tiers.iter().all(|&tier| tier < Tier::T3);
        if given_up {
            break;
        }
        assert!(tiers.iter().all(|&tier| tier == Tier::T3), "only one was given up: {tiers:?}");
    }
    assert!(given_up, "the guard never failed often enough");
}

#[test]
fn who_was_given_up_by_request_takes_the_others_along() {
    let mut subject = Subject::warm();
    let func = subject.instance.export(&subject.store, "odd").unwrap().id(&subject.store);
    subject.module.deoptimize(func);
    assert!(subject.units().iter().all(|(_, tier, _)| *tier < Tier::T3), "{:?}", subject.units());
    let mut interpreted = Subject::new(only_under(Tier::T0, ""));
    assert_eq!(subject.outcome("even", 21, 3), interpreted.outcome("even", 21, 3));
}
