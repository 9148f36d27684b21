//! Verifier rules that a text cannot break: a correct function is spoilt in one place.

use cupola_ir::{
    Block, FuncId, Function, Imm, Inst, MemId, Module, Op, ParsedModule, Reg, SigId, Target, parse,
    verify_function, verify_module,
};

const TEXT: &str = r#"
memory $m 1
global $g mut f32 = 1.5
table $t = [%f]
dialect a.b()
import %host() = "a" "b"
export func %f(a: i32) -> i32 {
block0:
  x = i32.load a
  y = i32.const 5
  dialect a.b()
  br_table x, [block1], block2
block1:
  z = call_indirect $t[a](x) : (i32) -> i32
  br block2
block2:
  w = call %f(y)
  return w
}
ssa func %f(v0: i32) -> i32 {
  inline inl0 = %f at 1:1
block0:
  v1 = i32.eqz v0 @inl0
  deopt_unless v1, forced [%f inst0 {a = v0}]
  br block1(v1)
block1(v2: i32):
  return v2
}
"#;

fn parsed() -> ParsedModule {
    let parsed = parse("t.cir", TEXT).unwrap_or_else(|e| panic!("{}", e.render(false)));
    parsed.verify().unwrap_or_else(|e| panic!("{}", e.render(false)));
    parsed
}

/// The function `%f`.
fn f() -> FuncId {
    FuncId::from_u32(1)
}

fn messages(module: &Module, id: FuncId, func: &Function) -> String {
    let errors = verify_function(module, id, func).expect_err("the function is wrong");
    errors.iter().map(|e| e.to_string()).collect::<Vec<_>>().join("\n")
}

fn check(func: &Function, spoil: impl Fn(&mut Function), expected: &str) {
    let mut func = func.clone();
    spoil(&mut func);
    let found = messages(&parsed().module, f(), &func);
    assert!(found.contains(expected), "expected {expected:?}, found:\n{found}");
}

fn inst(i: u32) -> Inst {
    Inst::from_u32(i)
}

fn block(i: u32) -> Block {
    Block::from_u32(i)
}

#[test]
fn register_form() {
    let parsed = parsed();
    let func = parsed.bodies.get(f()).expect("a body");
    let reg = Reg::from_u32(99);
    check(func, |f| f.insts[inst(0)].args[0] = reg, "%f block0 inst0 (9:3): register r99 does not");
    check(func, |f| f.insts[inst(0)].results[0] = reg, "register r99 does not exist");
    check(func, |f| f.insts[inst(0)].imm = Imm::None, "`i32.load` cannot have the immediate None");
    check(func, |f| f.insts[inst(1)].imm = Imm::Bits(1 << 32), "not a slot of type i32");
    check(func, |f| f.insts[inst(5)].targets[0].block = block(7), "block7 does not exist");
    check(func, |f| f.insts[inst(5)].targets.clear(), "`br` cannot have 0 targets");
    check(func, |f| f.insts[inst(3)].targets.clear(), "`br_table` cannot have 0 targets");
    check(func, |f| f.insts[inst(7)].targets.push(Target::new(block(1))), "cannot have 1 targets");
    check(func, |f| f.insts[inst(6)].imm = Imm::Func(FuncId::from_u32(9)), "func9 does not exist");
    check(func, |f| f.blocks[block(1)].insts.insert(0, inst(1)), "stands in two places");
    check(func, |f| f.blocks[block(1)].insts.insert(0, inst(50)), "inst50 does not exist");
    check(func, |f| f.num_sites = 1, "site1 is not below the number of sites, 1");
    check(func, |f| f.num_sites = u32::MAX, "more than 2^24 feedback sites");
    check(func, |f| f.regs[Reg::from_u32(0)] = cupola_ir::Type::F32, "are not the parameters");
    check(func, |f| f.layout = vec![block(0)], "no layout");
    check(func, |f| f.sig.params.clear(), "declared as (i32) -> i32, but the body's is () -> i32");
    check(func, |f| f.blocks.clear(), "there is no block");
    let state = parsed.ssa[0].1.frame_states.clone();
    check(func, |f| f.frame_states = state.clone(), "no frame states");
    let inline = cupola_ir::InlineSite::from_u32(0);
    check(func, |f| f.insts[inst(0)].inline_site = Some(inline), "there is no inlined call inl0");
    let memory = MemId::from_u32(3);
    let imm = Imm::Mem(cupola_ir::MemArg { memory, offset: 0 });
    check(func, |f| f.insts[inst(0)].imm = imm, "mem3 does not exist");
    let found = messages(&parsed.module, FuncId::from_u32(0), func);
    assert!(found.contains("an imported function has no body"), "{found}");
    let found = messages(&parsed.module, FuncId::from_u32(9), func);
    assert!(found.contains("the module has no such function"), "{found}");
}

