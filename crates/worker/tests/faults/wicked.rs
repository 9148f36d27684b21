//! The worker's side of the tests: right answers, or a fault.

use cupola_ir::FuncId;
use cupola_runtime::{
    Artifact, CodeGenerator, CompileError, CompileRequest, Reloc, RelocKind, Symbol, Tier, TrapSite,
};
use cupola_worker::protocol::{Greeting, Hello, Reply, frame, parse, read_frame, write_frame};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use std::{process, thread};

/// Serves with this fault; ends the process.
pub fn worker(fault: &str) {
    match fault {
        "exit-greeting" => process::exit(3),
        "hang-greeting" => thread::sleep(Duration::from_secs(600)),
        "garbage-greeting" => answer(&[3, 0, 0, 0, 0xff, 0xff, 0xff]),
        "other-version" => {
            let other = Hello { engine: "0.0.0-other".to_owned(), ..Hello::ours() };
            answer(&frame(&Greeting::Refused(other)).unwrap());
        }
        _ => {}
    }
    let generator: Arc<dyn CodeGenerator> =
        Arc::new(Wicked { inner: cupola_cranelift::optimizing(), fault: fault.to_owned() });
    let served = cupola_worker::serve_standard_streams(&mut |_| Ok(generator.clone()));
    process::exit(i32::from(served.is_err()));
}

/// Takes the greeting, answers these bytes, and waits for the end.
fn answer(bytes: &[u8]) {
    let mut input = io::stdin();
    let greeting = read_frame(&mut input).unwrap().unwrap();
    parse::<Hello>(&greeting).unwrap();
    write_frame(&mut io::stdout(), bytes).unwrap();
    let _ = read_frame(&mut input);
    process::exit(0);
}

/// Cranelift's code generator with a fault.
struct Wicked {
    inner: Arc<dyn CodeGenerator>,
    fault: String,
}

/// Writes to the descriptor that frames go by, past the server.
fn write_raw(bytes: &[u8]) {
    // The socket is the standard input, too.
    let socket = rustix::io::dup(rustix::stdio::stdin()).unwrap();
    let mut socket = std::fs::File::from(socket);
    socket.write_all(bytes).unwrap();
}

impl CodeGenerator for Wicked {
    fn tier(&self) -> Tier {
        Tier::T3
    }

    fn name(&self) -> &'static str {
        "wicked"
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<Artifact, CompileError> {
        let mut artifact = self.inner.compile(request)?;
        match self.fault.as_str() {
            "hang" => thread::sleep(Duration::from_secs(600)),
            "garbage" => {
                write_raw(&[7, 0, 0, 0]);
                write_raw(b"\xff\xff\xff\xff\xff\xff\xff");
                thread::sleep(Duration::from_secs(600));
            }
            "huge-frame" => {
                write_raw(&[0xff; 64]);
                thread::sleep(Duration::from_secs(600));
            }
            "half-frame" => {
                write_raw(&[200, 0, 0, 0, 0, 1, 2, 3]);
                process::exit(0);
            }
            "other-reply" => {
                write_raw(&frame(&Reply::Text("no artifact".to_owned())).unwrap());
                thread::sleep(Duration::from_secs(600));
            }
            "exit" => process::exit(3),
            "abort" => process::abort(),
            "panic" => panic!("on demand"),
            "memory" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(vec![1; 16 << 20]);
                }
            }
            "wrong-function" => artifact.func = FuncId::from_u32(99),
            "wrong-reloc" => artifact.relocs.push(Reloc {
                offset: artifact.code.len() as u32 - 2,
                kind: RelocKind::Abs8,
                symbol: Symbol::CodeId,
                addend: 0,
            }),
            "wrong-traps" => {
                let code = cupola_ir::TrapCode::Unreachable;
                artifact.traps.push(TrapSite { offset: u32::MAX, code });
            }
            "wrong-exits" => {
                let frame = cupola_ir::FrameDescr {
                    func: FuncId::from_u32(1234),
                    resume: cupola_ir::Inst::from_u32(5678),
                    regs: vec![cupola_ir::Reg::from_u32(9)],
                };
                let reason = cupola_ir::DeoptReason::Forced;
                artifact.deopts.push(cupola_ir::FrameState { frames: vec![frame], reason });
            }
            _ => {}
        }
        Ok(artifact)
    }

    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError> {
        self.inner.dump(request)
    }
}
