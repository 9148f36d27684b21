//! Decoding: one pass over the sections.
//!
//! Sections are validated as they are read; function bodies only found, to be validated when they
//! are translated, or at the end if asked for ([`functions`]). Names come from the name section; a
//! source position is an instruction's offset in the file (0, where the magic number stands, is
//! none).

mod functions;
mod sections;

use crate::dwarf::DebugSections;
use crate::error::Error;
use crate::info::ModuleInfo;
use crate::module::{Options, Validation};
use crate::types::from_parsed;
use cupola_ir::{RefType, SharedBytes, Type};
pub(crate) use functions::function_validator;
use functions::validate_functions;
use sections::Sections;
use wasmparser::{Parser, Payload, ValidPayload, Validator, ValidatorResources};

/// A module once its sections were read.
pub(crate) struct Decoded {
    pub ir: cupola_ir::Module,
    pub info: ModuleInfo,
    pub debug: DebugSections,
}

/// Decodes a module. `name` stands in backtraces unless the module names itself.
pub(crate) fn decode(name: &str, bytes: SharedBytes, options: &Options) -> Result<Decoded, Error> {
    let features = options.proposals.features();
    let mut validator = Validator::new_with_features(features);
    let mut parser = Parser::new(0);
    parser.set_features(features);
    let mut sections = Sections::new(name);
    let mut resources: Option<ValidatorResources> = None;
    let mut bodies = Vec::new();
    for payload in parser.parse_all(&bytes) {
        let payload = payload?;
        if let Payload::Version { encoding: wasmparser::Encoding::Component, .. } = payload {
            return Err(Error::unsupported("component model", 0));
        }
        if let ValidPayload::Func(func, body) = validator.payload(&payload)? {
            let range = body.range();
            bodies.push(range.start as usize..range.end as usize);
            resources.get_or_insert(func.resources);
            continue;
        }
        sections.read(payload)?;
    }
    let mut decoded = sections.finish(bytes, features, bodies, resources);
    let threads = match options.validation {
        Validation::Lazy => return Ok(decoded),
        Validation::Eager => 1,
        Validation::EagerParallel => std::thread::available_parallelism().map_or(1, usize::from),
    };
    validate_functions(&decoded.info, threads)?;
    decoded.info.unchecked = None;
    Ok(decoded)
}

/// The type from the decoder's.
pub(crate) fn val_type(ty: wasmparser::ValType, offset: u64) -> Result<Type, Error> {
    from_parsed(ty).ok_or_else(|| Error::unsupported(format!("type {ty}"), offset))
}

/// What a null reference of a heap type refers to.
pub(crate) fn null_type(ty: wasmparser::HeapType, offset: u64) -> Result<RefType, Error> {
    let found = wasmparser::RefType::new(true, ty).map(wasmparser::ValType::Ref);
    let found = found.and_then(from_parsed).and_then(RefType::of);
    found.ok_or_else(|| Error::unsupported("this type of references", offset))
}
