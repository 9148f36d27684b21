//! Loads and stores.
//!
//! Words behind the handler: the result's or the value's slot, the address's slot, the offset (of
//! lanes also the vector's slot for loads, and the lane). The bounds check compares the end of the
//! access with the length, so in the first memory with an offset of 32 bits the word is the offset
//! plus the access's size, and nothing can wrap around.

use super::plain::{To, is_vector};
use crate::dispatch::{Flow, Fp, HANDLER_WORDS, Ip, Mem, State, next, raise};
use cupola_ir::{LoadLaneOp, LoadOp, RegValue, StoreLaneOp, StoreOp, TrapCode};
use cupola_runtime::VmMemory;
use std::marker::PhantomData;

const VALUE: usize = HANDLER_WORDS;
const ADDRESS: usize = VALUE + 1;
const OFFSET: usize = ADDRESS + 1;
/// Words of the offset in the first memory, and at host addresses.
const NEAR: usize = 1;
/// Words of the offset, and the memory's place in the context.
const FAR: usize = 3;

/// What an access does once its place is known.
pub(crate) trait Access {
    /// The type in memory.
    type Memory: Copy;
    /// How many words stand behind the offset.
    const WORDS: usize;
    /// Reads or writes memory at `place`, which is within a linear memory, or is a trusted module's
    /// raw address. The words behind the offset stand at word `at`.
    fn run(ip: Ip, fp: Fp, place: *mut Self::Memory, at: usize);
}

/// A load.
pub(crate) struct Load<L>(PhantomData<L>);

impl<L: LoadOp> Access for Load<L> {
    type Memory = L::Memory;
    const WORDS: usize = 0;
    #[inline(always)]
    fn run(ip: Ip, fp: Fp, place: *mut L::Memory, _at: usize) {
        // SAFETY: `Access::run` is given such a place.
        let value = unsafe { place.read_unaligned() };
        if const { is_vector(L::Value::TYPE) && size_of::<L::Memory>() < 16 } {
            return store_vector::<L>(value, To { fp, slot: ip.word(VALUE) });
        }
        L::load(value).write(To { fp, slot: ip.word(VALUE) });
    }
}

/// Out of line, so that the handler needs no native stack, whatever the compiler makes of it.
#[inline(never)]
fn store_vector<L: LoadOp>(value: L::Memory, to: To) {
    L::load(value).write(to);
}

/// A store.
pub(crate) struct Store<S>(PhantomData<S>);

impl<S: StoreOp> Access for Store<S> {
    type Memory = S::Memory;
    const WORDS: usize = 0;
    #[inline(always)]
    fn run(ip: Ip, fp: Fp, place: *mut S::Memory, _at: usize) {
        let value = S::store(S::Value::read(&To { fp, slot: ip.word(VALUE) }, 0));
        // SAFETY: `Access::run` is given such a place.
        unsafe { place.write_unaligned(value) }
    }
}

/// A load of a lane.
pub(crate) struct LoadLane<L>(PhantomData<L>);

impl<L: LoadLaneOp> Access for LoadLane<L> {
    type Memory = L::Memory;
    const WORDS: usize = 2;
    #[inline(never)]
    fn run(ip: Ip, fp: Fp, place: *mut L::Memory, at: usize) {
        // SAFETY: `Access::run` is given such a place.
        let value = unsafe { place.read_unaligned() };
        let vector = fp.vector(ip.word(at));
        fp.set_vector(ip.word(VALUE), L::load(vector, ip.word(at + 1) as u8, value));
    }
}

/// A store of a lane.
pub(crate) struct StoreLane<S>(PhantomData<S>);

impl<S: StoreLaneOp> Access for StoreLane<S> {
    type Memory = S::Memory;
    const WORDS: usize = 1;
    #[inline(never)]
    fn run(ip: Ip, fp: Fp, place: *mut S::Memory, at: usize) {
        let value = S::store(fp.vector(ip.word(VALUE)), ip.word(at) as u8);
        // SAFETY: `Access::run` is given such a place.
        unsafe { place.write_unaligned(value) }
    }
}

/// The host address of an access in the first memory; none if it is out of bounds.
#[inline(always)]
fn near_place<M>(ip: Ip, fp: Fp, mem: Mem) -> Option<*mut M> {
    let end = u64::from(fp.get(ip.word(ADDRESS)) as u32) + u64::from(ip.word(OFFSET));
    let start = mem.base.wrapping_add((end as usize).wrapping_sub(size_of::<M>()));
    (end <= mem.len).then_some(start.cast())
}

/// The host address of an access in the memory at the place that stands behind the operands.
/// Addresses of 32 bits stand in their slots extended with zeros.
#[inline(always)]
fn far_place<M>(ip: Ip, fp: Fp, st: &State) -> Option<*mut M> {
    // SAFETY: the place is that of a memory of the instance.
    let memory = unsafe { &*st.place::<VmMemory>(ip.word(OFFSET + 2)) };
    let start = fp.get(ip.word(ADDRESS)).checked_add(ip.double(OFFSET))?;
    let end = start.checked_add(size_of::<M>() as u64)?;
    (end <= memory.len).then(|| memory.base.wrapping_add(start as usize).cast())
}

/// The host address of a raw access.
#[inline(always)]
fn raw_place<M>(ip: Ip, fp: Fp) -> *mut M {
    fp.get(ip.word(ADDRESS)).wrapping_add(u64::from(ip.word(OFFSET))) as *mut M
}

/// In the first memory, with an offset of 32 bits.
pub(crate) extern "C-unwind" fn near<A: Access>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let Some(place) = near_place(ip, fp, mem) else {
        return raise(ip, fp, st, TrapCode::MemOutOfBounds);
    };
    A::run(ip, fp, place, OFFSET + NEAR);
    next(ip.skip(const { OFFSET + NEAR + A::WORDS }), fp, st, mem)
}

/// In any memory, also one with 64-bit addresses, with any offset.
pub(crate) extern "C-unwind" fn far<A: Access>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    let Some(place) = far_place(ip, fp, st) else {
        return raise(ip, fp, st, TrapCode::MemOutOfBounds);
    };
    A::run(ip, fp, place, OFFSET + FAR);
    next(ip.skip(const { OFFSET + FAR + A::WORDS }), fp, st, mem)
}

/// At a host address.
pub(crate) extern "C-unwind" fn raw<A: Access>(ip: Ip, fp: Fp, st: &mut State, mem: Mem) -> Flow {
    A::run(ip, fp, raw_place(ip, fp), OFFSET + NEAR);
    next(ip.skip(const { OFFSET + NEAR + A::WORDS }), fp, st, mem)
}
