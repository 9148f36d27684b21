//! The proposals beyond WebAssembly 2.0, each of which an embedder can switch off.

use bitflags::bitflags;
use wasmparser::WasmFeatures;

bitflags! {
    /// A set of finished proposals beyond WebAssembly 2.0, which modules may use. What is not in it
    /// is an error where a module uses it, as it is by the specification of 2.0.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub struct Proposals: u8 {
        /// Arithmetic in constant expressions.
        const EXTENDED_CONST = 1 << 0;
        /// More than one memory.
        const MULTI_MEMORY = 1 << 1;
        /// Memories with 64-bit addresses, and tables with 64-bit indices.
        const MEMORY64 = 1 << 2;
        /// Vector operations whose results may differ from one machine to another; not so here.
        const RELAXED_SIMD = 1 << 3;
    }
}

/// WebAssembly 2.0.
const CORE: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::SIMD);

/// Each proposal with its name and what the decoder calls it.
const TABLE: [(Proposals, &str, WasmFeatures); 4] = [
    (Proposals::EXTENDED_CONST, "extended-const", WasmFeatures::EXTENDED_CONST),
    (Proposals::MULTI_MEMORY, "multi-memory", WasmFeatures::MULTI_MEMORY),
    (Proposals::MEMORY64, "memory64", WasmFeatures::MEMORY64),
    (Proposals::RELAXED_SIMD, "relaxed-simd", WasmFeatures::RELAXED_SIMD),
];

impl Proposals {
    /// The name of each, as the specification's repositories have it.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|&(_, name, _)| name)
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Proposals> {
        TABLE.iter().find(|(_, own, _)| *own == name).map(|&(proposal, ..)| proposal)
    }

    /// WebAssembly 2.0 with these.
    pub(crate) fn features(self) -> WasmFeatures {
        let own = TABLE.iter().filter(|(proposal, ..)| self.contains(*proposal));
        own.fold(CORE, |all, &(.., feature)| all | feature)
    }
}

impl Default for Proposals {
    /// All of them.
    fn default() -> Proposals {
        Proposals::all()
    }
}
