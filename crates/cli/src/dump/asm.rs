//! Machine code of an artifact as text: instructions by `iced-x86`, with source positions, traps,
//! relocations and deoptimization exits beside them.
//!
//! An artifact does not say which of its bytes are data, so that is inferred from how the code
//! generator lays it out: the constants stand behind the code, and the first that an instruction
//! reads is their start; a jump table stands where the `lea` that loads its address points to, and
//! ends where the first of its targets begins.

use cupola::ir::{EntryKind, FrameState, FuncId, Module, SrcLoc};
use cupola_runtime::{Artifact, PositionSite, RelocKind, Symbol};
use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, Mnemonic, OpKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The listing of an artifact.
pub fn listing(module: &Module, artifact: &Artifact) -> String {
    let mut out = String::new();
    let entry = match &artifact.entry_kind {
        EntryKind::Call => String::new(),
        EntryKind::Osr { header, .. } => format!(", entered at {header}"),
        EntryKind::AnyLoop => ", entered at any loop".to_owned(),
    };
    let _ = writeln!(
        out,
        "; %{}{entry}, {} by {}, {} bytes",
        module.func_name(artifact.func),
        artifact.tier,
        artifact.generator,
        artifact.code.len()
    );
    let mut listing = Listing { module, artifact, position: None, out };
    listing.body();
    for (number, state) in artifact.deopts.iter().enumerate() {
        let _ = writeln!(listing.out, "; exit {number}: {}", describe_exit(module, state));
    }
    listing.out
}

struct Listing<'a> {
    module: &'a Module,
    artifact: &'a Artifact,
    /// The source position that was printed last.
    position: Option<PositionSite>,
    out: String,
}

