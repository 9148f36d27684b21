//! From an object file to an artifact.

use crate::error::codegen;
use crate::lower;
use crate::lower::unit::{Position, Unit};
use crate::object::{self, Blob, TRAP_SIZE};
use crate::positions;
use cupola_ir::{SrcLoc, TrapCode};
use cupola_runtime::{
    Artifact, CompileError, CompileRequest, Member, PositionSite, Tier, TrapSite,
};
use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};
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
        traps: trap_sites(&blob, unit.faults),
        positions: position_sites(&positions::lines(&file)?, &blob, &unit.positions),
        code: blob.bytes,
        relocs: blob.relocs,
        inlined: unit.inlined.clone(),
        deopts: unit.deopts.clone(),
    })
}

/// Trapping instructions: calls that became one, and if accesses may fault, every instruction that
/// reads or writes memory but by the stack pointer or relative to the code. Those that are no
/// accesses to linear memory do not fault, so it does no harm to list them.
fn trap_sites(blob: &Blob, faults: bool) -> Vec<TrapSite> {
    let mut sites: Vec<TrapSite> =
        blob.traps.iter().map(|t| TrapSite { offset: t.offset, code: t.code }).collect();
    if faults {
        for inst in &mut Decoder::with_ip(64, &blob.bytes[..blob.code_len], 0, DecoderOptions::NONE)
        {
            let accesses = (0..inst.op_count()).any(|i| inst.op_kind(i) == OpKind::Memory);
            let elsewhere =
                matches!(inst.memory_base(), Register::RSP | Register::RBP | Register::RIP)
                    && inst.memory_index() == Register::None;
            if accesses
                && !elsewhere
                && inst.mnemonic() != Mnemonic::Lea
                && inst.mnemonic() != Mnemonic::Nop
            {
                let code = TrapCode::MemOutOfBounds;
                sites.push(TrapSite { offset: inst.ip() as u32, code });
            }
        }
        sites.sort_unstable_by_key(|site| site.offset);
    }
    sites
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
