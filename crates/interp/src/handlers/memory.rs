//! Loads and stores.
//!
//! Words behind the handler: the result's or the value's slot, the address's slot, the offset. The
//! bounds check compares the end of the access with the length, so in the first memory with an
//! offset of 32 bits the word is the offset plus the access's size, and nothing can wrap around.

use crate::dispatch::{Flow, Fp, HANDLER_WORDS, Ip, Mem, State, next, raise};
use cupola_ir::{MemoryOp, SlotValue, TrapCode};
use cupola_runtime::VmMemory;

const VALUE: usize = HANDLER_WORDS;
const ADDRESS: usize = VALUE + 1;
const OFFSET: usize = ADDRESS + 1;

/// The host address of an access in the first memory; none if it is out of bounds.
#[inline(always)]
fn near<M: MemoryOp>(ip: Ip, fp: Fp, mem: Mem) -> Option<*mut M::Memory> {
    let end = u64::from(fp.get(ip.word(ADDRESS)) as u32) + u64::from(ip.word(OFFSET));
    let start = mem.base.wrapping_add((end as usize).wrapping_sub(size_of::<M::Memory>()));
    (end <= mem.len).then_some(start.cast())
}

/// The host address of an access in the memory at the offset that stands behind the operands.
#[inline(always)]
fn far<M: MemoryOp>(ip: Ip, fp: Fp, st: &State) -> Option<*mut M::Memory> {
    // SAFETY: the offset is that of a memory of the instance.
    let memory = unsafe { &*st.context::<VmMemory>(ip.word(OFFSET + 2)) };
    let start = u64::from(fp.get(ip.word(ADDRESS)) as u32).checked_add(ip.double(OFFSET))?;
    let end = start.checked_add(size_of::<M::Memory>() as u64)?;
    (end <= memory.len).then(|| memory.base.wrapping_add(start as usize).cast())
}

/// The host address of a raw access.
#[inline(always)]
fn raw<M: MemoryOp>(ip: Ip, fp: Fp) -> *mut M::Memory {
    fp.get(ip.word(ADDRESS)).wrapping_add(u64::from(ip.word(OFFSET))) as *mut M::Memory
}

#[inline(always)]
fn do_load<M: MemoryOp>(ip: Ip, fp: Fp, place: *mut M::Memory) {
    // SAFETY: the place is within a linear memory, or a trusted module's raw address.
    let value = unsafe { place.read_unaligned() };
    fp.set(ip.word(VALUE), M::extend(value).to_slot());
}

#[inline(always)]
fn do_store<M: MemoryOp>(ip: Ip, fp: Fp, place: *mut M::Memory) {
    let value = M::truncate(M::Value::from_slot(fp.get(ip.word(VALUE))));
    // SAFETY: as in `do_load`.
    unsafe { place.write_unaligned(value) }
}

macro_rules! accesses {
    ($access:ident: $near:ident $far:ident $raw:ident) => {
        /// In the first memory, with an offset of 32 bits.
        pub(crate) extern "C-unwind" fn $near<M: MemoryOp>(
            ip: Ip,
            fp: Fp,
            st: &mut State,
            mem: Mem,
        ) -> Flow {
            let Some(place) = near::<M>(ip, fp, mem) else {
                return raise(ip, fp, st, TrapCode::MemOutOfBounds);
            };
            $access::<M>(ip, fp, place);
            next(ip.skip(OFFSET + 1), fp, st, mem)
        }

        /// In any memory, with any offset.
        pub(crate) extern "C-unwind" fn $far<M: MemoryOp>(
            ip: Ip,
            fp: Fp,
            st: &mut State,
            mem: Mem,
        ) -> Flow {
            let Some(place) = far::<M>(ip, fp, st) else {
                return raise(ip, fp, st, TrapCode::MemOutOfBounds);
            };
            $access::<M>(ip, fp, place);
            next(ip.skip(OFFSET + 3), fp, st, mem)
        }

        /// At a host address.
        pub(crate) extern "C-unwind" fn $raw<M: MemoryOp>(
            ip: Ip,
            fp: Fp,
            st: &mut State,
            mem: Mem,
        ) -> Flow {
            $access::<M>(ip, fp, raw::<M>(ip, fp));
            next(ip.skip(OFFSET + 1), fp, st, mem)
        }
    };
}

accesses!(do_load: load load_far load_raw);
accesses!(do_store: store store_far store_raw);
