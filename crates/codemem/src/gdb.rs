//! Tells gdb how to walk generated frames, through its JIT interface: a list of object files in
//! memory, and a function at which gdb stops to read it.
//!
//! gdb slows down with the number of files, so there is one for each arena, not for each function:
//! an ELF file with a description of all frames (that of [`crate::unwind`]) and one symbol,
//! `cupola_code`, for all of the arena. Functions' names are not told. It costs nothing to a
//! process that gdb does not look at.

use crate::unwind::frame_pointer_section;
use parking_lot::Mutex;
use std::ptr;

/// `struct jit_code_entry` of gdb's documentation.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    file: *const u8,
    file_size: u64,
}

/// `struct jit_descriptor` of gdb's documentation.
#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

#[unsafe(no_mangle)]
static mut __jit_debug_descriptor: Descriptor =
    Descriptor { version: 1, action: 0, relevant: ptr::null_mut(), first: ptr::null_mut() };

/// Held by those who change the descriptor or the list.
static CHANGE: Mutex<()> = Mutex::new(());

/// gdb has a breakpoint here.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn __jit_debug_register_code() {
    // SAFETY: does nothing, but keeps calls from being optimized away.
    unsafe { std::arch::asm!("", options(preserves_flags, nostack)) }
}

/// An object file that gdb knows as long as this lives.
#[derive(Debug)]
pub(crate) struct ObjectFile {
    entry: *mut Entry,
    _file: Box<[u8]>,
}

// SAFETY: the entry is only touched with `CHANGE` held.
unsafe impl Send for ObjectFile {}
// SAFETY: as above.
unsafe impl Sync for ObjectFile {}

impl ObjectFile {
    /// Describes `len` bytes of code from `start`.
    pub(crate) fn register(start: usize, len: usize) -> ObjectFile {
        let file = object_file(start as u64, len).into_boxed_slice();
        let _guard = CHANGE.lock();
        // SAFETY: the lock is held; entries on the list are live.
        unsafe {
            let first = __jit_debug_descriptor.first;
            let entry = Box::into_raw(Box::new(Entry {
                next: first,
                previous: ptr::null_mut(),
                file: file.as_ptr(),
                file_size: file.len() as u64,
            }));
            if !first.is_null() {
                (*first).previous = entry;
            }
            __jit_debug_descriptor.first = entry;
            tell(REGISTER, entry);
            ObjectFile { entry, _file: file }
        }
    }
}

impl Drop for ObjectFile {
    fn drop(&mut self) {
        let _guard = CHANGE.lock();
        // SAFETY: the lock is held; the entry is on the list, and nobody refers to it afterwards.
        unsafe {
            let (next, previous) = ((*self.entry).next, (*self.entry).previous);
            if !next.is_null() {
                (*next).previous = previous;
            }
            if previous.is_null() {
                __jit_debug_descriptor.first = next;
            } else {
                (*previous).next = next;
            }
            tell(UNREGISTER, self.entry);
            drop(Box::from_raw(self.entry));
        }
    }
}

/// Lets gdb see what was done with an entry.
///
/// # Safety
/// `CHANGE` must be held.
unsafe fn tell(action: u32, entry: *mut Entry) {
    // SAFETY: the caller holds the lock. The writes are volatile because only gdb reads them.
    unsafe {
        (&raw mut __jit_debug_descriptor.action).write_volatile(action);
        (&raw mut __jit_debug_descriptor.relevant).write_volatile(entry);
        __jit_debug_register_code();
        (&raw mut __jit_debug_descriptor.relevant).write_volatile(ptr::null_mut());
    }
}

const HEADER_SIZE: u64 = 64;
const SECTION_HEADER_SIZE: u64 = 64;
const SYMBOL_SIZE: u64 = 24;

const SHT_PROGBITS: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;

/// Names of sections and symbols, and where they stand.
const NAMES: &[u8] = b"\0.text\0.eh_frame\0.symtab\0.strtab\0cupola_code\0";
const TEXT: u32 = 1;
const EH_FRAME: u32 = 7;
const SYMTAB: u32 = 17;
const STRTAB: u32 = 25;
const CUPOLA_CODE: u32 = 33;

/// A section of the file.
#[derive(Default)]
struct Section<'a> {
    name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    /// Empty for code, which is not in the file.
    contents: &'a [u8],
    size: u64,
    /// For symbols, the section with their names.
    link: u32,
    /// For symbols, the first that is not local.
    info: u32,
    entry_size: u64,
}

