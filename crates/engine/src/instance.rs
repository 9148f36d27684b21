//! Instances: the state of one running program, and calls into it.

use crate::code::Execution;
use crate::error::{Error, ExecutionTrap, TrapCause};
use crate::events::EventKind;
use crate::host::{HostFunc, Imports, describe};
use crate::memory::LinearMemory;
use crate::module::{Module, ModuleInner};
use crate::table::Slots;
use crate::value::{Value, ValueList};
use cupola_interp::T0Stack;
use cupola_ir::{FuncId, FuncKind, MemId, TrapCode};
use cupola_runtime::{FuncCell, Trap, TrapKind, VmContext, VmFuncRef, VmLimits, VmMemory, VmTable};
use smallvec::SmallVec;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::any::Any;
use std::cell::{Cell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering};

thread_local! {
    /// The thread's stack limit; finding it out takes a look into `/proc` on the main thread.
    static STACK_LIMIT: usize = cupola_runtime::signals::native_stack_limit();
}

/// The limits of a thread of execution; shared with the handles that can interrupt it.
pub(crate) struct Limits(UnsafeCell<VmLimits>);

// SAFETY: other threads touch only the atomic fields `stack_limit` and `interrupt`; all else is
// touched only by the thread that runs the instance, and instances are used by one at a time.
unsafe impl Send for Limits {}
// SAFETY: as above.
unsafe impl Sync for Limits {}

impl Limits {
    pub(crate) fn get(&self) -> *mut VmLimits {
        self.0.get()
    }

    fn interrupt_flag(&self) -> &AtomicU32 {
        // SAFETY: the field is an atomic, and no `&mut` to the whole is ever made.
        unsafe { &(*self.0.get()).interrupt }
    }

    fn stack_limit(&self) -> &AtomicUsize {
        // SAFETY: the field is an atomic, and no `&mut` to the whole is ever made.
        unsafe { &(*self.0.get()).stack_limit }
    }
}

/// Interrupts an instance from another thread.
#[derive(Clone)]
pub struct InterruptHandle {
    limits: Arc<Limits>,
}

impl InterruptHandle {
    /// Makes what the instance runs now trap with [`TrapCode::Interrupted`] within a few
    /// milliseconds, but for host functions, which are not interrupted. If it runs nothing, the
    /// next call is interrupted.
    pub fn interrupt(&self) {
        self.limits.interrupt_flag().store(1, Ordering::SeqCst);
        // Prologues compare the stack pointer with this, so that recursion is interrupted too.
        self.limits.stack_limit().store(VmLimits::STACK_LIMIT_INTERRUPT, Ordering::SeqCst);
    }
}

/// The allocation of a context: the `VmContext` and what the layout puts behind it.
struct ContextMemory {
    ctx: NonNull<VmContext>,
    layout: Layout,
}

impl ContextMemory {
    fn new(size: u32) -> ContextMemory {
        let layout = Layout::from_size_align(size as usize, 16).expect("a context is small");
        // SAFETY: the size is at least that of `VmContext`, hence not zero.
        let ctx = unsafe { alloc_zeroed(layout) }.cast::<VmContext>();
        let Some(ctx) = NonNull::new(ctx) else { handle_alloc_error(layout) };
        ContextMemory { ctx, layout }
    }
}

impl Drop for ContextMemory {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with the same layout.
        unsafe { dealloc(self.ctx.as_ptr().cast(), self.layout) }
    }
}

/// What belongs to one instance. It never moves, since its context points to it.
pub(crate) struct InstanceInner {
    pub(crate) module: Arc<ModuleInner>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) execution: Arc<Execution>,
    pub(crate) memories: RefCell<Vec<LinearMemory>>,
    /// Host functions, by [`FuncId`] of the imports.
    pub(crate) hosts: Vec<Option<HostFunc>>,
    /// Activations of `run`, to tell the outermost from calls out of host functions.
    depth: Cell<u32>,
    context: ContextMemory,
    _t0_stack: T0Stack,
    pub(crate) func_refs: Box<[VmFuncRef]>,
    pub(crate) tables: RefCell<Vec<Slots>>,
    /// What the front end keeps for the instance.
    data: Box<dyn Any + Send>,
}

