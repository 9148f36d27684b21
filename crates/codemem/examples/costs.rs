//! What entering generated code, linking and trapping cost here; medians over many runs.
//!
//! `cargo run --release -p cupola-codemem --example costs`

#[path = "../tests/common/mod.rs"]
mod common;

use common::*;
use cupola_ir::{TrapCode, Type::I64};
use cupola_runtime::abi::{FLOAT_ARGS, INT_ARGS, NativeFrame};
use cupola_runtime::{Helper, Reloc, RelocKind, Symbol, arch};
use std::hint::black_box;
use std::time::Instant;

/// Median over runs of the time of one of `count` repetitions, in nanoseconds.
fn median(count: u32, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..51)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / f64::from(count)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn report(what: &str, nanoseconds: f64) {
    println!("{what:<58}{nanoseconds:>10.1} ns");
}

fn main() {
    let services = TestServices {
        sigs: vec![sig(&[I64], &[I64])],
        call: Some(Box::new(|_, _, _| Ok(()))),
        ..Default::default()
    };
    let instance = Instance::new(services);
    let identity = instance.place(0, &function(&[&[0x48, 0x89, 0xf0]]), &[], &[]);
    let one = sig(&[I64], &[I64]);
    let mut slots = [1];
    let mut call =
        |code| median(100_000, || instance.invoke(code, &one, black_box(&mut slots)).unwrap());
    let mut frame = NativeFrame {
        ints: [1; INT_ARGS],
        floats: [[0; 2]; FLOAT_ARGS],
        stack: std::ptr::null(),
        stack_words: 0,
        result_ints: [0; 2],
        result_floats: [[0; 2]; 2],
    };
    // SAFETY: live code of the instance, a function of one argument.
    let enter =
        || unsafe { arch::invoke(instance.ctx(), identity, black_box(&mut frame)).unwrap() };
    report("invoke of a function of one argument", median(100_000, enter));
    report("invoke_slots of a function of one argument", call(identity));
    report("the same through the adapter, to services.call", call(instance.place_stub(0)));
    let trap = instance.place(1, &function(&[&UD2]), &[], &[(4, TrapCode::Unreachable)]);
    let trapping = || assert!(instance.invoke(trap, &one, &mut [1]).is_err());
    report("a trap", median(1000, trapping));

    let mut code = vec![0x90; 100];
    code[99] = 0xc3;
    let plain = artifact(&code, &[]);
    let relocs: Vec<Reloc> = [Helper::CallHot, Helper::LoopHot]
        .map(Symbol::Helper)
        .iter()
        .enumerate()
        .map(|(i, &symbol)| Reloc {
            offset: 10 * i as u32,
            kind: RelocKind::PcRel4,
            symbol,
            addend: -4,
        })
        .collect();
    let with_calls = artifact(&code, &relocs);
    let link = |artifact| {
        median(10_000, || drop(black_box(instance.memory.link(artifact, &resolve).unwrap())))
    };
    report("link and free 100 bytes, no relocation", link(&plain));
    report("link and free 100 bytes, two helper calls", link(&with_calls));
    let mut blocks = Vec::new();
    let keep = median(100, || blocks.push(instance.memory.link(&with_calls, &resolve).unwrap()));
    report("link 100 bytes, kept, pages touched for the first time", keep);
    report(
        "code memory of the default size, made and dropped",
        median(100, || drop(cupola_codemem::CodeMemory::new(Default::default()).unwrap())),
    );
}
