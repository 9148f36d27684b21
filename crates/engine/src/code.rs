//! Installed machine code: which versions exist, where they are, and when their memory may be
//! given back.
//!
//! A code version that has to go is first unlinked (no entry leads to it any more), then retired.
//! Its memory is freed when no thread can be in it. Each thread of execution has an
//! [`Execution`]: while it runs nothing, it is in no code; while it runs, it says at each slow
//! path (a helper call, where all generated frames can be walked) up to which retirement it has
//! looked at its own stack, and which retired versions it found there. This is quiescent-state
//! reclamation (McKenney, Slingwine: Read-Copy Update, 1998) with stacks scanned, so that an
//! execution that never ends does not keep all garbage alive.

use cupola_codemem::CodeBlock;
use cupola_ir::{EntryKind, FrameState, FuncId, InlinedCall, TrapCode};
use cupola_runtime::{Frame, PositionSite, Tier, TrapSite};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};

/// One piece of installed code and the tables beside it.
pub(crate) struct CodeVersion {
    /// Its number; never used again.
    pub id: u64,
    /// The number of its module.
    pub module: u32,
    /// The function.
    pub func: FuncId,
    /// The tier.
    pub tier: Tier,
    /// The code generator that made it.
    pub generator: &'static str,
    /// How it is entered.
    pub kind: EntryKind,
    /// Trapping instructions by offset.
    traps: Vec<TrapSite>,
    /// Source positions by offset.
    positions: Vec<PositionSite>,
    /// Inlined calls that the positions speak of.
    inlined: Vec<InlinedCall>,
    /// Deoptimization exits.
    pub deopts: Vec<FrameState>,
    /// How often it deoptimized, forced deoptimizations left out.
    pub deopt_count: AtomicU32,
    /// Whether it was unlinked.
    pub retired: AtomicBool,
    block: CodeBlock,
}

/// The tables of an artifact that stay beside its code.
pub(crate) struct CodeTables {
    pub traps: Vec<TrapSite>,
    pub positions: Vec<PositionSite>,
    pub inlined: Vec<InlinedCall>,
    pub deopts: Vec<FrameState>,
}

impl CodeVersion {
    pub(crate) fn new(
        id: u64,
        (module, func): (u32, FuncId),
        (tier, generator, kind): (Tier, &'static str, EntryKind),
        tables: CodeTables,
        block: CodeBlock,
    ) -> CodeVersion {
        CodeVersion {
            id,
            module,
            func,
            tier,
            generator,
            kind,
            traps: tables.traps,
            positions: tables.positions,
            inlined: tables.inlined,
            deopts: tables.deopts,
            deopt_count: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            block,
        }
    }

    /// Address of the entry.
    pub fn start(&self) -> *const u8 {
        self.block.start()
    }

    /// Size of the code in bytes.
    pub fn len(&self) -> usize {
        self.block.len()
    }

    fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        let offset = (pc - self.start() as usize) as u32;
        let index = self.traps.binary_search_by_key(&offset, |site| site.offset).ok()?;
        Some(self.traps[index].code)
    }

    /// The activations that the instruction at `pc` stands for, the innermost first.
    fn frames_at(&self, pc: usize, frames: &mut Vec<Frame>) {
        let offset = (pc - self.start() as usize) as u32;
        let index = self.positions.partition_point(|site| site.offset <= offset);
        let site = index.checked_sub(1).map(|i| self.positions[i]);
        if site.is_some_and(|s| s.moved_on) {
            return;
        }
        let mut loc = site.map(|s| s.loc).unwrap_or_default();
        let mut inline_site = site.and_then(|s| s.inline_site);
        while let Some(inlined) = inline_site.and_then(|s| self.inlined.get(s.as_u32() as usize)) {
            let (module, func) = (self.module, inlined.callee);
            frames.push(Frame { module, func, loc, tier: self.tier });
            loc = inlined.call_loc;
            inline_site = inlined.parent;
        }
        frames.push(Frame { module: self.module, func: self.func, loc, tier: self.tier });
    }
}

/// One thread of execution, as reclamation sees it.
#[derive(Default)]
pub(crate) struct Execution {
    /// Whether it runs anything.
    running: AtomicBool,
    /// Up to which retirement it has looked at its stack.
    acknowledged: AtomicU64,
    /// Retired versions found there.
    holding: Mutex<Vec<u64>>,
}

impl Execution {
    /// Marks the thread of execution as running. To be called before any entry is read.
    pub fn start(&self) {
        self.running.store(true, Ordering::Relaxed);
        // Orders the mark before the entries that are read from now on, as `retire` orders the
        // unlinking before the marks that it reads: one of the two sees the other.
        fence(Ordering::SeqCst);
    }

    /// Marks it as in no code.
    pub fn stop(&self) {
        self.running.store(false, Ordering::Release);
    }

    /// Whether it runs anything.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    fn is_clear_of(&self, epoch: u64, id: u64) -> bool {
        !self.running.load(Ordering::Acquire)
            || (self.acknowledged.load(Ordering::Acquire) >= epoch
                && !self.holding.lock().contains(&id))
    }
}

