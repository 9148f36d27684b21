//! Backtraces and reports name places in the source, from a module's debug information.
//!
//! `nested.wasm` is built from `nested.c` by `build.sh`.

use cupola::{Engine, Store};
use cupola_testkit::mode::RunMode;
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val};
use std::ops::Range;

const NESTED: &[u8] = include_bytes!("nested.wasm");

/// How often each call is repeated, for those modes that climb.
const REPEATS: usize = 3;

/// The backtrace of the division by zero, without the tiers.
fn backtrace(engine: &Engine, bytes: &[u8]) -> Vec<String> {
    let module = Module::new(engine, "nested.wasm", bytes, &Options::default()).expect("valid");
    let mut store = Store::new(engine);
    let instance = Instance::new(&mut store, &module, &Imports::new()).expect("no imports");
    assert_eq!(instance.call(&mut store, "run", &[Val::I32(8)]).expect("no trap"), [Val::I32(4)]);
    let mut lines = Vec::new();
    for _ in 0..REPEATS {
        let error = instance.call(&mut store, "run", &[Val::I32(1)]).expect_err("a trap");
        let Error::Engine(cupola::Error::Trap(trap)) = error else { panic!("{error}") };
        lines = trap.backtrace().iter().map(|line| without_tier(line)).collect();
        assert!(trap.to_string().contains(&trap.backtrace()[0]), "{trap}");
    }
    lines
}

fn without_tier(line: &str) -> String {
    let (rest, tier) = line.rsplit_once(", ").expect("a tier at the end");
    assert!(tier.starts_with('t') && tier.ends_with(')'), "{line}");
    format!("{rest})")
}

const PLACES: [&str; 4] = [
    "quotient (./nested.c:4:16, inlined)",
    "%mean (./nested.c:12:12)",
    "%spread (./nested.c:16:15)",
    "%run (./nested.c:23:12)",
];

#[test]
fn a_backtrace_names_files_lines_and_columns() {
    for mode in RunMode::usual() {
        let engine = Engine::new(mode.config()).expect("the mode is valid");
        assert_eq!(backtrace(&engine, NESTED), PLACES, "in {}", mode.name);
    }
}

#[test]
fn a_report_names_where_code_of_functions_begins() {
    let engine = Engine::new(mode("t0").config()).expect("the mode is valid");
    let module = Module::new(&engine, "nested.wasm", NESTED, &Options::default()).expect("valid");
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &Imports::new()).expect("no imports");
    instance.call(&mut store, "run", &[Val::I32(8)]).expect("no trap");
    let report = module.engine_module().report();
    let mut found: Vec<_> =
        report.functions.iter().map(|func| (&*func.name, func.source.as_deref())).collect();
    found.sort();
    let expected = [
        ("mean", Some("./nested.c:7")),
        ("run", Some("./nested.c:23:12")),
        ("spread", Some("./nested.c:16:34")),
    ];
    assert_eq!(found, expected);
    assert!(report.to_table(9).contains("\nspread (nested.c:16:34)  t0"), "{}", report.to_table(9));
}

fn mode(name: &str) -> &'static RunMode {
    RunMode::find(name).expect("a mode")
}

/// The custom sections of debug information: their names, and where their bytes are.
fn debug_sections(bytes: &[u8]) -> Vec<(&str, Range<usize>)> {
    let payloads = wasmparser::Parser::new(0).parse_all(bytes);
    let custom = payloads.filter_map(|payload| match payload.expect("well-formed") {
        wasmparser::Payload::CustomSection(section) if section.name().starts_with(".debug_") => {
            let range = section.data_range();
            Some((section.name(), range.start as usize..range.end as usize))
        }
        _ => None,
    });
    custom.collect()
}

/// What the backtrace is without debug information, or with some that says nothing.
fn is_plain(lines: &[String]) -> bool {
    let expected = ["%mean (nested.wasm:0x", "%spread (nested.wasm:0x", "%run (nested.wasm:0x"];
    lines.len() == expected.len()
        && lines.iter().zip(expected).all(|(line, start)| line.starts_with(start))
}

#[test]
fn without_debug_information_a_backtrace_has_offsets() {
    let engine = Engine::new(mode("t0").config()).expect("the mode is valid");
    let sections = debug_sections(NESTED);
    assert!(sections.len() >= 5, "{sections:?}");
    let renamed = |wanted: &str| {
        let mut bytes = NESTED.to_vec();
        for (name, range) in sections.iter().filter(|(name, _)| name.starts_with(wanted)) {
            bytes[range.start - name.len()] = b'!';
        }
        backtrace(&engine, &bytes)
    };
    assert!(is_plain(&renamed(".debug_")));
    for name in [".debug_info", ".debug_abbrev"] {
        assert!(is_plain(&renamed(name)), "without {name}");
    }
    // Without it nothing but names is missing.
    assert_eq!(renamed(".debug_loc"), PLACES);
}

/// A generator of numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[test]
fn malformed_debug_information_is_no_error() {
    let engine = Engine::new(mode("t0").config()).expect("the mode is valid");
    let sections = debug_sections(NESTED);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (mut plain, mut changed) = (0, 0);
    for round in 0..3000 {
        let mut bytes = NESTED.to_vec();
        let (_, range) = &sections[numbers.below(sections.len())];
        if round % 4 == 0 {
            // As if it ended early, and garbage followed.
            let from = range.start + numbers.below(range.len());
            let fill = [0x00, 0xff, 0x80][numbers.below(3)];
            bytes[from..range.end].fill(fill);
        } else {
            for _ in 0..=numbers.below(6) {
                bytes[range.start + numbers.below(range.len())] = numbers.below(256) as u8;
            }
        }
        let lines = backtrace(&engine, &bytes);
        // Whatever is said of places, it is of these functions.
        let named = lines.iter().filter_map(|line| line.strip_prefix('%'));
        let named: Vec<_> = named.filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(named, ["mean", "spread", "run"], "{lines:?}");
        plain += usize::from(is_plain(&lines));
        changed += usize::from(lines != PLACES);
    }
    assert!(plain > 100 && changed > plain, "{plain} plain, {changed} changed");
}

#[test]
fn sections_that_end_early_are_no_error() {
    let engine = Engine::new(mode("t0").config()).expect("the mode is valid");
    for (_, range) in debug_sections(NESTED) {
        for end in range.clone().step_by(7) {
            let bytes = with_section_cut(NESTED, range.clone(), end);
            let lines = backtrace(&engine, &bytes);
            assert!(lines.last().is_some_and(|line| line.starts_with("%run (")), "{lines:?}");
        }
    }
}

/// The module with the bytes from `end` to the end of a section cut off.
fn with_section_cut(bytes: &[u8], range: Range<usize>, end: usize) -> Vec<u8> {
    // The section starts with its id (0), its size, and its name with the length in front.
    let (name, _) = debug_sections(bytes).into_iter().find(|(_, r)| *r == range).expect("there");
    let mut out = bytes[..range.start].to_vec();
    let content = range.start - name.len() - 1;
    let size_at = (0..content).rev().find(|&at| bytes[at] == 0).expect("the id");
    out.truncate(size_at + 1);
    let size = name.len() + 1 + (end - range.start);
    out.extend([(size & 0x7f) as u8 | 0x80, (size >> 7) as u8]);
    out.extend(&bytes[content..end]);
    out.extend(&bytes[range.end..]);
    out
}
