//! Entering generated code, traps and helpers, with code assembled by hand.

mod common;

use common::*;
use cupola_ir::{TrapCode, Type::*};
use cupola_runtime::abi::NativeSig;
use cupola_runtime::{
    Frame, Helper, MAX_FRAMES, Reloc, RelocKind, Symbol, Trap, TrapKind, VmContext, VmLimits, arch,
    walk_native,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

fn functions(frames: &[Frame]) -> Vec<u32> {
    frames.iter().map(|frame| frame.func.as_u32()).collect()
}

/// Seven integers and eleven floats: two and three of them travel on the stack, an odd number of
/// words.
fn many_args() -> NativeSig {
    let mut params = vec![I64, F64];
    params.extend([F64; 5]);
    params.extend([I64; 5]);
    params.extend([F64; 4]);
    params.extend([I64, F64]);
    let sig = sig(&params, &[I64, I64, F64, F64]);
    assert_eq!(sig.stack_words, 5);
    sig
}

/// The polynomials that `many_args_code` computes of integers and floats.
fn expected(sig: &NativeSig, slots: &[u64]) -> (u64, f64) {
    let (mut ints, mut floats) = (0u64, 0.0);
    for (ty, &slot) in sig.types.params.iter().zip(slots) {
        if ty.is_float() {
            floats = floats + floats + f64::from_bits(slot);
        } else {
            ints = ints.wrapping_mul(3).wrapping_add(slot);
        }
    }
    (ints, floats)
}

fn many_args_code() -> Vec<u8> {
    const TRIPLE: [u8; 4] = [0x48, 0x8d, 0x04, 0x40]; // lea rax, [rax + 2*rax]
    const DOUBLE: [u8; 4] = [0xf2, 0x0f, 0x58, 0xc0]; // addsd xmm0, xmm0
    let mut code = PROLOGUE.to_vec();
    code.extend([0x48, 0x89, 0xf0]); // mov rax, rsi
    for add in [[0x48, 0x01, 0xd0], [0x48, 0x01, 0xc8], [0x4c, 0x01, 0xc0], [0x4c, 0x01, 0xc8]] {
        code.extend(TRIPLE); // add rax, rdx / rcx / r8 / r9
        code.extend(add);
    }
    // The stack words: f64 f64 i64 i64 f64, by the order of the parameters.
    let stack = |index: u8| 16 + 8 * index;
    let words: [(bool, u8); 5] = [
        (false, stack(0)),
        (true, stack(1)),
        (true, stack(2)),
        (false, stack(3)),
        (true, stack(4)),
    ];
    for (_, at) in words.iter().filter(|(float, _)| !float) {
        code.extend(TRIPLE);
        code.extend([0x48, 0x03, 0x45, *at]); // add rax, [rbp + at]
    }
    for register in 1..8 {
        code.extend(DOUBLE);
        code.extend([0xf2, 0x0f, 0x58, 0xc0 + register]); // addsd xmm0, xmm<register>
    }
    for (_, at) in words.iter().filter(|(float, _)| *float) {
        code.extend(DOUBLE);
        code.extend([0xf2, 0x0f, 0x58, 0x45, *at]); // addsd xmm0, [rbp + at]
    }
    code.extend([0x48, 0x89, 0xfa]); // mov rdx, rdi
    code.extend([0xf2, 0x0f, 0x10, 0xcf]); // movsd xmm1, xmm7
    code.extend(EPILOGUE);
    code
}

fn many_values(sig: &NativeSig) -> Vec<u64> {
    let value = |i: usize| {
        if sig.types.params[i].is_float() {
            (i as f64 * 1.5 + 0.25).to_bits()
        } else {
            0x0123_4567_89ab_cdef_u64.rotate_left(i as u32 * 7)
        }
    };
    (0..sig.params.len()).map(value).collect()
}

#[test]
fn arguments_and_results_in_registers_and_on_the_stack() {
    let instance = Instance::new(TestServices::default());
    let sig = many_args();
    let code = instance.place(0, &many_args_code(), &[], &[]);
    let mut slots = many_values(&sig);
    let (ints, floats) = expected(&sig, &slots);
    let xmm7 = slots[13];
    instance.invoke(code, &sig, &mut slots).unwrap();
    assert_eq!(slots[0], ints);
    assert_eq!(slots[1], instance.ctx() as u64);
    assert_eq!(f64::from_bits(slots[2]), floats);
    assert_eq!(slots[3], xmm7);
    assert!(instance.limits.entry.is_null());
}

#[test]
fn results_in_an_area() {
    let instance = Instance::new(TestServices::default());
    let sig = sig(&[I64, F32], &[I64, I32, F32]);
    assert!(!sig.result_area);
    let sig = {
        let mut types = sig.types.clone();
        types.results.push(I64);
        NativeSig::of(&types)
    };
    assert!(sig.result_area);
    let code = function(&[
        &[0x48, 0x89, 0x16],                            // mov [rsi], rdx
        &[0x48, 0xc7, 0x46, 8, 0xff, 0xff, 0xff, 0xff], // mov qword [rsi + 8], -1
        &[0xf3, 0x0f, 0x11, 0x46, 16],                  // movss [rsi + 16], xmm0
        &[0x48, 0x89, 0x7e, 24],                        // mov [rsi + 24], rdi
    ]);
    let code = instance.place(0, &code, &[], &[]);
    let mut slots = [5, 0xdead_beef_0000_0000 | u64::from(2.5f32.to_bits()), u64::MAX, 0];
    instance.invoke(code, &sig, &mut slots).unwrap();
    assert_eq!(
        slots,
        [5, 0xffff_ffff, u64::from(2.5f32.to_bits()), instance.ctx() as u64],
        "32-bit results are zero-extended"
    );
}

/// The adapter hands over all arguments, and brings back results of both kinds.
#[test]
fn functions_without_code_are_entered_through_the_adapter() {
    let sigs = [many_args(), sig(&[I32, F32, I64], &[F32, I32, I64, I64])];
    let services = TestServices {
        sigs: sigs.to_vec(),
        call: Some(Box::new(|_, func, slots| {
            if func.as_u32() == 0 {
                let (ints, floats) = expected(&many_args(), slots);
                slots[..4].copy_from_slice(&[ints, 42, floats.to_bits(), 1.25f64.to_bits()]);
            } else {
                assert_eq!(slots[..3], [7, u64::from(0.5f32.to_bits()), u64::MAX]);
                slots.copy_from_slice(&[11, 12, 13, 14]);
            }
            Ok(())
        })),
        ..Default::default()
    };
    let instance = Instance::new(services);
    let mut slots = many_values(&sigs[0]);
    let (ints, floats) = expected(&sigs[0], &slots);
    instance.invoke(instance.place_stub(0), &sigs[0], &mut slots).unwrap();
    assert_eq!(slots[..4], [ints, 42, floats.to_bits(), 1.25f64.to_bits()]);

    // What stands above 32-bit arguments in their registers means nothing.
    let garbage = 0xdead_beef_0000_0000;
    let mut slots = [garbage | 7, garbage | u64::from(0.5f32.to_bits()), u64::MAX, 0];
    instance.invoke(instance.place_stub(1), &sigs[1], &mut slots).unwrap();
    assert_eq!(slots, [11, 12, 13, 14]);
}

/// Code that ruins the callee-saved registers and traps: the entry restores them.
#[test]
fn a_trap_restores_the_registers() {
    let instance = Instance::new(TestServices::default());
    let ruin: &[&[u8]] = &[
        &[0x31, 0xdb],       // xor ebx, ebx
        &[0x45, 0x31, 0xe4], // xor r12d, r12d
        &[0x45, 0x31, 0xed], // xor r13d, r13d
        &[0x45, 0x31, 0xf6], // xor r14d, r14d
        &[0x45, 0x31, 0xff], // xor r15d, r15d
        &[0x50],             // push rax
        &UD2,
    ];
    let code = function(ruin);
    let at = code.windows(2).position(|two| two == UD2).unwrap();
    let code = instance.place(3, &code, &[], &[(at, TrapCode::Unreachable)]);

    extern "C" fn trapping(instance: &Instance, code: *const u8) {
        let trap = instance.invoke(code, &sig(&[], &[]), &mut []).unwrap_err();
        assert_eq!(trap.trap_code(), Some(TrapCode::Unreachable));
        assert_eq!(functions(&trap.frames), [3]);
    }
    /// Puts numbers in the callee-saved registers, calls `trapping`, gives their sum.
    #[unsafe(naked)]
    unsafe extern "C" fn keep(instance: &Instance, code: *const u8) -> u64 {
        std::arch::naked_asm!(
            "push rbp",
            "push rbx",
            "push r12",
            "push r13",
            "push r14",
            "push r15",
            "sub rsp, 8",
            "mov ebp, 1",
            "mov ebx, 2",
            "mov r12d, 4",
            "mov r13d, 8",
            "mov r14d, 16",
            "mov r15d, 32",
            "call {trapping}",
            "lea rax, [rbp + rbx]",
            "add rax, r12",
            "add rax, r13",
            "add rax, r14",
            "add rax, r15",
            "add rsp, 8",
            "pop r15",
            "pop r14",
            "pop r13",
            "pop r12",
            "pop rbx",
            "pop rbp",
            "ret",
            trapping = sym trapping,
        )
    }
    // SAFETY: `keep` follows the C calling convention.
    assert_eq!(unsafe { keep(&instance, code) }, 63);
}

#[test]
fn traps_have_their_code_and_their_frames() {
    let instance = Instance::new(TestServices::default());
    let divide = function(&[
        &[0x31, 0xd2],       // xor edx, edx
        &[0x31, 0xc9],       // xor ecx, ecx
        &[0x90, 0xf7, 0xf1], // nop; div ecx
    ]);
    let divide = instance.place(1, &divide, &[], &[(9, TrapCode::IntDivByZero)]);
    let outer = function(&[&call_absolute(divide)]);
    let outer = instance.place(2, &outer, &[], &[]);
    let outermost = function(&[&call_absolute(outer)]);
    let outermost = instance.place(0, &outermost, &[], &[]);
    for _ in 0..3 {
        let trap = instance.invoke(outermost, &sig(&[], &[]), &mut []).unwrap_err();
        assert_eq!(trap.trap_code(), Some(TrapCode::IntDivByZero));
        assert_eq!(functions(&trap.frames), [1, 2, 0]);
        assert_eq!(trap.omitted, 0);
        assert!(instance.limits.entry.is_null());
    }
    // An access to memory that is not there.
    let load = function(&[&[0x31, 0xc0], &[0x48, 0x8b, 0x00]]); // xor eax, eax; mov rax, [rax]
    let load = instance.place(4, &load, &[], &[(6, TrapCode::MemOutOfBounds)]);
    let trap = instance.invoke(load, &sig(&[], &[]), &mut []).unwrap_err();
    assert_eq!(trap.trap_code(), Some(TrapCode::MemOutOfBounds));
}

/// Generated code, the host, generated code again, which traps: the trap goes through both
/// entries, and before that the host sees the frames of both.
#[test]
fn a_trap_travels_through_nested_entries() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let inner = Rc::new(Cell::new(std::ptr::null::<u8>()));
    let (seen_by_host, inner_code) = (Rc::clone(&seen), Rc::clone(&inner));
    let walk = move |ctx: *mut VmContext| {
        let mut pcs = Vec::new();
        // SAFETY: the host runs within the entry.
        unsafe { walk_native((*ctx).limits, |pc| pcs.push(pc)) };
        seen_by_host.borrow_mut().push(pcs);
    };
    let services = TestServices {
        sigs: vec![sig(&[], &[]); 10],
        call: Some(Box::new(move |ctx, func, _| {
            walk(ctx);
            if func.as_u32() == 9 {
                return Ok(());
            }
            // SAFETY: the code lives as long as the instance.
            let result =
                unsafe { arch::invoke_slots(ctx, inner_code.get(), &sig(&[], &[]), &mut []) };
            walk(ctx);
            result
        })),
        ..Default::default()
    };
    let instance = Instance::new(services);
    let call_host_then_trap = function(&[&call_absolute(instance.place_stub(9)), &UD2]);
    inner.set(instance.place(1, &call_host_then_trap, &[], &[(16, TrapCode::Unreachable)]));
    let middle = instance.place(2, &function(&[&call_absolute(instance.place_stub(8))]), &[], &[]);
    let outer = instance.place(3, &function(&[&call_absolute(middle)]), &[], &[]);

    let trap = instance.invoke(outer, &sig(&[], &[]), &mut []).unwrap_err();
    assert_eq!(trap.trap_code(), Some(TrapCode::Unreachable));
    assert_eq!(functions(&trap.frames), [1, 2, 3]);

    // A call's return address is 16 bytes into each function.
    let pc = |code: *const u8| code as usize + 16;
    let both = vec![pc(middle), pc(outer)];
    let all = vec![pc(inner.get()), pc(middle), pc(outer)];
    assert_eq!(*seen.borrow(), [both.clone(), all, both]);
    assert!(instance.limits.entry.is_null());
}

