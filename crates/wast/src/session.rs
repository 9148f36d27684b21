//! A script's modules and instances, and what each directive does with them.

use crate::describe::{list, patterns};
use crate::outcome::Stop;
use crate::spectest;
use crate::values::{argument, matches};
use cupola::ir::TrapCode;
use cupola::{Engine, Store};
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val, Validation};
use rustc_hash::FxHashMap;
use wast::token::Id;
use wast::{QuoteWat, WastDirective, WastExecute, WastInvoke, Wat};

/// What became of a module that later directives may use.
type Loaded<T> = Result<T, Absence>;

/// Why it is not there.
#[derive(Clone)]
enum Absence {
    /// The directive that makes it failed, or there is none.
    Failed,
    /// It needs something that is not supported.
    Skipped(String),
}

impl Absence {
    fn of(stop: &Stop) -> Absence {
        match stop {
            Stop::Failed { .. } => Absence::Failed,
            Stop::Skipped { needs } => Absence::Skipped(needs.clone()),
        }
    }

    fn stop(self) -> Stop {
        match self {
            Absence::Failed => Stop::failed("a module", "none, its directive failed"),
            Absence::Skipped(needs) => Stop::skipped(needs),
        }
    }
}

pub(crate) struct Session<'a> {
    engine: &'a Engine,
    name: &'a str,
    options: &'a Options,
    store: Store,
    imports: Imports,
    current: Loaded<Instance>,
    named: FxHashMap<String, Loaded<Instance>>,
    definitions: FxHashMap<String, Loaded<Module>>,
    last_definition: Loaded<Module>,
    /// What the first module that was not registered, but should have been, needs.
    unregistered: Option<String>,
}

