//! What is woven into programs: a deoptimization forced at any point goes on as if nothing had
//! happened, and fuel is consumed exactly as the register form says.

mod common;

use common::eval::{Machine, Outcome, Stop};
use common::generate::{Program, Random};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::{Block, FuncId, Function, TrapCode};
use cupola_opt::inline::InlineTuning;
use cupola_opt::{OptEnv, OptOptions, OptRequest, Profile, inline, optimize};
use std::sync::Arc;

const ARGS: [[u64; 2]; 3] = [[0, 0], [3, u64::MAX], [0xffff_fff0, 1 << 40]];

/// More than a program takes.
const PLENTY: i64 = 1 << 40;

/// About how many ticks of a run are made to fail.
const MAX_TICKS: u64 = 40;

/// Bodies with an invented profile, so that there is speculation, too.
struct Env<'a> {
    program: &'a Program,
    seed: Option<u64>,
}

impl OptEnv for Env<'_> {
    fn body(&self, func: FuncId) -> Option<Arc<Function>> {
        self.program.bodies[func.as_u32() as usize].clone()
    }

    fn profile(&self, func: FuncId) -> Option<Profile> {
        let mut random = Random::new(self.seed? + u64::from(func.as_u32()));
        let blocks = self.body(func)?.blocks.len();
        let mut counts: Vec<u64> = (0..blocks).map(|_| random.pick(&[0, 300, 1000])).collect();
        counts[0] = 100;
        Some(Profile { calls: 100, block_counts: Some(counts), ..Profile::default() })
    }
}

/// A program in which functions 0 and 1 both call, 1 also itself.
fn program(seed: u64) -> Program {
    let mut program = Program::random(seed);
    if seed.is_multiple_of(2) {
        program.bodies[1] = Program::random(seed + 1_000_000).bodies[0].clone();
    }
    program
}

/// The program's main function as it was constructed, and optimized.
fn optimized(
    program: &Program,
    seed: u64,
    osr_header: Option<Block>,
    options: OptOptions,
) -> (Function, Function) {
    let env = Env { program, seed: (!seed.is_multiple_of(3)).then_some(seed) };
    let inline = InlineTuning {
        growth: 600,
        min_frequency: 0.0,
        max_callee: 400,
        recursion_size: 400,
        ..InlineTuning::default()
    };
    let request = OptRequest {
        module: &program.module,
        func: Program::main(),
        body: program.bodies[0].as_deref().unwrap(),
        osr_header,
        env: &env,
        options: OptOptions { verify: true, inline, ..options },
    };
    let optimized = optimize(&request, None).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    (inline::construct(&request).0, optimized.func)
}

fn machine(program: &Program) -> Machine<'_> {
    Machine::new(&program.module, &program.bodies)
}

fn fueled<'a>(machine: Machine<'a>, options: OptOptions) -> Machine<'a> {
    if options.fuel { machine.fuel(PLENTY) } else { machine }
}

/// The machine that runs `code` in place of the program's main function: from its start, or from
/// its second arrival at the loop header that the code is for.
fn with<'a>(program: &'a Program, code: &'a Function, header: Option<Block>) -> Machine<'a> {
    match header {
        Some(_) => machine(program).osr(Program::main(), code, 1),
        None => machine(program).instead(Program::main(), code),
    }
}

/// Where a program is entered: by a call, and at its loop headers.
fn entries(program: &Program) -> Vec<Option<Block>> {
    let body = program.bodies[0].as_deref().unwrap();
    let headers = LoopHeaders::compute(body, &Cfg::compute(body));
    [None].into_iter().chain(headers.headers().iter().copied().map(Some)).collect()
}

/// What a run does that neither took too long nor used up the native stack, which inlining makes
/// shallower.
fn bounded((outcome, _): (Outcome, u64)) -> Option<Outcome> {
    let unbounded = [Stop::TooLong, Stop::Trap(TrapCode::StackOverflow)];
    Some(outcome).filter(|outcome| !outcome.result.as_ref().is_err_and(|e| unbounded.contains(e)))
}

/// Makes the ticks of a program fail one after the other. Gives how many failed.
fn fail_ticks(seed: u64, options: OptOptions) -> u64 {
    let program = program(seed);
    let mut random = Random::new(seed);
    let mut failed = 0;
    for header in entries(&program) {
        let options = OptOptions { force_deopts: true, ..options };
        let (constructed, code) = optimized(&program, seed, header, options);
        for args in ARGS {
            let reference = fueled(machine(&program), options).call(Program::main(), &args);
            let Some(expected) = bounded(reference) else { continue };
            let ticks = with(&program, &code, header).count_ticks(Program::main(), &args);
            let before = with(&program, &constructed, header).count_ticks(Program::main(), &args);
            assert_eq!(ticks, before, "seed {seed} {header:?} {args:?}: ticks");
            // All of them, if they are not too many; none is the same as one that is not reached.
            let step = 1 + ticks / MAX_TICKS;
            let mut tick = 0;
            while tick <= ticks {
                let machine = fueled(with(&program, &code, header), options).fail_tick(tick);
                let (outcome, deopts) = machine.call(Program::main(), &args);
                assert_eq!(outcome, expected, "seed {seed} {header:?} {args:?}, tick {tick}");
                assert!(tick == 0 || deopts > 0);
                failed += u64::from(tick > 0);
                tick += 1 + random.next() % step;
            }
        }
    }
    failed
}

#[test]
fn any_tick_may_fail() {
    let failed: u64 = common::seeds(250).map(|seed| fail_ticks(seed, OptOptions::default())).sum();
    assert!(failed > 3000, "only {failed} forced deoptimizations");
}

#[test]
fn any_tick_may_fail_while_fuel_is_consumed() {
    let options = OptOptions { fuel: true, ..OptOptions::default() };
    let failed: u64 = common::seeds(100).map(|seed| fail_ticks(seed, options)).sum();
    assert!(failed > 1000, "only {failed} forced deoptimizations");
}

#[test]
fn fuel_is_that_of_the_register_form() {
    let mut ran_out = 0;
    for seed in common::seeds(500) {
        let program = program(seed);
        let options = OptOptions { fuel: true, ..OptOptions::default() };
        let mut random = Random::new(seed);
        for header in entries(&program) {
            let (_, code) = optimized(&program, seed, header, options);
            for args in ARGS {
                let full = machine(&program).fuel(PLENTY).call(Program::main(), &args);
                let Some(full) = bounded(full) else { continue };
                let used = PLENTY - full.fuel.unwrap();
                for fuel in [PLENTY, used, used - 1, random.next() as i64 % used] {
                    let expected = machine(&program).fuel(fuel).call(Program::main(), &args).0;
                    let found = with(&program, &code, header).fuel(fuel);
                    let (found, _) = found.call(Program::main(), &args);
                    assert_eq!(found, expected, "seed {seed} {header:?} {args:?}, fuel {fuel}");
                    ran_out += u64::from(found.result == Err(Stop::Trap(TrapCode::OutOfFuel)));
                }
            }
        }
    }
    assert!(ran_out > 1000, "fuel ran out only {ran_out} times");
}
