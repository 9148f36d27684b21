//! Types of preview 1 that functions share, and their layout in the guest's memory.

use super::errno::{Errno, Result};
use bitflags::bitflags;
use rustix::fs::{FileType as HostType, Stat};
use std::time::{Duration, SystemTime};

bitflags! {
    /// What may be done with a descriptor.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub(crate) struct Rights: u64 {
        const FD_DATASYNC = 1 << 0;
        const FD_READ = 1 << 1;
        const FD_SEEK = 1 << 2;
        const FD_FDSTAT_SET_FLAGS = 1 << 3;
        const FD_SYNC = 1 << 4;
        const FD_TELL = 1 << 5;
        const FD_WRITE = 1 << 6;
        const FD_ADVISE = 1 << 7;
        const FD_ALLOCATE = 1 << 8;
        const PATH_CREATE_DIRECTORY = 1 << 9;
        const PATH_CREATE_FILE = 1 << 10;
        const PATH_LINK_SOURCE = 1 << 11;
        const PATH_LINK_TARGET = 1 << 12;
        const PATH_OPEN = 1 << 13;
        const FD_READDIR = 1 << 14;
        const PATH_READLINK = 1 << 15;
        const PATH_RENAME_SOURCE = 1 << 16;
        const PATH_RENAME_TARGET = 1 << 17;
        const PATH_FILESTAT_GET = 1 << 18;
        const PATH_FILESTAT_SET_SIZE = 1 << 19;
        const PATH_FILESTAT_SET_TIMES = 1 << 20;
        const FD_FILESTAT_GET = 1 << 21;
        const FD_FILESTAT_SET_SIZE = 1 << 22;
        const FD_FILESTAT_SET_TIMES = 1 << 23;
        const PATH_SYMLINK = 1 << 24;
        const PATH_REMOVE_DIRECTORY = 1 << 25;
        const PATH_UNLINK_FILE = 1 << 26;
        const POLL_FD_READWRITE = 1 << 27;
        const SOCK_SHUTDOWN = 1 << 28;
        const SOCK_ACCEPT = 1 << 29;
    }

    /// How a descriptor is used.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub(crate) struct FdFlags: u16 {
        const APPEND = 1 << 0;
        const DSYNC = 1 << 1;
        const NONBLOCK = 1 << 2;
        const RSYNC = 1 << 3;
        const SYNC = 1 << 4;
    }

    /// How a path is opened.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub(crate) struct OFlags: u16 {
        const CREAT = 1 << 0;
        const DIRECTORY = 1 << 1;
        const EXCL = 1 << 2;
        const TRUNC = 1 << 3;
    }

    /// Which times to set, and to what.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub(crate) struct FstFlags: u16 {
        const ATIM = 1 << 0;
        const ATIM_NOW = 1 << 1;
        const MTIM = 1 << 2;
        const MTIM_NOW = 1 << 3;
    }
}

impl Rights {
    /// What can be done with a file.
    pub const FILE: Rights = Rights::FD_DATASYNC
        .union(Rights::FD_READ)
        .union(Rights::FD_SEEK)
        .union(Rights::FD_FDSTAT_SET_FLAGS)
        .union(Rights::FD_SYNC)
        .union(Rights::FD_TELL)
        .union(Rights::FD_WRITE)
        .union(Rights::FD_ADVISE)
        .union(Rights::FD_ALLOCATE)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_SIZE)
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::POLL_FD_READWRITE);

    /// What can be done with a directory.
    pub const DIR: Rights = Rights::FD_FDSTAT_SET_FLAGS
        .union(Rights::FD_SYNC)
        .union(Rights::FD_ADVISE)
        .union(Rights::PATH_CREATE_DIRECTORY)
        .union(Rights::PATH_CREATE_FILE)
        .union(Rights::PATH_LINK_SOURCE)
        .union(Rights::PATH_LINK_TARGET)
        .union(Rights::PATH_OPEN)
        .union(Rights::FD_READDIR)
        .union(Rights::PATH_READLINK)
        .union(Rights::PATH_RENAME_SOURCE)
        .union(Rights::PATH_RENAME_TARGET)
        .union(Rights::PATH_FILESTAT_GET)
        .union(Rights::PATH_FILESTAT_SET_SIZE)
        .union(Rights::PATH_FILESTAT_SET_TIMES)
        .union(Rights::FD_FILESTAT_GET)
        .union(Rights::FD_FILESTAT_SET_TIMES)
        .union(Rights::PATH_SYMLINK)
        .union(Rights::PATH_REMOVE_DIRECTORY)
        .union(Rights::PATH_UNLINK_FILE);

    /// What a terminal cannot do; by these rights a C library tells one from other devices.
    pub const POSITION: Rights = Rights::FD_SEEK.union(Rights::FD_TELL);
}

