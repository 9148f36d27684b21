//! Tables of an instance, as the host and dialect operations see them: functions by their ids,
//! never addresses, so that nothing can be forged.

use crate::instance::{Caller, Instance, InstanceInner};
use cupola_ir::{FuncId, TableId};
use cupola_runtime::{VmFuncRef, VmTable};
use std::ptr;

/// The slots of one table.
pub(crate) type Slots = Vec<*const VmFuncRef>;

impl InstanceInner {
    fn table_len(&self, table: TableId) -> Option<u64> {
        Some(self.tables.borrow().get(table.as_u32() as usize)?.len() as u64)
    }

    fn table_get(&self, table: TableId, index: u64) -> Option<Option<FuncId>> {
        let tables = self.tables.borrow();
        let slot = *tables.get(table.as_u32() as usize)?.get(usize::try_from(index).ok()?)?;
        // SAFETY: slots are null or point into `func_refs`, which lives as long as the tables.
        Some(unsafe { slot.as_ref() }.map(|reference| FuncId::from_u32(reference.func)))
    }

    fn slot_of(&self, func: Option<FuncId>) -> Option<*const VmFuncRef> {
        match func {
            None => Some(ptr::null()),
            Some(func) => self.func_refs.get(func.as_u32() as usize).map(ptr::from_ref),
        }
    }

    fn table_set(&self, table: TableId, index: u64, func: Option<FuncId>) -> bool {
        let Some(value) = self.slot_of(func) else { return false };
        let mut tables = self.tables.borrow_mut();
        let slots = tables.get_mut(table.as_u32() as usize);
        let slot = slots.and_then(|slots| slots.get_mut(usize::try_from(index).ok()?));
        slot.map(|slot| *slot = value).is_some()
    }

    fn table_grow(&self, table: TableId, by: u64, func: Option<FuncId>) -> Option<u64> {
        let value = self.slot_of(func)?;
        let mut tables = self.tables.borrow_mut();
        let slots = tables.get_mut(table.as_u32() as usize)?;
        let old = slots.len();
        let new = old.checked_add(usize::try_from(by).ok()?)?;
        slots.try_reserve_exact(new - old).ok()?;
        slots.resize(new, value);
        let vm = VmTable { slots: slots.as_mut_ptr(), len: new as u64 };
        // SAFETY: the layout's offset of an existing table of this instance; generated code reads
        // it anew behind everything that writes instance state.
        unsafe {
            let at = self.ctx().byte_add(self.module.layout.table(table) as usize);
            at.cast::<VmTable>().write(vm);
        }
        Some(old as u64)
    }
}

macro_rules! table_methods {
    ($Type:ty) => {
        impl $Type {
            /// The number of slots of a table; none if there is no such table.
            pub fn table_len(&self, table: TableId) -> Option<u64> {
                self.inner.table_len(table)
            }

            /// The function in a table's slot, if there is one; none if there is no such slot.
            pub fn table_get(&self, table: TableId, index: u64) -> Option<Option<FuncId>> {
                self.inner.table_get(table, index)
            }

            /// Sets a table's slot to a function of the module; gives whether there is such a slot
            /// and such a function.
            pub fn table_set(&mut self, table: TableId, index: u64, func: Option<FuncId>) -> bool {
                self.inner.table_set(table, index, func)
            }

            /// Adds slots to a table, all with this function; gives the number of slots before.
            /// The table stays as it is if there is no memory for it, and then nothing is given.
            pub fn table_grow(
                &mut self,
                table: TableId,
                by: u64,
                func: Option<FuncId>,
            ) -> Option<u64> {
                self.inner.table_grow(table, by, func)
            }
        }
    };
}

table_methods!(Instance);
table_methods!(Caller<'_>);
