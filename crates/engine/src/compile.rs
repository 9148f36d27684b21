//! One compilation: optimizer, code generator, linker.

use crate::code::{CodeTables, CodeVersion};
use crate::module::{FuncData, ModuleInner};
use crate::queue::Unit;
use crate::region::Part;
use crate::stress::CompileFault;
use cupola_codemem::LinkError;
use cupola_ir::{DialectOpId, EntryKind, FuncId, Function, LoopId};
use cupola_opt::speculate::Specializer;
use cupola_opt::{OptEnv, OptOptions, OptRequest, Optimized, Polls, Profile, SiteProfile, Trace};
use cupola_runtime::arch;
use cupola_runtime::{
    Artifact, CodeGenerator, CodegenOptions, CompileError, CompileRequest, Symbol, Tier,
};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The module, as the optimizer sees it.
struct Env<'a>(&'a ModuleInner);

impl OptEnv for Env<'_> {
    fn body(&self, func: FuncId) -> Option<Arc<Function>> {
        Some(self.0.existing(func)?.body.clone())
    }

    fn profile(&self, func: FuncId) -> Option<Profile> {
        Some(profile_of(self.0.existing(func)?))
    }

    fn specializer(&self, op: DialectOpId) -> Option<&dyn Specializer> {
        self.0.dialect_op(op).specializer()
    }
}

/// What counters and feedback say about a function.
pub(crate) fn profile_of(data: &FuncData) -> Profile {
    let feedback = &data.feedback;
    let layout = feedback.layout();
    let block_counts = data.body.blocks.keys().map(|block| feedback.block_count(block)).collect();
    Profile {
        calls: feedback.calls(),
        loop_counts: (0..layout.loops).map(|i| feedback.loop_count(LoopId::from_u32(i))).collect(),
        block_counts,
        sites: (0..layout.sites)
            .map(|i| {
                let site = feedback.site(cupola_ir::SiteId::from_u32(i));
                let word = |w: &std::sync::atomic::AtomicU64| w.load(Ordering::Relaxed);
                SiteProfile {
                    words: [
                        word(&site.word0),
                        word(&site.word1),
                        word(&site.word2),
                        word(&site.word3),
                        word(&site.other),
                    ],
                }
            })
            .collect(),
        failed_guards: data.manage.lock().failed_guards.iter().copied().collect::<_>(),
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "no message".to_owned())
}

impl ModuleInner {
    /// Optimizes a function; `trace` sees it after each pass.
    pub fn optimize(
        &self,
        unit: Unit,
        data: &FuncData,
        trace: Option<Trace<'_>>,
    ) -> Result<Optimized, CompileError> {
        let options = OptOptions {
            fuel: self.engine.config.codegen.fuel,
            guarded_memories: self.engine.config.codegen.memory_reservation,
            force_deopts: self.engine.stress.modes().fail_guards.is_some(),
            polls: match self.engine.climbs_from(unit.tier) {
                true if self.engine.stress.modes().always_polls() => Polls::AllLoops,
                true => Polls::LongLoops,
                false => Polls::None,
            },
            ..self.engine.config.optimizer
        };
        let request = OptRequest {
            module: &self.ir,
            func: unit.func,
            body: &data.body,
            osr_header: unit.osr.map(|id| data.headers.header(id)),
            env: &Env(self),
            options,
        };
        cupola_opt::optimize(&request, trace)
            .map_err(|error| CompileError::Codegen(error.to_string()))
    }

