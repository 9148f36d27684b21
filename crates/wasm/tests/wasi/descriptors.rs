//! Descriptors as such: standard streams, numbers, preopened directories.

use crate::guest::{Guest, TempDir, errno, flags};
use cupola_wasm::wasi::{OutputPipe, WasiBuilder};
use flags::CREAT;

#[test]
fn standard_streams_in_memory() {
    let (stdout, stderr) = (OutputPipe::new(), OutputPipe::new());
    let mut builder = WasiBuilder::new();
    builder.stdin(b"some input".to_vec()).stdout(&stdout).stderr(&stderr);
    let mut guest = Guest::new(builder);
    assert_eq!(guest.read(0, 4).expect("there is some"), b"some");
    assert_eq!(guest.read(0, 40).expect("there is some"), b" input");
    assert_eq!(guest.read(0, 40).expect("at the end"), b"");
    assert_eq!(guest.write(1, b"out"), Ok(3));
    assert_eq!(guest.write(2, b"err"), Ok(3));
    assert_eq!(guest.write(1, b"put"), Ok(3));
    assert_eq!(stdout.contents(), b"output");
    assert_eq!(stderr.contents(), b"err");
    assert_eq!(guest.write(0, b"x"), Err(errno::BADF));
    assert_eq!(guest.read(1, 1), Err(errno::BADF));
    for fd in 0..3 {
        assert_eq!(guest.seek(fd, 0, 0), Err(errno::SPIPE));
        assert_eq!(guest.get_u64("fd_tell", &[fd]), Err(errno::SPIPE));
        assert_eq!(guest.stat(fd).expect("open")[2], 0);
        // A C library takes what may be positioned, or is no character device, not for a terminal.
        assert_eq!(guest.fdstat(fd).expect("open").0, 0);
        assert_eq!(guest.call("fd_fdstat_set_flags", &[fd, flags::NONBLOCK]), 0);
    }
    assert_eq!(guest.fdstat(3), Err(errno::BADF));
}

#[test]
fn numbers() {
    let dir = TempDir::new();
    let mut guest = Guest::with_dir(&dir);
    let [a, b, c] = ["a", "b", "c"].map(|name| guest.open(3, name, CREAT).expect("created"));
    assert_eq!([a, b, c], [4, 5, 6]);
    assert_eq!(guest.write(b, b"b"), Ok(1));
    assert_eq!(guest.call("fd_close", &[a]), 0);
    assert_eq!(guest.call("fd_close", &[a]), errno::BADF);
    // The lowest that is free.
    assert_eq!(guest.open(3, "d", CREAT), Ok(a));
    assert_eq!(guest.call("fd_renumber", &[b, c]), 0);
    assert_eq!(guest.fdstat(b), Err(errno::BADF));
    assert_eq!(guest.write(c, b"c"), Ok(1));
    assert_eq!(dir.contents("b"), b"bc");
    assert_eq!(dir.contents("c"), b"");
    for (from, to) in [(b, c), (c, b), (c, 99), (c, -1), (-1, c)] {
        assert_eq!(guest.call("fd_renumber", &[from, to]), errno::BADF, "{from} {to}");
    }
    assert_eq!(guest.call("fd_renumber", &[c, c]), 0);
    assert_eq!(guest.write(c, b"c"), Ok(1));
    // Also standard output.
    assert_eq!(guest.call("fd_renumber", &[c, 1]), 0);
    assert_eq!(guest.write(1, b"!"), Ok(1));
    assert_eq!(dir.contents("b"), b"bcc!");
}

