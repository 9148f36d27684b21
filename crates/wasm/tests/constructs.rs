//! Each construct, in all modes.

use cupola::ir::{RefType, Signature, TableDecl, TrapCode};
use cupola::{Engine, ExternRef, Global, Ref, Store, Table};
use cupola_testkit::mode::RunMode;
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val, Validation};

/// What a call must give.
enum Expect {
    Values(Vec<Val>),
    Trap(TrapCode),
}

/// Calls functions of a module in every mode, several times, so that they climb.
fn check(wat: &str, calls: &[(&str, &[Val], Expect)]) {
    let bytes = wat::parse_str(wat).expect("the test's text is well-formed");
    for mode in RunMode::ALL {
        let engine = Engine::new(mode.config()).expect("the mode is valid");
        let module = Module::new(&engine, "test.wat", bytes.clone(), &Options::default())
            .expect("the module is valid");
        for _ in 0..3 {
            let mut store = Store::new(&engine);
            let instance = Instance::new(&mut store, &module, &Imports::new())
                .expect("the module can be instantiated");
            for _ in 0..5 {
                for (name, args, expect) in calls {
                    let result = instance.call(&mut store, name, args);
                    let fits = match (&result, expect) {
                        (Ok(values), Expect::Values(expected)) => values == expected,
                        (Err(error), Expect::Trap(code)) => error.trap_code() == Some(*code),
                        _ => false,
                    };
                    assert!(fits, "in {}: {name}{args:?} gave {result:?}", mode.name);
                }
            }
        }
    }
}

fn i32s(values: &[i32]) -> Expect {
    Expect::Values(values.iter().map(|&v| Val::I32(v)).collect())
}

const fn v(value: i32) -> Val {
    Val::I32(value)
}

#[test]
fn a_local_on_the_stack_keeps_its_value() {
    check(
        r#"(module
          (func (export "set") (param i32) (result i32)
            local.get 0
            (local.set 0 (i32.add (local.get 0) (i32.const 1)))
            local.get 0
            i32.sub)
          (func (export "tee") (param i32) (result i32)
            (i32.mul (local.get 0) (local.tee 0 (i32.add (local.get 0) (i32.const 1)))))
          (func (export "branch") (param i32 i32) (result i32)
            local.get 0
            (if (local.get 1) (then (local.set 0 (i32.const 100))))
            local.get 0
            i32.add)
          (func (export "swap") (param i32 i32) (result i32 i32)
            local.get 0 local.get 1 local.set 0 local.set 1
            local.get 0 local.get 1)
          (func (export "twice") (param i32) (result i32) (local i32)
            (local.set 1 (local.tee 0 (i32.add (local.get 0) (i32.const 5))))
            (i32.add (local.get 0) (local.get 1))))"#,
        &[
            ("set", &[v(7)], i32s(&[-1])),
            ("tee", &[v(6)], i32s(&[42])),
            ("branch", &[v(1), v(0)], i32s(&[2])),
            ("branch", &[v(1), v(1)], i32s(&[101])),
            ("swap", &[v(1), v(2)], i32s(&[2, 1])),
            ("twice", &[v(1)], i32s(&[12])),
        ],
    );
}

#[test]
fn locals_start_at_zero() {
    check(
        r#"(module
          (func (export "straight") (result i32) (local i32) local.get 0)
          (func (export "one_way") (param i32) (result i32) (local i32)
            (if (local.get 0) (then (local.set 1 (i32.const 3))))
            local.get 1)
          (func (export "in_loop") (param i32) (result i32) (local i32 i32)
            (loop $l
              (local.set 2 (i32.add (local.get 2) (local.get 0)))
              (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 9))))
            local.get 2))"#,
        &[
            ("straight", &[], i32s(&[0])),
            ("one_way", &[v(0)], i32s(&[0])),
            ("one_way", &[v(1)], i32s(&[3])),
            ("in_loop", &[v(4)], i32s(&[36])),
        ],
    );
}

