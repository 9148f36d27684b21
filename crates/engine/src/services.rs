//! What T0 and generated code ask of the engine, for one instance.

use crate::engine::Mode;
use crate::error::TrapCause;
use crate::events::EventKind;
use crate::host::{DialectCall, HostError, HostFunc};
use crate::module::FuncData;
use crate::policy::EntryPoint;
use crate::queue::Unit;
use crate::store::{Caller, InstanceInner};
use cupola_ir::{DialectOpId, FuncId, LoopId, MemId, SiteId, TrapCode, Type};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{
    Frame, Services, SiteFeedback, Tier, Trap, TrapKind, VmContext, arch, walk_native,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::Ordering;

/// Runs code of the host; its errors and panics become traps, since nothing may unwind through T0
/// or generated code.
fn guarded<E: Into<HostError>>(work: impl FnOnce() -> Result<(), E>) -> Result<(), Box<Trap>> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(host_trap(error.into())),
        Err(payload) => Err(Trap::new(TrapKind::Panic(payload))),
    }
}

/// The trap that a host function's error is. A trap code is the program's own trap; and a host
/// function that called back into the program and lets the trap it got travel on gives its caller
/// the same trap, or the same error of the host.
fn host_trap(error: HostError) -> Box<Trap> {
    if let Some(&code) = error.downcast_ref::<TrapCode>() {
        return Trap::code(code);
    }
    Trap::new(match error.downcast::<crate::Error>().map(|inner| *inner) {
        Ok(crate::Error::Trap(inner)) => match inner.cause {
            TrapCause::Code(code) => TrapKind::Code(code),
            TrapCause::Host(error) => TrapKind::Host(error),
        },
        Ok(other) => TrapKind::Host(other.into()),
        Err(error) => TrapKind::Host(error),
    })
}

/// How much of the native stack is left to calls: loops are not entered in better code beyond.
const NESTING_RESERVE: usize = 256 << 10;

impl InstanceInner {
    /// Calls a function wherever the mode or what is installed says.
    pub(crate) fn dispatch_call(&self, func: FuncId, slots: &mut [u64]) -> Result<(), Box<Trap>> {
        if let Some(Some(host)) = self.hosts.get(func.as_u32() as usize) {
            return self.call_host(host, slots);
        }
        let engine = &self.module.engine;
        let tier = match (engine.stress.call_tier(engine.existing), engine.config.mode) {
            (Some(drawn), _) => drawn,
            (None, Mode::Only(tier)) => tier,
            (None, Mode::Auto) => {
                let native = self.module.cell(func).native.load(Ordering::Acquire);
                if native.is_null() {
                    return self.interpret(func, slots);
                }
                return self.call_native(func, native, slots);
            }
        };
        if tier == Tier::T0 {
            return self.interpret(func, slots);
        }
        let data = self.module.data_or_trap(func)?;
        let installed = {
            let manage = data.manage.lock();
            manage.versions.get(EntryPoint::Call, tier).cloned()
        };
        let compiled = match installed {
            Some(version) => Ok(version),
            None => self.module.compile_now(Unit { func, tier, osr: None }),
        };
        match (compiled, engine.config.mode) {
            (Ok(version), _) => self.call_native(func, version.entry_of(func), slots),
            (Err(error), Mode::Only(tier)) => {
                let func = self.module.ir.func_name(func);
                let error = crate::Error::Compile { func, tier, error };
                Err(Trap::new(TrapKind::Host(Box::new(error))))
            }
            // In the stress mode of random tiers, T0 stands in for a failed (or forced to fail)
            // compilation, as it does in automatic mode.
            (Err(_), Mode::Auto) => self.interpret(func, slots),
        }
    }

    fn interpret(&self, func: FuncId, slots: &mut [u64]) -> Result<(), Box<Trap>> {
        self.module.data_or_trap(func)?;
        // SAFETY: the context is this instance's, the thread is the one that runs it, and `slots`
        // is long enough for arguments and results.
        unsafe { cupola_interp::call(self.ctx(), func, slots) }
    }

