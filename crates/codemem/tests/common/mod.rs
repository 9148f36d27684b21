//! An instance whose services are closures, and a little machine code to run in it.

#![allow(dead_code, reason = "each test program uses a part of it")]

use cupola_codemem::{CodeBlock, CodeMemory, CodeMemoryConfig};
use cupola_ir::{
    DialectOpId, FuncId, LoopId, MemId, Signature, SiteId, SrcLoc, TrapCode, TrapCode::*, Type,
};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{
    Artifact, Fault, Frame, FuncCell, Reloc, Services, Tier, Trap, VmContext, VmLimits, arch,
    signals,
};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicUsize};

pub type Handler = Box<dyn Fn(*mut VmContext, FuncId, &mut [u64]) -> Result<(), Box<Trap>>>;

/// What the tests put in place of the engine.
#[derive(Default)]
pub struct TestServices {
    pub sigs: Vec<NativeSig>,
    pub call: Option<Handler>,
    /// Gets one slot.
    pub dialect: Option<Handler>,
    pub memory_grow: Option<Box<dyn Fn(u64) -> i64>>,
    pub traps: RefCell<Vec<(usize, TrapCode)>>,
    /// Which addresses belong to which function.
    pub functions: RefCell<Vec<(Range<usize>, FuncId)>>,
}

impl Services for TestServices {
    unsafe fn prepare_t0(&self, _: *mut VmContext, _: FuncId) -> Result<(), Box<Trap>> {
        Err(Trap::code(Unreachable))
    }

    unsafe fn call(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>> {
        self.call.as_ref().expect("a handler of calls")(ctx, func, slots)
    }

    unsafe fn call_hot(&self, _: *mut VmContext, _: FuncId) -> Result<(), Box<Trap>> {
        Err(Trap::code(Interrupted))
    }

    unsafe fn loop_hot(
        &self,
        _: *mut VmContext,
        func: FuncId,
        loop_id: LoopId,
        _: Tier,
    ) -> Result<*const u8, Box<Trap>> {
        Ok((func.as_u32() as usize * 100 + loop_id.as_u32() as usize) as *const u8)
    }

    unsafe fn deopt(
        &self,
        _: *mut VmContext,
        code_id: u64,
        exit: u32,
        values: *mut u64,
    ) -> Result<(), Box<Trap>> {
        // SAFETY: the test's code passes the address of a slot.
        unsafe { *values += code_id + u64::from(exit) };
        Ok(())
    }

    unsafe fn memory_grow(&self, _: *mut VmContext, _: MemId, pages: u64) -> i64 {
        self.memory_grow.as_ref().expect("a handler of memory_grow")(pages)
    }

    unsafe fn dialect(
        &self,
        ctx: *mut VmContext,
        func: FuncId,
        _: DialectOpId,
        _: SiteId,
        slots: *mut u64,
    ) -> Result<(), Box<Trap>> {
        // SAFETY: the test's code passes the address of a slot.
        let slots = unsafe { std::slice::from_raw_parts_mut(slots, 1) };
        self.dialect.as_ref().expect("a handler of dialect operations")(ctx, func, slots)
    }

    fn module_number(&self) -> u32 {
        0
    }

    fn native_sig(&self, func: FuncId) -> &NativeSig {
        &self.sigs[func.as_u32() as usize]
    }

    fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        self.traps.borrow().iter().find(|(at, _)| *at == pc).map(|(_, code)| *code)
    }

    fn frames_at(&self, pc: usize, exact: bool, frames: &mut Vec<Frame>) {
        let pc = if exact { pc } else { pc - 1 };
        for (range, func) in self.functions.borrow().iter() {
            if range.contains(&pc) {
                let loc = SrcLoc::default();
                frames.push(Frame { module: 0, func: *func, loc, tier: Tier::T1 });
            }
        }
    }
}

/// An instance without functions of its own.
pub struct Instance {
    pub memory: CodeMemory,
    pub limits: Box<VmLimits>,
    services: Box<TestServices>,
    context: Box<VmContext>,
    _funcs: Box<[FuncCell]>,
    blocks: RefCell<Vec<CodeBlock>>,
}

