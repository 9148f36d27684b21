//! Who called a host function.

use super::{Handle, Instance, InstanceInner};
use crate::error::Error;
use crate::value::Value;
use cupola_ir::MemId;
use std::any::Any;

/// The instance that called a host function (more exactly: the one that imported it), and with it
/// the store, which the host function may use as the one outside does ([`crate::AsStoreMut`]).
pub struct Caller<'a> {
    pub(crate) instance: &'a InstanceInner,
}

impl<'a> Caller<'a> {
    /// The instance.
    pub fn instance(&self) -> Instance {
        Instance(Handle::new(self.instance.store(), self.instance.into()))
    }

    /// What the front end keeps for the instance.
    pub fn data(&self) -> &'a (dyn Any + Send) {
        self.instance.data()
    }

    /// Calls an exported function of the instance.
    ///
    /// # Errors
    /// As [`Instance::call`].
    ///
    /// # Panics
    /// As [`Instance::call`].
    pub fn call(&mut self, name: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        self.instance().call(self, name, args)
    }

    /// The bytes of a memory of the instance.
    pub fn memory(&mut self, memory: MemId) -> Option<&mut [u8]> {
        Some(self.instance().memory(self, memory)?.data_mut(self))
    }
}
