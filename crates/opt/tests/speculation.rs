//! Differential tests of inlining, specialization and loop passes: random programs give the same
//! before and after, also where guards fail inside inlined functions, and from loop headers.

mod common;

use common::eval::{Machine, Outcome, Stop};
use common::generate::{Program, Random};
use common::shape::shape;
use cupola_ir::analysis::{Cfg, DomTree, LoopForest, LoopHeaders};
use cupola_ir::{
    Block, DialectOpId, Effects, Form, FuncId, Function, FunctionBuilder, Imm, Inst, Module, Op,
    Reg, TrapCode,
};
use cupola_opt::inline::InlineTuning;
use cupola_opt::speculate::{SpecializeCx, Specializer};
use cupola_opt::{OptEnv, OptOptions, OptRequest, Profile, SiteProfile, inline, loops};
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;

const ARGS: [[u64; 2]; 3] = [[0, 0], [3, u64::MAX], [0xffff_fff0, 1 << 40]];

/// Bodies with an invented profile.
struct Env<'a> {
    bodies: &'a [Option<Arc<Function>>],
    seed: Option<u64>,
    specializer: Option<&'a dyn Specializer>,
}

impl OptEnv for Env<'_> {
    fn body(&self, func: FuncId) -> Option<Arc<Function>> {
        self.bodies[func.as_u32() as usize].clone()
    }

    fn profile(&self, func: FuncId) -> Option<Profile> {
        let mut random = Random::new(self.seed? + u64::from(func.as_u32()));
        let blocks = self.bodies[func.as_u32() as usize].as_ref()?.blocks.len();
        let mut counts: Vec<u64> = (0..blocks).map(|_| random.pick(&[0, 300, 1000])).collect();
        counts[0] = 100;
        let num_sites = self.bodies[func.as_u32() as usize].as_ref()?.num_sites;
        let sites = (0..num_sites).map(|_| random_targets(&mut random)).collect();
        Some(Profile { calls: 100, block_counts: Some(counts), sites, ..Profile::default() })
    }

    fn specializer(&self, _: DialectOpId) -> Option<&dyn Specializer> {
        self.specializer
    }
}

/// What an indirect call may have seen: any functions, also one that does not exist, in any shares.
fn random_targets(random: &mut Random) -> SiteProfile {
    let targets = [(); 4].map(|()| (random.below(5) as u64, random.pick(&[0, 3, 20, 70])));
    called(&targets, random.pick(&[0, 3, 20, 70]))
}

/// What an indirect call saw: targets by function index plus one, with how often, and how many other
/// calls.
fn called(targets: &[(u64, u64)], other: u64) -> SiteProfile {
    let mut words = [0, 0, 0, 0, other];
    for (word, &(target, count)) in words.iter_mut().zip(targets) {
        *word = target << 32 | count;
    }
    SiteProfile { words }
}

/// The same with a given profile.
struct Told<'a> {
    env: Env<'a>,
    profile: &'a dyn Fn(FuncId) -> Option<Profile>,
}

impl OptEnv for Told<'_> {
    fn body(&self, func: FuncId) -> Option<Arc<Function>> {
        self.env.body(func)
    }

    fn profile(&self, func: FuncId) -> Option<Profile> {
        (self.profile)(func)
    }

    fn specializer(&self, op: DialectOpId) -> Option<&dyn Specializer> {
        self.env.specializer(op)
    }
}

/// A module whose functions 0 and 1 both call, 1 also itself.
fn program(seed: u64) -> Program {
    let mut program = Program::random(seed);
    if seed.is_multiple_of(2) {
        program.bodies[1] = Program::random(seed + 1_000_000).bodies[0].clone();
    }
    program
}

fn generous() -> InlineTuning {
    InlineTuning {
        growth: 600,
        min_frequency: 0.0,
        max_callee: 400,
        recursion_size: 400,
        ..InlineTuning::default()
    }
}

/// Constructs, specializes, inlines.
fn unit(program: &Program, env: &Env<'_>, tuning: InlineTuning, header: Option<Block>) -> Function {
    let body = program.bodies[0].as_deref().unwrap();
    let options = OptOptions { inline: tuning, ..OptOptions::default() };
    let (module, func) = (&program.module, Program::main());
    let request = OptRequest { module, func, body, osr_header: header, env, options };
    inline::construct(&request).0
}

