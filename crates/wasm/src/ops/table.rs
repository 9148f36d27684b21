//! Operations on tables, those of the engine and those of the instance alike.

use super::{operand, range, state};
use crate::info::TablePlace;
use crate::state::State;
use crate::types::{func_of, func_payload};
use cupola::{Caller, DialectCall, HostError, Ref};
use cupola_ir::{TableId, TrapCode};

const OOB: TrapCode = TrapCode::TableOutOfBounds;

/// One table of the calling instance.
struct Table<'a, 'c> {
    state: &'a State,
    caller: &'c mut Caller<'a>,
    index: u32,
}

impl Table<'_, '_> {
    fn place(&self) -> TablePlace {
        self.state.info.tables[self.index as usize].place
    }

    fn engine(&self, table: TableId) -> cupola::Table {
        let found = self.caller.instance().table(self.caller, table);
        found.expect("the table is one of the module's")
    }

    fn func(&self, value: u64) -> Ref {
        Ref::Func(func_of(value).map(|func| self.caller.instance().func(self.caller, func)))
    }

    fn len(&self) -> usize {
        match self.place() {
            TablePlace::Engine(table) => self.engine(table).size(self.caller) as usize,
            TablePlace::Host(table) => self.state.host_table(table).len(),
        }
    }

    fn get(&self, index: usize) -> Result<u64, TrapCode> {
        match self.place() {
            TablePlace::Engine(table) => {
                let func = self.engine(table).get(self.caller, index as u64).ok_or(OOB)?;
                let Ref::Func(func) = func else { return Err(OOB) };
                Ok(func_payload(func.map(|func| func.id(self.caller))))
            }
            TablePlace::Host(table) => self.state.host_table(table).get(index).copied().ok_or(OOB),
        }
    }

    fn set(&mut self, index: usize, value: u64) -> Result<(), TrapCode> {
        let done = match self.place() {
            TablePlace::Engine(table) => {
                let func = self.func(value);
                self.engine(table).set(self.caller, index as u64, func)
            }
            TablePlace::Host(table) => {
                let mut slots = self.state.host_table(table);
                slots.get_mut(index).map(|slot| *slot = value).is_some()
            }
        };
        if done { Ok(()) } else { Err(OOB) }
    }

    fn grow(&mut self, by: u32, value: u64) -> Option<u32> {
        let old = self.len();
        let new = old as u64 + u64::from(by);
        if new > self.state.info.tables[self.index as usize].maximum {
            return None;
        }
        match self.place() {
            TablePlace::Engine(table) => {
                let func = self.func(value);
                self.engine(table).grow(self.caller, u64::from(by), func)?;
            }
            TablePlace::Host(table) => {
                let mut slots = self.state.host_table(table);
                slots.try_reserve_exact(by as usize).ok()?;
                slots.resize(new as usize, value);
            }
        }
        Some(old as u32)
    }
}

fn table<'a, 'c>(call: &'c mut DialectCall<'a>, index: u32) -> Result<Table<'a, 'c>, HostError> {
    Ok(Table { state: state(&call.caller)?, caller: &mut call.caller, index })
}

pub(super) fn get(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [index, of] = [0, 1].map(|i| operand(call, i));
    let value = table(call, of)?.get(index as usize)?;
    call.slots[0] = value;
    Ok(())
}

pub(super) fn set(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, value, of) = (operand(call, 0), call.slots[1], operand(call, 2));
    Ok(table(call, of)?.set(index as usize, value)?)
}

pub(super) fn size(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let of = operand(call, 0);
    let len = table(call, of)?.len();
    call.slots[0] = len as u64;
    Ok(())
}

pub(super) fn grow(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (value, by, of) = (call.slots[0], operand(call, 1), operand(call, 2));
    let old = table(call, of)?.grow(by, value);
    call.slots[0] = u64::from(old.unwrap_or(u32::MAX));
    Ok(())
}

pub(super) fn fill(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let (index, value, count, of) =
        (operand(call, 0), call.slots[1], operand(call, 2), operand(call, 3));
    let mut table = table(call, of)?;
    for slot in range(index, count, table.len(), OOB)? {
        table.set(slot, value)?;
    }
    Ok(())
}

pub(super) fn copy(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, from, count, to_table, from_table] = [0, 1, 2, 3, 4].map(|i| operand(call, i));
    let source = table(call, from_table)?;
    let from = range(from, count, source.len(), OOB)?;
    // The ranges may overlap, so all is read before anything is written; but not before it is
    // known that it can be written.
    let to = range(to, count, table(call, to_table)?.len(), OOB)?;
    let source = table(call, from_table)?;
    let values = from.map(|slot| source.get(slot)).collect::<Result<Vec<u64>, _>>()?;
    let mut dest = table(call, to_table)?;
    for (slot, value) in to.zip(values) {
        dest.set(slot, value)?;
    }
    Ok(())
}

pub(super) fn init(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    let [to, from, count, segment, of] = [0, 1, 2, 3, 4].map(|i| operand(call, i));
    let mut table = table(call, of)?;
    let items = table.state.elements(segment);
    let from = range(from, count, items.len(), OOB)?;
    let to = range(to, count, table.len(), OOB)?;
    for (slot, &value) in to.zip(&items[from]) {
        table.set(slot, value)?;
    }
    Ok(())
}

pub(super) fn elem_drop(call: &mut DialectCall<'_>) -> Result<(), HostError> {
    state(&call.caller)?.drop_elements(operand(call, 0));
    Ok(())
}
