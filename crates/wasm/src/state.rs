//! What an instance has besides what the engine keeps for it: which segments are still there.

use crate::info::{ModuleInfo, SegmentMode};
use cupola::Ref;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// State of one instance, used by the one thread that runs it.
pub(crate) struct State {
    pub info: Arc<ModuleInfo>,
    /// The references of each element segment; none before it is set up and once it is dropped.
    elements: Vec<Mutex<Arc<[Ref]>>>,
    dropped_data: Vec<AtomicBool>,
}

impl State {
    pub fn new(info: Arc<ModuleInfo>) -> State {
        let is_gone = |mode: &SegmentMode<_>| !matches!(mode, SegmentMode::Passive);
        State {
            elements: info.elements.iter().map(|_| Mutex::default()).collect(),
            dropped_data: info.data.iter().map(|data| is_gone(&data.mode).into()).collect(),
            info,
        }
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
    pub fn elements(&self, segment: u32) -> Arc<[Ref]> {
        self.elements[segment as usize].lock().clone()
    }

    pub fn set_elements(&self, segment: usize, items: Arc<[Ref]>) {
        *self.elements[segment].lock() = items;
    }

    pub fn drop_elements(&self, segment: u32) {
        self.set_elements(segment as usize, Arc::default());
    }
}