impl<'a> Session<'a> {
    pub fn new(engine: &'a Engine, name: &'a str, options: &'a Options) -> Session<'a> {
        let mut store = Store::new(engine);
        Session {
            engine,
            name,
            options,
            imports: spectest::imports(&mut store),
            store,
            current: Err(Absence::Failed),
            named: FxHashMap::default(),
            definitions: FxHashMap::default(),
            last_definition: Err(Absence::Failed),
            unregistered: None,
        }
    }

    pub fn directive(&mut self, directive: WastDirective<'_>) -> Result<(), Stop> {
        match directive {
            WastDirective::Module(module) => {
                let name = module.name();
                let instance = self.define(module).and_then(|module| self.instantiate(&module));
                self.remember(name, instance)
            }
            WastDirective::ModuleDefinition(module) => {
                let name = module.name();
                let result = self.define(module);
                let definition = match &result {
                    Ok(module) => Ok(module.clone()),
                    Err(stop) => Err(Absence::of(stop)),
                };
                if let Some(name) = name {
                    self.definitions.insert(name.name().to_owned(), definition.clone());
                }
                self.last_definition = definition;
                result.map(|_| ())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let module = match module {
                    Some(id) => self.definitions.get(id.name()).cloned(),
                    None => Some(self.last_definition.clone()),
                };
                let module = module.unwrap_or(Err(Absence::Failed)).map_err(Absence::stop);
                let made = module.and_then(|module| self.instantiate(&module));
                self.remember(instance, made)
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module).inspect_err(|stop| {
                    if let Stop::Skipped { needs } = stop {
                        self.unregistered.get_or_insert_with(|| needs.clone());
                    }
                });
                self.imports.define_instance(&self.store, name, instance?);
                Ok(())
            }
            WastDirective::AssertMalformed { module, .. } => self.rejects(module, true),
            WastDirective::AssertInvalid { module, .. } => self.rejects(module, false),
            WastDirective::AssertUnlinkable { mut module, message, .. } => {
                let expected = format!("link error `{message}`");
                let module = self.load_text(&mut module)?;
                match Instance::new(&mut self.store, &module, &self.imports) {
                    Err(Error::Engine(cupola::Error::MissingImports(_))) => Ok(()),
                    Err(error) => Err(Stop::failed(expected, error)),
                    Ok(_) => Err(Stop::failed(expected, "an instance")),
                }
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke)? {
                Ok(_) => Ok(()),
                Err(error) => Err(Stop::failed("a return", error)),
            },
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = match self.execute(exec)? {
                    Ok(values) => values,
                    Err(error) => return Err(Stop::failed(patterns(&results), error)),
                };
                let fits = values.len() == results.len()
                    && values
                        .iter()
                        .zip(&results)
                        .all(|(value, expected)| matches(&self.store, *value, expected));
                if fits { Ok(()) } else { Err(Stop::failed(patterns(&results), list(&values))) }
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let expected = || format!("trap `{message}`");
                match self.execute(exec)? {
                    Ok(values) => Err(Stop::failed(expected(), list(&values))),
                    Err(error) => match error.trap_code() {
                        Some(code) if trap_codes(message).contains(&code) => Ok(()),
                        _ => Err(Stop::failed(expected(), error)),
                    },
                }
            }
            WastDirective::AssertExhaustion { call, .. } => match self.invoke(&call)? {
                Err(error) if error.trap_code() == Some(TrapCode::StackOverflow) => Ok(()),
                Err(error) => Err(Stop::failed("a stack overflow", error)),
                Ok(values) => Err(Stop::failed("a stack overflow", list(&values))),
            },
            WastDirective::AssertInvalidCustom { .. }
            | WastDirective::AssertMalformedCustom { .. } => {
                Err(Stop::skipped("custom annotations"))
            }
            WastDirective::AssertException { .. } => Err(Stop::skipped("exception handling")),
            WastDirective::AssertSuspension { .. } => Err(Stop::skipped("stack switching")),
            WastDirective::Thread(_) | WastDirective::Wait { .. } => Err(Stop::skipped("threads")),
        }
    }

    /// Loads a module that is to be accepted.
    fn define(&self, mut module: QuoteWat<'_>) -> Result<Module, Stop> {
        no_component(&module)?;
        let bytes = module.encode().map_err(|error| Stop::failed("a module", error))?;
        self.load(bytes)
    }

    fn load_text(&self, wat: &mut Wat<'_>) -> Result<Module, Stop> {
        if let Wat::Component(_) = wat {
            return Err(Stop::skipped(COMPONENTS));
        }
        let bytes = wat.encode().map_err(|error| Stop::failed("a module", error))?;
        self.load(bytes)
    }

    fn load(&self, bytes: Vec<u8>) -> Result<Module, Stop> {
        // Loaded lazily, a module would tell what it needs only when a function is called.
        let all = Options { validation: Validation::Eager, ..self.options.clone() };
        if let Err(Error::Unsupported { what, .. }) =
            Module::new(self.engine, self.name, &*bytes, &all)
        {
            return Err(Stop::skipped(what));
        }
        let module = Module::new(self.engine, self.name, bytes, self.options);
        module.map_err(|error| Stop::failed("a valid module", error))
    }

    fn instantiate(&mut self, module: &Module) -> Result<Instance, Stop> {
        let instance = Instance::new(&mut self.store, module, &self.imports);
        instance.map_err(|error| match (&error, &self.unregistered) {
            (Error::Engine(cupola::Error::MissingImports(_)), Some(needs)) => {
                Stop::skipped(needs.clone())
            }
            _ => Stop::failed("an instance", error),
        })
    }

    /// Makes an instance the current one, and the one of this name.
    fn remember(
        &mut self,
        name: Option<Id<'_>>,
        instance: Result<Instance, Stop>,
    ) -> Result<(), Stop> {
        self.current = instance.as_ref().map(|&instance| instance).map_err(Absence::of);
        if let Some(name) = name {
            self.named.insert(name.name().to_owned(), self.current.clone());
        }
        instance.map(|_| ())
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<Instance, Stop> {
        let found = match name {
            Some(id) => self.named.get(id.name()).cloned().unwrap_or(Err(Absence::Failed)),
            None => self.current.clone(),
        };
        found.map_err(Absence::stop)
    }

    /// A module that must not load; if `in_text`, it may be its text that is wrong.
    fn rejects(&self, mut module: QuoteWat<'_>, in_text: bool) -> Result<(), Stop> {
        no_component(&module)?;
        let bytes = match module.encode() {
            Ok(bytes) => bytes,
            Err(_) if in_text => return Ok(()),
            Err(error) => return Err(Stop::failed("an invalid module", error)),
        };
        let options = Options { validation: Validation::Eager, ..self.options.clone() };
        match Module::new(self.engine, self.name, bytes, &options) {
            Err(_) => Ok(()),
            Ok(_) => Err(Stop::failed("an error", "a valid module")),
        }
    }

    /// Calls a function; the outer error is one of the script.
    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Result<Vec<Val>, Error>, Stop> {
        let instance = self.instance(invoke.module)?;
        let args = invoke.args.iter().map(|arg| argument(&mut self.store, arg));
        let args = args.collect::<Result<Vec<Val>, Stop>>()?;
        Ok(instance.call(&mut self.store, invoke.name, &args))
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Result<Vec<Val>, Error>, Stop> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut wat) => {
                let module = self.load_text(&mut wat)?;
                let instance = Instance::new(&mut self.store, &module, &self.imports);
                Ok(instance.map(|_| Vec::new()))
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                match instance.global(&self.store, global) {
                    Some(value) => Ok(Ok(vec![value.get(&self.store)])),
                    None => Err(Stop::failed(format!("a global `{global}`"), "none")),
                }
            }
        }
    }
}

const COMPONENTS: &str = "component model";

fn no_component(module: &QuoteWat<'_>) -> Result<(), Stop> {
    match module {
        QuoteWat::Wat(Wat::Component(_)) | QuoteWat::QuoteComponent(..) => {
            Err(Stop::skipped(COMPONENTS))
        }
        QuoteWat::Wat(Wat::Module(_)) | QuoteWat::QuoteModule(..) => Ok(()),
    }
}

/// The trap codes that a trap message of the specification stands for.
fn trap_codes(message: &str) -> &'static [TrapCode] {
    const CODES: &[(&str, &[TrapCode])] = &[
        ("integer divide by zero", &[TrapCode::IntDivByZero]),
        ("integer overflow", &[TrapCode::IntOverflow]),
        ("invalid conversion to integer", &[TrapCode::BadConversion]),
        ("out of bounds memory access", &[TrapCode::MemOutOfBounds]),
        ("out of bounds table access", &[TrapCode::TableOutOfBounds]),
        ("undefined element", &[TrapCode::TableOutOfBounds]),
        ("uninitialized element", &[TrapCode::NullFunction]),
        ("indirect call type mismatch", &[TrapCode::SignatureMismatch]),
        ("unreachable", &[TrapCode::Unreachable]),
        ("call stack exhausted", &[TrapCode::StackOverflow]),
    ];
    CODES.iter().find(|(text, _)| message.starts_with(text)).map_or(&[], |(_, codes)| codes)
}
