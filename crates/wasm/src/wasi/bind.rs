//! Turns functions over checked memory and Rust integers into functions that modules import.

use super::ctx::WasiCtx;
use super::errno::Result;
use super::memory::Memory;
use crate::imports::Imports;
use crate::info::Export;
use crate::state::State;
use cupola::Caller;
use parking_lot::Mutex;
use std::sync::Arc;

/// A parameter: an integer without sign, where WebAssembly's have none.
pub(super) trait Param {
    type Wire: cupola::HostValue;
    fn from_wire(wire: Self::Wire) -> Self;
}

impl Param for u32 {
    type Wire = i32;
    fn from_wire(wire: i32) -> u32 {
        wire as u32
    }
}

impl Param for u64 {
    type Wire = i64;
    fn from_wire(wire: i64) -> u64 {
        wire as u64
    }
}

/// Functions of one module name, over one state.
pub(super) struct Binder<'a> {
    pub imports: &'a mut Imports,
    pub module: &'static str,
    pub ctx: Arc<Mutex<WasiCtx>>,
}

/// A function whose parameters are `P`.
pub(super) trait Function<P> {
    /// Provides it to modules. They get the error's number, 0 for none.
    fn bind(self, name: &str, binder: &mut Binder<'_>);
}

macro_rules! function {
    ($($P:ident $p:ident),*) => {
        impl<F, $($P: Param + 'static),*> Function<($($P,)*)> for F
        where
            F: Fn(&mut WasiCtx, &mut Memory<'_>, $($P),*) -> Result + Send + Sync + 'static,
        {
            fn bind(self, name: &str, binder: &mut Binder<'_>) {
                let ctx = binder.ctx.clone();
                let call = move |caller: &mut Caller<'_>, ($($p,)*): ($($P::Wire,)*)| -> i32 {
                    let mut memory = Memory(memory(caller));
                    match self(&mut ctx.lock(), &mut memory, $($P::from_wire($p)),*) {
                        Ok(()) => 0,
                        Err(errno) => i32::from(errno as u16),
                    }
                };
                binder.imports.func_with_caller(binder.module, name, call);
            }
        }
    };
}

function!();
function!(A a);
function!(A a, B b);
function!(A a, B b, C c);
function!(A a, B b, C c, D d);
function!(A a, B b, C c, D d, E e);
function!(A a, B b, C c, D d, E e, G g);
function!(A a, B b, C c, D d, E e, G g, H h);
function!(A a, B b, C c, D d, E e, G g, H h, I i, J j);

/// The memory that the calling instance exports as `memory`. One that exports none has no bytes,
/// so that every pointer is a bad one.
fn memory<'c>(caller: &'c mut Caller<'_>) -> &'c mut [u8] {
    let state: Option<&State> = caller.data().downcast_ref();
    let export = state.and_then(|state| state.info.exports.get("memory"));
    let Some(&Export::Memory(memory)) = export else { return &mut [] };
    caller.memory(memory).unwrap_or_default()
}
