//! Unwind information for generated code.
//!
//! All generated code keeps frame pointers, so one description stands for a whole arena: the
//! caller's frame begins at `rbp + 16`, with the return address and the saved `rbp` below. It
//! holds between a function's prologue and epilogue, so at every call and trap, and lets panics'
//! backtraces, profilers and C++ code see through generated frames. No exception goes through
//! them: helpers turn panics into traps.
//!
//! It is registered with libgcc's unwinder, which takes whole sections. gdb does not look there,
//! see [`crate::gdb`].

use gimli::write::{
    Address, CallFrameInstruction, CommonInformationEntry, EhFrame, EndianVec,
    FrameDescriptionEntry,
};
use gimli::{Encoding, Format, LittleEndian, X86_64};

unsafe extern "C" {
    fn __register_frame(section: *const u8);
    fn __deregister_frame(section: *const u8);
}

/// The bytes of an `.eh_frame` section, with its terminator, for code with frame pointers in `len`
/// bytes from `start`.
pub(crate) fn frame_pointer_section(start: usize, len: usize) -> Vec<u8> {
    let encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 1 };
    let mut cie = CommonInformationEntry::new(encoding, 1, -8, X86_64::RA);
    cie.add_instruction(CallFrameInstruction::Cfa(X86_64::RBP, 16));
    cie.add_instruction(CallFrameInstruction::Offset(X86_64::RBP, -16));
    cie.add_instruction(CallFrameInstruction::Offset(X86_64::RA, -8));
    let mut table = gimli::write::FrameTable::default();
    let cie = table.add_cie(cie);
    table.add_fde(cie, FrameDescriptionEntry::new(Address::Constant(start as u64), len as u32));
    let mut section = EhFrame(EndianVec::new(LittleEndian));
    table.write_eh_frame(&mut section).expect("a constant description can be written");
    let mut bytes = section.0.into_vec();
    bytes.extend([0; 4]);
    bytes
}

/// A section that the unwinder knows as long as this lives.
#[derive(Debug)]
pub(crate) struct FrameTable {
    section: Box<[u8]>,
}

impl FrameTable {
    /// Describes `len` bytes of code from `start`.
    pub(crate) fn register(start: usize, len: usize) -> FrameTable {
        let section = frame_pointer_section(start, len).into_boxed_slice();
        // SAFETY: a well-formed section, which stays where it is until it is deregistered.
        unsafe { __register_frame(section.as_ptr()) };
        FrameTable { section }
    }
}

impl Drop for FrameTable {
    fn drop(&mut self) {
        // SAFETY: it was registered.
        unsafe { __deregister_frame(self.section.as_ptr()) };
    }
}
