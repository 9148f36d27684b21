//! Traps as values.

use crate::tier::Tier;
use cupola_ir::{FuncId, SrcLoc, TrapCode};
use std::any::Any;
use std::fmt;

/// How an execution ended early.
pub enum TrapKind {
    /// The program trapped.
    Code(TrapCode),
    /// A host function or a dialect operation gave an error.
    Host(Box<dyn std::error::Error + Send + Sync>),
    /// A host function panicked; the panic goes on where the program was called.
    Panic(Box<dyn Any + Send>),
}

impl fmt::Debug for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrapKind::Code(code) => write!(f, "Code({code:?})"),
            TrapKind::Host(error) => write!(f, "Host({error:?})"),
            TrapKind::Panic(_) => f.write_str("Panic(..)"),
        }
    }
}

/// One activation in a backtrace.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The number of the function's module.
    pub module: u32,
    /// The function.
    pub func: FuncId,
    /// The place in its source.
    pub loc: SrcLoc,
    /// The tier it ran in.
    pub tier: Tier,
}

/// How many frames a backtrace keeps; those further out are only counted.
pub const MAX_FRAMES: usize = 64;

/// An execution that ended early, and where.
#[derive(Debug)]
pub struct Trap {
    /// How it ended.
    pub kind: TrapKind,
    /// The activations, the innermost first; at most [`MAX_FRAMES`].
    pub frames: Vec<Frame>,
    /// How many more there were.
    pub omitted: usize,
}

impl Trap {
    /// A trap without a backtrace yet; it gets its frames on its way out.
    pub fn new(kind: TrapKind) -> Box<Trap> {
        Box::new(Trap { kind, frames: Vec::new(), omitted: 0 })
    }

    /// A trap of the program without a backtrace yet.
    pub fn code(code: TrapCode) -> Box<Trap> {
        Trap::new(TrapKind::Code(code))
    }

    /// Adds an activation, further out than those before.
    pub fn push_frame(&mut self, frame: Frame) {
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame);
        } else {
            self.omitted += 1;
        }
    }

    /// The trap code, if the program itself trapped.
    pub fn trap_code(&self) -> Option<TrapCode> {
        match self.kind {
            TrapKind::Code(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TrapKind::Code(code) => write!(f, "{code}"),
            TrapKind::Host(error) => write!(f, "{error}"),
            TrapKind::Panic(_) => f.write_str("a host function panicked"),
        }
    }
}

impl std::error::Error for Trap {}