/// Definitions dominate uses, edges pass as many values as there are parameters, blocks end well.
fn check_ssa(func: &Function) {
    assert_eq!(func.form, Form::Ssa);
    let cfg = Cfg::compute(func);
    let dom = DomTree::compute(&cfg);
    let mut place: Vec<Option<(Block, usize)>> = vec![None; func.regs.len()];
    assert_eq!(func.layout.iter().filter(|&&b| cfg.is_reachable(b)).count(), cfg.rpo().len());
    for &block in &func.layout {
        let mut define = |reg: Reg, at: usize| {
            let old = place[reg.as_u32() as usize].replace((block, at));
            assert!(old.is_none(), "{reg} is defined twice");
        };
        func.blocks[block].params.iter().for_each(|&param| define(param, 0));
        for (i, &inst) in func.blocks[block].insts.iter().enumerate() {
            func.insts[inst].results.iter().for_each(|&result| define(result, i + 1));
        }
    }
    for &block in cfg.rpo() {
        let insts = &func.blocks[block].insts;
        for (i, &inst) in insts.iter().enumerate() {
            let data = &func.insts[inst];
            assert_eq!(data.op.is_terminator(), i + 1 == insts.len(), "{inst} in {block}");
            for used in data.uses() {
                let home = place.get(used.as_u32() as usize).copied().flatten();
                let (home, at) = home.unwrap_or_else(|| panic!("{used} in {inst} is not defined"));
                let before = if home == block { at <= i } else { dom.dominates(home, block) };
                assert!(before, "{used} of {home} used by {inst} ({}) in {block}", data.op);
            }
            for target in &data.targets {
                assert_eq!(target.args.len(), func.blocks[target.block].params.len());
                for (&arg, &param) in target.args.iter().zip(&func.blocks[target.block].params) {
                    assert_eq!(func.regs[arg], func.regs[param]);
                }
            }
            if let Imm::FrameState(state) = data.imm {
                let conditions = usize::from(data.op == Op::DeoptUnless);
                assert_eq!(data.args.len(), func.frame_states[state].value_count() + conditions);
            }
        }
    }
}

/// Inlining makes the native stack shallower; runs that used it up, or took too long, say nothing.
fn is_bounded(outcome: &Outcome) -> bool {
    !matches!(outcome.result, Err(Stop::TooLong | Stop::Trap(TrapCode::StackOverflow)))
}

fn reference(program: &Program, args: &[u64]) -> Option<Outcome> {
    let outcome = Machine::new(&program.module, &program.bodies).call(Program::main(), args).0;
    Some(outcome).filter(is_bounded)
}

fn run_loop_passes(func: &mut Function, module: &Module, seed: u64) {
    loops::rotate::run(func, module);
    check_ssa(func);
    loops::licm::run(func, module);
    check_ssa(func);
    if !seed.is_multiple_of(3) {
        loops::memory::run(func, module);
        check_ssa(func);
        loops::licm::run(func, module);
        check_ssa(func);
    }
}

#[test]
fn inlined_functions_and_their_deoptimizations() {
    let (mut inlined, mut deopts, mut deep_frames, mut known) = (0, 0, 0, 0);
    for seed in 0..2500 {
        let program = program(seed);
        let env = Env {
            bodies: &program.bodies,
            seed: (!seed.is_multiple_of(4)).then_some(seed),
            specializer: None,
        };
        let func = unit(&program, &env, generous(), None);
        check_ssa(&func);
        inlined += func.inlined.len();
        known += func.insts.values().filter(|data| data.op == Op::TableHolds).count();
        deep_frames += func.frame_states.values().filter(|s| s.frames.len() > 1).count();
        for args in ARGS {
            let Some(expected) = reference(&program, &args) else { continue };
            let machine = Machine::new(&program.module, &program.bodies);
            let (outcome, left) =
                machine.instead(Program::main(), &func).call(Program::main(), &args);
            assert_eq!(outcome, expected, "seed {seed} {args:?}");
            deopts += left;
        }
    }
    assert!(known > 200, "only {known} targets of indirect calls");
    assert!(inlined > 300, "only {inlined} calls inlined");
    assert!(deopts > 300, "only {deopts} deoptimizations");
    assert!(deep_frames > 100, "only {deep_frames} frame states of inlined calls");
}

#[test]
fn loop_passes() {
    let mut rotated = 0;
    for seed in 0..1200 {
        let program = program(seed);
        let env = Env { bodies: &program.bodies, seed: None, specializer: None };
        let mut func = unit(&program, &env, generous(), None);
        let blocks = func.blocks.len();
        run_loop_passes(&mut func, &program.module, seed);
        rotated += func.blocks.len() - blocks;
        for args in ARGS {
            let Some(expected) = reference(&program, &args) else { continue };
            let machine = Machine::new(&program.module, &program.bodies);
            let outcome = machine.instead(Program::main(), &func).call(Program::main(), &args).0;
            assert_eq!(outcome, expected, "seed {seed} {args:?}");
        }
    }
    assert!(rotated > 100, "only {rotated} blocks made");
}