    fn call_native(
        &self,
        func: FuncId,
        code: *const u8,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>> {
        let sig = self.module.func_native_sig(func);
        // SAFETY: the code is installed for this function; it cannot be freed before this thread
        // has been at a slow path, where it is seen on the stack.
        unsafe { arch::invoke_slots(self.ctx(), code, sig, slots) }
    }

    fn call_host(&self, host: &HostFunc, slots: &mut [u64]) -> Result<(), Box<Trap>> {
        guarded(|| (host.body)(&mut Caller { instance: self }, slots))
    }

    /// Whether the native stack has room for an activation to go on in other code. Entries at loops
    /// and deoptimizations nest, and a program that goes to and fro between them must not run out
    /// of stack because of it.
    fn has_room_to_nest(&self) -> bool {
        // SAFETY: only this thread touches the field.
        let limit = unsafe { (*self.store().limits.get()).real_stack_limit };
        let marker = 0u8;
        (&raw const marker).addr() >= limit.saturating_add(NESTING_RESERVE)
    }

    /// To be done at each slow path: notices an interruption, and lets code be reclaimed.
    fn safepoint(&self) -> Result<(), Box<Trap>> {
        let limits = self.store().limits.get();
        // SAFETY: the field is an atomic.
        if unsafe { (*limits).interrupt.load(Ordering::Relaxed) } != 0 {
            return Err(Trap::code(TrapCode::Interrupted));
        }
        let code = &self.module.engine.code;
        if code.wants_acknowledgement(&self.store().execution) {
            // SAFETY: this thread runs the instance, and is in a helper or in T0.
            let walk = |visit: &mut dyn FnMut(usize)| unsafe { walk_native(limits, visit) };
            self.module.engine.note_reclaimed(code.acknowledge(&self.store().execution, walk));
        }
        Ok(())
    }

    /// The stress mode that moves to another tier at every back edge: code of the tier that was
    /// drawn; null to stay.
    fn hop(
        &self,
        func: FuncId,
        data: &FuncData,
        loop_id: LoopId,
        (running, tier): (Tier, Tier),
    ) -> *const u8 {
        // An activation nests its OSR entries on the native stack, so each may only climb.
        if tier <= running {
            return ptr::null();
        }
        let entry = EntryPoint::Loop(loop_id);
        let installed = data.manage.lock().versions.get(entry, tier).cloned();
        let version = installed
            .or_else(|| self.module.compile_now(Unit { func, tier, osr: Some(loop_id) }).ok());
        let Some(version) = version else { return ptr::null() };
        data.stats.osr_entered(tier);
        self.module.emit(func, || EventKind::OsrEntered { tier, loop_id });
        version.start()
    }
}

impl Services for InstanceInner {
    unsafe fn prepare_t0(&self, _ctx: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>> {
        self.module.data_or_trap(func).map(|_| ())
    }

    unsafe fn call(
        &self,
        _ctx: *mut VmContext,
        func: FuncId,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>> {
        self.dispatch_call(func, slots)
    }

    unsafe fn call_hot(&self, _ctx: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>> {
        self.safepoint()?;
        let data = self.module.data_or_trap(func)?;
        self.module.on_calls(func, data);
        Ok(())
    }

    unsafe fn loop_hot(
        &self,
        _ctx: *mut VmContext,
        func: FuncId,
        loop_id: LoopId,
        running: Tier,
    ) -> Result<*const u8, Box<Trap>> {
        self.safepoint()?;
        let data = self.module.data_or_trap(func)?;
        if !self.has_room_to_nest() {
            let counters = data.feedback.loop_feedback(loop_id);
            counters.budget.store(counters.reload.load(Ordering::Relaxed), Ordering::Relaxed);
            return Ok(ptr::null());
        }
        let better = self.module.on_back_edges(func, data, loop_id, running);
        let engine = &self.module.engine;
        if let Some(tier) = engine.stress.hop_tier(engine.existing) {
            return Ok(self.hop(func, data, loop_id, (running, tier)));
        }
        Ok(better.map_or(ptr::null(), |version| version.start()))
    }

    unsafe fn poll(
        &self,
        _ctx: *mut VmContext,
        code_id: u64,
        exit: u32,
    ) -> Result<bool, Box<Trap>> {
        let engine = &self.module.engine;
        self.store().limits.sampled(engine.stress.modes().always_polls());
        self.safepoint()?;
        let version = engine.code.get(code_id).expect("code that runs is in the code table");
        let state = &version.deopts[exit as usize];
        Ok(self.has_room_to_nest() && self.module.on_sample(&version, state))
    }

    unsafe fn deopt(
        &self,
        ctx: *mut VmContext,
        code_id: u64,
        exit: u32,
        values: *mut u64,
    ) -> Result<(), Box<Trap>> {
        let version = self.module.engine.code.get(code_id);
        let version = version.expect("code that runs is in the code table");
        let state = &version.deopts[exit as usize];
        // SAFETY: only this thread touches the field.
        unsafe {
            let budget = &raw mut (*self.store().limits.get()).deopt_budget;
            *budget = self.module.engine.stress.modes().deopt_budget();
        }
        self.module.on_deopt(&version, state);
        self.safepoint()?;
        // SAFETY: the exit passed the frame state's values, with room for the results.
        unsafe { cupola_interp::resume(ctx, state, values) }
    }

    unsafe fn memory_grow(&self, _ctx: *mut VmContext, memory: MemId, pages: u64) -> i64 {
        let old = self.memory(memory).and_then(|memory| memory.grow(pages));
        old.map_or(-1, |old| old as i64)
    }

    unsafe fn dialect(
        &self,
        _ctx: *mut VmContext,
        func: FuncId,
        op: DialectOpId,
        site: SiteId,
        slots: *mut u64,
    ) -> Result<(), Box<Trap>> {
        let data = self.module.data_or_trap(func)?;
        let decl = &self.module.ir.dialect_ops[op];
        let len = Type::slots_of(&decl.params).max(Type::slots_of(&decl.results));
        let site: &SiteFeedback = data.feedback.site(site);
        // SAFETY: the caller made room for operands and results.
        let slots = unsafe { std::slice::from_raw_parts_mut(slots, len) };
        let op = self.module.dialect_op(op);
        guarded(|| {
            op.call(&mut DialectCall { site, slots, decl, caller: Caller { instance: self } })
        })
    }

    fn module_number(&self) -> u32 {
        self.module.id
    }

    fn native_sig(&self, func: FuncId) -> &NativeSig {
        self.module.func_native_sig(func)
    }

    fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        self.module.engine.code.trap_at(pc)
    }

    fn frames_at(&self, pc: usize, exact: bool, frames: &mut Vec<Frame>) {
        self.module.engine.code.frames_at(pc, exact, frames);
    }
}