impl Listing<'_> {
    fn body(&mut self) {
        let code = &self.artifact.code;
        let mut formatter = IntelFormatter::new();
        let options = formatter.options_mut();
        options.set_hex_prefix("0x");
        options.set_hex_suffix("");
        options.set_uppercase_hex(false);
        options.set_small_hex_numbers_in_decimal(true);
        options.set_branch_leading_zeros(false);
        options.set_rip_relative_addresses(true);
        options.set_space_after_operand_separator(true);
        let mut tables: BTreeMap<usize, usize> = BTreeMap::new();
        let mut constants = code.len();
        let mut end_of_code = code.len();
        let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut text = String::new();
        while decoder.position() < end_of_code {
            let start = decoder.position();
            if let Some(&end) = tables.get(&start) {
                self.jump_table(start, end);
                if decoder.set_position(end).is_err() {
                    return;
                }
                decoder.set_ip(end as u64);
                continue;
            }
            decoder.decode_out(&mut instruction);
            let end = decoder.position();
            if let Some(target) = self.data_address(&instruction, start..end) {
                if instruction.mnemonic() == Mnemonic::Lea {
                    tables.insert(target, table_end(code, target));
                } else if (end..constants).contains(&target) {
                    constants = target;
                    // Zeros fill the gap. Where they are the end of an instruction instead, that
                    // is decoded whole all the same.
                    let zeros = code[..target].iter().rev().take_while(|&&byte| byte == 0).count();
                    end_of_code = (target - zeros).max(end);
                }
            }
            self.position(start);
            text.clear();
            formatter.format(&instruction, &mut text);
            let notes = self.notes(start..end);
            let line = format!("  {start:>6x}  {text}");
            let _ = match notes.is_empty() {
                true => writeln!(self.out, "{line}"),
                false => writeln!(self.out, "{line:<52} ; {}", notes.join("; ")),
            };
        }
        self.constants(constants);
    }

    /// The address within the artifact's own data that an instruction refers to.
    fn data_address(&self, instruction: &Instruction, at: std::ops::Range<usize>) -> Option<usize> {
        let in_memory = (0..instruction.op_count())
            .any(|operand| instruction.op_kind(operand) == OpKind::Memory);
        let relocated = self.artifact.relocs.iter().any(|r| at.contains(&(r.offset as usize)));
        if !in_memory || !instruction.is_ip_rel_memory_operand() || relocated {
            return None;
        }
        let address = usize::try_from(instruction.ip_rel_memory_address()).ok()?;
        (address < self.artifact.code.len()).then_some(address)
    }

    /// Prints the source position of the code at `offset`, if it is another than before.
    fn position(&mut self, offset: usize) {
        let sites = &self.artifact.positions;
        let behind = sites.partition_point(|site| site.offset as usize <= offset);
        let Some(&site) = behind.checked_sub(1).and_then(|i| sites.get(i)) else { return };
        let place = |site: &PositionSite| (site.loc, site.inline_site);
        if self.position.as_ref().map(place) == Some(place(&site)) || site.loc == SrcLoc::UNKNOWN {
            return;
        }
        self.position = Some(site);
        let loc = self.module.format_loc(site.loc);
        let inlined = site.inline_site.map(|id| &self.artifact.inlined[id.as_u32() as usize]);
        let from = inlined.map(|call| {
            let callee = self.module.func_name(call.callee);
            format!(" of %{callee}, inlined at {}", self.module.format_loc(call.call_loc))
        });
        let _ = writeln!(self.out, "; {loc}{}", from.unwrap_or_default());
    }

    /// What there is to say about the instruction in this range: relocations and traps.
    fn notes(&self, at: std::ops::Range<usize>) -> Vec<String> {
        let traps = self.artifact.traps.iter().filter(|trap| trap.offset as usize == at.start);
        let traps = traps.map(|trap| format!("trap {}", trap.code.name()));
        let relocs = self.artifact.relocs.iter().filter(|r| at.contains(&(r.offset as usize)));
        let relocs = relocs.map(|reloc| {
            let kind = match reloc.kind {
                RelocKind::Abs8 => "abs8",
                RelocKind::PcRel4 => "pcrel4",
            };
            let addend = match reloc.addend {
                0 => String::new(),
                addend => format!("{addend:+}"),
            };
            format!("{kind} {}{addend}", self.symbol(reloc.symbol))
        });
        traps.chain(relocs).collect()
    }

    fn symbol(&self, symbol: Symbol) -> String {
        let name = |func: FuncId| self.module.func_name(func);
        match symbol {
            Symbol::SelfStart => format!("%{}", name(self.artifact.func)),
            Symbol::Helper(helper) => format!("helper {}", helper.name()),
            Symbol::Feedback(func) => format!("feedback of %{}", name(func)),
            Symbol::CodeId => "code id".to_owned(),
        }
    }

    fn jump_table(&mut self, start: usize, end: usize) {
        for at in (start..end).step_by(4) {
            let target = table_target(&self.artifact.code, start, at).unwrap_or(start);
            let _ = writeln!(self.out, "  {at:>6x}  .jump {target:#x}");
        }
    }

    fn constants(&mut self, from: usize) {
        for (i, words) in self.artifact.code[from..].chunks(8).enumerate() {
            let bytes: Vec<String> = words.iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = writeln!(self.out, "  {:>6x}  .data {}", from + 8 * i, bytes.join(" "));
        }
    }
}

/// The target of the entry at `at` of a jump table; entries are distances from the table's start.
fn table_target(code: &[u8], table: usize, at: usize) -> Option<usize> {
    let entry: [u8; 4] = code.get(at..at + 4)?.try_into().ok()?;
    table.checked_add_signed(i32::from_le_bytes(entry) as isize).filter(|&t| t < code.len())
}

/// Where a jump table ends.
fn table_end(code: &[u8], table: usize) -> usize {
    let mut end = code.len();
    let mut at = table;
    while at + 4 <= end {
        let Some(target) = table_target(code, table, at) else { break };
        at += 4;
        if target > table {
            end = end.min(target);
        }
    }
    at
}

/// A deoptimization exit: why it is left, and for where.
fn describe_exit(module: &Module, state: &FrameState) -> String {
    let frames = state.frames.iter().map(|frame| {
        let regs: Vec<String> = frame.regs.iter().map(ToString::to_string).collect();
        format!("%{} {} {{{}}}", module.func_name(frame.func), frame.resume, regs.join(", "))
    });
    format!("{} [{}]", state.reason.name(), frames.collect::<Vec<_>>().join(", "))
}
