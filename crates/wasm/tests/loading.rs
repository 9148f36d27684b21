//! When functions are validated, and where a module's bytes may stand.

use cupola::{Config, Engine, Store};
use cupola_wasm::{Error, Imports, Instance, Module, Options, SharedBytes, Val, Validation};

/// Functions before and behind the invalid ones; each has a body of many bytes.
const FUNCS: usize = 400;

/// A module whose functions are valid but for those of these numbers.
fn module(invalid: &[usize]) -> Vec<u8> {
    let mut text = String::from("(module\n");
    for func in 0..FUNCS {
        let fill = "(drop (i64.const 0x7777777777777777))".repeat(300);
        let result = if invalid.contains(&func) { "f32" } else { "i32" };
        text +=
            &format!("(func (export \"f{func}\") (result i32) {fill} ({result}.const {func}))\n");
    }
    wat::parse_str(text + ")").expect("the text is well-formed")
}

fn load(bytes: Vec<u8>, validation: Validation) -> Result<Module, Error> {
    let engine = Engine::new(Config::new()).expect("the configuration is valid");
    Module::new(&engine, "test", bytes, &Options { validation, ..Options::default() })
}

#[test]
fn a_lazily_found_invalid_function_traps_at_its_first_call() {
    let module = load(module(&[7]), Validation::Lazy).expect("functions are not looked at");
    let mut store = Store::new(&module.engine_module().engine());
    let instance =
        Instance::new(&mut store, &module, &Imports::new()).expect("nothing is imported");
    let call = |store: &mut Store, name: &str| instance.call(store, name, &[]);
    assert_eq!(call(&mut store, "f6").expect("it is valid"), [Val::I32(6)]);
    for _ in 0..2 {
        let message = call(&mut store, "f7").expect_err("it is not valid").to_string();
        assert!(message.contains("type mismatch") && message.contains("at offset"), "{message}");
    }
    assert_eq!(call(&mut store, "f8").expect("it is valid"), [Val::I32(8)]);
}

#[test]
fn the_first_error_is_found_on_one_thread_and_on_several() {
    let bytes = module(&[130, 131, 390]);
    let message = |validation| match load(bytes.clone(), validation) {
        Err(Error::Invalid { message, offset }) => (message, offset),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it is accepted"),
    };
    let first = message(Validation::Eager);
    for _ in 0..10 {
        assert_eq!(message(Validation::EagerParallel), first);
    }
    let only = load(module(&[130]), Validation::Eager).err().map(|error| error.to_string());
    assert_eq!(only, Some(format!("{}, at offset {}", first.0, first.1)));
}

#[test]
fn a_module_that_was_validated_at_load_runs() {
    for validation in [Validation::Eager, Validation::EagerParallel] {
        let module = load(module(&[]), validation).expect("it is valid");
        let mut store = Store::new(&module.engine_module().engine());
        let instance = Instance::new(&mut store, &module, &Imports::new()).expect("no imports");
        let last = instance.call(&mut store, "f399", &[]).expect("it returns");
        assert_eq!(last, [Val::I32(399)]);
    }
}

#[test]
fn bytes_may_be_a_part_of_something_larger() {
    let mut bytes = b"in front".to_vec();
    let start = bytes.len();
    bytes.extend(
        wat::parse_str(
            r#"(module (memory 1) (data (i32.const 4) "\2a")
            (func (export "f") (result i32) (i32.load8_u (i32.const 4))))"#,
        )
        .expect("the text is well-formed"),
    );
    let end = bytes.len();
    bytes.extend(b"behind");
    let all = SharedBytes::new(bytes);
    assert!(all.slice(start..end + 7).is_none());
    let part = all.slice(start..end).expect("it is inside");
    let engine = Engine::new(Config::new()).expect("the configuration is valid");
    let module = Module::new(&engine, "part", part, &Options::default()).expect("it is valid");
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &Imports::new()).expect("no imports");
    assert_eq!(instance.call(&mut store, "f", &[]).expect("it returns"), [Val::I32(42)]);
}
