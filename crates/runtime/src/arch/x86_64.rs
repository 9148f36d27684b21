//! Trampolines for x86-64, System V calling convention.
//!
//! - [`call_native`] enters generated code: it saves the callee-saved registers and notes stack
//!   and frame pointer in the entry record.
//! - [`unwind`] leaves it when it traps: with the noted stack pointer, it restores the registers
//!   and returns from `call_native` a second way. No frame in between is run through, so only
//!   generated frames, thunks, and helper bodies that have nothing left to drop may be there.
//! - `fault_landing` is where the signal handler sends a thread that faulted in generated code.
//! - Thunks and the entry adapter leave generated code: they save where it was left.
//!
//! Shadow stacks (CET) are not supported: `unwind` drops return addresses.

use crate::abi::NativeFrame;
use crate::context::{EntryRecord, VmContext, VmLimits};
use crate::helper_impls as bodies;
use crate::helpers::Helper;
use cupola_ir::FuncId;
use std::arch::naked_asm;
use std::mem::offset_of;

/// Calls generated code at `code` with the registers and stack words of `frame`, and stores the
/// result registers there. Gives 0 if it returned, 1 if it trapped.
///
/// # Safety
/// `code` must be generated code for these arguments; `record` must be the innermost entry record
/// of the thread's limits, whose `sp` and `fp` are set here.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_native(
    frame: *mut NativeFrame,
    code: *const u8,
    record: *mut EntryRecord,
) -> u32 {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        ".cfi_offset rbx, -24",
        "push r12",
        ".cfi_offset r12, -32",
        "push r13",
        ".cfi_offset r13, -40",
        "push r14",
        ".cfi_offset r14, -48",
        "push r15",
        ".cfi_offset r15, -56",
        "push rdi",
        "mov [rdx + {record_sp}], rsp",
        "mov [rdx + {record_fp}], rbp",
        "mov rax, rdi",
        "mov r11, rsi",
        // The stack words, the last one first, below a filler that keeps the stack aligned.
        "mov rcx, [rax + {stack_words}]",
        "test rcx, rcx",
        "jz 3f",
        "mov r10, [rax + {stack}]",
        "test cl, 1",
        "jz 2f",
        "sub rsp, 8",
        "2:",
        "push qword ptr [r10 + 8*rcx - 8]",
        "dec rcx",
        "jnz 2b",
        "3:",
        "movups xmm0, [rax + {floats}]",
        "movups xmm1, [rax + {floats} + 16]",
        "movups xmm2, [rax + {floats} + 32]",
        "movups xmm3, [rax + {floats} + 48]",
        "movups xmm4, [rax + {floats} + 64]",
        "movups xmm5, [rax + {floats} + 80]",
        "movups xmm6, [rax + {floats} + 96]",
        "movups xmm7, [rax + {floats} + 112]",
        "mov rdi, [rax + {ints}]",
        "mov rsi, [rax + {ints} + 8]",
        "mov rdx, [rax + {ints} + 16]",
        "mov rcx, [rax + {ints} + 24]",
        "mov r8, [rax + {ints} + 32]",
        "mov r9, [rax + {ints} + 40]",
        "call r11",
        "lea rsp, [rbp - 48]",
        "pop rdi",
        "mov [rdi + {result_ints}], rax",
        "mov [rdi + {result_ints} + 8], rdx",
        "movups [rdi + {result_floats}], xmm0",
        "movups [rdi + {result_floats} + 16], xmm1",
        "xor eax, eax",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        record_sp = const offset_of!(EntryRecord, sp),
        record_fp = const offset_of!(EntryRecord, fp),
        ints = const offset_of!(NativeFrame, ints),
        floats = const offset_of!(NativeFrame, floats),
        stack = const offset_of!(NativeFrame, stack),
        stack_words = const offset_of!(NativeFrame, stack_words),
        result_ints = const offset_of!(NativeFrame, result_ints),
        result_floats = const offset_of!(NativeFrame, result_floats),
    )
}

/// Returns 1 from the `call_native` of the innermost entry.
///
/// # Safety
/// As [`crate::arch::raise`], with `pending` set.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn unwind(limits: *mut VmLimits) -> ! {
    naked_asm!(
        "mov rax, [rdi + {entry}]",
        "mov rsp, [rax + {record_sp}]",
        "mov eax, 1",
        "pop rdi",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        entry = const offset_of!(VmLimits, entry),
        record_sp = const offset_of!(EntryRecord, sp),
    )
}

