//! Code memory and the linker.

mod common;

use common::{artifact, resolve};
use cupola_codemem::{CodeMemory, CodeMemoryConfig, LinkError, perf_map};
use cupola_ir::FuncId;
use cupola_runtime::{Helper, Reloc, RelocKind, Symbol, arch};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::*};

fn memory(budget: usize) -> CodeMemory {
    CodeMemory::new(CodeMemoryConfig { budget, ..Default::default() }).unwrap()
}

fn reloc(offset: u32, kind: RelocKind, symbol: Symbol, addend: i64) -> Reloc {
    Reloc { offset, kind, symbol, addend }
}

/// `mov rax, value; ret`
fn constant(value: u64) -> Vec<u8> {
    [&[0x48, 0xb8][..], &value.to_le_bytes(), &[0xc3]].concat()
}

/// # Safety
/// `code` must be a live function of this type.
unsafe fn call(code: *const u8) -> u64 {
    // SAFETY: the caller's duty.
    unsafe { std::mem::transmute::<*const u8, extern "C" fn() -> u64>(code)() }
}

#[test]
fn a_budget_is_kept_and_given_back() {
    let memory = memory(256 << 10);
    let code = vec![0x90; 1000];
    let mut blocks = Vec::new();
    while let Some(block) = memory.publish(&code, 1) {
        assert_eq!(block.start() as usize % 64, 0);
        blocks.push(block);
    }
    assert_eq!(blocks.len(), 256, "1000 bytes take 1024 when aligned to 64");
    let stats = memory.stats();
    assert_eq!((stats.budget, stats.blocks), (256 << 10, 256));
    assert_eq!(stats.used, 256 * 1008);
    assert_eq!(stats.free(), stats.budget - stats.used);
    assert_eq!(memory.link(&artifact(&code, &[]), &resolve).unwrap_err(), LinkError::NoRoom(1000),);
    blocks.swap_remove(100).free();
    blocks.push(memory.publish(&code, 1).unwrap());
    blocks.clear();
    let stats = memory.stats();
    assert_eq!((stats.used, stats.blocks, stats.peak), (0, 0, 256 * 1008));
    assert!(memory.publish(&vec![0x90; 256 << 10], 1).is_some(), "all of it is one again");
    assert!(memory.publish(&vec![0x90; (256 << 10) + 1], 1).is_none());
}

#[test]
fn configurations_are_checked() {
    for function_align in [0, 8, 48, 8192] {
        let config = CodeMemoryConfig { function_align, ..Default::default() };
        assert_eq!(CodeMemory::new(config).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
    let memory = CodeMemory::new(CodeMemoryConfig { budget: 0, function_align: 16 }).unwrap();
    assert_eq!(memory.stats().budget, 4096);
    assert_eq!(CodeMemory::new(Default::default()).unwrap().stats().budget, 256 << 20);
    assert!(memory.publish(&[0xc3], 3).is_none());
}

#[test]
fn blocks_are_aligned() {
    let memory = memory(1 << 20);
    let mut blocks = Vec::new();
    for align in [1, 16, 64, 128, 4096] {
        let block = memory.publish(&[0xc3; 20], align).unwrap();
        assert_eq!(block.start() as usize % (align as usize).max(64), 0);
        blocks.push(block);
    }
    let mut artifact = artifact(&[0xc3], &[]);
    for align in [0, 3, 128] {
        artifact.align = align;
        assert_eq!(memory.link(&artifact, &resolve).unwrap_err(), LinkError::BadAlignment(align));
    }
}

/// No page is writable and executable, and freed code is gone.
#[test]
fn pages_are_never_writable_and_executable() {
    let memory = memory(1 << 20);
    let block = memory.publish(&constant(7), 16).unwrap();
    let start = block.start();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut views = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (range, permissions) = (fields.next().unwrap(), fields.next().unwrap());
        assert!(!(permissions.contains('w') && permissions.contains('x')), "{line}");
        let (from, to) = range.split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        if (number(from)..number(to)).contains(&(start as usize)) {
            views.push(permissions.to_owned());
        }
    }
    assert_eq!(views, ["r-xs"]);
    // SAFETY: the block is live.
    assert_eq!(unsafe { call(start) }, 7);
    block.free();
    // SAFETY: the page stays mapped.
    assert_eq!(unsafe { start.read_volatile() }, 0xcc);
}

#[test]
fn relocations_are_filled_in() {
    let memory = memory(1 << 20);
    let feedback = Symbol::Feedback(FuncId::from_u32(3));
    let code = vec![0x90; 40];
    let relocs = [
        reloc(0, RelocKind::Abs8, feedback, 16),
        reloc(8, RelocKind::Abs8, Symbol::CodeId, 0),
        reloc(16, RelocKind::Abs8, Symbol::SelfStart, -1),
        reloc(24, RelocKind::PcRel4, Symbol::SelfStart, 6),
        reloc(32, RelocKind::Abs8, Symbol::Helper(Helper::Deopt), 0),
    ];
    let block = memory.link(&artifact(&code, &relocs), &resolve).unwrap();
    assert_eq!(block.len(), 40, "no veneer is needed");
    let word = |at| u64::from_le_bytes(block.bytes()[at..at + 8].try_into().unwrap());
    assert_eq!(word(0), 0x1122_3344_5566_0013);
    assert_eq!(word(8), 77);
    assert_eq!(word(16), block.start() as u64 - 1);
    assert_eq!(word(24) as i32, 6 - 24);
    assert_eq!(word(32), arch::helper_thunk(Helper::Deopt) as u64);
    assert_eq!(block.bytes()[28..32], [0x90; 4]);
}

/// Calls of near targets are direct, of far ones go through one veneer for each target.
#[test]
fn calls_reach_far_targets_through_veneers() {
    extern "C" fn twenty() -> u64 {
        20
    }
    let memory = memory(1 << 20);
    let near = memory.publish(&constant(3), 16).unwrap();
    // sub rsp, 8; call far; call far; call near; add rsp, 8; ret
    let mut code = vec![0x48, 0x83, 0xec, 8];
    let mut relocs = Vec::new();
    for symbol in [Symbol::CodeId, Symbol::CodeId, Symbol::Feedback(FuncId::from_u32(0))] {
        code.push(0xe8);
        relocs.push(reloc(code.len() as u32, RelocKind::PcRel4, symbol, -4));
        code.extend([0; 4]);
    }
    code.extend([0x48, 0x83, 0xc4, 8, 0xc3]);
    let near_start = near.start() as u64;
    let last = |far: u64| {
        let resolve = |symbol| if symbol == Symbol::CodeId { far } else { near_start };
        memory.link(&artifact(&code, &relocs), &resolve)
    };
    let block = last(twenty as *const () as u64).unwrap();
    let veneers = block.len() - code.len().next_multiple_of(8);
    let is_far = (twenty as *const () as u64).abs_diff(near_start) > 1 << 31;
    assert_eq!(veneers, if is_far { 16 } else { 0 });
    // SAFETY: the block is live, and a function without arguments.
    assert_eq!(unsafe { call(block.start()) }, 3, "the last call's result");

    // The same with the far call last.
    let resolve = |symbol| {
        if symbol == Symbol::CodeId { near_start } else { twenty as *const () as u64 }
    };
    let block = memory.link(&artifact(&code, &relocs), &resolve).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { call(block.start()) }, 20);

    // An address that is not called cannot go through a veneer.
    let symbol = Symbol::CodeId;
    let address = [reloc(5, RelocKind::PcRel4, symbol, 0)];
    assert_eq!(
        memory.link(&artifact(&code, &address), &|_| 0x1000).unwrap_err(),
        LinkError::OutOfReach { offset: 5, symbol },
    );
    let before = memory.stats().used;
    let outside = [reloc(code.len() as u32 - 3, RelocKind::PcRel4, symbol, -4)];
    assert!(matches!(
        memory.link(&artifact(&code, &outside), &|_| 0x1000),
        Err(LinkError::OutsideCode { .. }),
    ));
    let huge = [reloc(u32::MAX, RelocKind::Abs8, symbol, i64::MIN)];
    assert!(memory.link(&artifact(&code, &huge), &|_| u64::MAX).is_err());
    assert_eq!(memory.stats().used, before, "what failed takes no room");
}

