//! Bulk operations on memories. They check their whole range first, and then cannot fail.

use super::{operand, range, state, wide_operand};
use cupola::{Caller, DialectCall, HostError};
use cupola_ir::{MemId, TrapCode};

/// How much is copied at once between different memories.
const CHUNK: usize = 16 << 10;

fn memory<'c>(caller: &'c mut Caller<'_>, index: u32) -> Result<&'c mut [u8], HostError> {
    caller.memory(MemId::from_u32(index)).ok_or_else(|| format!("no memory {index}").into())
}

pub(super) fn copy(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, from, count] = [0, 1, 2].map(|i| wide_operand(call, i));
    let [to_memory, from_memory] = [3, 4].map(|i| operand(call, i));
    let oob = TrapCode::MemOutOfBounds;
    let source = memory(&mut call.caller, from_memory)?;
    let from = range(from, count, source.len(), oob)?;
    if to_memory == from_memory {
        let to = range(to, count, source.len(), oob)?;
        source.copy_within(from, to.start);
        return Ok(());
    }
    let to = range(to, count, memory(&mut call.caller, to_memory)?.len(), oob)?;
    let mut buffer = [0; CHUNK];
    for start in (0..from.len()).step_by(CHUNK) {
        let len = CHUNK.min(from.len() - start);
        let source = memory(&mut call.caller, from_memory)?;
        buffer[..len].copy_from_slice(&source[from.start + start..][..len]);
        let dest = memory(&mut call.caller, to_memory)?;
        dest[to.start + start..][..len].copy_from_slice(&buffer[..len]);
    }
    Ok(())
}

pub(super) fn fill(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, count] = [0, 2].map(|i| wide_operand(call, i));
    let [byte, index] = [1, 3].map(|i| operand(call, i));
    let memory = memory(&mut call.caller, index)?;
    let to = range(to, count, memory.len(), TrapCode::MemOutOfBounds)?;
    memory[to].fill(byte as u8);
    Ok(())
}

pub(super) fn init(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let to = wide_operand(call, 0);
    let [from, count, segment, index] = [1, 2, 3, 4].map(|i| operand(call, i));
    let bytes = state(&call.caller)?.data(segment);
    let memory = memory(&mut call.caller, index)?;
    let from = range(from, count, bytes.len(), TrapCode::MemOutOfBounds)?;
    let to = range(to, count, memory.len(), TrapCode::MemOutOfBounds)?;
    memory[to].copy_from_slice(&bytes[from]);
    Ok(())
}

pub(super) fn data_drop(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    state(&call.caller)?.drop_data(operand(call, 0));
    Ok(())
}
