//! What the host provides to programs: functions to import, and dialect operations.

use crate::store::{Caller, Func, Global, Memory, Ref, Table};
use crate::value::{Value, ValueList};
use cupola_ir::{DialectOpDecl, Effects, RefType, Signature, Type};
use cupola_opt::speculate::Specializer;
use cupola_runtime::SiteFeedback;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// An error that a host function ends the program with. A [`TrapCode`](cupola_ir::TrapCode) as
/// the error makes it the program's own trap.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// A host function: gets its arguments in `slots` and leaves its results there.
type HostBody = dyn Fn(&mut Caller<'_>, &mut [u64]) -> Result<(), HostError> + Send + Sync;

/// A function that programs can import.
#[derive(Clone)]
pub struct HostFunc {
    pub(crate) sig: Signature,
    pub(crate) body: Arc<HostBody>,
}

/// What a host closure may return: a value list, or a result of one.
pub trait HostResult {
    /// The value list.
    type Values: ValueList;
    /// The value list or the error.
    ///
    /// # Errors
    /// The closure's own.
    fn into_result(self) -> Result<Self::Values, HostError>;
}

impl<V: ValueList> HostResult for V {
    type Values = V;
    fn into_result(self) -> Result<V, HostError> {
        Ok(self)
    }
}

impl<V: ValueList, E: Into<HostError>> HostResult for Result<V, E> {
    type Values = V;
    fn into_result(self) -> Result<V, HostError> {
        self.map_err(Into::into)
    }
}

/// Something of a store that its instances can import.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Extern {
    /// A function, usually of another instance.
    Func(Func),
    /// A memory.
    Memory(Memory),
    /// A table.
    Table(Table),
    /// A global.
    Global(Global),
}

macro_rules! extern_from {
    ($($Kind:ident)*) => {$(
        impl From<$Kind> for Extern {
            fn from(item: $Kind) -> Extern {
                Extern::$Kind(item)
            }
        }
    )*};
}

extern_from! { Func Memory Table Global }

/// What stands behind a name.
#[derive(Clone)]
pub(crate) enum Provided {
    Host(HostFunc),
    Extern(Extern),
}

/// What a host provides to instances, by module and name: its functions, and what a store has.
#[derive(Clone, Default)]
pub struct Imports {
    items: FxHashMap<(String, String), Provided>,
}

impl Imports {
    /// None.
    pub fn new() -> Imports {
        Imports::default()
    }

    /// Provides a closure over Rust values; `params` arrive as a tuple.
    ///
    /// ```
    /// let mut imports = cupola::Imports::new();
    /// imports.func("env", "add", |(a, b): (i64, i64)| a + b);
    /// ```
    pub fn func<P, R, F>(&mut self, module: &str, name: &str, f: F) -> &mut Imports
    where
        P: ValueList + 'static,
        R: HostResult + 'static,
        F: Fn(P) -> R + Send + Sync + 'static,
    {
        self.func_with_caller(module, name, move |_caller, params: P| f(params))
    }

    /// Provides a closure that also gets the calling instance, to look at its memory or call it.
    pub fn func_with_caller<P, R, F>(&mut self, module: &str, name: &str, f: F) -> &mut Imports
    where
        P: ValueList + 'static,
        R: HostResult + 'static,
        F: Fn(&mut Caller<'_>, P) -> R + Send + Sync + 'static,
    {
        let sig = Signature::new(P::types(), <R::Values as ValueList>::types());
        let body = move |caller: &mut Caller<'_>, slots: &mut [u64]| {
            let values = f(caller, P::read(slots)).into_result()?;
            values.write(slots);
            Ok(())
        };
        self.insert(module, name, HostFunc { sig, body: Arc::new(body) })
    }

    /// Provides a closure of any signature, known only at run time. It must return values of the
    /// signature's result types; anything else ends the program with an error.
    pub fn func_dynamic<F>(
        &mut self,
        module: &str,
        name: &str,
        sig: Signature,
        f: F,
    ) -> &mut Imports
    where
        F: Fn(&mut Caller<'_>, &[Value]) -> Result<Vec<Value>, HostError> + Send + Sync + 'static,
    {
        let types = sig.clone();
        let body = move |caller: &mut Caller<'_>, slots: &mut [u64]| {
            let store = caller.instance.store();
            // SAFETY: the engine calls host functions with slots of their signature.
            let args = unsafe { Value::read_all(&types.params, store, slots) };
            let results = f(caller, &args)?;
            if !results.iter().map(|v| v.ty()).eq(types.results.iter().copied()) {
                return Err("a host function returned values of other types than declared".into());
            }
            Value::write_all(&results, store, slots);
            Ok(())
        };
        self.insert(module, name, HostFunc { sig, body: Arc::new(body) })
    }

