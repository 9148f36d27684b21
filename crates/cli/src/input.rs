//! Reading programs.

use crate::failure::Failure;
use cupola::ir::{Diagnostics, FuncKind};
use cupola::{Dialects, Engine, Imports, Instance, Module, Store};
use cupola_wasm::wasi::{self, WasiCtx};
use cupola_wasm::{Options, Proposals, SharedBytes, Validation};
use memmap2::Mmap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// A program that was read.
pub struct Program {
    /// Its code.
    pub module: Module,
    /// What there is besides, if it is WebAssembly.
    wasm: Option<cupola_wasm::Module>,
}

impl Program {
    /// The function that it starts with unless another is asked for.
    pub fn start(&self) -> &'static str {
        if self.wasm.is_some() { "_start" } else { "main" }
    }

    /// Whether it is WebAssembly that imports functions of WASI, of whatever version.
    pub fn uses_wasi(&self) -> bool {
        self.wasm.is_some()
            && self.module.ir().funcs.values().any(|func| match &func.kind {
                FuncKind::Import { module, .. } => module.starts_with("wasi_"),
                FuncKind::Defined => false,
            })
    }

    /// Makes an instance in a store; of WebAssembly, this runs the module's start function.
    pub fn instantiate(
        &self,
        store: &mut Store,
        imports: Imports,
        wasi: Option<WasiCtx>,
    ) -> Result<Instance, cupola_wasm::Error> {
        let Some(module) = &self.wasm else {
            return Ok(Instance::new(store, &self.module, &imports)?);
        };
        let mut imports = cupola_wasm::Imports::from(imports);
        if let Some(ctx) = wasi {
            wasi::add_to(&mut imports, ctx);
        }
        Ok(cupola_wasm::Instance::new(store, module, &imports)?.engine())
    }
}

/// Files from this size on are mapped: reading less costs no more than mapping it.
const MAPPED: u64 = 256 << 10;

/// The bytes of a file. Of a large one only those parts are read that are looked at.
fn read(file: &Path) -> io::Result<SharedBytes> {
    let mut file = File::open(file)?;
    let about = file.metadata()?;
    if about.is_file() && about.len() >= MAPPED {
        // SAFETY: the bytes are constant as long as nobody writes to the file. As with executables
        // and shared libraries, whoever replaces a program that runs has to make a new file; one
        // who overwrites it in place decides what this process runs in any case.
        return unsafe { Mmap::map(&file) }.map(SharedBytes::new);
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    file.read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// How WebAssembly is loaded: `without` lists proposals that it may not use.
pub fn loading(validation: Validation, without: &[Proposals]) -> Options {
    let without = without.iter().fold(Proposals::empty(), |all, &one| all | one);
    Options { validation, proposals: Proposals::all() - without }
}

/// Reads and verifies a program. `trust`: raw loads and stores are allowed.
pub fn load(
    engine: &Engine,
    file: &Path,
    trust: bool,
    options: &Options,
) -> Result<Program, Failure> {
    let name = file.display().to_string();
    let bytes =
        read(file).map_err(|error| Failure::Input(format!("cannot read `{name}`: {error}")))?;
    if is_lua(file, &bytes) {
        let message =
            format!("`{name}`: Lua is not supported yet; programs are .cir, .wasm or .wat");
        return Err(Failure::Input(message));
    }
    if bytes.starts_with(b"\0asm") || has_extension(file, "wasm") || has_extension(file, "wat") {
        return load_wasm(engine, file, bytes, options);
    }
    let invalid = |diagnostics: Diagnostics| Failure::Diagnostics(diagnostics);
    let mut parsed = cupola::ir::parse_bytes(&name, &bytes).map_err(invalid)?;
    parsed.module.trusted = trust;
    parsed.verify().map_err(invalid)?;
    for (func, decl) in &parsed.module.funcs {
        if decl.kind == FuncKind::Defined && parsed.bodies.get(func).is_none() {
            let func = parsed.module.func_name(func);
            let message =
                format!("`{name}`: %{func} has no register form, which programs start in");
            return Err(Failure::Input(message));
        }
    }
    // Backtraces name the file, whatever the module calls itself.
    parsed.module.name = name;
    let module = Module::new(engine, parsed.module, Arc::new(parsed.bodies), &Dialects::new())?;
    Ok(Program { module, wasm: None })
}

/// Reads WebAssembly, in the binary or (by its extension) in the text format.
fn load_wasm(
    engine: &Engine,
    file: &Path,
    bytes: SharedBytes,
    options: &Options,
) -> Result<Program, Failure> {
    let name = file.display().to_string();
    let bytes = match has_extension(file, "wat") {
        true => wat::Parser::new()
            .parse_bytes(Some(file), &bytes)
            .map_err(|error| Failure::Input(shortened(&error.to_string())))?
            .into_owned()
            .into(),
        false => bytes,
    };
    let wasm = cupola_wasm::Module::new(engine, &name, bytes, options)
        .map_err(|error| Failure::Input(format!("`{name}`: {error}")))?;
    Ok(Program { module: wasm.engine_module().clone(), wasm: Some(wasm) })
}

/// A message, its lines cut where nobody reads on: one may be a line of the program, which may be
/// all of a file that is no program.
fn shortened(message: &str) -> String {
    const WIDTH: usize = 1_000;
    let end = |line: &str| line.char_indices().nth(WIDTH).map_or(line.len(), |(end, _)| end);
    let lines: Vec<&str> = message.lines().map(|line| &line[..end(line)]).collect();
    lines.join("\n")
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|e| e == extension)
}

/// Whether a file is Lua, by its name or its first bytes.
fn is_lua(file: &Path, bytes: &[u8]) -> bool {
    let first_line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let script = first_line.starts_with(b"#!") && first_line.windows(3).any(|w| w == b"lua");
    has_extension(file, "lua") || bytes.starts_with(b"\x1bLua") || script
}
