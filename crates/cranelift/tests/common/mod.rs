//! A small engine for the tests: one instance of a module, whose functions are compiled when asked
//! for and that records what its services are asked.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod values;
pub mod vectors;

use cupola_codemem::{CodeBlock, CodeMemory, CodeMemoryConfig};
use cupola_ir::text::{ParsedModule, parse};
use cupola_ir::{
    Block, DialectOpId, FrameDescr, FuncId, Function, LoopId, MEMORY_GUARD, MemId, SiteId,
    TrapCode, Type,
};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{
    Artifact, CodeGenerator, CodegenOptions, CompileError, CompileRequest, ContextLayout, Feedback,
    FeedbackLayout, Frame, FuncCell, Services, Symbol, Tier, Trap, VmCallKey, VmContext, VmFuncRef,
    VmLimits, VmMemory, VmTable, arch, signals,
};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// What a service was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Called(FuncId, Vec<u64>),
    CallHot(FuncId),
    LoopHot(FuncId, LoopId),
    Deopt(u64, u32, Vec<u64>),
    Grow(MemId, u64),
    Dialect(FuncId, DialectOpId, SiteId, Vec<u64>),
}

/// What hosts functions, dialect operations and deoptimizations do with the slots.
pub type Handler = Box<dyn Fn(&mut [u64]) -> Result<(), Box<Trap>>>;

pub struct World {
    pub parsed: ParsedModule,
    pub layout: ContextLayout,
    pub options: CodegenOptions,
    pub feedback: Vec<Feedback>,
    pub events: RefCell<Vec<Event>>,
    pub handler: RefCell<Handler>,
    /// What the next call of `loop_hot` gives.
    pub better_code: Cell<*const u8>,
    pub limits: Box<VmLimits>,
    sigs: Vec<NativeSig>,
    cells: Box<[FuncCell]>,
    func_refs: Box<[VmFuncRef]>,
    tables: Vec<Vec<*const VmFuncRef>>,
    keys: Vec<Vec<u64>>,
    memories: Vec<Reserved>,
    context: Vec<u128>,
    code: RefCell<Vec<(Artifact, CodeBlock)>>,
    memory: CodeMemory,
}

/// A memory with a guard behind all that 32-bit addresses reach.
struct Reserved {
    base: *mut u8,
    len: usize,
}

impl Reserved {
    const SIZE: usize = (1 << 32) + MEMORY_GUARD as usize;

