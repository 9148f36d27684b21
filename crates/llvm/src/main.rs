//! `cupola-llvm`: the process in which the engine has LLVM compile. It answers requests on its
//! standard input until that ends; people have no use for it.

use cupola_llvm::Generator;
use cupola_runtime::CodeGenerator;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let served = cupola_worker::serve_standard_streams(&mut |level| {
        Ok(Arc::new(Generator::new(level)?) as Arc<dyn CodeGenerator>)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cupola-llvm: {error}");
            ExitCode::FAILURE
        }
    }
}
