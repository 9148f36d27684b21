//! The worker's side: answers requests until its parent is gone.

use crate::protocol::{
    Declarations, Greeting, Hello, Reply, Request, Unit, Wanted, frame, parse, parse_prefix,
    read_frame, write_frame,
};
use cupola_runtime::{CodeGenerator, CompileError, OptLevel};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Makes the code generator of an optimization level.
type Make<'a> = dyn FnMut(OptLevel) -> Result<Arc<dyn CodeGenerator>, CompileError> + 'a;

/// Serves requests that come by the standard input, answering by the standard output, which
/// becomes the standard error for everybody else. When the input ends, the process ends at once,
/// whatever it was doing.
///
/// # Errors
/// If the streams fail, or something else than a client of the same version is at their other end.
pub fn serve_standard_streams(make: &mut Make<'_>) -> io::Result<()> {
    // With the parent gone there is nobody to work for. The end of the input says so too; this also
    // holds if another process keeps the input open.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let input = File::from(rustix::io::dup(rustix::stdio::stdin())?);
    let output = File::from(rustix::io::dup(rustix::stdio::stdout())?);
    // What libraries print must not get among the frames.
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    serve(make, input, output, || {
        // SAFETY: ends the process without running anything of it.
        unsafe { libc::_exit(0) }
    })
}

/// Serves requests. `on_end` is called when the input has ended, perhaps while a compilation runs;
/// requests that were read before are still answered if it returns.
///
/// # Errors
/// As [`serve_standard_streams`].
pub fn serve(
    make: &mut Make<'_>,
    mut input: impl Read + Send + 'static,
    mut output: impl Write,
    on_end: impl FnOnce() + Send + 'static,
) -> io::Result<()> {
    let Some(greeting) = read_frame(&mut input)? else { return Ok(()) };
    let ours = Hello::ours();
    match parse::<Hello>(&greeting) {
        Ok(theirs) if theirs == ours => {
            write_frame(&mut output, &frame(&Greeting::Hello(ours))?)?;
        }
        _ => {
            write_frame(&mut output, &frame(&Greeting::Refused(ours))?)?;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client differs"));
        }
    }
    let (sender, requests) = sync_channel::<Vec<u8>>(2);
    // Reads ahead, so that the end of the input is noticed while a compilation runs.
    thread::Builder::new().name("requests".to_owned()).spawn(move || {
        while let Ok(Some(frame)) = read_frame(&mut input) {
            if sender.send(frame).is_err() {
                return;
            }
        }
        on_end();
    })?;
    let mut server = Server { make, generators: BTreeMap::new(), declarations: None };
    while let Ok(bytes) = requests.recv() {
        if let Some(reply) = server.answer(&bytes)? {
            let bytes = frame(&reply).or_else(|error| {
                frame(&Reply::Failed(CompileError::TooLarge(format!("its code: {error}"))))
            })?;
            write_frame(&mut output, &bytes)?;
        }
    }
    Ok(())
}

struct Server<'a, 'm> {
    make: &'a mut Make<'m>,
    generators: BTreeMap<OptLevel, Arc<dyn CodeGenerator>>,
    declarations: Option<Declarations>,
}

impl Server<'_, '_> {
    /// Answers a frame, if it wants an answer.
    fn answer(&mut self, bytes: &[u8]) -> io::Result<Option<Reply>> {
        let (request, body) = parse_prefix::<Request>(bytes)?;
        match request {
            Request::Declarations => {
                self.declarations = Some(parse(body)?);
                Ok(None)
            }
            Request::Unit => {
                let unit: Unit = parse(body)?;
                let made = catch_unwind(AssertUnwindSafe(|| self.compile(&unit)));
                let reply = made.unwrap_or_else(|payload| {
                    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
                    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
                    Err(CompileError::Panic(text.unwrap_or_else(|| "no message".to_owned())))
                });
                Ok(Some(reply.unwrap_or_else(Reply::Failed)))
            }
        }
    }

    fn compile(&mut self, unit: &Unit) -> Result<Reply, CompileError> {
        let Some(declarations) = &self.declarations else {
            return Err(CompileError::Unsupported("a unit without declarations".to_owned()));
        };
        let requests = unit.requests(declarations);
        let Some(first) = requests.first() else {
            return Err(CompileError::Unsupported("a unit of no functions".to_owned()));
        };
        if !self.generators.contains_key(&unit.level) {
            self.generators.insert(unit.level, (self.make)(unit.level)?);
        }
        let generator = &self.generators[&unit.level];
        match unit.wanted {
            Wanted::Dump => generator.dump(first).map(Reply::Text),
            Wanted::Artifact if requests.len() == 1 => {
                generator.compile(first).map(|artifact| Reply::Artifact(Box::new(artifact)))
            }
            Wanted::Artifact => generator
                .compile_unit(&requests)
                .map(|artifact| Reply::Artifact(Box::new(artifact))),
        }
    }
}
