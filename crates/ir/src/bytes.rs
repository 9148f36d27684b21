//! Bytes that are part of a larger allocation.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Bytes within an allocation that several share, so that a front end can hand over parts of its
/// input without copying them.
#[derive(Clone)]
pub struct SharedBytes {
    all: Arc<[u8]>,
    range: Range<usize>,
}

impl SharedBytes {
    /// The bytes of `all` in this range; none if it lies outside.
    pub fn new(all: Arc<[u8]>, range: Range<usize>) -> Option<SharedBytes> {
        all.get(range.clone())?;
        Some(SharedBytes { all, range })
    }
}

impl From<Vec<u8>> for SharedBytes {
    fn from(bytes: Vec<u8>) -> SharedBytes {
        SharedBytes { range: 0..bytes.len(), all: bytes.into() }
    }
}

impl Deref for SharedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.all[self.range.clone()]
    }
}

impl PartialEq for SharedBytes {
    fn eq(&self, other: &SharedBytes) -> bool {
        **self == **other
    }
}

impl Eq for SharedBytes {}

impl fmt::Debug for SharedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for SharedBytes {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(s)
    }
}

impl<'de> Deserialize<'de> for SharedBytes {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<SharedBytes, D::Error> {
        Vec::deserialize(d).map(SharedBytes::from)
    }
}
