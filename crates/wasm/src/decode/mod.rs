//! Decoding: one pass over the sections.
//!
//! Sections are validated as they are read; function bodies only found, to be validated when they
//! are translated, or here if asked for. Names come from the name section; a source position is
//! an instruction's offset in the file (0, where the magic number stands, is none).

mod sections;

use crate::dwarf::DebugSections;
use crate::error::Error;
use crate::info::ModuleInfo;
use crate::module::{Options, Validation};
use crate::types::from_parsed;
use cupola_ir::{RefType, Type};
use sections::Sections;
use std::sync::Arc;
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, Parser, Payload, ValidPayload, Validator,
    ValidatorResources, WasmFeatures,
};

/// What is supported.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::GC_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::MEMORY64)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::RELAXED_SIMD);

/// A module once its sections were read.
pub(crate) struct Decoded {
    pub ir: cupola_ir::Module,
    pub info: ModuleInfo,
    pub debug: DebugSections,
}

/// Decodes a module. `name` stands in backtraces unless the module names itself.
pub(crate) fn decode(name: &str, bytes: Arc<[u8]>, options: &Options) -> Result<Decoded, Error> {
    let mut validator = Validator::new_with_features(FEATURES);
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
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
            if options.validation == Validation::Eager {
                func.into_validator(FuncValidatorAllocations::default()).validate(&body)?;
            } else if resources.is_none() {
                resources = Some(func.resources);
            }
            continue;
        }
        sections.read(payload)?;
    }
    Ok(sections.finish(bytes, bodies, resources))
}

/// A validator for one function of a module.
pub(crate) fn function_validator(
    info: &ModuleInfo,
    func: u32,
) -> Option<wasmparser::FuncValidator<ValidatorResources>> {
    let resources = info.unchecked.clone()?;
    let to_validate = FuncToValidate {
        resources,
        index: func,
        ty: info.funcs[func as usize],
        features: FEATURES,
    };
    Some(to_validate.into_validator(FuncValidatorAllocations::default()))
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
