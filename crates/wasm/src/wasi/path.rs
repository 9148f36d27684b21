//! Paths, each relative to an open directory. That none leads out of it is cap-std's work: `..`,
//! absolute paths and symbolic links are resolved inside, or the call fails.

use super::ctx::WasiCtx;
use super::errno::{Errno, Result};
use super::memory::Memory;
use super::table::{Descriptor, Directory, Object};
use super::types::{FdFlags, FileStat, FileType, FstFlags, NewTime, OFlags, Rights, flags};
use cap_fs_ext::{
    DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt, OpenOptionsSyncExt,
};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path in the guest's memory. It may have any bytes that the host's paths may.
fn path<'a>(memory: &'a Memory<'_>, at: u32, len: u32) -> Result<&'a Path> {
    let bytes = memory.bytes(at, len)?;
    if bytes.contains(&0) {
        return Err(Errno::Inval);
    }
    if bytes.is_empty() {
        return Err(Errno::NoEnt);
    }
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

/// Whether symbolic links at a path's end are followed.
fn follows(lookup: u32) -> Result<bool> {
    match lookup {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::Inval),
    }
}

pub(super) fn create_directory(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    at: u32,
    len: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_CREATE_DIRECTORY)?;
    Ok(dir.create_dir(path(memory, at, len)?)?)
}

pub(super) fn filestat_get(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    at: u32,
    len: u32,
    out: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_FILESTAT_GET)?;
    let path = path(memory, at, len)?;
    let metadata = match follows(lookup)? {
        true => dir.metadata(path)?,
        false => dir.symlink_metadata(path)?,
    };
    memory.write(out, &FileStat::from(&metadata).to_bytes())
}

