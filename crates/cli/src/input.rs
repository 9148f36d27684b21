//! Reading programs.

use crate::failure::Failure;
use cupola::ir::{Diagnostics, FuncKind};
use cupola::{Dialects, Engine, Module};
use std::path::Path;
use std::sync::Arc;

/// Reads, parses and verifies a program. `trust`: raw loads and stores are allowed.
pub fn load(engine: &Engine, file: &Path, trust: bool) -> Result<Module, Failure> {
    let name = file.display().to_string();
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::Input(format!("cannot read `{name}`: {error}")))?;
    if let Some(language) = other_language(file, &bytes) {
        let message = format!("`{name}`: {language} is not supported yet; programs are .cir files");
        return Err(Failure::Input(message));
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
    Ok(Module::new(engine, parsed.module, Arc::new(parsed.bodies), &Dialects::new())?)
}

/// The language of a file that is not in the text format, by its name or its first bytes.
fn other_language(file: &Path, bytes: &[u8]) -> Option<&'static str> {
    let extension = file.extension().and_then(|e| e.to_str());
    let first_line = bytes.split(|&b| b == b'\n').next().unwrap_or_default();
    let lua_script = first_line.starts_with(b"#!") && first_line.windows(3).any(|w| w == b"lua");
    match extension {
        Some("wasm" | "wat") => Some("WebAssembly"),
        Some("lua") => Some("Lua"),
        _ if bytes.starts_with(b"\0asm") => Some("WebAssembly"),
        _ if bytes.starts_with(b"\x1bLua") || lua_script => Some("Lua"),
        _ => None,
    }
}
