//! Cupola in another program: a host function, a module, a call, and what became of it.

use cupola::{Config, Dialects, Engine, Imports, Instance, Module, Store};

/// Adds up what the host gives, from compiled code.
pub fn main() -> Result<(), cupola::Error> {
    let config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    let engine = Engine::new(config)?;
    let text = r#"import %price(i64) -> i64 = "shop" "price"
        export func %total(n: i64) -> i64 {
        entry:
          sum = i64.const 0
          one = i64.const 1
          br next
        next:
          p = call %price(n)
          sum = i64.add sum, p
          n = i64.sub n, one
          last = i64.eqz n
          br_if last, done, next
        done:
          return sum
        }"#;
    let module = Module::from_text(&engine, "total.cir", text, &Dialects::new())?;
    let mut imports = Imports::new();
    imports.func("shop", "price", |article: i64| 3 * article);
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &imports)?;
    let total = instance.typed::<i64, i64>(&store, "total")?;
    assert_eq!(total.call(&mut store, 100_000)?, 15_000_150_000);
    println!("{}", module.report().to_table(10));
    Ok(())
}
