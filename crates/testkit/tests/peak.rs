//! The tiers above T2, with Cranelift's optimized code in place of a peak compiler's: loops of T2
//! code are asked for samples and leave for better code, the ladder to T4, and the thread that asks.

use cupola::events::{Event, EventKind};
use cupola::ir::DeoptReason;
use cupola::tuning::{Preset, Tuning};
use cupola::{
    CodeGenerator, Config, Dialects, Engine, Imports, Instance, Module, Store, Tier, TypedFunc,
};
use cupola_runtime::{Artifact, CompileError, CompileRequest};
use std::fs;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// These tests look at threads of the process, so that they may not run side by side.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Optimized code under the name of another tier.
struct At(Tier, Arc<dyn CodeGenerator>);

impl CodeGenerator for At {
    fn tier(&self) -> Tier {
        self.0
    }

    fn name(&self) -> &'static str {
        if self.0 == Tier::T3 { "peak" } else { "summit" }
    }

    fn compile(&self, request: &CompileRequest<'_>) -> Result<Artifact, CompileError> {
        let mut artifact = self.1.compile(request)?;
        artifact.tier = self.0;
        Ok(artifact)
    }

    fn dump(&self, request: &CompileRequest<'_>) -> Result<String, CompileError> {
        self.1.dump(request)
    }
}

/// T0 to T2, and these tiers above.
fn config(above: &[Tier], tuning: Tuning) -> Config {
    let mut config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    for &tier in above {
        config = config.with_generator(Arc::new(At(tier, cupola_cranelift::optimizing())));
    }
    config.tuning = tuning;
    config
}

fn quick() -> Tuning {
    Tuning { t3_samples: 2, t4_samples: 4, peak_after_ns: 0, ..Preset::Development.tuning() }
}

/// `churn` is a loop; `nest` calls it, so that it is inlined, from a loop around it; in `behind` a
/// short loop follows the call.
const TEXT: &str = "
export func %churn(n: i64, x: i64) -> i64 {
entry:
  one = i64.const 1
  factor = i64.const 6364136223846793005
  br next
next:
  x = i64.mul x, factor
  x = i64.add x, n
  n = i64.sub n, one
  last = i64.eqz n
  br_if last, done, next
done:
  return x
}
export func %nest(times: i64, n: i64) -> i64 {
entry:
  one = i64.const 1
  x = i64.const 7
  br next
next:
  x = call %churn(n, x)
  times = i64.sub times, one
  last = i64.eqz times
  br_if last, done, next
done:
  return x
}
export func %behind(times: i64, n: i64) -> i64 {
entry:
  one = i64.const 1
  x = i64.const 7
  br next
next:
  x = call %churn(n, x)
  i = i64.const 1000
  br short
short:
  x = i64.xor x, i
  x = i64.rotl x, one
  i = i64.sub i, one
  more = i64.ne i, one
  br_if more, short, after
after:
  times = i64.sub times, one
  last = i64.eqz times
  br_if last, done, next
done:
  return x
}";

fn churn(n: i64, x: i64) -> i64 {
    (1..=n).rev().fold(x, |x, n| x.wrapping_mul(6364136223846793005).wrapping_add(n))
}

struct Subject {
    engine: Engine,
    module: Module,
    store: Store,
    instance: Instance,
}

impl Subject {
    fn new(config: Config) -> Subject {
        let engine = Engine::new(config).unwrap();
        engine.events().listen(1 << 16);
        let module = Module::from_text(&engine, "peak.cir", TEXT, &Dialects::new()).unwrap();
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &Imports::new()).unwrap();
        Subject { engine, module, store, instance }
    }

    fn func(&self, name: &str) -> TypedFunc<(i64, i64), i64> {
        self.instance.typed(&self.store, name).unwrap()
    }

    fn events(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.engine.events().pop()).collect()
    }
}

fn is_better_code(event: &Event) -> bool {
    matches!(event.kind, EventKind::Deoptimized { reason: DeoptReason::BetterCode, .. })
}

fn entered(tier: Tier) -> impl Fn(&Event) -> bool {
    move |event| matches!(event.kind, EventKind::OsrEntered { tier: t, .. } if t == tier)
}

/// One call, which begins in T0, is in T3 before it ends: out of T2 at a poll, in by the loop.
#[test]
fn a_running_loop_goes_on_in_peak_code() {
    let _alone = alone();
    let mut subject = Subject::new(config(&[Tier::T3], quick()));
    let churn_func = subject.func("churn");
    // Some 300 ms in T2; more if the machine is busy with others.
    let n = 200_000_000;
    assert_eq!(churn_func.call(&mut subject.store, (n, 7)).unwrap(), churn(n, 7));
    let events = subject.events();
    let position = |wanted: &dyn Fn(&Event) -> bool| events.iter().position(wanted);
    let t2 = position(&entered(Tier::T2)).expect("entered T2");
    let left = position(&is_better_code).expect("left T2");
    let t3 = position(&entered(Tier::T3)).expect("entered T3");
    assert!(t2 < left && left < t3, "{events:?}");
    assert_eq!(events.iter().filter(|event| is_better_code(event)).count(), 1);
    let invalidated = |e: &Event| matches!(e.kind, EventKind::Invalidated { .. });
    assert!(!events.iter().any(invalidated), "leaving for better code is no failure");
    let table = subject.module.report().to_table(4);
    assert!(table.contains("peak"), "{table}");
}

