//! Validation of functions' bodies: one at a time as they are translated, or all at once.
//!
//! Threads take runs of functions off a counter until there are no more. What is reported is the
//! first error in the order of functions, whoever found it.

use crate::error::Error;
use crate::info::ModuleInfo;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, scope};
use wasmparser::{
    BinaryReader, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    ValidatorResources,
};

/// How many functions a thread takes at a time.
const RUN: usize = 64;

/// Code of so many bytes for each thread; with less a thread costs more than it saves.
const BYTES_PER_THREAD: usize = 256 << 10;

/// A validator for one function of a module; none if all are valid.
pub(crate) fn function_validator(
    info: &ModuleInfo,
    func: u32,
) -> Option<FuncValidator<ValidatorResources>> {
    validator(info, func, FuncValidatorAllocations::default())
}

fn validator(
    info: &ModuleInfo,
    func: u32,
    allocations: FuncValidatorAllocations,
) -> Option<FuncValidator<ValidatorResources>> {
    let resources = info.unchecked.clone()?;
    let ty = info.funcs[func as usize];
    let to_validate = FuncToValidate { resources, index: func, ty, features: info.features };
    Some(to_validate.into_validator(allocations))
}

/// Validates all functions, on at most so many threads.
pub(super) fn validate_functions(info: &ModuleInfo, threads: usize) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let first: Mutex<Option<(usize, wasmparser::Error)>> = Mutex::new(None);
    let work = || {
        let mut allocations = FuncValidatorAllocations::default();
        loop {
            let start = next.fetch_add(RUN, Ordering::Relaxed);
            let run = start..info.bodies.len().min(start + RUN);
            // What stands behind an error is of no interest; runs in front of it are others' by now.
            if run.is_empty() || first.lock().as_ref().is_some_and(|(at, _)| *at < start) {
                return;
            }
            for index in run {
                let func = info.imported_funcs + index as u32;
                let Some(mut validator) = validator(info, func, allocations) else { return };
                let range = info.bodies[index].clone();
                let offset = range.start as u64;
                let reader = BinaryReader::new_features(&info.bytes[range], offset, info.features);
                if let Err(error) = validator.validate(&FunctionBody::new(reader)) {
                    let mut first = first.lock();
                    if first.as_ref().is_none_or(|(at, _)| index < *at) {
                        *first = Some((index, error));
                    }
                    return;
                }
                allocations = validator.into_allocations();
            }
        }
    };
    let code: usize = info.bodies.iter().map(|body| body.len()).sum();
    let threads = threads.min(code / BYTES_PER_THREAD);
    scope(|scope| {
        for _ in 1..threads {
            // Without it the others do its share.
            let _ = Builder::new().name("cupola-validate".to_owned()).spawn_scoped(scope, work);
        }
        work();
    });
    first.into_inner().map_or(Ok(()), |(_, error)| Err(error.into()))
}
