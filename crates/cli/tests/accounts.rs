//! What the command tells about a run and about code: statistics, log, dumps, completions.

mod common;

use common::{TempFile, cupola, line};
use serde_json::Value;

/// The statistics of a run, as JSON.
fn stats(args: &str, code: i32) -> Value {
    let file = TempFile::new("json", "");
    let done = line(&format!("run {args} --stats=json:{}", file.name()));
    assert_eq!(done.code, Some(code), "{}", done.stderr);
    serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap()
}

/// The account of one function.
fn function<'a>(stats: &'a Value, name: &str) -> &'a Value {
    let functions = stats["functions"].as_array().unwrap();
    functions.iter().find(|f| f["name"] == name).unwrap()
}

fn tier_number(tier: &Value) -> u32 {
    let name = tier.as_str().unwrap().to_ascii_lowercase();
    name.strip_prefix('t').unwrap().parse().unwrap()
}

#[test]
fn statistics_say_tier_and_generator() {
    for (mode, tier, generator) in [("t1", 1, "cranelift-none"), ("t2", 2, "cranelift-speed")] {
        let stats = stats(&format!("examples/fib.cir --invoke fib 20 --mode {mode}"), 0);
        let fib = function(&stats, "fib");
        assert_eq!(tier_number(&fib["tier"]), tier);
        assert_eq!(fib["generator"], generator);
        assert!(fib["code_bytes"].as_u64().unwrap() > 0);
    }
    let interpreted = stats("examples/fib.cir --invoke fib 20 --mode t0", 0);
    let fib = function(&interpreted, "fib");
    assert_eq!((tier_number(&fib["tier"]), &fib["generator"]), (0, &Value::Null));
    assert_eq!(fib["calls"], 21891);
}

#[test]
fn statistics_are_given_after_a_trap_too() {
    let stats = stats("examples/traps.cir --invoke average 1 0", 1);
    assert_eq!(function(&stats, "divide")["calls"], 1);
    let done = line("run examples/traps.cir --invoke average 1 0 --stats");
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("functions, hottest first"), "{}", done.stderr);
    assert!(done.stderr.contains("error: integer division by zero"), "{}", done.stderr);
}

#[test]
fn what_starts_interpreted_ends_optimized() {
    let done = line("run examples/fib.cir --invoke fib 38 --log --stats");
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "39088169\n"), "{}", done.stderr);
    for event in ["translated", "queued", "compiled", "installed", "promoted"] {
        let told = done.stderr.lines().any(|line| line.contains(event) && line.contains("%fib"));
        assert!(told, "no `{event}` in:\n{}", done.stderr);
    }
    assert!(done.stderr.contains("cranelift-speed"), "{}", done.stderr);
    let done = line("run examples/loop.cir --invoke nest 300000 --log");
    assert!(done.stderr.contains("osr-entered"), "{}", done.stderr);
    let done = line("run examples/guard.cir --invoke sum 3000000 --stress sync --log");
    assert!(done.stderr.contains("deoptimized"), "{}", done.stderr);
}

#[test]
fn block_counts_are_printed() {
    let done = line("run examples/fib.cir --invoke fib 10 --mode t0 --block-counts");
    let words: Vec<&str> = done.stderr.split_whitespace().collect();
    let expected = ["%fib", "block0", "177", "block1", "89", "block2", "88"];
    assert!(words.ends_with(&expected), "{}", done.stderr);
}

#[test]
fn no_colour_without_a_terminal() {
    let bad = TempFile::new("cir", "func");
    for args in [
        vec!["run", "--help"],
        vec!["run", bad.name()],
        vec!["run", "/no/such/file"],
        vec!["run", "--frob"],
    ] {
        let done = cupola(&args);
        assert!(!done.stdout.contains('\x1b') && !done.stderr.contains('\x1b'), "{args:?}");
    }
}