#[test]
fn entries_at_inner_loops_keep_loops_apart() {
    let (mut entries, mut peeled) = (0, 0);
    for seed in 0..800 {
        let program = program(seed);
        let body = program.bodies[0].as_deref().unwrap();
        let cfg = Cfg::compute(body);
        let forest = LoopForest::compute(body, &cfg, &DomTree::compute(&cfg));
        for &header in LoopHeaders::compute(body, &cfg).headers() {
            let env = Env { bodies: &program.bodies, seed: None, specializer: None };
            let mut func = unit(&program, &env, InlineTuning::none(), Some(header));
            check_ssa(&func);
            if !forest.is_irreducible() && forest.depth(header) > 1 {
                let cfg = Cfg::compute(&func);
                let after = LoopForest::compute(&func, &cfg, &DomTree::compute(&cfg));
                assert!(!after.is_irreducible(), "seed {seed} {header}");
                peeled += 1;
            }
            run_loop_passes(&mut func, &program.module, seed);
            for (args, after) in ARGS.into_iter().zip(0..) {
                let Some(expected) = reference(&program, &args) else { continue };
                let machine = Machine::new(&program.module, &program.bodies);
                let outcome =
                    machine.osr(Program::main(), &func, after).call(Program::main(), &args).0;
                assert_eq!(outcome, expected, "seed {seed} {header} {args:?}");
                entries += 1;
            }
        }
    }
    assert!(entries > 500, "only {entries} entries");
    assert!(peeled > 50, "only {peeled} entries at inner loops");
}

/// Computes what the evaluator makes of `t.pure`, for first operands with bit 2 clear.
struct Hash;

impl Specializer for Hash {
    fn specialize(&self, cx: &mut SpecializeCx<'_>) -> Option<SmallVec<[Reg; 2]>> {
        if cx.decl().effects != Effects::empty() || !cx.may_guard() {
            return None;
        }
        let args = cx.operands();
        let bit = cx.constant(cupola_ir::Type::I64, 4);
        let bits = cx.ins(Op::I64And, &[args[0], bit]);
        let holds = cx.ins(Op::I64Eqz, &[bits]);
        cx.guard(holds);
        let start = cx.decl().name.bytes().fold(17u64, |h, b| h.wrapping_mul(31) + u64::from(b));
        let mut hash = cx.constant(cupola_ir::Type::I64, start);
        let factor = cx.constant(cupola_ir::Type::I64, 0x9e37_79b9_7f4a_7c15);
        let second = cx.ins(Op::I64ReinterpretF64, &[args[1]]);
        for operand in [args[0], second] {
            let mixed = cx.ins(Op::I64Xor, &[hash, operand]);
            hash = cx.ins(Op::I64Mul, &[mixed, factor]);
        }
        let shift = cx.constant(cupola_ir::Type::I64, 20);
        Some(smallvec![cx.ins(Op::I64ShrU, &[hash, shift])])
    }
}

/// Always ill-typed.
struct Wrong;

impl Specializer for Wrong {
    fn specialize(&self, cx: &mut SpecializeCx<'_>) -> Option<SmallVec<[Reg; 2]>> {
        let args = cx.operands();
        Some(smallvec![cx.ins(Op::I64Add, &[args[1], args[0]])])
    }
}

#[test]
fn specialized_dialect_instructions() {
    let (mut deopts, mut left_out) = (0, 0);
    for seed in 0..1000 {
        let program = program(seed);
        let env = Env { bodies: &program.bodies, seed: Some(seed), specializer: Some(&Hash) };
        let func = unit(&program, &env, generous(), None);
        check_ssa(&func);
        left_out += func.frame_states.len();
        for args in ARGS {
            let Some(expected) = reference(&program, &args) else { continue };
            let machine = Machine::new(&program.module, &program.bodies);
            let (outcome, left) =
                machine.instead(Program::main(), &func).call(Program::main(), &args);
            assert_eq!(outcome, expected, "seed {seed} {args:?}");
            deopts += left;
        }
    }
    assert!(deopts > 300 && left_out > 1000, "{deopts} deoptimizations, {left_out} states");
}

