//! `cupola dump`: a program in the forms it takes on its way to machine code.
//!
//! Nothing runs, so the optimizer has no profile: what it would do on the strength of one (which
//! calls are worth inlining, which branches were never taken) is decided as for a function that was
//! never called.

mod asm;

use crate::args::{DumpArgs, RunMode, Stage};
use crate::failure::Failure;
use crate::host;
use crate::input;
use crate::run;
use cupola::ir::{self, FuncId, LoopId};
use cupola::tuning::Preset;
use cupola::{Engine, Mode, Module, Tier};
use cupola_runtime::OptLevel;
use cupola_wasm::Options;
use std::fmt::Write as _;

/// Prints what was asked for.
pub fn dump(options: &DumpArgs) -> Result<(), Failure> {
    check(options)?;
    // Where T3 exists, T2's loops look for it; T2 is shown without that unless T3 is.
    let peak = (options.tier >= Tier::T3).then_some(OptLevel::O3);
    let config = run::tiers(RunMode::Tiers(Mode::Auto), Preset::Default, peak)?;
    let engine = Engine::new(config)?;
    let generated = matches!(options.stage, Stage::Clif | Stage::Asm);
    if generated && engine.generator(options.tier).is_none() {
        let message = match options.tier {
            Tier::T0 => "T0 is an interpreter, which has no machine code; see --stage register",
            _ => "this tier is not available: there is no code generator for it",
        };
        return Err(Failure::Input(message.to_owned()));
    }
    let module = input::load(&engine, &options.file, options.trust, &Options::default())?.module;
    let defined: Vec<FuncId> =
        module.ir().funcs.keys().filter(|&func| !module.ir().is_import(func)).collect();
    // The optimizer inlines functions that were asked for before.
    for &func in &defined {
        module.body(func)?;
    }
    let functions = match &options.function {
        Some(name) => vec![find(&module, name)?],
        None => defined,
    };
    let mut out = String::new();
    for (i, &func) in functions.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str(&dump_function(&module, func, options)?);
    }
    host::print(out.as_bytes())
}

/// Options that do not go together.
fn check(options: &DumpArgs) -> Result<(), Failure> {
    let refuse = |message: &str| Err(Failure::Input(message.to_owned()));
    if options.pass.is_some() && options.stage != Stage::Ssa {
        return refuse("--pass goes with --stage ssa");
    }
    if options.osr.is_some() && options.stage == Stage::Register {
        return refuse(
            "--osr does not go with --stage register, which is the same for all entries",
        );
    }
    Ok(())
}

fn find(module: &Module, name: &str) -> Result<FuncId, Failure> {
    let bare = name.strip_prefix('%').unwrap_or(name);
    let ir = module.ir();
    // Functions without a name are listed by their numbers, and found by what they are listed as.
    let listed = || ir.funcs.keys().find(|&func| ir.func_name(func) == bare);
    module.func(bare).or_else(listed).ok_or_else(|| {
        let names: Vec<String> =
            ir.funcs.keys().filter(|&f| !ir.is_import(f)).map(|f| ir.func_name(f)).collect();
        Failure::Input(format!("no function named `{bare}`; there are: {}", names.join(", ")))
    })
}

fn dump_function(module: &Module, func: FuncId, options: &DumpArgs) -> Result<String, Failure> {
    let osr = options.osr.map(LoopId::from_u32);
    if let Some(id) = osr {
        let loops = module.profile(func).map_or(0, |profile| profile.loop_counts.len());
        if id.as_u32() as usize >= loops {
            let name = module.ir().func_name(func);
            let message = format!("`{name}` has no {id}: it has {loops} loops, numbered from 0");
            return Err(Failure::Input(message));
        }
    }
    match options.stage {
        Stage::Register => Ok(ir::print_function(module.ir(), func, &*module.body(func)?)),
        Stage::Ssa => ssa(module, func, osr, options.pass.as_deref()),
        Stage::Clif => Ok(module.generator_dump(func, options.tier, osr)?),
        Stage::Asm => Ok(asm::listing(module.ir(), &module.artifact(func, options.tier, osr)?)),
    }
}

/// The SSA form: at the end, behind the passes named `pass`, or behind each (`all`).
fn ssa(
    module: &Module,
    func: FuncId,
    osr: Option<LoopId>,
    pass: Option<&str>,
) -> Result<String, Failure> {
    let mut out = String::new();
    let mut trace = |name: &str, function: &ir::Function| {
        if pass.is_some_and(|pass| pass == "all" || pass == name) {
            let text = ir::print_function(module.ir(), func, function);
            let _ = writeln!(out, "; after {name}\n{text}");
        }
    };
    let last = module.trace_optimizer(func, osr, &mut trace)?;
    if pass.is_none() {
        out = ir::print_function(module.ir(), func, &last);
    }
    Ok(out)
}
