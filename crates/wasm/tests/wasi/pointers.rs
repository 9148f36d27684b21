//! Bad pointers and lengths: always an error, whatever else is wrong.

use crate::guest::{FUNCTIONS, Guest, MEMORY, TempDir, errno, flags};
use cupola_wasm::wasi::WasiBuilder;

#[test]
fn every_function_with_any_arguments() {
    let dir = TempDir::new();
    dir.file("f", "contents").dir("d");
    let end = i64::from(MEMORY);
    let interesting = [0, 1, 3, 4, end - 8, end - 1, end, 0x7fff_ffff, 0x8000_0000, -8, -1];
    // A generator of Lehmer's, so that every run is the same.
    let mut state = 1_u64;
    let mut next = |bound: usize| {
        state = state * 48271 % 0x7fff_ffff;
        state as usize % bound
    };
    let mut faults = 0;
    for (name, params) in FUNCTIONS {
        // What is open or written by one must not change what the others find, and a poll may wait
        // for the time that it finds in memory, which is 0.
        let mut builder = WasiBuilder::new();
        builder.arg("prog").env("a", "b").preopened_dir(dir.path(), "/").expect("there");
        let mut guest = Guest::new(builder);
        guest.open(3, "f", 0).expect("there");
        for _ in 0..300 {
            let args: Vec<i64> = params.chars().map(|_| interesting[next(11)]).collect();
            let errno = guest.call(name, &args);
            assert!(errno <= 76, "{name} {args:?}: {errno}");
            faults += u32::from(errno == errno::FAULT);
            guest.memory().fill(0);
        }
    }
    assert!(faults > 1000, "{faults}");
}

/// A function, its arguments, and which of them are pointers, to how many bytes.
type Call<'a> = (&'a str, &'a [i64], &'a [(usize, i64)]);

/// Calls whose pointers are right but for one, which ends beyond the memory.
#[test]
fn each_pointer_is_checked() {
    let dir = TempDir::new();
    dir.file("f", "contents").link("l", "f");
    let mut builder = WasiBuilder::new();
    builder.arg("prog").env("a", "b").preopened_dir(dir.path(), "/").expect("there");
    let mut guest = Guest::new(builder);
    let file = guest.open(3, "f", 0).expect("there");
    let path = guest.put(b"l");
    let new = guest.put(b"new");
    let buffer = guest.put(&[0; 64]);
    let list = guest.list(buffer, 8);
    let out = guest.put(&[0; 64]);
    let subscription = guest.put(&[0; 48]);
    let all = flags::ALL as i64;
    let calls: &[Call] = &[
        ("args_get", &[buffer, out], &[(0, 4), (1, 5)]),
        ("args_sizes_get", &[buffer, out], &[(0, 4), (1, 4)]),
        ("environ_get", &[buffer, out], &[(0, 4), (1, 4)]),
        ("environ_sizes_get", &[buffer, out], &[(0, 4), (1, 4)]),
        ("clock_res_get", &[0, out], &[(1, 8)]),
        ("clock_time_get", &[0, 0, out], &[(2, 8)]),
        ("fd_fdstat_get", &[file, out], &[(1, 24)]),
        ("fd_filestat_get", &[file, out], &[(1, 64)]),
        ("fd_pread", &[file, list, 1, 0, out], &[(1, 8), (4, 4)]),
        ("fd_prestat_get", &[3, out], &[(1, 8)]),
        ("fd_prestat_dir_name", &[3, out, 1], &[(1, 1)]),
        ("fd_pwrite", &[file, list, 1, 0, out], &[(1, 8), (4, 4)]),
        ("fd_read", &[file, list, 1, out], &[(1, 8), (3, 4)]),
        ("fd_readdir", &[3, buffer, 64, 0, out], &[(1, 64), (4, 4)]),
        ("fd_seek", &[file, 0, 0, out], &[(3, 8)]),
        ("fd_tell", &[file, out], &[(1, 8)]),
        ("fd_write", &[file, list, 1, out], &[(1, 8), (3, 4)]),
        ("path_create_directory", &[3, new, 3], &[(1, 3)]),
        ("path_filestat_get", &[3, 1, path, 1, out], &[(2, 1), (4, 64)]),
        ("path_filestat_set_times", &[3, 1, path, 1, 0, 0, 0], &[(2, 1)]),
        ("path_link", &[3, 0, path, 1, 3, new, 3], &[(2, 1), (5, 3)]),
        ("path_open", &[3, 1, path, 1, 0, all, all, 0, out], &[(2, 1), (8, 4)]),
        ("path_readlink", &[3, path, 1, buffer, 8, out], &[(1, 1), (3, 8), (5, 4)]),
        ("path_remove_directory", &[3, new, 3], &[(1, 3)]),
        ("path_rename", &[3, path, 1, 3, new, 3], &[(1, 1), (4, 3)]),
        ("path_symlink", &[path, 1, 3, new, 3], &[(0, 1), (3, 3)]),
        ("path_unlink_file", &[3, new, 3], &[(1, 3)]),
        ("poll_oneoff", &[subscription, buffer, 1, out], &[(0, 48), (1, 32), (3, 4)]),
        ("random_get", &[buffer, 8], &[(0, 8)]),
    ];
    let end = i64::from(MEMORY);
    for (name, args, pointers) in calls {
        for &(at, size) in *pointers {
            for bad in [end - size + 1, end, 0xffff_ffff] {
                let mut args = args.to_vec();
                args[at] = bad;
                assert_eq!(guest.call(name, &args), errno::FAULT, "{name} {args:?}");
            }
        }
    }
    // No call has done anything, and with all pointers right each does.
    assert_eq!(dir.contents("f"), b"contents");
    for name in ["args_get", "fd_read", "path_open", "path_create_directory", "random_get"] {
        let (_, args, _) = calls.iter().find(|call| call.0 == name).expect("in the list");
        assert_eq!(guest.call(name, args), 0, "{name}");
    }
}