#[test]
fn ill_typed_specialization_is_dropped() {
    let dialects = |program: &Program, specializer| {
        let env = Env { bodies: &program.bodies, seed: None, specializer };
        let func = unit(program, &env, InlineTuning::none(), None);
        func.insts.values().filter(|d| d.op == Op::Dialect).count()
    };
    let (program, count) = (0..)
        .map(|seed| (program(seed), dialects(&program(seed), None)))
        .find(|&(_, count)| count > 0)
        .unwrap();
    assert_eq!(dialects(&program, Some(&Wrong)), count);
}

/// fib, with a register form like a front end's.
fn fib(module: &Module, me: FuncId) -> Function {
    let mut b = FunctionBuilder::new(module, module.func_sig(me).clone());
    let n = b.param(0);
    let (base, step) = (b.block(), b.block());
    let two = b.i32(2);
    let small = b.ins(Op::I32LtS, &[n, two]);
    b.br_if(small, base, step);
    b.switch_to(base);
    b.return_(&[n]);
    b.switch_to(step);
    let one = b.i32(1);
    let first = b.ins(Op::I32Sub, &[n, one]);
    let first = b.call(me, &[first])[0];
    let two = b.i32(2);
    let second = b.ins(Op::I32Sub, &[n, two]);
    let second = b.call(me, &[second])[0];
    let sum = b.ins(Op::I32Add, &[first, second]);
    b.return_(&[sum]);
    b.finish()
}

#[test]
fn binary_recursion_unrolls_by_levels() {
    use cupola_ir::{FuncDecl, FuncKind, Signature, Type};
    let mut module = Module::default();
    let sig = module.intern_sig(Signature::new([Type::I32], [Type::I32]));
    let me = module.funcs.push(FuncDecl { name: None, sig, kind: FuncKind::Defined });
    let bodies = [Some(Arc::new(fib(&module, me)))];
    let env = Env { bodies: &bodies, seed: None, specializer: None };
    let body = bodies[0].as_deref().unwrap();
    let options = OptOptions::default();
    let request =
        OptRequest { module: &module, func: me, body, osr_header: None, env: &env, options };
    let (func, inlined) = inline::construct(&request);
    check_ssa(&func);
    assert_eq!(inlined, 4, "a level, and half of the next one");
    let calls: Vec<Inst> =
        func.insts.iter().filter(|(_, d)| d.op == Op::Call).map(|(inst, _)| inst).collect();
    assert_eq!(calls.len(), 6);
    let mut depths: Vec<usize> = Vec::new();
    for call in calls {
        let site = func.insts[call].inline_site.expect("only copies call");
        depths.push(std::iter::successors(Some(site), |&s| func.inlined[s].parent).count());
    }
    depths.sort_unstable();
    assert_eq!(depths, [1, 1, 2, 2, 2, 2], "the head that stands before a call is no activation");
    let tests = func.insts.values().filter(|data| data.op == Op::I32LtS).count();
    assert_eq!(tests, 5 + 6, "one in each copy, and one in front of each call");
    let machine = Machine::new(&module, &bodies).instead(me, &func);
    assert_eq!(machine.call(me, &[15]).0.result, Ok(vec![610]));
}

/// Halves even numbers by a shift.
struct Half;

impl Specializer for Half {
    fn specialize(&self, cx: &mut SpecializeCx<'_>) -> Option<SmallVec<[Reg; 2]>> {
        let x = cx.operands()[0];
        let one = cx.constant(cupola_ir::Type::I32, 1);
        let odd = cx.ins(Op::I32And, &[x, one]);
        let even = cx.ins(Op::I32Eqz, &[odd]);
        cx.guard(even);
        Some(smallvec![cx.ins(Op::I32ShrU, &[x, one])])
    }
}

/// The function of the text behind `Before` in a header becomes that behind `After`.
fn check_header(source: &str, name: &str, header: Option<u32>) {
    check_header_with(source, name, header, &|_| None, OptOptions::default());
}

/// The same with a profile, and with options.
fn check_header_with(
    source: &str,
    name: &str,
    header: Option<u32>,
    profile: &dyn Fn(FuncId) -> Option<Profile>,
    options: OptOptions,
) {
    let before = common::parse(name, &common::example(source, "Before"));
    let after = common::parse(name, &common::example(source, "After"));
    let module = &before.module;
    let bodies = common::bodies(module, &before.bodies);
    let func = module.find_func(name).unwrap();
    let body = bodies[func.as_u32() as usize].as_deref().unwrap();
    let env = Env { bodies: &bodies, seed: None, specializer: Some(&Half) };
    let env = Told { env, profile };
    let osr_header = header.map(Block::from_u32);
    let request = OptRequest { module, func, body, osr_header, env: &env, options };
    let (made, _) = inline::construct(&request);
    common::verify(module, func, &made, name);
    let (_, expected) = common::ssa_function(&after);
    let printed = cupola_ir::print_function(module, func, &made);
    assert_eq!(shape(&made), shape(&expected), "{name} gives\n{printed}");
}

