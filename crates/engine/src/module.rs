//! Modules: a program's code, shared by all of its instances.

use crate::code::CodeVersion;
use crate::engine::{Engine, EngineInner};
use crate::error::Error;
use crate::events::EventKind;
use crate::host::{DialectOp, Dialects};
use crate::manage::Manage;
use crate::memory::Images;
use crate::policy::EntryPoint;
use crate::stats::FuncStats;
use cupola_codemem::CodeBlock;
use cupola_interp::Code;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest, LoopHeaders};
use cupola_ir::{
    Block, Bodies, Diagnostics, DialectOpId, EagerBodies, EntryKind, FuncId, Function, Inst,
    LoopId, SigId,
};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::arch::{self, ENTRY_STUB_SIZE};
use cupola_runtime::{ContextLayout, Feedback, FeedbackLayout, FuncCell, Trap, TrapKind};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What exists of a function once it has been called.
pub(crate) struct FuncData {
    /// The register form.
    pub body: Arc<Function>,
    /// Its loops.
    pub headers: LoopHeaders,
    /// Counters; their address is in the function's cell and in code.
    pub feedback: Feedback,
    /// T0's encoding; its address is in the function's cell.
    pub t0: Box<Code>,
    /// Versions and policy state.
    pub manage: Mutex<Manage>,
    /// What happened to it.
    pub stats: FuncStats,
    /// How its loops nest; computed when it is first asked for.
    nesting: OnceLock<Nesting>,
    /// Back edges left of [`FuncData::be_patient`]; a lost update is harmless.
    patience: AtomicU64,
}

/// What T0 does in 0.1 ms or so, which is what a pointless entry costs until the next sample, and
/// more.
const PATIENCE: u64 = 20_000;

/// How the loops of a function nest.
struct Nesting {
    /// The innermost loop around each block.
    around: Vec<Option<LoopId>>,
    /// The loop around each loop.
    parents: Vec<Option<LoopId>>,
}

impl Nesting {
    fn compute(body: &Function, headers: &LoopHeaders) -> Nesting {
        let cfg = Cfg::compute(body);
        let forest = LoopForest::compute(body, &cfg, &DomTree::compute(&cfg));
        let numbered = |natural| headers.loop_of(forest.get(natural).header);
        // The header of a loop with several entries is in no natural loop of its own.
        let around = |block| headers.loop_of(block).or_else(|| numbered(forest.innermost(block)?));
        let parent = |&header: &Block| {
            let outer = match forest.with_header(header) {
                Some(own) => forest.get(own).parent,
                None => forest.innermost(header),
            };
            numbered(outer?)
        };
        Nesting {
            around: body.blocks.keys().map(around).collect(),
            parents: headers.headers().iter().map(parent).collect(),
        }
    }
}

impl FuncData {
    fn nesting(&self) -> &Nesting {
        self.nesting.get_or_init(|| Nesting::compute(&self.body, &self.headers))
    }

    /// The entry points at which a version of this function's code, or of a unit with it, is
    /// entered.
    pub fn entries_of(
        &self,
        version: &CodeVersion,
        func: FuncId,
    ) -> impl Iterator<Item = EntryPoint> + use<> {
        let loops = match &version.kind {
            EntryKind::Osr { header, .. } if func == version.func => {
                let id = self.headers.loop_of(*header).map_or(0, LoopId::as_u32);
                id..id + 1
            }
            EntryKind::AnyLoop if func == version.func => 0..self.headers.headers().len() as u32,
            _ => 0..0,
        };
        let called = func != version.func || matches!(version.kind, EntryKind::Call);
        let call = called.then_some(EntryPoint::Call);
        call.into_iter().chain(loops.map(LoopId::from_u32).map(EntryPoint::Loop))
    }

    /// The innermost loop around an instruction.
    pub fn loop_around(&self, inst: Inst) -> Option<LoopId> {
        let (block, _) = self.body.blocks.iter().find(|(_, data)| data.insts.contains(&inst))?;
        self.nesting().around[block.as_u32() as usize]
    }

    /// The loops around a loop, the innermost first.
    pub fn loops_outside(&self, id: LoopId) -> impl Iterator<Item = LoopId> {
        let parent = |id: &LoopId| self.nesting().parents[id.as_u32() as usize];
        std::iter::successors(parent(&id), parent)
    }

    /// The activation that runs goes on in T0, on its way to a loop with better code than where it
    /// was: until that is reached, loops inside of it are not entered in lesser code unless they go
    /// around often.
    pub fn be_patient(&self) {
        self.patience.store(PATIENCE, Ordering::Relaxed);
    }

    /// Whether `count` more back edges are within the patience.
    pub fn spend_patience(&self, count: u64) -> bool {
        let left = self.patience.load(Ordering::Relaxed);
        self.patience.store(left.saturating_sub(count), Ordering::Relaxed);
        left > count
    }
}