#[test]
fn dumps_show_each_stage() {
    for (args, expected) in [
        ("examples/fib.cir --stage register", "func %fib(n: i32) -> i32 {"),
        ("examples/traps.cir --stage register --function %divide", "i32.div_s a, b"),
        ("examples/fib.cir --stage ssa", "ssa func %fib(v0: i32) -> i32 {"),
        ("examples/loop.cir --stage ssa --osr loop1", "osr block"),
        ("examples/loop.cir --stage ssa --pass licm", "; after licm"),
        ("examples/loop.cir --stage ssa --pass all", "; after construct"),
        ("examples/fib.cir --stage clif", "function u0:"),
        ("examples/loop.cir --stage clif --osr 0", "function u0:"),
        ("examples/loop.cir --stage clif --tier 1 --osr 0", "function u0:"),
        ("examples/fib.cir --stage asm --tier 1", "helper CallHot"),
        ("examples/fib.cir --stage asm --tier t1", "; %fib, t1 by cranelift-none"),
        ("examples/fib.cir --stage asm", "; %fib, t2 by cranelift-speed"),
        ("examples/loop.cir --stage asm --osr 1", "entered at block"),
        ("examples/traps.cir --stage asm --function even", "ud2"),
        ("examples/traps.cir --stage asm --function even", "trap unreachable"),
        ("examples/guard.cir --stage asm", "; exit 0: guard_failed [%sum inst"),
    ] {
        let done = line(&format!("dump {args}"));
        assert_eq!(done.code, Some(0), "{args}: {}", done.stderr);
        assert!(done.stdout.contains(expected), "{args}: no `{expected}` in:\n{}", done.stdout);
    }
    let all = line("dump examples/traps.cir --stage register").stdout;
    assert_eq!(all.matches("func %").count(), 5, "{all}");
}

#[test]
fn a_dumped_register_form_is_a_program() {
    let text = line("dump examples/loop.cir --stage register").stdout;
    let file = TempFile::new("cir", format!("export {text}"));
    let done = cupola(["run", file.name(), "--invoke", "nest", "10"]);
    assert_eq!(done.stdout, "4995000\n", "{}", done.stderr);
}

#[test]
fn listings_tell_code_from_data() {
    let file = TempFile::new(
        "cir",
        "export func %f(n: i32, x: f64) -> f64 {
a:
  br_table n, [b, c, d, e, f], g
b:
  k1 = f64.const 1.5
  r1 = f64.add x, k1
  return r1
c:
  k2 = f64.const 2.25
  r2 = f64.mul x, k2
  return r2
d:
  r3 = f64.sqrt x
  return r3
e:
  r4 = f64.neg x
  return r4
f:
  r5 = f64.floor x
  return r5
g:
  return x
}",
    );
    for tier in ["1", "2"] {
        // One entry for each of the five targets, and Cranelift's own for the default.
        let text = cupola(["dump", file.name(), "--stage", "asm", "--tier", tier]).stdout;
        assert_eq!(text.matches(".jump 0x").count(), 6, "{text}");
        assert!(text.contains(".data 00 00 00 00 00 00 f8 3f"), "{text}");
        assert!(!text.contains("(bad)"), "{text}");
        assert!(text.contains("sqrtsd"), "{text}");
    }
}

#[test]
fn completions_of_shells() {
    for (shell, expected) in
        [("bash", "complete -F"), ("zsh", "#compdef cupola"), ("fish", "complete -c cupola")]
    {
        let done = line(&format!("completions {shell}"));
        assert_eq!(done.code, Some(0));
        assert!(done.stdout.contains(expected) && done.stdout.contains("block-counts"), "{shell}");
    }
}

#[test]
fn help_and_version() {
    let help = line("run --help");
    assert_eq!(help.code, Some(0));
    for expected in ["env.print_f64(f64)", "env.exit(i32)", "random-tier[=SEED]", "--timeout"] {
        assert!(help.stdout.contains(expected), "{}", help.stdout);
    }
    assert!(line("--version").stdout.starts_with("cupola 0."));
}
