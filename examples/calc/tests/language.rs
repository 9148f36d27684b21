//! What calc programs mean, in every tier, and what is said of programs that are wrong.

use calc::{compile, imports, load};
use cupola::tuning::Preset;
use cupola::{Config, Engine, Error, Instance, Mode, Store, Tier};
use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// What a program prints is collected here.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn run(config: Config, source: &str) -> (String, Result<(), Error>) {
    let config = config
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    let engine = Engine::new(config).unwrap();
    let module = load(&engine, "test.calc", source).unwrap();
    let output = Output::default();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &imports(output.clone())).unwrap();
    let result = instance.call(&mut store, "main", &[]);
    let printed = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    (printed, result.map(|_| ()))
}

/// Each tier alone, automatic mode with low thresholds, and stress modes.
fn configs() -> Vec<(String, Config)> {
    let mut configs = Vec::new();
    for tier in [Tier::T0, Tier::T1, Tier::T2] {
        let mut config = Config::new();
        config.mode = Mode::Only(tier);
        configs.push((tier.to_string(), config));
    }
    for modes in ["", "sync,osr-always", "random-tier=3,fail-guards=2", "hop=5,sync", "tiny-code"] {
        let mut config = Config::new();
        config.tuning = Preset::Development.tuning();
        config.stress = modes.parse().unwrap();
        configs.push((format!("auto {modes}"), config));
    }
    configs
}

fn check(source: &str, expected: &str) {
    for (name, config) in configs() {
        let (printed, result) = run(config, source);
        result.unwrap_or_else(|error| panic!("{name}: {error}\n{source}"));
        assert_eq!(printed.trim_end().replace('\n', " "), expected, "{name}\n{source}");
    }
}

#[test]
fn operators_group_as_in_mathematics() {
    check("print 1 + 2 * 3 - 4 / 8; print (1 + 2) * 3;", "6.5 9");
    check("print 10 - 3 - 2; print 64 / 4 / 2;", "5 8");
    check("print 2 ^ 3 ^ 2; print -2 ^ 2; print 2 ^ -1; print - -1;", "512 -4 0.5 1");
    check("print 1 < 2; print 2 <= 1; print 3 != 3; print 1 + (2 > 1);", "1 0 0 2");
    check("print 1 / 0; print -1 / 0; print 1e3; print 2.5;", "inf -inf 1000 2.5");
}

#[test]
fn statements_and_scopes() {
    check(
        "var x = 1; if x { var x = 5; print x; } else { print 0; } print x;
         if x > 1 { print 10; } else if x == 1 { print 11; } else { print 12; }",
        "5 1 11",
    );
    check("var n = 3; while n { print n; n = n - 1; }", "3 2 1");
    check("fn f() { } fn g(x) { return x; x = 1; } print f(); print g(2);", "0 2");
    check("fn f(x) { x = x + 1; return x; } var x = 1; print f(x); print x;", "2 1");
}

#[test]
fn recursion_and_many_parameters() {
    check(
        "fn fib(n) { if n < 2 { return n; } return fib(n - 1) + fib(n - 2); } print fib(15);",
        "610",
    );
    check(
        "fn even(n) { if n == 0 { return 1; } return odd(n - 1); }
         fn odd(n) { if n == 0 { return 0; } return even(n - 1); }
         print even(100); print even(33);",
        "1 0",
    );
    check(
        "fn f(a, b, c, d, e, f, g, h, i, j) { return a + 2 * b - j + h * (c + d + e + f + g - i); }
         print f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);",
        "123",
    );
}

#[test]
fn example_programs() {
    check(include_str!("../programs/newton.calc"), "1.4142135623746899 1");
    let powers = include_str!("../programs/powers.calc");
    check(powers, "2666686666700000 25502500 2666686666700000 22.4682781862041");
}

#[test]
fn errors_of_the_operation_name_their_lines() {
    let source = "fn f(x) {\n  return 1 +\n    x ^ 0.5;\n}\nvar n = 300;\nwhile 1 {\n  f(n);\n  n = n - 1;\n}\n";
    for (name, config) in configs() {
        let (_, result) = run(config, source);
        let Err(Error::Trap(trap)) = result else { panic!("{name}: {result:?}") };
        assert_eq!(trap.cause.to_string(), "-1 ^ 0.5 is not a real number", "{name}");
        let lines = trap.backtrace();
        assert!(lines[0].starts_with("%f (test.calc:3:7, "), "{name}: {lines:?}");
        assert!(lines[1].starts_with("%main (test.calc:7:3, "), "{name}: {lines:?}");
    }
}

