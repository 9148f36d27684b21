//! The two code generators: settings, and one compilation from request to artifact.
//!
//! A thread keeps the large data structures of its last compilation and uses them again; building
//! them anew would take as long as compiling a small function.

use crate::artifact;
use crate::lower::{self, Lowered, Tables};
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, Context};
use cranelift_frontend::FunctionBuilderContext;
use cupola_ir::{Function, Op, Type};
use cupola_runtime::{Artifact, CodeGenerator, CompileError, CompileRequest, Tier};
use std::cell::RefCell;

/// Settings of a code generator that can be chosen.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Use the processor's features beyond the architecture's baseline.
    pub native_features: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Flags { native_features: true }
    }
}

/// A code generator on Cranelift, for one tier.
pub struct Generator {
    tier: Tier,
    name: &'static str,
    isa: OwnedTargetIsa,
    verifying_isa: OwnedTargetIsa,
    features: Features,
}

/// What the code generator needs for some operations and not every processor has.
#[derive(Copy, Clone, Debug)]
struct Features {
    /// What Cranelift's code for vectors takes for granted (SSSE3), and that without which it
    /// rounds by calls of a library (SSE4.1).
    vectors: bool,
    /// Without fused multiplication and addition, Cranelift calls a library for each lane.
    fma: bool,
}

impl Features {
    fn of(isa: &dyn TargetIsa) -> Features {
        let flags = isa.isa_flags();
        let x64 = isa.name() == "x64";
        let has =
            |name: &str| !x64 || flags.iter().any(|f| f.name == name && f.as_bool() == Some(true));
        Features { vectors: has("has_ssse3") && has("has_sse41"), fma: has("has_fma") }
    }

    /// What a function needs and is not there.
    fn missing(self, code: &Function) -> Option<&'static str> {
        let fused = |op| {
            use Op::{F32x4RelaxedMadd, F32x4RelaxedNmadd, F64x2RelaxedMadd, F64x2RelaxedNmadd};
            matches!(
                op,
                F32x4RelaxedMadd | F32x4RelaxedNmadd | F64x2RelaxedMadd | F64x2RelaxedNmadd
            )
        };
        if self.vectors && self.fma || !code.regs.values().any(|&ty| ty == Type::V128) {
            None
        } else if !self.vectors {
            Some("vectors on a processor without SSE4.1")
        } else if code.insts.values().any(|inst| fused(inst.op)) {
            Some("fused multiplication and addition on a processor without FMA")
        } else {
            None
        }
    }
}

/// What a thread keeps from one compilation to the next.
struct Scratch {
    context: Context,
    builder: FunctionBuilderContext,
    control_plane: ControlPlane,
    tables: Tables,
}

impl Scratch {
    fn new() -> Scratch {
        Scratch {
            context: Context::new(),
            builder: FunctionBuilderContext::new(),
            control_plane: ControlPlane::default(),
            tables: Tables::default(),
        }
    }
}

thread_local! {
    /// Empty while a compilation runs: one that panics leaves nothing half-done behind.
    static SCRATCH: RefCell<Option<Box<Scratch>>> = const { RefCell::new(None) };
}

impl Generator {
    /// T1: quick to make, counts.
    ///
    /// # Errors
    /// If Cranelift does not support the host.
    pub fn baseline(flags: Flags) -> Result<Generator, CompileError> {
        Self::new(Tier::T1, "cranelift-none", "none", "single_pass", flags)
    }

    /// T2: optimized.
    ///
    /// # Errors
    /// If Cranelift does not support the host.
    pub fn optimizing(flags: Flags) -> Result<Generator, CompileError> {
        Self::new(Tier::T2, "cranelift-speed", "speed", "backtracking", flags)
    }