impl InstanceInner {
    pub(crate) fn ctx(&self) -> *mut VmContext {
        self.context.ctx.as_ptr()
    }

    /// The committed bytes of a memory. They stay at their address as long as the instance lives;
    /// whoever makes a reference sees to it that no guest code runs meanwhile.
    fn memory_bytes(&self, memory: MemId) -> Option<*mut [u8]> {
        let vm = self.memories.borrow().get(memory.as_u32() as usize)?.vm_memory();
        // A memory without pages has no address of its own.
        let base = if vm.len == 0 { ptr::dangling_mut() } else { vm.base };
        Some(ptr::slice_from_raw_parts_mut(base, vm.len as usize))
    }

    /// Calls a function; `slots` holds arguments, takes results, and is long enough for both.
    pub(crate) fn run(&self, func: FuncId, slots: &mut [u64]) -> Result<(), Error> {
        let outermost = self.depth.get() == 0;
        if outermost {
            self.arm_stack_limit();
            self.execution.start();
        }
        self.depth.set(self.depth.get() + 1);
        let result = self.dispatch_call(func, slots);
        self.depth.set(self.depth.get() - 1);
        if outermost {
            self.execution.stop();
            self.module.engine.reclaim();
        }
        result.map_err(|trap| self.finish_trap(*trap))
    }

    /// Sets the stack limit for the thread that runs now; an interruption that was asked for
    /// meanwhile stays.
    fn arm_stack_limit(&self) {
        let limit = STACK_LIMIT.with(|limit| *limit);
        // SAFETY: the instance runs nothing, so that this thread alone touches the field.
        unsafe { (*self.limits.get()).real_stack_limit = limit }
        self.limits.stack_limit().store(limit, Ordering::SeqCst);
        if self.limits.interrupt_flag().load(Ordering::SeqCst) != 0 {
            self.limits.stack_limit().store(VmLimits::STACK_LIMIT_INTERRUPT, Ordering::SeqCst);
        }
    }