#[expect(clippy::too_many_arguments, reason = "the interface's")]
pub(super) fn filestat_set_times(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    at: u32,
    len: u32,
    atim: u64,
    mtim: u64,
    which: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_FILESTAT_SET_TIMES)?;
    let path = path(memory, at, len)?;
    let which: FstFlags = flags(which)?;
    let (atim, mtim) = NewTime::both(atim, mtim, which)?;
    match follows(lookup)? {
        true => DirExt::set_times(dir, path, atim.to_spec(), mtim.to_spec())?,
        false => dir.set_symlink_times(path, atim.to_spec(), mtim.to_spec())?,
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the interface's")]
pub(super) fn link(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    old_fd: u32,
    old_lookup: u32,
    old_at: u32,
    old_len: u32,
    new_fd: u32,
    new_at: u32,
    new_len: u32,
) -> Result {
    let from = ctx.fds.dir(old_fd, Rights::PATH_LINK_SOURCE)?;
    let to = ctx.fds.dir(new_fd, Rights::PATH_LINK_TARGET)?;
    let (old, new) = (path(memory, old_at, old_len)?, path(memory, new_at, new_len)?);
    match follows(old_lookup)? {
        true => from.hard_link(from.canonicalize(old)?, to, new)?,
        false => from.hard_link(old, to, new)?,
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the interface's")]
pub(super) fn open(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    lookup: u32,
    at: u32,
    len: u32,
    how: u32,
    base: u64,
    inheriting: u64,
    fd_flags: u32,
    out: u32,
) -> Result {
    let how: OFlags = flags(how)?;
    let fd_flags: FdFlags = flags(fd_flags)?;
    let follow = follows(lookup)?;
    let mut needed = Rights::PATH_OPEN;
    needed.set(Rights::PATH_CREATE_FILE, how.contains(OFlags::CREAT));
    needed.set(Rights::PATH_FILESTAT_SET_SIZE, how.contains(OFlags::TRUNC));
    let dir = ctx.fds.dir(fd, needed)?;
    let parent = ctx.fds.get(fd, needed)?.inheriting;
    // Rights that nobody knows, or that do not apply, are not an error: C libraries ask for all.
    let (base, inheriting) =
        (Rights::from_bits_truncate(base), Rights::from_bits_truncate(inheriting));
    if !parent.contains(base & (Rights::FD_READ | Rights::FD_WRITE)) {
        return Err(Errno::NotCapable);
    }
    memory.range(out, 4)?;
    let object = open_object(dir, path(memory, at, len)?, how, follow, fd_flags, base)?;
    let descriptor = Descriptor::new(object, base & parent, inheriting & parent, fd_flags);
    memory.write_u32(out, ctx.fds.insert(descriptor)?)
}

fn open_object(
    dir: &Dir,
    path: &Path,
    how: OFlags,
    follow: bool,
    fd_flags: FdFlags,
    rights: Rights,
) -> Result<Object> {
    let directory = how.contains(OFlags::DIRECTORY);
    if directory && how.intersects(OFlags::CREAT | OFlags::EXCL | OFlags::TRUNC) {
        return Err(Errno::Inval);
    }
    let writes =
        Rights::FD_WRITE | Rights::FD_DATASYNC | Rights::FD_ALLOCATE | Rights::FD_FILESTAT_SET_SIZE;
    // Directories are only ever opened to be read, and to create or cut off is to write.
    let write =
        !directory && (rights.intersects(writes) || how.intersects(OFlags::CREAT | OFlags::TRUNC));
    let read = !write || rights.intersects(Rights::FD_READ | Rights::FD_READDIR);
    let mut options = OpenOptions::new();
    options
        .read(read)
        .write(write)
        .create(how.contains(OFlags::CREAT))
        .create_new(how.contains(OFlags::CREAT | OFlags::EXCL))
        .truncate(how.contains(OFlags::TRUNC))
        .maybe_dir(true)
        .follow(if follow { FollowSymlinks::Yes } else { FollowSymlinks::No })
        .sync(fd_flags.contains(FdFlags::SYNC))
        .dsync(fd_flags.contains(FdFlags::DSYNC))
        .rsync(fd_flags.contains(FdFlags::RSYNC))
        .nonblock(fd_flags.contains(FdFlags::NONBLOCK));
    if fd_flags.contains(FdFlags::APPEND) && write {
        options.append(true);
    }
    if directory {
        options.custom_flags(rustix::fs::OFlags::DIRECTORY.bits() as i32);
    }
    let file = dir.open_with(path, &options)?.into_std();
    let ty = FileStat::from(&rustix::fs::fstat(&file)?).ty;
    match ty {
        FileType::Directory => Ok(Object::Dir(Directory::new(Dir::from_std_file(file)))),
        _ if directory => Err(Errno::NotDir),
        _ => Ok(Object::File(file)),
    }
}

/// The link's contents, cut off where the buffer ends.
#[expect(clippy::too_many_arguments, reason = "the interface's")]
pub(super) fn readlink(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    at: u32,
    len: u32,
    buffer: u32,
    buffer_len: u32,
    out: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_READLINK)?;
    let target = dir.read_link_contents(path(memory, at, len)?)?;
    memory.range(out, 4)?;
    let target = target.as_os_str().as_bytes();
    let used = target.len().min(buffer_len as usize);
    memory.bytes_mut(buffer, buffer_len)?[..used].copy_from_slice(&target[..used]);
    memory.write_len(out, used)
}

pub(super) fn remove_directory(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    at: u32,
    len: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_REMOVE_DIRECTORY)?;
    Ok(dir.remove_dir(path(memory, at, len)?)?)
}

#[expect(clippy::too_many_arguments, reason = "the interface's")]
pub(super) fn rename(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    old_fd: u32,
    old_at: u32,
    old_len: u32,
    new_fd: u32,
    new_at: u32,
    new_len: u32,
) -> Result {
    let from = ctx.fds.dir(old_fd, Rights::PATH_RENAME_SOURCE)?;
    let to = ctx.fds.dir(new_fd, Rights::PATH_RENAME_TARGET)?;
    let (old, new) = (path(memory, old_at, old_len)?, path(memory, new_at, new_len)?);
    Ok(from.rename(old, to, new)?)
}

/// A link may not have an absolute path, but may lead anywhere: it is followed inside only.
pub(super) fn symlink(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    old_at: u32,
    old_len: u32,
    fd: u32,
    new_at: u32,
    new_len: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_SYMLINK)?;
    let (old, new) = (path(memory, old_at, old_len)?, path(memory, new_at, new_len)?);
    Ok(DirExt::symlink(dir, old, new)?)
}

pub(super) fn unlink_file(
    ctx: &mut WasiCtx,
    memory: &mut Memory<'_>,
    fd: u32,
    at: u32,
    len: u32,
) -> Result {
    let dir = ctx.fds.dir(fd, Rights::PATH_UNLINK_FILE)?;
    Ok(dir.remove_file(path(memory, at, len)?)?)
}