#[test]
fn header_examples() {
    check_header(include_str!("../src/inline/mod.rs"), "f", None);
    check_header(include_str!("../src/speculate/specialize.rs"), "f", None);
    check_header(include_str!("../src/loops/osr.rs"), "nest", Some(2));
    let options = OptOptions { inline: InlineTuning::none(), ..OptOptions::default() };
    let targets = include_str!("../src/speculate/targets.rs");
    check_header_with(targets, "f", None, &|_| Some(seen(called(&[(1, 20)], 0))), options);
}

/// A profile in which the first site saw this.
fn seen(site: SiteProfile) -> Profile {
    Profile { sites: vec![site], ..Profile::default() }
}

/// Which targets are compared with: those with a share, if they are enough together, of the
/// module's own functions with the call's signature.
#[test]
fn targets_worth_a_comparison() {
    let text = "table $t = [%a, %b, %wide]\n\
                import %host(i32) -> i32 = \"env\" \"host\"\n\
                func %a(x: i32) -> i32 {\nentry:\n  return x\n}\n\
                func %b(x: i32) -> i32 {\nentry:\n  return x\n}\n\
                func %wide(x: i64) -> i64 {\nentry:\n  return x\n}\n\
                func %f(i: i32, x: i32) -> i32 {\nentry:\n  \
                r = call_indirect $t[i](x) : (i32) -> i32\n  return r\n}\n";
    let program = common::parse("targets", text);
    let module = &program.module;
    let bodies = common::bodies(module, &program.bodies);
    let func = module.find_func("f").unwrap();
    let number = |name: &str| u64::from(module.find_func(name).unwrap().as_u32()) + 1;
    let (a, b, host, wide) = (number("a"), number("b"), number("host"), number("wide"));
    let body = bodies[func.as_u32() as usize].as_deref().unwrap();
    let compared_with = |targets: &[(u64, u64)], other: u64, inline: InlineTuning| {
        let site = called(targets, other);
        let env = Env { bodies: &bodies, seed: None, specializer: None };
        let env = Told { env, profile: &|_| Some(seen(site)) };
        let options = OptOptions { inline, ..OptOptions::default() };
        let request = OptRequest { module, func, body, osr_header: None, env: &env, options };
        let (made, _) = inline::construct(&request);
        common::verify(module, func, &made, "targets");
        let imm = |data: &cupola_ir::InstData| match data.imm {
            Imm::TableFunc(_, func) => Some(u64::from(func.as_u32()) + 1),
            _ => None,
        };
        made.insts.values().filter_map(imm).collect::<Vec<_>>()
    };
    let compared =
        |targets: &[(u64, u64)], other| compared_with(targets, other, InlineTuning::none());
    assert_eq!(compared(&[(a, 80), (b, 5)], 15), [a]);
    assert_eq!(compared(&[(a, 30), (b, 60)], 10), [b, a], "the more frequent one first");
    assert_eq!(compared(&[(a, 5), (b, 90)], 5), [b]);
    assert!(compared(&[(a, 79)], 21).is_empty(), "too few are found");
    assert!(compared(&[(a, 40), (b, 39)], 21).is_empty(), "too few are found");
    assert!(compared(&[(a, 19)], 0).is_empty(), "too few were seen");
    assert!(compared(&[(host, 90)], 0).is_empty(), "the host's");
    assert!(compared(&[(wide, 90)], 0).is_empty(), "of another signature");
    assert!(compared(&[(99, 90)], 0).is_empty(), "no function");
    assert!(compared(&[], 0).is_empty());
    let most = u64::from(u32::MAX);
    assert_eq!(compared(&[(a, most), (b, most)], 0), [a, b]);
    assert!(compared(&[(a, most), (b, most)], u64::MAX).is_empty());

    // Where they are inlined in any case, fewer are enough.
    let leaves =
        |targets: &[(u64, u64)], other| compared_with(targets, other, InlineTuning::default());
    assert_eq!(leaves(&[(wide, 30), (a, 15), (b, 20)], 35), [b, a]);
    assert_eq!(leaves(&[(a, 9), (b, 30)], 61), [b]);
    assert!(leaves(&[(a, 24)], 76).is_empty());
}
