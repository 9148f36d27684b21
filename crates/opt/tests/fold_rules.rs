//! Every rule of the folder against the evaluation functions: each integer operation with each
//! constant of note on either side, in chains, negated and as a condition, on operands of note.

mod common;

use common::eval::Machine;
use cupola_ir::{
    FuncDecl, FuncId, FuncKind, Function, FunctionBuilder, Module, Op, Signature, Type,
};
use cupola_opt::passes::FOLD;
use cupola_opt::ssa::{ConstructOptions, construct};
use std::sync::Arc;

fn values(ty: Type) -> Vec<u64> {
    let bits = u64::from(ty.bytes()) * 8;
    let mask = u64::MAX >> (64 - bits);
    let min = 1 << (bits - 1);
    [0, 1, 2, 3, 4, 7, 8, bits - 1, bits, 1000, min, min - 1, min + 1, !0, !0 - 1, !0 - 7, !0 << 4]
        .map(|value: u64| value & mask)
        .to_vec()
}

/// `op x, c` (or `op c, x`), the same once more with `d`, its negation, and a branch on it.
fn function(module: &Module, op: Op, (c, d): (u64, u64), left: bool) -> Function {
    let (params, result) = op.pure_signature().expect("a pure operation");
    let ty = params[0];
    let mut b = FunctionBuilder::new(module, Signature::new([ty], [result, Type::I32, result]));
    let x = b.param(0);
    let c = b.constant(ty, c);
    let once = if left { b.ins(op, &[c, x]) } else { b.ins(op, &[x, c]) };
    let eqz = if result == Type::I32 { Op::I32Eqz } else { Op::I64Eqz };
    let negated = b.ins(eqz, &[once]);
    let twice = if result == ty {
        let d = b.constant(ty, d);
        b.ins(op, &[once, d])
    } else {
        let doubly = b.ins(Op::I32Eqz, &[negated]);
        let zero = b.i32(0);
        b.ins(Op::I32Ne, &[doubly, zero])
    };
    let [yes, no] = [(); 2].map(|()| b.block());
    b.br_if(negated, yes, no);
    b.switch_to(yes);
    b.return_(&[once, negated, twice]);
    b.switch_to(no);
    let one = b.i32(1);
    let flipped = b.ins(Op::I32Sub, &[one, negated]);
    b.return_(&[twice, flipped, once]);
    b.finish()
}

#[test]
fn integer_operations_with_constants() {
    let main = FuncId::from_u32(0);
    for ty in [Type::I32, Type::I64] {
        for &op in Op::ALL {
            let Some((&[a, b], result)) = op.pure_signature() else { continue };
            if (a, b) != (ty, ty) {
                continue;
            }
            let mut module = Module::default();
            let sig = module.intern_sig(Signature::new([ty], [result, Type::I32, result]));
            module.funcs.push(FuncDecl { name: None, sig, kind: FuncKind::Defined });
            let values = values(ty);
            for (i, &c) in values.iter().enumerate() {
                for left in [false, true] {
                    let d = values[(i * 5 + 2) % values.len()];
                    let body = function(&module, op, (c, d), left);
                    let (mut func, _) = construct(&body, &ConstructOptions::plain(main));
                    (FOLD.run)(&mut func, &module);
                    common::verify(&module, main, &func, op.name());
                    let bodies = [Some(Arc::new(body))];
                    for &x in &values {
                        let expected = Machine::new(&module, &bodies).call(main, &[x]).0;
                        let machine = Machine::new(&module, &bodies).instead(main, &func);
                        let what = format!("{op} {x:#x}, {c:#x}, {d:#x}, constant left: {left}");
                        assert_eq!(machine.call(main, &[x]).0, expected, "{what}");
                    }
                }
            }
        }
    }
}
