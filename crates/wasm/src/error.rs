//! What can go wrong with a WebAssembly module.

use crate::proposals::Proposals;
use cupola_ir::TrapCode;
use wasmparser::WasmFeatures;

/// Why a module cannot be loaded, instantiated or called.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is malformed or invalid, or uses a proposal that is switched off.
    #[error("{message}, at offset {offset}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where, in bytes from the module's start.
        offset: u64,
    },
    /// It needs something that this crate does not do.
    #[error("not supported yet: {what}, at offset {offset}")]
    Unsupported {
        /// The proposal or the feature.
        what: String,
        /// Where, in bytes from the module's start.
        offset: u64,
    },
    /// An active segment does not fit where it has to go.
    #[error("{0}, in initializing the instance")]
    Segment(TrapCode),
    /// There is no export of that name and kind.
    #[error("no exported {kind} named `{name}`")]
    NoExport {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// An exported function was called with arguments of other types than its parameters'.
    #[error("function `{name}` takes {expected}, called with {found}")]
    Arguments {
        /// The function.
        name: String,
        /// Its parameter types.
        expected: String,
        /// The arguments' types.
        found: String,
    },
    /// The engine's error, or the program's trap.
    #[error(transparent)]
    Engine(#[from] cupola::Error),
}

impl Error {
    /// Something that the module needs and this crate does not do.
    pub(crate) fn unsupported(what: impl Into<String>, offset: u64) -> Error {
        Error::Unsupported { what: what.into(), offset }
    }

    /// The trap that ended the execution or the instantiation, if that is what happened.
    pub fn trap_code(&self) -> Option<TrapCode> {
        match self {
            Error::Segment(code) => Some(*code),
            Error::Engine(cupola::Error::Trap(trap)) => trap.code(),
            _ => None,
        }
    }
}

impl From<wasmparser::Error> for Error {
    fn from(error: wasmparser::Error) -> Error {
        let offset = error.offset();
        let supported = Proposals::all().features();
        match error.missing_wasm_feature() {
            Some(missing) if !supported.contains(missing) => {
                Error::unsupported(proposal(missing), offset)
            }
            _ => {
                // Some show bytes, one on each line.
                let words: Vec<&str> = error.message().split_whitespace().collect();
                Error::Invalid { message: words.join(" "), offset }
            }
        }
    }
}

/// The name of the proposal that brings a feature.
fn proposal(features: WasmFeatures) -> String {
    const NAMES: &[(WasmFeatures, &str)] = &[
        (WasmFeatures::GC, "garbage collection"),
        (WasmFeatures::FUNCTION_REFERENCES, "typed function references"),
        (WasmFeatures::LEGACY_EXCEPTIONS, "legacy exception handling"),
        (WasmFeatures::EXCEPTIONS, "exception handling"),
    ];
    let named = NAMES.iter().find(|(feature, _)| features.contains(*feature));
    match (named, features.iter_names().next()) {
        (Some((_, name)), _) => (*name).to_owned(),
        (None, Some((name, _))) => name.to_lowercase().replace('_', " "),
        (None, None) => "an unknown proposal".to_owned(),
    }
}
