//! Pure operations, constants, copies, globals, memory sizes, traps.
//!
//! Words behind the handler: the result's slot, then the operands.

use crate::dispatch::{Flow, Fp, HANDLER_WORDS, Ip, Mem, State, next, raise};
use cupola_ir::{
    LaneOp, Operands, PAGE_SIZE, PureOp, RegValue, Slots, SlotsMut, TrapCode, Type, V128, shuffle,
};
use cupola_runtime::{VmMemory, VmTable};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Where the result's slot stands, and the first operand where there is no result.
pub(crate) const DEST: usize = HANDLER_WORDS;
const ARG: usize = DEST + 1;
/// Words of a vector constant.
pub(crate) const V128_WORDS: usize = 4;

/// Words that a constant operand of `P` takes: as many as its type needs.
const fn imm_words<P: PureOp>() -> usize {
    match P::OP.pure_signature() {
        Some((params, _)) => params[params.len() - 1].bytes().div_ceil(4) as usize,
        None => 0,
    }
}

/// Words of the operands of `P`, the last of which is a constant or not.
pub(crate) const fn operand_words<P: PureOp, const IMM: bool>() -> usize {
    if IMM { P::Args::COUNT - 1 + imm_words::<P>() } else { P::Args::COUNT }
}

pub(crate) const fn is_vector(ty: Type) -> bool {
    matches!(ty, Type::V128)
}

/// Whether `P` reads or gives vectors.
const fn has_vectors<P: PureOp>() -> bool {
    let Some((params, result)) = P::OP.pure_signature() else { return false };
    let (mut found, mut i) = (is_vector(result), 0);
    while i < params.len() {
        found |= is_vector(params[i]);
        i += 1;
    }
    found
}

/// The operands of `P`, which stand from word `at` on. (Sizes are computed by the compiler whatever
/// its level: at run time they would be calls that take addresses of locals, and a handler that has
/// those cannot tail-call the next.)
struct OperandsOf<P, const IMM: bool> {
    ip: Ip,
    fp: Fp,
    at: usize,
    op: PhantomData<P>,
}

impl<P: PureOp, const IMM: bool> OperandsOf<P, IMM> {
    #[inline(always)]
    fn is_imm(i: usize) -> bool {
        IMM && i == P::Args::COUNT - 1
    }
}

impl<P: PureOp, const IMM: bool> Slots for OperandsOf<P, IMM> {
    #[inline(always)]
    fn slot(&self, i: usize) -> u64 {
        let at = self.at + i;
        if !Self::is_imm(i) {
            self.fp.get(self.ip.word(at))
        } else if const { imm_words::<P>() == 2 } {
            self.ip.double(at)
        } else {
            u64::from(self.ip.word(at))
        }
    }

    #[inline(always)]
    fn vector(&self, i: usize) -> V128 {
        let at = self.at + i;
        if Self::is_imm(i) { self.ip.vector(at) } else { self.fp.vector(self.ip.word(at)) }
    }
}

/// Operands in registers that are named from word `at` on.
struct FromRegs {
    ip: Ip,
    fp: Fp,
    at: usize,
}

impl Slots for FromRegs {
    #[inline(always)]
    fn slot(&self, i: usize) -> u64 {
        self.fp.get(self.ip.word(self.at + i))
    }
    #[inline(always)]
    fn vector(&self, i: usize) -> V128 {
        self.fp.vector(self.ip.word(self.at + i))
    }
}

/// A register.
pub(crate) struct To {
    pub fp: Fp,
    /// Its slot.
    pub slot: u32,
}

impl SlotsMut for To {
    #[inline(always)]
    fn set_slot(self, bits: u64) {
        self.fp.set(self.slot, bits);
    }
    #[inline(always)]
    fn set_vector(self, bytes: V128) {
        self.fp.set_vector(self.slot, bytes);
    }
}

impl Slots for To {
    #[inline(always)]
    fn slot(&self, _operand: usize) -> u64 {
        self.fp.get(self.slot)
    }
    #[inline(always)]
    fn vector(&self, _operand: usize) -> V128 {
        self.fp.vector(self.slot)
    }
}

/// Reads the operands of `P`, which stand from word `at` on.
#[inline(always)]
pub(crate) fn operands<P: PureOp, const IMM: bool>(ip: Ip, fp: Fp, at: usize) -> P::Args {
    P::Args::read(&OperandsOf::<P, IMM> { ip, fp, at, op: PhantomData })
}

/// A pure operation on vectors, none of which traps. Out of line, so that the handler needs no
/// native stack, whatever the compiler makes of the lanes.
#[inline(never)]
fn on_vectors<P: PureOp, const IMM: bool>(ip: Ip, fp: Fp) {
    if let Ok(value) = P::eval(operands::<P, IMM>(ip, fp, ARG)) {
        value.write(To { fp, slot: ip.word(DEST) });
    }
}

