//! Reading directories.

use crate::guest::{Guest, TempDir, errno, flags};
use std::collections::BTreeMap;

/// An entry: what to go on with, inode, type, name.
type Entry = (u64, u64, u8, String);

/// The whole entries in a buffer of this size from a cookie on, and how much of it was used.
fn read(guest: &mut Guest, fd: i64, len: usize, cookie: u64) -> Result<(Vec<Entry>, usize), u16> {
    let buffer = guest.put(&vec![0xee; len]);
    let used = guest.get_u32("fd_readdir", &[fd, buffer, len as i64, cookie as i64])? as usize;
    let bytes = guest.bytes(buffer, used);
    let mut entries = Vec::new();
    let mut at = 0;
    while at + 24 <= used {
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        let name_len = word(at + 16) as u32 as usize;
        if at + 24 + name_len > used {
            break;
        }
        let name = String::from_utf8(bytes[at + 24..][..name_len].to_vec()).expect("UTF-8");
        entries.push((word(at), word(at + 8), bytes[at + 20], name));
        at += 24 + name_len;
    }
    Ok((entries, used))
}

#[test]
fn all_names_with_their_types() {
    let dir = TempDir::new();
    dir.file("f", "").dir("d").link("l", "f");
    let mut guest = Guest::with_dir(&dir);
    let (entries, used) = read(&mut guest, 3, 1000, 0).expect("a directory");
    assert!(used < 1000);
    let types: BTreeMap<&str, u8> = entries.iter().map(|e| (e.3.as_str(), e.2)).collect();
    assert_eq!(types, BTreeMap::from([(".", 3), ("..", 3), ("d", 3), ("f", 4), ("l", 7)]));
    let inode = guest.path_stat(3, 1, "f").expect("there")[1];
    assert!(entries.iter().any(|entry| entry.3 == "f" && entry.1 == inode));
    let (next, used) = read(&mut guest, 3, 1000, entries.len() as u64).expect("a directory");
    assert_eq!((next, used), (vec![], 0));
    assert_eq!(read(&mut guest, 3, 1000, u64::MAX), Ok((vec![], 0)));
}

#[test]
fn small_buffers_and_cookies() {
    let dir = TempDir::new();
    for i in 0..50 {
        dir.file(&format!("file-{i:0width$}", width = 1 + i % 7), "");
    }
    let mut guest = Guest::with_dir(&dir);
    let (all, _) = read(&mut guest, 3, 10_000, 0).expect("a directory");
    assert_eq!(all.len(), 52);
    // A buffer that holds the longest name, one that holds two, and one byte more or less.
    for len in [36, 37, 59, 72, 73, 100] {
        let mut names = Vec::new();
        let mut cookie = 0;
        loop {
            let (entries, used) = read(&mut guest, 3, len, cookie).expect("a directory");
            let Some(last) = entries.last() else {
                assert_eq!(used, 0);
                break;
            };
            cookie = last.0;
            names.extend(entries);
            if used < len {
                break;
            }
        }
        assert_eq!(names, all, "{len}");
    }
    // One that holds no name is full all the same, so that the guest knows that there is more.
    for len in [0, 1, 23, 24, 25] {
        assert_eq!(read(&mut guest, 3, len, 0), Ok((vec![], len)), "{len}");
    }
    // From anywhere.
    let (rest, _) = read(&mut guest, 3, 10_000, all[20].0).expect("a directory");
    assert_eq!(rest, all[21..]);
}

#[test]
fn files_that_come_and_go_while_a_directory_is_read() {
    let dir = TempDir::new();
    for name in ["a", "b", "c", "d"] {
        dir.file(name, "");
    }
    let mut guest = Guest::with_dir(&dir);
    let fd = guest.open(3, ".", flags::DIRECTORY).expect("there");
    let mut cookie = 0;
    let mut removed = 0;
    loop {
        let (entries, _) = read(&mut guest, fd, 30, cookie).expect("a directory");
        let Some((next, _, _, name)) = entries.first() else { break };
        cookie = *next;
        if !name.starts_with('.') {
            assert_eq!(guest.path("path_unlink_file", fd, &[], name, &[]), 0);
            removed += 1;
        }
    }
    assert_eq!(removed, 4);
    dir.file("new", "");
    let (entries, _) = read(&mut guest, fd, 1000, 0).expect("a directory");
    assert_eq!(entries.len(), 3);
    // A cookie without a reading from the start.
    let other = guest.open(3, ".", flags::DIRECTORY).expect("there");
    assert_eq!(read(&mut guest, other, 1000, 2).expect("a directory").0.len(), 1);
}

#[test]
fn what_is_not_to_be_read() {
    let dir = TempDir::new();
    dir.file("f", "");
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", 0).expect("there");
    assert_eq!(read(&mut guest, file, 100, 0), Err(errno::NOTDIR));
    assert_eq!(read(&mut guest, 0, 100, 0), Err(errno::NOTDIR));
    assert_eq!(read(&mut guest, 99, 100, 0), Err(errno::BADF));
    let all_but = flags::ALL & !flags::READDIR;
    let fd = guest.open_with(3, ".", flags::DIRECTORY, all_but, 0).expect("there");
    assert_eq!(read(&mut guest, fd, 100, 0), Err(errno::NOTCAPABLE));
}
