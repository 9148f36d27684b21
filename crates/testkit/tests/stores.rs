//! Stores of several instances, in every mode: what they import from each other and from the host.

use cupola::ir::{
    GlobalId, MemId, MemoryDecl, RefType, Signature, TableDecl, TableId, TrapCode, Type,
};
use cupola::{
    Dialects, Engine, Error, ExternRef, Global, Imports, Instance, Memory, Module, Ref, Store,
    Table, Value,
};
use cupola_testkit::mode::RunMode;

fn module(engine: &Engine, name: &str, text: &str) -> Module {
    Module::from_text(engine, name, text, &Dialects::new()).unwrap_or_else(|e| panic!("{e}"))
}

/// Runs a test in an engine of each mode.
fn in_every_mode(test: impl Fn(&Engine)) {
    for mode in RunMode::ALL {
        println!("{}", mode.name);
        test(&Engine::new(mode.config()).unwrap());
    }
}

/// What `provider` has: a memory that grows, a counter, a table with functions of its own.
const PROVIDER: &str = r#"
memory $m 1 8
global $count mut i64 = 0
global $limit i64 = 100
table $t 3 6 = [%double, %grow]
export func %double(n: i64) -> i64 {
entry:
  c = global.get $count
  one = i64.const 1
  c = i64.add c, one
  global.set $count, c
  r = i64.add n, n
  return r
}
export func %grow(n: i64) -> i64 {
entry:
  one = i32.const 1
  old = memory.grow $m, one
  r = i64.extend_i32_s old
  return r
}
export func %fail(n: i64) -> i64 {
entry:
  z = i64.const 0
  r = i64.div_s n, z
  return r
}
"#;

const USER: &str = r#"
import memory $m 1 8 = "p" "m"
import global $count mut i64 = "p" "count"
import global $limit i64 = "p" "limit"
import table $t 2 = "p" "t"
import %double(i64) -> i64 = "p" "double"
import %grow(i64) -> i64 = "p" "grow"
import %fail(i64) -> i64 = "p" "fail"
import %host(i64) -> i64 = "h" "host"
global $own mut i64 = 7
export func %run(n: i64) -> i64 {
entry:
  sum = i64.const 0
  one = i64.const 1
  br loop
loop:
  d = call %double(n)
  sum = i64.add sum, d
  zero = i32.const 0
  e = call_indirect $t[zero](n) : (i64) -> i64
  sum = i64.add sum, e
  o = global.get $own
  o = i64.add o, one
  global.set $own, o
  n = i64.sub n, one
  more = i64.gt_s n, one
  br_if more, loop, done
done:
  c = global.get $count
  l = global.get $limit
  sum = i64.add sum, c
  sum = i64.add sum, l
  o = global.get $own
  sum = i64.add sum, o
  return sum
}
export func %store_after_growth(v: i64) -> i64 {
entry:
  n = memory.size $m
  old = call %grow(v)
  page = i32.const 16
  address = i32.shl n, page
  i64.store $m, address, v
  r = i64.load $m, address
  now = memory.size $m
  w = i64.extend_i32_u now
  r = i64.add r, w
  return r
}
export func %indirect(n: i64, slot: i32) -> i64 {
entry:
  r = call_indirect $t[slot](n) : (i64) -> i64
  return r
}
export func %fails(n: i64) -> i64 {
entry:
  r = call %fail(n)
  return r
}
export func %reset() {
entry:
  zero = i64.const 0
  global.set $count, zero
  return
}
export func %to_host(n: i64) -> i64 {
entry:
  r = call %host(n)
  return r
}
"#;

struct Pair {
    store: Store,
    provider: Instance,
    user: Instance,
}

fn provide(imports: &mut Imports, store: &Store, provider: Instance) {
    for name in ["double", "grow", "fail"] {
        imports.define("p", name, provider.export(store, name).unwrap());
    }
    let (count, limit) = (GlobalId::from_u32(0), GlobalId::from_u32(1));
    imports
        .define("p", "m", provider.memory(store, MemId::from_u32(0)).unwrap())
        .define("p", "t", provider.table(store, TableId::from_u32(0)).unwrap())
        .define("p", "count", provider.global(store, count).unwrap())
        .define("p", "limit", provider.global(store, limit).unwrap());
}

