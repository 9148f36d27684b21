//! From an object file to one blob of code and constants.
//!
//! Sections that are loaded are put one behind the other, code first, and everything that they
//! refer to among each other is resolved. What is left are references to symbols that the engine's
//! linker knows. Calls of traps become undefined instructions. What LLVM wants to find in a global
//! offset table is put behind the rest, eight bytes for each symbol.

use crate::error::codegen;
use crate::symbols::{self, External};
use cupola_ir::TrapCode;
use cupola_runtime::{CompileError, Reloc, RelocKind, Symbol};
use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object, ObjectSection, ObjectSymbol, RelocationFlags, RelocationTarget,
    SectionFlags, SectionIndex, SymbolSection, elf,
};
use std::collections::HashMap;

/// An object file as the `object` crate reads it.
pub(crate) type File<'d> = ElfFile64<'d, LittleEndian>;

/// A trapping instruction.
#[derive(Copy, Clone, Debug)]
pub(crate) struct TrapCall {
    pub offset: u32,
    pub code: TrapCode,
    /// Index of its position.
    pub position: u32,
}

/// Bytes that a call of a trap takes.
pub(crate) const TRAP_SIZE: u32 = 5;
/// `ud2`, then bytes that are never executed.
const TRAP: [u8; TRAP_SIZE as usize] = [0x0f, 0x0b, 0xcc, 0xcc, 0xcc];
const CALL: u8 = 0xe8;
const MAX_ALIGN: u64 = 64;

/// Code and constants.
#[derive(Debug, Default)]
pub(crate) struct Blob {
    pub bytes: Vec<u8>,
    /// How many of them, at the start, are instructions.
    pub code_len: usize,
    pub align: u64,
    pub relocs: Vec<Reloc>,
    pub traps: Vec<TrapCall>,
    /// Where sections start.
    starts: HashMap<SectionIndex, u64>,
    /// The slots of the offset table.
    slots: HashMap<Symbol, u64>,
}

/// Reads an object file.
pub(crate) fn parse(data: &[u8]) -> Result<File<'_>, CompileError> {
    File::parse(data).map_err(codegen)
}

/// Puts the sections of a file together.
pub(crate) fn place(file: &File<'_>) -> Result<Blob, CompileError> {
    let mut blob = Blob { align: 16, ..Blob::default() };
    let mut sections = Vec::new();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        if !sh_flags.contains(elf::SHF_ALLOC) || section.size() == 0 {
            continue;
        }
        let name = section.name().map_err(codegen)?;
        if sh_flags.contains(elf::SHF_WRITE) && !name.starts_with(".data.rel.ro") {
            return Err(codegen(format!("section {name} is writable")));
        }
        let executable = sh_flags.contains(elf::SHF_EXECINSTR);
        sections.push((!executable, section));
    }
    sections.sort_by_key(|(data, _)| *data);
    for (is_data, section) in &sections {
        if section.align() > MAX_ALIGN {
            return Err(codegen(format!("a section is aligned to {}", section.align())));
        }
        let start = blob.bytes.len().next_multiple_of(section.align().max(1) as usize);
        blob.bytes.resize(start, 0xcc);
        blob.bytes.extend_from_slice(section.data().map_err(codegen)?);
        blob.align = blob.align.max(section.align());
        blob.starts.insert(section.index(), start as u64);
        if !is_data {
            blob.code_len = blob.bytes.len();
        }
    }
    for (_, section) in &sections {
        for (offset, relocation) in section.relocations() {
            let place = blob.starts[&section.index()] + offset;
            blob.relocate(file, place, &relocation)?;
        }
    }
    blob.traps.sort_unstable_by_key(|trap| trap.offset);
    if u32::try_from(blob.bytes.len()).is_err() {
        return Err(CompileError::TooLarge(format!("{} bytes of code", blob.bytes.len())));
    }
    Ok(blob)
}

/// What a relocation refers to.
enum Target {
    /// A place in the blob.
    Local(u64),
    External(External),
}

impl Blob {
    fn target(&self, file: &File<'_>, target: RelocationTarget) -> Result<Target, CompileError> {
        let RelocationTarget::Symbol(index) = target else {
            return Err(codegen("a relocation without a symbol"));
        };
        let symbol = file.symbol_by_index(index).map_err(codegen)?;
        let name = symbol.name().map_err(codegen)?;
        match symbol.section() {
            SymbolSection::Section(section) => match self.starts.get(&section) {
                Some(start) => Ok(Target::Local(start + symbol.address())),
                None => Err(codegen(format!("{name} is in a section that is not loaded"))),
            },
            SymbolSection::Undefined => match symbols::parse(name) {
                Some(external) => Ok(Target::External(external)),
                None => Err(codegen(format!("the code needs {name:?}, which does not exist"))),
            },
            _ => Err(codegen(format!("{name} is in no section"))),
        }
    }

