//! The peak compiler in one process with the program (feature `llvm`).
//!
//! It is the code generator that the worker process runs (`cupola-llvm`), and building it needs what
//! that needs: LLVM 22. Within the process there is no deadline and no limit on memory, start-up pays
//! for loading LLVM, and what ends LLVM ends the program; a panic is caught.

use crate::engine::Config;
use cupola_runtime::{CompileError, OptLevel};
use std::sync::Arc;

impl Config {
    /// Adds LLVM, which works this hard, as the code generator of T3.
    ///
    /// # Errors
    /// If LLVM does not support the host.
    pub fn with_llvm(self, level: OptLevel) -> Result<Config, CompileError> {
        Ok(self.with_generator(Arc::new(cupola_llvm::Generator::new(level)?)))
    }
}