#[test]
fn blocks_carry_values() {
    check(
        r#"(module
          (func (export "block") (param i32) (result i32)
            (block (result i32)
              (drop (br_if 0 (i32.const 10) (local.get 0)))
              (i32.const 20)))
          (func (export "params") (param i32 i32) (result i32 i32)
            local.get 0 local.get 1
            (block (param i32 i32) (result i32 i32)
              (if (param i32 i32) (result i32 i32) (i32.eq (local.get 0) (i32.const 1))
                (then (i32.add (i32.const 1)))
                (else i32.const 5 br 1))))
          (func (export "no_else") (param i32 i32) (result i32)
            local.get 0
            (if (param i32) (result i32) (local.get 1) (then (i32.add (i32.const 7)))))
          (func (export "loop") (param i32) (result i32)
            i32.const 0 local.get 0
            (loop $l (param i32 i32) (result i32)
              local.tee 0
              i32.add
              local.get 0 i32.const 1 i32.sub
              local.tee 0
              local.get 0
              br_if $l
              drop))
          (func (export "table") (param i32) (result i32)
            (block $a (result i32)
              (block $b (result i32)
                (block $c (result i32)
                  (br_table $a $b $c $a (i32.const 40) (local.get 0)))
                (i32.add (i32.const 2)))
              (i32.add (i32.const 1))))
          (func (export "return") (param i32) (result i32)
            (br_if 0 (i32.const 1) (local.get 0)) drop
            (block (return (i32.const 2)))
            unreachable))"#,
        &[
            ("block", &[v(0)], i32s(&[20])),
            ("block", &[v(1)], i32s(&[10])),
            ("no_else", &[v(3), v(0)], i32s(&[3])),
            ("no_else", &[v(3), v(1)], i32s(&[10])),
            ("params", &[v(1), v(2)], i32s(&[1, 3])),
            ("params", &[v(4), v(2)], i32s(&[2, 5])),
            ("loop", &[v(5)], i32s(&[15])),
            ("table", &[v(0)], i32s(&[40])),
            ("table", &[v(1)], i32s(&[41])),
            ("table", &[v(2)], i32s(&[43])),
            ("table", &[v(-1)], i32s(&[40])),
            ("return", &[v(1)], i32s(&[1])),
            ("return", &[v(0)], i32s(&[2])),
        ],
    );
}

#[test]
fn calls_and_tables() {
    check(
        r#"(module
          (type $un (func (param i32) (result i32)))
          (table $t 4 8 funcref) (table $x 1 externref)
          (elem (table $t) (i32.const 0) func $inc $dec)
          (elem $passive func $dec $inc $none)
          (func $inc (type $un) (i32.add (local.get 0) (i32.const 1)))
          (func $dec (type $un) (i32.sub (local.get 0) (i32.const 1)))
          (func $none)
          (func (export "call") (param i32 i32) (result i32)
            (call_indirect $t (type $un) (local.get 1) (local.get 0)))
          (func (export "fib") (param i32) (result i32)
            (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
              (else (i32.add (call 3 (i32.sub (local.get 0) (i32.const 1)))
                             (call 3 (i32.sub (local.get 0) (i32.const 2)))))))
          (func (export "init") (table.init $t $passive (i32.const 1) (i32.const 1) (i32.const 2)))
          (func (export "grow") (result i32) (table.grow $x (ref.null extern) (i32.const 2)))
          (func (export "size") (result i32) (table.size $t))
          (func (export "set") (param externref) (result externref i32)
            (table.set $x (i32.const 0) (local.get 0))
            (table.get $x (i32.const 0))
            (ref.is_null (local.get 0)))
          (func (export "bad") (table.set $t (i32.const 4) (ref.func $inc)))
          (export "t" (table $t)))"#
            .replace("call 3", "call $fib")
            .replace("(func (export \"fib\")", "(func $fib (export \"fib\")")
            .as_str(),
        &[
            ("call", &[v(0), v(5)], i32s(&[6])),
            ("fib", &[v(10)], i32s(&[55])),
            ("call", &[v(3), v(5)], Expect::Trap(TrapCode::NullFunction)),
            ("call", &[v(4), v(5)], Expect::Trap(TrapCode::TableOutOfBounds)),
            ("init", &[], i32s(&[])),
            ("call", &[v(1), v(5)], i32s(&[6])),
            ("call", &[v(2), v(5)], Expect::Trap(TrapCode::SignatureMismatch)),
            ("size", &[], i32s(&[4])),
            (
                "set",
                &[Val::ExternRef(None)],
                Expect::Values(vec![Val::ExternRef(None), Val::I32(1)]),
            ),
            ("bad", &[], Expect::Trap(TrapCode::TableOutOfBounds)),
        ],
    );
}