#[test]
fn preopened_directories_have_names() {
    let (a, b) = (TempDir::new(), TempDir::new());
    let mut builder = WasiBuilder::new();
    builder.preopened_dir(a.path(), "/").expect("there");
    builder.preopened_dir(b.path(), "some/where").expect("there");
    assert!(builder.preopened_dir(a.path().join("none"), "/").is_err());
    let mut guest = Guest::new(builder);
    for (fd, path) in [(3, "/"), (4, "some/where")] {
        let out = guest.put(&[0xee; 8]);
        assert_eq!(guest.call("fd_prestat_get", &[fd, out]), 0);
        assert_eq!(guest.u32(out), 0);
        assert_eq!(guest.u32(out + 4), path.len() as u32);
        let name = guest.put(&[0xee; 16]);
        let name_len = path.len() as i64;
        let short = guest.call("fd_prestat_dir_name", &[fd, name, name_len - 1]);
        assert_eq!(short, errno::NAMETOOLONG);
        assert_eq!(guest.call("fd_prestat_dir_name", &[fd, name, name_len]), 0);
        assert_eq!(guest.bytes(name, path.len()), path.as_bytes());
        assert_eq!(guest.bytes(name + name_len, 1), [0xee]);
    }
    let open = guest.open(3, ".", flags::DIRECTORY).expect("there");
    for fd in [0, 5, open, -1] {
        let out = guest.put(&[0; 8]);
        assert_eq!(guest.call("fd_prestat_get", &[fd, out]), errno::BADF, "{fd}");
        assert_eq!(guest.call("fd_prestat_dir_name", &[fd, out, 8]), errno::BADF, "{fd}");
    }
    // One that is closed is gone.
    assert_eq!(guest.call("fd_close", &[3]), 0);
    assert_eq!(guest.open(3, "f", CREAT), Err(errno::BADF));
}

#[test]
fn directories_are_no_files() {
    let dir = TempDir::new();
    dir.dir("d").file("f", "");
    let mut guest = Guest::with_dir(&dir);
    for fd in [3, guest.open(3, "d", flags::DIRECTORY).expect("there")] {
        assert_eq!(guest.read(fd, 1), Err(errno::ISDIR));
        assert_eq!(guest.write(fd, b"x"), Err(errno::BADF));
        assert_eq!(guest.seek(fd, 0, 0), Err(errno::BADF));
        assert_eq!(guest.get_u64("fd_tell", &[fd]), Err(errno::BADF));
        assert_eq!(guest.call("fd_filestat_set_size", &[fd, 0]), errno::NOTCAPABLE);
        let (ty, _, rights, inheriting) = guest.fdstat(fd).expect("open");
        assert_eq!(ty, 3);
        // By these rights wasi-libc's `open` asks for files' rights.
        assert_eq!(inheriting & (flags::READ | flags::WRITE), flags::READ | flags::WRITE);
        assert_eq!(rights & flags::PATH_OPEN, flags::PATH_OPEN);
    }
    let file = guest.open(3, "f", 0).expect("there");
    assert_eq!(guest.open(file, "x", 0), Err(errno::NOTDIR));
    assert_eq!(guest.path("path_unlink_file", file, &[], "x", &[]), errno::NOTDIR);
    assert_eq!(guest.open(3, "f", flags::DIRECTORY), Err(errno::NOTDIR));
    assert_eq!(guest.open(3, "d", flags::DIRECTORY | CREAT), Err(errno::INVAL));
}

#[test]
fn there_are_no_sockets() {
    let mut guest = Guest::new(WasiBuilder::new());
    for (name, args) in [
        ("sock_accept", [0_i64; 2].as_slice()),
        ("sock_recv", &[0; 5]),
        ("sock_send", &[0; 4]),
        ("sock_shutdown", &[0; 1]),
    ] {
        assert_eq!(guest.call(name, &[&[1], args].concat()), errno::NOTSOCK, "{name}");
        assert_eq!(guest.call(name, &[&[9], args].concat()), errno::BADF, "{name}");
    }
}

#[test]
fn zero_bytes_are_refused() {
    let dir = TempDir::new();
    let check = |change: &dyn Fn(&mut WasiBuilder)| {
        let mut builder = WasiBuilder::new();
        change(&mut builder);
        assert!(builder.build().is_err());
    };
    check(&|builder| _ = builder.arg("a\0b"));
    check(&|builder| _ = builder.env("a\0", "b"));
    check(&|builder| _ = builder.env("a", "b\0"));
    check(&|builder| _ = builder.preopened_dir(dir.path(), "\0").expect("there"));
}