    fn new(
        tier: Tier,
        name: &'static str,
        opt_level: &str,
        regalloc: &str,
        flags: Flags,
    ) -> Result<Generator, CompileError> {
        let isa = |verify: bool| -> Result<OwnedTargetIsa, CompileError> {
            let settings = [
                ("opt_level", opt_level),
                ("regalloc_algorithm", regalloc),
                ("preserve_frame_pointers", "true"),
                ("enable_probestack", "false"),
                ("unwind_info", "false"),
                ("is_pic", "false"),
                ("enable_verifier", if verify { "true" } else { "false" }),
            ];
            let mut builder = settings::builder();
            for (name, value) in settings {
                builder.set(name, value).map_err(|e| CompileError::Codegen(e.to_string()))?;
            }
            cranelift_native::builder_with_options(flags.native_features)
                .map_err(|reason| CompileError::Unsupported(reason.to_owned()))?
                .finish(settings::Flags::new(builder))
                .map_err(|e| CompileError::Codegen(e.to_string()))
        };
        let (isa, verifying_isa) = (isa(false)?, isa(true)?);
        let features = Features::of(&*isa);
        Ok(Generator { tier, name, isa, verifying_isa, features })
    }

    fn isa(&self, request: &CompileRequest<'_>) -> &dyn TargetIsa {
        if request.options.verify { &*self.verifying_isa } else { &*self.isa }
    }

    /// Compiles; `finish` takes what is wanted from the result.
    fn run<R>(
        &self,
        request: &CompileRequest<'_>,
        finish: impl FnOnce(&Context, &Lowered, &Tables) -> Result<R, CompileError>,
    ) -> Result<R, CompileError> {
        if let Some(what) = self.features.missing(request.code) {
            return Err(CompileError::Unsupported(what.to_owned()));
        }
        let kept = SCRATCH.with_borrow_mut(Option::take);
        let mut scratch = kept.unwrap_or_else(|| Box::new(Scratch::new()));
        let Scratch { context, builder, control_plane, tables } = &mut *scratch;
        let isa = self.isa(request);
        let lowered = lower::function(request, isa, &mut context.func, builder, tables)?;
        let result = match context.compile(isa, control_plane) {
            Ok(_) => finish(context, &lowered, tables),
            Err(error) => Err(compile_error(&error.inner)),
        };
        context.clear();
        SCRATCH.with_borrow_mut(|kept| *kept = Some(scratch));
        result
    }
}

impl CodeGenerator for Generator {
    fn tier(&self) -> Tier {
        self.tier
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<Artifact, CompileError> {
        self.run(request, |context, lowered, tables| {
            artifact::extract(self.tier, self.name, request, context, lowered, tables)
        })
    }

    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError> {
        self.run(request, |context, _, _| Ok(context.func.display().to_string()))
    }
}

fn compile_error(error: &CodegenError) -> CompileError {
    match error {
        CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge => {
            CompileError::TooLarge(error.to_string())
        }
        CodegenError::Unsupported(what) => CompileError::Unsupported(what.clone()),
        other => CompileError::Codegen(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupola_ir::FuncId;
    use cupola_runtime::{CodegenOptions, ContextLayout, FeedbackLayout};

    fn compile(generator: &Generator, op: &str, operands: &str) -> Result<Artifact, CompileError> {
        let text =
            format!("func %f(v: v128) -> v128 {{\nblock0:\n  w = {op} {operands}\n  return w\n}}");
        let parsed = cupola_ir::parse("features", &text).unwrap();
        let func = FuncId::from_u32(0);
        let body = parsed.bodies.get(func).unwrap();
        generator.compile(&CompileRequest {
            module: &parsed.module,
            context: &ContextLayout::of(&parsed.module, |_| 0),
            func,
            register_form: body,
            code: body,
            osr_header: None,
            feedback: &FeedbackLayout::compute(body, false),
            calls: 0,
            options: CodegenOptions::default(),
        })
    }

    #[test]
    fn what_the_processor_lacks_is_not_supported() {
        let mut generator = Generator::baseline(Flags::default()).unwrap();
        let all = Features { vectors: true, fma: true };
        for (features, compiles) in [
            (Features { vectors: false, ..all }, [false, false]),
            (Features { fma: false, ..all }, [true, false]),
            (all, [true, true]),
        ] {
            let host = Features::of(&*generator.isa);
            if features.vectors && !host.vectors || features.fma && !host.fma {
                continue;
            }
            generator.features = features;
            let found =
                [("f32x4.add", "v, v"), ("f32x4.relaxed_madd", "v, v, v")].map(|(op, of)| {
                    match compile(&generator, op, of) {
                        Ok(_) => true,
                        Err(CompileError::Unsupported(_)) => false,
                        Err(error) => panic!("{error}"),
                    }
                });
            assert_eq!(found, compiles, "{features:?}");
        }
    }
}
