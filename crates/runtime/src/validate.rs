//! Checks of artifacts that come from elsewhere than this process.
//!
//! An artifact is checked against the request that it answers:
//!
//! - It is for the functions asked for, entered as asked for.
//! - Entries, relocations, traps and positions lie in the code; what is searched is sorted.
//! - Relocations do not overlap, and name functions that the module defines.
//! - Inlined calls name functions of the module and lead outwards, so that following them ends.
//! - Each deoptimization exit has a frame state of the code that was sent: so functions,
//!   instructions and registers in it exist.
//!
//! What the machine code does cannot be checked.

use crate::artifact::{Artifact, RelocKind, Symbol};
use crate::tier::CompileRequest;
use cupola_ir::FuncId;

/// Checks an artifact against the functions that were asked for.
///
/// # Errors
/// The first thing that is wrong, for people.
pub fn validate(artifact: &Artifact, unit: &[CompileRequest<'_>]) -> Result<(), String> {
    let (first, others) = unit.split_first().ok_or("nothing was asked for")?;
    if artifact.func != first.func {
        return Err(format!("it is {} and not {}", artifact.func, first.func));
    }
    if artifact.entry_kind != first.code.entry_kind {
        return Err("it is entered in another way".to_owned());
    }
    let len = artifact.code.len();
    if len == 0 || u32::try_from(len).is_err() {
        return Err(format!("its code has {len} bytes"));
    }
    if !artifact.align.is_power_of_two() || artifact.align > 64 {
        return Err(format!("its alignment is {}", artifact.align));
    }
    let inside = |offset: u32| (offset as usize) < len;
    let known = |func: FuncId| first.module.funcs.is_valid(func);

    let mut end = 0;
    for member in &artifact.members {
        if member.offset <= end || !inside(member.offset) {
            return Err(format!("an entry at {}", member.offset));
        }
        end = member.offset;
        let count = |func| artifact.members.iter().filter(|m| m.func == func).count();
        if !others.iter().any(|other| other.func == member.func) || count(member.func) > 1 {
            return Err(format!("{} was not asked for, or is there twice", member.func));
        }
    }

    let mut places: Vec<(u32, u32)> = Vec::with_capacity(artifact.relocs.len());
    for reloc in &artifact.relocs {
        let width = match reloc.kind {
            RelocKind::Abs8 => 8,
            RelocKind::PcRel4 => 4,
        };
        if reloc.offset.checked_add(width).is_none_or(|end| end as usize > len) {
            return Err(format!("a relocation at {}", reloc.offset));
        }
        places.push((reloc.offset, width));
        if let Symbol::Feedback(func) = reloc.symbol
            && (!known(func) || first.module.is_import(func))
        {
            return Err(format!("a relocation by the feedback of {func}"));
        }
    }
    places.sort_unstable();
    if let Some(pair) = places.windows(2).find(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
        return Err(format!("relocations overlap at {}", pair[1].0));
    }

    if !artifact.traps.is_sorted_by(|a, b| a.offset < b.offset)
        || artifact.traps.last().is_some_and(|trap| !inside(trap.offset))
    {
        return Err("its table of traps".to_owned());
    }
    if !artifact.positions.is_sorted_by_key(|position| position.offset)
        || artifact.positions.last().is_some_and(|position| position.offset as usize > len)
    {
        return Err("its table of positions".to_owned());
    }
    let sites = artifact.inlined.len();
    if artifact
        .positions
        .iter()
        .filter_map(|position| position.inline_site)
        .any(|site| site.as_u32() as usize >= sites)
    {
        return Err("a position names no inlined call".to_owned());
    }
    for (site, inlined) in artifact.inlined.iter().enumerate() {
        let outwards = inlined.parent.is_none_or(|parent| (parent.as_u32() as usize) < site);
        if !outwards || !known(inlined.callee) {
            return Err(format!("inlined call {site}"));
        }
    }
    for (exit, state) in artifact.deopts.iter().enumerate() {
        let sent = |request: &CompileRequest<'_>| {
            request.code.frame_states.values().any(|known| known == state)
        };
        if !unit.iter().any(sent) {
            return Err(format!("the frame state of exit {exit}"));
        }
    }
    Ok(())
}
