//! Runs functions of a module, and records all that can be seen of it from outside.

use cupola::ir::Effects;
use cupola::ir::{EagerBodies, FuncId, MemId, Module as IrModule, Signature, TrapCode, Type};
use cupola::{
    Config, DialectCall, DialectOp, Dialects, Engine, Error, HostError, Imports, Instance, Module,
    Store, TrapCause, Value,
};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, Once};

/// How a call ended.
#[derive(Clone, Debug)]
pub enum End {
    /// With these results.
    Values(Vec<Value>),
    /// With a trap.
    Trap(TrapCode),
    /// With an error of a host function.
    Failed(String),
    /// With a panic of a host function.
    Panicked(String),
}

impl PartialEq for End {
    /// Values are compared by bits, any two NaN being equal.
    fn eq(&self, other: &End) -> bool {
        match (self, other) {
            (End::Values(a), End::Values(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(*b))
            }
            (End::Trap(a), End::Trap(b)) => a == b,
            (End::Failed(a), End::Failed(b)) | (End::Panicked(a), End::Panicked(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Values(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "== {}", values.join(", "))
            }
            End::Trap(code) => write!(f, "traps {}", code.name()),
            End::Failed(message) => write!(f, "fails {message:?}"),
            End::Panicked(message) => write!(f, "panics {message:?}"),
        }
    }
}

/// What can be seen of an instance between two calls.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Size and hash of each memory.
    pub memories: Vec<(usize, u64)>,
    /// Globals; the bits of NaN made the same.
    pub globals: Vec<String>,
    /// What host functions and dialect operations with effects were called with, in order.
    pub trace: Vec<String>,
}

type Trace = Arc<Mutex<Vec<String>>>;

fn note(trace: &Trace, line: String) {
    trace.lock().expect("the trace is only appended to").push(line);
}

/// The host functions that tests can import: `env.print_i32` and the like for each type,
/// `env.fail(i32)`, which is an error, `env.panic(i32)`, which panics, and `env.callback(i32) -> i64`,
/// which calls the export `callback`.
fn imports(trace: &Trace) -> Imports {
    let mut imports = Imports::new();
    for ty in Type::ALL {
        let trace = trace.clone();
        let name = format!("print_{ty}");
        let sig = Signature::new([ty], []);
        imports.func_dynamic("env", &name, sig, move |_, args| {
            note(&trace, format!("print {}", args[0]));
            Ok(Vec::new())
        });
    }
    imports.func("env", "fail", |n: i32| -> Result<(), HostError> {
        Err(format!("the host failed with {n}").into())
    });
    // As a panic, but without the message on standard error.
    imports.func("env", "panic", |n: i32| -> () { resume_unwind(Box::new(format!("panic {n}"))) });
    imports.func_with_caller("env", "callback", |caller, n: i32| -> Result<i64, HostError> {
        match caller.call("callback", &[Value::I32(n)])?[..] {
            [Value::I64(result)] => Ok(result),
            _ => Err("callback gives an i64".into()),
        }
    });
    imports
}

/// An operation `test.NAME(i64, i64) -> i64`.
struct TestOp {
    effects: Effects,
    body: Box<dyn Fn(i64, i64) -> Result<i64, HostError> + Send + Sync>,
}

impl DialectOp for TestOp {
    fn signature(&self) -> Signature {
        Signature::new([Type::I64, Type::I64], [Type::I64])
    }

    fn effects(&self) -> Effects {
        self.effects
    }

    fn call(&self, call: &mut DialectCall<'_>) -> Result<(), HostError> {
        let (a, b) = call.operands();
        call.set_results((self.body)(a, b)?);
        Ok(())
    }
}

/// The dialect operations of tests: `test.mix` is pure, `test.tally` is recorded, `test.positive`
/// is an error if the first operand is negative.
fn dialects(trace: &Trace) -> Dialects {
    let mut dialects = Dialects::new();
    let mix = |a: i64, b: i64| Ok(a.wrapping_mul(0x9e37_79b9).rotate_left(13) ^ b);
    let op = TestOp { effects: Effects::empty(), body: Box::new(mix) };
    dialects.register("test.mix", Arc::new(op));
    let trace = trace.clone();
    let tally = move |a: i64, b: i64| {
        note(&trace, format!("tally {a} {b}"));
        Ok(a.wrapping_add(b))
    };
    let op = TestOp { effects: Effects::ANY, body: Box::new(tally) };
    dialects.register("test.tally", Arc::new(op));
    let positive = |a: i64, b: i64| {
        if a < 0 { Err(format!("{a} is negative").into()) } else { Ok(b) }
    };
    let op = TestOp { effects: Effects::TRAPS, body: Box::new(positive) };
    dialects.register("test.positive", Arc::new(op));
    dialects
}