/// Code at an address that other code had before, executed by another core at once.
#[test]
fn other_cores_see_new_code() {
    let memory = memory(64 << 10);
    let published = AtomicPtr::<u8>::new(std::ptr::null_mut());
    let answer = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Acquire) {
                let code = published.swap(std::ptr::null_mut(), AcqRel);
                if code.is_null() {
                    std::thread::yield_now();
                } else {
                    // SAFETY: the block is live until its answer has come.
                    answer.store(unsafe { call(code) }, Release);
                }
            }
        });
        let mut addresses = rustc_hash::FxHashSet::default();
        for value in 1..20_000 {
            let block = memory.publish(&constant(value), 16).unwrap();
            addresses.insert(block.start());
            published.store(block.start().cast_mut(), Release);
            while answer.load(Acquire) != value {
                std::thread::yield_now();
            }
        }
        assert_eq!(addresses.len(), 1, "the same place every time");
        done.store(true, Release);
    });
}

/// Threads link, run and free blocks of all sizes, while others run theirs.
#[test]
fn blocks_come_and_go_while_others_run() {
    let memory = memory(256 << 10);
    std::thread::scope(|scope| {
        for thread in 1..=3u64 {
            let memory = memory.clone();
            scope.spawn(move || {
                let mut live = Vec::new();
                let mut random = thread;
                for i in 0..4000u64 {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(thread);
                    let value = thread << 32 | i;
                    let mut code = constant(value);
                    code.resize(code.len() + (random >> 33) as usize % 3000, 0xcc);
                    match memory.link(&artifact(&code, &[]), &resolve) {
                        Ok(block) => live.push((block, value)),
                        Err(error) => assert!(matches!(error, LinkError::NoRoom(_))),
                    }
                    let check = |(block, value): &(cupola_codemem::CodeBlock, u64)| {
                        // SAFETY: the block is live.
                        assert_eq!(unsafe { call(block.start()) }, *value);
                    };
                    live.iter().for_each(check);
                    if live.len() > 20 {
                        live.swap_remove(random as usize % live.len());
                    }
                }
            });
        }
    });
    let stats = memory.stats();
    assert_eq!((stats.used, stats.blocks), (0, 0));
    assert!(stats.peak <= stats.budget);
}

#[test]
fn many_memories_come_and_go() {
    for i in 0..300 {
        let memory = CodeMemory::new(CodeMemoryConfig::default()).unwrap();
        let block = memory.publish(&constant(i), 16).unwrap();
        drop(memory);
        // SAFETY: the block keeps its memory.
        assert_eq!(unsafe { call(block.start()) }, i);
    }
}

#[test]
fn names_go_to_the_perf_map() {
    perf_map::append("before", std::ptr::null(), 1);
    perf_map::enable().unwrap();
    perf_map::enable().unwrap();
    perf_map::append("t2 fib\nodd", 0xabc0 as *const u8, 0x20);
    let text = std::fs::read_to_string(perf_map::path()).unwrap();
    std::fs::remove_file(perf_map::path()).unwrap();
    assert_eq!(text, "abc0 20 t2 fib odd\n");
}
