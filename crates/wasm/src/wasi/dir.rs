//! Directories: those that are open from the beginning, and what is in them.
//!
//! A cookie is an index into the listing, which is taken when the guest begins to read (cookie 0)
//! and stands until it begins again. So the guest may create and remove files meanwhile, and may
//! read with a buffer however small.

use super::ctx::WasiCtx;
use super::errno::{Errno, Result};
use super::memory::Memory;
use super::table::{Directory, Name};
use super::types::Rights;

/// Bytes in front of a name.
const HEADER: usize = 24;

pub(super) fn prestat_get(ctx: &mut WasiCtx, memory: &mut Memory<'_>, fd: u32, out: u32) -> Result {
    let path = preopen(ctx, fd)?;
    // The tag 0 says that it is a directory.
    memory.write_u32(out, 0)?;
    memory.write_len(out.checked_add(4).ok_or(Errno::Fault)?, path.len())
}

pub(super) fn prestat_dir_name(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    out: u32,
    len: u32,
) -> Result {
    let path = preopen(ctx, fd)?;
    if path.len() > len as usize {
        return Err(Errno::NameTooLong);
    }
    memory.write(out, path)
}

fn preopen(ctx: &mut WasiCtx, fd: u32) -> Result<&[u8]> {
    let directory = ctx.fds.directory_mut(fd, Rights::empty()).map_err(|_| Errno::Badf)?;
    directory.preopen.as_deref().ok_or(Errno::Badf)
}

pub(super) fn readdir(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    buffer: u32,
    len: u32,
    cookie: u64,
    out: u32,
) -> Result {
    let directory = ctx.fds.directory_mut(fd, Rights::FD_READDIR)?;
    memory.range(out, 4)?;
    let buffer = memory.bytes_mut(buffer, len)?;
    if cookie == 0 {
        directory.listing = None;
    }
    let names = match &mut directory.listing {
        Some(names) => names,
        None => {
            let names = read_names(directory)?;
            directory.listing.insert(names)
        }
    };
    let first = usize::try_from(cookie).unwrap_or(usize::MAX).min(names.len());
    let mut used = 0;
    for (name, next) in names[first..].iter().zip(first as u64 + 1..) {
        // A name that does not fit is cut off; the guest sees that by the buffer's being full.
        let header = header(name, next)?;
        used += copy(&mut buffer[used..], &header);
        used += copy(&mut buffer[used..], &name.bytes);
        if used == buffer.len() {
            break;
        }
    }
    memory.write_len(out, used)
}

fn header(name: &Name, next: u64) -> Result<[u8; HEADER]> {
    let len = u32::try_from(name.bytes.len()).map_err(|_| Errno::Overflow)?;
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(&next.to_le_bytes());
    header[8..16].copy_from_slice(&name.ino.to_le_bytes());
    header[16..20].copy_from_slice(&len.to_le_bytes());
    header[20] = name.ty as u8;
    Ok(header)
}

/// Copies as much as there is room for.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let len = to.len().min(from.len());
    to[..len].copy_from_slice(&from[..len]);
    len
}

/// All names, `.` and `..` among them.
fn read_names(directory: &Directory) -> Result<Vec<Name>> {
    let entries = rustix::fs::Dir::read_from(&directory.dir)?;
    let name = |entry: rustix::io::Result<rustix::fs::DirEntry>| {
        let entry = entry?;
        let bytes = entry.file_name().to_bytes().to_owned();
        Ok(Name { bytes, ino: entry.ino(), ty: entry.file_type().into() })
    };
    entries.map(name).collect()
}
