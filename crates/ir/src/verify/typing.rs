//! Typing rules of instructions, as far as they follow from opcode and immediate.

use crate::entities::Reg;
use crate::inst::{Imm, InstData};
use crate::module::Module;
use crate::op::Format;
use crate::types::Type;
use smallvec::{SmallVec, smallvec};

/// The types of an instruction's results.
pub(crate) enum ResultTypes {
    /// These.
    Known(SmallVec<[Type; 2]>),
    /// One result, of the type of this operand.
    SameAs(Option<Reg>),
}

/// The result types of an instruction. Immediates must refer to things that exist.
pub(crate) fn result_types(module: &Module, inst: &InstData) -> ResultTypes {
    let known = ResultTypes::Known;
    match (inst.op.format(), inst.imm) {
        (Format::Pure | Format::Lane | Format::Shuffle, _) => {
            known(inst.op.pure_signature().into_iter().map(|(_, result)| result).collect())
        }
        (Format::Load | Format::LoadLane, _) => {
            known(inst.op.access().into_iter().map(|(ty, _)| ty).collect())
        }
        (Format::Const, _) => known(inst.op.const_type().into_iter().collect()),
        (Format::Copy, _) => ResultTypes::SameAs(inst.args.first().copied()),
        (Format::Select, _) => ResultTypes::SameAs(inst.args.get(1).copied()),
        (Format::MemorySize | Format::MemoryGrow, Imm::Memory(memory)) => {
            known(smallvec![module.memories[memory].address_type()])
        }
        (Format::DeoptTick | Format::TableHolds, _) => known(smallvec![Type::I32]),
        (Format::TableGet, _) => known(smallvec![Type::FuncRef]),
        (Format::CallRef, Imm::Sig(sig)) => known(module.sigs[sig].results.clone()),
        (Format::MemoryBase | Format::MemoryLen, _) => known(smallvec![Type::I64]),
        (Format::GlobalGet, Imm::Global(global)) => known(smallvec![module.globals[global].ty]),
        (Format::Call, Imm::Func(func)) => known(module.func_sig(func).results.clone()),
        (Format::CallIndirect, Imm::Indirect(sig, ..)) => known(module.sigs[sig].results.clone()),
        (Format::Dialect, Imm::Dialect(op, _)) => known(module.dialect_ops[op].results.clone()),
        _ => known(SmallVec::new()),
    }
}

/// The type of the address operand of a load or store.
pub(crate) fn address_type(module: &Module, inst: &InstData) -> Type {
    match inst.imm.mem() {
        Some(arg) if !inst.op.is_raw() => module.memories[arg.memory].address_type(),
        _ => Type::I64,
    }
}
