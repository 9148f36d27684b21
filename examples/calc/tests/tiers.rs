//! `x ^ y` climbs the tiers, is specialized for squares, and steps back when that was wrong.

use calc::{imports, load};
use cupola::events::{Event, EventKind};
use cupola::ir::{DeoptReason, FuncId, Function, Imm, Op, SrcLoc};
use cupola::tuning::Preset;
use cupola::{Config, Engine, Instance, Module, Store, Tier};

const SOURCE: &str = "fn raise(x, exponent) {
  return x ^ exponent;
}
fn total(count, exponent) {
  var sum = 0;
  var n = 1;
  while n <= count { sum = sum + raise(n, exponent); n = n + 1; }
  return sum;
}
fn square(x) { return x ^ 2; }
";

/// An engine that compiles at once, so that all happens at the same calls in every run.
fn start() -> (Engine, Module, Store, Instance) {
    let mut config = Config::new()
        .with_generator(cupola_cranelift::baseline())
        .with_generator(cupola_cranelift::optimizing());
    config.tuning = Preset::Development.tuning();
    config.stress = "sync".parse().unwrap();
    let engine = Engine::new(config).unwrap();
    engine.events().listen(1 << 16);
    let module = load(&engine, "powers.calc", SOURCE).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &imports(std::io::sink())).unwrap();
    (engine, module, store, instance)
}

fn optimized(module: &Module, func: FuncId) -> Function {
    module.trace_optimizer(func, None, &mut |_, _| ()).unwrap()
}

fn count(function: &Function, op: Op) -> usize {
    let insts = function.block_order().into_iter().flat_map(|b| &function.blocks[b].insts);
    insts.filter(|&&inst| function.insts[inst].op == op).count()
}

fn specialized(function: &Function) -> bool {
    let reasons: Vec<_> = function.frame_states.values().map(|state| state.reason).collect();
    count(function, Op::Dialect) == 0
        && count(function, Op::DeoptUnless) == 1
        && count(function, Op::F64Mul) == 1
        && reasons.contains(&DeoptReason::Specialization)
}

fn drain(engine: &Engine) -> Vec<Event> {
    std::iter::from_fn(|| engine.events().pop()).collect()
}

