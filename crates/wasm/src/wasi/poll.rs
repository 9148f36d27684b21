//! Waiting for clocks and descriptors.
//!
//! Subscriptions are sorted into those that are due at once (errors, regular files, streams in
//! memory), clocks with the time that is left, and descriptors of the host. If none is due, one
//! `poll` waits for the descriptors until the first clock is; without descriptors the clock itself
//! is slept on.

use super::clock::ClockId;
use super::ctx::WasiCtx;
use super::errno::{Errno, Result};
use super::memory::Memory;
use super::table::Object;
use super::types::{FileType, Rights};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::fs::{SeekFrom, seek};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// Most subscriptions of one call.
const MAX_SUBSCRIPTIONS: u32 = 1 << 14;

/// The flag of a clock subscription whose time is a point, not a span.
const ABSTIME: u16 = 1;

/// The flag of an event: the other end of a pipe was closed.
const HANGUP: u16 = 1;

/// What happened, as the guest gets it.
struct Event {
    userdata: u64,
    error: Option<Errno>,
    tag: Tag,
    bytes: u64,
    flags: u16,
}

impl Event {
    fn to_bytes(&self) -> [u8; EVENT as usize] {
        let mut bytes = [0; EVENT as usize];
        bytes[..8].copy_from_slice(&self.userdata.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.error.map_or(0, |e| e as u16).to_le_bytes());
        bytes[10] = self.tag as u8;
        bytes[16..24].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[24..26].copy_from_slice(&self.flags.to_le_bytes());
        bytes
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    Clock = 0,
    Read = 1,
    Write = 2,
}

/// A clock subscription that is not due yet.
struct Waiting {
    userdata: u64,
    /// Nanoseconds from now on.
    left: u64,
}

/// A descriptor of the host that is waited for.
struct Watched<'a> {
    userdata: u64,
    tag: Tag,
    fd: BorrowedFd<'a>,
}

pub(super) fn oneoff(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    out: u32,
) -> Result {
    if count == 0 || count > MAX_SUBSCRIPTIONS {
        return Err(Errno::Inval);
    }
    memory.range(events, count * EVENT)?;
    memory.range(out, 4)?;
    let mut due: SmallVec<[Event; 4]> = SmallVec::new();
    let mut clocks: SmallVec<[Waiting; 4]> = SmallVec::new();
    let mut watched: SmallVec<[Watched<'_>; 4]> = SmallVec::new();
    for bytes in memory.bytes(subscriptions, count * SUBSCRIPTION)?.chunks_exact(48) {
        let word = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| bytes[at + i]));
        let userdata = word(0);
        let tag = match bytes[8] {
            0 => Tag::Clock,
            1 => Tag::Read,
            2 => Tag::Write,
            _ => return Err(Errno::Inval),
        };
        let mut event = |error, bytes| {
            due.push(Event { userdata, error, tag, bytes, flags: 0 });
        };
        if tag == Tag::Clock {
            match time_left(&mut *ctx.clock, word(16) as u32, word(24), word(40) as u16) {
                Ok(0) => event(None, 0),
                Ok(left) => clocks.push(Waiting { userdata, left }),
                Err(error) => event(Some(error), 0),
            }
        } else {
            match ready_bytes(&ctx.fds, word(16) as u32, tag) {
                Ok(Ready::Now(bytes)) => event(None, bytes),
                Ok(Ready::Later(fd)) => watched.push(Watched { userdata, tag, fd }),
                Err(error) => event(Some(error), 0),
            }
        }
    }
    let wait = match due.is_empty() {
        true => clocks.iter().map(|clock| clock.left).min(),
        false => Some(0),
    };
    let happened = if watched.is_empty() {
        if let Some(nanoseconds @ 1..) = wait {
            ctx.clock.sleep(Duration::from_nanos(nanoseconds));
        }
        false
    } else {
        watch(&watched, wait, &mut due)?
    };
    if let Some(wait) = wait
        && !happened
    {
        let passed = clocks.iter().filter(|clock| clock.left <= wait);
        let event = |clock: &Waiting| Event {
            userdata: clock.userdata,
            error: None,
            tag: Tag::Clock,
            bytes: 0,
            flags: 0,
        };
        due.extend(passed.map(event));
    }
    for (at, event) in (events..).step_by(EVENT as usize).zip(&due) {
        memory.write(at, &event.to_bytes())?;
    }
    memory.write_len(out, due.len())
}

