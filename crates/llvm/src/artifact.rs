//! From an object file to an artifact.

use crate::error::codegen;
use crate::lower;
use crate::lower::unit::{Position, Unit};
use crate::object::{self, Blob, TRAP_SIZE};
use crate::positions;
use cupola_ir::SrcLoc;
use cupola_runtime::{
    Artifact, CompileError, CompileRequest, Member, PositionSite, Tier, TrapSite,
};
use std::collections::BTreeMap;

/// Alignment of code: loops gain from whole fetch lines.
const ALIGN: u64 = 32;

const UNKNOWN: Position = Position { loc: SrcLoc::UNKNOWN, inline_site: None, moved_on: false };

pub(crate) fn extract(
    generator: &str,
    requests: &[CompileRequest<'_>],
    unit: &Unit<'_>,
    data: &[u8],
) -> Result<Artifact, CompileError> {
    let file = object::parse(data)?;
    let blob = object::place(&file)?;
    let Some((request, others)) = requests.split_first() else {
        return Err(codegen("a unit of no functions"));
    };
    if blob.offset_of(&file, &lower::symbol_name(0))? != 0 {
        return Err(codegen("the entry is not the first byte of the code"));
    }
    let mut members = Vec::new();
    for (i, other) in others.iter().enumerate() {
        let offset = blob.offset_of(&file, &lower::symbol_name(i + 1))? as u32;
        members.push(Member { func: other.func, offset });
    }
    members.sort_unstable_by_key(|member| member.offset);
    Ok(Artifact {
        func: request.func,
        tier: Tier::T3,
        generator: generator.to_owned(),
        entry_kind: request.code.entry_kind.clone(),
        members,
        align: blob.align.max(ALIGN) as u32,
        traps: blob.traps.iter().map(|t| TrapSite { offset: t.offset, code: t.code }).collect(),
        positions: position_sites(&positions::lines(&file)?, &blob, &unit.positions),
        code: blob.bytes,
        relocs: blob.relocs,
        inlined: unit.inlined.clone(),
        deopts: unit.deopts.clone(),
    })
}

/// The position of every place in the code: by the line table, but for traps, which say themselves
/// where they are.
fn position_sites(lines: &[(u32, u32)], blob: &Blob, positions: &[Position]) -> Vec<PositionSite> {
    let position = |index: u32| positions.get(index as usize).copied().unwrap_or(UNKNOWN);
    let mut starts: BTreeMap<u32, Position> = BTreeMap::new();
    for &(offset, line) in lines {
        starts.insert(offset, line.checked_sub(1).map_or(UNKNOWN, position));
    }
    for trap in &blob.traps {
        let end = trap.offset + TRAP_SIZE;
        let behind = starts.range(..=end).next_back().map_or(UNKNOWN, |(_, &position)| position);
        starts.insert(end, behind);
        starts.insert(trap.offset, position(trap.position));
    }
    let mut sites: Vec<PositionSite> = Vec::new();
    let mut last = None;
    for (offset, position) in starts {
        if last != Some(position) {
            let Position { loc, inline_site, moved_on } = position;
            sites.push(PositionSite { offset, loc, inline_site, moved_on });
            last = Some(position);
        }
    }
    sites
}
