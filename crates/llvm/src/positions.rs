//! Source positions of code, from the line table of an object file.
//!
//! A line number is the index of a position, plus one; line 0 is unknown.

use crate::error::codegen;
use crate::object::File;
use cupola_runtime::CompileError;
use gimli::{DebugLine, DebugLineOffset, LittleEndian};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};

/// Where each line starts: offsets in the code section with line numbers, in ascending order.
pub(crate) fn lines(file: &File<'_>) -> Result<Vec<(u32, u32)>, CompileError> {
    let Some(section) = file.section_by_name(".debug_line") else { return Ok(Vec::new()) };
    let mut data = section.data().map_err(codegen)?.to_vec();
    for (offset, relocation) in section.relocations() {
        // Those of 32 bits are of names, which nobody reads.
        let RelocationTarget::Symbol(index) = relocation.target() else { continue };
        if relocation.size() == 64 {
            let symbol = file.symbol_by_index(index).map_err(codegen)?;
            let value = symbol.address().wrapping_add_signed(relocation.addend());
            let offset = offset as usize;
            let place = data.get_mut(offset..offset + 8);
            let place = place.ok_or_else(|| codegen("a relocation outside of its section"))?;
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
    let program = DebugLine::new(&data, LittleEndian)
        .program(DebugLineOffset(0), 8, None, None)
        .map_err(codegen)?;
    let mut rows = program.rows();
    let mut lines: Vec<(u32, u32)> = Vec::new();
    while let Some((_, row)) = rows.next_row().map_err(codegen)? {
        let offset = u32::try_from(row.address()).map_err(codegen)?;
        let line = match row.line() {
            Some(line) if !row.end_sequence() => u32::try_from(line.get()).map_err(codegen)?,
            _ => 0,
        };
        lines.push((offset, line));
    }
    // The rows of one function are in order; functions may not be.
    lines.sort_by_key(|&(offset, _)| offset);
    Ok(lines)
}
