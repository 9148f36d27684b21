//! Runs functions from outside.

use super::InstanceInner;
use crate::error::{Error, ExecutionTrap, TrapCause};
use crate::events::EventKind;
use crate::module::ModuleInner;
use cupola_ir::{FuncId, TrapCode};
use cupola_runtime::{Frame, Trap, TrapKind};
use std::sync::Arc;

impl InstanceInner {
    /// Calls a function; `slots` holds arguments, takes results, and is long enough for both.
    pub fn run(&self, func: FuncId, slots: &mut [u64]) -> Result<(), Error> {
        let store = self.store();
        let outermost = store.depth.get() == 0;
        if outermost {
            store.limits.arm();
            store.execution.start();
            store.engine.ticker.on_run();
        }
        store.depth.set(store.depth.get() + 1);
        let result = self.dispatch_call(func, slots);
        store.depth.set(store.depth.get() - 1);
        if outermost {
            store.execution.stop();
            store.engine.reclaim();
        }
        result.map_err(|trap| self.finish_trap(*trap))
    }

    /// Makes an error of a trap that leaves the program; a panic of a host function goes on.
    fn finish_trap(&self, trap: Trap) -> Error {
        if trap.trap_code() == Some(TrapCode::Interrupted) {
            self.store().limits.interrupted();
        }
        let Trap { kind, frames, omitted } = trap;
        let cause = match kind {
            TrapKind::Code(code) => TrapCause::Code(code),
            TrapKind::Host(error) => TrapCause::Host(error),
            TrapKind::Panic(payload) => std::panic::resume_unwind(payload),
        };
        let mut modules = Modules { known: vec![self.module.clone()] };
        if let Some(frame) = frames.first()
            && let Some(module) = modules.get(frame.module)
        {
            module.emit(frame.func, || EventKind::Trapped {
                tier: frame.tier,
                reason: cause.to_string(),
                loc: frame.loc,
            });
        }
        let backtrace = frames.iter().map(|frame| modules.describe(frame)).collect();
        Error::Trap(ExecutionTrap::new(cause, frames, omitted, backtrace))
    }
}

/// The modules that frames name.
struct Modules {
    known: Vec<Arc<ModuleInner>>,
}

impl Modules {
    /// The module with a number.
    fn get(&mut self, number: u32) -> Option<&ModuleInner> {
        if !self.known.iter().any(|module| module.id == number) {
            self.known = self.known[0].engine.live_modules();
        }
        self.known.iter().find(|module| module.id == number).map(|module| &**module)
    }

    /// A frame, for people.
    fn describe(&mut self, frame: &Frame) -> String {
        let tier = frame.tier;
        // A module lives as long as an instance of it, and frames are of living instances.
        let Some(module) = self.get(frame.module) else {
            return format!("{} ({tier})", frame.func);
        };
        let ir = &module.ir;
        let loc = ir.format_loc(frame.loc);
        let separator = if loc.is_empty() { "" } else { ":" };
        let source = if ir.name.is_empty() { "?" } else { &ir.name };
        format!("%{} ({source}{separator}{loc}, {tier})", ir.func_name(frame.func))
    }
}
