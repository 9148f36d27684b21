//! Random programs.
//!
//! A program is a module of several functions in register form: any graph of blocks (also
//! irreducible), calls of each other (also recursive), indirect and host calls, dialect
//! operations, several memories with addresses of 32 and 64 bits, globals, tables, guards, traps,
//! and all pure operations, scalar and vector. It always ends:
//! edges that go back pass a check of the activation's step counter, and function entries one of a
//! global budget of calls.
//!
//! What a program does must not depend on the tier, so payload and sign of NaN, which operations
//! leave open, are made the same before anything could see them: before a reinterpretation, a
//! store, and the sign operand of `copysign`; of vectors, behind each operation that could make
//! one, as all operations see bits of vectors.

mod body;
mod check;
mod choices;
mod shrink;

pub use check::{
    Calls, Mismatch, check, check_bytes, check_seed, first_mismatch, first_mismatch_under,
};
pub use choices::Choices;
pub use shrink::shrink;

use body::BodyGenerator;
use cupola::ir::{
    DialectOpDecl, EagerBodies, Effects, FuncDecl, FuncId, FuncKind, FunctionBuilder, GlobalDecl,
    GlobalId, MemoryDecl, Module, Op, SigId, Signature, TableDecl, Type,
};

/// A random program. `run(a, b, n)` calls `main(a + i, b)` for `i` below `n`.
#[derive(Clone, Debug)]
pub struct Program {
    /// The module.
    pub module: Module,
    /// Bodies of the functions that it defines.
    pub bodies: EagerBodies,
}

/// The global with the number of calls that may still be made.
pub(crate) fn budget() -> GlobalId {
    GlobalId::from_u32(0)
}

/// How many calls one call from outside may make.
const CALLS: i32 = 250;

impl Program {
    /// The program that these decisions make.
    pub fn generate(choices: &mut Choices<'_>) -> Program {
        let mut module = declarations(choices);
        let defined: Vec<FuncId> = module.funcs.keys().filter(|&f| !module.is_import(f)).collect();
        let mut bodies = EagerBodies::default();
        for &func in &defined {
            let body = match module.funcs[func].name.as_deref() {
                Some("run") => run_function(&module),
                _ => BodyGenerator::function(&module, module.funcs[func].sig, choices),
            };
            bodies.set(func, body);
        }
        for func in defined {
            let name = module.func_name(func);
            module.exports.insert(name, func);
        }
        Program { module, bodies }
    }

    /// Its text.
    pub fn text(&self) -> String {
        cupola::ir::print_module(&self.module, &self.bodies, &[])
    }
}

fn declarations(choices: &mut Choices<'_>) -> Module {
    let mut module = Module { name: "random".to_owned(), ..Module::default() };
    let import = |name: &str| FuncKind::Import { module: "env".into(), name: name.into() };
    let mut add = |name: &str, sig: Signature, kind: FuncKind| {
        let sig = module.intern_sig(sig);
        module.funcs.push(FuncDecl { name: Some(name.to_owned()), sig, kind });
    };
    let main = Signature::new([Type::I32, Type::I64], [Type::I64, Type::I32, Type::F64]);
    add("print", Signature::new([Type::I64], []), import("print_i64"));
    add("host", Signature::new([Type::I32], [Type::I64]), import("callback"));
    add(
        "run",
        Signature::new([Type::I32, Type::I64, Type::I32], main.results.clone()),
        FuncKind::Defined,
    );
    add("main", main, FuncKind::Defined);
    add("callback", Signature::new([Type::I32], [Type::I64]), FuncKind::Defined);
    for i in 0..1 + choices.below(4) {
        let sig = match choices.below(3) {
            0 => Signature::new([Type::I32, Type::I64], [Type::I64]),
            _ => {
                let most = choices.pick(&[2, 4, 14]);
                let params: Vec<Type> =
                    (0..choices.below(most)).map(|_| choices.pick(&Type::ALL)).collect();
                let results: Vec<Type> =
                    (0..choices.below(6)).map(|_| choices.pick(&Type::ALL)).collect();
                Signature::new(params, results)
            }
        };
        add(&format!("f{i}"), sig, FuncKind::Defined);
    }
    for _ in 0..1 + choices.below(3) {
        let max_pages = Some(1 + choices.below(3) as u64);
        let memory64 = choices.chance(30);
        module.memories.push(MemoryDecl { memory64, ..MemoryDecl::new(1, max_pages) });
    }
    let mut global = |ty, init| {
        module.globals.push(GlobalDecl::new(ty, true, init));
    };
    global(Type::I32, 0);
    for ty in Type::ALL {
        global(ty, constant(choices, ty));
    }
    let elements = (0..1 + choices.below(6)).map(|_| match choices.below(6) {
        0 => None,
        _ => Some(FuncId::from_u32(choices.below(module.funcs.len()) as u32)),
    });
    let elements = elements.filter(|f| f.is_none_or(|f| module.func_name(f) != "run"));
    let elements = elements.collect();
    let table64 = choices.chance(30);
    module.tables.push(TableDecl { table64, ..TableDecl::of(elements) });
    let ops = [
        ("test.mix", Effects::empty()),
        ("test.tally", Effects::ANY),
        ("test.positive", Effects::TRAPS),
    ];
    for (name, effects) in ops {
        module.dialect_ops.push(DialectOpDecl {
            name: name.into(),
            params: [Type::I64, Type::I64].into_iter().collect(),
            results: [Type::I64].into_iter().collect(),
            effects,
        });
    }
    module
}

