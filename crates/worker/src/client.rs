//! The engine's side: code generators whose work another process does.
//!
//! ```text
//!                    first request                     request
//!   (nothing runs) ───────────────► idle ────────────────────────────► busy
//!        ▲  ▲                        │ ▲        answer, valid or not    │ │
//!        │  └── idle for long, ended ┘ └────────────────────────────────┘ │
//!        └──────────── died, babbled, took too long: killed ──────────────┘
//!                      (a few times a minute, then off for good)
//! ```
//!
//! The thread that owns the process lives as long as the [`Worker`]: the kernel kills the process
//! with the thread that started it.

use crate::locate::locate;
use crate::process::{Process, StartError};
use crate::protocol::{Reply, Wanted, declarations_frame, parse, unit_frame};
use cupola_runtime::{
    Artifact, CodeGenerator, CompileError, CompileRequest, OptLevel, Tier, validate,
};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How a worker is run.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// The executable; none: `cupola-llvm` is looked for when it is needed, where the environment
    /// variable `CUPOLA_LLVM` says, beside this program's executable, and on the path.
    pub program: Option<PathBuf>,
    /// Arguments for it.
    pub arguments: Vec<OsString>,
    /// Time for one request, after which the process is ended.
    pub deadline: Duration,
    /// Most memory that it may take for data, in bytes.
    pub memory_limit: u64,
    /// Added to its scheduling priority's nice value, so that it takes no time from the program.
    pub niceness: i32,
    /// How often a minute it may be lost and started again before it is given up for good.
    pub restarts_per_minute: usize,
    /// After this time without a request the process is ended.
    pub idle: Duration,
}

impl Default for WorkerConfig {
    fn default() -> WorkerConfig {
        WorkerConfig {
            program: None,
            arguments: Vec::new(),
            deadline: Duration::from_secs(5),
            memory_limit: 1 << 30,
            niceness: 10,
            restarts_per_minute: 3,
            idle: Duration::from_secs(10),
        }
    }
}

/// So often it is looked whether the answer to a request is wanted still.
pub(crate) const ATTENTION: Duration = Duration::from_millis(20);

/// A compiler in a process of its own, which is started when it is first needed.
pub struct Worker {
    shared: Arc<Shared>,
}

struct Shared {
    config: WorkerConfig,
    keeper: Mutex<Option<Keeper>>,
}

/// The thread that owns the process, as others see it.
struct Keeper {
    jobs: Option<Sender<Job>>,
    /// A byte here makes it look for jobs.
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

/// What to do with the process.
struct Job {
    /// Frames of the declarations and of the unit; none: only see to it that the process runs.
    frames: Option<(Vec<u8>, Vec<u8>)>,
    /// Set when nobody waits for the answer any more.
    abandoned: Arc<AtomicBool>,
    answer: Sender<Result<Option<Reply>, CompileError>>,
}

impl Worker {
    /// A worker that is run like this. Nothing is started, or looked for, yet.
    pub fn new(config: WorkerConfig) -> Worker {
        Worker { shared: Arc::new(Shared { config, keeper: Mutex::new(None) }) }
    }

    /// A code generator for a tier, at an optimization level. All of a worker's share its process.
    pub fn generator(&self, tier: Tier, level: OptLevel) -> Arc<dyn CodeGenerator> {
        Arc::new(WorkerGenerator { shared: self.shared.clone(), tier, level })
    }

