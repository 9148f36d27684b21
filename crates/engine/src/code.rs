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
use cupola_runtime::{Frame, Member, PositionSite, Tier, TrapSite};
use parking_lot::{Mutex, RwLock};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Weak};

/// One piece of installed code and the tables beside it: of one function, or of several that were
/// compiled as a unit. Those of a unit are entered and given up together; it has one number.
pub(crate) struct CodeVersion {
    /// Its number; never used again.
    pub id: u64,
    /// The number of its module.
    pub module: u32,
    /// The function that was asked for.
    pub func: FuncId,
    /// Further functions, entered by calls; sorted by offset.
    members: Vec<Member>,
    /// The tier.
    pub tier: Tier,
    /// The code generator that made it.
    pub generator: &'static str,
    /// How the function that was asked for is entered.
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
    /// Whether it is not to be linked any more.
    pub given_up: AtomicBool,
    /// How many functions lead to it, and one more while it is being installed.
    links: AtomicU32,
    /// Whether it was unlinked.
    pub retired: AtomicBool,
    block: CodeBlock,
}

/// The tables of an artifact that stay beside its code.
pub(crate) struct CodeTables {
    pub members: Vec<Member>,
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
            members: tables.members,
            tier,
            generator,
            kind,
            traps: tables.traps,
            positions: tables.positions,
            inlined: tables.inlined,
            deopts: tables.deopts,
            deopt_count: AtomicU32::new(0),
            given_up: AtomicBool::new(false),
            links: AtomicU32::new(1),
            retired: AtomicBool::new(false),
            block,
        }
    }

    /// The further functions of the unit.
    pub fn members(&self) -> impl Iterator<Item = FuncId> {
        self.members.iter().map(|member| member.func)
    }

    /// Where the code of each function starts and ends, in bytes from the start; the first one's
    /// is the first.
    pub fn spans(&self) -> impl Iterator<Item = (FuncId, Range<usize>)> {
        let first = Member { func: self.func, offset: 0 };
        let all = || std::iter::once(first).chain(self.members.iter().copied());
        let ends = all().skip(1).map(|next| next.offset as usize).chain([self.len()]);
        all().zip(ends).map(|(member, end)| (member.func, member.offset as usize..end))
    }

    /// Where calls of a function enter.
    pub fn entry_of(&self, func: FuncId) -> *const u8 {
        let member = self.members.iter().find(|member| member.func == func);
        self.start().wrapping_add(member.map_or(0, |member| member.offset as usize))
    }

    /// How much of the code is of a function, in bytes.
    pub fn bytes_of(&self, func: FuncId) -> u64 {
        self.spans().find(|(of, _)| *of == func).map_or(0, |(_, span)| span.len() as u64)
    }

    /// The function whose code stands at an offset.
    fn func_at(&self, offset: u32) -> FuncId {
        let next = self.members.partition_point(|member| member.offset <= offset);
        next.checked_sub(1).map_or(self.func, |i| self.members[i].func)
    }

    /// One more function leads to it.
    pub fn add_link(&self) {
        self.links.fetch_add(1, Ordering::Relaxed);
    }

    /// One function less leads to it; gives whether it was the last.
    pub fn remove_link(&self) -> bool {
        self.links.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Address of the first byte, where the function that was asked for is entered.
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
        let (module, func) = (self.module, self.func_at(offset));
        frames.push(Frame { module, func, loc, tier: self.tier });
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
