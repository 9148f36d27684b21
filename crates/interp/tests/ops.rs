//! Every pure opcode in every form that T0 has for it, against the opcode table's evaluation.

mod world;

use cupola_ir::{Module, Op};
use world::World;
use world::forms::{
    Form, SHAPES, canonical, combinations, from_slots, immediates, interesting, module_of, to_slots,
};

fn pure_ops() -> impl Iterator<Item = Op> {
    Op::ALL.iter().copied().filter(|op| op.pure_signature().is_some())
}

/// All forms of an operation: on registers, and with each constant as last operand.
fn forms(op: Op) -> Vec<Form> {
    let (params, _) = op.pure_signature().unwrap();
    let constants = interesting(params[params.len() - 1]).into_iter().map(Some);
    let lasts: Vec<_> = [None].into_iter().chain(constants).collect();
    let immediates = immediates(op).into_iter();
    immediates.flat_map(|imm| lasts.iter().map(move |&last| Form { op, last, imm })).collect()
}

/// The operands given by parameters, for each combination, with all operands.
fn inputs(form: Form) -> impl Iterator<Item = (Vec<u128>, Vec<u128>)> {
    combinations(form.types().0).into_iter().filter_map(move |all| match form.last {
        Some(last) if all[all.len() - 1] != last => None,
        Some(_) => Some((all[..all.len() - 1].to_vec(), all)),
        None => Some((all.clone(), all)),
    })
}

fn agrees(world: &World, name: &str, form: Form, args: &[u128], all: &[u128]) {
    let expected = form.op.eval(form.imm, all).unwrap().map(|bits| canonical(form.op, bits));
    let found = match world.call(name, &to_slots(form.types().0, args)) {
        Ok(results) => Ok(canonical(form.op, from_slots(&results))),
        Err(trap) => Err(trap.trap_code().unwrap()),
    };
    assert_eq!(found, expected, "{form:?} of {all:x?}");
}

#[test]
fn results_and_traps_are_those_of_the_table() {
    let module = Module::default();
    for op in pure_ops() {
        let forms = forms(op);
        let world = module_of(forms.iter().map(|form| form.plain(&module)));
        for (i, &form) in forms.iter().enumerate() {
            for (args, all) in inputs(form) {
                agrees(&world, &format!("f{i}"), form, &args, &all);
            }
        }
    }
}

#[test]
fn fused_branches_go_where_the_comparison_says() {
    let module = Module::default();
    let mut seen = 0;
    for op in pure_ops().filter(|op| op.is_compare()) {
        let forms: Vec<_> =
            forms(op).into_iter().flat_map(|f| SHAPES.map(|shape| (f, shape))).collect();
        let world = module_of(forms.iter().map(|(form, shape)| form.branch(&module, *shape)));
        for (i, &(form, shape)) in forms.iter().enumerate() {
            for (mut args, all) in inputs(form) {
                let cond = op.eval(form.imm, &all).unwrap().unwrap() != 0;
                args.push(3);
                let args: Vec<u64> = args.iter().map(|&arg| arg as u64).collect();
                let held = world.call(&format!("f{i}"), &args).unwrap()[0] as u32;
                assert_eq!(held, Form::held(shape, cond, 3), "{form:?} {shape:?} of {all:x?}");
            }
        }
        seen += 1;
    }
    assert!(seen > 20, "comparisons are marked in the table");
}
