//! The engine: what all modules share, and how it is configured.

use crate::code::{CodeTable, CodeVersion};
use crate::error::Error;
use crate::events::{Event, EventKind, EventStream};
use crate::memory::MemoryOptions;
use crate::module::{Module, ModuleInner};
use crate::policy::{Environment, FuncState, Policy, ThresholdPolicy, TierSet};
use crate::queue::{Queue, Unit};
use crate::stress::{Stress, StressState};
use crate::ticker::Ticker;
use crate::tuning::Tuning;
use cupola_codemem::{CodeMemory, CodeMemoryConfig, perf_map};
use cupola_ir::{FuncId, LoopId, Signature};
use cupola_opt::{OptOptions, Profile};
use cupola_runtime::{CodeGenerator, CodegenOptions, CompileError, Tier};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Once, OnceLock, Weak};
use std::time::Instant;

/// Which tiers functions run in.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They start in T0 and climb as the policy says.
    #[default]
    Auto,
    /// All in this tier, compiled on their first call. (After a deoptimization, the rest of the
    /// activation runs in T0.)
    Only(Tier),
}

/// Configuration of an engine.
#[derive(Clone)]
pub struct Config {
    /// Which tiers functions run in.
    pub mode: Mode,
    /// Thresholds and bounds.
    pub tuning: Tuning,
    /// Decides when functions change tiers; none: [`ThresholdPolicy`] with `tuning`.
    pub policy: Option<Arc<dyn Policy>>,
    /// What the optimizer may do.
    pub optimizer: OptOptions,
    /// What code is generated for.
    pub codegen: CodegenOptions,
    /// Stress modes, for tests.
    pub stress: Stress,
    /// Greatest size of one linear memory, in pages of 64 KiB; a memory does not grow beyond it.
    /// 32-bit addresses reach no more than the default, 65,536 pages.
    pub max_memory_pages: u64,
    /// Greatest number of slots of one table.
    pub max_table_slots: u64,
    /// Size of each store's interpreter stack, in slots of 8 bytes; only what is used takes
    /// memory.
    pub t0_stack_slots: usize,
    /// Whether addresses and names of code are appended to `/tmp/perf-PID.map`, for `perf`.
    pub perf_map: bool,
    generators: Vec<Arc<dyn CodeGenerator>>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mode: Mode::Auto,
            tuning: Tuning::default(),
            policy: None,
            optimizer: OptOptions::default(),
            codegen: CodegenOptions::default(),
            stress: Stress::default(),
            max_memory_pages: 65536,
            max_table_slots: 10_000_000,
            t0_stack_slots: 1 << 20,
            perf_map: false,
            generators: Vec::new(),
        }
    }
}

impl Config {
    /// The default configuration, with T0 as the only tier.
    pub fn new() -> Config {
        Config::default()
    }

    /// Adds the code generator of a tier, in place of one that was added for the same tier.
    #[must_use]
    pub fn with_generator(mut self, generator: Arc<dyn CodeGenerator>) -> Config {
        self.generators.retain(|g| g.tier() != generator.tier());
        self.generators.push(generator);
        self
    }
}

impl Config {
    pub(crate) fn memory_options(&self) -> MemoryOptions {
        MemoryOptions {
            max_pages: self.max_memory_pages,
            reservation: self.codegen.memory_reservation,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generators: Vec<_> = self.generators.iter().map(|g| (g.tier(), g.name())).collect();
        f.debug_struct("Config")
            .field("mode", &self.mode)
            .field("tuning", &self.tuning)
            .field("generators", &generators)
            .finish_non_exhaustive()
    }
}

pub(crate) struct EngineInner {
    pub config: Config,
    pub policy: Arc<dyn Policy>,
    /// The tiers that functions may climb to, as far as is known at the start.
    available: TierSet,
    /// The tiers that there are.
    pub existing: TierSet,
    pub code_memory: CodeMemory,
    pub code: CodeTable,
    pub queue: Queue,
    /// Compilations for T3 and above, which wait for another process and must not hold up others.
    pub peak_queue: Queue,
    pub ticker: Ticker,
    /// The tiers whose code generators turned out not to be available.
    unavailable: AtomicU8,
    /// The first fault of the peak compiler.
    peak_fault: OnceLock<CompileError>,
    /// Whether the code generators above T2 were asked if they can be had.
    peak_looked_for: Once,
    pub events: EventStream,
    pub modules: Mutex<Vec<Weak<ModuleInner>>>,
    started: Instant,
    sig_ids: Mutex<FxHashMap<Signature, u32>>,
    module_ids: AtomicU32,
    pub stress: StressState,
    warned: Mutex<FxHashSet<String>>,
}

/// Compiles and runs modules. Cheap to clone; shared by threads.
///
/// ```
/// use cupola::{Config, Dialects, Engine, Imports, Instance, Module, Store, Value};
///
/// let engine = Engine::new(Config::new())?;
/// let text = "export func %double(n: i64) -> i64 {
/// block0:
///   r = i64.add n, n
///   return r
/// }";
/// let module = Module::from_text(&engine, "double.cir", text, &Dialects::new())?;
/// let mut store = Store::new(&engine);
/// let instance = Instance::new(&mut store, &module, &Imports::new())?;
/// assert_eq!(instance.call(&mut store, "double", &[Value::I64(21)])?, [Value::I64(42)]);
/// # Ok::<(), cupola::Error>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<EngineInner>,
}