#[test]
fn endless_recursion_is_a_trap() {
    for (name, config) in configs() {
        let (_, result) = run(config, "fn f(x) {\n  return f(x) + 1;\n}\nf(1);");
        let Err(Error::Trap(trap)) = result else { panic!("{name}: {result:?}") };
        // Where compiled code finds the stack full is its prologue, which has no source position.
        let line = &trap.backtrace()[1];
        assert!(line.starts_with("%f (test.calc:2:10, "), "{name}: {line}");
        assert!(trap.omitted > 0, "{name}");
    }
}

#[test]
fn source_errors_say_where() {
    let check = |source: &str, expected: &str| {
        let error = compile("test.calc", source).err().unwrap_or_else(|| panic!("{source}"));
        assert_eq!(error.to_string(), expected, "{source}");
    };
    check("var x = 1;\nprint x +;", "2:10: expected an expression, found `;`");
    check("print 1", "1:8: expected `;`, found the end of the file");
    check("print 1.2.3;", "1:7: `1.2.3` is not a number");
    check("print $;", "1:7: unexpected character `$`");
    check("é = 1;", "1:1: there is no variable `é`");
    check("print y;", "1:7: there is no variable `y`");
    check("if 1 { var y = 1; }\nprint y;", "2:7: there is no variable `y`");
    check("var x = x;", "1:9: there is no variable `x`");
    check("var x = 1; var x = 2;", "1:12: `x` is defined twice");
    check("fn f(a, a) { }", "1:4: `a` is defined twice");
    check("fn f() { }\nfn f() { }", "2:4: function `f` is defined twice");
    check("fn main() { }", "1:4: `main` is the name of the statements outside of functions");
    check("print g(1);", "1:7: there is no function `g`");
    check("fn f(a) { }\nprint 1 + f();", "2:11: `f` takes 1 arguments, not 0");
    check("fn f() { return 1; y = 2; }", "1:20: there is no variable `y`");
    check("fn f(", "1:6: expected a name, found the end of the file");
    check("while 1 { fn g() { } }", "1:11: expected a name, found `fn`");
    check("print while;", "1:7: expected a name, found `while`");
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    let message = |source: String| compile("test.calc", &source).err().unwrap().message;
    let many = "more than 500 operators in one expression";
    assert_eq!(message(format!("print {}1;", "(".repeat(100_000))), many);
    assert_eq!(message(format!("print {}1;", "-".repeat(100_000))), many);
    assert_eq!(message(format!("print {}1;", "1 + ".repeat(100_000))), many);
    assert_eq!(message(format!("print {}1;", "2 ^ ".repeat(100_000))), many);
    assert_eq!(message(format!("print {}", "main(".repeat(100_000))), many);
    let deep = "blocks are nested too deep";
    assert_eq!(message("if 1 { ".repeat(100_000)), deep);
    assert_eq!(message(format!("if 1 {{ }} {}", "else if 1 { } ".repeat(100_000))), deep);
    assert!(
        compile("test.calc", &format!("print {}1{};", "(".repeat(400), ")".repeat(400))).is_ok()
    );
    check(&format!("print {}1;", "1 + ".repeat(499)), "500");
}

#[test]
fn the_command_and_its_exit_codes() {
    let calc = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_calc")).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/programs");
    let (code, out, err) = calc(&[&format!("{dir}/powers.calc"), "--stats", "--stress", "sync"]);
    assert_eq!((code, out.lines().count()), (Some(0), 4), "{err}");
    assert!(err.contains("specialization"), "{err}");

    let temporary = std::env::temp_dir().join(format!("calc-test-{}.calc", std::process::id()));
    let file = temporary.to_str().unwrap();
    for (source, code, message) in [
        ("print 1 +", 2, format!("calc: {file}:1:10: expected an expression")),
        ("print 1;\nprint (0 - 8) ^ 0.5;", 1, "calc: -8 ^ 0.5 is not a real number".to_owned()),
    ] {
        std::fs::write(&temporary, source).unwrap();
        let (found, _, err) = calc(&[file]);
        assert_eq!(found, Some(code), "{err}");
        assert!(err.starts_with(&message), "{err}");
    }
    std::fs::remove_file(&temporary).unwrap();
    for args in [&[][..], &["--nonsense"], &["a", "b"], &["/no/such/file"], &["a", "--stress", "b"]]
    {
        let (code, _, err) = calc(args);
        assert!(code == Some(2) && err.starts_with("calc: "), "{args:?}: {err}");
    }
}