#[test]
fn lists_of_buffers() {
    let dir = TempDir::new();
    dir.file("f", "contents");
    let mut guest = Guest::with_dir(&dir);
    let file = guest.open(3, "f", 0).expect("there");
    for name in ["fd_read", "fd_write"] {
        // A buffer beyond the memory, though the first would do.
        let list: Vec<u8> =
            [0, 8, MEMORY - 4, 8].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
        let list = guest.put(&list);
        assert_eq!(guest.get_u32(name, &[file, list, 2]), Err(errno::FAULT));
        // More buffers than the memory has room for.
        assert_eq!(guest.get_u32(name, &[file, 0, 0x1000_0000]), Err(errno::FAULT));
        assert_eq!(guest.get_u32(name, &[file, 0, -1]), Err(errno::INVAL));
        // None.
        assert_eq!(guest.get_u32(name, &[file, 0, 0]), Ok(0));
        // More than go to the system at once, and together more than there are numbers for.
        let entry = [0_u32, 1].map(u32::to_le_bytes).concat();
        for (at, chunk) in guest.memory()[..8000].chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&entry);
            chunk[0] = at as u8;
        }
        let len = guest.get_u32(name, &[file, 0, 1000]).expect("a short count");
        assert!(len > 0 && len <= 1000, "{name}: {len}");
        let entry = [0, MEMORY].map(u32::to_le_bytes).concat();
        for chunk in guest.memory().chunks_exact_mut(8) {
            chunk.copy_from_slice(&entry);
        }
        let many = i64::from(MEMORY / 8);
        assert_eq!(guest.call(name, &[file, 0, many, 0]), 0, "{name}: within a u32");
        assert_eq!(guest.call(name, &[file, 0, many * 2, 0]), errno::FAULT);
        guest.memory().fill(0);
    }
}
