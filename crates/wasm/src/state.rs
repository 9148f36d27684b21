//! What an instance has besides what the engine keeps for it: host reference tables, and which
//! segments were dropped.

use crate::info::ModuleInfo;
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// State of one instance, used by the one thread that runs it.
pub(crate) struct State {
    pub info: Arc<ModuleInfo>,
    host_tables: Vec<Mutex<Vec<u64>>>,
    /// The references of each element segment; none once it is dropped.
    elements: Vec<Mutex<Arc<[u64]>>>,
    dropped_data: Vec<AtomicBool>,
}

impl State {
    pub fn new(info: Arc<ModuleInfo>, elements: Vec<Arc<[u64]>>) -> State {
        use crate::info::{SegmentMode, TablePlace};
        let host = info.tables.iter().filter(|t| matches!(t.place, TablePlace::Host(_)));
        State {
            host_tables: host.map(|t| Mutex::new(vec![0; t.initial as usize])).collect(),
            elements: elements.into_iter().map(Mutex::new).collect(),
            dropped_data: info
                .data
                .iter()
                .map(|data| AtomicBool::new(!matches!(data.mode, SegmentMode::Passive)))
                .collect(),
            info,
        }
    }

    /// A table of host references.
    pub fn host_table(&self, index: usize) -> MutexGuard<'_, Vec<u64>> {
        self.host_tables[index].lock()
    }

    /// The bytes of a data segment.
    pub fn data(&self, segment: u32) -> &[u8] {
        if self.dropped_data[segment as usize].load(Ordering::Relaxed) {
            return &[];
        }
        &self.info.bytes[self.info.data[segment as usize].bytes.clone()]
    }

    pub fn drop_data(&self, segment: u32) {
        self.dropped_data[segment as usize].store(true, Ordering::Relaxed);
    }

    /// The references of an element segment.
    pub fn elements(&self, segment: u32) -> Arc<[u64]> {
        self.elements[segment as usize].lock().clone()
    }

    pub fn drop_elements(&self, segment: u32) {
        *self.elements[segment as usize].lock() = Arc::default();
    }
}
