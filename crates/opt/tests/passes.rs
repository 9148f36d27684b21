//! The function in a pass's header is what the pass makes of the one before it, and both behave the
//! same, in SSA form and back in register form.

mod common;

use common::eval::{Machine, Outcome};
use common::shape::{shape, shape_in_order};
use cupola_ir::{FuncId, Function, Module};
use cupola_opt::destruct::{OnDeopt, out_of_ssa};
use cupola_opt::passes;
use std::sync::Arc;

fn outcome(module: &Module, id: FuncId, func: &Function, args: &[u64]) -> Outcome {
    let bodies: Vec<Option<Arc<Function>>> = module.funcs.keys().map(|_| None).collect();
    Machine::new(module, &bodies).instead(id, func).call(id, args).0
}

fn check(name: &str, source: &str) {
    let before = common::parse(name, &common::example(source, "Before"));
    let after = common::parse(name, &common::example(source, "After"));
    let module = &before.module;
    let (id, original) = common::ssa_function(&before);
    let (_, expected) = common::ssa_function(&after);
    common::verify(module, id, &original, "before");
    let mut func = original.clone();
    (passes::find(name).expect("the pass is in the table").run)(&mut func, module);
    common::verify(module, id, &func, name);
    let printed = cupola_ir::print_function(module, id, &func);
    assert_eq!(shape(&func), shape(&expected), "{name} gives\n{printed}");
    if name == "layout" {
        let [func, expected] = [&func, &expected].map(|f| shape_in_order(f, &f.block_order()));
        assert_eq!(func, expected, "the order is\n{printed}");
    }
    let back = out_of_ssa(&func, OnDeopt::Reject).expect("examples do not deoptimize");
    // The register form of lowered accesses is for the interpreter of trusted modules.
    let trusted = Module { trusted: true, ..module.clone() };
    common::verify(&trusted, id, &back, "out_of_ssa");
    for a in [0u64, 1, 2, 8, 100, 0xffff_ffff] {
        for b in [0u64, 3, 0xffff_fff0] {
            let args: Vec<u64> = (0..func.sig.params.len()).map(|i| [a, b][i % 2]).collect();
            let expected = outcome(module, id, &original, &args);
            assert_eq!(outcome(module, id, &func, &args), expected, "{name} {args:?}");
            assert_eq!(outcome(module, id, &back, &args), expected, "{name} {args:?} back");
        }
    }
}

macro_rules! headers {
    ($($name:ident $path:literal;)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), include_str!(concat!("../src/", $path)));
        })*

        #[test]
        fn every_pass_has_an_example() {
            let tested = [$(stringify!($name)),*];
            for pass in passes::PASSES {
                assert!(tested.contains(&pass.name), "{} is not tested", pass.name);
            }
        }
    };
}

headers! {
    fold "passes/fold/mod.rs";
    sccp "passes/sccp.rs";
    gvn "passes/gvn.rs";
    dce "passes/dce.rs";
    simplify_cfg "passes/simplify_cfg.rs";
    switch "passes/switch.rs";
    layout "layout.rs";
    licm "loops/licm.rs";
    rotate "loops/rotate.rs";
    lower_memory "loops/memory.rs";
    lower_unguarded "loops/unguarded.rs";
}
