//! Error numbers of preview 1, and the host's errors as such.

use rustix::io::Errno as Host;
use std::io;

macro_rules! errnos {
    ($($Name:ident = $code:literal, $host:ident;)*) => {
        /// An error number; success is no error.
        #[derive(Copy, Clone, Debug, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Errno {
            $($Name = $code,)*
            /// A capability that a descriptor lacks; no host has this error.
            NotCapable = 76,
        }

        impl From<Host> for Errno {
            fn from(error: Host) -> Errno {
                match error {
                    $(Host::$host => Errno::$Name,)*
                    _ => Errno::Io,
                }
            }
        }
    };
}

// The numbers that no function here gives by itself are there for what the host says.
errnos! {
    TooBig = 1, TOOBIG;
    Access = 2, ACCESS;
    Again = 6, AGAIN;
    Badf = 8, BADF;
    Busy = 10, BUSY;
    Deadlock = 16, DEADLK;
    Dom = 18, DOM;
    Dquot = 19, DQUOT;
    Exist = 20, EXIST;
    Fault = 21, FAULT;
    FBig = 22, FBIG;
    Ilseq = 25, ILSEQ;
    Intr = 27, INTR;
    Inval = 28, INVAL;
    Io = 29, IO;
    IsDir = 31, ISDIR;
    Loop = 32, LOOP;
    MFile = 33, MFILE;
    MLink = 34, MLINK;
    NameTooLong = 37, NAMETOOLONG;
    NFile = 41, NFILE;
    NoDev = 43, NODEV;
    NoEnt = 44, NOENT;
    NoLck = 46, NOLCK;
    NoMem = 48, NOMEM;
    NoSpc = 51, NOSPC;
    NoSys = 52, NOSYS;
    NotDir = 54, NOTDIR;
    NotEmpty = 55, NOTEMPTY;
    NotSock = 57, NOTSOCK;
    NotSup = 58, OPNOTSUPP;
    NoTty = 59, NOTTY;
    Nxio = 60, NXIO;
    Overflow = 61, OVERFLOW;
    Perm = 63, PERM;
    Pipe = 64, PIPE;
    Range = 68, RANGE;
    Rofs = 69, ROFS;
    SPipe = 70, SPIPE;
    Stale = 72, STALE;
    TimedOut = 73, TIMEDOUT;
    TxtBsy = 74, TXTBSY;
    Xdev = 75, XDEV;
}

/// What functions give.
pub(crate) type Result<T = ()> = std::result::Result<T, Errno>;

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        if let Some(host) = Host::from_io_error(&error) {
            return host.into();
        }
        // Errors that cap-std makes itself: the first is a path that leads out of its directory.
        match error.kind() {
            io::ErrorKind::PermissionDenied => Errno::Perm,
            io::ErrorKind::NotFound => Errno::NoEnt,
            io::ErrorKind::AlreadyExists => Errno::Exist,
            io::ErrorKind::InvalidInput => Errno::Inval,
            io::ErrorKind::NotADirectory => Errno::NotDir,
            io::ErrorKind::IsADirectory => Errno::IsDir,
            io::ErrorKind::Unsupported => Errno::NotSup,
            _ => Errno::Io,
        }
    }
}

/// Does it again as long as a signal interrupts it.
pub(crate) fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Host::INTR) => {}
            other => return Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_host_keep_their_meaning() {
        assert_eq!(Errno::from(Host::NOENT), Errno::NoEnt);
        assert_eq!(
            Errno::from(io::Error::from_raw_os_error(Host::XDEV.raw_os_error())),
            Errno::Xdev
        );
        assert_eq!(Errno::from(io::Error::from(io::ErrorKind::PermissionDenied)), Errno::Perm);
        assert_eq!(Errno::from(Host::NOTBLK), Errno::Io);
    }

    #[test]
    fn interrupted_calls_are_repeated() {
        let mut left = 3;
        let result = retry(|| {
            left -= 1;
            if left > 0 { Err(Host::INTR) } else { Ok(left) }
        });
        assert_eq!(result, Ok(0));
        assert_eq!(retry::<()>(|| Err(Host::PIPE)), Err(Errno::Pipe));
    }
}