#[test]
fn memory_operations() {
    check(
        r#"(module
          (memory $m 1 2) (memory $n 1)
          (data $d "abcdef") (data (memory $m) (i32.const 100) "xyz")
          (func (export "init") (param i32 i32 i32)
            (memory.init $m $d (local.get 0) (local.get 1) (local.get 2)))
          (func (export "copy") (result i32)
            (memory.copy $n $m (i32.const 7) (i32.const 100) (i32.const 3))
            (memory.fill $n (i32.const 8) (i32.const 65) (i32.const 1))
            (memory.copy $n $n (i32.const 8) (i32.const 7) (i32.const 3))
            (i32.load $n (i32.const 7)))
          (func (export "load") (param i32) (result i32) (i32.load8_u $m offset=65530 (local.get 0)))
          (func (export "size") (result i32) (memory.size $m)))"#,
        &[
            ("init", &[v(0), v(0), v(6)], i32s(&[])),
            ("init", &[v(0), v(1), v(6)], Expect::Trap(TrapCode::MemOutOfBounds)),
            ("init", &[v(65533), v(0), v(6)], Expect::Trap(TrapCode::MemOutOfBounds)),
            ("copy", &[], i32s(&[0x7a41_7878])),
            ("load", &[v(5)], i32s(&[0])),
            ("load", &[v(6)], Expect::Trap(TrapCode::MemOutOfBounds)),
            ("load", &[v(-1)], Expect::Trap(TrapCode::MemOutOfBounds)),
            ("size", &[], i32s(&[1])),
        ],
    );
}

/// Operands of bulk operations are 64 bits wide only where the memory's addresses are.
#[test]
fn operations_on_memories_of_both_widths() {
    let oob = || Expect::Trap(TrapCode::MemOutOfBounds);
    let wide = Val::I64;
    check(
        r#"(module
          (memory $m i64 1 3) (memory $n 1) (data $d "abcdef")
          (func (export "init") (param i64 i32 i32)
            (memory.init $m $d (local.get 0) (local.get 1) (local.get 2)))
          (func (export "fill") (param i64 i64)
            (memory.fill $m (local.get 0) (i32.const 7) (local.get 1)))
          (func (export "within") (param i64 i64 i64)
            (memory.copy $m $m (local.get 0) (local.get 1) (local.get 2)))
          (func (export "to_narrow") (param i32 i64 i32)
            (memory.copy $n $m (local.get 0) (local.get 1) (local.get 2)))
          (func (export "to_wide") (param i64 i32 i32)
            (memory.copy $m $n (local.get 0) (local.get 1) (local.get 2)))
          (func (export "load") (param i64) (result i32) (i32.load8_u $m (local.get 0)))
          (func (export "far") (param i64) (result i32)
            (i32.load8_u $m offset=0xffffffffffffffff (local.get 0)))
          (func (export "narrow") (param i32) (result i32) (i32.load8_u $n (local.get 0)))
          (func (export "grow") (param i64) (result i64 i64)
            (memory.grow $m (local.get 0)) (memory.size $m)))"#,
        &[
            ("init", &[wide(10), v(1), v(4)], Expect::Values(vec![])),
            ("init", &[wide(1 << 32), v(0), v(1)], oob()),
            ("init", &[wide(-1), v(0), v(2)], oob()),
            ("load", &[wide(10)], i32s(&[i32::from(b'b')])),
            ("load", &[wide(1 << 32)], oob()),
            ("load", &[wide(-1)], oob()),
            ("far", &[wide(0)], oob()),
            ("far", &[wide(1)], oob()),
            ("far", &[wide(11)], oob()),
            ("to_narrow", &[v(5), wide(10), v(3)], Expect::Values(vec![])),
            ("to_narrow", &[v(-1), wide(10), v(3)], oob()),
            ("to_narrow", &[v(5), wide(1 << 32), v(3)], oob()),
            ("narrow", &[v(7)], i32s(&[i32::from(b'd')])),
            ("to_wide", &[wide(65535), v(7), v(1)], Expect::Values(vec![])),
            ("to_wide", &[wide(65535), v(7), v(2)], oob()),
            ("load", &[wide(65535)], i32s(&[i32::from(b'd')])),
            ("within", &[wide(20), wide(10), wide(1 << 32)], oob()),
            ("within", &[wide(20), wide(-1), wide(1)], oob()),
            ("within", &[wide(20), wide(10), wide(4)], Expect::Values(vec![])),
            ("load", &[wide(22)], i32s(&[i32::from(b'd')])),
            ("fill", &[wide(30), wide(1 << 32)], oob()),
            ("fill", &[wide(-1), wide(2)], oob()),
            ("fill", &[wide(30), wide(2)], Expect::Values(vec![])),
            ("load", &[wide(31)], i32s(&[7])),
            ("grow", &[wide(1 << 32)], Expect::Values(vec![wide(-1), wide(1)])),
            ("grow", &[wide(-1)], Expect::Values(vec![wide(-1), wide(1)])),
            ("grow", &[wide(0)], Expect::Values(vec![wide(1), wide(1)])),
        ],
    );
}

