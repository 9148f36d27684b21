//! Going on at every instruction gives what the whole run gives.

mod world;

use cupola_ir::analysis::{Cfg, Liveness};
use cupola_ir::*;
use world::World;

/// With everything that the encoder fuses or puts off: constants in and across blocks, copies,
/// comparisons in branches to both sides and to loop headers, calls.
const SOURCE: &str = "
memory $m 1
func %helper(a: i64, b: i64) -> (i64, i64) {
block0:
  s = i64.add a, b
  k = i64.const 3
  t = i64.mul s, k
  d = i64.sub k, t
  return d, s
}
func %f(n: i32, seed: i64) -> i64 {
  reg i: i32, x: i64, y: i64, big: i64
block0:
  big = i64.const 0x123456789abcdef
  base = i32.const 64
  zero = i32.const 0
  i = copy zero
  t = i64.xor seed, big
  x = copy t
  y = i64.const 1
  br head
head:
  c = i32.lt_s i, n
  br_if c, body, exit
body:
  t = i64.rotl x, y
  x = copy t
  x, y = call %helper(x, y)
  w = i64.add x, big
  e = i64.eqz w
  guard e, rare, usual
rare:
  return w
usual:
  i64.store $m, base, w, offset=8
  t = i64.load $m, base, offset=8
  odd = i32.wrap_i64 t
  one = i32.const 1
  odd = i32.and odd, one
  br_if odd, flip, latch
flip:
  t = i64.sub big, t
  y = copy t
  five = i64.const 5
  less = i64.lt_s y, five
  s = select less, y, five
  x = i64.add x, s
  br latch
latch:
  step = i32.const 1
  i = i32.add i, step
  three = i32.const 3
  m = i32.rem_s i, three
  br_table m, [head, latch2], latch3
latch2:
  f = i32.ne m, zero
  br_if f, head, exit
latch3:
  g = i32.lt_s i, n
  br_if g, head, exit
exit:
  x = i64.xor x, y
  return x
}
func %caller(n: i32, seed: i64) -> i64 {
block0:
  r = call %f(n, seed)
  q = copy r
  one = i64.const 1
  q = i64.add q, one
  p, o = call %helper(q, r)
  p = i64.xor p, o
  return p
}";

/// A second, simpler interpreter of one function over the opcode table, which stops before every
/// instruction.
struct Stepper<'a> {
    world: &'a World,
    func: FuncId,
    regs: Vec<u64>,
}

impl Stepper<'_> {
    /// Runs to the end; `at` is told each instruction and the registers before it.
    fn run(&mut self, at: &mut dyn FnMut(Block, Inst, &[u64])) -> Vec<u64> {
        let body = self.world.bodies[self.func.as_u32() as usize].clone().unwrap();
        let mut block = body.entry();
        'blocks: loop {
            for &inst in &body.blocks[block].insts {
                at(block, inst, &self.regs);
                let data = &body.insts[inst];
                let args: Vec<u64> = data.args.iter().map(|&r| self.get(r)).collect();
                let results = match (data.op.format(), data.imm) {
                    (Format::Pure, _) => {
                        let args: Vec<u128> = args.into_iter().map(u128::from).collect();
                        vec![data.op.eval(data.imm, &args).unwrap().unwrap() as u64]
                    }
                    (Format::Const, Imm::Bits(bits)) => vec![bits],
                    (Format::Copy, _) => args,
                    (Format::Select, _) => vec![args[if args[0] != 0 { 1 } else { 2 }]],
                    (Format::Load, Imm::Mem(m)) => {
                        let bytes = self.world.read(0, (args[0] + m.offset) as usize, 8);
                        vec![u64::from_le_bytes(bytes.try_into().unwrap())]
                    }
                    (Format::Store, Imm::Mem(m)) => {
                        let place = (args[0] + m.offset) as usize;
                        self.world.write(0, place, &args[1].to_le_bytes());
                        vec![]
                    }
                    (Format::Call, Imm::Func(func)) => {
                        let body = self.world.bodies[func.as_u32() as usize].clone().unwrap();
                        let mut regs = args;
                        regs.resize(body.regs.len(), 0);
                        Stepper { world: self.world, func, regs }.run(&mut |_, _, _| {})
                    }
                    (Format::Br, _) => {
                        block = data.targets[0].block;
                        continue 'blocks;
                    }
                    (Format::BrIf, _) => {
                        block = data.targets[usize::from(args[0] == 0)].block;
                        continue 'blocks;
                    }
                    (Format::BrTable, _) => {
                        let index = (args[0] as usize).min(data.targets.len() - 1);
                        block = data.targets[index].block;
                        continue 'blocks;
                    }
                    (Format::Return, _) => return args,
                    other => panic!("{other:?} is not in the test"),
                };
                for (&reg, value) in data.results.iter().zip(results) {
                    self.regs[reg.as_u32() as usize] = value;
                }
            }
        }
    }

    fn get(&self, reg: Reg) -> u64 {
        self.regs[reg.as_u32() as usize]
    }
}

