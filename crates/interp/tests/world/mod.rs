//! The least that T0 needs around it: an instance made by hand, and services that record what they
//! are asked for.
#![allow(dead_code, reason = "each test uses the part that it needs")]

pub mod forms;

use cupola_interp::{Code, T0Stack};
use cupola_ir::analysis::{Cfg, LoopHeaders};
use cupola_ir::*;
use cupola_runtime::abi::NativeSig;
use cupola_runtime::*;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a test wants to happen when T0 asks for something.
#[derive(Default)]
pub struct Script {
    /// What a call of a function that is not in T0 does.
    #[expect(clippy::type_complexity, reason = "one closure type, used here only")]
    pub host: Option<Box<dyn Fn(*mut VmContext, FuncId, &mut [u64]) -> Result<(), Box<Trap>>>>,
    /// Code to go on in when a loop runs hot.
    pub osr: Cell<usize>,
    /// What hot counters end with.
    pub interrupt: Cell<bool>,
    pub calls_hot: RefCell<Vec<FuncId>>,
    pub loops_hot: RefCell<Vec<(FuncId, LoopId)>>,
}

pub struct World {
    pub module: Module,
    pub layout: ContextLayout,
    pub bodies: Vec<Option<Arc<Function>>>,
    pub options: CodegenOptions,
    pub budget: i32,
    pub script: Script,
    pub limits: Box<VmLimits>,
    cells: Vec<FuncCell>,
    sigs: Vec<NativeSig>,
    made: RefCell<Vec<(Box<Code>, Box<Feedback>)>>,
    feedbacks: RefCell<Vec<Option<*const Feedback>>>,
    memories: RefCell<Vec<Vec<u8>>>,
    func_refs: Vec<VmFuncRef>,
    tables: Vec<Vec<*const VmFuncRef>>,
    context: Vec<u128>,
    stack: T0Stack,
}

impl World {
    pub fn parse(source: &str) -> Box<World> {
        let parsed = parse("test.cir", source).unwrap_or_else(|e| panic!("{}", e.render(false)));
        let bodies = parsed.module.funcs.keys().map(|f| parsed.bodies.get(f).cloned()).collect();
        World::new(parsed.module, bodies)
    }

    pub fn new(module: Module, bodies: Vec<Option<Arc<Function>>>) -> Box<World> {
        let mut known: Vec<Signature> = Vec::new();
        let layout = ContextLayout::of(&module, |sig| {
            let found = known.iter().position(|s| s == sig).unwrap_or_else(|| {
                known.push(sig.clone());
                known.len() - 1
            });
            found as u32 + 100
        });
        // SAFETY: zero is a valid value of all fields: atomics, null pointers, no trap.
        let limits: Box<VmLimits> = Box::new(unsafe { std::mem::zeroed() });
        let count = module.funcs.len();
        let context_words = (layout.size() as usize).div_ceil(16);
        let mut world = Box::new(World {
            sigs: module.funcs.keys().map(|f| NativeSig::of(module.func_sig(f))).collect(),
            cells: (0..count).map(|_| FuncCell::default()).collect(),
            feedbacks: RefCell::new(vec![None; count]),
            memories: RefCell::new(Vec::new()),
            func_refs: Vec::new(),
            tables: Vec::new(),
            context: vec![0; context_words],
            stack: T0Stack::new(1 << 16),
            made: RefCell::new(Vec::new()),
            script: Script::default(),
            options: CodegenOptions::default(),
            budget: i32::MAX,
            module,
            layout,
            bodies,
            limits,
        });
        world.stack.install(&mut world.limits);
        world.instantiate();
        world
    }

