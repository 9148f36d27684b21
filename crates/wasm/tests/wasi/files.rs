//! Reading, writing, positions, and what belongs to files.

use crate::guest::{Guest, TempDir, errno, flags};
use flags::{APPEND, CREAT, EXCL, READ, SEEK, TELL, TRUNC, WRITE};

#[test]
fn what_is_written_can_be_read() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", CREAT).expect("created");
    assert_eq!(guest.write(file, b"hello, world"), Ok(12));
    assert_eq!(guest.seek(file, 7, 0), Ok(7));
    assert_eq!(guest.read(file, 100).expect("read"), b"world");
    assert_eq!(guest.read(file, 100).expect("at the end"), b"");
    assert_eq!(guest.write(file, b""), Ok(0));
    assert_eq!(guest.call("fd_close", &[file]), 0);
    assert_eq!(guest.read(file, 1), Err(errno::BADF));
    assert_eq!(dir.contents("f"), b"hello, world");
}

#[test]
fn several_buffers_are_one_read_or_write() {
    let dir = TempDir::new();
    dir.file("f", "abcdefghij");
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", 0).expect("there");
    let at = guest.put(&[0; 16]);
    // The second lies before the first, and one is empty.
    let list: Vec<u8> = [(at + 8, 3), (at, 4), (at, 0), (at + 12, 4)]
        .iter()
        .flat_map(|&(at, len)| [at as u32, len].map(u32::to_le_bytes).concat())
        .collect();
    let list = guest.put(&list);
    assert_eq!(guest.get_u32("fd_read", &[file, list, 4]), Ok(10));
    assert_eq!(guest.bytes(at, 16), b"defg\0\0\0\0abc\0hij\0");
    assert_eq!(guest.seek(file, 0, 2), Ok(10));
    assert_eq!(guest.get_u32("fd_write", &[file, list, 2]), Ok(7));
    assert_eq!(dir.contents("f"), b"abcdefghijabcdefg");
    // Where they overlap, the read is short.
    let list: Vec<u8> =
        [at as u32, 4, at as u32 + 2, 4].iter().flat_map(|word| word.to_le_bytes()).collect();
    let list = guest.put(&list);
    assert_eq!(guest.get_u32("fd_pread", &[file, list, 2, 0]), Ok(4));
    assert_eq!(guest.bytes(at, 4), b"abcd");
}

#[test]
fn positions() {
    let dir = TempDir::new();
    dir.file("f", "0123456789");
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", 0).expect("there");
    assert_eq!(guest.seek(file, -3, 2), Ok(7));
    assert_eq!(guest.seek(file, -3, 1), Ok(4));
    assert_eq!(guest.get_u64("fd_tell", &[file]), Ok(4));
    assert_eq!(guest.seek(file, 100, 0), Ok(100));
    assert_eq!(guest.read(file, 1).expect("beyond the end"), b"");
    for (offset, whence) in [(-1, 0), (-101, 1), (-11, 2), (0, 3), (0, -1)] {
        assert_eq!(guest.seek(file, offset, whence), Err(errno::INVAL), "{offset} {whence}");
    }
    assert_eq!(guest.get_u64("fd_tell", &[file]), Ok(100));
    // A hole.
    assert_eq!(guest.write(file, b"x"), Ok(1));
    assert_eq!(dir.contents("f").len(), 101);
}

#[test]
fn reads_and_writes_at_offsets_leave_the_position() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", CREAT).expect("created");
    assert_eq!(guest.write(file, b"abc"), Ok(3));
    let bytes = guest.put(b"XYZ");
    let list = guest.list(bytes, 3);
    assert_eq!(guest.get_u32("fd_pwrite", &[file, list, 1, 5]), Ok(3));
    assert_eq!(guest.get_u64("fd_tell", &[file]), Ok(3));
    assert_eq!(dir.contents("f"), b"abc\0\0XYZ");
    assert_eq!(guest.get_u32("fd_pread", &[file, list, 1, 1]), Ok(3));
    assert_eq!(guest.bytes(bytes, 3), b"bc\0");
    assert_eq!(guest.get_u32("fd_pread", &[file, list, 1, 100]), Ok(0));
    assert_eq!(guest.get_u64("fd_tell", &[file]), Ok(3));
    for name in ["fd_pread", "fd_pwrite"] {
        assert_eq!(guest.get_u32(name, &[file, list, 1, -1]), Err(errno::INVAL), "{name}");
        assert_eq!(guest.get_u32(name, &[1, list, 1, 0]), Err(errno::SPIPE), "{name}");
        assert_eq!(guest.get_u32(name, &[3, list, 1, 0]), Err(errno::BADF), "{name}");
    }
}