/// Flags of a parameter; unknown ones are an error.
pub(crate) fn flags<F: bitflags::Flags<Bits = u16>>(bits: u32) -> Result<F> {
    u16::try_from(bits).ok().and_then(F::from_bits).ok_or(Errno::Inval)
}

/// Kinds of files.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FileType {
    Unknown = 0,
    BlockDevice = 1,
    CharacterDevice = 2,
    Directory = 3,
    RegularFile = 4,
    SocketStream = 6,
    SymbolicLink = 7,
}

impl From<HostType> for FileType {
    fn from(ty: HostType) -> FileType {
        match ty {
            HostType::RegularFile => FileType::RegularFile,
            HostType::Directory => FileType::Directory,
            HostType::Symlink => FileType::SymbolicLink,
            HostType::CharacterDevice => FileType::CharacterDevice,
            HostType::BlockDevice => FileType::BlockDevice,
            HostType::Socket => FileType::SocketStream,
            // There is no number for a pipe.
            HostType::Fifo | HostType::Unknown => FileType::Unknown,
        }
    }
}

/// What is known of a file.
#[derive(Copy, Clone, Debug)]
pub(crate) struct FileStat {
    pub dev: u64,
    pub ino: u64,
    pub ty: FileType,
    pub nlink: u64,
    pub size: u64,
    /// Times are nanoseconds since 1970.
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

impl FileStat {
    pub const SIZE: usize = 64;

    pub fn to_bytes(self) -> [u8; FileStat::SIZE] {
        let FileStat { dev, ino, ty, nlink, size, atim, mtim, ctim } = self;
        let mut bytes = [0; FileStat::SIZE];
        let words = [dev, ino, u64::from(ty as u8), nlink, size, atim, mtim, ctim];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// A stream that is in memory.
    pub fn of_stream() -> FileStat {
        let ty = FileType::Unknown;
        FileStat { dev: 0, ino: 0, ty, nlink: 1, size: 0, atim: 0, mtim: 0, ctim: 0 }
    }
}

// Fields of `Stat` have other types on other systems.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion, reason = "other systems' types")]
impl From<&Stat> for FileStat {
    fn from(stat: &Stat) -> FileStat {
        FileStat {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            ty: HostType::from_raw_mode(stat.st_mode).into(),
            nlink: stat.st_nlink as u64,
            size: stat.st_size as u64,
            atim: nanoseconds(stat.st_atime as i64, stat.st_atime_nsec as i64),
            mtim: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctim: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

impl From<&cap_std::fs::Metadata> for FileStat {
    fn from(metadata: &cap_std::fs::Metadata) -> FileStat {
        use cap_std::fs::MetadataExt;
        FileStat {
            dev: metadata.dev(),
            ino: metadata.ino(),
            ty: HostType::from_raw_mode(metadata.mode()).into(),
            nlink: metadata.nlink(),
            size: metadata.size(),
            atim: nanoseconds(metadata.atime(), metadata.atime_nsec()),
            mtim: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctim: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A time of the host; one before 1970 or after 2554 is the next that there is.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(nanoseconds).unwrap_or(0))
}

/// A time to set: none leaves it as it is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum NewTime {
    Keep,
    Now,
    At(u64),
}

impl NewTime {
    /// The new time of access and of modification.
    pub fn both(atim: u64, mtim: u64, flags: FstFlags) -> Result<(NewTime, NewTime)> {
        let choose =
            |at: FstFlags, now: FstFlags, time| match (flags.contains(at), flags.contains(now)) {
                (true, true) => Err(Errno::Inval),
                (true, false) => Ok(NewTime::At(time)),
                (false, true) => Ok(NewTime::Now),
                (false, false) => Ok(NewTime::Keep),
            };
        let atim = choose(FstFlags::ATIM, FstFlags::ATIM_NOW, atim)?;
        Ok((atim, choose(FstFlags::MTIM, FstFlags::MTIM_NOW, mtim)?))
    }

    pub fn to_timespec(self) -> rustix::fs::Timespec {
        use rustix::fs::{Timespec, UTIME_NOW, UTIME_OMIT};
        match self {
            NewTime::Keep => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            NewTime::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            NewTime::At(time) => Timespec {
                tv_sec: (time / 1_000_000_000) as i64,
                tv_nsec: (time % 1_000_000_000) as i64,
            },
        }
    }

    pub fn to_spec(self) -> Option<cap_fs_ext::SystemTimeSpec> {
        use cap_fs_ext::SystemTimeSpec;
        match self {
            NewTime::Keep => None,
            NewTime::Now => Some(SystemTimeSpec::SymbolicNow),
            NewTime::At(time) => {
                let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time);
                Some(SystemTimeSpec::Absolute(cap_std::time::SystemTime::from_std(time)))
            }
        }
    }
}