/// An ELF file for `len` bytes of code from `start`: header, section headers, contents.
fn object_file(start: u64, len: usize) -> Vec<u8> {
    let len64 = len as u64;
    let frames = frame_pointer_section(start as usize, len);
    let mut symbols = vec![0; SYMBOL_SIZE as usize];
    symbols.extend(CUPOLA_CODE.to_le_bytes());
    symbols.extend([0x12, 0, 1, 0]); // a global function, in section 1
    symbols.extend(start.to_le_bytes());
    symbols.extend(len64.to_le_bytes());
    let sections = [
        Section::default(),
        Section {
            name: TEXT,
            kind: SHT_NOBITS,
            flags: SHF_ALLOC | SHF_EXECINSTR,
            address: start,
            size: len64,
            ..Section::default()
        },
        Section {
            name: EH_FRAME,
            kind: SHT_PROGBITS,
            flags: SHF_ALLOC,
            contents: &frames,
            size: frames.len() as u64,
            ..Section::default()
        },
        Section {
            name: SYMTAB,
            kind: SHT_SYMTAB,
            contents: &symbols,
            size: symbols.len() as u64,
            link: 4,
            info: 1,
            entry_size: SYMBOL_SIZE,
            ..Section::default()
        },
        Section {
            name: STRTAB,
            kind: SHT_STRTAB,
            contents: NAMES,
            size: NAMES.len() as u64,
            ..Section::default()
        },
    ];

    let mut file = Vec::new();
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"); // 64 bits, little-endian
    file.extend([2, 0, 62, 0, 1, 0, 0, 0]); // executable, x86-64, version 1
    file.extend(start.to_le_bytes()); // entry
    file.extend([0; 8]); // no program headers
    file.extend(HEADER_SIZE.to_le_bytes()); // section headers follow
    file.extend([0; 4]); // flags
    for half in [HEADER_SIZE, 0, 0, SECTION_HEADER_SIZE, sections.len() as u64, 4] {
        file.extend((half as u16).to_le_bytes());
    }
    let mut offset = HEADER_SIZE + SECTION_HEADER_SIZE * sections.len() as u64;
    for section in &sections {
        file.extend(section.name.to_le_bytes());
        file.extend(section.kind.to_le_bytes());
        for word in [section.flags, section.address, offset, section.size] {
            file.extend(word.to_le_bytes());
        }
        file.extend(section.link.to_le_bytes());
        file.extend(section.info.to_le_bytes());
        for word in [8, section.entry_size] {
            file.extend(word.to_le_bytes());
        }
        offset += section.contents.len() as u64;
    }
    for section in &sections {
        file.extend(section.contents);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_at(offset: u32) -> &'static [u8] {
        NAMES[offset as usize..].split(|&byte| byte == 0).next().unwrap()
    }

    #[test]
    fn names_stand_where_they_are_looked_for() {
        let names: [&[u8]; 5] = [b".text", b".eh_frame", b".symtab", b".strtab", b"cupola_code"];
        assert_eq!([TEXT, EH_FRAME, SYMTAB, STRTAB, CUPOLA_CODE].map(name_at), names);
    }

    #[test]
    fn sections_lie_within_the_file() {
        let file = object_file(0x7000_0000_0000, 0x10000);
        let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().unwrap());
        let half = |at: usize| u16::from_le_bytes(file[at..at + 2].try_into().unwrap());
        assert_eq!((word(40), half(58), half(60)), (64, 64, 5));
        let header = |index: usize| 64 + 64 * index;
        assert_eq!((word(header(1) + 16), word(header(1) + 32)), (0x7000_0000_0000, 0x10000));
        for index in 2..5 {
            let (offset, size) = (word(header(index) + 24), word(header(index) + 32));
            assert!(size > 0 && offset + size <= file.len() as u64);
        }
        assert_eq!(file[file.len() - NAMES.len()..], *NAMES);
    }

    /// gdb follows the list from the descriptor.
    #[test]
    fn files_come_to_the_list_and_go() {
        let listed = |entry: *mut Entry| {
            let _guard = CHANGE.lock();
            // SAFETY: the lock is held, so all entries on the list are live.
            unsafe {
                let mut next = __jit_debug_descriptor.first;
                while !next.is_null() && next != entry {
                    next = (*next).next;
                }
                !next.is_null()
            }
        };
        let files: Vec<_> = (1..4).map(|i| ObjectFile::register(i << 40, 0x1000)).collect();
        let entries: Vec<_> = files.iter().map(|file| file.entry).collect();
        let mut files = files.into_iter();
        for entry in entries {
            assert!(listed(entry));
            drop(files.next());
            assert!(!listed(entry));
        }
    }
}
