//! From Cranelift's result to an artifact: relocations by symbol, traps, source positions.

use crate::lower::{Lowered, Tables, trap_code_of};
use crate::symbols;
use cranelift_codegen::binemit::Reloc as ClReloc;
use cranelift_codegen::ir::{ExternalName, Function, SourceLoc};
use cranelift_codegen::{CompiledCode, Context, FinalizedRelocTarget, MachSrcLoc};
use cupola_ir::{InlineSite, SrcLoc};
use cupola_runtime::{
    Artifact, CompileError, CompileRequest, PositionSite, Reloc, RelocKind, Symbol, Tier, TrapSite,
};

/// Alignment of code: T1's is small and many, T2's loops gain from whole fetch lines.
const fn alignment(tier: Tier) -> u32 {
    if matches!(tier, Tier::T2) { 32 } else { 16 }
}

/// The source location of calls that an activation goes on in.
pub(crate) fn moved_on() -> SourceLoc {
    SourceLoc::new(u32::MAX - 1)
}

pub(crate) fn extract(
    tier: Tier,
    generator: &str,
    request: &CompileRequest<'_>,
    context: &Context,
    lowered: &Lowered,
    tables: &Tables,
) -> Result<Artifact, CompileError> {
    let Some(code) = context.compiled_code() else {
        return Err(CompileError::Codegen("no code".to_owned()));
    };
    Ok(Artifact {
        func: request.func,
        tier,
        generator: generator.to_owned(),
        entry_kind: lowered.entry_kind.clone(),
        members: Vec::new(),
        code: code.code_buffer().to_vec(),
        align: code.buffer.alignment.max(alignment(tier)),
        relocs: relocs(code, &context.func)?,
        traps: traps(code)?,
        positions: positions(code, tables),
        inlined: request.code.inlined.values().cloned().collect(),
        deopts: tables.deopts.iter().map(|&id| request.code.frame_states[id].clone()).collect(),
    })
}

fn symbol(func: &Function, target: &FinalizedRelocTarget) -> Option<Symbol> {
    match target {
        FinalizedRelocTarget::ExternalName(ExternalName::User(name)) => {
            symbols::from_name(&func.params.user_named_funcs()[*name])
        }
        _ => None,
    }
}

fn relocs(code: &CompiledCode, func: &Function) -> Result<Vec<Reloc>, CompileError> {
    let convert = |reloc: &cranelift_codegen::FinalizedMachReloc| {
        let symbol = symbol(func, &reloc.target)?;
        let kind = match reloc.kind {
            ClReloc::Abs8 => RelocKind::Abs8,
            ClReloc::X86PCRel4 | ClReloc::X86CallPCRel4 => RelocKind::PcRel4,
            _ => return None,
        };
        Some(Reloc { offset: reloc.offset, kind, symbol, addend: reloc.addend })
    };
    let relocs = code.buffer.relocs().iter();
    relocs
        .map(|reloc| {
            convert(reloc).ok_or_else(|| {
                let target = reloc.target.display(Some(&func.params));
                CompileError::Unsupported(format!("relocation {:?} of {target}", reloc.kind))
            })
        })
        .collect()
}

fn traps(code: &CompiledCode) -> Result<Vec<TrapSite>, CompileError> {
    let convert = |trap: &cranelift_codegen::MachTrap| match trap_code_of(trap.code) {
        Some(code) => Ok(TrapSite { offset: trap.offset, code }),
        None => Err(CompileError::Codegen(format!("trap code {}", trap.code))),
    };
    let mut traps =
        code.buffer.traps().iter().map(convert).collect::<Result<Vec<TrapSite>, CompileError>>()?;
    // Traps out of line come behind the code that branches to them.
    traps.sort_unstable_by_key(|trap| trap.offset);
    Ok(traps)
}

fn positions(code: &CompiledCode, tables: &Tables) -> Vec<PositionSite> {
    let mut sites: Vec<PositionSite> = Vec::new();
    let mut push = |offset, (loc, inline_site), moved_on| {
        let site = PositionSite { offset, loc, inline_site, moved_on };
        match sites.last_mut() {
            Some(last) if *last == (PositionSite { offset: last.offset, ..site }) => {}
            Some(last) if last.offset == offset => *last = site,
            _ => sites.push(site),
        }
    };
    const UNKNOWN: (SrcLoc, Option<InlineSite>) = (SrcLoc::UNKNOWN, None);
    let mut end_of_last = 0;
    for &MachSrcLoc { start, end, loc } in code.buffer.get_srclocs_sorted() {
        if start > end_of_last {
            push(end_of_last, UNKNOWN, false);
        }
        let position = tables.positions.get(loc.bits() as usize).copied().unwrap_or(UNKNOWN);
        push(start, position, loc == moved_on());
        end_of_last = end;
    }
    push(end_of_last, UNKNOWN, false);
    sites
}
