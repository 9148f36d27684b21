//! Modules to be compared: made from a seed, with the calls that are made.
//!
//! wasm-smith makes the module and gives it a global of fuel, so that everything ends at the same
//! place in every engine. The global is exported here, and set anew before each call.

use crate::host;
use crate::random::Random;
use crate::value::{Type, Value};
use arbitrary::Unstructured;
use wasm_encoder::{ExportKind, ExportSection, RawSection, SectionId};
use wasm_smith::{Config, MemoryOffsetChoices};
use wasmparser::types::EntityType;
use wasmparser::{Export, ExternalKind, Parser, Payload, Validator, WasmFeatures};

/// The name under which the fuel is exported.
pub const FUEL: &str = "fuel";

/// Loop iterations and calls of one call from outside.
const FUEL_OF_A_CALL: u32 = 300;

/// Exported functions that are called.
const MAX_CALLED: usize = 8;

/// Calls of each; as many as let functions climb to all tiers.
const ROUNDS: usize = 4;

/// Greatest size of a memory in pages, to which it may grow in every engine.
pub const MAX_PAGES: u64 = 20;

/// Greatest size of a table, to which it may grow in every engine.
pub const MAX_TABLE: usize = 2_000;

/// One call of an exported function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The export.
    pub func: String,
    /// Its arguments.
    pub args: Vec<Value>,
    /// What the fuel is set to.
    pub fuel: i32,
}

/// A module and what is done with it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The module.
    pub wasm: Vec<u8>,
    /// The calls, one after the other.
    pub calls: Vec<Call>,
    /// Exported globals, that of the fuel among them.
    pub globals: Vec<String>,
    /// Exported memories.
    pub memories: Vec<String>,
    /// Exported tables.
    pub tables: Vec<String>,
}

/// Proposals that modules are made with.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::MULTI_MEMORY)
        .union(WasmFeatures::MEMORY64)
}

fn config(random: &mut Random, memory64: bool) -> Config {
    let nothing = || wasm_encoder::Module::new().finish();
    Config {
        available_imports: Some(if random.one_in(2) { nothing() } else { host::declarations() }),
        allow_start_export: random.one_in(4),
        canonicalize_nans: true,
        custom_page_sizes_enabled: false,
        compact_imports_enabled: false,
        exceptions_enabled: false,
        export_everything: true,
        gc_enabled: false,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 20,
        // Imports are among them.
        max_funcs: host::FUNCS.len() + *random.choose(&[3, 6, 12]),
        max_globals: 8,
        max_instructions: *random.choose(&[12, 40, 100, 300]),
        max_memories: 1 + *random.choose(&[1, 1, 2]),
        max_memory32_bytes: 16 << 16,
        max_memory64_bytes: 16 << 16,
        max_nesting_depth: *random.choose(&[4, 8]),
        max_table_elements: 200,
        max_tables: *random.choose(&[1, 1, 3]),
        max_tags: 0,
        max_type_size: 100_000,
        max_types: 12,
        // Tables, too, have 64-bit indices then.
        memory64_enabled: memory64,
        memory_offset_choices: MemoryOffsetChoices(30, 5, 1),
        min_funcs: *random.choose(&[1, 1, 3]),
        min_memories: u32::from(!random.one_in(8)),
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        simd_enabled: !random.one_in(3),
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

impl Subject {
    /// The subject of a seed.
    ///
    /// # Panics
    /// If the generator makes something that is not valid.
    pub fn generate(seed: u64) -> Subject {
        let mut random = Random::new(seed);
        let length = *random.choose(&[1_000, 5_000, 20_000]);
        let bytes = random.bytes(length);
        Subject::of_bytes(&bytes, &mut random)
    }

    /// The subject that bytes make, with limits and arguments at random.
    ///
    /// # Panics
    /// If the generator makes something that is not valid.
    pub fn of_bytes(bytes: &[u8], random: &mut Random) -> Subject {
        let memory64 = random.one_in(4);
        let wasm = generate(config(&mut random.clone(), memory64), bytes);
        Subject::new(wasm, random)
    }

    /// A subject of a module that exports its fuel.
    fn new(wasm: Vec<u8>, random: &mut Random) -> Subject {
        let types = Validator::new_with_features(features())
            .validate_all(&wasm)
            .unwrap_or_else(|error| panic!("the generated module is not valid: {error}"));
        let types = types.as_ref();
        let mut subject = Subject {
            wasm,
            calls: Vec::new(),
            globals: Vec::new(),
            memories: Vec::new(),
            tables: Vec::new(),
        };
        let mut funcs = Vec::new();
        for (name, ty) in types.core_exports().into_iter().flatten() {
            let name = name.to_owned();
            match ty {
                EntityType::Func(ty) => {
                    let params = types[ty].unwrap_func().params();
                    let params = params.iter().map(|&ty| Type::from_parsed(ty));
                    funcs.push((name, params.collect::<Option<Vec<Type>>>().unwrap_or_default()));
                }
                EntityType::Global(_) => subject.globals.push(name),
                EntityType::Memory(_) => subject.memories.push(name),
                EntityType::Table(_) => subject.tables.push(name),
                EntityType::Tag(_) | EntityType::FuncExact(_) => {}
            }
        }
        funcs.truncate(MAX_CALLED);
        for _ in 0..ROUNDS {
            for (name, params) in &funcs {
                let args = params.iter().map(|&ty| Value::random(ty, random)).collect();
                let fuel = if random.one_in(8) { 3 } else { FUEL_OF_A_CALL as i32 };
                subject.calls.push(Call { func: name.clone(), args, fuel });
            }
        }
        subject
    }
}

/// A module of these bytes.
fn generate(config: Config, bytes: &[u8]) -> Vec<u8> {
    let mut module = wasm_smith::Module::new(config, &mut Unstructured::new(bytes))
        .expect("the generator makes a module of any bytes");
    let fuel = module
        .ensure_termination(FUEL_OF_A_CALL)
        .expect("the generator's bodies are made of instructions");
    export_fuel(&module.to_bytes(), fuel)
}

/// The module with one more export, of the global `fuel`.
fn export_fuel(wasm: &[u8], fuel: u32) -> Vec<u8> {
    let mut module = wasm_encoder::Module::new();
    let mut exported = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.expect("the generator's modules can be read");
        let section = payload.as_section();
        let mut exports = ExportSection::new();
        if let Payload::ExportSection(section) = &payload {
            for export in section.clone() {
                let Export { name, kind, index } = export.expect("exports can be read");
                exports.export(name, export_kind(kind), index);
            }
        }
        let behind = section.as_ref().is_some_and(|(id, _)| {
            // Sections that stand behind exports.
            [
                SectionId::Export,
                SectionId::Start,
                SectionId::Element,
                SectionId::DataCount,
                SectionId::Code,
                SectionId::Data,
            ]
            .iter()
            .any(|&section| section as u8 == *id)
        });
        if behind && !exported {
            exported = true;
            exports.export(FUEL, ExportKind::Global, fuel);
            module.section(&exports);
        }
        if let Some((id, range)) = section
            && id != SectionId::Export as u8
        {
            module
                .section(&RawSection { id, data: &wasm[range.start as usize..range.end as usize] });
        }
    }
    module.finish()
}

fn export_kind(kind: ExternalKind) -> ExportKind {
    match kind {
        ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
        ExternalKind::Table => ExportKind::Table,
        ExternalKind::Memory => ExportKind::Memory,
        ExternalKind::Global => ExportKind::Global,
        ExternalKind::Tag => ExportKind::Tag,
    }
}