fn load(wat: &str, validation: Validation) -> Result<Module, Error> {
    let engine = Engine::new(cupola::Config::new()).expect("the configuration is valid");
    let bytes = wat::parse_str(wat).expect("the test's text is well-formed");
    Module::new(&engine, "test.wat", bytes, &Options { validation, ..Options::default() })
}

#[test]
fn what_is_not_supported_is_named() {
    let name = |wat: &str| match load(wat, Validation::Eager) {
        Err(error @ Error::Unsupported { .. }) => error.to_string(),
        other => panic!("gave {:?}", other.map(|_| "a module")),
    };
    for (wat, what) in [
        ("(module (func $f (return_call $f)))", "tail call"),
        ("(module (memory 1 1 shared))", "threads"),
        ("(module (tag))", "exception"),
        ("(module (type (struct)))", "garbage collection"),
    ] {
        let message = name(wat);
        assert!(message.starts_with("not supported yet: "), "{message}");
        assert!(message.contains(what), "{message} does not name {what}");
        assert!(message.contains(", at offset "), "{message}");
    }
}

#[test]
fn invalid_functions_are_found_when_asked_for() {
    let wat = "(module (func (export \"bad\") (result i32)) (func (export \"good\")))";
    assert!(matches!(load(wat, Validation::Eager), Err(Error::Invalid { .. })));
    let module = load(wat, Validation::Lazy).expect("bodies are not looked at");
    let mut store = Store::new(&module.engine_module().engine());
    let instance = Instance::new(&mut store, &module, &Imports::new()).expect("it has no imports");
    assert!(instance.call(&mut store, "good", &[]).is_ok());
    let error = instance.call(&mut store, "bad", &[]).expect_err("it is not valid").to_string();
    assert!(error.contains("at offset"), "{error}");
}

#[test]
fn start_functions_segments_and_imports() {
    let wat = r#"(module
      (import "env" "base" (global $base i32))
      (import "env" "note" (func $note (param i32)))
      (memory (export "memory") 1)
      (global $g (export "g") i32 (i32.add (global.get $base) (i32.const 1)))
      (data (offset (global.get $base)) "hi")
      (start $start)
      (func $start (call $note (i32.load16_u (global.get $base)))))"#;
    let module = load(wat, Validation::Lazy).expect("the module is valid");
    let noted = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (sink, mut imports) = (noted.clone(), Imports::new());
    imports.func("env", "note", move |value: i32| sink.lock().expect("not poisoned").push(value));
    let store = &mut Store::new(&module.engine_module().engine());
    assert!(matches!(
        Instance::new(store, &module, &imports),
        Err(Error::Engine(cupola::Error::MissingImports(_)))
    ));
    imports.define("env", "base", Global::new(store, Val::I32(65535), false));
    let error = Instance::new(store, &module, &imports).expect_err("the segment does not fit");
    assert_eq!(error.trap_code(), Some(TrapCode::MemOutOfBounds));
    imports.define("env", "base", Global::new(store, Val::I32(16), false));
    let instance = Instance::new(store, &module, &imports).expect("all is provided");
    assert_eq!(*noted.lock().expect("not poisoned"), [0x6968]);
    assert_eq!(instance.global(store, "g").map(|g| g.get(store)), Some(Val::I32(17)));
    assert_eq!(
        &instance.memory(store, "memory").expect("it is exported").data(store)[16..18],
        b"hi"
    );
}

