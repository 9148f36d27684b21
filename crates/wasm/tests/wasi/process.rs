//! Arguments, environment, random bytes, exit codes.

use crate::guest::{Guest, errno};
use cupola_wasm::wasi::WasiBuilder;

/// What `args_get` or `environ_get` gives.
fn strings(guest: &mut Guest, get: &str, sizes: &str) -> Vec<Vec<u8>> {
    let out = guest.put(&[0xee; 8]);
    assert_eq!(guest.call(sizes, &[out, out + 4]), 0);
    let (count, size) = (guest.u32(out) as usize, guest.u32(out + 4) as usize);
    let pointers = guest.put(&vec![0xee; count * 4 + 4]);
    let bytes = guest.put(&vec![0xee; size + 1]);
    assert_eq!(guest.call(get, &[pointers, bytes]), 0);
    // Nothing is written behind.
    assert_eq!(guest.u32(pointers + count as i64 * 4), 0xeeee_eeee);
    assert_eq!(guest.bytes(bytes + size as i64, 1), [0xee]);
    let starts: Vec<i64> =
        (0..count).map(|i| i64::from(guest.u32(pointers + i as i64 * 4))).collect();
    let mut end = bytes;
    let string = |at: i64| {
        assert_eq!(at, end);
        let mut string = guest.bytes(at, (bytes + size as i64 - at) as usize);
        string.truncate(string.iter().position(|&b| b == 0).expect("a zero ends it"));
        end = at + string.len() as i64 + 1;
        string
    };
    starts.into_iter().map(string).collect()
}

#[test]
fn arguments() {
    let mut builder = WasiBuilder::new();
    builder.arg("prog").args(["-x", "", "two words", "ümläut"]);
    let mut guest = Guest::new(builder);
    let args = strings(&mut guest, "args_get", "args_sizes_get");
    assert_eq!(args, ["prog", "-x", "", "two words", "ümläut"].map(|arg| arg.as_bytes().to_vec()));
    let mut guest = Guest::new(WasiBuilder::new());
    assert_eq!(strings(&mut guest, "args_get", "args_sizes_get"), Vec::<Vec<u8>>::new());
}

#[test]
fn environment() {
    let mut builder = WasiBuilder::new();
    builder.env("A", "1").env("AB", "x=y").env("EMPTY", "").env("A", "2");
    let mut guest = Guest::new(builder);
    let env = strings(&mut guest, "environ_get", "environ_sizes_get");
    assert_eq!(env, ["AB=x=y", "EMPTY=", "A=2"].map(|arg| arg.as_bytes().to_vec()));
}

#[test]
fn random_bytes() {
    let mut guest = Guest::new(WasiBuilder::new());
    let at = guest.put(&[0; 64]);
    assert_eq!(guest.call("random_get", &[at, 32]), 0);
    let bytes = guest.bytes(at, 64);
    assert_ne!(bytes[..32], [0; 32]);
    assert_eq!(bytes[32..], [0; 32]);
    assert_eq!(guest.call("random_get", &[at, 0]), 0);
    let mut builder = WasiBuilder::new();
    let mut next = 0;
    builder.random(move |bytes| {
        for byte in bytes {
            *byte = next;
            next += 1;
        }
    });
    let mut guest = Guest::new(builder);
    let at = guest.put(&[0; 8]);
    assert_eq!(guest.call("random_get", &[at, 3]), 0);
    assert_eq!(guest.call("random_get", &[at + 3, 3]), 0);
    assert_eq!(guest.bytes(at, 8), [0, 1, 2, 3, 4, 5, 0, 0]);
}

#[test]
fn exit_codes() {
    for code in [0, 1, 42, 255, -1] {
        let mut guest = Guest::new(WasiBuilder::new());
        assert_eq!(guest.exit(code), Some(code as u32));
    }
}

#[test]
fn signals() {
    let mut guest = Guest::new(WasiBuilder::new());
    assert_eq!(guest.call("proc_raise", &[6]), errno::NOTSUP);
    assert_eq!(guest.call("proc_raise", &[99]), errno::INVAL);
}

#[test]
fn programs_in_one_process_are_independent() {
    let mut guests = ["a", "b"].map(|name| {
        let mut builder = WasiBuilder::new();
        builder.arg(name).stdin(name.into());
        Guest::new(builder)
    });
    assert_eq!(guests[0].call("fd_close", &[1]), 0);
    assert_eq!(guests[0].write(1, b"x"), Err(errno::BADF));
    assert_eq!(guests[1].write(1, b"x"), Ok(1));
    assert_eq!(guests[1].read(0, 9).expect("input"), b"b");
    assert_eq!(strings(&mut guests[0], "args_get", "args_sizes_get"), [b"a"]);
}
