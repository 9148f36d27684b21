//! Reading, writing and positions.

use super::ctx::WasiCtx;
use super::errno::{Errno, Result, retry};
use super::memory::Memory;
use super::types::Rights;
use rustix::fs::{SeekFrom, seek as host_seek};

pub(super) fn read(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    list: u32,
    count: u32,
    out: u32,
) -> Result {
    let descriptor = ctx.fds.get_mut(fd, Rights::FD_READ)?;
    let ranges = memory.buffers(list, count)?;
    // Checked before anything is read, which would be lost.
    memory.range(out, 4)?;
    let len = if ranges.is_empty() { 0 } else { descriptor.read(&mut memory.targets(&ranges))? };
    memory.write_len(out, len)
}

pub(super) fn write(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    list: u32,
    count: u32,
    out: u32,
) -> Result {
    let descriptor = ctx.fds.get_mut(fd, Rights::FD_WRITE)?;
    let ranges = memory.buffers(list, count)?;
    memory.range(out, 4)?;
    let len = if ranges.is_empty() { 0 } else { descriptor.write(&memory.sources(&ranges))? };
    memory.write_len(out, len)
}

pub(super) fn pread(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    list: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Result {
    let file = ctx.fds.get(fd, Rights::FD_READ | Rights::FD_SEEK)?.positioned()?;
    let ranges = memory.buffers(list, count)?;
    memory.range(out, 4)?;
    let len = {
        let mut targets = memory.targets(&ranges);
        retry(|| rustix::io::preadv(file, &mut targets, offset))?
    };
    memory.write_len(out, len)
}

/// Where a file was opened to append, Linux writes at its end whatever the offset.
pub(super) fn pwrite(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    list: u32,
    count: u32,
    offset: u64,
    out: u32,
) -> Result {
    let file = ctx.fds.get(fd, Rights::FD_WRITE | Rights::FD_SEEK)?.positioned()?;
    let ranges = memory.buffers(list, count)?;
    memory.range(out, 4)?;
    let len = retry(|| rustix::io::pwritev(file, &memory.sources(&ranges), offset))?;
    memory.write_len(out, len)
}

pub(super) fn seek(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    offset: u64,
    whence: u32,
    out: u32,
) -> Result {
    let offset = offset as i64;
    let to = match whence {
        0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Inval)?),
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => return Err(Errno::Inval),
    };
    // To ask for the position is not to change it.
    let rights = if to == SeekFrom::Current(0) { Rights::FD_TELL } else { Rights::POSITION };
    let file = ctx.fds.get(fd, rights)?.positioned()?;
    memory.range(out, 8)?;
    memory.write_u64(out, host_seek(file, to)?)
}

pub(super) fn tell(ctx: &mut WasiCtx, memory: &mut Memory<'_>, fd: u32, out: u32) -> Result {
    let file = ctx.fds.get(fd, Rights::FD_TELL)?.positioned()?;
    memory.write_u64(out, host_seek(file, SeekFrom::Current(0))?)
}
