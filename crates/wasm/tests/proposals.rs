//! Proposals that are switched off.

use cupola::{Config, Engine, Store};
use cupola_wasm::{Error, Imports, Instance, Module, Options, Proposals, Validation};

/// For each proposal a module that uses it, and what the error says.
const USES: [(Proposals, &str, &str); 4] = [
    (
        Proposals::EXTENDED_CONST,
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        "constant expression required",
    ),
    (Proposals::MULTI_MEMORY, "(module (memory 1) (memory 1))", "multiple memories"),
    (Proposals::MEMORY64, "(module (memory i64 1))", "memory64 must be enabled"),
    (
        Proposals::RELAXED_SIMD,
        r#"(module (func (export "f") (param v128) (result v128)
            (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))
          (func (export "g") (drop (call 0 (v128.const i64x2 0 0)))))"#,
        "relaxed SIMD support is not enabled",
    ),
];

fn load(wat: &str, proposals: Proposals, validation: Validation) -> Result<Module, Error> {
    let engine = Engine::new(Config::new()).expect("the configuration is valid");
    let bytes = wat::parse_str(wat).expect("the test's text is well-formed");
    Module::new(&engine, "test.wat", bytes, &Options { validation, proposals })
}

#[test]
fn all_are_on_unless_switched_off() {
    assert_eq!(Options::default().proposals, Proposals::all());
    for (_, wat, _) in USES {
        let module = load(wat, Proposals::default(), Validation::Eager);
        assert!(module.is_ok(), "{wat}: {:?}", module.err());
    }
}

#[test]
fn one_that_is_off_is_an_error_with_its_place() {
    for (proposal, wat, expected) in USES {
        match load(wat, Proposals::all() - proposal, Validation::Eager) {
            Err(Error::Invalid { message, offset }) => {
                assert!(message.contains(expected), "{message}");
                assert!(offset > 8, "{message}");
            }
            other => panic!("{wat} gave {:?}", other.map(|_| "a module")),
        }
    }
}

#[test]
fn each_can_be_on_alone() {
    for (proposal, wat, _) in USES {
        for (other, ..) in USES {
            let accepted = load(wat, other, Validation::Eager).is_ok();
            assert_eq!(accepted, proposal == other, "{wat} with {other:?}");
        }
    }
}

#[test]
fn what_functions_use_is_refused_when_they_are_validated() {
    let (proposal, wat, expected) = USES[3];
    let without = Proposals::all() - proposal;
    let module = load(wat, without, Validation::Lazy).expect("functions are not looked at");
    let mut store = Store::new(&module.engine_module().engine());
    let instance = Instance::new(&mut store, &module, &Imports::new()).expect("no imports");
    let error = instance.call(&mut store, "g", &[]).expect_err("it calls an invalid function");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn they_have_names() {
    let of_names: Option<Vec<_>> = Proposals::names().map(Proposals::named).collect();
    let all = of_names.expect("names are known").into_iter().collect::<Proposals>();
    assert_eq!(all, Proposals::all());
    assert_eq!(Proposals::named("multi-memory"), Some(Proposals::MULTI_MEMORY));
    assert_eq!(Proposals::named("gc"), None);
}
