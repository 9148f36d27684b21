//! Operations on tables, and those on references.

use super::{operand, range, state};
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
    let [index, of] = [0, 1].map(|i| operand(call, i));
    let found = table(call, of)?.get(&call.caller, index.into()).ok_or(OOB)?;
    call.set_reference(found);
    Ok(())
}

pub(super) fn set(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, value, of) = (operand(call, 0), call.reference(1), operand(call, 2));
    or_oob(table(call, of)?.set(&mut call.caller, index.into(), value))
}

pub(super) fn size(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let of = operand(call, 0);
    let size = table(call, of)?.size(&call.caller);
    call.set_results(size as i32);
    Ok(())
}

pub(super) fn grow(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (value, by, of) = (call.reference(0), operand(call, 1), operand(call, 2));
    let old = table(call, of)?.grow(&mut call.caller, by.into(), value);
    call.set_results(old.map_or(-1, |old| old as i32));
    Ok(())
}

pub(super) fn fill(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, value) = (operand(call, 0), call.reference(1));
    let (count, of) = (operand(call, 2), operand(call, 3));
    or_oob(table(call, of)?.fill(&mut call.caller, index.into(), count.into(), value))
}

pub(super) fn copy(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, from, count, to_table, from_table] = [0, 1, 2, 3, 4].map(|i| operand(call, i));
    let (target, source) = (table(call, to_table)?, table(call, from_table)?);
    or_oob(target.copy(&mut call.caller, to.into(), source, from.into(), count.into()))
}

pub(super) fn init(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, from, count, segment, of] = [0, 1, 2, 3, 4].map(|i| operand(call, i));
    let items = state(&call.caller)?.elements(segment);
    let from = range(from, count, items.len(), OOB)?;
    or_oob(table(call, of)?.write(&mut call.caller, to.into(), &items[from]))
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