/// The state before an instruction: where it is, the registers, and the memory that is used.
struct Step {
    block: Block,
    inst: Inst,
    regs: Vec<u64>,
    memory: Vec<u8>,
}

fn steps(world: &World, name: &str, args: &[u64]) -> (Vec<Step>, Vec<u64>) {
    let func = world.func(name);
    let body = world.bodies[func.as_u32() as usize].clone().unwrap();
    let mut regs = args.to_vec();
    regs.resize(body.regs.len(), 0xdead_dead);
    let mut steps = Vec::new();
    let results = Stepper { world, func, regs }.run(&mut |block, inst, regs| {
        steps.push(Step { block, inst, regs: regs.to_vec(), memory: world.read(0, 72, 8) })
    });
    (steps, results)
}

fn values(regs: &[Reg], all: &[u64]) -> Vec<u64> {
    regs.iter().map(|reg| all[reg.as_u32() as usize]).collect()
}

fn world() -> Box<World> {
    World::parse(SOURCE)
}

#[test]
fn at_every_instruction() {
    let world = world();
    let func = world.func("f");
    let body = world.bodies[func.as_u32() as usize].clone().unwrap();
    let live = Liveness::compute(&body, &Cfg::compute(&body));
    for n in [0, 1, 2, 7, 10] {
        for seed in [0u64, 5, u64::MAX, 0x1234_5678_9abc_def0] {
            let (steps, expected) = steps(&world, "f", &[n, seed]);
            assert_eq!(world.call("f", &[n, seed]).unwrap(), expected);
            for Step { block, inst, regs: all, memory } in steps {
                world.write(0, 72, &memory);
                let regs = live.live_before(&body, block, inst);
                let values = values(&regs, &all);
                let reason = DeoptReason::Forced;
                let frames = vec![FrameDescr { func, resume: inst, regs }];
                let found = world.resume(&FrameState { frames, reason }, &values);
                assert_eq!(found.unwrap(), expected, "at {inst} with n={n} seed={seed:#x}");
            }
        }
    }
}

#[test]
fn in_a_callee_with_its_caller_waiting() {
    let world = world();
    let [func, caller] = ["f", "caller"].map(|name| world.func(name));
    let bodies = [func, caller].map(|f| world.bodies[f.as_u32() as usize].clone().unwrap());
    let live = bodies.each_ref().map(|body| Liveness::compute(body, &Cfg::compute(body)));
    let args = [6, 99];
    let (outer_steps, expected) = steps(&world, "caller", &args);
    let Step { block, inst: call, regs: outer, .. } = &outer_steps[0];
    let (block, call) = (*block, *call);
    let outer_regs = live[1].live_across(&bodies[1], block, call);
    let (inner_steps, _) = steps(&world, "f", &args);
    for Step { block, inst, regs: all, memory } in inner_steps {
        world.write(0, 72, &memory);
        let regs = live[0].live_before(&bodies[0], block, inst);
        let mut list = values(&outer_regs, outer);
        list.extend(values(&regs, &all));
        let frames = vec![
            FrameDescr { func: caller, resume: call, regs: outer_regs.clone() },
            FrameDescr { func, resume: inst, regs },
        ];
        let state = FrameState { frames, reason: DeoptReason::GuardFailed };
        assert_eq!(world.resume(&state, &list).unwrap(), expected, "at {inst}");
    }
}