    fn new(len: usize) -> Reserved {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping, of which the first bytes are made accessible.
        let base = unsafe {
            let none = ProtFlags::empty();
            let base = mmap_anonymous(std::ptr::null_mut(), Self::SIZE, none, flags);
            let base = base.expect("address space");
            let access = MprotectFlags::READ | MprotectFlags::WRITE;
            mprotect(base, len, access).expect("memory");
            base.cast()
        };
        Reserved { base, len }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`, and the world that uses it is being dropped.
        unsafe { munmap(self.base.cast(), Self::SIZE).expect("it is mapped") }
    }
}

/// Values that a handler sees at most.
const HANDLED: usize = 8;

impl World {
    pub fn new(source: &str) -> Box<World> {
        World::with_options(source, CodegenOptions { verify: true, ..CodegenOptions::default() })
    }

    pub fn with_options(source: &str, options: CodegenOptions) -> Box<World> {
        let mut parsed = parse("test", source).unwrap_or_else(|e| panic!("{e:?}"));
        parsed.module.trusted = true;
        let module = &parsed.module;
        let layout = ContextLayout::of(module, |sig| {
            let found = module.sigs.iter().find(|(_, s)| *s == sig);
            found.map_or(0, |(id, _)| id.as_u32() + 100)
        });
        let feedback = module.funcs.keys().map(|func| {
            let layout = match parsed.bodies.get(func) {
                Some(body) => FeedbackLayout::compute(body, options.block_counts),
                None => FeedbackLayout { loops: 0, sites: 0, blocks: 0 },
            };
            Feedback::new(layout, i32::MAX, i32::MAX)
        });
        let feedback = feedback.collect();
        let sigs = module.funcs.keys().map(|f| NativeSig::of(module.func_sig(f))).collect();
        let limits = VmLimits {
            stack_limit: (signals::native_stack_limit() + 64 * 1024).into(),
            interrupt: 0.into(),
            sample: 0.into(),
            fuel: i64::MAX.into(),
            deopt_budget: i64::MAX,
            exit_fp: 0,
            exit_pc: 0,
            leave: 0,
            entry: std::ptr::null_mut(),
            fault: Default::default(),
            t0_top: std::ptr::null_mut(),
            t0_end: std::ptr::null_mut(),
            real_stack_limit: signals::native_stack_limit(),
            thread: Default::default(),
            pending: None,
        };
        let memories =
            module.memories.values().map(|m| Reserved::new(m.min_pages as usize * 65536)).collect();
        let context = vec![0u128; (layout.size() as usize).div_ceil(16)];
        let cells = module.funcs.keys().map(|_| FuncCell::default()).collect();
        let config = CodeMemoryConfig { budget: 4 << 20, ..CodeMemoryConfig::default() };
        let mut world = Box::new(World {
            layout,
            options,
            feedback,
            events: RefCell::default(),
            handler: RefCell::new(Box::new(|_| Ok(()))),
            better_code: Cell::new(std::ptr::null()),
            limits: Box::new(limits),
            sigs,
            cells,
            func_refs: Box::new([]),
            tables: Vec::new(),
            keys: Vec::new(),
            memories,
            context,
            code: RefCell::default(),
            memory: CodeMemory::new(config).expect("code memory"),
            parsed,
        });
        world.link_instance();
        world
    }

    /// Fills the context, with the world in its place.
    fn link_instance(&mut self) {
        let module = self.parsed.module.clone();
        let ctx = self.ctx();
        let refs = module.funcs.iter().map(|(func, decl)| VmFuncRef {
            cell: &raw const self.cells[func.as_u32() as usize],
            context: ctx,
            sig: self.layout.sig_id(decl.sig),
            func: func.as_u32(),
        });
        self.func_refs = refs.collect();
        let slot = |f: &Option<FuncId>| match f {
            Some(f) => &raw const self.func_refs[f.as_u32() as usize],
            None => std::ptr::null(),
        };
        self.tables =
            module.tables.values().map(|t| t.elements.iter().map(slot).collect()).collect();
        for func in module.funcs.keys() {
            let stub = arch::entry_stub(func, arch::entry_adapter());
            let block = self.memory.publish(&stub, 16).expect("room");
            self.cells[func.as_u32() as usize].entry.store(block.start().cast_mut(), Relaxed);
            std::mem::forget(block);
        }
        let services: *const dyn Services = std::ptr::from_ref::<World>(self);
        // SAFETY: the context has the layout's size, and everything it points to is boxed or in
        // vectors that do not change any more.
        unsafe {
            ctx.write(VmContext {
                limits: &raw mut *self.limits,
                funcs: self.cells.as_ptr(),
                func_refs: self.func_refs.as_ptr(),
                services,
            });
            let base = ctx.cast::<u8>();
            for (id, memory) in module.memories.keys().zip(&mut self.memories) {
                let vm = VmMemory { base: memory.base, len: memory.len as u64 };
                base.add(self.layout.memory(id).offset() as usize).cast::<VmMemory>().write(vm);
            }
            for (id, table) in module.tables.keys().zip(&mut self.tables) {
                let key = |reference: &*const VmFuncRef| {
                    let key = |reference: &VmFuncRef| VmCallKey::of(reference, ctx);
                    reference.as_ref().map(key).unwrap_or_default().to_word()
                };
                self.keys.push(table.iter().map(key).collect());
                let keys = self.keys.last().expect("just pushed").as_ptr();
                let (slots, len) = (table.as_mut_ptr().cast(), table.len() as u64);
                let vm = VmTable { slots, len, keys };
                base.add(self.layout.table(id).offset() as usize).cast::<VmTable>().write(vm);
            }
            for func in module.funcs.keys().filter(|&func| module.is_import(func)) {
                let reference = self.func_refs[func.as_u32() as usize];
                base.add(self.layout.import(func) as usize).cast::<VmFuncRef>().write(reference);
            }
            for (id, global) in &module.globals {
                let slots = base.add(self.layout.global(id).offset() as usize).cast::<u64>();
                slots.write(global.init as u64);
                if global.ty.slots() == 2 {
                    slots.add(1).write((global.init >> 64) as u64);
                }
            }
        }
    }

    pub fn ctx(&self) -> *mut VmContext {
        self.context.as_ptr().cast_mut().cast()
    }

    pub fn func(&self, name: &str) -> FuncId {
        self.parsed.module.find_func(name).unwrap_or_else(|| panic!("no function {name}"))
    }

    pub fn body(&self, func: FuncId) -> Arc<Function> {
        Arc::clone(self.parsed.bodies.get(func).expect("a body"))
    }

    /// The SSA form of a function: the one in the text, or else its body's.
    pub fn ssa(&self, func: FuncId) -> Arc<Function> {
        if let Some((_, ssa)) = self.parsed.ssa.iter().find(|(f, _)| *f == func) {
            return Arc::clone(ssa);
        }
        let body = self.body(func);
        let cfg = cupola_ir::analysis::Cfg::compute(&body);
        let is_back_edge = |from, to| cfg.is_back_edge(from, to);
        let mut options = cupola_opt::ssa::ConstructOptions::plain(func);
        options.ticks.fuel = self.options.fuel.then_some(&is_back_edge);
        Arc::new(cupola_opt::ssa::construct(&body, &options).0)
    }

    pub fn artifact(&self, generator: &dyn CodeGenerator, func: FuncId) -> Artifact {
        let code = match generator.tier() {
            Tier::T1 => self.body(func),
            _ => self.ssa(func),
        };
        self.artifact_of(generator, func, &code, None)
    }

    pub fn artifact_of(
        &self,
        generator: &dyn CodeGenerator,
        func: FuncId,
        code: &Function,
        osr_header: Option<Block>,
    ) -> Artifact {
        let artifact = self.try_artifact_of(generator, func, code, osr_header);
        artifact.unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn try_artifact_of(
        &self,
        generator: &dyn CodeGenerator,
        func: FuncId,
        code: &Function,
        osr_header: Option<Block>,
    ) -> Result<Artifact, CompileError> {
        let body = self.parsed.bodies.get(func).map(|b| &**b).unwrap_or(code);
        let request = CompileRequest {
            module: &self.parsed.module,
            context: &self.layout,
            func,
            register_form: body,
            code,
            osr_header,
            feedback: self.feedback[func.as_u32() as usize].layout(),
            calls: 0,
            options: self.options,
        };
        generator.compile(&request)
    }

    /// Links an artifact; gives its address.
    pub fn link(&self, artifact: &Artifact) -> *const u8 {
        let code_id = self.code.borrow().len() as u64;
        let resolve = |symbol: Symbol| match symbol {
            Symbol::SelfStart => unreachable!("the linker knows it"),
            Symbol::Helper(helper) => arch::helper_thunk(helper) as u64,
            Symbol::Feedback(f) => self.feedback[f.as_u32() as usize].as_ptr() as u64,
            Symbol::CodeId => code_id,
        };
        let block = self.memory.link(artifact, &resolve).unwrap_or_else(|e| panic!("{e}"));
        let start = block.start();
        self.code.borrow_mut().push((artifact.clone(), block));
        start
    }

    /// Compiles, links and installs a function.
    pub fn install(&self, generator: &dyn CodeGenerator, func: FuncId) -> *const u8 {
        let start = self.link(&self.artifact(generator, func));
        self.cells[func.as_u32() as usize].entry.store(start.cast_mut(), Relaxed);
        start
    }

    /// Compiles, links and installs all functions that have bodies.
    pub fn install_all(&self, generator: &dyn CodeGenerator) {
        for func in self.parsed.module.funcs.keys() {
            if self.parsed.bodies.get(func).is_some() {
                self.install(generator, func);
            }
        }
    }

    /// Runs code with the signature `sig`.
    pub fn run(
        &self,
        code: *const u8,
        sig: &NativeSig,
        args: &[u64],
    ) -> Result<Vec<u64>, Box<Trap>> {
        let mut slots = args.to_vec();
        let results = Type::slots_of(&sig.types.results);
        slots.resize(args.len().max(results), 0);
        // SAFETY: the code was compiled for this instance and the signature, and lives as long as
        // the world.
        unsafe { arch::invoke_slots(self.ctx(), code, sig, &mut slots)? };
        slots.truncate(results);
        Ok(slots)
    }

    /// Calls a function through the entry table.
    pub fn call(&self, name: &str, args: &[u64]) -> Result<Vec<u64>, TrapCode> {
        let func = self.func(name);
        let code = self.cells[func.as_u32() as usize].entry.load(Relaxed);
        let result = self.run(code, &self.sigs[func.as_u32() as usize], args);
        result.map_err(|trap| trap.trap_code().expect("a trap of the program"))
    }

    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.borrow_mut())
    }

    pub fn memory_bytes(&self, index: usize) -> *mut u8 {
        self.memories[index].base
    }

    pub fn global(&self, index: usize) -> u64 {
        let id = self.parsed.module.globals.keys().nth(index).expect("a global");
        // SAFETY: the global lies within the context.
        unsafe {
            self.ctx()
                .cast::<u8>()
                .add(self.layout.global(id).offset() as usize)
                .cast::<u64>()
                .read()
        }
    }

    fn record(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    /// # Safety
    /// `slots` must point to the buffer of generated code.
    unsafe fn handle(&self, slots: *mut u64, count: usize) -> Result<Vec<u64>, Box<Trap>> {
        // SAFETY: the caller's duty.
        let values = unsafe { std::slice::from_raw_parts_mut(slots, count) };
        let before = values.to_vec();
        (self.handler.borrow())(values)?;
        Ok(before)
    }
}

impl Services for World {
    unsafe fn prepare_t0(&self, _: *mut VmContext, _: FuncId) -> Result<(), Box<Trap>> {
        Ok(())
    }

    unsafe fn call(
        &self,
        _: *mut VmContext,
        func: FuncId,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>> {
        self.record(Event::Called(func, slots.to_vec()));
        (self.handler.borrow())(slots)
    }

    unsafe fn call_hot(&self, _: *mut VmContext, func: FuncId) -> Result<(), Box<Trap>> {
        self.record(Event::CallHot(func));
        let header = self.feedback[func.as_u32() as usize].header();
        header.call_budget.store(i32::MAX, Relaxed);
        Ok(())
    }

    unsafe fn loop_hot(
        &self,
        _: *mut VmContext,
        func: FuncId,
        loop_id: LoopId,
        _: Tier,
    ) -> Result<*const u8, Box<Trap>> {
        self.record(Event::LoopHot(func, loop_id));
        let feedback = &self.feedback[func.as_u32() as usize];
        feedback.loop_feedback(loop_id).budget.store(i32::MAX, Relaxed);
        Ok(self.better_code.replace(std::ptr::null()))
    }

    unsafe fn deopt(
        &self,
        _: *mut VmContext,
        code_id: u64,
        exit: u32,
        values: *mut u64,
    ) -> Result<(), Box<Trap>> {
        let (count, results) = {
            let code = self.code.borrow();
            let artifact = &code[code_id as usize].0;
            let sig = &self.sigs[artifact.func.as_u32() as usize];
            let frames = &artifact.deopts[exit as usize].frames;
            let slots = |f: &FrameDescr| -> u32 {
                f.regs.iter().map(|&reg| self.body(f.func).regs[reg].slots()).sum()
            };
            let values = frames.iter().map(slots).sum::<u32>() as usize;
            (values, Type::slots_of(&sig.types.results))
        };
        // SAFETY: the exit made room for values and results.
        let before = unsafe { self.handle(values, count.max(results))? };
        self.record(Event::Deopt(code_id, exit, before[..count].to_vec()));
        Ok(())
    }

    unsafe fn memory_grow(&self, _: *mut VmContext, memory: MemId, pages: u64) -> i64 {
        self.record(Event::Grow(memory, pages));
        -1
    }

    unsafe fn dialect(
        &self,
        _: *mut VmContext,
        func: FuncId,
        op: DialectOpId,
        site: SiteId,
        slots: *mut u64,
    ) -> Result<(), Box<Trap>> {
        let decl = &self.parsed.module.dialect_ops[op];
        let params = Type::slots_of(&decl.params);
        let count = params.max(Type::slots_of(&decl.results));
        // SAFETY: the code made room for operands and results.
        let before = unsafe { self.handle(slots, count)? };
        self.record(Event::Dialect(func, op, site, before[..params].to_vec()));
        Ok(())
    }

    fn module_number(&self) -> u32 {
        0
    }

    fn native_sig(&self, func: FuncId) -> &NativeSig {
        &self.sigs[func.as_u32() as usize]
    }

    fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        let code = self.code.borrow();
        let (artifact, block) = code.iter().find(|(_, b)| b.range().contains(&pc))?;
        let offset = (pc - block.start() as usize) as u32;
        artifact.traps.iter().find(|t| t.offset == offset).map(|t| t.code)
    }

    fn frames_at(&self, pc: usize, exact: bool, frames: &mut Vec<Frame>) {
        let pc = if exact { pc } else { pc - 1 };
        let code = self.code.borrow();
        let Some((artifact, block)) = code.iter().find(|(_, b)| b.range().contains(&pc)) else {
            return;
        };
        let offset = (pc - block.start() as usize) as u32;
        let site = artifact.positions.iter().rfind(|p| p.offset <= offset);
        if let Some(site) = site {
            let (func, tier) = (artifact.func, artifact.tier);
            frames.push(Frame { module: 0, func, loc: site.loc, tier });
        }
    }
}

/// The code generators of the crate whose tests these are: T1 and T2, or where the peak crate
/// shares the tests, T3 at its lowest and highest level.
pub fn generators() -> [Arc<dyn CodeGenerator>; 2] {
    #[cfg(not(peak))]
    return [cupola_cranelift::baseline(), cupola_cranelift::optimizing()];
    #[cfg(peak)]
    [cupola_runtime::OptLevel::O1, cupola_runtime::OptLevel::O3].map(cupola_llvm::peak)
}

/// A listing of an artifact's code.
pub fn disassemble(artifact: &Artifact) -> String {
    use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
    use std::fmt::Write;
    let mut text = String::new();
    let mut formatter = IntelFormatter::new();
    for inst in &mut Decoder::with_ip(64, &artifact.code, 0, DecoderOptions::NONE) {
        let mut line = String::new();
        formatter.format(&inst, &mut line);
        let offset = inst.ip() as u32;
        write!(text, "{offset:5x}  {line}").expect("a string");
        let range = offset..offset + inst.len() as u32;
        for reloc in artifact.relocs.iter().filter(|r| range.contains(&r.offset)) {
            write!(text, "  ; {:?}+{}", reloc.symbol, reloc.addend).expect("a string");
        }
        for trap in artifact.traps.iter().filter(|t| t.offset == offset) {
            write!(text, "  ; {}", trap.code.name()).expect("a string");
        }
        text.push('\n');
    }
    text
}
