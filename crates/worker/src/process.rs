//! One worker process: started, spoken to with deadlines, ended and reaped.
//!
//! The process is not forked but spawned: a fork would copy the page tables of a program of any
//! size and make it fault on what it writes next. So limits are set from outside, right behind the
//! start, before the worker has got anything to do.

use crate::client::{ATTENTION, WorkerConfig};
use crate::protocol::{Greeting, Hello, frame, parse, read_frame};
use cupola_runtime::CompileError;
use rustix::process::{Pid, Resource, Rlimit, prlimit, setpriority_process};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A worker that runs, or ran.
pub(crate) struct Process {
    child: Child,
    /// Its standard input and output.
    socket: UnixStream,
    /// The frame of the declarations that it got last.
    pub declarations: Vec<u8>,
}

/// Why a worker could not be started.
pub(crate) enum StartError {
    /// There is no executable.
    Absent(String),
    /// Another attempt would end the same way.
    Hopeless(String),
    /// It was started and lost.
    Lost(String),
}

impl StartError {
    /// The same for who wanted something compiled.
    pub fn into_error(self) -> CompileError {
        match self {
            StartError::Absent(reason) => CompileError::Absent(reason),
            StartError::Hopeless(reason) => CompileError::Unavailable(reason),
            StartError::Lost(reason) => CompileError::Lost(reason),
        }
    }
}

impl Process {
    /// Starts the executable and shakes hands.
    pub fn start(program: &Path, config: &WorkerConfig) -> Result<Process, StartError> {
        let deadline = Instant::now() + config.deadline;
        let hopeless = |error: io::Error| {
            StartError::Hopeless(format!("cannot start `{}`: {error}", program.display()))
        };
        let (socket, theirs) = UnixStream::pair().map_err(hopeless)?;
        let theirs = OwnedFd::from(theirs);
        let child = Command::new(program)
            .args(&config.arguments)
            .stdin(Stdio::from(theirs.try_clone().map_err(hopeless)?))
            .stdout(Stdio::from(theirs))
            .stderr(Stdio::null())
            // An interrupt typed at the terminal is for the program.
            .process_group(0)
            .spawn()
            .map_err(hopeless)?;
        let mut process = Process { child, socket, declarations: Vec::new() };
        process.confine(config);
        let greeting = process.greet(deadline).map_err(|error| {
            StartError::Lost(process.describe("did not answer the handshake", &error))
        })?;
        match greeting {
            Greeting::Hello(theirs) | Greeting::Refused(theirs) => {
                match Hello::ours().difference(&theirs) {
                    None => Ok(process),
                    Some(difference) => Err(StartError::Hopeless(format!(
                        "`{}` does not fit: {difference}",
                        program.display()
                    ))),
                }
            }
        }
    }

    /// Keeps it from starving others of memory and time. That it is not possible (the process may
    /// be gone already) is no reason to do without it.
    fn confine(&self, config: &WorkerConfig) {
        let Some(pid) = Pid::from_raw(self.child.id() as i32) else { return };
        let limit =
            Rlimit { current: Some(config.memory_limit), maximum: Some(config.memory_limit) };
        let _ = prlimit(Some(pid), Resource::Data, limit);
        let _ = setpriority_process(Some(pid), config.niceness);
        // Where the program has a real-time policy, niceness means nothing.
        // SAFETY: asks for, and sets, the scheduling of a process of ours; touches no memory but
        // the parameter.
        unsafe {
            let policy = libc::sched_getscheduler(pid.as_raw_nonzero().get());
            if policy == libc::SCHED_FIFO || policy == libc::SCHED_RR {
                let lowest =
                    libc::sched_param { sched_priority: libc::sched_get_priority_min(policy) };
                libc::sched_setscheduler(pid.as_raw_nonzero().get(), policy, &lowest);
            }
        }
    }

    fn greet(&mut self, deadline: Instant) -> io::Result<Greeting> {
        self.send(&frame(&Hello::ours())?, deadline)?;
        parse(&self.receive(deadline)?)
    }

    /// Sends a frame.
    pub fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        Timed { socket: &self.socket, deadline, abandoned: None }.write_all(bytes)
    }

    /// Receives a frame.
    fn receive(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        self.receive_timed(Timed { socket: &self.socket, deadline, abandoned: None })
    }

    /// Receives a frame, unless that is abandoned meanwhile.
    pub fn receive_unless(
        &mut self,
        deadline: Instant,
        abandoned: &AtomicBool,
    ) -> io::Result<Vec<u8>> {
        self.receive_timed(Timed { socket: &self.socket, deadline, abandoned: Some(abandoned) })
    }

    fn receive_timed(&self, mut socket: Timed<'_>) -> io::Result<Vec<u8>> {
        read_frame(&mut socket)?.ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    /// What can be waited for: readable between requests means that it ended, or babbles.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Ends it, and says what became of it: an exit status if it had ended by itself.
    pub fn describe(&mut self, what: &str, error: &io::Error) -> String {
        let timed_out = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        if timed_out {
            return format!("the compiler {what} in time and was ended");
        }
        // A process whose end of the socket is closed is about to end.
        let closed = matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        );
        let status =
            if closed { self.child.wait().ok() } else { self.child.try_wait().ok().flatten() };
        match status {
            Some(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => format!("the compiler was killed by signal {signal}"),
                (_, Some(code)) => format!("the compiler exited with code {code}"),
                _ => "the compiler ended".to_owned(),
            },
            None => format!("the compiler {what}: {error}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has nothing to save. Both fail only if it was reaped before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A socket with a point in time after which nothing is waited for.
struct Timed<'a> {
    socket: &'a UnixStream,
    deadline: Instant,
    /// Set when nothing is to be waited for any more.
    abandoned: Option<&'a AtomicBool>,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Duration> {
        if self.abandoned.is_some_and(|abandoned| abandoned.load(Ordering::Relaxed)) {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        match self.deadline.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(left),
            _ => Err(ErrorKind::TimedOut.into()),
        }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.left()?;
            let wait = if self.abandoned.is_some() { left.min(ATTENTION) } else { left };
            self.socket.set_read_timeout(Some(wait))?;
            match self.socket.read(buffer) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                result => return result,
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