impl Engine {
    /// An engine with this configuration.
    ///
    /// # Errors
    /// If code memory or the file with names for `perf` cannot be had, or the mode asks for a tier
    /// without a code generator.
    pub fn new(config: Config) -> Result<Engine, Error> {
        let mut config = config;
        config.tuning = config.stress.tuning(config.tuning);
        let existing: TierSet =
            config.generators.iter().map(|g| g.tier()).chain([Tier::T0]).collect();
        if let Mode::Only(tier) = config.mode
            && !existing.contains(tier)
        {
            let reason = "no code generator for it was added to the configuration";
            return Err(Error::TierUnavailable(tier, reason.to_owned()));
        }
        let available = match config.mode {
            Mode::Auto => existing,
            // Nothing climbs: the counters only serve interruptions and statistics.
            Mode::Only(_) => TierSet::EMPTY.with(Tier::T0),
        };
        let budget = config.stress.tiny_code.unwrap_or(config.tuning.code_budget);
        let code_config = CodeMemoryConfig { budget: budget as usize, ..Default::default() };
        let code_memory = CodeMemory::new(code_config)
            .map_err(|error| Error::Limit(format!("no memory for code: {error}")))?;
        if config.perf_map {
            perf_map::enable().map_err(|error| {
                Error::Limit(format!("{}: {error}", perf_map::path().display()))
            })?;
        }
        let policy = config
            .policy
            .clone()
            .unwrap_or_else(|| Arc::new(ThresholdPolicy::new(config.tuning.clone())));
        let queue = Queue::new(config.tuning.worker_threads(), config.tuning.queue_bound);
        let inner = EngineInner {
            policy,
            available,
            existing,
            code_memory,
            code: CodeTable::default(),
            peak_queue: Queue::new(1, config.tuning.queue_bound),
            ticker: Ticker::default(),
            unavailable: AtomicU8::new(0),
            peak_fault: OnceLock::new(),
            peak_looked_for: Once::new(),
            queue,
            events: EventStream::default(),
            modules: Mutex::default(),
            started: Instant::now(),
            sig_ids: Mutex::default(),
            module_ids: AtomicU32::new(0),
            stress: StressState::new(config.stress.clone()),
            warned: Mutex::default(),
            config,
        };
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The stream of events; costs nothing while nobody listens.
    pub fn events(&self) -> &EventStream {
        &self.inner.events
    }

    /// The code generator of a tier.
    pub fn generator(&self, tier: Tier) -> Option<Arc<dyn CodeGenerator>> {
        self.inner.generator(tier).cloned()
    }

    /// The first fault of the code generators above T2, if there was any; also that none is
    /// installed, which is not known before one is wanted.
    pub fn peak_fault(&self) -> Option<&CompileError> {
        self.inner.peak_fault.get()
    }

    /// Waits until the compile queue is empty.
    pub fn finish_compilations(&self) {
        self.inner.queue.drain();
        self.inner.peak_queue.drain();
    }

    /// Bytes of code installed now, and given back so far.
    pub fn code_bytes(&self) -> (u64, u64) {
        (self.inner.code_memory.stats().used as u64, self.inner.code.reclaimed_bytes())
    }
}

/// Manual control over functions.
impl Module {
    /// Compiles a function for a tier now, on this thread, and installs the code.
    ///
    /// # Errors
    /// If the tier does not exist, or the compilation fails.
    pub fn compile_now(&self, func: FuncId, tier: Tier) -> Result<(), Error> {
        if tier == Tier::T0 || self.inner.engine.generator(tier).is_none() {
            let reason = "there is no code generator for it".to_owned();
            return Err(Error::TierUnavailable(tier, reason));
        }
        self.check_defined(func)?;
        let result = self.inner.compile_now(Unit { func, tier, osr: None });
        result.map(|_| ()).map_err(|error| Error::Compile {
            func: self.inner.ir.func_name(func),
            tier,
            error,
        })
    }

