//! What is done to paths.

use crate::guest::{Guest, TempDir, errno, flags};
use cupola_wasm::wasi::WasiBuilder;
use flags::{CREAT, DIRECTORY};

/// Calls a function on two paths of descriptors.
fn two(guest: &mut Guest, name: &str, old: (i64, &str), new: (i64, &str)) -> u16 {
    let [old_at, new_at] = [old.1, new.1].map(|path| guest.put(path.as_bytes()));
    let (old_len, new_len) = (old.1.len() as i64, new.1.len() as i64);
    match name {
        "path_link" => guest.call(name, &[old.0, 0, old_at, old_len, new.0, new_at, new_len]),
        _ => guest.call(name, &[old.0, old_at, old_len, new.0, new_at, new_len]),
    }
}

fn symlink(guest: &mut Guest, to: &str, path: &str) -> u16 {
    let [old, new] = [to, path].map(|path| guest.put(path.as_bytes()));
    guest.call("path_symlink", &[old, to.len() as i64, 3, new, path.len() as i64])
}

fn readlink(guest: &mut Guest, path: &str, len: usize) -> Result<Vec<u8>, u16> {
    let [at, buffer] = [path.as_bytes(), &vec![0xee; len]].map(|bytes| guest.put(bytes));
    let args = [3, at, path.len() as i64, buffer, len as i64];
    let used = guest.get_u32("path_readlink", &args)?;
    Ok(guest.bytes(buffer, used as usize))
}

#[test]
fn directories_are_made_and_removed() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let make = |guest: &mut Guest, path| guest.path("path_create_directory", 3, &[], path, &[]);
    let remove = |guest: &mut Guest, path| guest.path("path_remove_directory", 3, &[], path, &[]);
    assert_eq!(make(&mut guest, "d"), 0);
    assert_eq!(make(&mut guest, "d"), errno::EXIST);
    assert_eq!(make(&mut guest, "d/e/f"), errno::NOENT);
    assert_eq!(make(&mut guest, "d/e/"), 0);
    assert_eq!(remove(&mut guest, "d"), errno::NOTEMPTY);
    assert_eq!(guest.path("path_unlink_file", 3, &[], "d/e", &[]), errno::ISDIR);
    assert_eq!(remove(&mut guest, "d/e"), 0);
    assert_eq!(remove(&mut guest, "d/e"), errno::NOENT);
    guest.open(3, "f", CREAT).expect("created");
    assert_eq!(remove(&mut guest, "f"), errno::NOTDIR);
    assert_eq!(make(&mut guest, "f/d"), errno::NOTDIR);
    // Through another descriptor.
    let inner = guest.open(3, "d", DIRECTORY).expect("there");
    assert_eq!(guest.path("path_create_directory", inner, &[], "g", &[]), 0);
    assert!(dir.path().join("d/g").is_dir());
    guest.open(inner, "g/h", CREAT).expect("created");
    assert!(dir.path().join("d/g/h").is_file());
}

#[test]
fn files_are_removed() {
    let dir = TempDir::new();
    dir.file("f", "").link("l", "f").link("dangling", "nothing");
    let mut guest = Guest::with_dir(&dir);
    let unlink = |guest: &mut Guest, path| guest.path("path_unlink_file", 3, &[], path, &[]);
    assert_eq!(unlink(&mut guest, "f/"), errno::NOTDIR);
    assert_eq!(unlink(&mut guest, "l"), 0);
    assert_eq!(unlink(&mut guest, "dangling"), 0);
    let file = guest.open(3, "f", 0).expect("there");
    assert_eq!(unlink(&mut guest, "f"), 0);
    assert_eq!(unlink(&mut guest, "f"), errno::NOENT);
    // It lives on as long as it is open.
    assert_eq!(guest.write(file, b"x"), Ok(1));
}

#[test]
fn files_are_renamed_also_between_directories() {
    let (a, b) = (TempDir::new(), TempDir::new());
    a.file("f", "contents").dir("d");
    b.file("g", "old");
    let mut builder = WasiBuilder::new();
    builder.preopened_dir(a.path(), "/a").expect("there");
    builder.preopened_dir(b.path(), "/b").expect("there");
    let mut guest = Guest::new(builder);
    let rename = |guest: &mut Guest, old, new| two(guest, "path_rename", old, new);
    assert_eq!(rename(&mut guest, (3, "f"), (3, "d/f")), 0);
    assert_eq!(rename(&mut guest, (3, "d/f"), (4, "g")), 0);
    assert_eq!(b.contents("g"), b"contents");
    assert_eq!(rename(&mut guest, (3, "d/f"), (4, "g")), errno::NOENT);
    assert_eq!(rename(&mut guest, (4, "g"), (3, "d")), errno::ISDIR);
    assert_eq!(rename(&mut guest, (3, "d"), (4, "g")), errno::NOTDIR);
    assert_eq!(rename(&mut guest, (3, "d"), (4, "d")), 0);
    assert_eq!(rename(&mut guest, (9, "d"), (4, "d")), errno::BADF);
    assert_eq!(rename(&mut guest, (4, "d"), (9, "d")), errno::BADF);
}

