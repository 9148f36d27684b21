//! The processor that code is made for: the one it runs on, with all its features.

use crate::error::codegen;
use cupola_runtime::{CompileError, OptLevel};
use inkwell::OptimizationLevel;
use inkwell::targets::{
    CodeModel, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple,
};
use std::sync::OnceLock;

/// Names of the host's processor, as LLVM has them.
#[derive(Debug)]
pub(crate) struct Host {
    pub triple: String,
    pub cpu: String,
    pub features: String,
}

/// The host; LLVM's target is made ready at the first call.
pub(crate) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        Target::initialize_x86(&InitializationConfig {
            asm_parser: false,
            asm_printer: true,
            base: true,
            disassembler: false,
            info: true,
            machine_code: true,
        });
        let triple = TargetMachine::get_default_triple();
        Host {
            triple: triple.as_str().to_string_lossy().into_owned(),
            cpu: TargetMachine::get_host_cpu_name().to_string(),
            features: TargetMachine::get_host_cpu_features().to_string(),
        }
    })
}

/// A code generator of LLVM's for the host. Code is position-independent, and everything that it
/// refers to is within 2 GiB.
pub(crate) fn machine(level: OptLevel) -> Result<TargetMachine, CompileError> {
    let host = host();
    let triple = TargetTriple::create(&host.triple);
    let target = Target::from_triple(&triple).map_err(codegen)?;
    let level = match level {
        OptLevel::O1 => OptimizationLevel::Less,
        OptLevel::O2 => OptimizationLevel::Default,
        OptLevel::O3 => OptimizationLevel::Aggressive,
    };
    target
        .create_target_machine(
            &triple,
            &host.cpu,
            &host.features,
            level,
            RelocMode::PIC,
            CodeModel::Small,
        )
        .ok_or_else(|| CompileError::Unsupported(format!("no code generator for {}", host.triple)))
}