#[inline(always)]
fn pure<P: PureOp, const IMM: bool>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    if const { has_vectors::<P>() } {
        on_vectors::<P, IMM>(ip, fp);
        return next(ip.skip(const { ARG + operand_words::<P, IMM>() }), fp, st, mem);
    }
    match P::eval(operands::<P, IMM>(ip, fp, ARG)) {
        Ok(value) => {
            value.write(To { fp, slot: ip.word(DEST) });
            next(ip.skip(const { ARG + operand_words::<P, IMM>() }), fp, st, mem)
        }
        Err(code) => raise(ip, fp, st, code),
    }
}

/// A pure operation on registers.
pub(crate) extern "C-unwind" fn regs<P: PureOp>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    pure::<P, false>(ip, fp, st, mem)
}

/// A pure operation on registers and, as last operand, a constant.
pub(crate) extern "C-unwind" fn imm<P: PureOp>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    pure::<P, true>(ip, fp, st, mem)
}

#[inline(never)]
fn on_lane<L: LaneOp>(ip: Ip, fp: Fp) {
    let lane = ip.word(ARG + L::Args::COUNT) as u8;
    let args = L::Args::read(&FromRegs { ip, fp, at: ARG });
    L::eval(args, lane).write(To { fp, slot: ip.word(DEST) });
}

/// An operation on a lane; its number stands behind the operands.
pub(crate) extern "C-unwind" fn lane<L: LaneOp>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    on_lane::<L>(ip, fp);
    next(ip.skip(const { ARG + L::Args::COUNT + 1 }), fp, st, mem)
}

#[inline(never)]
fn do_shuffle(ip: Ip, fp: Fp) {
    let (a, b) = (fp.vector(ip.word(ARG)), fp.vector(ip.word(ARG + 1)));
    fp.set_vector(ip.word(DEST), shuffle(a, b, ip.vector(ARG + 2)));
}

/// `i8x16.shuffle`: two vectors, the numbers of lanes.
pub(crate) extern "C-unwind" fn i8x16_shuffle(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    do_shuffle(ip, fp);
    next(ip.skip(ARG + 2 + V128_WORDS), fp, st, mem)
}