    /// Gives up all compiled code of a function: its next call runs in T0. Activations under way
    /// go on in the code they are in.
    pub fn deoptimize(&self, func: FuncId) {
        self.inner.deoptimize(func);
    }

    /// The tier that the next call of a function runs in.
    pub fn tier_of(&self, func: FuncId) -> Tier {
        let Some(data) = self.inner.existing(func) else { return Tier::T0 };
        data.manage.lock().policy.call.installed
    }

    /// What is known about a function to the policy; none before its first call.
    pub fn state_of(&self, func: FuncId) -> Option<FuncState> {
        Some(self.inner.existing(func)?.manage.lock().policy.clone())
    }

    /// What counters and feedback say about a function; none before its first call.
    pub fn profile(&self, func: FuncId) -> Option<Profile> {
        self.inner.existing(func).map(crate::compile::profile_of)
    }

    /// The register form of a function, translated now if it was not yet.
    ///
    /// # Errors
    /// If the front end cannot translate it.
    pub fn body(&self, func: FuncId) -> Result<Arc<cupola_ir::Function>, Error> {
        self.check_defined(func)?;
        let data = self.inner.data(func).map_err(Error::InvalidModule)?;
        Ok(data.body.clone())
    }

    /// A function's SSA form after each pass of the optimizer, the last one being what T2 compiles;
    /// `osr`: for an entry at this loop.
    ///
    /// # Errors
    /// If the front end cannot translate the function, or the optimizer fails.
    pub fn trace_optimizer(
        &self,
        func: FuncId,
        osr: Option<LoopId>,
        trace: &mut dyn FnMut(&str, &cupola_ir::Function),
    ) -> Result<cupola_ir::Function, Error> {
        self.check_defined(func)?;
        let data = self.inner.data(func).map_err(Error::InvalidModule)?;
        let unit = Unit { func, tier: Tier::T2, osr };
        self.inner
            .optimize(unit, data, Some(trace))
            .map(|optimized| optimized.func)
            .map_err(|error| self.compile_error(func, Tier::T2, error))
    }

    /// The artifact of a function for a tier, which is not installed.
    ///
    /// # Errors
    /// If the tier does not exist, or the compilation fails.
    pub fn artifact(
        &self,
        func: FuncId,
        tier: Tier,
        osr: Option<LoopId>,
    ) -> Result<cupola_runtime::Artifact, Error> {
        self.check_defined(func)?;
        let data = self.inner.data(func).map_err(Error::InvalidModule)?;
        self.inner
            .generate(Unit { func, tier, osr }, data, &|| true)
            .map_err(|error| self.compile_error(func, tier, error))
    }

    /// The code generator's intermediate code of a function, as text.
    ///
    /// # Errors
    /// As [`Module::artifact`].
    pub fn generator_dump(
        &self,
        func: FuncId,
        tier: Tier,
        osr: Option<LoopId>,
    ) -> Result<String, Error> {
        self.check_defined(func)?;
        let data = self.inner.data(func).map_err(Error::InvalidModule)?;
        self.inner
            .generator_dump(Unit { func, tier, osr }, data)
            .map_err(|error| self.compile_error(func, tier, error))
    }

    fn compile_error(&self, func: FuncId, tier: Tier, error: CompileError) -> Error {
        Error::Compile { func: self.inner.ir.func_name(func), tier, error }
    }

    fn check_defined(&self, func: FuncId) -> Result<(), Error> {
        if self.inner.ir.is_import(func) {
            let name = self.inner.ir.func_name(func);
            return Err(Error::NoSuchFunction(format!("{name} (it is imported)")));
        }
        Ok(())
    }
}

impl EngineInner {
    /// Nanoseconds since the engine started.
    pub fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    pub fn generator(&self, tier: Tier) -> Option<&Arc<dyn CodeGenerator>> {
        self.config.generators.iter().find(|g| g.tier() == tier)
    }

