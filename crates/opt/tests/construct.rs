//! Differential tests of SSA construction: every random program gives the same in both forms, also
//! entered at its loop headers, and also when guards and branches are speculated on.

mod common;

use common::eval::{Machine, Outcome};
use common::generate::{Program, Random};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{Effects, Form, Function};
use cupola_opt::ssa::{ConstructOptions, construct};

const ARGS: [[u64; 2]; 4] = [[0, 0], [1, 5], [7, u64::MAX], [0xffff_fff0, 1 << 40]];

/// Every register of an SSA function is defined once, where it dominates its uses.
fn check_ssa(func: &Function) {
    assert_eq!(func.form, Form::Ssa);
    let mut defined = vec![false; func.regs.len()];
    for &block in &func.layout {
        let data = &func.blocks[block];
        let results = data.insts.iter().flat_map(|&i| &func.insts[i].results);
        for &reg in data.params.iter().chain(results) {
            assert!(!std::mem::replace(&mut defined[reg.as_u32() as usize], true), "{reg} twice");
        }
        for target in &func.insts[func.terminator(block)].targets {
            assert_eq!(target.args.len(), func.blocks[target.block].params.len());
            assert_ne!(target.block, func.entry());
        }
    }
}

fn reference(program: &Program, args: &[u64]) -> Outcome {
    Machine::new(&program.module, &program.bodies).call(Program::main(), args).0
}

#[test]
fn same_results_in_ssa_form() {
    for seed in common::seeds(1500) {
        let program = Program::random(seed);
        let body = program.bodies[0].as_deref().unwrap();
        let (func, _) = construct(body, &ConstructOptions::plain(Program::main()));
        check_ssa(&func);
        for args in ARGS {
            let machine = Machine::new(&program.module, &program.bodies);
            let (outcome, _) = machine.instead(Program::main(), &func).call(Program::main(), &args);
            assert_eq!(outcome, reference(&program, &args), "seed {seed} {args:?}");
        }
    }
}

#[test]
fn same_results_through_deoptimization() {
    let mut deopts = 0;
    for seed in common::seeds(1500) {
        let program = Program::random(seed);
        let body = program.bodies[0].as_deref().unwrap();
        let mut random = Random::new(seed);
        let coins: Vec<u64> = body.insts.keys().map(|_| random.next()).collect();
        let coin = |inst: cupola_ir::Inst, n: u64| coins[inst.as_u32() as usize] >> n & 1 == 1;
        let options = ConstructOptions {
            speculate: &|_, inst| coin(inst, 0),
            cold_edge: &|inst, target| coin(inst, 1 + target as u64),
            resume_states: true,
            ..ConstructOptions::plain(Program::main())
        };
        let (func, info) = construct(body, &options);
        check_ssa(&func);
        for state in info.states() {
            let (ssa, source) = (&func.insts[state.inst], &body.insts[state.source]);
            assert_eq!((ssa.op, ssa.imm), (source.op, source.imm));
            assert!(source.effects(&program.module) == Effects::ANY || source.results.len() == 1);
        }
        for args in ARGS {
            let machine = Machine::new(&program.module, &program.bodies);
            let machine = machine.instead(Program::main(), &func);
            let (outcome, left) = machine.call(Program::main(), &args);
            assert_eq!(outcome, reference(&program, &args), "seed {seed} {args:?}");
            deopts += left;
        }
    }
    assert!(deopts > 500, "only {deopts} deoptimizations");
}

#[test]
fn same_results_from_loop_headers() {
    let mut entries = 0;
    for seed in common::seeds(700) {
        let program = Program::random(seed);
        let body = program.bodies[0].as_deref().unwrap();
        for &header in LoopHeaders::compute(body, &Cfg::compute(body)).headers() {
            let options = ConstructOptions {
                osr_header: Some(header),
                ..ConstructOptions::plain(Program::main())
            };
            let (func, _) = construct(body, &options);
            check_ssa(&func);
            for (args, after) in ARGS.into_iter().zip(0..) {
                let machine = Machine::new(&program.module, &program.bodies);
                let machine = machine.osr(Program::main(), &func, after);
                let (outcome, _) = machine.call(Program::main(), &args);
                assert_eq!(outcome, reference(&program, &args), "seed {seed} {header} {args:?}");
                entries += 1;
            }
        }
    }
    assert!(entries > 500, "only {entries} entries");
}
