//! What hosts do with modules: functions of the host that call back, into the instance that waits
//! for them and into others.

use cupola::ir::TrapCode;
use cupola::{Caller, Engine, HostError, Memory, Store, TypedFunc};
use cupola_testkit::mode::RunMode;
use cupola_wasm::wasi::{Exit, exit_code};
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val};
use std::sync::{Arc, Mutex};

/// Goes down to zero by way of the host, adding up what comes back and keeping count in memory.
const WALKER: &str = r#"(module
  (import "host" "down" (func $down (param i32) (result i32)))
  (import "host" "other" (func $other (param i32) (result i32)))
  (memory (export "memory") 1 64)
  (func $walk (export "walk") (param $n i32) (result i32)
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (if (result i32) (i32.eqz (local.get $n)) (then (call $other (i32.const 5)))
      (else (i32.add (local.get $n) (call $down (local.get $n))))))
  (func (export "divide") (param $by i32) (result i32)
    (i32.div_s (i32.const 100) (local.get $by)))
  (func (export "through") (param $by i32) (result i32) (call $down (local.get $by))))"#;

/// The other instance's: its own memory counts, too.
const OTHER: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "square") (param $n i32) (result i32)
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
    (i32.mul (local.get $n) (local.get $n))))"#;

fn load(engine: &Engine, wat: &str) -> Module {
    let bytes = wat::parse_str(wat).expect("the test's text is well-formed");
    Module::new(engine, "test.wat", bytes, &Options::default()).expect("the module is valid")
}

fn in_every_mode(test: impl Fn(&Engine)) {
    for mode in RunMode::ALL {
        println!("in {}", mode.name);
        test(&Engine::new(mode.config()).expect("the mode is valid"));
    }
}

fn count(store: &Store, memory: Memory) -> i32 {
    let bytes = memory.data(store)[..4].try_into().expect("four bytes");
    i32::from_le_bytes(bytes)
}

#[test]
fn the_host_calls_back_the_instance_that_waits_and_another() {
    in_every_mode(|engine| {
        let mut store = Store::new(engine);
        let other = Instance::new(&mut store, &load(engine, OTHER), &Imports::new()).expect("fits");
        let square: TypedFunc<i32, i32> = other.typed(&store, "square").expect("is exported");
        let mut imports = Imports::new();
        imports
            .func_with_caller("host", "down", |caller: &mut Caller<'_>, n: i32| {
                // The memory moves or grows under the instance that waits.
                let memory = caller.instance().memory(caller, cupola::ir::MemId::from_u32(0));
                let memory = memory.ok_or("a memory")?;
                memory.grow(caller, 1).ok_or("room to grow")?;
                match caller.call("walk", &[Val::I32(n - 1)])?[..] {
                    [Val::I32(sum)] => Ok::<i32, HostError>(sum),
                    _ => Err("an i32 was expected".into()),
                }
            })
            .func_with_caller("host", "other", move |caller: &mut Caller<'_>, n: i32| {
                square.call(caller, n)
            });
        let instance = Instance::new(&mut store, &load(engine, WALKER), &imports).expect("fits");
        let walk: TypedFunc<i32, i32> = instance.typed(&store, "walk").expect("is exported");
        for round in 1..=3 {
            assert_eq!(walk.call(&mut store, 20).expect("no trap"), 210 + 25);
            let memory = instance.memory(&store, "memory").expect("is exported");
            assert_eq!(count(&store, memory), 21 * round);
            assert_eq!(memory.size(&store), 1 + 20 * round as u64);
            let others = other.memory(&store, "memory").expect("is exported");
            assert_eq!(count(&store, others), round);
        }
    });
}

#[test]
fn a_trap_of_an_inner_call_goes_on_or_is_handled() {
    in_every_mode(|engine| {
        let mut store = Store::new(engine);
        let handled = Arc::new(Mutex::new(Vec::new()));
        let mut imports = Imports::new();
        let seen = handled.clone();
        imports.func_with_caller("host", "down", move |caller: &mut Caller<'_>, by: i32| {
            match caller.call("divide", &[Val::I32(by)]) {
                Ok(_) => Ok(0),
                Err(cupola::Error::Trap(trap)) if by == 0 => {
                    seen.lock().expect("not poisoned").push(trap.code());
                    Ok(-1)
                }
                Err(error) => Err(error),
            }
        });
        imports.func("host", "other", |n: i32| n);
        let instance = Instance::new(&mut store, &load(engine, WALKER), &imports).expect("fits");
        for _ in 0..5 {
            let handled = instance.call(&mut store, "through", &[Val::I32(0)]);
            assert_eq!(handled.expect("the host handles it"), [Val::I32(-1)]);
            let result = instance.call(&mut store, "through", &[Val::I32(4)]);
            assert_eq!(result.expect("no trap"), [Val::I32(0)]);
        }
        assert_eq!(*handled.lock().expect("not poisoned"), [Some(TrapCode::IntDivByZero); 5]);
    });
}

#[test]
fn a_program_can_exit_from_an_inner_call() {
    in_every_mode(|engine| {
        let mut imports = Imports::new();
        imports.func_with_caller("host", "down", |caller: &mut Caller<'_>, n: i32| {
            caller.call("walk", &[Val::I32(n - 1)]).map(|_| 0)
        });
        imports.func("host", "other", |code: i32| Err::<i32, Exit>(Exit(code as u32)));
        let mut store = Store::new(engine);
        let instance = Instance::new(&mut store, &load(engine, WALKER), &imports).expect("fits");
        let error = instance.call(&mut store, "walk", &[Val::I32(3)]).expect_err("it exits");
        assert_eq!(exit_code(&error), Some(5));
    });
}

#[test]
fn all_imports_that_are_missing_are_named() {
    let engine = Engine::new(cupola::Config::new()).expect("the default is valid");
    let module = load(
        &engine,
        r#"(module
          (import "a" "f" (func (param i32)))
          (import "a" "there" (func))
          (import "b" "m" (memory 1))
          (import "b" "t" (table 2 externref))
          (import "b" "g" (global (mut i64))))"#,
    );
    let mut imports = Imports::new();
    imports.func("a", "there", |()| ()).func("a", "f", |_: i64| ());
    let error = Instance::new(&mut Store::new(&engine), &module, &imports).expect_err("missing");
    assert_eq!(
        error.to_string(),
        "import `a` `f`: a function of signature (i32) is not provided; \
         there is a function of signature (i64)\n\
         import `b` `m`: a memory of at least 1 pages is not provided\n\
         import `b` `t`: a table of host objects of at least 2 slots is not provided\n\
         import `b` `g`: a mutable global of type i64 is not provided"
    );
    let Error::Engine(cupola::Error::MissingImports(missing)) = error else { panic!("{error}") };
    let names: Vec<_> = missing.iter().map(|import| &*import.name).collect();
    assert_eq!(names, ["f", "m", "t", "g"]);
}
