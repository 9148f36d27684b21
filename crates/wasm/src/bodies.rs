//! Gives the engine the functions' bodies, each translated at its first call.

use crate::info::ModuleInfo;
use crate::translate::translate;
use cupola_ir::{Bodies, FuncId, Function};
use std::sync::Arc;

/// The bodies of a module.
pub(crate) struct LazyBodies {
    pub info: Arc<ModuleInfo>,
}

impl Bodies for LazyBodies {
    fn body(&self, func: FuncId) -> Result<Arc<Function>, String> {
        translate(&self.info, func).map(Arc::new).map_err(|error| error.to_string())
    }
}