    /// Starts the process now, if it does not run.
    ///
    /// # Errors
    /// Says why it cannot be had.
    pub fn start(&self) -> Result<(), CompileError> {
        self.shared.ask(None, &|| true).map(|_| ())
    }
}

impl Shared {
    fn ask(
        &self,
        frames: Option<(Vec<u8>, Vec<u8>)>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Option<Reply>, CompileError> {
        let (answer, answers) = channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        {
            let mut keeper = self.keeper.lock();
            let keeper = match &mut *keeper {
                Some(keeper) => keeper,
                none => none.insert(Keeper::start(&self.config).map_err(|error| {
                    CompileError::Unavailable(format!("no thread for the compiler: {error}"))
                })?),
            };
            keeper.send(Job { frames, abandoned: abandoned.clone(), answer });
        }
        loop {
            match answers.recv_timeout(ATTENTION) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if wanted() => {}
                // The answer comes all the same, once the process is ended.
                Err(RecvTimeoutError::Timeout) => abandoned.store(true, Ordering::Relaxed),
                Err(RecvTimeoutError::Disconnected) => {
                    let reason = "the compiler's thread ended".to_owned();
                    return Err(CompileError::Unavailable(reason));
                }
            }
        }
    }
}

impl Keeper {
    fn start(config: &WorkerConfig) -> io::Result<Keeper> {
        let (wake, woken) = UnixStream::pair()?;
        let (jobs, receiver) = channel();
        let state = State {
            config: config.clone(),
            jobs: receiver,
            woken,
            process: None,
            losses: VecDeque::new(),
            given_up: None,
        };
        let thread = thread::Builder::new()
            .name("cupola-peak-keeper".to_owned())
            .spawn(move || state.run())?;
        Ok(Keeper { jobs: Some(jobs), wake, thread: Some(thread) })
    }

