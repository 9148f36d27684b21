//! Functions as they are copied into their callers.

use super::{frequency, head};
use crate::ssa::SsaInfo;
use cupola_ir::{Block, DeoptReason, Effects, FuncId, Function, Imm, Inst, InstData, Module, Op};
use std::rc::Rc;

/// A function in SSA form with all that planning asks of it, made once in a compilation.
pub struct Template {
    pub(super) id: FuncId,
    pub(super) func: Function,
    pub(super) info: SsaInfo,
    /// Instructions that become code.
    pub(super) size: u32,
    /// Its direct calls of functions that the module defines.
    pub(super) calls: Vec<CallSite>,
    /// Whether it calls nothing that is not listed in `calls`.
    pub(super) only_direct_calls: bool,
    /// The blocks that return.
    pub(super) returns: Vec<Block>,
    /// Its head, if it is a recursive function that has one.
    pub(super) head: Option<Rc<Template>>,
    /// Whether it is the head of a function, which is no activation.
    pub(super) is_head: bool,
}

/// A direct call.
pub(super) struct CallSite {
    pub inst: Inst,
    pub callee: FuncId,
    /// How often it runs for each run of the function.
    pub frequency: f32,
}

impl Template {
    /// A template of function `id`, which was constructed with resume states.
    pub fn new(id: FuncId, func: Function, info: SsaInfo, module: &Module) -> Template {
        let mut template = Template {
            id,
            size: 0,
            calls: Vec::new(),
            only_direct_calls: true,
            returns: Vec::new(),
            head: None,
            is_head: false,
            info,
            func,
        };
        let func = &template.func;
        for &block in &func.layout {
            for &inst in &func.blocks[block].insts {
                let data = &func.insts[inst];
                template.size += u32::from(becomes_code(func, data));
                match data.imm {
                    Imm::Func(callee) if data.op == Op::Call && !module.is_import(callee) => {
                        template.calls.push(CallSite { inst, callee, frequency: 0.0 });
                    }
                    _ if data.effects(module).contains(Effects::CALLS) => {
                        template.only_direct_calls = false;
                    }
                    _ => {}
                }
                if data.op == Op::Return {
                    template.returns.push(block);
                }
            }
        }
        if !template.calls.is_empty() {
            let frequency = frequency::estimate(func);
            let mut calls = template.calls.iter_mut().peekable();
            for &block in &func.layout {
                for &inst in &func.blocks[block].insts {
                    if let Some(call) = calls.next_if(|call| call.inst == inst) {
                        call.frequency = frequency[block];
                    }
                }
            }
        }
        if template.calls.iter().filter(|call| call.callee == id).count() >= 2 {
            let head = head::head(id, &template.func, module);
            template.head = head.map(|head| Rc::new(Template::of_head(id, head, module)));
        }
        template
    }

    /// The template of a head. Its call stays a call.
    fn of_head(id: FuncId, func: Function, module: &Module) -> Template {
        Template {
            calls: Vec::new(),
            only_direct_calls: false,
            is_head: true,
            ..Template::new(id, func, SsaInfo::default(), module)
        }
    }

    /// Whether it calls nothing.
    pub(super) fn is_leaf(&self) -> bool {
        self.calls.is_empty() && self.only_direct_calls
    }
}

/// Whether an instruction counts for the size of a function. Constants mostly become no code; what
/// is woven in is left out, so that a program is inlined alike with and without it.
fn becomes_code(func: &Function, data: &InstData) -> bool {
    match data.imm {
        Imm::Bits(_) | Imm::V128(_) => false,
        Imm::FrameState(state) => !matches!(
            func.frame_states[state].reason,
            DeoptReason::Forced | DeoptReason::BetterCode
        ),
        _ => !matches!(data.op, Op::DeoptTick | Op::FuelTick),
    }
}