/// `run(a, b, n)`: sets the budget and calls `main` in a loop.
fn run_function(module: &Module) -> cupola::ir::Function {
    let [run, main] = ["run", "main"].map(|name| module.find_func(name).expect("it is declared"));
    let mut b = FunctionBuilder::new(module, module.func_sig(run).clone());
    let (a, arg, n) = (b.param(0), b.param(1), b.param(2));
    let i = b.i32(0);
    let (sum, last, float) = (b.i64(0), b.i32(0), b.f64(0.0));
    let [head, body, done] = [(); 3].map(|()| b.block());
    b.br(head);
    b.switch_to(head);
    let more = b.ins(Op::I32LtS, &[i, n]);
    b.br_if(more, body, done);
    b.switch_to(body);
    let budget = b.i32(CALLS);
    b.global_set(self::budget(), budget);
    let first = b.ins(Op::I32Add, &[a, i]);
    let results = b.call(main, &[first, arg]);
    let odd = b.i64(0x9e37_79b1);
    let product = b.ins(Op::I64Mul, &[sum, odd]);
    b.ins_to(sum, Op::I64Xor, &[product, results[0]]);
    b.ins_to(last, Op::I32Add, &[last, results[1]]);
    b.assign(float, results[2]);
    let one = b.i32(1);
    b.ins_to(i, Op::I32Add, &[i, one]);
    b.br(head);
    b.switch_to(done);
    b.return_(&[sum, last, float]);
    b.finish()
}

/// A constant, often one at a boundary.
pub(crate) fn constant(choices: &mut Choices<'_>, ty: Type) -> u128 {
    if ty == Type::V128 {
        let lane = choices.pick(&[Type::I32, Type::I64, Type::F32, Type::F64]);
        let [a, b] = [(); 2].map(|()| slot(choices, lane));
        return match lane.bytes() {
            4 => u128::from(a | b << 32) * (1 | 1 << 64),
            _ => u128::from(a) | u128::from(b) << 64,
        };
    }
    slot(choices, ty).into()
}

fn slot(choices: &mut Choices<'_>, ty: Type) -> u64 {
    let small = choices.pick(&[0u64, 1, 2, 3, 4, 7, 8, 16, 31, 32, 63, 64, 1000]);
    match ty {
        Type::I32 => match choices.below(4) {
            0 => u64::from((small as i32).wrapping_neg() as u32),
            1 => choices.pick(&[0x8000_0000, 0x7fff_ffff, 0xffff_ffff, 0xff80, 0x1_0000]),
            _ => small,
        },
        Type::I64 => match choices.below(4) {
            0 => (small as i64).wrapping_neg() as u64,
            1 => {
                let word = choices.word();
                choices.pick(&[1 << 63, u64::MAX >> 1, u64::MAX, 1 << 32, 1 << 31, word])
            }
            _ => small,
        },
        Type::F32 => {
            let odd = choices.pick(&[
                0.0f32,
                -0.0,
                1.5,
                -3.0,
                0.5,
                1e10,
                2_147_483_648.0,
                -9.223_372e18,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::NAN,
                f32::MIN_POSITIVE,
                1e-45,
            ]);
            u64::from(if choices.chance(60) { odd } else { small as f32 }.to_bits())
        }
        Type::FuncRef | Type::ExternRef => 0,
        Type::F64 | Type::V128 => {
            let odd = choices.pick(&[
                0.0f64,
                -0.0,
                1.5,
                -3.0,
                0.5,
                1e20,
                2_147_483_647.5,
                -9.223_372_036_854_776e18,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::NAN,
                f64::MIN_POSITIVE,
                5e-324,
            ]);
            if choices.chance(60) { odd } else { small as f64 }.to_bits()
        }
    }
}

/// The signature with this number.
pub(crate) fn signature(module: &Module, sig: SigId) -> Signature {
    module.sigs[sig].clone()
}
