//! Nothing outside of the preopened directories can be reached, changed or seen.

use crate::guest::{Guest, TempDir, errno, flags};
use cupola_wasm::wasi::WasiBuilder;
use flags::CREAT;

/// What a path that leads out gives: the path is refused, or what it would lead to is not there.
const REFUSED: [u16; 2] = [errno::PERM, errno::NOENT];

/// A directory `inside` beside a file `secret` and a directory `outside`, with links of all kinds
/// that lead there.
fn prepare() -> TempDir {
    let dir = TempDir::new();
    dir.dir("inside").dir("inside/d").dir("outside").file("outside/f", "secret");
    dir.file("secret", "secret").file("inside/f", "inside");
    let at = |name: &str| dir.path().join(name);
    dir.link("inside/up", "..")
        .link("inside/to-secret", "../secret")
        .link("inside/absolute", at("secret"))
        .link("inside/root", "/")
        .link("inside/d/up", "../..")
        .link("inside/chain1", "chain2")
        .link("inside/chain2", "d/chain3")
        .link("inside/d/chain3", "../../secret")
        .link("inside/to-outside", "../outside")
        .link("inside/self", "../inside/f")
        .link("inside/here", "d/..")
        .link("inside/new", "../created");
    dir
}

/// Paths out of `inside` to the secret.
fn ways_out(dir: &TempDir) -> Vec<String> {
    let absolute = dir.path().join("secret").display().to_string();
    let relative = absolute.trim_start_matches('/').to_owned();
    let mut paths: Vec<String> = [
        "../secret",
        "d/../../secret",
        "d/../d/../../secret",
        "./../secret",
        "..//secret",
        "up/secret",
        "d/up/secret",
        "up/../secret",
        "to-secret",
        "absolute",
        "chain1",
        "chain2",
        "d/chain3",
        "to-outside/f",
        "to-outside/../secret",
        "here/../secret",
        // Out and in again is out, too.
        "../inside/f",
        "self",
        "up/inside/f",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(format!("root/{relative}"));
    paths.push(format!("{}{relative}", "../".repeat(40)));
    paths.push(absolute.clone());
    paths.push(format!("/{absolute}"));
    paths.push(format!("d/{absolute}"));
    paths
}

fn guest(dir: &TempDir) -> Guest {
    let mut builder = WasiBuilder::new();
    builder.preopened_dir(dir.path().join("inside"), "/").expect("there");
    builder.preopened_dir(dir.path().join("inside/d"), "/other").expect("there");
    Guest::new(builder)
}

/// Nothing but what is inside has changed.
fn check_outside(dir: &TempDir) {
    assert_eq!(dir.contents("secret"), b"secret");
    assert_eq!(dir.contents("outside/f"), b"secret");
    let count = |name: &str| std::fs::read_dir(dir.path().join(name)).expect("there").count();
    assert_eq!((count(""), count("outside")), (3, 1));
}

#[test]
fn no_path_leads_out() {
    let dir = prepare();
    let mut guest = guest(&dir);
    for path in ways_out(&dir) {
        for how in [0, CREAT, CREAT | flags::EXCL, flags::TRUNC, flags::DIRECTORY] {
            let result = guest.open(3, &path, how);
            let errno = result.expect_err(&path);
            // A link is there already, a directory with files is no directory.
            let existing = how & flags::EXCL != 0 && errno == errno::EXIST;
            assert!(REFUSED.contains(&errno) || existing, "{path} {how}: {errno}");
        }
        let errno = guest.path_stat(3, 1, &path).expect_err(&path);
        assert!(REFUSED.contains(&errno), "{path}: {errno}");
        let times = guest.path("path_filestat_set_times", 3, &[1], &path, &[0, 0, 1]);
        assert!(REFUSED.contains(&times), "{path}: {times}");
    }
    check_outside(&dir);
}

#[test]
fn directories_outside_cannot_be_opened() {
    let dir = prepare();
    let mut guest = guest(&dir);
    let inner = guest.open(3, "d", flags::DIRECTORY).expect("inside");
    for (fd, path) in [
        (3, ".."),
        (3, "../"),
        (3, "up"),
        (3, "up/"),
        (3, "d/up"),
        (3, "root"),
        (3, "/"),
        (3, "/tmp"),
        (3, "to-outside"),
        (3, "d/../.."),
        (4, ".."),
        (4, "up"),
        (inner, ".."),
        (inner, "../.."),
        (inner, "../d"),
    ] {
        for how in [0, flags::DIRECTORY] {
            let result = guest.open_with(fd, path, how, flags::READDIR, 0);
            assert_eq!(result, Err(errno::PERM), "{fd} {path}");
        }
    }
    // What stays inside does work.
    guest.open(3, "here/f", 0).expect("inside");
    guest.open(3, "d/../f", 0).expect("inside");
}

#[test]
fn nothing_outside_can_be_changed() {
    let dir = prepare();
    let mut guest = guest(&dir);
    for path in ["../new", "up/new", "to-outside/new", "/new", "d/up/new", "here/../new"] {
        for name in ["path_create_directory", "path_remove_directory", "path_unlink_file"] {
            let errno = guest.path(name, 3, &[], path, &[]);
            assert_eq!(errno, errno::PERM, "{name} {path}");
        }
        let at = guest.put(path.as_bytes());
        let (at, len) = (at, path.len() as i64);
        let f = guest.put(b"f");
        for (name, args) in [
            ("path_rename", [3, f, 1, 3, at, len].as_slice()),
            ("path_rename", &[3, at, len, 3, f, 1]),
            ("path_link", &[3, 0, f, 1, 3, at, len]),
            ("path_link", &[3, 0, at, len, 3, f, 1]),
            ("path_link", &[3, 1, at, len, 3, f, 1]),
            ("path_symlink", &[f, 1, 3, at, len]),
        ] {
            assert_eq!(guest.call(name, args), errno::PERM, "{name} {path}");
        }
        let out = guest.put(&[0; 4]);
        let read = guest.call("path_readlink", &[3, at, len, out, 4, out]);
        assert_eq!(read, errno::PERM, "{path}");
    }
    // Creating what a link leads to.
    assert_eq!(guest.open(3, "new", CREAT), Err(errno::PERM));
    for path in ["../secret", "up/secret", "to-outside/f"] {
        assert_eq!(guest.path("path_unlink_file", 3, &[], path, &[]), errno::PERM, "{path}");
    }
    check_outside(&dir);
}

#[test]
fn links_that_the_guest_makes_lead_nowhere_else() {
    let dir = prepare();
    let mut guest = guest(&dir);
    let link = |guest: &mut Guest, fd, to: &str, path: &str| {
        let [old, new] = [to, path].map(|path| guest.put(path.as_bytes()));
        guest.call("path_symlink", &[old, to.len() as i64, fd, new, path.len() as i64])
    };
    // An absolute one is refused, a relative one is made but not followed out.
    assert_eq!(link(&mut guest, 3, "/etc/passwd", "own"), errno::PERM);
    assert_eq!(link(&mut guest, 3, "../secret", "own"), 0);
    assert_eq!(guest.open(3, "own", 0), Err(errno::PERM));
    // One that is inside where it is made, but not where it is moved or linked to, or seen from.
    assert_eq!(link(&mut guest, 3, "../f", "d/own"), 0);
    guest.open(3, "d/own", 0).expect("inside");
    assert_eq!(guest.open(4, "own", 0), Err(errno::PERM));
    let [old, new] = ["d/own", "moved"].map(|path| guest.put(path.as_bytes()));
    assert_eq!(guest.call("path_rename", &[3, old, 5, 3, new, 5]), 0);
    assert_eq!(guest.open(3, "moved", 0), Err(errno::PERM));
    check_outside(&dir);
}

#[test]
fn a_directory_that_moves_takes_its_bounds_along() {
    let dir = prepare();
    let mut guest = guest(&dir);
    dir.dir("inside/d/e");
    let inner = guest.open(3, "d/e", flags::DIRECTORY).expect("inside");
    std::fs::rename(dir.path().join("inside/d/e"), dir.path().join("inside/e")).expect("moved");
    assert_eq!(guest.open(inner, "../f", 0), Err(errno::PERM));
    guest.open(inner, "g", CREAT).expect("inside");
    assert!(dir.path().join("inside/e/g").is_file());
}