#[test]
fn ssa_form() {
    let parsed = parsed();
    let func = &parsed.ssa[0].1;
    check(func, |f| f.layout = vec![block(1), block(0)], "does not begin with the entry");
    check(func, |f| f.layout = vec![block(0), block(1), block(1)], "has this block twice");
    check(func, |f| f.layout = vec![block(0), block(9)], "block9, which does not exist");
    check(func, |f| f.layout = vec![block(0)], "block1 does not exist");
    check(func, |f| f.blocks[block(0)].params.clear(), "parameters are not the function's");
    check(func, |f| f.blocks[block(1)].params[0] = Reg::from_u32(9), "register r9 does not exist");
    check(func, |f| f.insts[inst(1)].args.truncate(1), "has 2 operands here, found 1");
    check(func, |f| f.frame_states.clear(), "fs0 does not exist");
    let site = cupola_ir::InlineSite::from_u32(0);
    check(func, |f| f.inlined[site].parent = Some(site), "before the call it is within");
    check(func, |f| f.inlined[site].callee = FuncId::from_u32(9), "func9, which does not exist");
    let state = cupola_ir::FrameStateId::from_u32(0);
    check(func, |f| f.frame_states[state].frames[0].func = FuncId::from_u32(9), "does not exist");
}

#[test]
fn modules() {
    let check = |spoil: &dyn Fn(&mut Module), expected: &str| {
        let mut module = parsed().module;
        spoil(&mut module);
        let errors = verify_module(&module).expect_err("the module is wrong");
        let found: Vec<_> = errors.iter().map(|e| e.to_string()).collect();
        assert!(found.iter().any(|e| e.contains(expected)), "{expected}: {found:?}");
    };
    let missing = FuncId::from_u32(9);
    let first = |m: &Module| m.sigs[SigId::from_u32(0)].clone();
    check(&|m| _ = m.sigs.push(first(m)), "is there twice");
    check(&|m| m.funcs[f()].sig = SigId::from_u32(9), "%f: refers to sig9, which does not exist");
    check(&|m| _ = m.exports.insert("x".into(), missing), "export \"x\": func9 does not exist");
    check(&|m| m.tables[cupola_ir::TableId::from_u32(0)].elements.push(Some(missing)), "slot 1");
    check(
        &|m| m.globals[cupola_ir::GlobalId::from_u32(0)].init = 1 << 40,
        "not a slot of type f32",
    );
    let segment = |memory| cupola_ir::DataSegment { memory, offset: 0, bytes: vec![].into() };
    check(&|m| m.data.push(segment(MemId::from_u32(1))), "refers to mem1, which does not exist");
    let op = cupola_ir::DialectOpId::from_u32(0);
    check(&|m| m.dialect_ops[op].effects = cupola_ir::Effects::TERMINATOR, "neither end a block");
    check(&|m| _ = m.dialect_ops.push(m.dialect_ops[op].clone()), "declared twice");
}

#[test]
fn the_same_opcode_in_both_forms() {
    // Raw accesses: front ends need trust, the optimizer does not.
    let mut parsed = parsed();
    let mut func = parsed.bodies.get(f()).expect("a body").as_ref().clone();
    func.insts[inst(0)].op = Op::I32Load.to_raw().expect("loads have raw forms");
    let found = messages(&parsed.module, f(), &func);
    assert!(found.contains("only in trusted modules"), "{found}");
    parsed.module.trusted = true;
    let found = messages(&parsed.module, f(), &func);
    assert!(found.contains("expected i64, found i32"), "{found}");
}
