//! What scripts may import from the module `spectest`.

use cupola::ir::{MemoryDecl, TableDecl};
use cupola::{Global, Memory, Store, Table};
use cupola_wasm::{Imports, Val};

/// The imports, with their state in this store.
pub(crate) fn imports(store: &mut Store) -> Imports {
    let mut imports = Imports::new();
    imports
        .func("spectest", "print", |(): ()| ())
        .func("spectest", "print_i32", |_: i32| ())
        .func("spectest", "print_i64", |_: i64| ())
        .func("spectest", "print_f32", |_: f32| ())
        .func("spectest", "print_f64", |_: f64| ())
        .func("spectest", "print_i32_f32", |_: (i32, f32)| ())
        .func("spectest", "print_f64_f64", |_: (f64, f64)| ());
    let globals = [
        ("global_i32", Val::I32(666)),
        ("global_i64", Val::I64(666)),
        ("global_f32", Val::F32(666.6)),
        ("global_f64", Val::F64(666.6)),
    ];
    for (name, value) in globals {
        imports.define("spectest", name, Global::new(store, value, false));
    }
    // A script that needs one which the limits do not allow finds that it is missing.
    if let Ok(memory) = Memory::new(store, &MemoryDecl::new(1, Some(2))) {
        imports.define("spectest", "memory", memory);
    }
    for (name, table64) in [("table", false), ("table64", true)] {
        let table = TableDecl { min: 10, max: Some(20), table64, ..TableDecl::default() };
        if let Ok(table) = Table::new(store, &table) {
            imports.define("spectest", name, table);
        }
    }
    imports
}