pub(crate) struct ModuleInner {
    pub engine: Arc<EngineInner>,
    pub ir: cupola_ir::Module,
    pub layout: ContextLayout,
    /// Number of the module in events.
    pub id: u32,
    pub bodies: Arc<dyn Bodies>,
    cells: Box<[FuncCell]>,
    funcs: Box<[OnceLock<Box<FuncData>>]>,
    native_sigs: Vec<NativeSig>,
    dialect_ops: Vec<Arc<dyn DialectOp>>,
    /// Entry stubs of all functions; made when the first code that may call them is linked.
    stubs: OnceLock<Option<CodeBlock>>,
    /// Initial contents of memories, shared by instances.
    pub images: Images,
}

// SAFETY: what is not Send and Sync by itself are the raw pointers in the T0 encodings and cells;
// they lead to feedback and code that the module owns, and are only followed by running instances,
// which hold the module.
unsafe impl Send for ModuleInner {}
// SAFETY: as above; everything that changes is behind atomics, locks or `OnceLock`s.
unsafe impl Sync for ModuleInner {}

/// A program's code. Cheap to clone; instances of it share counters and compiled code.
#[derive(Clone)]
pub struct Module {
    pub(crate) inner: Arc<ModuleInner>,
}

impl Module {
    /// Takes a module and the bodies of its functions, asked for one by one at their first calls.
    /// The front end answers for their being valid ([`cupola_ir::verify_function`]).
    ///
    /// # Errors
    /// If a dialect operation is not registered, or registered with another signature.
    pub fn new(
        engine: &Engine,
        ir: cupola_ir::Module,
        bodies: Arc<dyn Bodies>,
        dialects: &Dialects,
    ) -> Result<Module, Error> {
        let dialect_ops = ir
            .dialect_ops
            .values()
            .map(|decl| {
                let missing =
                    |hint: String| Error::MissingDialectOp { name: decl.name.clone(), hint };
                let op = dialects.get(&decl.name).ok_or_else(|| missing(String::new()))?;
                let sig = op.signature();
                if sig.params != decl.params || sig.results != decl.results {
                    return Err(missing(format!(" with this signature but with {sig}")));
                }
                Ok(op.clone())
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let engine = engine.inner.clone();
        let layout = ContextLayout::of(&ir, |sig| engine.sig_id(sig));
        let inner = ModuleInner {
            layout,
            id: engine.new_module_id(),
            bodies,
            cells: ir.funcs.keys().map(|_| FuncCell::default()).collect(),
            funcs: ir.funcs.keys().map(|_| OnceLock::new()).collect(),
            native_sigs: ir.sigs.values().map(NativeSig::of).collect(),
            dialect_ops,
            stubs: OnceLock::new(),
            images: Images::default(),
            ir,
            engine,
        };
        let inner = Arc::new(inner);
        inner.engine.modules.lock().push(Arc::downgrade(&inner));
        Ok(Module { inner })
    }

    /// Parses and verifies a module in the text format. `name` stands in messages and backtraces.
    ///
    /// # Errors
    /// If the text is not a valid module, with the places; or as [`Module::new`].
    pub fn from_text(
        engine: &Engine,
        name: &str,
        text: &str,
        dialects: &Dialects,
    ) -> Result<Module, Error> {
        let invalid = |diagnostics: Diagnostics| Error::InvalidModule(diagnostics.to_string());
        let parsed = cupola_ir::parse(name, text).map_err(invalid)?;
        parsed.verify().map_err(invalid)?;
        let mut module = parsed.module;
        if module.name.is_empty() {
            module.name = name.to_owned();
        }
        Module::new(engine, module, Arc::new(parsed.bodies), dialects)
    }

    /// Verifies and takes a module whose functions were all built before.
    ///
    /// # Errors
    /// If the module or a function breaks a rule of the instruction set; or as [`Module::new`].
    pub fn with_bodies(
        engine: &Engine,
        ir: cupola_ir::Module,
        bodies: EagerBodies,
        dialects: &Dialects,
    ) -> Result<Module, Error> {
        bodies.verify(&ir).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Error::InvalidModule(lines.join("\n"))
        })?;
        Module::new(engine, ir, Arc::new(bodies), dialects)
    }

    /// The declarations.
    pub fn ir(&self) -> &cupola_ir::Module {
        &self.inner.ir
    }

    /// The engine that the module belongs to.
    pub fn engine(&self) -> Engine {
        Engine { inner: self.inner.engine.clone() }
    }

    /// The exported (or else any) function of that name.
    pub fn func(&self, name: &str) -> Option<FuncId> {
        self.inner.ir.find_func(name)
    }
}

impl ModuleInner {
    /// The cell of a function.
    pub fn cell(&self, func: FuncId) -> &FuncCell {
        &self.cells[func.as_u32() as usize]
    }

    /// The entry table.
    pub fn cells(&self) -> *const FuncCell {
        self.cells.as_ptr()
    }

    /// Where arguments and results of a signature travel.
    pub fn native_sig(&self, sig: SigId) -> &NativeSig {
        &self.native_sigs[sig.as_u32() as usize]
    }

