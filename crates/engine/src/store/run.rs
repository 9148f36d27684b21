//! Runs functions from outside.

use super::InstanceInner;
use crate::error::{Error, ExecutionTrap, TrapCause};
use crate::events::EventKind;
use cupola_ir::{FuncId, TrapCode};
use cupola_runtime::{Trap, TrapKind};

impl InstanceInner {
    /// Calls a function; `slots` holds arguments, takes results, and is long enough for both.
    pub fn run(&self, func: FuncId, slots: &mut [u64]) -> Result<(), Error> {
        let store = self.store();
        let outermost = store.depth.get() == 0;
        if outermost {
            store.limits.arm();
            store.execution.start();
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
        let module = &self.module.ir;
        if let Some(frame) = frames.first() {
            self.module.emit(frame.func, || EventKind::Trapped {
                tier: frame.tier,
                reason: cause.to_string(),
                loc: frame.loc,
            });
        }
        let backtrace = frames
            .iter()
            .map(|frame| {
                let loc = module.format_loc(frame.loc);
                let separator = if loc.is_empty() { "" } else { ":" };
                let source = if module.name.is_empty() { "?" } else { &module.name };
                let name = module.func_name(frame.func);
                format!("%{name} ({source}{separator}{loc}, {})", frame.tier)
            })
            .collect();
        Error::Trap(ExecutionTrap::new(cause, frames, omitted, backtrace))
    }
}