/// Code that calls a helper with `(edi: ctx, esi, edx, ecx, r8: address of a slot)` through a
/// relocated call, and returns the slot.
fn helper_call(helper: Helper) -> (Vec<u8>, Vec<Reloc>) {
    let code = function(&[
        &[0x48, 0x83, 0xec, 16],               // sub rsp, 16
        &[0x48, 0xc7, 0x04, 0x24, 5, 0, 0, 0], // mov qword [rsp], 5
        &[0xbe, 6, 0, 0, 0],                   // mov esi, 6
        &[0xba, 7, 0, 0, 0],                   // mov edx, 7
        &[0x48, 0x89, 0xe1],                   // mov rcx, rsp
        &[0x49, 0x89, 0xe0],                   // mov r8, rsp
        &[0xe8, 0, 0, 0, 0],                   // call
        &[0x48, 0x8b, 0x14, 0x24],             // mov rdx, [rsp]
    ]);
    let at = code.windows(5).position(|five| five == [0xe8, 0, 0, 0, 0]).unwrap() as u32 + 1;
    let symbol = Symbol::Helper(helper);
    (code, vec![Reloc { offset: at, kind: RelocKind::PcRel4, symbol, addend: -4 }])
}

/// Results: what the helper gave, and the slot.
fn run_helper(services: TestServices, helper: Helper) -> Result<[u64; 2], Box<Trap>> {
    let instance = Instance::new(services);
    let (code, relocs) = helper_call(helper);
    let code = instance.place(5, &code, &relocs, &[]);
    let mut slots = [0; 2];
    let result = instance.invoke(code, &sig(&[], &[I64, I64]), &mut slots);
    assert!(instance.limits.entry.is_null() && instance.limits.pending.is_none());
    result.map(|()| slots)
}