/// Where generated code that faulted goes on, still on its stack, with the limits in `rdi`. What
/// it had in registers is not needed any more.
#[unsafe(naked)]
unsafe extern "C" fn fault_landing() {
    naked_asm!(
        "and rsp, -16",
        "mov rbx, rdi",
        "call {faulted}",
        "mov rdi, rbx",
        "jmp {unwind}",
        faulted = sym crate::invoke::faulted,
        unwind = sym unwind,
    )
}

macro_rules! helper_thunks {
    ($($Helper:ident $thunk:ident $body:ident;)*) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $thunk() {
                naked_asm!(
                    "mov rax, [rdi + {limits}]",
                    "mov r11, [rsp]",
                    "mov [rax + {exit_fp}], rbp",
                    "mov [rax + {exit_pc}], r11",
                    "jmp {body}",
                    limits = const offset_of!(VmContext, limits),
                    exit_fp = const offset_of!(VmLimits, exit_fp),
                    exit_pc = const offset_of!(VmLimits, exit_pc),
                    body = sym bodies::$body,
                )
            }
        )*

        /// The address at which generated code calls a helper, as a C function that takes the
        /// context and the arguments of [`Helper::signature`]. It must be called from a frame
        /// with a frame pointer.
        pub fn helper_thunk(helper: Helper) -> *const u8 {
            match helper {
                $(Helper::$Helper => $thunk as *const u8,)*
                Helper::Poll => poll_thunk as *const u8,
            }
        }
    };
}

helper_thunks! {
    CallHot call_hot_thunk call_hot;
    LoopHot loop_hot_thunk loop_hot;
    Deopt deopt_thunk deopt;
    MemoryGrow memory_grow_thunk memory_grow;
    Dialect dialect_thunk dialect;
}

/// The thunk of [`Helper::Poll`], which keeps all registers: loops call it seldom, and must not have
/// to keep their values in memory because they might.
#[unsafe(naked)]
unsafe extern "C" fn poll_thunk() {
    naked_asm!(
        "push rax",
        "push r11",
        "mov r11, [rsp + 16]",
        "mov rax, [rdi + {limits}]",
        "mov [rax + {exit_fp}], rbp",
        "mov [rax + {exit_pc}], r11",
        "push r10",
        "push r9",
        "push r8",
        "push rdi",
        "push rsi",
        "push rdx",
        "push rcx",
        "sub rsp, 256",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "movups [rsp + 32], xmm2",
        "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4",
        "movups [rsp + 80], xmm5",
        "movups [rsp + 96], xmm6",
        "movups [rsp + 112], xmm7",
        "movups [rsp + 128], xmm8",
        "movups [rsp + 144], xmm9",
        "movups [rsp + 160], xmm10",
        "movups [rsp + 176], xmm11",
        "movups [rsp + 192], xmm12",
        "movups [rsp + 208], xmm13",
        "movups [rsp + 224], xmm14",
        "movups [rsp + 240], xmm15",
        "call {body}",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups xmm2, [rsp + 32]",
        "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]",
        "movups xmm5, [rsp + 80]",
        "movups xmm6, [rsp + 96]",
        "movups xmm7, [rsp + 112]",
        "movups xmm8, [rsp + 128]",
        "movups xmm9, [rsp + 144]",
        "movups xmm10, [rsp + 160]",
        "movups xmm11, [rsp + 176]",
        "movups xmm12, [rsp + 192]",
        "movups xmm13, [rsp + 208]",
        "movups xmm14, [rsp + 224]",
        "movups xmm15, [rsp + 240]",
        "add rsp, 256",
        "pop rcx",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "mov r11d, eax",
        "mov rax, [rdi + {limits}]",
        "mov [rax + {leave}], r11",
        "pop r8",
        "pop r9",
        "pop r10",
        "pop r11",
        "pop rax",
        "ret",
        limits = const offset_of!(VmContext, limits),
        leave = const offset_of!(VmLimits, leave),
        exit_fp = const offset_of!(VmLimits, exit_fp),
        exit_pc = const offset_of!(VmLimits, exit_pc),
        body = sym bodies::poll,
    )
}