    fn instantiate(&mut self) {
        let ctx = self.ctx();
        let services: *const dyn Services = &raw const *self;
        // SAFETY: the allocation has the layout's size; all offsets are the layout's.
        unsafe {
            ctx.write(VmContext {
                limits: &raw mut *self.limits,
                funcs: self.cells.as_ptr(),
                func_refs: std::ptr::null(),
                services,
            });
            for (id, memory) in &self.module.memories {
                let bytes = vec![0u8; (memory.min_pages * PAGE_SIZE) as usize];
                self.memories.borrow_mut().push(bytes);
                self.publish_memory(id);
            }
            for (func, decl) in &self.module.funcs {
                self.func_refs.push(VmFuncRef {
                    cell: &raw const self.cells[func.as_u32() as usize],
                    context: ctx,
                    sig: self.layout.sig_id(decl.sig),
                    func: func.as_u32(),
                });
                if self.module.is_import(func) {
                    let place = ctx.byte_add(self.layout.import(func) as usize);
                    place.cast::<VmFuncRef>().write(self.func_refs[func.as_u32() as usize]);
                }
            }
            (*ctx).func_refs = self.func_refs.as_ptr();
            for (id, table) in &self.module.tables {
                let slots: Vec<*const VmFuncRef> = table
                    .elements
                    .iter()
                    .map(|e| match e {
                        Some(func) => &raw const self.func_refs[func.as_u32() as usize],
                        None => std::ptr::null(),
                    })
                    .collect();
                self.tables.push(slots);
                let slots = self.tables.last_mut().expect("just pushed");
                let place = ctx.byte_add(self.layout.table(id).offset() as usize).cast::<VmTable>();
                let (slots, len) = (slots.as_mut_ptr().cast(), slots.len() as u64);
                // T0 calls by references only.
                place.write(VmTable { slots, len, keys: std::ptr::null() });
            }
            for (id, global) in &self.module.globals {
                ctx.byte_add(self.layout.global(id).offset() as usize)
                    .cast::<u64>()
                    .write(global.init as u64);
            }
        }
    }

    fn publish_memory(&self, id: MemId) {
        let mut memories = self.memories.borrow_mut();
        let bytes = &mut memories[id.as_u32() as usize];
        // SAFETY: the offset is that of the memory in the context.
        unsafe {
            let place =
                self.ctx().byte_add(self.layout.memory(id).offset() as usize).cast::<VmMemory>();
            place.write(VmMemory { base: bytes.as_mut_ptr(), len: bytes.len() as u64 });
        }
    }

    pub fn ctx(&self) -> *mut VmContext {
        self.context.as_ptr().cast_mut().cast()
    }

    pub fn global(&self, index: u32) -> u64 {
        let offset = self.layout.global(GlobalId::from_u32(index)).offset();
        // SAFETY: the offset is that of the global in the context.
        unsafe { *self.ctx().byte_add(offset as usize).cast::<u64>() }
    }

    pub fn cell(&self, func: FuncId) -> &FuncCell {
        &self.cells[func.as_u32() as usize]
    }

    pub fn func_ref(&mut self, func: FuncId) -> *mut VmFuncRef {
        &raw mut self.func_refs[func.as_u32() as usize]
    }

    /// Puts a reference into a table's slot.
    pub fn set_table(&mut self, table: usize, slot: usize, to: *const VmFuncRef) {
        self.tables[table][slot] = to;
    }

    pub fn write(&self, memory: usize, address: usize, bytes: &[u8]) {
        self.memories.borrow_mut()[memory][address..address + bytes.len()].copy_from_slice(bytes);
    }

    pub fn read(&self, memory: usize, address: usize, count: usize) -> Vec<u8> {
        self.memories.borrow()[memory][address..address + count].to_vec()
    }

    pub fn feedback(&self, func: FuncId) -> &Feedback {
        let feedback = self.feedbacks.borrow()[func.as_u32() as usize].expect("called before");
        // SAFETY: kept in `made` as long as the world.
        unsafe { &*feedback }
    }

    pub fn prepare(&self, func: FuncId) {
        let body = self.bodies[func.as_u32() as usize].clone().expect("defined");
        let layout = FeedbackLayout::compute(&body, self.options.block_counts);
        let feedback = Box::new(Feedback::new(layout, self.budget, self.budget));
        let cfg = Cfg::compute(&body);
        let graph = (&cfg, &LoopHeaders::compute(&body, &cfg));
        let code =
            Code::encode(&self.module, &self.layout, func, &body, graph, &feedback, &self.options);
        let cell = self.cell(func);
        cell.t0.store((&raw const *code).cast_mut().cast(), Ordering::Release);
        cell.feedback.store(feedback.as_ptr(), Ordering::Release);
        self.feedbacks.borrow_mut()[func.as_u32() as usize] = Some(&raw const *feedback);
        self.made.borrow_mut().push((code, feedback));
    }

    pub fn func(&self, name: &str) -> FuncId {
        self.module.find_func(name).expect("the function is there")
    }

    /// Calls a function; gives its results.
    pub fn call(&self, name: &str, args: &[u64]) -> Result<Vec<u64>, Box<Trap>> {
        let func = self.func(name);
        let results = Type::slots_of(&self.module.func_sig(func).results);
        let mut slots = args.to_vec();
        slots.resize(args.len().max(results), 0);
        let top = self.limits.t0_top;
        // SAFETY: the context is complete, and the world outlives the call.
        let done = unsafe { cupola_interp::call(self.ctx(), func, &mut slots) };
        assert_eq!(self.limits.t0_top, top, "T0's stack leaks");
        slots.truncate(results);
        done.map(|()| slots)
    }

