//! Runs a pipeline over one function.

use crate::env::{OptError, OptRequest, Optimized, PassTiming, Trace};
use crate::{inline, passes};
use cupola_ir::{Function, verify_function};
use std::time::Instant;

/// Optimizes a function: construction with inlining and speculation, then the passes. `trace`
/// sees the function after construction and after each pass.
///
/// # Errors
/// If verification is on and a pass left the function ill-formed.
pub fn optimize(request: &OptRequest<'_>, trace: Option<Trace<'_>>) -> Result<Optimized, OptError> {
    let mut run = Run { request, trace, timings: Vec::new() };
    let start = run.start();
    let (mut func, inlined) = inline::construct(request);
    run.finish("construct", start, &func)?;
    let pipeline = if request.options.guarded_memories { passes::GUARDED } else { passes::CHECKED };
    for pass in pipeline {
        let start = run.start();
        (pass.run)(&mut func, request.module);
        run.finish(pass.name, start, &func)?;
    }
    Ok(Optimized { func, inlined, timings: run.timings })
}

struct Run<'a, 't> {
    request: &'a OptRequest<'a>,
    trace: Option<Trace<'t>>,
    timings: Vec<PassTiming>,
}

impl Run<'_, '_> {
    fn start(&self) -> Option<Instant> {
        self.request.options.timings.then(Instant::now)
    }

    fn finish(
        &mut self,
        pass: &'static str,
        start: Option<Instant>,
        func: &Function,
    ) -> Result<(), OptError> {
        self.timings.extend(start.map(|start| PassTiming { pass, time: start.elapsed() }));
        if let Some(trace) = &mut self.trace {
            trace(pass, func);
        }
        if !self.request.options.verify {
            return Ok(());
        }
        verify_function(self.request.module, self.request.func, func).map_err(|errors| {
            let message = errors.first().map(ToString::to_string).unwrap_or_default();
            OptError::IllFormed { pass, message }
        })
    }
}