fn deopts(events: &[Event]) -> Vec<(Tier, DeoptReason, SrcLoc)> {
    let of = |event: &Event| match event.kind {
        EventKind::Deoptimized { tier, reason, loc, .. } => Some((tier, reason, loc)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
fn climbs_specializes_deoptimizes_and_is_recompiled_without() {
    let (engine, module, mut store, instance) = start();
    let raise = instance.typed::<(f64, f64), f64>(&store, "raise").unwrap();
    let id = module.func("raise").unwrap();
    assert_eq!(module.tier_of(id), Tier::T0);

    for n in 0..1000 {
        let n = f64::from(n);
        assert_eq!(raise.call(&mut store, (n, 2.0)).unwrap(), n * n);
    }
    assert_eq!(module.tier_of(id), Tier::T2);
    assert!(specialized(&optimized(&module, id)));
    let events = drain(&engine);
    let promotions: Vec<_> = events
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::Promoted { from, to } => Some((from, to)),
            _ => None,
        })
        .collect();
    assert_eq!(promotions, [(Tier::T0, Tier::T1), (Tier::T1, Tier::T2)]);
    assert_eq!(deopts(&events), []);

    // Each of these leaves the code, until it has failed often enough to be discarded.
    let bound = engine.config().tuning.max_deopts_per_version as usize;
    for n in 0..bound {
        assert_eq!(module.tier_of(id), Tier::T2);
        let n = n as f64;
        assert_eq!(raise.call(&mut store, (n, 3.0)).unwrap(), n.powf(3.0));
    }
    assert!(module.tier_of(id) < Tier::T2);
    let events = drain(&engine);
    let place = SrcLoc::line_column(2, 12);
    assert_eq!(deopts(&events), vec![(Tier::T2, DeoptReason::Specialization, place); bound]);
    assert!(events.iter().any(|event| matches!(event.kind, EventKind::Invalidated { .. })));

    // The next version has the operation itself, and deoptimizes no more.
    for n in 0..1000 {
        let (n, exponent) = (f64::from(n), f64::from(n % 4));
        let expected = if exponent == 2.0 { n * n } else { n.powf(exponent) };
        assert_eq!(raise.call(&mut store, (n, exponent)).unwrap(), expected);
    }
    assert_eq!(module.tier_of(id), Tier::T2);
    let function = optimized(&module, id);
    assert_eq!((count(&function, Op::Dialect), count(&function, Op::DeoptUnless)), (1, 0));
    assert_eq!(deopts(&drain(&engine)), []);

    let report = module.report();
    let raise = report.functions.iter().find(|function| function.name == "raise").unwrap();
    assert_eq!((raise.deopt_count, raise.invalidated), (bound as u64, 1));
    assert_eq!(raise.compilations[&Tier::T2].count, 2);
    assert_eq!(raise.deopts[0].loc, "2:12");
    assert!(raise.pinned.is_none());
    assert!(report.to_table(10).contains("specialization"));
}

#[test]
fn inlined_speculation_leaves_from_the_middle_of_a_loop() {
    let (engine, module, mut store, instance) = start();
    let total = instance.typed::<(f64, f64), f64>(&store, "total").unwrap();
    let id = module.func("total").unwrap();
    for _ in 0..200 {
        assert_eq!(total.call(&mut store, (100.0, 2.0)).unwrap(), 338_350.0);
    }
    assert_eq!(module.tier_of(id), Tier::T2);
    let function = optimized(&module, id);
    assert_eq!((count(&function, Op::Dialect), count(&function, Op::Call)), (0, 0));
    drain(&engine);

    assert_eq!(total.call(&mut store, (100.0, 3.0)).unwrap(), 25_502_500.0);
    let events = drain(&engine);
    let (tier, reason, _) = deopts(&events)[0];
    assert_eq!((tier, reason), (Tier::T2, DeoptReason::Specialization));
    for _ in 0..200 {
        assert_eq!(total.call(&mut store, (100.0, 2.0)).unwrap(), 338_350.0);
        assert_eq!(total.call(&mut store, (100.0, 3.0)).unwrap(), 25_502_500.0);
    }
    let bound = u64::from(engine.config().tuning.max_deopts_per_version);
    let report = module.report();
    for function in &report.functions {
        assert!(function.deopt_count <= 4 * bound, "{function:?}");
        assert!(function.pinned.is_none(), "{function:?}");
    }
    assert_eq!(module.tier_of(id), Tier::T2);
}

#[test]
fn a_constant_exponent_needs_no_guard_and_no_feedback() {
    let (_, module, _, _) = start();
    let function = optimized(&module, module.func("square").unwrap());
    assert_eq!((count(&function, Op::Dialect), count(&function, Op::DeoptUnless)), (0, 0));
    assert_eq!(count(&function, Op::F64Mul), 1);
}

#[test]
fn each_operator_has_a_site_of_its_own() {
    let (_, module, mut store, instance) = start();
    for exponent in [2.0, 3.0, 2.0] {
        instance.call(&mut store, "raise", &[5.0.into(), exponent.into()]).unwrap();
    }
    let id = module.func("raise").unwrap();
    let body = module.body(id).unwrap();
    let mut sites = body.insts.values().filter_map(|inst| match inst.imm {
        Imm::Dialect(_, site) => Some(site.as_u32() as usize),
        _ => None,
    });
    let (site, profile) = (sites.next().unwrap(), module.profile(id).unwrap());
    assert_eq!(profile.sites[site].words[..2], [2, 1]);
    assert_eq!(sites.next(), None);
}
