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
            store.engine.ticker.on_run(&store.limits);
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
        let modules = self.modules(&frames);
        if let Some(frame) = frames.first()
            && let Some(module) = modules.iter().find(|module| module.id == frame.module)
        {
            module.emit(frame.func, || EventKind::Trapped {
                tier: frame.tier,
                reason: cause.to_string(),
                loc: frame.loc,
            });
        }
        Error::Trap(ExecutionTrap::new(cause, frames, omitted, modules))
    }

    /// The modules that frames name. A module lives as long as an instance of it, and frames are
    /// of living instances.
    fn modules(&self, frames: &[Frame]) -> Box<[Arc<ModuleInner>]> {
        let own = |frame: &Frame| frame.module == self.module.id;
        if frames.iter().all(own) {
            return Box::new([self.module.clone()]);
        }
        let mut modules = self.module.engine.live_modules();
        modules.retain(|module| frames.iter().any(|frame| frame.module == module.id));
        modules.into()
    }
}