/// Nanoseconds until a clock subscription is due.
fn time_left(
    clock: &mut dyn super::clock::Clock,
    id: u32,
    timeout: u64,
    flags: u16,
) -> Result<u64> {
    let id = match ClockId::from_u32(id)? {
        id @ (ClockId::Realtime | ClockId::Monotonic) => id,
        // Who waits uses none of it.
        ClockId::ProcessCpu | ClockId::ThreadCpu => return Err(Errno::NotSup),
    };
    match flags {
        0 => Ok(timeout),
        ABSTIME => Ok(timeout.saturating_sub(clock.now(id))),
        _ => Err(Errno::Inval),
    }
}

enum Ready<'a> {
    /// With this many bytes to read.
    Now(u64),
    Later(BorrowedFd<'a>),
}

fn ready_bytes(fds: &super::table::Table, fd: u32, tag: Tag) -> Result<Ready<'_>> {
    let rights = if tag == Tag::Read { Rights::FD_READ } else { Rights::FD_WRITE };
    let descriptor = fds.get(fd, Rights::POLL_FD_READWRITE | rights)?;
    let stat = descriptor.object.stat()?;
    Ok(match (&descriptor.object, descriptor.object.as_fd()) {
        (Object::Input(pipe), _) => Ready::Now(pipe.len() as u64),
        (_, Some(fd)) if stat.ty != FileType::RegularFile => Ready::Later(fd),
        (_, Some(fd)) if tag == Tag::Read => {
            let position = seek(fd, SeekFrom::Current(0))?;
            Ready::Now(stat.size.saturating_sub(position))
        }
        _ => Ready::Now(0),
    })
}

/// Waits for descriptors, at most so many nanoseconds; gives whether there was an event.
fn watch(
    watched: &[Watched<'_>],
    wait: Option<u64>,
    due: &mut SmallVec<[Event; 4]>,
) -> Result<bool> {
    let mut fds: SmallVec<[PollFd<'_>; 4]> = SmallVec::new();
    for watched in watched {
        let events = if watched.tag == Tag::Read { PollFlags::IN } else { PollFlags::OUT };
        fds.push(PollFd::from_borrowed_fd(watched.fd, events));
    }
    let start = Instant::now();
    let mut left = wait.map(Duration::from_nanos);
    loop {
        let timeout = left.map(|left| Timespec {
            tv_sec: left.as_secs() as i64,
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {
                let wait = wait.map(Duration::from_nanos);
                left = wait.map(|wait| wait.saturating_sub(start.elapsed()));
            }
            result => {
                result?;
                break;
            }
        }
    }
    let before = due.len();
    for (watched, fd) in watched.iter().zip(&fds) {
        let happened = fd.revents();
        if happened.is_empty() {
            continue;
        }
        let readable = watched.tag == Tag::Read && happened.contains(PollFlags::IN);
        // The system does not tell of all devices.
        let bytes = if readable { rustix::io::ioctl_fionread(watched.fd).unwrap_or(1) } else { 0 };
        due.push(Event {
            userdata: watched.userdata,
            error: happened.contains(PollFlags::NVAL).then_some(Errno::Badf),
            tag: watched.tag,
            bytes,
            flags: if happened.contains(PollFlags::HUP) { HANGUP } else { 0 },
        });
    }
    Ok(due.len() > before)
}