#[test]
fn appended_is_what_is_written_wherever_the_position_is() {
    let dir = TempDir::new();
    dir.file("f", "old");
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open_with(3, "f", 0, flags::ALL, APPEND).expect("there");
    assert_eq!(guest.fdstat(file).expect("open").1, APPEND as u16);
    assert_eq!(guest.seek(file, 0, 0), Ok(0));
    assert_eq!(guest.write(file, b"new"), Ok(3));
    assert_eq!(dir.contents("f"), b"oldnew");
    // The flag can be taken away and set again.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[file, 0]), 0);
    assert_eq!(guest.seek(file, 0, 0), Ok(0));
    assert_eq!(guest.write(file, b"NEW"), Ok(3));
    assert_eq!(dir.contents("f"), b"NEWnew");
    assert_eq!(guest.call("fd_fdstat_set_flags", &[file, APPEND]), 0);
    assert_eq!(guest.write(file, b"."), Ok(1));
    assert_eq!(dir.contents("f"), b"NEWnew.");
    // Synchronous writing cannot be set later, and what is no flag not at all.
    assert_eq!(guest.call("fd_fdstat_set_flags", &[file, 16]), errno::NOTSUP);
    assert_eq!(guest.call("fd_fdstat_set_flags", &[file, 32]), errno::INVAL);
}

#[test]
fn how_files_are_created_and_cut_off() {
    let dir = TempDir::new();
    dir.file("f", "contents").dir("d");
    let mut guest = Guest::with_dir(&dir);
    assert_eq!(guest.open(3, "g", 0), Err(errno::NOENT));
    assert_eq!(guest.open(3, "f", CREAT | EXCL), Err(errno::EXIST));
    let file = guest.open(3, "f", CREAT).expect("kept");
    assert_eq!(guest.stat(file).expect("open")[4], 8);
    let file = guest.open(3, "f", TRUNC).expect("cut off");
    assert_eq!(guest.stat(file).expect("open")[4], 0);
    guest.open(3, "g", CREAT | EXCL).expect("created");
    assert!(dir.path().join("g").is_file());
    assert_eq!(guest.open(3, "d", CREAT), Err(errno::ISDIR));
    assert_eq!(guest.open(3, "h", 16), Err(errno::INVAL));
    // Also by one who may not write.
    let file = guest.open_with(3, "i", CREAT, READ, 0).expect("created");
    assert_eq!(guest.write(file, b"x"), Err(errno::BADF));
}

#[test]
fn sizes() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", CREAT).expect("created");
    assert_eq!(guest.call("fd_filestat_set_size", &[file, 10]), 0);
    assert_eq!(guest.stat(file).expect("open")[4], 10);
    assert_eq!(guest.call("fd_filestat_set_size", &[file, 3]), 0);
    assert_eq!(guest.stat(file).expect("open")[4], 3);
    assert_eq!(guest.call("fd_filestat_set_size", &[file, -1]), errno::INVAL);
    assert_eq!(guest.call("fd_allocate", &[file, 0, 100]), 0);
    assert_eq!(guest.stat(file).expect("open")[4], 100);
    assert_eq!(guest.call("fd_allocate", &[file, 0, 0]), errno::INVAL);
    assert_eq!(guest.call("fd_allocate", &[file, 10, -1]), errno::INVAL);
    assert_eq!(guest.call("fd_allocate", &[3, 0, 1]), errno::BADF);
    let file = guest.open_with(3, "f", 0, READ, 0).expect("there");
    assert_eq!(guest.call("fd_filestat_set_size", &[file, 1]), errno::NOTCAPABLE);
}

#[test]
fn advice_and_flushing() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", CREAT).expect("created");
    for advice in 0..6 {
        assert_eq!(guest.call("fd_advise", &[file, 0, 10, advice]), 0);
    }
    assert_eq!(guest.call("fd_advise", &[file, 0, 10, 6]), errno::INVAL);
    assert_eq!(guest.call("fd_advise", &[file, -1, 10, 0]), errno::INVAL);
    assert_eq!(guest.call("fd_advise", &[0, 0, 10, 0]), errno::SPIPE);
    assert_eq!(guest.call("fd_advise", &[3, 0, 10, 0]), errno::BADF);
    for name in ["fd_sync", "fd_datasync"] {
        assert_eq!(guest.call(name, &[file]), 0);
        assert_eq!(guest.call(name, &[99]), errno::BADF);
    }
    assert_eq!(guest.call("fd_sync", &[3]), 0);
}