    /// Calls a function that traps.
    pub fn trap(&self, name: &str, args: &[u64]) -> TrapCode {
        let trap = self.call(name, args).expect_err("the function traps");
        trap.trap_code().expect("a trap of the program")
    }

    /// Goes on from a frame state.
    pub fn resume(&self, state: &FrameState, values: &[u64]) -> Result<Vec<u64>, Box<Trap>> {
        let results = Type::slots_of(&self.module.func_sig(state.frames[0].func).results);
        let mut values = values.to_vec();
        values.resize(values.len().max(results), 0);
        // SAFETY: the context is complete; there is room for the results.
        let done = unsafe { cupola_interp::resume(self.ctx(), state, values.as_mut_ptr()) };
        values.truncate(results);
        done.map(|()| values)
    }
}

impl Services for World {
    unsafe fn prepare_t0(&self, _ctx: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>> {
        self.prepare(func);
        Ok(())
    }

    unsafe fn call(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>> {
        match &self.script.host {
            Some(host) if self.module.is_import(func) => host(ctx, func, slots),
            // SAFETY: the caller's duty.
            _ => unsafe { cupola_interp::call(ctx, func, slots) },
        }
    }

    unsafe fn call_hot(&self, _ctx: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>> {
        self.script.calls_hot.borrow_mut().push(func);
        let header = self.feedback(func).header();
        header.call_budget.store(header.call_reload.load(Ordering::Relaxed), Ordering::Relaxed);
        if self.script.interrupt.get() { Err(Trap::code(TrapCode::Interrupted)) } else { Ok(()) }
    }

    unsafe fn loop_hot(
        &self,
        _ctx: *mut VmContext,
        func: FuncId,
        loop_id: LoopId,
        running: Tier,
    ) -> Result<*const u8, Box<Trap>> {
        assert_eq!(running, Tier::T0);
        self.script.loops_hot.borrow_mut().push((func, loop_id));
        let counters = self.feedback(func).loop_feedback(loop_id);
        counters.budget.store(counters.reload.load(Ordering::Relaxed), Ordering::Relaxed);
        if self.script.interrupt.get() {
            return Err(Trap::code(TrapCode::Interrupted));
        }
        Ok(self.script.osr.get() as *const u8)
    }

    unsafe fn deopt(
        &self,
        _ctx: *mut VmContext,
        _code_id: u64,
        _exit: u32,
        _values: *mut u64,
    ) -> Result<(), Box<Trap>> {
        panic!("no compiled code here deoptimizes")
    }

    unsafe fn memory_grow(&self, _ctx: *mut VmContext, memory: MemId, pages: u64) -> i64 {
        let max = self.module.memories[memory].max_pages.unwrap_or(16);
        let old = {
            let mut memories = self.memories.borrow_mut();
            let bytes = &mut memories[memory.as_u32() as usize];
            let old = bytes.len() as u64 / PAGE_SIZE;
            if old.saturating_add(pages) > max {
                return -1;
            }
            // A copy, so that the memory moves.
            let mut grown = bytes.clone();
            grown.resize(((old + pages) * PAGE_SIZE) as usize, 0);
            *bytes = grown;
            old
        };
        self.publish_memory(memory);
        old as i64
    }

    unsafe fn dialect(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        op: DialectOpId,
        site: SiteId,
        slots: *mut u64,
    ) -> Result<(), Box<Trap>> {
        let decl = &self.module.dialect_ops[op];
        let count = Type::slots_of(&decl.params).max(Type::slots_of(&decl.results));
        // SAFETY: the caller's duty.
        let slots = unsafe { std::slice::from_raw_parts_mut(slots, count) };
        match decl.name.as_str() {
            // Swaps and adds the site's number to the first.
            "test.swap" => {
                slots.swap(0, 1);
                slots[0] = slots[0].wrapping_add(u64::from(site.as_u32()));
                Ok(())
            }
            // Calls back into the function it is in, with the operand.
            // SAFETY: the context is that of this world.
            "test.again" => unsafe { cupola_interp::call(ctx, func, slots) },
            "test.fail" => Err(Trap::new(TrapKind::Host("dialect failed".into()))),
            other => panic!("unknown operation {other}"),
        }
    }

    fn module_number(&self) -> u32 {
        0
    }

    fn native_sig(&self, func: FuncId) -> &NativeSig {
        &self.sigs[func.as_u32() as usize]
    }

    fn trap_at(&self, _pc: usize) -> Option<TrapCode> {
        None
    }

    fn frames_at(&self, _pc: usize, _exact: bool, _frames: &mut Vec<Frame>) {}
}