/// Size of an entry stub in bytes.
pub const ENTRY_STUB_SIZE: usize = 24;

/// Code for the entry of a function without compiled code: hands its number to `adapter`
/// ([`entry_adapter`]). It can stand anywhere at an address that is a multiple of 8.
pub fn entry_stub(func: FuncId, adapter: *const u8) -> [u8; ENTRY_STUB_SIZE] {
    let mut code = [0xcc; ENTRY_STUB_SIZE];
    code[0] = 0xb8; // mov eax, imm32
    code[1..5].copy_from_slice(&func.as_u32().to_le_bytes());
    code[5..11].copy_from_slice(&[0xff, 0x25, 5, 0, 0, 0]); // jmp [rip + 5]
    code[16..].copy_from_slice(&(adapter as u64).to_le_bytes());
    code
}

/// The code that entry stubs jump to: calls a function wherever it has to run
/// ([`crate::Services::call`]).
pub fn entry_adapter() -> *const u8 {
    adapter as *const u8
}

/// Takes over with a function's number in `eax` and its arguments where the native convention has
/// them: saves them to a [`NativeFrame`], calls [`bodies::enter`], loads the results. It does not
/// count as a generated frame: that one is the caller's.
#[unsafe(naked)]
unsafe extern "C" fn adapter() {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, {frame_size}",
        "mov [rsp + {ints}], rdi",
        "mov [rsp + {ints} + 8], rsi",
        "mov [rsp + {ints} + 16], rdx",
        "mov [rsp + {ints} + 24], rcx",
        "mov [rsp + {ints} + 32], r8",
        "mov [rsp + {ints} + 40], r9",
        "movups [rsp + {floats}], xmm0",
        "movups [rsp + {floats} + 16], xmm1",
        "movups [rsp + {floats} + 32], xmm2",
        "movups [rsp + {floats} + 48], xmm3",
        "movups [rsp + {floats} + 64], xmm4",
        "movups [rsp + {floats} + 80], xmm5",
        "movups [rsp + {floats} + 96], xmm6",
        "movups [rsp + {floats} + 112], xmm7",
        "lea r10, [rbp + 16]",
        "mov [rsp + {stack}], r10",
        "mov r10, [rdi + {limits}]",
        "mov r11, [rbp]",
        "mov [r10 + {exit_fp}], r11",
        "mov r11, [rbp + 8]",
        "mov [r10 + {exit_pc}], r11",
        "mov esi, eax",
        "mov rdx, rsp",
        "call {enter}",
        "mov rax, [rsp + {result_ints}]",
        "mov rdx, [rsp + {result_ints} + 8]",
        "movups xmm0, [rsp + {result_floats}]",
        "movups xmm1, [rsp + {result_floats} + 16]",
        "leave",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        frame_size = const size_of::<NativeFrame>().next_multiple_of(16),
        ints = const offset_of!(NativeFrame, ints),
        floats = const offset_of!(NativeFrame, floats),
        stack = const offset_of!(NativeFrame, stack),
        result_ints = const offset_of!(NativeFrame, result_ints),
        result_floats = const offset_of!(NativeFrame, result_floats),
        limits = const offset_of!(VmContext, limits),
        exit_fp = const offset_of!(VmLimits, exit_fp),
        exit_pc = const offset_of!(VmLimits, exit_pc),
        enter = sym bodies::enter,
    )
}

/// Program counter and frame pointer of the thread that a signal interrupted.
pub(crate) fn fault_registers(context: &libc::ucontext_t) -> (usize, usize) {
    let registers = &context.uc_mcontext.gregs;
    (registers[libc::REG_RIP as usize] as usize, registers[libc::REG_RBP as usize] as usize)
}

/// Makes the interrupted thread go on at `fault_landing` when the signal handler returns.
pub(crate) fn resume_after_fault(context: &mut libc::ucontext_t, limits: *mut VmLimits) {
    let registers = &mut context.uc_mcontext.gregs;
    registers[libc::REG_RIP as usize] = fault_landing as *const () as i64;
    registers[libc::REG_RDI as usize] = limits as i64;
}