struct Retired {
    epoch: u64,
    version: Arc<CodeVersion>,
}

/// All code of an engine.
#[derive(Default)]
pub(crate) struct CodeTable {
    by_start: RwLock<BTreeMap<usize, Arc<CodeVersion>>>,
    by_id: RwLock<FxHashMap<u64, Arc<CodeVersion>>>,
    next_id: AtomicU64,
    executions: Mutex<Vec<Weak<Execution>>>,
    /// Number of the last retirement.
    epoch: AtomicU64,
    retired: Mutex<Vec<Retired>>,
    /// Length of `retired`, to be asked without the lock.
    retired_len: AtomicU64,
    reclaimed_bytes: AtomicU64,
}

impl CodeTable {
    /// A number for a version that is about to be linked.
    pub fn new_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a version; from now on its traps and frames are known.
    pub fn insert(&self, version: Arc<CodeVersion>) {
        self.by_id.write().insert(version.id, version.clone());
        self.by_start.write().insert(version.start() as usize, version);
    }

    /// The version with this number.
    pub fn get(&self, id: u64) -> Option<Arc<CodeVersion>> {
        self.by_id.read().get(&id).cloned()
    }

    fn at<T>(&self, pc: usize, f: impl FnOnce(&Arc<CodeVersion>) -> T) -> Option<T> {
        let table = self.by_start.read();
        let (&start, version) = table.range(..=pc).next_back()?;
        (pc < start + version.len()).then(|| f(version))
    }

    /// The trap code of the instruction at `pc`.
    pub fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        self.at(pc, |version| version.trap_at(pc)).flatten()
    }

    /// Adds the activations that `pc` stands for; a return address stands for the call before it.
    pub fn frames_at(&self, pc: usize, exact: bool, frames: &mut Vec<Frame>) {
        let pc = if exact { pc } else { pc.wrapping_sub(1) };
        self.at(pc, |version| version.frames_at(pc, frames));
    }

    /// A new thread of execution.
    pub fn register(&self) -> Arc<Execution> {
        let execution = Arc::new(Execution::default());
        let mut executions = self.executions.lock();
        executions.retain(|e| e.strong_count() > 0);
        executions.push(Arc::downgrade(&execution));
        execution
    }

    /// Gives up a version that nothing leads to any more; its memory is freed once no thread can
    /// be in it. Gives the versions that were freed now.
    pub fn retire(&self, version: Arc<CodeVersion>) -> Vec<Arc<CodeVersion>> {
        if version.retired.swap(true, Ordering::AcqRel) {
            return Vec::new();
        }
        fence(Ordering::SeqCst);
        {
            let mut retired = self.retired.lock();
            let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
            retired.push(Retired { epoch, version });
            self.retired_len.store(retired.len() as u64, Ordering::Release);
        }
        self.reclaim()
    }

    /// Whether an execution should look at its stack ([`CodeTable::acknowledge`]).
    pub fn wants_acknowledgement(&self, execution: &Execution) -> bool {
        self.retired_len.load(Ordering::Acquire) > 0
            && execution.acknowledged.load(Ordering::Relaxed) < self.epoch.load(Ordering::Acquire)
    }

    /// An execution, at a slow path, walks its stack: `pcs` visits all return addresses in
    /// generated code. Frees what can be freed then, and gives it.
    pub fn acknowledge(
        &self,
        execution: &Execution,
        pcs: impl FnOnce(&mut dyn FnMut(usize)),
    ) -> Vec<Arc<CodeVersion>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let mut holding = Vec::new();
        pcs(&mut |pc| {
            let found = self.at(pc.wrapping_sub(1), |version| {
                version.retired.load(Ordering::Acquire).then_some(version.id)
            });
            if let Some(id) = found.flatten() {
                holding.push(id);
            }
        });
        *execution.holding.lock() = holding;
        execution.acknowledged.store(epoch, Ordering::Release);
        self.reclaim()
    }

    /// Frees retired code that no thread can be in; gives it, its memory being freed with the last
    /// reference.
    pub fn reclaim(&self) -> Vec<Arc<CodeVersion>> {
        if self.retired_len.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        let executions: Vec<Arc<Execution>> =
            self.executions.lock().iter().filter_map(Weak::upgrade).collect();
        let mut free = Vec::new();
        {
            let mut retired = self.retired.lock();
            let mut i = 0;
            while i < retired.len() {
                let Retired { epoch, version } = &retired[i];
                if executions.iter().all(|e| e.is_clear_of(*epoch, version.id)) {
                    free.push(retired.swap_remove(i).version);
                } else {
                    i += 1;
                }
            }
            self.retired_len.store(retired.len() as u64, Ordering::Release);
        }
        for version in &free {
            self.by_start.write().remove(&(version.start() as usize));
            self.by_id.write().remove(&version.id);
            self.reclaimed_bytes.fetch_add(version.len() as u64, Ordering::Relaxed);
        }
        free
    }

    /// Bytes of code that were given back so far.
    pub fn reclaimed_bytes(&self) -> u64 {
        self.reclaimed_bytes.load(Ordering::Relaxed)
    }
}