#[test]
fn helpers_get_their_arguments_and_give_results() {
    let [code, _] = run_helper(TestServices::default(), Helper::LoopHot).unwrap();
    assert_eq!(code, 607);
    let [_, slot] = run_helper(TestServices::default(), Helper::Deopt).unwrap();
    assert_eq!(slot, 5 + 6 + 7);
    let services =
        TestServices { memory_grow: Some(Box::new(|pages| -(pages as i64))), ..Default::default() };
    let [old, _] = run_helper(services, Helper::MemoryGrow).unwrap();
    assert_eq!(old as i64, -7);
    let services = TestServices {
        dialect: Some(Box::new(|_, func, slots| {
            slots[0] = slots[0] * 10 + u64::from(func.as_u32());
            Ok(())
        })),
        ..Default::default()
    };
    let [_, slot] = run_helper(services, Helper::Dialect).unwrap();
    assert_eq!(slot, 56);
}

/// Counts its drops.
struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn errors_of_helpers_unwind_generated_code_only() {
    let trap = run_helper(TestServices::default(), Helper::CallHot).unwrap_err();
    assert_eq!(trap.trap_code(), Some(TrapCode::Interrupted));
    assert_eq!(functions(&trap.frames), [5]);

    let drops = Rc::new(Cell::new(0));
    let inside = Rc::clone(&drops);
    let services = TestServices {
        dialect: Some(Box::new(move |_, _, _| {
            let _guard = Counted(Rc::clone(&inside));
            Err(Trap::new(TrapKind::Host("no such key".into())))
        })),
        ..Default::default()
    };
    let trap = run_helper(services, Helper::Dialect).unwrap_err();
    assert_eq!(trap.to_string(), "no such key");
    assert_eq!(functions(&trap.frames), [5]);
    assert_eq!(drops.get(), 1);
}

