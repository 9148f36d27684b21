//! Gives the engine the functions' bodies, each translated at its first call.

use crate::dwarf::DebugInfo;
use crate::info::ModuleInfo;
use crate::translate::translate;
use cupola_ir::{Bodies, FuncId, Function, SourcePlace, SrcLoc};
use std::sync::Arc;

/// The bodies of a module.
pub(crate) struct LazyBodies {
    pub info: Arc<ModuleInfo>,
    pub debug: DebugInfo,
}

impl Bodies for LazyBodies {
    fn body(&self, func: FuncId) -> Result<Arc<Function>, String> {
        translate(&self.info, func).map(Arc::new).map_err(|error| error.to_string())
    }

    fn source_places(&self, loc: SrcLoc) -> Vec<SourcePlace> {
        self.debug.places(&self.info.bytes, loc)
    }
}
