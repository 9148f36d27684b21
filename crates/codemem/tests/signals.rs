//! Faults that are not traps of generated code. Each test runs itself again as a process of its
//! own, which ends the way the test says.

mod common;

use common::*;
use cupola_ir::TrapCode;
use cupola_ir::Type::I64;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

const CHILD: &str = "CUPOLA_TEST_CHILD";

/// Runs `child` in a process of its own, that of the test `name`.
fn in_child(name: &str, child: impl FnOnce()) -> Output {
    if std::env::var_os(CHILD).is_some_and(|wanted| wanted == name) {
        child();
        std::process::exit(0);
    }
    let program = std::env::current_exe().unwrap();
    Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, name)
        .output()
        .unwrap()
}

/// Enters generated code that calls the host, which does `work`.
fn within_generated_code(work: impl Fn() + 'static) {
    let services = TestServices {
        sigs: vec![sig(&[], &[])],
        call: Some(Box::new(move |_, _, _| {
            work();
            Ok(())
        })),
        ..Default::default()
    };
    let instance = Instance::new(services);
    let code = function(&[&call_absolute(instance.place_stub(0))]);
    let code = instance.place(1, &code, &[], &[]);
    instance.invoke(code, &sig(&[], &[]), &mut []).unwrap();
}

fn read_nowhere() {
    // SAFETY: none: the fault is what the test is about.
    unsafe { std::arch::asm!("mov {0}, [{0}]", inout(reg) 8usize => _) };
}

extern "C" fn exit_with_42(_: i32, info: *mut libc::siginfo_t, _: *mut std::ffi::c_void) {
    // SAFETY: the handler is called with valid information; `_exit` may be called in a handler.
    unsafe { libc::_exit(if (*info).si_addr() as usize == 8 { 42 } else { 1 }) }
}

fn handle_before_ours() {
    // SAFETY: the handler has the type that the flags say.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = exit_with_42 as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut()), 0);
    }
}

#[test]
fn a_fault_of_host_code_reaches_the_handler_before_ours() {
    let output = in_child("a_fault_of_host_code_reaches_the_handler_before_ours", || {
        handle_before_ours();
        within_generated_code(read_nowhere);
    });
    assert_eq!(output.status.code(), Some(42));
}

#[test]
fn a_fault_of_host_code_ends_the_process() {
    let output = in_child("a_fault_of_host_code_ends_the_process", || {
        within_generated_code(read_nowhere);
    });
    assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn a_signal_that_was_sent_is_no_trap() {
    let output = in_child("a_signal_that_was_sent_is_no_trap", || {
        // SAFETY: raising a signal is always allowed.
        within_generated_code(|| unsafe {
            libc::raise(libc::SIGILL);
        });
    });
    assert_eq!(output.status.signal(), Some(libc::SIGILL));
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let output = in_child("an_ignored_signal_stays_ignored", || {
        // SAFETY: ignoring a signal is always allowed.
        unsafe { libc::signal(libc::SIGFPE, libc::SIG_IGN) };
        // SAFETY: as is raising it.
        within_generated_code(|| unsafe {
            libc::raise(libc::SIGFPE);
        });
        println!("goes on");
    });
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("goes on"));
}

/// A fault of generated code at an instruction that does not trap is none of ours.
#[test]
fn a_fault_where_no_trap_stands_ends_the_process() {
    let output = in_child("a_fault_where_no_trap_stands_ends_the_process", || {
        let instance = Instance::new(TestServices::default());
        let code = instance.place(1, &function(&[&UD2]), &[], &[]);
        let _ = instance.invoke(code, &sig(&[I64], &[]), &mut [0]);
    });
    assert_eq!(output.status.signal(), Some(libc::SIGILL));
}

/// `mov rax, [8]`
const LOAD_8: [u8; 8] = [0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0];

#[test]
fn a_load_where_no_trap_stands_reaches_the_handler_before_ours() {
    let output = in_child("a_load_where_no_trap_stands_reaches_the_handler_before_ours", || {
        handle_before_ours();
        let instance = Instance::new(TestServices::default());
        let code = instance.place(1, &function(&[&LOAD_8]), &[], &[]);
        let _ = instance.invoke(code, &sig(&[], &[]), &mut []);
    });
    assert_eq!(output.status.code(), Some(42));
}

#[test]
fn a_load_where_a_trap_stands_traps() {
    let output = in_child("a_load_where_a_trap_stands_traps", || {
        handle_before_ours();
        let instance = Instance::new(TestServices::default());
        let code = function(&[&LOAD_8]);
        let at = code.windows(LOAD_8.len()).position(|bytes| bytes == LOAD_8).unwrap();
        let code = instance.place(1, &code, &[], &[(at, TrapCode::MemOutOfBounds)]);
        let trap = instance.invoke(code, &sig(&[], &[]), &mut []).unwrap_err();
        assert_eq!(trap.trap_code(), Some(TrapCode::MemOutOfBounds));
        println!("trapped");
    });
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("trapped"));
}

/// Whoever runs into freed code stops there.
#[test]
fn freed_code_stops_who_runs_into_it() {
    let output = in_child("freed_code_stops_who_runs_into_it", || {
        let instance = Instance::new(TestServices::default());
        let block = instance.memory.publish(&function(&[]), 16).unwrap();
        let code = block.start();
        instance.invoke(code, &sig(&[], &[]), &mut []).unwrap();
        block.free();
        let _ = instance.invoke(code, &sig(&[], &[]), &mut []);
    });
    assert_eq!(output.status.signal(), Some(libc::SIGTRAP));
}
