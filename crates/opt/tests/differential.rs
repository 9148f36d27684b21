//! Random programs give the same after each pass, in SSA form and back in register form, and after
//! the whole way through the optimizer, with inlining, speculation and entries at loop headers.

mod common;

use common::eval::{Machine, Outcome};
use common::generate::{Program, Random};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{FuncId, Function, Module};
use cupola_opt::destruct::{OnDeopt, out_of_ssa};
use cupola_opt::ssa::{ConstructOptions, construct};
use cupola_opt::{OptEnv, OptOptions, OptRequest, PASSES, Profile, optimize};
use std::sync::Arc;

const ARGS: [[u64; 2]; 4] = [[0, 0], [1, 5], [7, u64::MAX], [0xffff_fff0, 1 << 40]];

fn reference(program: &Program, args: &[u64]) -> Outcome {
    Machine::new(&program.module, &program.bodies).call(Program::main(), args).0
}

fn check(program: &Program, func: &Function, what: &str) {
    for args in ARGS {
        let machine = Machine::new(&program.module, &program.bodies);
        let (outcome, _) = machine.instead(Program::main(), func).call(Program::main(), &args);
        assert_eq!(outcome, reference(program, &args), "{what} {args:?}");
    }
}

#[test]
fn every_pass_alone() {
    for seed in common::seeds(600) {
        let program = Program::random(seed);
        let body = program.bodies[0].as_deref().unwrap();
        let (original, _) = construct(body, &ConstructOptions::plain(Program::main()));
        let trusted = Module { trusted: true, ..program.module.clone() };
        for pass in PASSES {
            let what = format!("seed {seed} {}", pass.name);
            let mut func = original.clone();
            (pass.run)(&mut func, &program.module);
            common::verify(&program.module, Program::main(), &func, &what);
            check(&program, &func, &what);
            let back = out_of_ssa(&func, OnDeopt::Reject).expect("nothing was speculated on");
            common::verify(&trusted, Program::main(), &back, &what);
            check(&program, &back, &format!("{what}, back"));
        }
    }
}

#[test]
fn random_sequences_of_passes() {
    for seed in common::seeds(600) {
        let program = Program::random(seed);
        let body = program.bodies[0].as_deref().unwrap();
        let mut random = Random::new(seed);
        let (mut func, _) = construct(body, &ConstructOptions::plain(Program::main()));
        let mut what = format!("seed {seed}");
        for _ in 0..8 {
            let pass = random.pick(PASSES);
            what = format!("{what} {}", pass.name);
            (pass.run)(&mut func, &program.module);
            common::verify(&program.module, Program::main(), &func, &what);
        }
        check(&program, &func, &what);
    }
}

/// An environment with all bodies and a made-up profile.
struct Env<'a> {
    program: &'a Program,
    seed: u64,
}

impl OptEnv for Env<'_> {
    fn body(&self, func: FuncId) -> Option<Arc<Function>> {
        self.program.bodies[func.as_u32() as usize].clone()
    }

    fn profile(&self, func: FuncId) -> Option<Profile> {
        let body = self.body(func)?;
        let mut random = Random::new(self.seed);
        let counts = body.blocks.keys().map(|_| random.pick(&[0, 0, 300, 1000, 100_000])).collect();
        Some(Profile { calls: 10_000, block_counts: Some(counts), ..Profile::default() })
    }
}

fn request<'a>(program: &'a Program, env: &'a Env<'_>) -> OptRequest<'a> {
    OptRequest {
        module: &program.module,
        func: Program::main(),
        body: program.bodies[0].as_deref().unwrap(),
        osr_header: None,
        env,
        options: OptOptions { verify: true, ..OptOptions::default() },
    }
}

#[test]
fn whole_pipeline() {
    let mut deopts = 0;
    let mut inlined = 0;
    for seed in common::seeds(600) {
        let program = Program::random(seed);
        let env = Env { program: &program, seed };
        let optimized = optimize(&request(&program, &env), None)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        inlined += optimized.inlined;
        for args in ARGS {
            let machine = Machine::new(&program.module, &program.bodies);
            let machine = machine.instead(Program::main(), &optimized.func);
            let (outcome, left) = machine.call(Program::main(), &args);
            assert_eq!(outcome, reference(&program, &args), "seed {seed} {args:?}");
            deopts += left;
        }
    }
    assert!(deopts > 100 && inlined > 30, "{deopts} deoptimizations, {inlined} inlined calls");
}

#[test]
fn whole_pipeline_from_loop_headers() {
    let mut entries = 0;
    for seed in common::seeds(300) {
        let program = Program::random(seed);
        let env = Env { program: &program, seed };
        let body = program.bodies[0].as_deref().unwrap();
        for &header in LoopHeaders::compute(body, &Cfg::compute(body)).headers() {
            let request = OptRequest { osr_header: Some(header), ..request(&program, &env) };
            let optimized = optimize(&request, None)
                .unwrap_or_else(|error| panic!("seed {seed} {header}: {error}"));
            for (args, after) in ARGS.into_iter().zip(0..) {
                let machine = Machine::new(&program.module, &program.bodies);
                let machine = machine.osr(Program::main(), &optimized.func, after);
                let (outcome, _) = machine.call(Program::main(), &args);
                assert_eq!(outcome, reference(&program, &args), "seed {seed} {header} {args:?}");
                entries += 1;
            }
        }
    }
    assert!(entries > 300, "only {entries} entries");
}

#[test]
fn programs_are_worth_running() {
    let results = (0..600).map(|seed| reference(&Program::random(seed), &ARGS[1]).result);
    let returned = results.filter(Result::is_ok).count();
    assert!((200..590).contains(&returned), "{returned} of 600 programs return");
}
