//! Arguments of the called function, as its signature has them.

use cupola::ir::{FuncId, Signature, text};
use cupola::{Module, Value};
use std::ffi::OsString;

/// The values that `args` are for the parameters of `func`.
///
/// # Errors
/// Which argument is wrong, or how many there should be.
pub fn parse(module: &Module, func: FuncId, args: &[OsString]) -> Result<Vec<Value>, String> {
    let name = module.ir().func_name(func);
    let sig = module.ir().func_sig(func);
    let expected = sig.params.len();
    if args.len() != expected {
        let plural = if expected == 1 { "" } else { "s" };
        let found = args.len();
        return Err(format!("`{name}{sig}` takes {expected} argument{plural}, {found} given"));
    }
    let parse = |(i, arg): (usize, &OsString)| {
        let ty = sig.params[i];
        let arg = arg.to_string_lossy();
        // The text format writes `inf`, `nan` and `0x` in small letters; here any will do.
        let parsed = text::parse_literal(&arg.to_ascii_lowercase(), ty);
        parsed.map(|bits| Value::from_bits(ty, bits)).map_err(|_| {
            let param = param_name(module, func, i);
            let param = param.map(|name| format!(" (`{name}`)")).unwrap_or_default();
            format!("argument {}{param} of `{name}` must be an {ty}, `{arg}` is not", i + 1)
        })
    };
    args.iter().enumerate().map(parse).collect()
}

/// The name of a function's parameter: in register form these are the first registers.
fn param_name(module: &Module, func: FuncId, index: usize) -> Option<String> {
    // An imported function has no body.
    module.body(func).ok()?.reg_names.get(index).cloned().flatten()
}

/// The exported functions with their signatures, for messages.
pub fn exports(module: &Module) -> String {
    let ir = module.ir();
    let mut exports: Vec<(&String, &Signature)> =
        ir.exports.iter().map(|(name, &func)| (name, ir.func_sig(func))).collect();
    exports.sort_by_key(|(name, _)| *name);
    match exports.len() {
        0 => "it exports no functions".to_owned(),
        _ => {
            let lines: String =
                exports.iter().map(|(name, sig)| format!("\n  {name}{sig}")).collect();
            format!("it exports{lines}")
        }
    }
}
