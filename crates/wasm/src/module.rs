//! Modules: what is shared by all instances.

use crate::bodies::LazyBodies;
use crate::decode::{Decoded, decode};
use crate::dwarf::DebugInfo;
use crate::error::Error;
use crate::info::{Export, ModuleInfo};
use crate::ops;
use crate::proposals::Proposals;
use crate::types::FuncType;
use cupola::Engine;
use cupola_ir::{FuncId, SharedBytes, Type};
use std::sync::Arc;

/// When functions are validated.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// Each at its first call, which traps with the error if it is not valid. Everything but
    /// functions' bodies is validated at load all the same.
    #[default]
    Lazy,
    /// All at load, as the specification has it, in the thread that loads.
    Eager,
    /// All at load, a large module's on as many threads as there are processors.
    EagerParallel,
}

/// How a module is loaded.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When functions are validated.
    pub validation: Validation,
    /// The proposals beyond WebAssembly 2.0 that it may use.
    pub proposals: Proposals,
}

/// A WebAssembly module. Cheap to clone.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: cupola::Module,
    pub(crate) info: Arc<ModuleInfo>,
}

impl Module {
    /// Loads a module in the binary format. `name`, best the file's, stands in backtraces unless
    /// the module has a name of its own. The bytes are kept, and read as functions are called for the
    /// first time; a [`SharedBytes`] of a mapped file is not copied.
    ///
    /// # Errors
    /// If the module is not valid, or needs something that is not supported.
    pub fn new(
        engine: &Engine,
        name: &str,
        bytes: impl Into<SharedBytes>,
        options: &Options,
    ) -> Result<Module, Error> {
        let Decoded { ir, info, debug } = decode(name, bytes.into(), options)?;
        let info = Arc::new(info);
        let debug = DebugInfo::new(debug);
        let bodies = Arc::new(LazyBodies { info: info.clone(), debug });
        let engine = cupola::Module::new(engine, ir, bodies, &ops::dialects())?;
        Ok(Module { engine, info })
    }

    /// The engine's module, with reports, tiers and compiled code.
    pub fn engine_module(&self) -> &cupola::Module {
        &self.engine
    }

    /// The exported functions and their types, in no order.
    pub fn exported_funcs(&self) -> impl Iterator<Item = (&str, &FuncType)> {
        self.info.exports.iter().filter_map(|(name, export)| match export {
            Export::Func(func) => Some((name.as_str(), self.info.func_type(*func))),
            _ => None,
        })
    }

    /// The type of an exported function.
    pub fn exported_func(&self, name: &str) -> Option<&FuncType> {
        self.export_func_id(name).map(|func| self.info.func_type(func))
    }

    /// The type of an exported global, and whether it is mutable.
    pub fn exported_global(&self, name: &str) -> Option<(Type, bool)> {
        match self.info.exports.get(name) {
            Some(Export::Global(index)) => {
                let global = &self.info.globals[index.as_u32() as usize];
                Some((global.ty, global.mutable))
            }
            _ => None,
        }
    }

    pub(crate) fn export_func_id(&self, name: &str) -> Option<FuncId> {
        match self.info.exports.get(name) {
            Some(Export::Func(func)) => Some(*func),
            _ => None,
        }
    }
}
