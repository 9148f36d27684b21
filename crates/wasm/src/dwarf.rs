//! Places in the source, from the debug information (DWARF) of a module.
//!
//! Compilers put each DWARF section into a custom section of its name. In it, an address is an
//! offset from where the content of the code section starts. At load the sections are only located;
//! they are copied and parsed, by `addr2line`, when the first position is asked for.
//!
//! Debug information is for people and from anywhere: of what is missing, split off into other files
//! or malformed nothing is known, and that is all.

use addr2line::{Context, Frame};
use cupola_ir::{SourcePlace, SrcLoc};
use gimli::{Dwarf, EndianArcSlice, EndianReader, LittleEndian, SectionId};
use parking_lot::Mutex;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

type Reader = EndianArcSlice<LittleEndian>;

/// Where a module's debug information stands, in bytes from the module's start.
#[derive(Default)]
pub(crate) struct DebugSections {
    /// The content of the code section.
    pub code: Range<usize>,
    /// The sections by their names.
    sections: Vec<(SectionId, Range<usize>)>,
}

impl DebugSections {
    /// Notes a custom section, if it is one of these.
    pub fn note(&mut self, name: &str, range: Range<usize>) {
        if let Some(id) = USED.into_iter().find(|id| id.name() == name) {
            self.sections.push((id, range));
        }
    }
}

/// What tells lines and inlined functions.
const USED: [SectionId; 10] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// The debug information of a module.
pub(crate) struct DebugInfo {
    sections: DebugSections,
    parsed: Mutex<Parsed>,
}

enum Parsed {
    NotYet,
    /// There is none that can be read.
    Nothing,
    Context(Box<Context<Reader>>),
}

impl DebugInfo {
    pub fn new(sections: DebugSections) -> DebugInfo {
        let nothing = sections.sections.is_empty();
        let parsed = if nothing { Parsed::Nothing } else { Parsed::NotYet };
        DebugInfo { sections, parsed: Mutex::new(parsed) }
    }

    /// The places of an instruction, the innermost of inlined functions first; none if unknown.
    /// `module` has the bytes of the whole module.
    pub fn places(&self, module: &[u8], loc: SrcLoc) -> Vec<SourcePlace> {
        let mut parsed = self.parsed.lock();
        if let Parsed::NotYet = *parsed {
            *parsed = match Context::from_dwarf(self.dwarf(module)) {
                Ok(context) => Parsed::Context(Box::new(context)),
                Err(_) => Parsed::Nothing,
            };
        }
        let Parsed::Context(context) = &*parsed else { return Vec::new() };
        let code = &self.sections.code;
        match usize::try_from(loc.0) {
            Ok(offset) if code.contains(&offset) => {
                places(context, (offset - code.start) as u64).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    fn dwarf(&self, module: &[u8]) -> Dwarf<Reader> {
        let section = |id: SectionId| {
            let found = self.sections.sections.iter().find(|(found, _)| *found == id);
            let bytes = found.and_then(|(_, range)| module.get(range.clone())).unwrap_or_default();
            Ok::<_, std::convert::Infallible>(EndianReader::new(Arc::from(bytes), LittleEndian))
        };
        Dwarf::load(section).unwrap_or_else(|never| match never {})
    }
}

/// None if the debug information about the address is malformed, or does not name its file.
fn places(context: &Context<Reader>, address: u64) -> Option<Vec<SourcePlace>> {
    let mut frames = context.find_frames(address).skip_all_loads().ok()?;
    let mut places = Vec::new();
    while let Some(frame) = frames.next().ok()? {
        places.push(place(&frame)?);
    }
    Some(places)
}

fn place(frame: &Frame<'_, Reader>) -> Option<SourcePlace> {
    let location = frame.location.as_ref()?;
    let name = frame.function.as_ref().and_then(|func| func.demangle().ok());
    Some(SourcePlace {
        func: name.map(Cow::into_owned),
        file: location.file?.to_owned(),
        // Compilers say line 0 of code that stems from no line.
        line: location.line.filter(|&line| line > 0),
        column: location.column.filter(|&column| column > 0),
    })
}
