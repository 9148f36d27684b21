//! Descriptors: what the guest has open, and what it may do with it.

use super::errno::{Errno, Result, retry};
use super::stdio::{InputPipe, OutputPipe, Stdio};
use super::types::{FdFlags, FileStat, FileType, Rights};
use cap_std::fs::Dir;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut};

/// A name in a directory.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub bytes: Vec<u8>,
    pub ino: u64,
    pub ty: FileType,
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory {
    pub dir: Dir,
    /// The path under which the guest finds it, if it was open from the beginning.
    pub preopen: Option<Vec<u8>>,
    /// The names as of the last time that the guest began to read them.
    pub listing: Option<Vec<Name>>,
}

impl Directory {
    pub fn new(dir: Dir) -> Directory {
        Directory { dir, preopen: None, listing: None }
    }
}

/// What a descriptor leads to.
#[derive(Debug)]
pub(crate) enum Object {
    Stdio(Stdio),
    Input(InputPipe),
    Output(OutputPipe),
    File(File),
    Dir(Directory),
}

impl Object {
    /// The host's descriptor; none of what is in memory.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Object::Stdio(stdio) => Some(stdio.fd()),
            Object::File(file) => Some(file.as_fd()),
            Object::Dir(directory) => Some(directory.dir.as_fd()),
            Object::Input(_) | Object::Output(_) => None,
        }
    }

    pub fn stat(&self) -> Result<FileStat> {
        match self.as_fd() {
            Some(fd) => Ok(FileStat::from(&rustix::fs::fstat(fd)?)),
            None => Ok(FileStat::of_stream()),
        }
    }
}

/// A descriptor.
#[derive(Debug)]
pub(crate) struct Descriptor {
    pub object: Object,
    pub rights: Rights,
    /// What those opened through it may have.
    pub inheriting: Rights,
    pub flags: FdFlags,
}

impl Descriptor {
    /// A descriptor with all that can be done with the object; `rights` limits that.
    pub fn new(object: Object, rights: Rights, inheriting: Rights, flags: FdFlags) -> Descriptor {
        let mut applicable = match &object {
            Object::Dir(_) => Rights::DIR,
            Object::Stdio(_) | Object::File(_) => Rights::FILE,
            Object::Input(_) | Object::Output(_) => Rights::FILE - Rights::POSITION,
        };
        if let Object::Stdio(_) | Object::File(_) = object
            && object.as_fd().is_some_and(rustix::termios::isatty)
        {
            applicable -= Rights::POSITION;
        }
        let is_dir = matches!(object, Object::Dir(_));
        let inheriting = if is_dir { inheriting } else { Rights::empty() };
        Descriptor { object, rights: rights & applicable, inheriting, flags }
    }

    fn check(&self, rights: Rights) -> Result {
        let missing = rights - self.rights;
        if missing.is_empty() {
            return Ok(());
        }
        let transfer = Rights::FD_READ | Rights::FD_WRITE | Rights::FD_ALLOCATE | Rights::POSITION;
        Err(match self.object {
            Object::Dir(_) if missing == Rights::FD_READ => Errno::IsDir,
            Object::Stdio(_) | Object::Input(_) | Object::Output(_)
                if missing.intersects(Rights::POSITION) =>
            {
                Errno::SPipe
            }
            _ if missing.intersects(transfer) => Errno::Badf,
            _ => Errno::NotCapable,
        })
    }

    pub fn read(&mut self, buffers: &mut [IoSliceMut<'_>]) -> Result<usize> {
        match &mut self.object {
            Object::Stdio(stdio) => {
                if self.flags.contains(FdFlags::NONBLOCK) && !stdio.is_ready(PollFlags::IN)? {
                    return Err(Errno::Again);
                }
                stdio.read(buffers)
            }
            Object::Input(pipe) => pipe.read(buffers),
            Object::File(file) => retry(|| rustix::io::readv(&*file, buffers)),
            Object::Output(_) => Err(Errno::Badf),
            Object::Dir(_) => Err(Errno::IsDir),
        }
    }

    pub fn write(&mut self, buffers: &[IoSlice<'_>]) -> Result<usize> {
        match &mut self.object {
            Object::Stdio(stdio) => {
                if self.flags.contains(FdFlags::NONBLOCK) && !stdio.is_ready(PollFlags::OUT)? {
                    return Err(Errno::Again);
                }
                stdio.write(buffers)
            }
            Object::Output(pipe) => pipe.write(buffers),
            Object::File(file) => retry(|| rustix::io::writev(&*file, buffers)),
            Object::Input(_) | Object::Dir(_) => Err(Errno::Badf),
        }
    }

    /// The host's descriptor of what can be read and written at an offset.
    pub fn positioned(&self) -> Result<BorrowedFd<'_>> {
        self.object.as_fd().ok_or(Errno::SPipe)
    }
}

/// The descriptors by number.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Option<Descriptor>>,
}

impl Table {
    /// Gives a descriptor the lowest number that is free.
    pub fn insert(&mut self, descriptor: Descriptor) -> Result<u32> {
        let free = self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let fd = u32::try_from(free).map_err(|_| Errno::MFile)?;
        if free == self.slots.len() {
            self.slots.push(Some(descriptor));
        } else {
            self.slots[free] = Some(descriptor);
        }
        Ok(fd)
    }

    fn slot(&mut self, fd: u32) -> Result<&mut Option<Descriptor>> {
        self.slots.get_mut(fd as usize).filter(|slot| slot.is_some()).ok_or(Errno::Badf)
    }

    /// A descriptor that has these rights.
    pub fn get(&self, fd: u32, rights: Rights) -> Result<&Descriptor> {
        let descriptor = self.slots.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::Badf)?;
        descriptor.check(rights)?;
        Ok(descriptor)
    }

    /// A descriptor that has these rights.
    pub fn get_mut(&mut self, fd: u32, rights: Rights) -> Result<&mut Descriptor> {
        let descriptor = self.slot(fd)?.as_mut().ok_or(Errno::Badf)?;
        descriptor.check(rights)?;
        Ok(descriptor)
    }

    /// The directory that a descriptor with these rights leads to.
    pub fn dir(&self, fd: u32, rights: Rights) -> Result<&Dir> {
        let descriptor = self.get(fd, Rights::empty())?;
        let Object::Dir(directory) = &descriptor.object else { return Err(Errno::NotDir) };
        descriptor.check(rights)?;
        Ok(&directory.dir)
    }

    /// As [`Table::dir`], with what belongs to it.
    pub fn directory_mut(&mut self, fd: u32, rights: Rights) -> Result<&mut Directory> {
        let descriptor = self.get_mut(fd, Rights::empty())?;
        if !matches!(descriptor.object, Object::Dir(_)) {
            return Err(Errno::NotDir);
        }
        descriptor.check(rights)?;
        let Object::Dir(directory) = &mut descriptor.object else { return Err(Errno::NotDir) };
        Ok(directory)
    }

    /// Closes a descriptor.
    pub fn close(&mut self, fd: u32) -> Result {
        *self.slot(fd)? = None;
        Ok(())
    }

    /// Makes `to`, which is closed, what `from` was.
    pub fn renumber(&mut self, from: u32, to: u32) -> Result {
        self.slot(to)?;
        let moved = self.slot(from)?.take();
        *self.slots.get_mut(to as usize).ok_or(Errno::Badf)? = moved;
        Ok(())
    }
}