    /// Generates an artifact, as long as it is wanted: of the function, and if that pays of others
    /// beside it.
    pub fn generate(
        &self,
        unit: Unit,
        data: &FuncData,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Artifact, CompileError> {
        let generator = self.generator(unit.tier)?;
        let first = self.part(unit, data)?;
        let members = match generator.takes_units() && !self.engine.climbs_from(unit.tier) {
            true => self.region(&first),
            false => Vec::new(),
        };
        if !members.is_empty() {
            let parts = std::iter::once(&first).chain(&members);
            let requests: Vec<CompileRequest<'_>> = parts.map(|part| self.ask(part)).collect();
            match generator.compile_unit_while(&requests, wanted) {
                // It may be because of the others.
                Err(
                    CompileError::TooLarge(_)
                    | CompileError::Unsupported(_)
                    | CompileError::Codegen(_),
                ) => {}
                done => return done,
            }
        }
        generator.compile_unit_while(&[self.ask(&first)], wanted)
    }

    /// The code generator's intermediate code for a unit, as text.
    pub fn generator_dump(&self, unit: Unit, data: &FuncData) -> Result<String, CompileError> {
        self.generator(unit.tier)?.dump(&self.ask(&self.part(unit, data)?))
    }

    fn generator(&self, tier: Tier) -> Result<&Arc<dyn CodeGenerator>, CompileError> {
        self.engine.generator(tier).ok_or_else(|| {
            CompileError::Unsupported(format!("there is no code generator for {tier}"))
        })
    }

    /// A function made ready for its code generator.
    pub(crate) fn part<'a>(
        &self,
        unit: Unit,
        data: &'a FuncData,
    ) -> Result<Part<'a>, CompileError> {
        let optimized = match unit.tier {
            Tier::T0 | Tier::T1 => None,
            Tier::T2 | Tier::T3 | Tier::T4 => Some(self.optimize(unit, data, None)?),
        };
        Ok(Part { unit, data, optimized })
    }

    /// What a code generator is asked.
    fn ask<'a>(&'a self, part: &'a Part<'_>) -> CompileRequest<'a> {
        let Part { unit, data, optimized } = part;
        let osr_header = match optimized {
            Some(_) => None,
            None => unit.osr.map(|id| data.headers.header(id)),
        };
        CompileRequest {
            module: &self.ir,
            context: &self.layout,
            func: unit.func,
            register_form: &data.body,
            code: part.code(),
            osr_header,
            feedback: data.feedback.layout(),
            calls: data.feedback.calls(),
            options: CodegenOptions {
                climbs: self.engine.climbs_from(unit.tier),
                // Without its thread nobody would send signals.
                polls: optimized.is_some() && !self.engine.ticker.start(),
                ..self.engine.config.codegen
            },
        }
    }

    /// Compiles and links a unit, as long as it is wanted. A panic in the compiler is an error like
    /// others.
    pub fn compile(
        &self,
        unit: Unit,
        data: &FuncData,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Arc<CodeVersion>, CompileError> {
        let fault = self.engine.stress.compile_fault();
        if fault == Some(CompileFault::Fail) {
            return Err(CompileError::Codegen("failed by a stress mode".to_owned()));
        }
        let made = catch_unwind(AssertUnwindSafe(|| {
            assert!(fault != Some(CompileFault::Panic), "panic by a stress mode");
            self.generate(unit, data, wanted)
        }));
        self.link(made.map_err(|payload| CompileError::Panic(panic_message(&*payload)))??)
    }

    /// Places an artifact in code memory and makes it known.
    fn link(&self, artifact: Artifact) -> Result<Arc<CodeVersion>, CompileError> {
        if !self.ensure_entries() {
            return Err(CompileError::NoRoom);
        }
        let id = self.engine.code.new_id();
        // Counters have to exist before code that counts is linked.
        for reloc in &artifact.relocs {
            if let Symbol::Feedback(func) = reloc.symbol {
                self.data(func).map_err(CompileError::Codegen)?;
            }
        }
        let resolve = |symbol: Symbol| match symbol {
            Symbol::Helper(helper) => arch::helper_thunk(helper) as u64,
            Symbol::Feedback(func) => {
                self.existing(func).map_or(0, |data| data.feedback.as_ptr() as u64)
            }
            Symbol::CodeId => id,
            Symbol::SelfStart => unreachable!("the linker knows where it puts the artifact"),
        };
        let block =
            self.engine.code_memory.link(&artifact, &resolve).map_err(|error| match error {
                LinkError::NoRoom(_) => CompileError::NoRoom,
                error => CompileError::Codegen(error.to_string()),
            })?;
        let Artifact { func, tier, entry_kind, members, traps, positions, inlined, deopts, .. } =
            artifact;
        let generator = self.engine.generator(tier).map_or("", |generator| generator.name());
        let osr = if matches!(entry_kind, EntryKind::Call) { "" } else { ", osr" };
        let tables = CodeTables { members, traps, positions, inlined, deopts };
        let version = Arc::new(CodeVersion::new(
            id,
            (self.id, func),
            (tier, generator, entry_kind),
            tables,
            block,
        ));
        self.engine.name_code(&version, |of| {
            let osr = if of == func { osr } else { "" };
            format!("cupola:{} [{tier}{osr}]", self.ir.func_name(of))
        });
        self.engine.code.insert(version.clone());
        Ok(version)
    }
}
