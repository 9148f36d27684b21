//! Checks of what optimized code hands over: frame states at deoptimization exits, and the
//! registers that entries at loops take.
//!
//! Two independent ways. By liveness: after each pass, every frame state and every entry names all
//! registers that are live in the register form at the place where it goes on, with values of their
//! types. By exhaustion: the program is run with a forced exit at the first, second, third, … place
//! where one is possible, so that each exit of a run is taken, and what it handed over goes through
//! T0 to the results. Functions of random programs return a mix of all their variables, so that a
//! wrong one is seen. What is not checked: exits that no run passes.

use crate::generate::{Program, first_mismatch_under};
use crate::mode::only_under;
use crate::session::Session;
use cupola::Tier;
use cupola::ir::analysis::{Cfg, LoopHeaders};
use cupola::ir::{FuncId, Function, LoopId, verify_frame_states};

/// Checks frame states and entries of all functions of a program after each pass, for calls and
/// for each loop. Gives how many frame states were seen.
///
/// # Errors
/// What is missing, and after which pass.
pub fn check_liveness(program: &Program) -> Result<usize, String> {
    let config = only_under(Tier::T2, "fail-guards=1");
    let session = Session::new(&program.module, &program.bodies, config)
        .map_err(|error| error.to_string())?;
    let module = session.module();
    let mut seen = 0;
    for func in program.module.funcs.keys() {
        let Some(body) = program.bodies.get(func) else { continue };
        let loops = LoopHeaders::compute(body, &Cfg::compute(body)).headers().len();
        let entries = (0..loops).map(|i| Some(LoopId::from_u32(i as u32)));
        for entry in entries.chain([None]) {
            let mut problem = None;
            let optimized = module.trace_optimizer(func, entry, &mut |pass, code| {
                seen += code.frame_states.len();
                if problem.is_none() {
                    problem = check_function(program, func, code).map(|problem| {
                        format!("{func} entered at {entry:?}, after {pass}: {problem}")
                    });
                }
            });
            optimized.map_err(|error| error.to_string())?;
            if let Some(problem) = problem {
                return Err(problem);
            }
        }
    }
    Ok(seen)
}

fn check_function(program: &Program, func: FuncId, code: &Function) -> Option<String> {
    let errors = verify_frame_states(&program.module, func, code, &program.bodies).err()?;
    Some(errors.first().map(ToString::to_string).unwrap_or_default())
}

/// Runs a program in T2 with forced exits at every `n`th place, for `n` up to `most`.
///
/// # Errors
/// If one of the runs does something else than T0.
pub fn check_exits(program: &Program, most: u64) -> Result<(), String> {
    for n in 1..=most {
        let config = only_under(Tier::T2, &format!("fail-guards={n}"));
        if let Some(message) = first_mismatch_under(program, config) {
            return Err(format!("forced exit at every place number {n}: {message}"));
        }
    }
    Ok(())
}