#[test]
fn panics_cross_generated_frames_as_traps() {
    let drops = Rc::new(Cell::new(0));
    let inside = Rc::clone(&drops);
    let services = TestServices {
        dialect: Some(Box::new(move |_, _, _| {
            let _guard = Counted(Rc::clone(&inside));
            std::panic::resume_unwind(Box::new("gone wrong"));
        })),
        ..Default::default()
    };
    let trap = run_helper(services, Helper::Dialect).unwrap_err();
    assert_eq!(functions(&trap.frames), [5]);
    assert_eq!(drops.get(), 1);
    let TrapKind::Panic(payload) = trap.kind else { panic!("another kind of trap: {trap:?}") };
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"gone wrong"));
}

/// A function that checks the stack limit and calls itself.
fn endless_recursion() -> (Vec<u8>, usize) {
    let mut code = PROLOGUE.to_vec();
    code.extend([0x48, 0x8b, 0x87]); // mov rax, [rdi + limits]
    code.extend(VmContext::LIMITS.to_le_bytes());
    code.extend([0x48, 0x3b, 0xa0]); // cmp rsp, [rax + stack limit]
    code.extend(VmLimits::STACK_LIMIT.to_le_bytes());
    code.extend([0x72, 7]); // jb to the ud2
    let call_end = code.len() as i32 + 5;
    code.push(0xe8); // call to the start
    code.extend((-call_end).to_le_bytes());
    code.extend(EPILOGUE);
    let trap = code.len();
    code.extend(UD2);
    (code, trap)
}