/// A constant of which the high half is zero.
pub(crate) extern "C-unwind" fn const32(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    fp.set(ip.word(DEST), u64::from(ip.word(ARG)));
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// A constant.
pub(crate) extern "C-unwind" fn const64(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    fp.set(ip.word(DEST), ip.double(ARG));
    next(ip.skip(ARG + 2), fp, st, mem)
}

/// A vector constant.
pub(crate) extern "C-unwind" fn const128(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    fp.set_vector(ip.word(DEST), ip.vector(ARG));
    next(ip.skip(ARG + V128_WORDS), fp, st, mem)
}

/// `copy` of a vector.
pub(crate) extern "C-unwind" fn copy128(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    fp.set_vector(ip.word(DEST), fp.vector(ip.word(ARG)));
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// `select` of a vector.
pub(crate) extern "C-unwind" fn select128(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let cond = fp.get(ip.word(ARG)) as u32;
    let chosen = if cond != 0 { ip.word(ARG + 1) } else { ip.word(ARG + 2) };
    fp.set_vector(ip.word(DEST), fp.vector(chosen));
    next(ip.skip(ARG + 3), fp, st, mem)
}

/// `copy`.
pub(crate) extern "C-unwind" fn copy(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    fp.set(ip.word(DEST), fp.get(ip.word(ARG)));
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// `select`: condition, two values.
pub(crate) extern "C-unwind" fn select(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let (then, otherwise) = (fp.get(ip.word(ARG + 1)), fp.get(ip.word(ARG + 2)));
    let cond = fp.get(ip.word(ARG)) as u32;
    fp.set(ip.word(DEST), if cond != 0 { then } else { otherwise });
    next(ip.skip(ARG + 3), fp, st, mem)
}

/// `global.get`: the global's offset in the context.
pub(crate) extern "C-unwind" fn global_get(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the offset is that of a global's slot.
    let value = unsafe { *st.context::<u64>(ip.word(ARG)) };
    fp.set(ip.word(DEST), value);
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// `global.get` of a vector: the global's place.
pub(crate) extern "C-unwind" fn global_get128(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the place is that of a global's slots.
    let value = unsafe { st.place::<V128>(ip.word(ARG)).read_unaligned() };
    fp.set_vector(ip.word(DEST), value);
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// `global.set` of a vector: the value, then the global's place.
pub(crate) extern "C-unwind" fn global_set128(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the place is that of a global's slots.
    unsafe { st.place::<V128>(ip.word(DEST + 1)).write_unaligned(fp.vector(ip.word(DEST))) };
    next(ip.skip(DEST + 2), fp, st, mem)
}

/// `global.set`: the value, then the global's offset in the context.
pub(crate) extern "C-unwind" fn global_set(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the offset is that of a global's slot.
    unsafe { *st.context::<u64>(ip.word(DEST + 1)) = fp.get(ip.word(DEST)) };
    next(ip.skip(DEST + 2), fp, st, mem)
}

/// `global.get` of another's global: the offset of the pointer to it in the context.
pub(crate) extern "C-unwind" fn shared_global_get(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    mem: Mem,
) -> Flow {
    // SAFETY: the offset is that of a pointer to a global's slot.
    let value = unsafe { **st.context::<*mut u64>(ip.word(ARG)) };
    fp.set(ip.word(DEST), value);
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// `global.set` of another's global: the value, then the offset of the pointer in the context.
pub(crate) extern "C-unwind" fn shared_global_set(
    ip: Ip,
    fp: Fp,
    st: &mut State,
    mem: Mem,
) -> Flow {
    // SAFETY: the offset is that of a pointer to a global's slot.
    unsafe { **st.context::<*mut u64>(ip.word(DEST + 1)) = fp.get(ip.word(DEST)) };
    next(ip.skip(DEST + 2), fp, st, mem)
}

#[inline(always)]
fn of_memory(ip: Ip, fp: Fp, st: &mut State, mem: Mem, f: impl FnOnce(&VmMemory) -> u64) -> Flow {
    // SAFETY: the place is that of a memory of the instance.
    let memory = unsafe { &*st.place::<VmMemory>(ip.word(ARG)) };
    fp.set(ip.word(DEST), f(memory));
    next(ip.skip(ARG + 1), fp, st, mem)
}

/// `memory.size`: the memory's place.
pub(crate) extern "C-unwind" fn memory_size(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    of_memory(ip, fp, st, mem, |memory| memory.len / PAGE_SIZE)
}

/// `memory.base`: the memory's place.
pub(crate) extern "C-unwind" fn memory_base(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    of_memory(ip, fp, st, mem, |memory| memory.base as u64)
}

/// `memory.len`: the memory's place.
pub(crate) extern "C-unwind" fn memory_len(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    of_memory(ip, fp, st, mem, |memory| memory.len)
}

/// `table.get`: the result's slot, the table's place, the index's slot.
pub(crate) extern "C-unwind" fn table_get(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let Some(reference) = table_slot(ip, fp, st) else {
        return raise(ip, fp, st, TrapCode::TableOutOfBounds);
    };
    fp.set(ip.word(DEST), reference);
    next(ip.skip(DEST + 3), fp, st, mem)
}

/// `table.holds`: the result's slot, the table's place, the index's slot, the function.
pub(crate) extern "C-unwind" fn table_holds(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let Some(reference) = table_slot(ip, fp, st) else {
        return raise(ip, fp, st, TrapCode::TableOutOfBounds);
    };
    // SAFETY: the context is this entry's; the function is one of its module.
    let own = unsafe { (*st.ctx).func_refs.add(ip.word(DEST + 3) as usize) };
    fp.set(ip.word(DEST), u64::from(reference == own as u64));
    next(ip.skip(DEST + 4), fp, st, mem)
}

/// The reference in a table's slot, if there is such a slot; the words are the table's place and
/// the index's slot.
fn table_slot(ip: Ip, fp: Fp, st: &mut State) -> Option<u64> {
    // SAFETY: the place is that of a table of the instance.
    let table = unsafe { &*st.place::<VmTable>(ip.word(DEST + 1)) };
    // One of 32 bits stands in its slot extended with zeros.
    let index = fp.get(ip.word(DEST + 2));
    // SAFETY: the index is within the table.
    (index < table.len).then(|| unsafe { *table.slots.add(index as usize) })
}

fn trap_code(word: u32) -> TrapCode {
    // The encoder writes codes only.
    TrapCode::from_u8(word as u8).unwrap_or(TrapCode::Unreachable)
}

/// `trap_if`: the condition, then the code.
pub(crate) extern "C-unwind" fn trap_if(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    if fp.get(ip.word(DEST)) as u32 != 0 {
        return raise(ip, fp, st, trap_code(ip.word(DEST + 1)));
    }
    next(ip.skip(DEST + 2), fp, st, mem)
}

/// `trap`: the code.
pub(crate) extern "C-unwind" fn trap(ip: Ip, fp: Fp, st: &mut State, _mem: Mem) -> Flow {
    raise(ip, fp, st, trap_code(ip.word(DEST)))
}

/// Counts a block: the counter's address.
pub(crate) extern "C-unwind" fn count_block(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the encoder writes the address of a block count of the function's feedback.
    let count = unsafe { &*(ip.double(DEST) as *const AtomicU64) };
    count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    next(ip.skip(DEST + 2), fp, st, mem)
}

/// Consumes one unit of fuel.
pub(crate) extern "C-unwind" fn fuel(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    // SAFETY: the limits live as long as the context.
    let fuel: &AtomicI64 = unsafe { &(*st.limits).fuel };
    let left = fuel.load(Ordering::Relaxed).wrapping_sub(1);
    fuel.store(left, Ordering::Relaxed);
    if left < 0 {
        return raise(ip, fp, st, TrapCode::OutOfFuel);
    }
    next(ip.skip(DEST), fp, st, mem)
}