    fn relocate(
        &mut self,
        file: &File<'_>,
        place: u64,
        relocation: &object::Relocation,
    ) -> Result<(), CompileError> {
        let RelocationFlags::Elf { r_type } = relocation.flags() else {
            return Err(codegen("a relocation that is not of ELF"));
        };
        let addend = relocation.addend();
        let target = self.target(file, relocation.target())?;
        let unsupported =
            || Err(codegen(format!("relocation of type {r_type} at {place:#x} is not supported")));
        match (r_type, target) {
            (elf::R_X86_64_PC32 | elf::R_X86_64_PLT32, Target::Local(target)) => {
                self.write_distance(place, target, addend)
            }
            (
                elf::R_X86_64_PC32 | elf::R_X86_64_PLT32,
                Target::External(External::Trap(code, at)),
            ) => self.trap(place, code, at),
            (
                elf::R_X86_64_PC32 | elf::R_X86_64_PLT32,
                Target::External(External::Symbol(symbol)),
            ) => {
                self.push_reloc(place, RelocKind::PcRel4, symbol, addend);
                Ok(())
            }
            (elf::R_X86_64_64, Target::Local(target)) => {
                let addend = addend.wrapping_add_unsigned(target);
                self.push_reloc(place, RelocKind::Abs8, Symbol::SelfStart, addend);
                Ok(())
            }
            (elf::R_X86_64_64, Target::External(External::Symbol(symbol))) => {
                self.push_reloc(place, RelocKind::Abs8, symbol, addend);
                Ok(())
            }
            (
                elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX,
                Target::External(External::Symbol(symbol)),
            ) => {
                let slot = self.slot(symbol);
                self.write_distance(place, slot, addend)
            }
            _ => unsupported(),
        }
    }

    fn push_reloc(&mut self, place: u64, kind: RelocKind, symbol: Symbol, addend: i64) {
        self.relocs.push(Reloc { offset: place as u32, kind, symbol, addend });
    }

    /// Where the address of a symbol stands.
    fn slot(&mut self, symbol: Symbol) -> u64 {
        if let Some(&slot) = self.slots.get(&symbol) {
            return slot;
        }
        let slot = self.bytes.len().next_multiple_of(8);
        self.bytes.resize(slot + 8, 0);
        self.slots.insert(symbol, slot as u64);
        self.push_reloc(slot as u64, RelocKind::Abs8, symbol, 0);
        slot as u64
    }

    fn write_distance(&mut self, place: u64, target: u64, addend: i64) -> Result<(), CompileError> {
        let distance = (target as i64).wrapping_add(addend).wrapping_sub(place as i64);
        let distance = i32::try_from(distance).map_err(codegen)?;
        let place = place as usize;
        let bytes = self.bytes.get_mut(place..place + 4);
        let bytes = bytes.ok_or_else(|| codegen("a relocation outside of its section"))?;
        bytes.copy_from_slice(&distance.to_le_bytes());
        Ok(())
    }

    /// Makes an undefined instruction of the call whose distance stands at `place`.
    fn trap(&mut self, place: u64, code: TrapCode, position: u32) -> Result<(), CompileError> {
        let call = place.checked_sub(1).map(|start| start as usize);
        let bytes = call.and_then(|start| self.bytes.get_mut(start..start + TRAP.len()));
        match bytes {
            Some(bytes) if bytes[0] == CALL => bytes.copy_from_slice(&TRAP),
            _ => return Err(codegen(format!("the trap at {place:#x} is not a call"))),
        }
        self.traps.push(TrapCall { offset: place as u32 - 1, code, position });
        Ok(())
    }

    /// The offset of a symbol that the file defines.
    pub(crate) fn offset_of(&self, file: &File<'_>, name: &str) -> Result<u64, CompileError> {
        let symbol = file.symbol_by_name(name);
        let place = symbol.and_then(|symbol| match symbol.section() {
            SymbolSection::Section(section) => Some(self.starts.get(&section)? + symbol.address()),
            _ => None,
        });
        place.ok_or_else(|| codegen(format!("the object does not define {name:?}")))
    }
}