    /// The tiers that functions may climb to.
    pub fn available(&self) -> TierSet {
        self.available.without(TierSet::from_bits(self.unavailable.load(Ordering::Relaxed)))
    }

    /// Whether code of `tier` is to look for better code while it runs.
    pub fn climbs_from(&self, tier: Tier) -> bool {
        if tier < Tier::T2 || !self.available().has_above(tier) {
            return false;
        }
        self.peak_looked_for.call_once(|| {
            for generator in &self.config.generators {
                if let (true, Err(error)) = (generator.tier() > Tier::T2, generator.available()) {
                    self.note_peak_fault(generator.tier(), &error);
                }
            }
        });
        self.available().has_above(tier)
    }

    /// The queue for compilations of a tier.
    pub fn queue_for(&self, tier: Tier) -> &Queue {
        let apart = tier >= Tier::T3 || self.generator(tier).is_some_and(|g| g.is_remote());
        if apart { &self.peak_queue } else { &self.queue }
    }

    /// The peak compiler had a fault. Whatever comes after the first is in the statistics and the
    /// events of the functions; the user is told once.
    pub fn note_peak_fault(&self, tier: Tier, error: &CompileError) {
        if matches!(error, CompileError::Unavailable(_) | CompileError::Absent(_)) {
            let gone: TierSet = Tier::ALL.into_iter().filter(|&above| above >= tier).collect();
            self.unavailable.fetch_or(gone.bits(), Ordering::Relaxed);
        }
        let first = self.peak_fault.set(error.clone()).is_ok();
        if first && !matches!(error, CompileError::Absent(_)) {
            self.warn_once(format!("the peak compiler: {error}; code stays in the tier below"));
        }
    }

    /// What policy decisions depend on.
    pub fn environment(&self) -> Environment {
        Environment {
            now_ns: self.now_ns(),
            available: self.available(),
            queue_len: self.queue.len() + self.peak_queue.len(),
        }
    }

    /// What a new function's call and loop counters start with.
    pub fn first_budgets(&self) -> (i32, i32) {
        let loops = self.policy.first_loop_budget(self.available());
        let calls = self.policy.first_call_budget(self.available());
        (calls, self.stress.modes().loop_budget(loops))
    }

    /// The number of a signature; equal ones have the same in all modules of the engine.
    pub fn sig_id(&self, sig: &Signature) -> u32 {
        let mut ids = self.sig_ids.lock();
        let next = ids.len() as u32;
        *ids.entry(sig.clone()).or_insert(next)
    }

    pub fn new_module_id(&self) -> u32 {
        self.module_ids.fetch_add(1, Ordering::Relaxed)
    }

    pub fn live_modules(&self) -> Vec<Arc<ModuleInner>> {
        let mut modules = self.modules.lock();
        modules.retain(|module| module.strong_count() > 0);
        modules.iter().filter_map(Weak::upgrade).collect()
    }

    /// Gives up a version of code that nothing leads to any more.
    pub fn retire(&self, version: Arc<CodeVersion>) {
        self.note_reclaimed(self.code.retire(version));
    }

    /// Frees code that was given up and that no thread can be in.
    pub fn reclaim(&self) {
        self.note_reclaimed(self.code.reclaim());
    }

    /// Reports code whose memory is free again.
    pub fn note_reclaimed(&self, versions: Vec<Arc<CodeVersion>>) {
        for version in versions {
            self.events.emit(|| Event {
                time_ns: self.now_ns(),
                module: version.module,
                func: version.func,
                kind: EventKind::Reclaimed { tier: version.tier, bytes: version.len() as u64 },
            });
        }
    }

    /// Prints a warning, once for each text.
    pub fn warn_once(&self, message: String) {
        if self.warned.lock().insert(message.clone()) {
            eprintln!("cupola: warning: {message}");
        }
    }

    /// Names code for profilers, where that is wanted.
    pub fn name_code(&self, version: &CodeVersion, name: impl Fn(FuncId) -> String) {
        if self.config.perf_map {
            for (func, span) in version.spans() {
                let start = version.start().wrapping_add(span.start);
                perf_map::append(&name(func), start, span.len());
            }
        }
    }
}

impl ModuleInner {
    /// Reports an event, if anybody listens.
    pub fn emit(&self, func: FuncId, kind: impl FnOnce() -> EventKind) {
        self.engine.events.emit(|| Event {
            time_ns: self.engine.now_ns(),
            module: self.id,
            func,
            kind: kind(),
        });
    }
}