#[test]
fn endless_recursion_is_a_trap() {
    let instance = Instance::new(TestServices::default());
    let (code, trap) = endless_recursion();
    let code = instance.place(6, &code, &[], &[(trap, TrapCode::StackOverflow)]);
    let run = || instance.invoke(code, &sig(&[], &[]), &mut []).unwrap_err();
    let trap = run();
    assert_eq!(trap.trap_code(), Some(TrapCode::StackOverflow));
    assert_eq!(trap.frames.len(), MAX_FRAMES);
    let depth = trap.frames.len() + trap.omitted;
    assert!(depth > 50_000, "a frame has 16 bytes and the stack 2 MiB: {depth}");

    // The same check serves interruptions.
    instance.limits.interrupt.store(1, Relaxed);
    let limit = instance.limits.stack_limit.swap(VmLimits::STACK_LIMIT_INTERRUPT, Relaxed);
    let trap = run();
    assert_eq!(trap.trap_code(), Some(TrapCode::Interrupted));
    assert_eq!(functions(&trap.frames), [6]);
    instance.limits.interrupt.store(0, Relaxed);
    instance.limits.stack_limit.store(limit, Relaxed);
    let again = run();
    assert_eq!(again.trap_code(), Some(TrapCode::StackOverflow));
}

#[test]
fn each_thread_traps_for_itself() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let instance = Instance::new(TestServices::default());
                let code = function(&[&UD2]);
                let code = instance.place(1, &code, &[], &[(4, TrapCode::Unreachable)]);
                for _ in 0..2000 {
                    let trap = instance.invoke(code, &sig(&[], &[]), &mut []).unwrap_err();
                    assert_eq!(functions(&trap.frames), [1]);
                }
            });
        }
    });
}

/// The system's unwinder finds its way through generated frames, by the registered tables.
#[test]
fn the_unwinder_sees_through_generated_frames() {
    use std::ffi::{c_int, c_void};
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            argument: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
    }
    extern "C" fn visit(context: *mut c_void, pcs: *mut c_void) -> c_int {
        // SAFETY: the unwinder passes its context and our argument.
        unsafe { (*pcs.cast::<Vec<usize>>()).push(_Unwind_GetIP(context)) };
        0
    }
    let pcs = Rc::new(RefCell::new(Vec::new()));
    let collected = Rc::clone(&pcs);
    let services = TestServices {
        sigs: vec![sig(&[], &[])],
        call: Some(Box::new(move |_, _, _| {
            let mut list = Vec::<usize>::new();
            // SAFETY: `visit` is given the vector that it expects.
            unsafe { _Unwind_Backtrace(visit, (&raw mut list).cast()) };
            collected.replace(list);
            Ok(())
        })),
        ..Default::default()
    };
    let instance = Instance::new(services);
    let inner = function(&[&call_absolute(instance.place_stub(0))]);
    let inner = instance.place(1, &inner, &[], &[]);
    let outer = instance.place(2, &function(&[&call_absolute(inner)]), &[], &[]);
    instance.invoke(outer, &sig(&[], &[]), &mut []).unwrap();
    let pcs = pcs.borrow();
    let at = pcs.iter().position(|&pc| pc == inner as usize + 16).expect("the inner frame");
    assert_eq!(pcs[at + 1], outer as usize + 16);
    assert!(pcs.len() > at + 6, "the frames of the test around the generated ones");
}
