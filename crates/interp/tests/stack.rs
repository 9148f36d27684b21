//! No handler may leave anything on the native stack: each runs so often on so small a stack that
//! 16 bytes left behind each time would overflow it.

mod world;

use cupola_ir::{Format, Module, Op, Type};
use world::World;
use world::forms::{Form, SHAPES, immediates, module_of, to_slots};

const STACK: usize = 128 << 10;
const TIMES: u64 = 20_000;

fn on_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(f).unwrap().join().unwrap();
}

fn one(ty: Type) -> u128 {
    match ty {
        Type::F32 => 1f32.to_bits().into(),
        Type::F64 => 1f64.to_bits().into(),
        _ => 1,
    }
}

#[test]
fn pure_operations() {
    on_small_stack(|| {
        let module = Module::default();
        for op in Op::ALL.iter().copied().filter(|op| op.pure_signature().is_some()) {
            let (params, _) = op.pure_signature().unwrap();
            let args: Vec<u128> = params.iter().map(|&ty| one(ty)).collect();
            for last in [None, Some(args[args.len() - 1])] {
                let form = Form { op, last, imm: immediates(op)[0] };
                let shapes = SHAPES.iter().filter(|_| op.is_compare());
                let branches = shapes.map(|&shape| form.branch(&module, shape));
                let world = module_of([form.looped(&module)].into_iter().chain(branches));
                let args = &args[..args.len() - usize::from(last.is_some())];
                let mut args = to_slots(params, args);
                args.push(TIMES);
                for func in world.module.funcs.keys() {
                    world.call(&format!("f{}", func.as_u32()), &args).unwrap();
                }
            }
        }
    });
}

/// Calls `%f(n)` of a module, which loops over the statements in `body`.
fn loops_over(decls: &str, regs: &str, body: &str) {
    let source = format!(
        "memory $m 1 4\nmemory $n 1\nglobal $g mut i64 = 0\nglobal $v mut v128 = 0x0\n{decls}
        func %leaf0() {{ block0: return }}
        func %leaf1(a: i32) -> i32 {{ block0: return a }}
        func %leaf2(a: i32, b: i32) -> (i32, i32) {{ block0: return b, a }}
        func %leaf3(a: i32, b: i32, c: i32) -> i32 {{ block0: return c }}
        func %leaf4(a: i32, b: i32, c: i32, d: i32) -> i32 {{ block0: return d }}
        func %leaf_v(a: v128, b: i32) -> (v128, i32) {{ block0: return a, b }}
        func %leaf5(a: i32, b: i32, c: i32, d: i32, e: i32) -> i32 {{ block0: return e }}
        table $t = [%leaf1]
        export func %f(n: i32) {{
          reg i: i32, v32: i32, v64: i64, f32: f32, f64: f64, v128: v128 {regs}
        block0:
          i = i32.const 0
          v32 = i32.const 16
          v64 = i64.const 0
          f32 = f32.const 0.5
          f64 = f64.const 0.5
          v128 = v128.const 0x1
          br loop
        loop:
          {body}
          br latch
        latch:
          one = i32.const 1
          i = i32.add i, one
          more = i32.lt_u i, n
          br_if more, loop, exit
        exit:
          return
        }}"
    );
    on_small_stack(move || {
        let mut world = World::parse(&source);
        world.script.host = Some(Box::new(|_, _, slots| {
            slots[0] += 1;
            Ok(())
        }));
        world.budget = 3;
        world.call("f", &[TIMES]).unwrap();
    });
}

#[test]
fn memory_accesses() {
    let mut body = String::new();
    for op in Op::ALL.iter().copied().filter(|op| op.access().is_some() && !op.is_raw()) {
        let value = match op.access().unwrap().0 {
            Type::I32 => "v32",
            Type::I64 => "v64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::V128 => "v128",
            Type::FuncRef | Type::ExternRef => unreachable!("memory holds no references"),
        };
        let raw = op.to_raw().unwrap();
        if op.format() == Format::LoadLane {
            body += "z = i32.const 0\nb = memory.base $m\n";
            body += &format!("v128 = {op} $m, z, v128, offset=8, lane=1\n");
            body += &format!("v128 = {op} $n, z, v128, offset=8, lane=1\n");
            body += &format!("v128 = {raw} b, v128, offset=8, lane=1\n");
        } else if op.format() == Format::StoreLane {
            body += "z = i32.const 0\nb = memory.base $m\n";
            body += &format!("{op} $m, z, v128, offset=8, lane=1\n");
            body += &format!("{op} $n, z, v128, offset=8, lane=1\n");
            body += &format!("{raw} b, v128, offset=8, lane=1\n");
        } else if op.effects().contains(cupola_ir::Effects::WRITES_MEMORY) {
            body += &format!("z = i32.const 0\n{op} $m, z, {value}, offset=8\n");
            body += &format!("{op} $n, z, {value}, offset=8\nb = memory.base $m\n");
            body += &format!("{raw} b, {value}, offset=8\n");
        } else {
            body += &format!("z = i32.const 0\n{value} = {op} $m, z, offset=8\n");
            body += &format!("{value} = {op} $n, z, offset=8\nb = memory.base $m\n");
            body += &format!("{value} = {raw} b, offset=8\n");
        }
    }
    loops_over("", "", &body);
}

#[test]
fn state_and_control() {
    loops_over(
        "dialect test.swap(i64, i64) -> (i64, i64)",
        ", c: i32",
        "s = memory.size $m
         l = memory.len $m
         z = i32.const 0
         o = memory.grow $m, z
         g = global.get $g
         global.set $g, g
         k = i64.const 0x1234567890
         global.set $g, k
         c = copy i
         d = select c, v32, n
         v = global.get $v
         w = copy v
         u = select c, w, v128
         global.set $v, u
         w = v128.const 0x12345678901234567890
         global.set $v, w
         x, y = dialect test.swap(g, k)
         trap_if z, unreachable
         br_table i, [a, a], b
        a:
          br b
        b:
          c = i32.and c, v32
          br_if c, d1, d2
        d1:
          br d2
        d2:
          br_if c, d4, d3
        d3:
          br d4
        d4:",
    );
}

#[test]
fn calls_and_counters() {
    loops_over(
        "import %host(i32) -> i32 = \"test\" \"host\"",
        ", p: i32, q: i32",
        "call %leaf0()
         p = call %leaf1(i)
         p, q = call %leaf2(i, p)
         p = call %leaf3(p, q, i)
         p = call %leaf4(p, q, i, i)
         p = call %leaf5(p, q, i, i, i)
         v, p = call %leaf_v(v128, p)
         h = call %host(i)
         z = i32.const 0
         p = call_indirect $t[z](p) : (i32) -> i32",
    );
}