    /// Where arguments and results of a function travel.
    pub fn func_native_sig(&self, func: FuncId) -> &NativeSig {
        self.native_sig(self.ir.funcs[func].sig)
    }

    /// The handler of a dialect operation.
    pub fn dialect_op(&self, op: DialectOpId) -> &Arc<dyn DialectOp> {
        &self.dialect_ops[op.as_u32() as usize]
    }

    /// The exported function of that name.
    pub fn export(&self, name: &str) -> Result<FuncId, Error> {
        let found = self.ir.exports.get(name).copied();
        found.ok_or_else(|| Error::NoSuchFunction(name.to_owned()))
    }

    /// What exists of a function, if it was called or asked for before.
    pub fn existing(&self, func: FuncId) -> Option<&FuncData> {
        self.funcs[func.as_u32() as usize].get().map(|data| &**data)
    }

    /// The functions that were called or asked for so far.
    pub fn all_existing(&self) -> impl Iterator<Item = (FuncId, &FuncData)> {
        self.ir.funcs.keys().filter_map(|func| Some((func, self.existing(func)?)))
    }

    /// What exists of a defined function; made on its first call.
    ///
    /// # Errors
    /// If the front end cannot translate it.
    pub fn data(&self, func: FuncId) -> Result<&FuncData, String> {
        if let Some(data) = self.existing(func) {
            return Ok(data);
        }
        let started = Instant::now();
        let body = self.bodies.body(func)?;
        let options = &self.engine.config.codegen;
        let cfg = Cfg::compute(&body);
        let headers = LoopHeaders::compute(&body, &cfg);
        let feedback_layout = FeedbackLayout::of(&body, &headers, options.block_counts);
        let (calls, edges) = self.engine.first_budgets();
        let feedback = Feedback::new(feedback_layout, calls, edges);
        let graph = (&cfg, &headers);
        let t0 = Code::encode(&self.ir, &self.layout, func, &body, graph, &feedback, options);
        let loops = headers.headers().len();
        let size = body.insts.len() as u32;
        let manage = Mutex::new(Manage::new(size, loops, self.engine.now_ns()));
        let stats = FuncStats::default();
        let (nesting, patience) = (OnceLock::new(), AtomicU64::new(0));
        let data = FuncData { body, headers, feedback, t0, manage, stats, nesting, patience };
        // If another thread was quicker, its data stands and ours is dropped.
        let slot = &self.funcs[func.as_u32() as usize];
        let mut mine = false;
        let data = slot.get_or_init(|| {
            mine = true;
            Box::new(data)
        });
        if mine {
            let cell = self.cell(func);
            cell.feedback.store(data.feedback.as_ptr(), Ordering::Release);
            let t0: *const Code = &*data.t0;
            cell.t0.store(t0.cast_mut().cast(), Ordering::Release);
            let micros = started.elapsed().as_micros() as u64;
            self.emit(func, || EventKind::Translated { micros });
        }
        Ok(data)
    }

    /// As [`ModuleInner::data`], with the failure as a trap.
    pub fn data_or_trap(&self, func: FuncId) -> Result<&FuncData, Box<Trap>> {
        self.data(func).map_err(|message| Trap::new(TrapKind::Host(message.into())))
    }

    /// Sees to it that every function can be called from compiled code. Gives whether there was
    /// room for the stubs.
    pub fn ensure_entries(&self) -> bool {
        let stubs = self.stubs.get_or_init(|| {
            let adapter = arch::entry_adapter();
            let code: Vec<u8> =
                self.ir.funcs.keys().flat_map(|func| arch::entry_stub(func, adapter)).collect();
            let block = self.engine.code_memory.publish(&code, 16)?;
            for (cell, stub) in self.cells.iter().zip((0..).step_by(ENTRY_STUB_SIZE)) {
                // No code that calls anything is linked before this is done, so that plain stores
                // cannot undo an installation.
                cell.entry.store(block.start().wrapping_add(stub).cast_mut(), Ordering::Release);
            }
            Some(block)
        });
        stubs.is_some()
    }

    /// The stub of a function: enters T0 or the host. None before [`ModuleInner::ensure_entries`].
    pub fn stub(&self, func: FuncId) -> Option<*const u8> {
        let stubs = self.stubs.get()?.as_ref()?;
        Some(stubs.start().wrapping_add(func.as_u32() as usize * ENTRY_STUB_SIZE))
    }

    /// The instruction at which a deoptimization at the start of `block` resumes.
    pub fn resume_point(body: &Function, block: cupola_ir::Block) -> Option<Inst> {
        body.blocks[block].insts.first().copied()
    }
}

impl Drop for ModuleInner {
    fn drop(&mut self) {
        // No instance exists any more, so that nothing leads to this module's code.
        for (_, data) in self.all_existing() {
            for version in data.manage.lock().take_versions() {
                self.engine.retire(version);
            }
        }
    }
}