#[test]
fn links() {
    let dir = TempDir::new();
    dir.file("f", "contents").dir("d");
    let mut guest = Guest::with_dir(&dir);
    assert_eq!(two(&mut guest, "path_link", (3, "f"), (3, "d/g")), 0);
    assert_eq!(guest.path_stat(3, 1, "d/g").expect("there")[3], 2);
    assert_eq!(two(&mut guest, "path_link", (3, "f"), (3, "d/g")), errno::EXIST);
    assert_eq!(two(&mut guest, "path_link", (3, "none"), (3, "x")), errno::NOENT);
    assert_eq!(two(&mut guest, "path_link", (3, "d"), (3, "x")), errno::PERM);
    assert_eq!(symlink(&mut guest, "f", "l"), 0);
    assert_eq!(symlink(&mut guest, "f", "l"), errno::EXIST);
    assert_eq!(two(&mut guest, "path_link", (3, "l"), (3, "l2")), 0);
    assert_eq!(guest.path_stat(3, 0, "l2").expect("there")[2], 7);
    // Followed.
    let [old, new] = ["l", "f2"].map(|path| guest.put(path.as_bytes()));
    assert_eq!(guest.call("path_link", &[3, 1, old, 1, 3, new, 2]), 0);
    assert_eq!(guest.path_stat(3, 0, "f2").expect("there")[2], 4);
    assert_eq!(guest.call("path_link", &[3, 2, old, 1, 3, new, 2]), errno::INVAL);
}

#[test]
fn symbolic_links() {
    let dir = TempDir::new();
    dir.file("f", "contents").dir("d").link("loop", "loop");
    let mut guest = Guest::with_dir(&dir);
    assert_eq!(symlink(&mut guest, "../f", "d/l"), 0);
    assert_eq!(guest.path_stat(3, 0, "d/l").expect("there")[2], 7);
    assert_eq!(guest.path_stat(3, 1, "d/l").expect("there")[2], 4);
    assert_eq!(guest.path_stat(3, 2, "d/l"), Err(errno::INVAL));
    let file = guest.open(3, "d/l", 0).expect("it leads to a file");
    assert_eq!(guest.read(file, 100).expect("open"), b"contents");
    let at = guest.put(b"d/l");
    let all = flags::ALL as i64;
    let not_followed = [3, 0, at, 3, 0, all, all, 0];
    assert_eq!(guest.get_u32("path_open", &not_followed), Err(errno::LOOP));
    assert_eq!(guest.open(3, "loop", 0), Err(errno::LOOP));
    assert_eq!(readlink(&mut guest, "d/l", 100).expect("a link"), b"../f");
    assert_eq!(readlink(&mut guest, "d/l", 2).expect("a link"), b"..");
    assert_eq!(readlink(&mut guest, "d/l", 0).expect("a link"), b"");
    assert_eq!(readlink(&mut guest, "f", 100), Err(errno::INVAL));
    assert_eq!(readlink(&mut guest, "none", 100), Err(errno::NOENT));
    assert_eq!(symlink(&mut guest, "none", "dangling"), 0);
    assert_eq!(guest.open(3, "dangling", 0), Err(errno::NOENT));
    guest.open(3, "dangling", CREAT).expect("what it leads to is created");
    assert!(dir.path().join("none").is_file());
}

#[test]
fn unusual_paths() {
    let dir = TempDir::new();
    dir.dir("d").dir("d/e").file("d/e/f", "").file("ümläut", "");
    let mut guest = Guest::with_dir(&dir);
    for path in ["d/e/f", "d//e///f", "./d/./e/f", "d/e/../e/f", "d/../d/e/f", "ümläut"] {
        guest.open(3, path, 0).unwrap_or_else(|errno| panic!("{path}: {errno}"));
    }
    let long = "x".repeat(300);
    for (path, expected) in [
        ("", errno::NOENT),
        ("d/e/f/", errno::NOTDIR),
        ("d/e/f/g", errno::NOTDIR),
        ("d/e/none/../f", errno::NOENT),
        ("d\0/e", errno::INVAL),
        (&long, errno::NAMETOOLONG),
    ] {
        assert_eq!(guest.open(3, path, 0), Err(expected), "{path:?}");
        assert_eq!(guest.path_stat(3, 1, path), Err(expected), "{path:?}");
    }
    for path in [".", "d/", "d/.", "d/e/.."] {
        guest.open(3, path, DIRECTORY).unwrap_or_else(|errno| panic!("{path}: {errno}"));
        guest.open_with(3, path, 0, flags::READDIR, 0).expect("a directory without being asked");
    }
}
