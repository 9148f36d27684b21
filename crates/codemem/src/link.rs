//! The linker: places an artifact and fills in its relocations.
//!
//! A relative call whose target is too far away (helpers usually are: the engine's own code is
//! mapped far from code memory) goes through a veneer behind the code, one for each target. Only
//! calls and jumps can: their relocation has the addend -4, as the distance counts from the end of
//! the instruction.

use crate::memory::{CodeBlock, CodeMemory};
use cupola_runtime::{Artifact, Reloc, RelocKind, Symbol};
use rustc_hash::FxHashMap;

/// `jmp [rip + 2]`, two bytes of padding; the target's address follows.
const VENEER: [u8; 8] = [0xff, 0x25, 2, 0, 0, 0, 0xcc, 0xcc];
const VENEER_SIZE: usize = 16;
const CALL_ADDEND: i64 = -4;
const MAX_ALIGN: u32 = 64;

/// Why an artifact could not be linked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// There is no room within the budget.
    #[error("no room in code memory for {0} bytes")]
    NoRoom(usize),
    /// The alignment is not a power of two up to 64.
    #[error("alignment {0} is not a power of two up to 64")]
    BadAlignment(u32),
    /// A relocation lies outside of the code.
    #[error("relocation at offset {offset} lies outside of the code ({len} bytes)")]
    OutsideCode {
        /// Where the relocation is.
        offset: u32,
        /// Length of the code.
        len: usize,
    },
    /// The target of a relative relocation that is not a call is too far away.
    #[error("relocation at offset {offset}: {symbol:?} is out of reach")]
    OutOfReach {
        /// Where the relocation is.
        offset: u32,
        /// What it refers to.
        symbol: Symbol,
    },
}

impl CodeMemory {
    /// Places an artifact: copies its code, fills in the relocations, and makes it visible to all
    /// cores. `resolve` gives the addresses of symbols other than the artifact's own start, and
    /// the value of [`Symbol::CodeId`].
    ///
    /// # Errors
    /// If there is no room, or the artifact's relocations are wrong.
    pub fn link(
        &self,
        artifact: &Artifact,
        resolve: &dyn Fn(Symbol) -> u64,
    ) -> Result<CodeBlock, LinkError> {
        if !artifact.align.is_power_of_two() || artifact.align > MAX_ALIGN {
            return Err(LinkError::BadAlignment(artifact.align));
        }
        let code = &artifact.code;
        let reach = self.range();
        let veneers_start = code.len().next_multiple_of(8);
        // Where the veneer for a far target stands in the block.
        let mut veneers: FxHashMap<u64, usize> = FxHashMap::default();
        let mut targets = Vec::with_capacity(artifact.relocs.len());
        for reloc in &artifact.relocs {
            let width = match reloc.kind {
                RelocKind::Abs8 => 8,
                RelocKind::PcRel4 => 4,
            };
            if reloc.offset as usize + width > code.len() {
                return Err(LinkError::OutsideCode { offset: reloc.offset, len: code.len() });
            }
            let target = match reloc.symbol {
                Symbol::SelfStart => None,
                symbol => Some(resolve(symbol)),
            };
            targets.push(target);
            // The block's address is not known yet, so a target has to be near all of the arena.
            if let (RelocKind::PcRel4, Some(target)) = (reloc.kind, target)
                && !(relative(target, reloc.addend, reach.start as u64).is_some()
                    && relative(target, reloc.addend, reach.end as u64).is_some())
            {
                if reloc.addend != CALL_ADDEND {
                    let (offset, symbol) = (reloc.offset, reloc.symbol);
                    return Err(LinkError::OutOfReach { offset, symbol });
                }
                let next = veneers_start + veneers.len() * VENEER_SIZE;
                veneers.entry(target).or_insert(next);
            }
        }

        let len = match veneers.len() {
            0 => code.len(),
            count => veneers_start + count * VENEER_SIZE,
        };
        let mut block = self.alloc(len, artifact.align).ok_or(LinkError::NoRoom(len))?;
        let start = block.start() as u64;
        let bytes = block.bytes();
        bytes[..code.len()].copy_from_slice(code);
        bytes[code.len()..].fill(0xcc);
        for (&target, &at) in &veneers {
            bytes[at..at + 8].copy_from_slice(&VENEER);
            bytes[at + 8..at + VENEER_SIZE].copy_from_slice(&target.to_le_bytes());
        }
        for (reloc, &target) in artifact.relocs.iter().zip(&targets) {
            apply(reloc, target, start, &veneers, bytes)?;
        }
        Ok(block.publish())
    }
}

/// Fills in a relocation of the block at `start`.
fn apply(
    reloc: &Reloc,
    target: Option<u64>,
    start: u64,
    veneers: &FxHashMap<u64, usize>,
    bytes: &mut [u8],
) -> Result<(), LinkError> {
    let at = reloc.offset as usize;
    let target = target.unwrap_or(start);
    match reloc.kind {
        RelocKind::Abs8 => {
            let value = target.wrapping_add_signed(reloc.addend);
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        RelocKind::PcRel4 => {
            let target = veneers.get(&target).map_or(target, |&veneer| start + veneer as u64);
            let place = start + u64::from(reloc.offset);
            let distance = relative(target, reloc.addend, place)
                .ok_or(LinkError::OutOfReach { offset: reloc.offset, symbol: reloc.symbol })?;
            bytes[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
    }
    Ok(())
}

/// The distance from `place` to `target + addend`, if 32 bits hold it.
fn relative(target: u64, addend: i64, place: u64) -> Option<i32> {
    let distance = i128::from(target) + i128::from(addend) - i128::from(place);
    i32::try_from(distance).ok()
}
