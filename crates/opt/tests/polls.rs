//! Which loops look for better code.

mod common;

use cupola_ir::{Block, DeoptReason, FuncId, Function, Imm, Op};
use cupola_opt::{OptEnv, OptOptions, OptRequest, Polls, Profile, inline};
use std::sync::Arc;

const TEXT: &str = "
func %f(n: i64, x: i64) -> i64 {
entry:
  one = i64.const 1
  br outer
outer:
  j = copy n
  br inner
inner:
  x = i64.xor x, j
  j = i64.sub j, one
  more = i64.ne j, one
  br_if more, inner, rest
rest:
  more = i64.lt_s x, n
  br_if more, after, skipped
skipped:
  x = i64.add x, one
  br after
after:
  n = i64.sub n, one
  more = i64.ne n, one
  br_if more, outer, last
last:
  x = i64.add x, n
  more = i64.lt_s x, one
  br_if more, last, done
done:
  return x
}";

struct Env<'a> {
    bodies: &'a [Option<Arc<Function>>],
    profile: Option<Profile>,
}

impl OptEnv for Env<'_> {
    fn body(&self, func: FuncId) -> Option<Arc<Function>> {
        self.bodies[func.as_u32() as usize].clone()
    }

    fn profile(&self, _: FuncId) -> Option<Profile> {
        self.profile.clone()
    }
}

/// The headers of the register form at which code that was made with this profile polls: outer and
/// inner loop and the last one are blocks 1, 2 and 6.
fn polled(polls: Polls, profile: Option<Profile>) -> Vec<u32> {
    let program = common::parse("polls", TEXT);
    let module = &program.module;
    let bodies = common::bodies(module, &program.bodies);
    let func = module.find_func("f").expect("it is there");
    let body = bodies[func.as_u32() as usize].as_deref().expect("it is defined");
    let env = Env { bodies: &bodies, profile };
    let options = OptOptions { polls, ..OptOptions::default() };
    let request = OptRequest { module, func, body, osr_header: None, env: &env, options };
    let (made, _) = inline::construct(&request);
    common::verify(module, func, &made, "polls");
    let polls = made.insts.values().filter(|data| data.op == Op::OsrPoll).map(|data| {
        let Imm::FrameState(state) = data.imm else { panic!("a poll without a frame state") };
        let state = &made.frame_states[state];
        assert_eq!(state.reason, DeoptReason::BetterCode);
        let resume = state.frames[0].resume;
        let block = body.blocks.iter().find(|(_, data)| data.insts.contains(&resume));
        block.map(|(block, _)| Block::as_u32(block)).expect("an instruction of a block")
    });
    let mut polls: Vec<u32> = polls.collect();
    polls.sort_unstable();
    polls
}

/// By calls of the function, and counts of outer, inner and last loop.
fn with(calls: u64, outer: u64, inner: u64, last: u64) -> Vec<u32> {
    let loop_counts = vec![outer, inner, last];
    let profile = Some(Profile { calls, loop_counts, ..Profile::default() });
    assert_eq!(polled(Polls::AllLoops, profile.clone()), [2, 6]);
    assert_eq!(polled(Polls::None, profile.clone()), [0u32; 0]);
    polled(Polls::LongLoops, profile)
}

#[test]
fn loops_poll_that_go_on_for_long() {
    assert_eq!(
        polled(Polls::LongLoops, None),
        [2, 6],
        "without a profile, all but what is covered"
    );
    assert_eq!(with(1, 1_000, 1_000_000, 5), [2], "the inner one serves for both");
    assert_eq!(with(1, 1_000, 5_000, 5), [1], "each round of the inner one is short");
    assert_eq!(with(1, 100, 2_000, 10_000), [1, 6], "what is inside counts for the outer one");
    assert_eq!(with(1_000, 1_000, 5_000, 1_000), [0u32; 0], "a call soon ends");
    assert_eq!(with(10, 10, 50_000, 10), [2]);
}
