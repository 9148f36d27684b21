//! One compilation from request to artifact.

use crate::artifact;
use crate::error::{self, codegen};
use crate::lower::{self, unit::Unit};
use crate::target;
use cupola_runtime::{Artifact, CodeGenerator, CompileError, CompileRequest, OptLevel, Tier};
use inkwell::context::{AsContextRef, Context};
use inkwell::llvm_sys::LLVMDiagnosticSeverity;
use inkwell::llvm_sys::core::{
    LLVMContextSetDiagnosticHandler, LLVMDisposeMessage, LLVMGetDiagInfoDescription,
    LLVMGetDiagInfoSeverity,
};
use inkwell::llvm_sys::prelude::LLVMDiagnosticInfoRef;
use inkwell::memory_buffer::MemoryBuffer;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{FileType, TargetMachine};
use std::cell::RefCell;
use std::ffi::{CStr, c_void};

/// Frames up to this size need no stack check if nothing is called.
pub(crate) const SMALL_FRAME: u32 = 4 << 10;
/// Frames may be this large; a function that needs more stays in the tier below.
const LARGE_FRAME: u32 = 128 << 10;

/// LLVM's name of a level's pipeline.
const fn pipeline(level: OptLevel) -> &'static str {
    match level {
        OptLevel::O1 => "default<O1>",
        OptLevel::O2 => "default<O2>",
        OptLevel::O3 => "default<O3>",
    }
}

/// The name of the code generator at a level.
const fn name(level: OptLevel) -> &'static str {
    match level {
        OptLevel::O1 => "llvm-O1",
        OptLevel::O2 => "llvm-O2",
        OptLevel::O3 => "llvm-O3",
    }
}

/// The code generator on LLVM.
#[derive(Copy, Clone, Debug)]
pub struct Generator {
    level: OptLevel,
}

/// What LLVM reported while it worked.
#[derive(Debug, Default)]
struct Reports {
    errors: Vec<String>,
    frame_too_large: bool,
}

/// Takes LLVM's reports; `reports` is the `RefCell<Reports>` that was registered.
extern "C" fn report(info: LLVMDiagnosticInfoRef, reports: *mut c_void) {
    // SAFETY: LLVM calls this with a valid report and the pointer registered with the handler,
    // which outlives the compilation; the description is disposed of once.
    unsafe {
        let severity = LLVMGetDiagInfoSeverity(info);
        if matches!(
            severity,
            LLVMDiagnosticSeverity::LLVMDSError | LLVMDiagnosticSeverity::LLVMDSWarning
        ) {
            let description = LLVMGetDiagInfoDescription(info);
            let text = CStr::from_ptr(description).to_string_lossy().into_owned();
            LLVMDisposeMessage(description);
            let mut reports = (*reports.cast::<RefCell<Reports>>()).borrow_mut();
            if text.contains("stack frame size") {
                reports.frame_too_large = true;
            } else if severity == LLVMDiagnosticSeverity::LLVMDSError {
                reports.errors.push(text);
            }
        }
    }
}

/// What a compilation gave.
enum Outcome<R> {
    Done(R),
    /// The frame is larger than was allowed for.
    FrameTooLarge,
}

impl Generator {
    /// A code generator that optimizes this much.
    ///
    /// # Errors
    /// If LLVM does not support the host.
    pub fn new(level: OptLevel) -> Result<Generator, CompileError> {
        target::machine(level)?;
        Ok(Generator { level })
    }

    /// Compiles; `finish` takes what is wanted from the optimized module.
    fn run<R>(
        &self,
        requests: &[CompileRequest<'_>],
        finish: impl Fn(&Unit<'_>, &TargetMachine) -> Result<R, CompileError>,
    ) -> Result<R, CompileError> {
        let machine = target::machine(self.level)?;
        for frame in [SMALL_FRAME, LARGE_FRAME] {
            match self.run_with_frame(requests, &machine, frame, &finish)? {
                Outcome::Done(result) => return Ok(result),
                Outcome::FrameTooLarge => {}
            }
        }
        Err(CompileError::TooLarge(format!("a stack frame of more than {LARGE_FRAME} bytes")))
    }

    /// Compiles functions whose frames, but for their buffers, have at most `frame` bytes.
    fn run_with_frame<R>(
        &self,
        requests: &[CompileRequest<'_>],
        machine: &TargetMachine,
        frame: u32,
        finish: impl Fn(&Unit<'_>, &TargetMachine) -> Result<R, CompileError>,
    ) -> Result<Outcome<R>, CompileError> {
        let reports = RefCell::<Reports>::default();
        let context = Context::create();
        // SAFETY: the handler is `report`, whose argument is `reports`, which is dropped after the
        // context.
        unsafe {
            let reports = (&raw const reports).cast_mut().cast::<c_void>();
            LLVMContextSetDiagnosticHandler((&context).as_ctx_ref(), Some(report), reports);
        }
        let mut unit = Unit::new(&context);
        unit.module.set_triple(&machine.get_triple());
        unit.module.set_data_layout(&machine.get_target_data().get_data_layout());
        let lowered: error::Result<()> = (|| {
            let mut functions = Vec::new();
            for request in requests {
                functions.push(lower::declare(&mut unit, request, frame)?);
            }
            for (request, function) in requests.iter().zip(functions) {
                lower::function(&mut unit, request, function, frame)?;
            }
            Ok(())
        })();
        lowered?;
        unit.finish();
        if requests.iter().any(|request| request.options.verify) {
            unit.module.verify().map_err(codegen)?;
        }
        let options = PassBuilderOptions::create();
        options.set_verify_each(false);
        unit.module.run_passes(pipeline(self.level), machine, options).map_err(codegen)?;
        let result = finish(&unit, machine);
        let reports = reports.take();
        if let Some(error) = reports.errors.first() {
            return Err(codegen(error));
        }
        if reports.frame_too_large {
            return Ok(Outcome::FrameTooLarge);
        }
        Ok(Outcome::Done(result?))
    }
}

/// The object file of a unit.
fn object(unit: &Unit<'_>, machine: &TargetMachine) -> Result<MemoryBuffer<'static>, CompileError> {
    machine.write_to_memory_buffer(&unit.module, FileType::Object).map_err(codegen)
}

impl CodeGenerator for Generator {
    fn tier(&self) -> Tier {
        Tier::T3
    }

    fn name(&self) -> &'static str {
        name(self.level)
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<Artifact, CompileError> {
        self.compile_unit(std::slice::from_ref(request))
    }

    fn takes_units(&self) -> bool {
        true
    }

    fn compile_unit(&self, unit: &[CompileRequest<'_>]) -> Result<Artifact, CompileError> {
        if unit.is_empty() {
            return Err(CompileError::Unsupported("a unit of no functions".to_owned()));
        }
        self.run(unit, |lowered, machine| {
            let object = object(lowered, machine)?;
            artifact::extract(self.name(), unit, lowered, object.as_slice())
        })
    }

    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError> {
        self.run(std::slice::from_ref(request), |unit, _| {
            Ok(unit.module.print_to_string().to_string())
        })
    }
}
