//! Functions and positions for people: in backtraces, reports and logs.
//!
//! A position is named by its place in the source where the front end knows it
//! ([`cupola_ir::Bodies::source_places`]), else as the module's [`cupola_ir::LocStyle`] has it.

use crate::module::{FuncData, ModuleInner};
use cupola_ir::{SourcePlace, SrcLoc};
use cupola_runtime::Frame;

impl ModuleInner {
    /// A source position; empty if unknown.
    pub fn describe_loc(&self, loc: SrcLoc) -> String {
        match self.source_places(loc).first() {
            Some(place) => place.to_string(),
            None => self.ir.format_loc(loc),
        }
    }

    /// The place in the source where the code of a function begins, if the front end knows it.
    pub fn source_of(&self, data: &FuncData) -> Option<String> {
        let insts = data.body.insts.values().map(|inst| inst.loc);
        let first = insts.filter(|&loc| loc != SrcLoc::UNKNOWN).min_by_key(|loc| loc.0)?;
        // What was inlined there is not the function itself.
        self.source_places(first).last().map(SourcePlace::to_string)
    }

    /// The lines of a backtrace for an activation, the innermost first.
    pub fn describe_frame(&self, frame: &Frame) -> Vec<String> {
        let (name, tier) = (self.ir.func_name(frame.func), frame.tier);
        let places = self.source_places(frame.loc);
        let Some((own, inlined)) = places.split_last() else {
            let loc = self.ir.format_loc(frame.loc);
            let separator = if loc.is_empty() { "" } else { ":" };
            let source = if self.ir.name.is_empty() { "?" } else { &self.ir.name };
            return vec![format!("%{name} ({source}{separator}{loc}, {tier})")];
        };
        let inlined = inlined.iter().map(|place| {
            let func = place.func.as_deref().unwrap_or("?");
            format!("{func} ({place}, inlined, {tier})")
        });
        inlined.chain([format!("%{name} ({own}, {tier})")]).collect()
    }

    fn source_places(&self, loc: SrcLoc) -> Vec<SourcePlace> {
        if loc == SrcLoc::UNKNOWN { Vec::new() } else { self.bodies.source_places(loc) }
    }
}