#[test]
fn times() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", CREAT).expect("created");
    let (atim, mtim) = (1_000_000_000_000_000_001, 1_500_000_000_000_000_002);
    assert_eq!(guest.call("fd_filestat_set_times", &[file, atim, mtim, 1 | 4]), 0);
    assert_eq!(guest.stat(file).expect("open")[5..7], [atim as u64, mtim as u64]);
    assert_eq!(guest.call("fd_filestat_set_times", &[file, 5, 7, 4]), 0);
    assert_eq!(guest.stat(file).expect("open")[5..7], [atim as u64, 7]);
    assert_eq!(guest.call("fd_filestat_set_times", &[file, 0, 0, 2]), 0);
    let [.., atim, mtim, _] = guest.stat(file).expect("open");
    assert!(atim > 1_600_000_000_000_000_000 && mtim == 7);
    for flags in [1 | 2, 4 | 8, 16] {
        let result = guest.call("fd_filestat_set_times", &[file, 0, 0, flags]);
        assert_eq!(result, errno::INVAL, "{flags}");
    }
    let set = |guest: &mut Guest, lookup, path: &str, flags| {
        guest.path("path_filestat_set_times", 3, &[lookup], path, &[11, 22, flags])
    };
    dir.link("l", "f");
    assert_eq!(set(&mut guest, 1, "l", 1 | 4), 0);
    assert_eq!(guest.path_stat(3, 1, "l").expect("there")[5..7], [11, 22]);
    assert!(guest.path_stat(3, 0, "l").expect("there")[6] > 22);
    assert_eq!(set(&mut guest, 0, "l", 4), 0);
    assert_eq!(guest.path_stat(3, 0, "l").expect("there")[6], 22);
    assert_eq!(set(&mut guest, 1, "g", 1), errno::NOENT);
    assert_eq!(set(&mut guest, 1, "f", 1 | 2), errno::INVAL);
}

#[test]
fn rights_limit_what_can_be_done() {
    let dir = TempDir::new();
    dir.file("f", "abc");
    let mut guest = Guest::with_dir(&dir);
    let read = guest.open_with(3, "f", 0, READ | SEEK | TELL, 0).expect("there");
    assert_eq!(guest.fdstat(read), Ok((4, 0, READ | SEEK | TELL, 0)));
    assert_eq!(guest.write(read, b"x"), Err(errno::BADF));
    assert_eq!(guest.read(read, 3).expect("may be read"), b"abc");
    let write = guest.open_with(3, "f", 0, WRITE, 0).expect("there");
    assert_eq!(guest.read(write, 3), Err(errno::BADF));
    assert_eq!(guest.write(write, b"x"), Ok(1));
    assert_eq!(guest.seek(write, 0, 0), Err(errno::BADF));
    assert_eq!(guest.stat(write), Err(errno::NOTCAPABLE));
    assert_eq!(guest.call("fd_fdstat_set_flags", &[write, 0]), errno::NOTCAPABLE);
    // They can be given up, and do not come back.
    let set = "fd_fdstat_set_rights";
    assert_eq!(guest.call(set, &[read, (SEEK | TELL) as i64, 0]), 0);
    assert_eq!(guest.read(read, 3), Err(errno::BADF));
    assert_eq!(guest.call(set, &[read, READ as i64, 0]), errno::NOTCAPABLE);
    assert_eq!(guest.call(set, &[read, 0, READ as i64]), errno::NOTCAPABLE);
    assert_eq!(guest.call(set, &[read, -1, 0]), errno::NOTCAPABLE);
    // What is opened through a directory has at most what that gives on.
    let (_, _, rights, _) = guest.fdstat(3).expect("open");
    assert_eq!(guest.call(set, &[3, rights as i64, READ as i64]), 0);
    assert_eq!(guest.open(3, "f", 0), Err(errno::NOTCAPABLE));
    let file = guest.open_with(3, "f", 0, READ | SEEK, 0).expect("there");
    assert_eq!(guest.fdstat(file).expect("open").2, READ);
    assert_eq!(guest.call(set, &[3, 0, 0]), 0);
    assert_eq!(guest.open_with(3, "f", 0, 0, 0), Err(errno::NOTCAPABLE));
}