#[test]
fn references_pass_through_instances_of_a_store() {
    let wat = r#"(module
      (import "env" "swap" (func $swap (param funcref externref) (result externref funcref)))
      (import "env" "table" (table $x 1 4 externref))
      (import "env" "count" (global $count (mut i32)))
      (table $t 2 funcref)
      (elem declare func $next)
      (func $next (export "next") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (global.get $count))
      (func (export "run") (param externref) (result externref i32)
        (local $f funcref)
        (call $swap (ref.func $next) (local.get 0))
        (local.set $f)
        (table.set $t (i32.const 1) (local.get $f))
        (call_indirect $t (result i32) (i32.const 1)))
      (func (export "keep") (param externref) (table.set $x (i32.const 0) (local.get 0)))
      (func (export "call") (param funcref) (result i32)
        (table.set $t (i32.const 1) (local.get 0))
        (call_indirect $t (result i32) (i32.const 1)))
      (func (export "get") (result funcref) (ref.func $next)))"#;
    let bytes = wat::parse_str(wat).expect("the test's text is well-formed");
    for mode in RunMode::ALL {
        let engine = Engine::new(mode.config()).expect("the mode is valid");
        let module = Module::new(&engine, "refs.wat", bytes.clone(), &Options::default())
            .expect("the module is valid");
        let store = &mut Store::new(&engine);
        let (func, object) = (cupola::ir::Type::FuncRef, cupola::ir::Type::ExternRef);
        let sig = Signature::new([func, object], [object, func]);
        let decl =
            TableDecl { element: RefType::Extern, min: 2, max: Some(3), ..Default::default() };
        let table = Table::new(store, &decl).expect("it is small");
        let count = Global::new(store, Val::I32(0), true);
        let mut imports = Imports::new();
        imports.func_dynamic("env", "swap", sig, |_, args| Ok(vec![args[1], args[0]]));
        imports.define("env", "table", table).define("env", "count", count);
        let [first, second] =
            [0, 1].map(|_| Instance::new(store, &module, &imports).expect("all is provided"));
        let object = ExternRef::new(store, "an object");
        for round in 1..=20 {
            let results = first.call(store, "run", &[Val::ExternRef(Some(object))]);
            let expected = [Val::ExternRef(Some(object)), Val::I32(2 * round - 1)];
            assert_eq!(results.expect("it does not trap"), expected, "{}", mode.name);
            // A function of the one, called by the other through a table of its own.
            let func = first.call(store, "get", &[]).expect("it does not trap");
            let called = second.call(store, "call", &func).expect("it does not trap");
            assert_eq!(called, [Val::I32(2 * round)], "{}", mode.name);
        }
        second.call(store, "keep", &[Val::ExternRef(Some(object))]).expect("there is a slot");
        assert_eq!(table.get(store, 0), Some(Ref::Extern(Some(object))));
        assert_eq!(count.get(store), Val::I32(40));
    }
}

