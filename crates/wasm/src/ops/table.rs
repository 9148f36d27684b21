//! Operations on tables, and those on references.

use super::{operand, range, state, wide_operand};
use cupola::{DialectCall, HostError, Ref, Table};
use cupola_ir::{FuncId, TableId, TrapCode};

const OOB: TrapCode = TrapCode::TableOutOfBounds;

fn table(call: &DialectCall<'_>, index: u32) -> Result<Table, HostError> {
    let found = call.caller.instance().table(&call.caller, TableId::from_u32(index));
    found.ok_or_else(|| format!("no table {index}").into())
}

/// An error unless something was done.
fn or_oob(done: bool) -> Result<(), HostError> {
    if done { Ok(()) } else { Err(OOB.into()) }
}

pub(super) fn get(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, of) = (wide_operand(call, 0), operand(call, 1));
    let found = table(call, of)?.get(&call.caller, index).ok_or(OOB)?;
    call.set_reference(found);
    Ok(())
}

pub(super) fn set(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, value, of) = (wide_operand(call, 0), call.reference(1), operand(call, 2));
    or_oob(table(call, of)?.set(&mut call.caller, index, value))
}

pub(super) fn size(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let of = operand(call, 0);
    let size = table(call, of)?.size(&call.caller);
    call.set_results(size as i64);
    Ok(())
}

pub(super) fn grow(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (value, by, of) = (call.reference(0), wide_operand(call, 1), operand(call, 2));
    let old = table(call, of)?.grow(&mut call.caller, by, value);
    call.set_results(old.map_or(-1, |old| old as i64));
    Ok(())
}

pub(super) fn fill(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, value) = (wide_operand(call, 0), call.reference(1));
    let (count, of) = (wide_operand(call, 2), operand(call, 3));
    or_oob(table(call, of)?.fill(&mut call.caller, index, count, value))
}

pub(super) fn copy(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, from, count] = [0, 1, 2].map(|i| wide_operand(call, i));
    let [to_table, from_table] = [3, 4].map(|i| operand(call, i));
    let (target, source) = (table(call, to_table)?, table(call, from_table)?);
    or_oob(target.copy(&mut call.caller, to, source, from, count))
}

pub(super) fn init(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let to = wide_operand(call, 0);
    let [from, count, segment, of] = [1, 2, 3, 4].map(|i| operand(call, i));
    let items = state(&call.caller)?.elements(segment);
    let from = range(from, count, items.len(), OOB)?;
    or_oob(table(call, of)?.write(&mut call.caller, to, &items[from]))
}

pub(super) fn elem_drop(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    state(&call.caller)?.drop_elements(operand(call, 0));
    Ok(())
}

pub(super) fn ref_func(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let func = FuncId::from_u32(operand(call, 0));
    let func = call.caller.instance().func(&call.caller, func);
    call.set_reference(Ref::Func(Some(func)));
    Ok(())
}

pub(super) fn is_null(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let is_null = call.reference(0).is_null();
    call.set_results(i32::from(is_null));
    Ok(())
}
