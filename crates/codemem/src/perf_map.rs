//! Names of generated code for `perf`: lines in `/tmp/perf-PID.map`.
//!
//! `perf` looks there, whatever `TMPDIR` says, for names of code in pages without a file. It reads
//! the file when it reports, so of code at an address that was used again, it knows only one name.

use parking_lot::Mutex;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

static MAP: OnceLock<File> = OnceLock::new();

/// The map of this process.
pub fn path() -> PathBuf {
    PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()))
}

/// Opens the map of this process, new and empty; from now on, [`append`] writes to it.
///
/// # Errors
/// If the file cannot be made.
pub fn enable() -> io::Result<()> {
    static ENABLING: Mutex<()> = Mutex::new(());
    let _guard = ENABLING.lock();
    if MAP.get().is_some() {
        return Ok(());
    }
    // Another process's file of an equal number is of no use any more. What stands there is
    // removed instead of followed: `/tmp` is everybody's.
    match std::fs::remove_file(path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new().append(true).create_new(true).open(path())?;
    let _ = MAP.set(file);
    Ok(())
}

/// Notes that `len` bytes of code from `start` are called `name`. Does nothing unless the map is
/// enabled.
pub fn append(name: &str, start: *const u8, len: usize) {
    if let Some(mut map) = MAP.get() {
        let name = name.replace('\n', " ");
        let line = format!("{:x} {len:x} {name}\n", start as usize);
        // A profile without some names is better than a failed program.
        let _ = map.write_all(line.as_bytes());
    }
}
