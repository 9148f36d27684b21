//! Clocks.

use super::ctx::WasiCtx;
use super::errno::{Errno, Result};
use super::memory::Memory;
use rustix::time::{ClockId as HostClock, Timespec, clock_getres, clock_gettime};
use std::time::Duration;

/// A clock that a program can read.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ClockId {
    /// Nanoseconds since 1970.
    Realtime,
    /// Nanoseconds since some time, never set back.
    Monotonic,
    /// CPU time of the process.
    ProcessCpu,
    /// CPU time of the thread.
    ThreadCpu,
}

impl ClockId {
    pub(crate) fn from_u32(id: u32) -> Result<ClockId> {
        match id {
            0 => Ok(ClockId::Realtime),
            1 => Ok(ClockId::Monotonic),
            2 => Ok(ClockId::ProcessCpu),
            3 => Ok(ClockId::ThreadCpu),
            _ => Err(Errno::Inval),
        }
    }

    fn host(self) -> HostClock {
        match self {
            ClockId::Realtime => HostClock::Realtime,
            ClockId::Monotonic => HostClock::Monotonic,
            ClockId::ProcessCpu => HostClock::ProcessCPUTime,
            ClockId::ThreadCpu => HostClock::ThreadCPUTime,
        }
    }
}

/// The time as a program sees it. Another than the system's makes runs repeatable.
pub trait Clock: Send {
    /// Nanoseconds on a clock.
    fn now(&mut self, id: ClockId) -> u64;
    /// Nanoseconds between ticks of a clock.
    fn resolution(&mut self, id: ClockId) -> u64;
    /// Lets time pass: what a program waits for without waiting for a descriptor.
    fn sleep(&mut self, duration: Duration);
}

/// The system's clocks.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&mut self, id: ClockId) -> u64 {
        nanoseconds(clock_gettime(id.host()))
    }

    fn resolution(&mut self, id: ClockId) -> u64 {
        nanoseconds(clock_getres(id.host()))
    }

    fn sleep(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A time before 1970 is 0.
fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

pub(super) fn res_get(ctx: &mut WasiCtx, memory: &mut Memory<'_>, id: u32, out: u32) -> Result {
    let resolution = ctx.clock.resolution(ClockId::from_u32(id)?);
    memory.write_u64(out, resolution)
}

pub(super) fn time_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    id: u32,
    _precision: u64,
    out: u32,
) -> Result {
    let now = ctx.clock.now(ClockId::from_u32(id)?);
    memory.write_u64(out, now)
}
