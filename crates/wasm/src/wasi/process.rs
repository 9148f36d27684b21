//! Arguments, environment, random bytes, signals, and sockets, of which there are none.

use super::ctx::WasiCtx;
use super::errno::{Errno, Result};
use super::memory::Memory;
use super::types::Rights;

pub(super) fn args_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    pointers: u32,
    bytes: u32,
) -> Result {
    write_strings(memory, &ctx.args, pointers, bytes)
}

pub(super) fn args_sizes_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    count: u32,
    size: u32,
) -> Result {
    write_sizes(memory, &ctx.args, count, size)
}

pub(super) fn environ_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    pointers: u32,
    bytes: u32,
) -> Result {
    write_strings(memory, &ctx.env, pointers, bytes)
}

pub(super) fn environ_sizes_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    count: u32,
    size: u32,
) -> Result {
    write_sizes(memory, &ctx.env, count, size)
}

/// Writes strings, each with a zero behind it, and the addresses of all.
fn write_strings(
    memory: &mut Memory<'_>,
    strings: &[Vec<u8>],
    pointers: u32,
    bytes: u32,
) -> Result {
    let (mut pointer, mut at) = (pointers, bytes);
    for string in strings {
        memory.write_u32(pointer, at)?;
        memory.write(at, string)?;
        // Both lie inside the memory, so that they cannot have wrapped, but their ends may be its.
        let end = u64::from(at) + string.len() as u64;
        let end = u32::try_from(end).map_err(|_| Errno::Fault)?;
        memory.write(end, &[0])?;
        at = end.wrapping_add(1);
        pointer = pointer.wrapping_add(4);
    }
    Ok(())
}

fn write_sizes(memory: &mut Memory<'_>, strings: &[Vec<u8>], count: u32, size: u32) -> Result {
    memory.write_len(count, strings.len())?;
    memory.write_len(size, strings.iter().map(|string| string.len() + 1).sum())
}

pub(super) fn random_get(ctx: &mut WasiCtx, memory: &mut Memory<'_>, at: u32, len: u32) -> Result {
    (ctx.random)(memory.bytes_mut(at, len)?)
}

pub(super) fn sched_yield(_: &mut WasiCtx, _: &mut Memory<'_>) -> Result {
    std::thread::yield_now();
    Ok(())
}

/// Programs have no signals.
pub(super) fn proc_raise(_: &mut WasiCtx, _: &mut Memory<'_>, signal: u32) -> Result {
    Err(if signal <= 30 { Errno::NotSup } else { Errno::Inval })
}

/// No descriptor is a socket.
fn no_socket(ctx: &WasiCtx, fd: u32) -> Result {
    ctx.fds.get(fd, Rights::empty())?;
    Err(Errno::NotSock)
}

pub(super) fn sock_accept(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    _flags: u32,
    _out: u32,
) -> Result {
    no_socket(ctx, fd)
}

#[expect(clippy::too_many_arguments, reason = "the interface's")]
pub(super) fn sock_recv(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    _list: u32,
    _count: u32,
    _flags: u32,
    _len_out: u32,
    _flags_out: u32,
) -> Result {
    no_socket(ctx, fd)
}

pub(super) fn sock_send(
    ctx: &mut WasiCtx,
    _: &mut Memory<'_>,
    fd: u32,
    _list: u32,
    _count: u32,
    _flags: u32,
    _out: u32,
) -> Result {
    no_socket(ctx, fd)
}

pub(super) fn sock_shutdown(ctx: &mut WasiCtx, _: &mut Memory<'_>, fd: u32, _how: u32) -> Result {
    no_socket(ctx, fd)
}
