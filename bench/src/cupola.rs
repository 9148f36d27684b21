//! Cupola's side: a program in one mode, in this process, through the library's public interface.

use crate::contestant::Contestant;
use crate::programs::Program;
use cupola::stats::Report;
use cupola::{
    CodegenOptions, Config, Dialects, Engine, Imports, Instance, Mode, Module, Store, Tier,
    TypedFunc,
};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Calls without a new compilation after which a program counts as warm.
const CALM_CALLS: usize = 6;
/// Calls after which it does in any case.
const MAX_WARM_UP_CALLS: usize = 60;

/// Most names of functions of one tier in an account.
const MOST_NAMES: usize = 8;

/// One way to run programs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Name in tables.
    pub name: &'static str,
    /// Which tiers functions run in.
    pub mode: Mode,
    /// Whether T1's code counts.
    pub counters: bool,
}

/// The interpreter alone.
pub const T0: Setting = Setting { name: "t0", mode: Mode::Only(Tier::T0), counters: true };
/// The baseline tier alone.
pub const T1: Setting = Setting { name: "t1", mode: Mode::Only(Tier::T1), counters: true };
/// The baseline tier alone, its code without counters.
pub const T1_BARE: Setting =
    Setting { name: "t1 without counters", mode: Mode::Only(Tier::T1), counters: false };
/// The optimizing tier alone.
pub const T2: Setting = Setting { name: "t2", mode: Mode::Only(Tier::T2), counters: true };
/// All tiers, as the policy says.
pub const AUTO: Setting = Setting { name: "auto", mode: Mode::Auto, counters: true };

/// The settings of the steady state's table.
pub const SETTINGS: &[Setting] = &[T0, T1, T1_BARE, T2, AUTO];

impl Setting {
    /// The configuration, with the code generators of T1 and T2.
    pub fn config(&self) -> Config {
        let mut config = Config::new()
            .with_generator(cupola_cranelift::baseline())
            .with_generator(cupola_cranelift::optimizing());
        config.mode = self.mode;
        config.codegen = CodegenOptions { counters: self.counters, ..config.codegen };
        config
    }

    /// An engine of its own, with the module of a program.
    pub fn module(&self, program: &Program) -> Result<(Engine, Module), String> {
        let path = program.cir();
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let engine = Engine::new(self.config()).map_err(|e| e.to_string())?;
        let name = path.display().to_string();
        let module = Module::from_text(&engine, &name, &text, &Dialects::new())
            .map_err(|e| e.to_string())?;
        Ok((engine, module))
    }
}

/// An instance of a program.
pub struct CupolaProgram {
    setting: Setting,
    engine: Engine,
    module: Module,
    store: Store,
    main: TypedFunc<i64, i64>,
}

impl CupolaProgram {
    /// Loads a program into an engine of its own.
    pub fn load(setting: Setting, program: &Program) -> Result<CupolaProgram, String> {
        let (engine, module) = setting.module(program)?;
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &Imports::new());
        let main = instance.and_then(|instance| instance.typed(&store, "main"));
        let main = main.map_err(|e| e.to_string())?;
        Ok(CupolaProgram { setting, engine, module, store, main })
    }

    /// The module, for what its interface tells about single functions.
    pub fn module(&self) -> &Module {
        &self.module
    }

    fn compilations(&self) -> u64 {
        self.module.report().totals.compilations.values().map(|c| c.count).sum()
    }
}

impl Contestant for CupolaProgram {
    fn name(&self) -> &str {
        self.setting.name
    }

    fn call(&mut self, n: i64) -> Result<i64, String> {
        self.main.call(&mut self.store, n).map_err(|e| e.to_string())
    }

    fn warm_up(&mut self, n: i64) -> Result<(), String> {
        if self.setting.mode != Mode::Auto {
            return self.call(n).map(drop);
        }
        let mut calm = 0;
        let mut seen = self.compilations();
        for _ in 0..MAX_WARM_UP_CALLS {
            self.call(n)?;
            self.engine.finish_compilations();
            let now = self.compilations();
            calm = if now == seen { calm + 1 } else { 0 };
            seen = now;
            if calm == CALM_CALLS {
                break;
            }
        }
        Ok(())
    }

    fn account(&self) -> Result<String, String> {
        let only = match self.setting.mode {
            Mode::Auto => None,
            Mode::Only(tier) => Some(tier),
        };
        account(&self.module.report(), only)
    }
}

/// What ran; an error if that is not `only` the tier that it was to be.
pub fn account(report: &Report, only: Option<Tier>) -> Result<String, String> {
    let text = describe(report);
    let as_named = only.is_none_or(|tier| report.functions.iter().all(|f| f.call_tier == tier));
    if as_named { Ok(text) } else { Err(text) }
}

/// Functions by the tier and code generator they run in, and what happened on the way.
fn describe(report: &Report) -> String {
    let mut by_code: BTreeMap<(Tier, &str), Vec<String>> = BTreeMap::new();
    for f in &report.functions {
        let generator = f.generator.as_deref().unwrap_or("interpreter");
        let name = if f.by_osr_only { format!("{} (loops)", f.name) } else { f.name.clone() };
        by_code.entry((f.tier, generator)).or_default().push(name);
    }
    let mut out = String::new();
    for ((tier, generator), names) in by_code.iter().rev() {
        let shown = names[..names.len().min(MOST_NAMES)].join(", ");
        let more = names.len().saturating_sub(MOST_NAMES);
        let _ = match more {
            0 => write!(out, "{tier} {generator}: {shown}; "),
            _ => write!(out, "{tier} {generator}: {shown} and {more} more; "),
        };
    }
    let totals = &report.totals;
    let compiled: u64 = totals.compilations.values().map(|c| c.count).sum();
    let ms = totals.compilations.values().map(|c| c.ns).sum::<u64>() as f64 / 1e6;
    let _ = write!(out, "{compiled} compiled in {ms:.2} ms, {} B of code", totals.code_bytes);
    for (count, what) in [
        (totals.osr_entries, "OSR entries"),
        (totals.deopts, "deoptimizations"),
        (totals.failures, "failed compilations"),
        (totals.pinned, "pinned"),
    ] {
        if count > 0 {
            let _ = write!(out, ", {count} {what}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{BuildDir, Compiler};
    use crate::programs::PROGRAMS;

    /// The bench set is a test of its own: every program, every setting, and natively.
    #[test]
    fn all_settings_and_the_native_program_agree() {
        let compiler = Compiler::gcc().or_else(|_| Compiler::clang("-O2"));
        let dir = BuildDir::new().unwrap();
        for program in PROGRAMS {
            let n = program.size_for(0.05);
            let mut all: Vec<Box<dyn Contestant>> = Vec::new();
            match &compiler {
                Ok(c) => all.push(Box::new(c.library(program, dir.path()).unwrap())),
                Err(reason) => eprintln!("{reason}"),
            }
            for &setting in SETTINGS {
                all.push(Box::new(CupolaProgram::load(setting, program).unwrap()));
            }
            let (_, _, accounts) =
                crate::measure::steady(&mut all, n, 2, crate::measure::Clock::Wall).unwrap();
            for account in accounts {
                assert!(account.as_named, "{}: {account:?}", program.name);
            }
        }
    }
}