    fn insert(&mut self, module: &str, name: &str, func: HostFunc) -> &mut Imports {
        let name = (module.to_owned(), name.to_owned());
        self.items.insert(name, Provided::Host(func));
        self
    }

    /// Provides something of a store, for instances of that store.
    pub fn define(&mut self, module: &str, name: &str, item: impl Into<Extern>) -> &mut Imports {
        let name = (module.to_owned(), name.to_owned());
        self.items.insert(name, Provided::Extern(item.into()));
        self
    }

    pub(crate) fn get(&self, module: &str, name: &str) -> Option<&Provided> {
        self.items.get(&(module.to_owned(), name.to_owned()))
    }
}

/// One execution of a dialect operation.
pub struct DialectCall<'a> {
    /// What the site saw before; the operation decides what its words mean and may update them.
    pub site: &'a SiteFeedback,
    /// The operands on entry; the results, from the first slot on, on return.
    pub(crate) slots: &'a mut [u64],
    pub(crate) decl: &'a DialectOpDecl,
    /// The instance that runs it.
    pub caller: Caller<'a>,
}

impl DialectCall<'_> {
    /// The operands as Rust values of the signature's types.
    pub fn operands<P: ValueList>(&self) -> P {
        P::read(self.slots)
    }

    /// The operands as words: what a reference is as a word is the business of its store.
    pub fn slots(&self) -> &[u64] {
        self.slots
    }

    /// An operand that is a reference.
    ///
    /// # Panics
    /// If it is not.
    pub fn reference(&self, operand: usize) -> Ref {
        let kind = RefType::of(self.decl.params[operand]).expect("the operand is a reference");
        let slot = Type::slots_of(&self.decl.params[..operand]);
        // SAFETY: the code that runs was verified, so that the operand is of its type.
        unsafe { Ref::from_word(self.caller.instance.store(), kind, self.slots[slot]) }
    }

    /// Sets the results, Rust values of the signature's types.
    ///
    /// # Panics
    /// If they are of other types.
    pub fn set_results<R: ValueList>(&mut self, results: R) {
        assert!(R::types()[..] == self.decl.results[..], "results of other types than declared");
        results.write(self.slots);
    }

    /// Sets the only result, a reference.
    ///
    /// # Panics
    /// If that is not of its type, or it belongs to another store.
    pub fn set_reference(&mut self, result: Ref) {
        assert!(self.decl.results[..] == [result.ty().ty()], "a result of another type");
        self.slots[0] = result.to_word(self.caller.instance.store());
    }
}

/// An operation of a language, as the engine runs it.
pub trait DialectOp: Send + Sync {
    /// Types of the operands and results.
    fn signature(&self) -> Signature;

    /// What the operation may do besides computing its results.
    fn effects(&self) -> Effects {
        Effects::ANY
    }

    /// Executes it: what T0 runs and T1 calls.
    ///
    /// # Errors
    /// Ends the program with this error.
    fn call(&self, call: &mut DialectCall<'_>) -> Result<(), HostError>;

    /// How optimizing tiers turn it into core instructions, given feedback.
    fn specializer(&self) -> Option<&dyn Specializer> {
        None
    }
}

/// Dialect operations by name.
#[derive(Clone, Default)]
pub struct Dialects {
    ops: FxHashMap<String, Arc<dyn DialectOp>>,
}

impl Dialects {
    /// None.
    pub fn new() -> Dialects {
        Dialects::default()
    }

    /// Registers an operation under its full name (`calc.pow`).
    pub fn register(&mut self, name: &str, op: Arc<dyn DialectOp>) -> &mut Dialects {
        self.ops.insert(name.to_owned(), op);
        self
    }

    /// The operation of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn DialectOp>> {
        self.ops.get(name)
    }

    /// Declares the operation of that name in a module, so that code can be built with it.
    ///
    /// # Panics
    /// If it is not registered.
    pub fn declare(&self, module: &mut cupola_ir::Module, name: &str) -> cupola_ir::DialectOpId {
        if let Some((id, _)) = module.dialect_ops.iter().find(|(_, decl)| decl.name == name) {
            return id;
        }
        let op = self.get(name).unwrap_or_else(|| panic!("`{name}` is not registered"));
        let Signature { params, results } = op.signature();
        module.dialect_ops.push(cupola_ir::DialectOpDecl {
            name: name.to_owned(),
            params,
            results,
            effects: op.effects(),
        })
    }
}

/// Types as a signature is written, for messages.
pub(crate) fn describe(params: &[Type], results: &[Type]) -> String {
    Signature::new(params.iter().copied(), results.iter().copied()).to_string()
}
