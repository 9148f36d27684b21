//! Whatever is wrong with the command line or the file: a clear message, exit code 2, no panic.

mod common;

use common::{Done, TempFile, cupola, line, root};
use std::time::Duration;

#[track_caller]
fn check_refused(done: &Done, expected: &str) {
    let Done { code, stdout, stderr, .. } = done;
    assert_eq!(*code, Some(2), "{stdout}{stderr}");
    assert!(stderr.contains(expected), "no `{expected}` in:\n{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(stdout, "");
}

#[test]
fn bad_usage() {
    for (args, expected) in [
        ("", "Usage: cupola"),
        ("fly", "unrecognized subcommand 'fly'"),
        ("run", "<FILE>"),
        ("run examples/fib.cir --mode t9", "possible values: auto, t0, t1, t2, t3"),
        ("run examples/fib.cir --mode t3 --no-peak --invoke fib 1", "--no-peak forbids"),
        ("run examples/fib.cir --preset quick", "default, development, production"),
        (
            "run examples/fib.cir --stress gc",
            "there is no stress mode `gc`; there are: random-tier",
        ),
        ("run examples/fib.cir --stress fail-guards", "it is written `fail-guards=N`"),
        ("run examples/fib.cir --stats=xml", "--stats=json:FILE"),
        ("run examples/fib.cir --invoke fib 1 --stats=json:/no/such/dir/f", "/no/such/dir/f"),
        ("run examples/fib.cir --timeout=-1", "--timeout"),
        ("run examples/fib.cir --timeout=soon", "not a duration: write"),
        ("run examples/fib.cir --max-memory=1X", "not a number of bytes"),
        ("run examples/dispatch.cir --invoke evaluate --max-memory 1K", "above the limit of 0"),
        ("run examples/fib.cir --fuel=-1", "--fuel"),
        ("dump examples/fib.cir", "--stage"),
        ("dump examples/fib.cir --stage wasm", "register, ssa, clif, asm"),
        ("dump examples/fib.cir --stage ssa --function g", "no function named `g`; there are: fib"),
        ("dump examples/fib.cir --stage ssa --pass magic", "licm"),
        ("dump examples/fib.cir --stage asm --pass gvn", "--pass goes with --stage ssa"),
        ("dump examples/fib.cir --stage asm --tier 7", "tiers are 0, 1, 2 and 3"),
        ("dump examples/fib.cir --stage asm --tier 0", "T0 is an interpreter"),
        ("dump examples/fib.cir --stage clif --tier 4", "this tier is not available"),
        ("dump examples/fib.cir --stage ssa --osr 0", "`fib` has no loop0: it has 0 loops"),
        ("dump examples/loop.cir --stage register --osr 0", "--osr does not go"),
        ("completions tcsh", "bash, elvish, fish"),
    ] {
        check_refused(&line(args), expected);
    }
}

#[test]
fn wrong_calls() {
    for (args, expected) in [
        ("examples/fib.cir", "no `main` without parameters to start with"),
        ("examples/fib.cir", "it exports\n  fib(i32) -> i32"),
        ("examples/fib.cir --invoke fob 1", "function `fob` is not there; it exports\n  fib(i32)"),
        ("examples/traps.cir --invoke divide 1 2", "function `divide` is not exported"),
        ("examples/fib.cir --invoke fib", "`fib(i32) -> i32` takes 1 argument, 0 given"),
        ("examples/traps.cir --invoke average 1 2 3", "takes 2 arguments, 3 given"),
        ("examples/fib.cir --invoke fib x", "argument 1 (`n`) of `fib` must be an i32, `x` is not"),
        ("examples/fib.cir --invoke fib 1.5", "`1.5` is not"),
        ("examples/fib.cir --invoke fib 4294967296", "`4294967296` is not"),
        ("examples/fib.cir --invoke fib -2147483649", "`-2147483649` is not"),
        ("examples/traps.cir --invoke average 1 0x", "argument 2 (`count`)"),
    ] {
        check_refused(&line(&format!("run {args}")), expected);
    }
}

#[test]
fn bad_files() {
    let text = |text: &str| TempFile::new("cir", text);
    let main = |body: &str| text(&format!("export func %main() {{\nb:\n  {body}\n}}\n"));
    for (file, expected) in [
        (text(""), "it exports no functions"),
        (text("module \"m\"\nfunc f {"), ":2:6"),
        (main("x = i32.frob"), ":3:"),
        (main("a = i32.const 1\n  b = i64.const 1\n  c = i32.add a, b\n  return"), ":5:"),
        (main("return nothing"), "nothing"),
        (main("p = i64.const 0\n  v = raw.i32.load p\n  return"), "trust"),
        (text("import %f(i64) = \"env\" \"fly\"\nexport func %main() {\nb:\n  return\n}"), "`fly`"),
        (
            text("import %p(i64) = \"env\" \"exit\"\nexport func %main() {\nb:\n  return\n}"),
            "(i32)",
        ),
        (text("dialect a.b() -> i32\nexport func %main() {\nb:\n  return\n}"), "a.b"),
        (text("ssa func %main() {\nb:\n  return\n}\nexport \"main\" = %main"), "no register form"),
        (text("memory $m 1\ndata $m 65535 \"ab\"\nexport func %main() {\nb:\n  return\n}"), "data"),
        (TempFile::new("cir", b"module \"\xff\""), "not valid UTF-8"),
        (TempFile::new("wasm", "(module)"), "magic header not detected"),
        (TempFile::new("bin", b"\0asm\x02\0\0\0"), "at offset 4"),
        (TempFile::new("wat", "(module"), "expected `)`"),
        (TempFile::new("wat", "(module (tag))"), "not supported yet: exception handling"),
        (TempFile::new("wat", "(module (import \"a\" \"f\" (func)))"), "_start"),
        (TempFile::new("lua", "print(1)"), "Lua is not supported yet"),
        (TempFile::new("luac", b"\x1bLua\x54"), "Lua is not supported yet"),
        (TempFile::new("script", "#!/usr/bin/env lua5.4\nprint(1)"), "Lua is not supported yet"),
    ] {
        check_refused(&cupola(["run", file.name()]), expected);
    }
    check_refused(&line("run /no/such/file"), "cannot read `/no/such/file`: No such file");
    check_refused(&line("dump /no/such/file --stage ssa"), "cannot read `/no/such/file`");
    check_refused(&cupola(["run".as_ref(), root().as_os_str()]), "Is a directory");
}

#[test]
fn truncated_files() {
    let whole = std::fs::read(root().join("examples/traps.cir")).unwrap();
    let needed = "  return q\n}";
    let needed = String::from_utf8(whole.clone()).unwrap().rfind(needed).unwrap() + needed.len();
    for len in (0..needed).step_by(7) {
        let file = TempFile::new("cir", &whole[..len]);
        let done = cupola(["run", file.name(), "--invoke", "average", "6", "2"]);
        check_refused(&done, "");
        assert!(!done.stderr.is_empty(), "no message at length {len}");
    }
}

#[test]
fn ten_megabytes_of_noise() {
    // SplitMix64; the second time as text, of which much more is looked at.
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb)
    };
    let bytes: Vec<u8> = (0..10 << 17).flat_map(|_| random().to_le_bytes()).collect();
    let text: Vec<u8> =
        bytes.iter().map(|byte| b" \n%$ab0=(){}\":;,.-"[usize::from(byte % 18)]).collect();
    for bytes in [bytes, text] {
        let file = TempFile::new("cir", bytes);
        let done = cupola(["run", file.name()]);
        check_refused(&done, "rror");
        assert!(done.stderr.len() < 100_000, "{} bytes of messages", done.stderr.len());
        assert!(done.time < Duration::from_secs(10), "{:?}", done.time);
    }
}
