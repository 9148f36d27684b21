//! Reading programs.

use crate::failure::Failure;
use cupola::ir::{Diagnostics, FuncKind};
use cupola::{Dialects, Engine, Imports, Instance, Module, Store};
use cupola_wasm::Options;
use cupola_wasm::wasi::{self, WasiCtx};
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

/// Reads and verifies a program. `trust`: raw loads and stores are allowed.
pub fn load(engine: &Engine, file: &Path, trust: bool) -> Result<Program, Failure> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::Input(format!("cannot read `{name}`: {error}")))?;
    if is_lua(file, &bytes) {
        let message =
            format!("`{name}`: Lua is not supported yet; programs are .cir, .wasm or .wat");
        return Err(Failure::Input(message));
    }
    if bytes.starts_with(b"\0asm") || has_extension(file, "wasm") || has_extension(file, "wat") {
        return load_wasm(engine, file, bytes);
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
fn load_wasm(engine: &Engine, file: &Path, bytes: Vec<u8>) -> Result<Program, Failure> {
    let name = file.display().to_string();
    let bytes = match has_extension(file, "wat") {
        true => wat::Parser::new()
            .parse_bytes(Some(file), &bytes)
            .map_err(|error| Failure::Input(error.to_string()))?
            .into_owned(),
        false => bytes,
    };
    let wasm = cupola_wasm::Module::new(engine, &name, bytes, &Options::default())
        .map_err(|error| Failure::Input(format!("`{name}`: {error}")))?;
    Ok(Program { module: wasm.engine_module().clone(), wasm: Some(wasm) })
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
