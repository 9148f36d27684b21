//! Standard streams: the process's own, or memory.

use super::errno::{Errno, Result, retry};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut, Read, Write, stderr, stdout};
use std::sync::Arc;

/// One of the process's own streams.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stdio {
    In,
    Out,
    Err,
}

impl Stdio {
    pub fn fd(self) -> BorrowedFd<'static> {
        match self {
            Stdio::In => rustix::stdio::stdin(),
            Stdio::Out => rustix::stdio::stdout(),
            Stdio::Err => rustix::stdio::stderr(),
        }
    }

    /// Writes with one call to the system, behind what the process itself has buffered. A pipe
    /// that nobody reads any more is the guest's error, as `SIGPIPE` is ignored.
    pub fn write(self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        let write = || retry(|| rustix::io::writev(self.fd(), buffers));
        match self {
            Stdio::In => Err(Errno::Badf),
            Stdio::Out => {
                let mut lock = stdout().lock();
                lock.flush()?;
                write()
            }
            Stdio::Err => {
                let _lock = stderr().lock();
                write()
            }
        }
    }

    pub fn read(self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        match self {
            Stdio::In => retry(|| rustix::io::readv(self.fd(), buffers)),
            Stdio::Out | Stdio::Err => Err(Errno::Badf),
        }
    }

    /// Whether a read or write would not wait. This stands in for `O_NONBLOCK`, which other
    /// processes that have the stream open would notice.
    pub fn is_ready(self, events: PollFlags) -> Result<bool> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let fd = self.fd();
        let ready = retry(|| poll(&mut [PollFd::from_borrowed_fd(fd, events)], Some(&now)))?;
        Ok(ready > 0)
    }
}

/// What a program is to read from its standard input, in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct InputPipe(VecDeque<u8>);

impl InputPipe {
    pub fn new(bytes: Vec<u8>) -> InputPipe {
        InputPipe(bytes.into())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        Ok(self.0.read_vectored(buffers)?)
    }
}

/// Takes in memory what a program writes to a standard stream. Clones are the same pipe.
#[derive(Clone, Debug, Default)]
pub struct OutputPipe {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl OutputPipe {
    /// An empty one.
    pub fn new() -> OutputPipe {
        OutputPipe::default()
    }

    /// What was written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.bytes.lock().clone()
    }

    pub(crate) fn write(&self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        Ok(self.bytes.lock().write_vectored(buffers)?)
    }
}