fn pair(engine: &Engine) -> Pair {
    let mut store = Store::new(engine);
    let provider = module(engine, "provider", PROVIDER);
    let provider = Instance::new(&mut store, &provider, &Imports::new()).unwrap();
    let mut imports = Imports::new();
    provide(&mut imports, &store, provider);
    // Calls back into the instance that waits, which calls the provider.
    imports.func_with_caller("h", "host", |caller, n: i64| {
        let results = caller.call("indirect", &[Value::I64(n + 1), Value::I32(0)])?;
        Ok::<i64, cupola::HostError>(match results[..] {
            [Value::I64(r)] => r + 1,
            _ => return Err("an i64 was expected".into()),
        })
    });
    let user = Instance::new(&mut store, &module(engine, "user", USER), &imports).unwrap();
    Pair { store, provider, user }
}

fn i64_of(results: Result<Vec<Value>, Error>) -> i64 {
    match results.unwrap_or_else(|e| panic!("{e}"))[..] {
        [Value::I64(value)] => value,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn instances_share_memories_tables_globals_and_functions() {
    in_every_mode(|engine| {
        let Pair { mut store, provider, user } = pair(engine);
        let store = &mut store;
        for round in 0..30 {
            user.call(store, "reset", &[]).unwrap();
            let n = 40;
            // 2 + … + 40, four times; 78 calls; the limit; the user's own counter.
            let sum = i64_of(user.call(store, "run", &[Value::I64(n)]));
            assert_eq!(sum, 4 * (n * (n + 1) / 2 - 1) + 78 + 100 + 7 + 39 * (round + 1));
            let host = i64_of(user.call(store, "to_host", &[Value::I64(round)]));
            assert_eq!(host, 2 * (round + 1) + 1);
        }
        let count = provider.global(store, GlobalId::from_u32(0)).unwrap();
        assert_eq!(count.get(store), Value::I64(79));
        assert!(count.set(store, Value::I64(5)));
        let limit = provider.global(store, GlobalId::from_u32(1)).unwrap();
        assert!(!limit.set(store, Value::I64(5)));
        for pages in 2..=8 {
            let sum = i64_of(user.call(store, "store_after_growth", &[Value::I64(1000)]));
            assert_eq!(sum, 1000 + pages);
        }
        let full = user.call(store, "store_after_growth", &[Value::I64(1)]).unwrap_err();
        assert!(matches!(&full, Error::Trap(t) if t.code() == Some(TrapCode::MemOutOfBounds)));
        let memory = user.memory(store, MemId::from_u32(0)).unwrap();
        assert_eq!(memory.size(store), 8);
        assert_eq!(Some(memory), provider.memory(store, MemId::from_u32(0)));
    });
}

#[test]
fn backtraces_name_the_module_of_each_frame() {
    in_every_mode(|engine| {
        let Pair { mut store, user, .. } = pair(engine);
        for _ in 0..20 {
            let error = user.call(&mut store, "fails", &[Value::I64(1)]).unwrap_err();
            let Error::Trap(trap) = error else { panic!("{error}") };
            assert_eq!(trap.code(), Some(TrapCode::IntDivByZero));
            let names: Vec<&str> = trap
                .backtrace()
                .iter()
                .map(|line| line.split_once(':').map_or(&line[..], |(name, _)| name))
                .collect();
            assert_eq!(names, ["%fail (provider", "%fails (user"]);
        }
    });
}

#[test]
fn tables_hold_functions_of_any_instance_of_the_store() {
    in_every_mode(|engine| {
        let Pair { mut store, provider, user } = pair(engine);
        let store = &mut store;
        let table = user.table(store, TableId::from_u32(0)).unwrap();
        assert_eq!((table.size(store), table.max(store)), (3, Some(6)));
        let call = |store: &mut Store, slot| {
            user.call(store, "indirect", &[Value::I64(3), Value::I32(slot)])
        };
        let code = |result: Result<_, Error>| match result {
            Err(Error::Trap(trap)) => trap.code(),
            other => panic!("{other:?}"),
        };
        for _ in 0..20 {
            assert_eq!(i64_of(call(store, 0)), 6);
            assert_eq!(code(call(store, 2)), Some(TrapCode::NullFunction));
            assert_eq!(code(call(store, 3)), Some(TrapCode::TableOutOfBounds));
        }
        // The user's own function, and one that the host provides.
        let to_host = user.export(store, "to_host").unwrap();
        assert_eq!(table.grow(store, 2, Ref::Func(Some(to_host))), Some(3));
        let host = user.func(store, user.module(store).func("host").unwrap());
        assert!(table.set(store, 4, Ref::Func(Some(host))));
        let reset = user.export(store, "reset").unwrap();
        assert!(table.set(store, 2, Ref::Func(Some(reset))));
        for _ in 0..20 {
            assert_eq!(i64_of(call(store, 3)), 9);
            assert_eq!(i64_of(call(store, 4)), 9);
            assert_eq!(code(call(store, 2)), Some(TrapCode::SignatureMismatch));
        }
        let double = provider.export(store, "double").unwrap();
        assert_eq!(table.get(store, 0), Some(Ref::Func(Some(double))));
        assert!(table.copy(store, 1, table, 0, 4) && table.fill(store, 0, 1, Ref::Func(None)));
        assert_eq!(i64_of(call(store, 1)), 6);
        assert_eq!(code(call(store, 0)), Some(TrapCode::NullFunction));
        assert!(!table.copy(store, 3, table, 0, 3));
        assert_eq!(table.grow(store, 2, Ref::Func(None)), None);
        assert!(!table.set(store, 0, Ref::Extern(None)));
    });
}

#[test]
fn hosts_make_memories_tables_and_globals() {
    in_every_mode(|engine| {
        let mut store = Store::new(engine);
        let store = &mut store;
        let provider = module(engine, "provider", PROVIDER);
        let provider = Instance::new(store, &provider, &Imports::new()).unwrap();
        let memory = Memory::new(store, &MemoryDecl::new(1, Some(4))).unwrap();
        let table = Table::new(store, &TableDecl { min: 2, ..TableDecl::default() }).unwrap();
        let count = Global::new(store, Value::I64(10), true);
        let mut imports = Imports::new();
        provide(&mut imports, store, provider);
        imports.define("p", "m", memory).define("p", "t", table).define("p", "count", count);
        imports.func("h", "host", |n: i64| n);
        let user = Instance::new(store, &module(engine, "user", USER), &imports).unwrap();
        let double = provider.export(store, "double").unwrap();
        assert!(table.set(store, 0, Ref::Func(Some(double))));
        for _ in 0..20 {
            count.set(store, Value::I64(10));
            let before = i64_of(user.call(store, "indirect", &[2i64.into(), 0i32.into()]));
            assert_eq!(before, 4);
            user.call(store, "reset", &[]).unwrap();
            assert_eq!(count.get(store), Value::I64(0));
        }
        memory.data_mut(store)[65536 - 1] = 3;
        assert_eq!(memory.grow(store, 3), Some(1));
        assert_eq!((memory.data(store)[65535], memory.data(store).len()), (3, 4 << 16));
        assert_eq!(memory.grow(store, 1), None);
    });
}

#[test]
fn imports_of_other_types_are_refused() {
    let engine = Engine::new(cupola::Config::new()).unwrap();
    let store = &mut Store::new(&engine);
    let message = |store: &mut Store, text: &str, imports: &Imports| {
        let error = Instance::new(store, &module(&engine, "test", text), imports).unwrap_err();
        assert!(matches!(error, Error::MissingImports(_)), "{error}");
        error.to_string()
    };
    let mut imports = Imports::new();
    let small = Memory::new(store, &MemoryDecl::new(1, None)).unwrap();
    let extern_table = TableDecl { element: RefType::Extern, min: 4, ..TableDecl::default() };
    let extern_table = Table::new(store, &extern_table).unwrap();
    let global = Global::new(store, Value::I64(1), false);
    imports.define("p", "m", small).define("p", "t", extern_table).define("p", "g", global);
    imports.func("p", "f", |n: i32| n);
    for (text, wanted, found) in [
        ("memory $m 1 = \"p\" \"none\"", "a memory of at least 1 pages", ""),
        (
            "memory $m 2 = \"p\" \"m\"",
            "a memory of at least 2 pages",
            "a memory of at least 1 pages",
        ),
        ("memory $m 1 3 = \"p\" \"m\"", "a memory of 1 to 3 pages", "a memory of at least 1 pages"),
        (
            "memory $m 1 = \"p\" \"g\"",
            "a memory of at least 1 pages",
            "an immutable global of type i64",
        ),
        (
            "table $t 1 = \"p\" \"t\"",
            "a table of functions of at least 1 slots",
            "a table of host objects of at least 4 slots",
        ),
        (
            "global $g mut i64 = \"p\" \"g\"",
            "a mutable global of type i64",
            "an immutable global of type i64",
        ),
        (
            "global $g i32 = \"p\" \"g\"",
            "an immutable global of type i32",
            "an immutable global of type i64",
        ),
        (
            "%f(i64) = \"p\" \"f\"",
            "a function of signature (i64)",
            "a function of signature (i32) -> i32",
        ),
        (
            "%f(i64) = \"p\" \"t\"",
            "a function of signature (i64)",
            "a table of host objects of at least 4 slots",
        ),
    ] {
        let message = message(store, &format!("import {text}\n"), &imports);
        let hint = if found.is_empty() { String::new() } else { format!("; there is {found}") };
        assert!(message.ends_with(&format!(": {wanted} is not provided{hint}")), "{message}");
    }
    let other = &mut Store::new(&engine);
    let text = "import memory $m 1 = \"p\" \"m\"\n";
    assert!(message(other, text, &imports).contains("something of another store"));
}

#[test]
#[should_panic(expected = "another store than its own")]
fn handles_of_other_stores_panic() {
    let engine = Engine::new(cupola::Config::new()).unwrap();
    let global = Global::new(&mut Store::new(&engine), Value::I64(1), false);
    global.get(&Store::new(&engine));
}

#[test]
fn objects_of_the_host_stay_in_their_store() {
    let engine = Engine::new(cupola::Config::new()).unwrap();
    let store = &mut Store::new(&engine);
    let decl = TableDecl { element: RefType::Extern, min: 2, ..TableDecl::default() };
    let table = Table::new(store, &decl).unwrap();
    let object = ExternRef::new(store, "an object".to_owned());
    assert!(table.set(store, 1, Ref::Extern(Some(object))));
    let Some(Ref::Extern(Some(found))) = table.get(store, 1) else { panic!("it was just set") };
    assert_eq!(found.object(store).downcast_ref::<String>().unwrap(), "an object");
    assert_eq!(table.get(store, 0), Some(Ref::null(RefType::Extern)));
    assert_eq!(table.get(store, 2), None);
}

#[test]
fn recursion_between_instances_ends_as_a_stack_overflow() {
    let text = r#"
import %other(i64) -> i64 = "p" "other"
export func %down(n: i64) -> i64 {
entry:
  one = i64.const 1
  n = i64.add n, one
  r = call %other(n)
  r = i64.add r, one
  return r
}
"#;
    in_every_mode(|engine| {
        let mut store = Store::new(engine);
        let store = &mut store;
        let table = Table::new(store, &TableDecl { min: 1, ..TableDecl::default() }).unwrap();
        let mut imports = Imports::new();
        imports.define("p", "t", table);
        let bridge = r#"
import table $t 1 = "p" "t"
export func %other(n: i64) -> i64 {
entry:
  zero = i32.const 0
  r = call_indirect $t[zero](n) : (i64) -> i64
  return r
}
"#;
        let bridge = Instance::new(store, &module(engine, "bridge", bridge), &imports).unwrap();
        imports.define("p", "other", bridge.export(store, "other").unwrap());
        let down = Instance::new(store, &module(engine, "down", text), &imports).unwrap();
        let func = down.export(store, "down").unwrap();
        assert_eq!(func.sig(store), &Signature::new([Type::I64], [Type::I64]));
        assert!(table.set(store, 0, Ref::Func(Some(func))));
        for _ in 0..3 {
            let error = func.call(store, &[Value::I64(0)]).unwrap_err();
            let Error::Trap(trap) = error else { panic!("{error}") };
            assert_eq!(trap.code(), Some(TrapCode::StackOverflow));
            let modules: Vec<u32> = trap.frames.iter().map(|frame| frame.module).collect();
            assert!(modules.windows(2).all(|pair| pair[0] != pair[1]), "{modules:?}");
        }
    });
}