/// What leaves an inlined loop for the loop around it gets there, though the interpreter comes by
/// another loop with code of the tier it came from before.
#[test]
fn a_short_loop_is_passed_on_the_way_to_better_code() {
    let _alone = alone();
    let mut subject = Subject::new(config(&[Tier::T3], quick()));
    let behind = subject.func("behind");
    let (times, n) = (2_000, 100_000);
    let short = |x: i64| (2..=1000).rev().fold(x, |x, i| (x ^ i).rotate_left(1));
    let expected = (0..times).fold(7, |x, _| short(churn(n, x)));
    assert_eq!(behind.call(&mut subject.store, (times, n)).unwrap(), expected);
    let events = subject.events();
    let left = events.iter().filter(|event| is_better_code(event)).count();
    assert!(left <= 4, "left {left} times: {}", subject.module.report().to_table(4));
}

/// Of inlined activations the outermost in a loop decides, and code is not left over and over.
#[test]
fn nested_loops_climb_as_one() {
    let _alone = alone();
    let mut subject = Subject::new(config(&[Tier::T3], quick()));
    let nest = subject.func("nest");
    let (times, n) = (2_000, 100_000);
    let expected = (0..times).fold(7, |x, _| churn(n, x));
    assert_eq!(nest.call(&mut subject.store, (times, n)).unwrap(), expected);
    let events = subject.events();
    // By a loop, or, if the function called got there first, by calls.
    let in_t3 = |event: &Event| matches!(event.kind, EventKind::Installed { tier: Tier::T3, .. });
    assert!(events.iter().any(in_t3), "{}", subject.module.report().to_table(4));
    let left = events.iter().filter(|event| is_better_code(event)).count();
    assert!(left <= 6, "left {left} times");
}

/// Each step of a ladder of four compiled tiers is taken.
#[test]
fn a_ladder_to_t4() {
    let _alone = alone();
    let tuning = Tuning { t3_samples: 2, t4_samples: 5, ..Tuning::ladder() };
    let mut subject = Subject::new(config(&[Tier::T3, Tier::T4], tuning));
    let churn_func = subject.func("churn");
    let started = Instant::now();
    let n = 20_000_000;
    let expected = churn(n, 7);
    while started.elapsed() < Duration::from_secs(20) {
        assert_eq!(churn_func.call(&mut subject.store, (n, 7)).unwrap(), expected);
        let report = subject.module.report();
        let churn = &report.functions[0];
        if churn.call_tier == Tier::T4 && churn.osr_entries.iter().any(|e| e.tier == Tier::T4) {
            break;
        }
    }
    let events = subject.events();
    for tier in [Tier::T1, Tier::T2, Tier::T3, Tier::T4] {
        let installed =
            |event: &Event| matches!(event.kind, EventKind::Installed { tier: t, .. } if t == tier);
        assert!(events.iter().any(installed), "{tier} is missing");
    }
    assert!(events.iter().any(entered(Tier::T4)));
    let table = subject.module.report().to_table(4);
    assert!(table.contains("summit"), "{table}");
}

/// Without a tier above T2 its loops do not leave, and the thread that would ask them to sleeps until
/// there is something to interrupt.
#[test]
fn without_peak_code_nobody_asks() {
    let _alone = alone();
    let mut subject = Subject::new(config(&[], quick()));
    let churn_func = subject.func("churn");
    let n = 50_000_000;
    assert_eq!(churn_func.call(&mut subject.store, (n, 7)).unwrap(), churn(n, 7));
    let events = subject.events();
    assert!(events.iter().any(entered(Tier::T2)));
    assert!(!events.iter().any(is_better_code));
    let thread = ticker().expect("loops that do not look for interruptions need it");
    let asleep = waits(&thread);
    assert_eq!(churn_func.call(&mut subject.store, (n, 7)).unwrap(), churn(n, 7));
    assert_eq!(waits(&thread), asleep);
}

/// The directory of the thread that asks.
fn ticker() -> Option<std::path::PathBuf> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.map(|task| task.path()).find(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "cupola-ticker")
    })
}

/// How often it has waited.
fn waits(ticker: &std::path::Path) -> u64 {
    let status = fs::read_to_string(ticker.join("status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The thread that asks sleeps while nothing runs, works again when something does, and ends with
/// the engine.
#[test]
fn the_ticker_sleeps_with_the_program() {
    let _alone = alone();
    let mut subject = Subject::new(config(&[Tier::T3], quick()));
    let churn_func = subject.func("churn");
    let n = 100_000_000;
    let expected = churn(n, 7);
    assert_eq!(churn_func.call(&mut subject.store, (n, 7)).unwrap(), expected);
    let thread = ticker().expect("T2 code that polls was made");
    for _ in 0..2 {
        // 16 ticks of at most 8 ms without anything that runs, and reserves.
        thread::sleep(Duration::from_millis(400));
        let asleep = waits(&thread);
        thread::sleep(Duration::from_millis(200));
        assert_eq!(waits(&thread), asleep, "it does not sleep");
        assert_eq!(churn_func.call(&mut subject.store, (n, 7)).unwrap(), expected);
        assert!(waits(&thread) > asleep + 2, "it does not wake up");
    }
    drop(subject);
    assert_eq!(ticker(), None);
}