impl Instance {
    pub fn new(services: TestServices) -> Instance {
        let memory =
            CodeMemory::new(CodeMemoryConfig { budget: 1 << 20, ..Default::default() }).unwrap();
        let stack_limit = signals::native_stack_limit();
        let mut limits = Box::new(VmLimits {
            stack_limit: AtomicUsize::new(stack_limit),
            interrupt: AtomicU32::new(0),
            sample: AtomicU32::new(0),
            fuel: AtomicI64::new(0),
            deopt_budget: 0,
            exit_fp: 0,
            exit_pc: 0,
            leave: 0,
            entry: std::ptr::null_mut(),
            fault: Fault::default(),
            t0_top: std::ptr::null_mut(),
            t0_end: std::ptr::null_mut(),
            real_stack_limit: stack_limit,
            thread: Default::default(),
            pending: None,
        });
        let services = Box::new(services);
        let funcs: Box<[FuncCell]> = Box::new([]);
        let context = Box::new(VmContext {
            limits: &raw mut *limits,
            funcs: funcs.as_ptr(),
            func_refs: std::ptr::null(),
            services: &raw const *services as *const dyn Services,
        });
        Instance { memory, limits, services, context, _funcs: funcs, blocks: RefCell::default() }
    }

    pub fn ctx(&self) -> *mut VmContext {
        (&raw const *self.context).cast_mut()
    }

    /// Places code as function `func`; `traps` are offsets of faulting instructions.
    pub fn place(
        &self,
        func: u32,
        code: &[u8],
        relocs: &[Reloc],
        traps: &[(usize, TrapCode)],
    ) -> *const u8 {
        let artifact = artifact(code, relocs);
        let block = self.memory.link(&artifact, &resolve).unwrap();
        let start = block.start();
        let traps = traps.iter().map(|(offset, code)| (start as usize + offset, *code));
        self.services.traps.borrow_mut().extend(traps);
        self.services.functions.borrow_mut().push((block.range(), FuncId::from_u32(func)));
        self.blocks.borrow_mut().push(block);
        start
    }

    /// Places the entry stub of a function without code.
    pub fn place_stub(&self, func: u32) -> *const u8 {
        let stub = arch::entry_stub(FuncId::from_u32(func), arch::entry_adapter());
        let block = self.memory.publish(&stub, 8).unwrap();
        let start = block.start();
        self.blocks.borrow_mut().push(block);
        start
    }

    /// Calls code by its signature.
    pub fn invoke(
        &self,
        code: *const u8,
        sig: &NativeSig,
        slots: &mut [u64],
    ) -> Result<(), Box<Trap>> {
        // SAFETY: the tests pass code of this instance, which lives as long as it.
        unsafe { arch::invoke_slots(self.ctx(), code, sig, slots) }
    }
}

/// The value of symbols in tests: helpers, and easily recognized constants.
pub fn resolve(symbol: cupola_runtime::Symbol) -> u64 {
    use cupola_runtime::Symbol;
    match symbol {
        Symbol::Helper(helper) => arch::helper_thunk(helper) as u64,
        Symbol::Feedback(func) => 0x1122_3344_5566_0000 + u64::from(func.as_u32()),
        Symbol::CodeId => 77,
        Symbol::SelfStart => unreachable!("the linker knows it"),
    }
}

/// An artifact of nothing but code.
pub fn artifact(code: &[u8], relocs: &[Reloc]) -> Artifact {
    Artifact {
        func: FuncId::from_u32(0),
        tier: Tier::T1,
        generator: "test".into(),
        entry_kind: cupola_ir::EntryKind::Call,
        members: Vec::new(),
        code: code.to_vec(),
        align: 16,
        relocs: relocs.to_vec(),
        traps: vec![],
        positions: vec![],
        inlined: vec![],
        deopts: vec![],
    }
}

/// The native signature for these types.
pub fn sig(params: &[Type], results: &[Type]) -> NativeSig {
    NativeSig::of(&Signature::new(params.iter().copied(), results.iter().copied()))
}

/// `push rbp; mov rbp, rsp`
pub const PROLOGUE: [u8; 4] = [0x55, 0x48, 0x89, 0xe5];
/// `leave; ret`
pub const EPILOGUE: [u8; 2] = [0xc9, 0xc3];
/// `ud2`
pub const UD2: [u8; 2] = [0x0f, 0x0b];

/// A function's code: `body` between prologue and epilogue.
pub fn function(body: &[&[u8]]) -> Vec<u8> {
    [&PROLOGUE[..], &body.concat(), &EPILOGUE[..]].concat()
}

/// `mov rax, imm64; call rax`
pub fn call_absolute(target: *const u8) -> Vec<u8> {
    [&[0x48, 0xb8][..], &(target as u64).to_le_bytes(), &[0xff, 0xd0]].concat()
}
