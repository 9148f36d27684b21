//! Vectors wherever values can be, in all modes.

use cupola::{Engine, Global, Store};
use cupola_testkit::mode::RunMode;
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val};

const MODULE: &str = r#"(module
  (import "env" "mix" (func $mix (param i32 v128 f64 v128) (result v128 i32)))
  (import "env" "start" (global $start v128))
  (global $kept (export "kept") (mut v128) (v128.const i32x4 1 2 3 4))
  (global $copied (export "copied") v128 (global.get $start))
  (global $behind (export "behind") i32 (i32.const 77))
  (memory (export "memory") 1)
  ;; Through a host function, and a global.
  (func (export "host") (param v128 i32) (result i32 v128 v128) (local $n i32)
    (call $mix (local.get 1) (local.get 0) (f64.const 2.5) (global.get $kept))
    (local.set $n)
    (global.set $kept)
    (local.get $n) (global.get $kept) (global.get $copied))
  ;; On the stack while the local that it came from changes, and across blocks.
  (func (export "blocks") (param $a v128) (param $times i32) (result v128 i32)
    (local $zero v128)
    (local.get $a)
    (local.set $a (i32x4.add (local.get $a) (v128.const i32x4 1 1 1 1)))
    (block $out (param v128) (result v128)
      (loop $again (param v128) (result v128)
        (i32x4.add (local.get $a))
        (if (param v128) (result v128) (i32.and (local.get $times) (i32.const 1))
          (then (i32x4.sub (local.get $zero)))
          (else (i32x4.sub (v128.const i32x4 0 0 0 5))))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br_if $out (i32.eqz (local.get $times)))
        (br $again)))
    (select (result v128) (v128.const i64x2 0 0) (i32.const 1))
    (i32x4.extract_lane 2 (local.get $a)))
  ;; Through a table of branches.
  (func (export "table") (param $a v128) (param $i i32) (result v128)
    (block $x (result v128)
      (block $y (result v128)
        (local.get $a)
        (br_table $x $y $y (local.get $i)))
      (i8x16.neg)))
  (func $deep (param v128 v128 v128 v128 v128 v128 v128 v128 v128 i32) (result v128)
    (if (result v128) (local.get 9)
      (then (call $deep (local.get 8) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
        (local.get 4) (local.get 5) (local.get 6) (local.get 7)
        (i32.sub (local.get 9) (i32.const 1))))
      (else (local.get 0))))
  ;; Nine arguments, turned round.
  (func (export "deep") (param i32) (result v128)
    (call $deep (v128.const i64x2 0 10) (v128.const i64x2 1 11) (v128.const i64x2 2 12)
      (v128.const i64x2 3 13) (v128.const i64x2 4 14) (v128.const i64x2 5 15)
      (v128.const i64x2 6 16) (v128.const i64x2 7 17) (v128.const i64x2 8 18) (local.get 0)))
  ;; A hot loop with lanes of memory.
  (func (export "sum") (param $n i32) (result v128) (local $acc v128) (local $i i32)
    (loop $l
      (v128.store32_lane 3 (local.get $i) (i32x4.splat (local.get $i)))
      (local.set $acc (i32x4.add (local.get $acc)
        (v128.load32_lane 1 (local.get $i) (i32x4.splat (i32.const 1)))))
      (local.set $i (i32.add (local.get $i) (i32.const 4)))
      (br_if $l (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $acc)))"#;

fn vector(lanes: [u32; 4]) -> u128 {
    lanes.iter().rev().fold(0, |v, &lane| v << 32 | u128::from(lane))
}

fn lanes(lanes: [u32; 4]) -> Val {
    Val::V128(vector(lanes))
}

/// The calls, and what they give, in this order.
fn calls() -> Vec<(&'static str, Vec<Val>, Vec<Val>)> {
    let a = lanes([10, 20, 30, 0xffff_ffff]);
    let nine = |i: u128| Val::V128(i | (i + 10) << 64);
    vec![
        (
            "host",
            vec![a, Val::I32(5)],
            vec![Val::I32(7), lanes([11, 22, 33, 3]), lanes([9, 8, 7, 6])],
        ),
        (
            "host",
            vec![a, Val::I32(-1)],
            vec![Val::I32(1), lanes([21, 42, 63, 2]), lanes([9, 8, 7, 6])],
        ),
        ("blocks", vec![a, Val::I32(3)], vec![lanes([43, 83, 123, 0xffff_fffa]), Val::I32(31)]),
        ("table", vec![Val::V128(0x0102), Val::I32(0)], vec![Val::V128(0x0102)]),
        ("table", vec![Val::V128(0x0102), Val::I32(9)], vec![Val::V128(0xfffe)]),
        ("deep", vec![Val::I32(0)], vec![nine(0)]),
        ("deep", vec![Val::I32(40)], vec![nine(5)]),
        ("sum", vec![Val::I32(40_000)], vec![lanes([10_000, 199_980_000, 10_000, 10_000])]),
    ]
}

#[test]
fn vectors_wherever_values_can_be() -> Result<(), Error> {
    let bytes = wat::parse_str(MODULE).expect("the text is well-formed");
    let mut imports = Imports::new();
    imports.func("env", "mix", |(n, a, x, b): (i32, u128, f64, u128)| (add(a, b), n + x as i32));
    for mode in RunMode::ALL {
        let engine = Engine::new(mode.config()).expect("the mode is valid");
        let module = Module::new(&engine, "test.wat", bytes.clone(), &Options::default())?;
        for _ in 0..3 {
            let store = &mut Store::new(&engine);
            let start = Global::new(store, lanes([9, 8, 7, 6]), false);
            imports.define("env", "start", start);
            let instance = Instance::new(store, &module, &imports)?;
            let global = |store: &Store, name| {
                instance.global(store, name).expect("it is exported").get(store)
            };
            assert_eq!(global(store, "kept"), lanes([1, 2, 3, 4]));
            for (name, args, expected) in calls() {
                let found = instance.call(store, name, &args)?;
                assert_eq!(found, expected, "{name}{args:?} in {}", mode.name);
            }
            assert_eq!(global(store, "kept"), lanes([21, 42, 63, 2]));
            assert_eq!(global(store, "behind"), Val::I32(77));
        }
    }
    Ok(())
}

/// Sums of lanes of 32 bits.
fn add(a: u128, b: u128) -> u128 {
    let lane = |v: u128, i: usize| (v >> (i * 32)) as u32;
    vector(std::array::from_fn(|i| lane(a, i).wrapping_add(lane(b, i))))
}
