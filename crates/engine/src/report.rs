//! The account of what ran: puts statistics, counters and the engine's figures together.

use crate::engine::{Engine, EngineInner};
use crate::module::{FuncData, Module, ModuleInner};
use crate::policy::EntryPoint;
use crate::stats::{FuncReport, FuncSnapshot, Report, Totals};
use cupola_ir::{FuncId, LoopId};
use cupola_runtime::Tier;

impl Module {
    /// What ran of this module, in which tier, and why.
    pub fn report(&self) -> Report {
        let functions = self.inner.func_reports();
        Report::new(functions, self.inner.engine.totals(self.inner.ir.funcs.len() as u64))
    }
}

impl Engine {
    /// What ran of all modules that are alive.
    pub fn report(&self) -> Report {
        let modules = self.inner.live_modules();
        let count = modules.iter().map(|module| module.ir.funcs.len() as u64).sum();
        let functions = modules.iter().flat_map(|module| module.func_reports()).collect();
        Report::new(functions, self.inner.totals(count))
    }
}

impl EngineInner {
    fn totals(&self, functions: u64) -> Totals {
        let memory = self.code_memory.stats();
        Totals {
            functions,
            code_bytes: memory.used as u64,
            code_bytes_peak: memory.peak as u64,
            code_budget: memory.budget as u64,
            reclaimed_bytes: self.code.reclaimed_bytes(),
            events_dropped: self.events.dropped(),
            elapsed_ns: self.now_ns(),
            ..Totals::default()
        }
    }
}

impl ModuleInner {
    fn func_reports(&self) -> Vec<FuncReport> {
        self.all_existing().map(|(func, data)| self.func_report(func, data)).collect()
    }

    fn func_report(&self, func: FuncId, data: &FuncData) -> FuncReport {
        let loops = (0..data.feedback.layout().loops).map(LoopId::from_u32);
        let (call_tier, loop_tier) = {
            let policy = &data.manage.lock().policy;
            let loop_tiers = loops.clone().map(|id| policy.entry(EntryPoint::Loop(id)).installed);
            (policy.call.installed, loop_tiers.max().unwrap_or(Tier::T0))
        };
        let snapshot = FuncSnapshot {
            name: self.ir.func_name(func),
            source: self.source_of(data),
            call_tier,
            loop_tier,
            calls: data.feedback.calls(),
            loop_iterations: loops.map(|id| data.feedback.loop_count(id)).sum(),
        };
        let name = |func| self.ir.func_name(func);
        data.stats.report(snapshot, &name, &|loc| self.describe_loc(loc))
    }
}
