//! What else there is to do with a descriptor.

use super::ctx::WasiCtx;
use super::errno::{Errno, Result, retry};
use super::memory::Memory;
use super::table::Object;
use super::types::{FdFlags, FstFlags, NewTime, Rights, flags};
use rustix::fd::BorrowedFd;
use rustix::fs::{Advice, FallocateFlags, OFlags, Timestamps};
use std::num::NonZeroU64;

/// The host's descriptor of one that has these rights; streams in memory have none.
fn host(ctx: &WasiCtx, fd: u32, rights: Rights) -> Result<BorrowedFd<'_>> {
    ctx.fds.get(fd, rights)?.object.as_fd().ok_or(Errno::Inval)
}

pub(super) fn advise(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
    advice: u32,
) -> Result {
    let advice = match advice {
        0 => Advice::Normal,
        1 => Advice::Sequential,
        2 => Advice::Random,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        5 => Advice::NoReuse,
        _ => return Err(Errno::Inval),
    };
    let descriptor = ctx.fds.get(fd, Rights::FD_ADVISE)?;
    if i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
        return Err(Errno::Inval);
    }
    match &descriptor.object {
        Object::File(file) => Ok(rustix::fs::fadvise(file, offset, NonZeroU64::new(len), advice)?),
        Object::Dir(_) => Err(Errno::Badf),
        Object::Stdio(_) | Object::Input(_) | Object::Output(_) => Err(Errno::SPipe),
    }
}

pub(super) fn allocate(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    offset: u64,
    len: u64,
) -> Result {
    let file = host(ctx, fd, Rights::FD_ALLOCATE)?;
    retry(|| rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len))
}

pub(super) fn close(ctx: &mut WasiCtx, _: &mut Memory<'_>, fd: u32) -> Result {
    ctx.fds.close(fd)
}

pub(super) fn datasync(ctx: &mut WasiCtx, _: &mut Memory<'_>, fd: u32) -> Result {
    let file = host(ctx, fd, Rights::FD_DATASYNC)?;
    retry(|| rustix::fs::fdatasync(file))
}

pub(super) fn sync(ctx: &mut WasiCtx, _: &mut Memory<'_>, fd: u32) -> Result {
    let file = host(ctx, fd, Rights::FD_SYNC)?;
    retry(|| rustix::fs::fsync(file))
}

pub(super) fn fdstat_get(ctx: &mut WasiCtx, memory: &mut Memory<'_>, fd: u32, out: u32) -> Result {
    let descriptor = ctx.fds.get(fd, Rights::empty())?;
    let mut bytes = [0; 24];
    bytes[0] = descriptor.object.stat()?.ty as u8;
    bytes[2..4].copy_from_slice(&descriptor.flags.bits().to_le_bytes());
    bytes[8..16].copy_from_slice(&descriptor.rights.bits().to_le_bytes());
    bytes[16..24].copy_from_slice(&descriptor.inheriting.bits().to_le_bytes());
    memory.write(out, &bytes)
}

/// Of the flags, those that have writes wait for the disk can only be set when a file is opened.
pub(super) fn fdstat_set_flags(ctx: &mut WasiCtx, _: &mut Memory<'_>, fd: u32, new: u32) -> Result {
    let new: FdFlags = flags(new)?;
    let descriptor = ctx.fds.get_mut(fd, Rights::FD_FDSTAT_SET_FLAGS)?;
    let changed = new ^ descriptor.flags;
    let settable = match &descriptor.object {
        Object::File(_) => FdFlags::APPEND | FdFlags::NONBLOCK,
        // `Descriptor::read` and `write` look at the flag.
        Object::Stdio(_) => FdFlags::NONBLOCK,
        // What is in memory never waits.
        Object::Input(_) | Object::Output(_) => FdFlags::NONBLOCK,
        Object::Dir(_) => FdFlags::empty(),
    };
    if !settable.contains(changed) {
        return Err(Errno::NotSup);
    }
    if let Object::File(file) = &descriptor.object {
        let mut host = rustix::fs::fcntl_getfl(file)?;
        host.set(OFlags::APPEND, new.contains(FdFlags::APPEND));
        host.set(OFlags::NONBLOCK, new.contains(FdFlags::NONBLOCK));
        rustix::fs::fcntl_setfl(file, host)?;
    }
    descriptor.flags = new;
    Ok(())
}

/// Rights can only be given up.
pub(super) fn fdstat_set_rights(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    base: u64,
    inheriting: u64,
) -> Result {
    let descriptor = ctx.fds.get_mut(fd, Rights::empty())?;
    let base = Rights::from_bits(base).ok_or(Errno::NotCapable)?;
    let inheriting = Rights::from_bits(inheriting).ok_or(Errno::NotCapable)?;
    if !descriptor.rights.contains(base) || !descriptor.inheriting.contains(inheriting) {
        return Err(Errno::NotCapable);
    }
    descriptor.rights = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

pub(super) fn filestat_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    out: u32,
) -> Result {
    let stat = ctx.fds.get(fd, Rights::FD_FILESTAT_GET)?.object.stat()?;
    memory.write(out, &stat.to_bytes())
}

pub(super) fn filestat_set_size(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    size: u64,
) -> Result {
    let file = host(ctx, fd, Rights::FD_FILESTAT_SET_SIZE)?;
    retry(|| rustix::fs::ftruncate(file, size))
}

pub(super) fn filestat_set_times(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    atim: u64,
    mtim: u64,
    which: u32,
) -> Result {
    let file = host(ctx, fd, Rights::FD_FILESTAT_SET_TIMES)?;
    let which: FstFlags = flags(which)?;
    let (atim, mtim) = NewTime::both(atim, mtim, which)?;
    let times =
        Timestamps { last_access: atim.to_timespec(), last_modification: mtim.to_timespec() };
    Ok(rustix::fs::futimens(file, &times)?)
}

pub(super) fn renumber(ctx: &mut WasiCtx, _: &mut Memory<'_>, from: u32, to: u32) -> Result {
    ctx.fds.renumber(from, to)
}
