//! What modules can import: functions of the host and of other instances, and constants.

use crate::info::Export;
use crate::instance::Instance;
use crate::types::{Val, ValType};
use cupola::{AsStore, Caller, HostResult, Value, ValueList};
use rustc_hash::FxHashMap;

/// What a host provides, by module and name.
#[derive(Clone, Default)]
pub struct Imports {
    pub(crate) funcs: cupola::Imports,
    pub(crate) globals: FxHashMap<(String, String), Val>,
}

impl From<cupola::Imports> for Imports {
    fn from(funcs: cupola::Imports) -> Imports {
        Imports { funcs, ..Imports::default() }
    }
}

impl Imports {
    /// Nothing.
    pub fn new() -> Imports {
        Imports::default()
    }

    /// Provides a closure over Rust values; `params` arrive as a tuple.
    pub fn func<P, R, F>(&mut self, module: &str, name: &str, f: F) -> &mut Imports
    where
        P: ValueList + 'static,
        R: HostResult + 'static,
        F: Fn(P) -> R + Send + Sync + 'static,
    {
        self.funcs.func(module, name, f);
        self
    }

    /// Provides a closure that also gets the calling instance.
    pub fn func_with_caller<P, R, F>(&mut self, module: &str, name: &str, f: F) -> &mut Imports
    where
        P: ValueList + 'static,
        R: HostResult + 'static,
        F: Fn(&mut Caller<'_>, P) -> R + Send + Sync + 'static,
    {
        self.funcs.func_with_caller(module, name, f);
        self
    }

    /// Provides the value of an immutable global.
    pub fn global(&mut self, module: &str, name: &str, value: Val) -> &mut Imports {
        self.globals.insert((module.to_owned(), name.to_owned()), value);
        self
    }

    /// Provides what an instance of the same store exports: functions, but for those that take or
    /// give references to functions, and immutable globals of number types.
    pub fn instance(
        &mut self,
        store: &impl AsStore,
        module: &str,
        instance: Instance,
    ) -> &mut Imports {
        let info = instance.info(store);
        for (name, export) in &info.exports {
            match *export {
                Export::Func(func) => {
                    let ty = info.func_type(func);
                    if ty.params.iter().chain(&ty.results).any(|&ty| ty == ValType::FuncRef) {
                        continue;
                    }
                    let callee = instance.engine().func(store, func);
                    let sig = callee.sig(store).clone();
                    let call = move |caller: &mut Caller<'_>, args: &[Value]| {
                        Ok(callee.call(caller, args)?)
                    };
                    self.funcs.func_dynamic(module, name, sig, call);
                }
                Export::Global(index) => {
                    let global = &info.globals[index as usize];
                    if !global.mutable
                        && global.ty != ValType::FuncRef
                        && let Some(value) = instance.global(store, name)
                    {
                        self.global(module, name, value);
                    }
                }
                Export::Memory(_) | Export::Table(_) => {}
            }
        }
        self
    }
}