/// Code above T1 calls what a table of its instance holds without looking at the reference where
/// that is a function of the same instance: whatever writes the table must be seen by it.
#[test]
fn indirect_calls_see_every_write_of_a_table() {
    let wat = r#"(module
      (type $get (func (result i32)))
      (import "env" "host" (func $host (type $get)))
      (export "host" (func $host))
      (global $me (mut i32) (i32.const 0))
      (table $t (export "t") 4 20 funcref)
      (table $u 4 funcref)
      (elem (table $u) (i32.const 0) func $own $wide $own $twice)
      (elem $passive func $twice $own)
      (func $own (export "own") (result i32) (global.get $me))
      (func $twice (result i32) (i32.mul (global.get $me) (i32.const 2)))
      (func $wide (result i64) (i64.const 7))
      (func (export "be") (param i32) (global.set $me (local.get 0)))
      (func (export "call") (param i32) (result i32)
        (call_indirect $t (type $get) (local.get 0)))
      (func (export "set_own") (param i32) (table.set $t (local.get 0) (ref.func $own)))
      (func (export "set_null") (param i32) (table.set $t (local.get 0) (ref.null func)))
      (func (export "fill") (param i32) (table.fill $t (local.get 0) (ref.func $twice) (i32.const 2)))
      (func (export "copy") (param i32)
        (table.copy $t $u (local.get 0) (i32.const 0) (i32.const 4)))
      (func (export "shift") (param i32)
        (table.copy $t $t (i32.const 1) (local.get 0) (i32.const 3)))
      (func (export "init") (param i32)
        (table.init $t $passive (local.get 0) (i32.const 0) (i32.const 2)))
      (func (export "grow") (param i32)
        (drop (table.grow $t (ref.func $twice) (local.get 0)))))"#;
    let bytes = wat::parse_str(wat).expect("the test's text is well-formed");
    for mode in RunMode::ALL {
        let engine = Engine::new(mode.config()).expect("the mode is valid");
        let module = Module::new(&engine, "tables.wat", bytes.clone(), &Options::default())
            .expect("the module is valid");
        let store = &mut Store::new(&engine);
        let mut imports = Imports::new();
        imports.func("env", "host", |()| 77i32);
        let [first, second] = [3, 500].map(|me| {
            let new = Instance::new(store, &module, &imports).expect("all is provided");
            new.call(store, "be", &[v(me)]).expect("it does not trap");
            new
        });
        let table = first.table(store, "t").expect("it is exported");
        let foreign = second.call(store, "own", &[]);
        assert_eq!(foreign.expect("it does not trap"), [v(500)]);
        let foreign = second.engine().export(store, "own").expect("it is exported");
        let host = first.engine().export(store, "host").expect("it is exported");
        let called = |store: &mut Store, slot: i32| match first.call(store, "call", &[v(slot)]) {
            Ok(values) => Ok(values),
            Err(error) => Err(error.trap_code().expect("it traps")),
        };
        let null = || Err(TrapCode::NullFunction);
        let run = |store: &mut Store, name: &str, slot: i32| {
            first.call(store, name, &[v(slot)]).expect("it does not trap");
        };
        for round in 0..12 {
            run(store, "set_own", 1);
            assert_eq!(called(store, 1), Ok(vec![v(3)]), "{}", mode.name);
            assert!(table.set(store, 1, Ref::Func(Some(foreign))));
            assert_eq!(called(store, 1), Ok(vec![v(500)]), "{}", mode.name);
            assert!(table.set(store, 1, Ref::Func(Some(host))));
            assert_eq!(called(store, 1), Ok(vec![v(77)]), "{}", mode.name);
            run(store, "set_null", 1);
            assert_eq!(called(store, 1), null(), "{}", mode.name);
            run(store, "fill", 1);
            assert_eq!(called(store, 1), Ok(vec![v(6)]), "{}", mode.name);
            run(store, "copy", 0);
            assert_eq!(called(store, 0), Ok(vec![v(3)]), "{}", mode.name);
            assert_eq!(called(store, 1), Err(TrapCode::SignatureMismatch), "{}", mode.name);
            assert_eq!(called(store, 3), Ok(vec![v(6)]), "{}", mode.name);
            run(store, "shift", 0);
            assert_eq!(called(store, 1), Ok(vec![v(3)]), "{}", mode.name);
            run(store, "init", 1);
            assert_eq!(called(store, 1), Ok(vec![v(6)]), "{}", mode.name);
            assert_eq!(called(store, 2), Ok(vec![v(3)]), "{}", mode.name);
            let outside = 4 + round;
            assert_eq!(called(store, outside), Err(TrapCode::TableOutOfBounds), "{}", mode.name);
            run(store, "grow", 1);
            assert_eq!(called(store, outside), Ok(vec![v(6)]), "{}", mode.name);
        }
    }
}