    fn send(&mut self, job: Job) {
        // If the thread is gone, so is the job, whose answer is awaited in vain and an error.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        let _ = self.wake.write(&[0]);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.jobs = None;
        let _ = self.wake.write(&[0]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct State {
    config: WorkerConfig,
    jobs: Receiver<Job>,
    woken: UnixStream,
    process: Option<Process>,
    /// When processes were lost within the last minute.
    losses: VecDeque<Instant>,
    /// Why there will be no process any more.
    given_up: Option<CompileError>,
}

impl State {
    fn run(mut self) {
        loop {
            match self.jobs.try_recv() {
                Ok(job) => {
                    let answer = self.work(job.frames, &job.abandoned);
                    // Whoever asked may have gone.
                    let _ = job.answer.send(answer);
                }
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => self.wait(),
            }
        }
    }

    /// Waits for a job, for the end of the process, or until it has been idle for long.
    fn wait(&mut self) {
        let flags = PollFlags::IN;
        let woken = PollFd::new(&self.woken, flags);
        let (ready, process_ready, woken_ready) = match &self.process {
            None => {
                let mut fds = [woken];
                let ready = poll(&mut fds, None);
                (ready, false, !fds[0].revents().is_empty())
            }
            Some(process) => {
                let fd = process.fd();
                let mut fds = [woken, PollFd::from_borrowed_fd(fd.as_fd(), flags)];
                let idle = Timespec {
                    tv_sec: self.config.idle.as_secs() as i64,
                    tv_nsec: self.config.idle.subsec_nanos().into(),
                };
                let ready = poll(&mut fds, Some(&idle));
                (ready, !fds[1].revents().is_empty(), !fds[0].revents().is_empty())
            }
        };
        if woken_ready {
            let mut bytes = [0; 64];
            let _ = self.woken.read(&mut bytes);
        }
        match ready {
            // It has been idle for long; ending it is no loss.
            Ok(0) => self.process = None,
            Ok(_) if process_ready => {
                self.process = None;
                self.note_loss("the compiler ended between requests");
            }
            _ => {}
        }
    }

    /// Remembers that a process was lost, and gives up when that happens too often.
    fn note_loss(&mut self, reason: &str) {
        let now = Instant::now();
        self.losses.push_back(now);
        while self.losses.front().is_some_and(|&then| now - then > Duration::from_secs(60)) {
            self.losses.pop_front();
        }
        if self.losses.len() > self.config.restarts_per_minute {
            let count = self.losses.len();
            let reason = format!("lost {count} times within a minute, at last: {reason}");
            self.given_up = Some(CompileError::Unavailable(reason));
        }
    }

    /// Loses the process; gives the error that this is for who asked.
    fn lose(&mut self, reason: String) -> CompileError {
        self.process = None;
        self.note_loss(&reason);
        self.given_up.clone().unwrap_or(CompileError::Lost(reason))
    }

    fn work(
        &mut self,
        frames: Option<(Vec<u8>, Vec<u8>)>,
        abandoned: &AtomicBool,
    ) -> Result<Option<Reply>, CompileError> {
        if abandoned.load(Ordering::Relaxed) {
            return Err(CompileError::Abandoned);
        }
        if let Some(error) = &self.given_up {
            return Err(error.clone());
        }
        if self.process.is_none() {
            self.start()?;
        }
        let (Some(process), Some((declarations, unit))) = (&mut self.process, frames) else {
            return Ok(None);
        };
        let deadline = Instant::now() + self.config.deadline;
        let exchange = || -> io::Result<Reply> {
            if process.declarations != declarations {
                process.send(&declarations, deadline)?;
                process.declarations = declarations;
            }
            process.send(&unit, deadline)?;
            parse(&process.receive_unless(deadline, abandoned)?)
        };
        match exchange() {
            Ok(reply) => Ok(Some(reply)),
            Err(_) if abandoned.load(Ordering::Relaxed) => {
                // It is busy with what nobody wants, and ending it is no loss.
                self.process = None;
                Err(CompileError::Abandoned)
            }
            Err(error) => {
                let reason = process.describe("did not answer", &error);
                Err(self.lose(reason))
            }
        }
    }

    fn start(&mut self) -> Result<(), CompileError> {
        let program = match &self.config.program {
            Some(program) => Ok(program.clone()),
            None => locate(),
        };
        let started = program.and_then(|program| Process::start(&program, &self.config));
        match started {
            Ok(process) => {
                self.process = Some(process);
                Ok(())
            }
            Err(StartError::Lost(reason)) => Err(self.lose(reason)),
            Err(error) => {
                let error = error.into_error();
                self.given_up = Some(error.clone());
                Err(error)
            }
        }
    }
}

/// A code generator whose work the process does.
struct WorkerGenerator {
    shared: Arc<Shared>,
    tier: Tier,
    level: OptLevel,
}

impl WorkerGenerator {
    fn ask(
        &self,
        what: Wanted,
        unit: &[CompileRequest<'_>],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Reply, CompileError> {
        let Some(first) = unit.first() else {
            return Err(CompileError::Unsupported("a unit of no functions".to_owned()));
        };
        let too_large = |error: io::Error| CompileError::TooLarge(error.to_string());
        let frames = (
            declarations_frame(first.module, first.context).map_err(too_large)?,
            unit_frame(what, self.level, first.options, unit).map_err(too_large)?,
        );
        match self.shared.ask(Some(frames), wanted)? {
            Some(Reply::Failed(error)) => Err(error),
            Some(reply) => Ok(reply),
            None => Err(CompileError::Lost("the compiler gave no answer".to_owned())),
        }
    }
}

impl CodeGenerator for WorkerGenerator {
    fn tier(&self) -> Tier {
        self.tier
    }

    fn name(&self) -> &'static str {
        match self.level {
            OptLevel::O1 => "llvm-O1",
            OptLevel::O2 => "llvm-O2",
            OptLevel::O3 => "llvm-O3",
        }
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<Artifact, CompileError> {
        self.compile_unit(std::slice::from_ref(request))
    }

    fn available(&self) -> Result<(), CompileError> {
        match self.shared.config.program {
            Some(_) => Ok(()),
            None => locate().map(|_| ()).map_err(StartError::into_error),
        }
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn takes_units(&self) -> bool {
        true
    }

    fn compile_unit(&self, unit: &[CompileRequest<'_>]) -> Result<Artifact, CompileError> {
        self.compile_unit_while(unit, &|| true)
    }

    fn compile_unit_while(
        &self,
        unit: &[CompileRequest<'_>],
        wanted: &dyn Fn() -> bool,
    ) -> Result<Artifact, CompileError> {
        match self.ask(Wanted::Artifact, unit, wanted)? {
            Reply::Artifact(mut artifact) => {
                artifact.tier = self.tier;
                validate(&artifact, unit).map_err(|problem| {
                    CompileError::Lost(format!("the compiler's answer is wrong: {problem}"))
                })?;
                Ok(*artifact)
            }
            _ => Err(CompileError::Lost("the compiler answered something else".to_owned())),
        }
    }

    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError> {
        match self.ask(Wanted::Dump, std::slice::from_ref(request), &|| true)? {
            Reply::Text(text) => Ok(text),
            _ => Err(CompileError::Lost("the compiler answered something else".to_owned())),
        }
    }
}
