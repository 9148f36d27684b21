//! What is specific to an architecture: entering and leaving generated code, and the registers of
//! a faulting thread. Another architecture is another file with the same functions.

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
pub use x86_64::{ENTRY_STUB_SIZE, entry_adapter, entry_stub, helper_thunk};
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{call_native, fault_registers, resume_after_fault, unwind};

pub use crate::invoke::{invoke, invoke_slots, raise};