/// Keeps the message of compilations that panic because a mode wants it off standard error.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let wanted =
                info.payload().downcast_ref::<&str>().is_some_and(|m| m.contains("stress mode"));
            if !wanted {
                print(info);
            }
        }));
    });
}

/// An instance under test.
pub struct Session {
    store: Store,
    instance: Instance,
    trace: Trace,
    /// Where the last trap happened: names and positions, the innermost activation first.
    pub backtrace: Vec<(String, u32)>,
}

impl Session {
    /// Makes an instance of a module in an engine of its own. All functions can be called.
    ///
    /// # Errors
    /// As the engine's constructors.
    pub fn new(ir: &IrModule, bodies: &EagerBodies, config: Config) -> Result<Session, Error> {
        quiet_panics();
        let mut ir = ir.clone();
        for (func, decl) in &ir.funcs {
            let name = decl.name.clone().unwrap_or_else(|| func.to_string());
            ir.exports.entry(name).or_insert(func);
        }
        let trace = Trace::default();
        let engine = Engine::new(config)?;
        let module = Module::with_bodies(&engine, ir, bodies.clone(), &dialects(&trace))?;
        let mut store = Store::new(&engine);
        let instance = Instance::new(&mut store, &module, &imports(&trace))?;
        Ok(Session { store, instance, trace, backtrace: Vec::new() })
    }

    /// The module.
    pub fn module(&self) -> Module {
        self.instance.module(&self.store)
    }

    /// The store.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Calls a function.
    ///
    /// # Errors
    /// If the engine fails, which no program can make it do.
    pub fn call(&mut self, func: FuncId, args: &[Value]) -> Result<End, String> {
        let name = self.module().ir().func_name(func);
        self.backtrace.clear();
        let result =
            catch_unwind(AssertUnwindSafe(|| self.instance.call(&mut self.store, &name, args)));
        match result {
            Ok(Ok(values)) => Ok(End::Values(values)),
            Ok(Err(Error::Trap(trap))) => {
                let module = self.module();
                self.backtrace = trap
                    .frames
                    .iter()
                    .map(|frame| (module.ir().func_name(frame.func), frame.loc.to_line_column().0))
                    .collect();
                Ok(match &trap.cause {
                    TrapCause::Code(code) => End::Trap(*code),
                    TrapCause::Host(error) => End::Failed(root_cause(&**error)),
                })
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(payload) => match payload.downcast::<String>() {
                Ok(message) if message.starts_with("panic ") => Ok(End::Panicked(*message)),
                Ok(message) => Err(format!("the engine panicked: {message}")),
                Err(payload) => match payload.downcast_ref::<&str>() {
                    Some(message) => Err(format!("the engine panicked: {message}")),
                    None => Err("the engine panicked".to_owned()),
                },
            },
        }
    }

    /// What can be seen of the instance now.
    pub fn state(&self) -> State {
        let module = self.module();
        let memory = |id: MemId| {
            let memory = self.instance.memory(&self.store, id);
            let bytes = memory.map(|memory| memory.data(&self.store)).unwrap_or_default();
            (bytes.len(), hash(bytes))
        };
        let global = |id| match self.instance.global(&self.store, id).map(|g| g.get(&self.store)) {
            Some(Value::F32(v)) if v.is_nan() => "nan".to_owned(),
            Some(Value::F64(v)) if v.is_nan() => "nan".to_owned(),
            value => format!("{value:?}"),
        };
        State {
            memories: module.ir().memories.keys().map(memory).collect(),
            globals: module.ir().globals.keys().map(global).collect(),
            trace: self.trace.lock().expect("the trace is only appended to").clone(),
        }
    }
}

/// The message of an error in its first line; a trap that went through the host has a backtrace
/// behind it, which depends on the mode.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// FNV-1a over words of 8 bytes.
fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |hash: u64, chunk| {
        let word = chunk.iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
        (hash ^ word).wrapping_mul(0x0100_0000_01b3)
    })
}
