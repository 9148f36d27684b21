//! Functions of a store.

use super::{AsStore, AsStoreMut, Handle, InstanceInner, StoreInner};
use crate::error::Error;
use crate::host::describe;
use crate::value::{MAX_LIST_SLOTS, Value, ValueList};
use cupola_ir::{FuncId, Signature, Type};
use cupola_runtime::VmFuncRef;
use smallvec::{SmallVec, smallvec};
use std::marker::PhantomData;

/// A function of a [`Store`](crate::Store): a handle, to be used with that store.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Func(pub(super) Handle<VmFuncRef>);

impl Func {
    /// The instance that it belongs to, and the function there.
    fn target(self, store: &StoreInner) -> (&InstanceInner, FuncId) {
        let reference = self.0.get(store);
        // SAFETY: a reference of the store belongs to an instance of the store, which lives as
        // long.
        let instance = unsafe { InstanceInner::of(reference.context) };
        (instance, FuncId::from_u32(reference.func))
    }

    /// Its signature.
    ///
    /// # Panics
    /// If it belongs to another store; so do all methods.
    pub fn sig(self, store: &impl AsStore) -> &Signature {
        self.sig_in(store.as_store().0)
    }

    pub(super) fn sig_in(self, store: &StoreInner) -> &Signature {
        let (instance, func) = self.target(store);
        instance.module.ir.func_sig(func)
    }

    /// Which of its module's functions it is.
    pub fn id(self, store: &impl AsStore) -> FuncId {
        self.target(store.as_store().0).1
    }

    /// Calls it.
    ///
    /// # Errors
    /// If the arguments do not fit its signature, or it traps.
    ///
    /// # Panics
    /// If a host function that the program calls panics, with that panic.
    pub fn call(self, store: &mut impl AsStoreMut, args: &[Value]) -> Result<Vec<Value>, Error> {
        let (instance, func) = self.target(store.as_store().0);
        let sig = instance.module.ir.func_sig(func);
        if !args.iter().map(|v| v.ty()).eq(sig.params.iter().copied()) {
            let found: SmallVec<[_; 6]> = args.iter().map(|v| v.ty()).collect();
            return Err(Error::SignatureMismatch {
                name: instance.module.ir.func_name(func),
                expected: sig.to_string(),
                found: describe(&found, &sig.results),
            });
        }
        let len = Type::slots_of(&sig.params).max(Type::slots_of(&sig.results));
        let mut slots: SmallVec<[u64; 16]> = smallvec![0; len];
        let inner = instance.store();
        Value::write_all(args, inner, &mut slots);
        instance.run(func, &mut slots)?;
        // SAFETY: the function has left results of its signature there.
        Ok(unsafe { Value::read_all(&sig.results, inner, &slots) })
    }

    /// The function, to be called often and with Rust values.
    ///
    /// # Errors
    /// If it has another signature.
    pub fn typed<P: ValueList, R: ValueList>(
        self,
        store: &impl AsStore,
    ) -> Result<TypedFunc<P, R>, Error> {
        let (instance, func) = self.target(store.as_store().0);
        let sig = instance.module.ir.func_sig(func);
        let (params, results) = (P::types(), R::types());
        if sig.params[..] != params[..] || sig.results[..] != results[..] {
            return Err(Error::SignatureMismatch {
                name: instance.module.ir.func_name(func),
                expected: sig.to_string(),
                found: describe(&params, &results),
            });
        }
        Ok(TypedFunc { func: self, types: PhantomData })
    }
}

/// A function whose signature was checked once.
pub struct TypedFunc<P, R> {
    func: Func,
    types: PhantomData<fn(P) -> R>,
}

impl<P, R> Copy for TypedFunc<P, R> {}

impl<P, R> Clone for TypedFunc<P, R> {
    fn clone(&self) -> TypedFunc<P, R> {
        *self
    }
}

impl<P: ValueList, R: ValueList> TypedFunc<P, R> {
    /// Calls the function.
    ///
    /// # Errors
    /// If it traps.
    ///
    /// # Panics
    /// If it belongs to another store, or a host function panics.
    pub fn call(&self, store: &mut impl AsStoreMut, params: P) -> Result<R, Error> {
        // Most lists are short, and clearing slots for the longest would be felt.
        if P::SLOTS <= 4 && R::SLOTS <= 4 {
            self.call_with([0; 4], store, params)
        } else {
            self.call_with([0; MAX_LIST_SLOTS], store, params)
        }
    }

    #[inline]
    fn call_with<const SLOTS: usize>(
        &self,
        mut slots: [u64; SLOTS],
        store: &mut impl AsStoreMut,
        params: P,
    ) -> Result<R, Error> {
        let (instance, func) = self.func.target(store.as_store().0);
        params.write(&mut slots);
        instance.run(func, &mut slots)?;
        Ok(R::read(&slots))
    }

    /// The function.
    pub fn func(&self) -> Func {
        self.func
    }
}