    /// Makes an error of a trap that leaves the program; a panic of a host function goes on.
    fn finish_trap(&self, trap: Trap) -> Error {
        if trap.trap_code() == Some(TrapCode::Interrupted) {
            self.limits.interrupt_flag().store(0, Ordering::SeqCst);
            // SAFETY: only this thread touches the field.
            let limit = unsafe { (*self.limits.get()).real_stack_limit };
            self.limits.stack_limit().store(limit, Ordering::SeqCst);
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

/// A running program: a module's code with memories, globals and tables of its own.
///
/// An instance is used by one thread at a time; different instances of one module may run on
/// different threads and share its code, counters and feedback.
pub struct Instance {
    pub(crate) inner: Box<InstanceInner>,
}

// SAFETY: all that the raw pointers in an instance lead to is owned by it, or shared and
// synchronized (cells, feedback, limits); nothing is tied to the thread that made it.
unsafe impl Send for Instance {}

impl Instance {
    /// Makes an instance: memories and tables are set up, imports bound.
    ///
    /// # Errors
    /// If an import is missing or has another signature, or a memory cannot be had.
    pub fn new(module: &Module, imports: &Imports) -> Result<Instance, Error> {
        Instance::with_data(module, imports, Box::new(()))
    }

    /// As [`Instance::new`], with state of the front end's own, which its dialect operations get
    /// by [`Caller::data`].
    ///
    /// # Errors
    /// As [`Instance::new`].
    pub fn with_data(
        module: &Module,
        imports: &Imports,
        data: Box<dyn Any + Send>,
    ) -> Result<Instance, Error> {
        let module = module.inner.clone();
        let ir = &module.ir;
        let hosts = ir
            .funcs
            .values()
            .map(|decl| match &decl.kind {
                FuncKind::Defined => Ok(None),
                FuncKind::Import { module: from, name } => {
                    let sig = &ir.sigs[decl.sig];
                    let found = imports.get(from, name);
                    match found {
                        Some(host) if host.sig == *sig => Ok(Some(host.clone())),
                        _ => Err(Error::MissingImport {
                            module: from.clone(),
                            name: name.clone(),
                            sig: sig.to_string(),
                            hint: found
                                .map(|host| format!("; the host's has signature {}", host.sig))
                                .unwrap_or_default(),
                        }),
                    }
                }
            })
            .collect::<Result<Vec<_>, Error>>()?;

        let limit_pages = module.engine.config.max_memory_pages;
        let memories = ir
            .memories
            .values()
            .map(|decl| LinearMemory::new(decl, limit_pages))
            .collect::<Result<Vec<_>, Error>>()?;

        let context = ContextMemory::new(module.layout.size());
        let ctx = context.ctx.as_ptr();
        let func_refs: Box<[VmFuncRef]> = if ir.tables.is_empty() {
            Box::default()
        } else {
            ir.funcs
                .iter()
                .map(|(func, decl)| VmFuncRef {
                    cell: module.cell(func) as *const FuncCell,
                    context: ctx,
                    sig: module.layout.sig_id(decl.sig),
                    func: func.as_u32(),
                })
                .collect()
        };
        let mut tables: Vec<Slots> = ir
            .tables
            .values()
            .map(|decl| {
                let slot = |f: &Option<FuncId>| match f {
                    Some(f) => &raw const func_refs[f.as_u32() as usize],
                    None => ptr::null(),
                };
                decl.elements.iter().map(slot).collect()
            })
            .collect();

        let limits = Arc::new(Limits(UnsafeCell::new(VmLimits {
            stack_limit: AtomicUsize::new(0),
            interrupt: AtomicU32::new(0),
            fuel: AtomicI64::new(i64::MAX),
            deopt_budget: module.engine.stress.modes().deopt_budget(),
            exit_fp: 0,
            exit_pc: 0,
            entry: ptr::null_mut(),
            fault: Default::default(),
            t0_top: ptr::null_mut(),
            t0_end: ptr::null_mut(),
            real_stack_limit: 0,
            pending: None,
        })));
        let mut t0_stack = T0Stack::new(module.engine.config.t0_stack_slots);
        // SAFETY: the limits are not shared yet.
        t0_stack.install(unsafe { &mut *limits.get() });

        // SAFETY: `ctx` points to a zeroed allocation of the module's context layout, which is
        // not shared yet; the offsets are that layout's.
        unsafe {
            (&raw mut (*ctx).limits).write(limits.get());
            (&raw mut (*ctx).funcs).write(module.cells());
            let at = |offset: u32| ctx.byte_add(offset as usize);
            for (id, memory) in ir.memories.keys().zip(&memories) {
                at(module.layout.memory(id)).cast::<VmMemory>().write(memory.vm_memory());
            }
            for (id, table) in ir.tables.keys().zip(&mut tables) {
                let vm = VmTable { slots: table.as_mut_ptr(), len: table.len() as u64 };
                at(module.layout.table(id)).cast::<VmTable>().write(vm);
            }
            for (id, global) in &ir.globals {
                at(module.layout.global(id)).cast::<u64>().write(global.init);
            }
        }
        let inner = Box::new(InstanceInner {
            limits,
            execution: module.engine.code.register(),
            memories: RefCell::new(memories),
            hosts,
            depth: Cell::new(0),
            context,
            _t0_stack: t0_stack,
            func_refs,
            tables: RefCell::new(tables),
            data,
            module,
        });
        // SAFETY: as above; the services object is the instance itself, which never moves and
        // outlives its context.
        unsafe {
            let services: *const dyn cupola_runtime::Services = &*inner;
            (&raw mut (*inner.ctx()).services).write(services);
        }
        let instance = Instance { inner };
        instance.fill_memories()?;
        Ok(instance)
    }

    fn fill_memories(&self) -> Result<(), Error> {
        for segment in &self.inner.module.ir.data {
            let vm = self.inner.memories.borrow()[segment.memory.as_u32() as usize].vm_memory();
            let end = segment.offset.checked_add(segment.bytes.len() as u64);
            if end.is_none_or(|end| end > vm.len) {
                return Err(Error::InvalidModule(format!(
                    "data segment at {} lies outside {}",
                    segment.offset, segment.memory
                )));
            }
            // SAFETY: the range was just checked to lie in the committed memory.
            unsafe {
                let dest = vm.base.add(segment.offset as usize);
                ptr::copy_nonoverlapping(segment.bytes.as_ptr(), dest, segment.bytes.len());
            }
        }
        Ok(())
    }

    /// Calls an exported function.
    ///
    /// # Errors
    /// If there is no such function, the arguments do not fit its signature, or it traps.
    ///
    /// # Panics
    /// If a host function that the program calls panics, with that panic.
    pub fn call(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        call_by_name(&self.inner, name, args)
    }

    /// Calls any function of the module, exported or not.
    ///
    /// # Errors
    /// As [`Instance::call`].
    ///
    /// # Panics
    /// As [`Instance::call`]; or if the module has no such function.
    pub fn call_func(&mut self, func: FuncId, args: &[Value]) -> Result<Vec<Value>, Error> {
        call_func(&self.inner, func, args)
    }

    /// What the front end keeps for the instance.
    pub fn data(&self) -> &(dyn Any + Send) {
        &*self.inner.data
    }

    /// Looks up an exported function once, to call it often and with Rust values.
    ///
    /// # Errors
    /// If there is no such function, or it has another signature.
    pub fn typed<P: ValueList, R: ValueList>(&self, name: &str) -> Result<TypedFunc<P, R>, Error> {
        let module = &self.inner.module;
        let func = module.export(name)?;
        let sig = module.ir.func_sig(func);
        let (params, results) = (P::types(), R::types());
        if sig.params[..] != params[..] || sig.results[..] != results[..] {
            return Err(Error::SignatureMismatch {
                name: name.to_owned(),
                expected: sig.to_string(),
                found: describe(&params, &results),
            });
        }
        Ok(TypedFunc { func, module: module.clone(), types: PhantomData })
    }

    /// The module that this is an instance of.
    pub fn module(&self) -> Module {
        Module { inner: self.inner.module.clone() }
    }

    /// A handle that can interrupt this instance from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle { limits: self.inner.limits.clone() }
    }

    /// Sets how much fuel is left, where the engine was configured to consume it: one unit for
    /// each function entry and each back edge.
    pub fn set_fuel(&mut self, fuel: u64) {
        let fuel = i64::try_from(fuel).unwrap_or(i64::MAX);
        // SAFETY: the instance runs nothing while it is borrowed mutably.
        unsafe { (*self.inner.limits.get()).fuel.store(fuel, Ordering::Relaxed) }
    }

    /// How much fuel is left.
    pub fn fuel(&self) -> u64 {
        // SAFETY: the field is an atomic.
        let fuel = unsafe { (*self.inner.limits.get()).fuel.load(Ordering::Relaxed) };
        fuel.max(0) as u64
    }

    /// The bytes of a memory.
    pub fn memory(&self, memory: MemId) -> Option<&[u8]> {
        // SAFETY: nothing runs that could write the memory or grow it while the instance is
        // borrowed (running needs `&mut`).
        Some(unsafe { &*self.inner.memory_bytes(memory)? })
    }

    /// The bytes of a memory, to be written.
    pub fn memory_mut(&mut self, memory: MemId) -> Option<&mut [u8]> {
        // SAFETY: as in `memory`, and the borrow is exclusive.
        Some(unsafe { &mut *self.inner.memory_bytes(memory)? })
    }

    /// The value of a global.
    pub fn global(&self, global: cupola_ir::GlobalId) -> Option<Value> {
        let decl = self.inner.module.ir.globals.get(global)?;
        let offset = self.inner.module.layout.global(global) as usize;
        // SAFETY: the layout's offset of an existing global; nothing runs meanwhile.
        let slot = unsafe { self.inner.ctx().byte_add(offset).cast::<u64>().read() };
        Some(Value::from_slot(decl.ty, slot))
    }

    /// Sets a global, also one that the program cannot set; gives whether there is such a global
    /// and the value is of its type. Compiled code may take globals that the program cannot set for
    /// constants, so this is for setting an instance up.
    pub fn set_global(&mut self, global: cupola_ir::GlobalId, value: Value) -> bool {
        let module = &self.inner.module;
        if module.ir.globals.get(global).is_none_or(|decl| decl.ty != value.ty()) {
            return false;
        }
        let offset = module.layout.global(global) as usize;
        // SAFETY: the layout's offset of an existing global; nothing runs meanwhile.
        unsafe { self.inner.ctx().byte_add(offset).cast::<u64>().write(value.to_slot()) }
        true
    }
}

fn call_by_name(inner: &InstanceInner, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
    call_func(inner, inner.module.export(name)?, args)
}

fn call_func(inner: &InstanceInner, func: FuncId, args: &[Value]) -> Result<Vec<Value>, Error> {
    let sig = inner.module.ir.func_sig(func);
    if !args.iter().map(|v| v.ty()).eq(sig.params.iter().copied()) {
        let found: SmallVec<[_; 6]> = args.iter().map(|v| v.ty()).collect();
        return Err(Error::SignatureMismatch {
            name: inner.module.ir.func_name(func),
            expected: sig.to_string(),
            found: describe(&found, &sig.results),
        });
    }
    let mut slots: SmallVec<[u64; 16]> = args.iter().map(|v| v.to_slot()).collect();
    slots.resize(sig.params.len().max(sig.results.len()), 0);
    inner.run(func, &mut slots)?;
    Ok(sig.results.iter().zip(&slots).map(|(&ty, &slot)| Value::from_slot(ty, slot)).collect())
}

/// An exported function, looked up and checked once.
pub struct TypedFunc<P, R> {
    func: FuncId,
    module: Arc<ModuleInner>,
    types: PhantomData<fn(P) -> R>,
}

impl<P: ValueList, R: ValueList> TypedFunc<P, R> {
    /// Calls the function in `instance`.
    ///
    /// # Errors
    /// If it traps.
    ///
    /// # Panics
    /// If `instance` is of another module, or a host function panics.
    pub fn call(&self, instance: &mut Instance, params: P) -> Result<R, Error> {
        let same = Arc::ptr_eq(&self.module, &instance.inner.module);
        assert!(same, "a typed function was called in an instance of another module");
        // Parameter and result lists have at most nine values.
        let mut slots = [0; 9];
        params.write(&mut slots);
        instance.inner.run(self.func, &mut slots)?;
        Ok(R::read(&slots))
    }
}

/// The instance that called a host function.
pub struct Caller<'a> {
    pub(crate) inner: &'a InstanceInner,
}

impl<'a> Caller<'a> {
    /// What the front end keeps for the calling instance.
    pub fn data(&self) -> &'a (dyn Any + Send) {
        &*self.inner.data
    }

    /// Calls an exported function of the calling instance.
    ///
    /// # Errors
    /// As [`Instance::call`].
    ///
    /// # Panics
    /// As [`Instance::call`].
    pub fn call(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        call_by_name(self.inner, name, args)
    }

    /// The bytes of a memory of the calling instance.
    pub fn memory(&mut self, memory: MemId) -> Option<&mut [u8]> {
        // SAFETY: while the host function runs and the caller is borrowed no guest code runs that
        // could touch the memory.
        Some(unsafe { &mut *self.inner.memory_bytes(memory)? })
    }
}
