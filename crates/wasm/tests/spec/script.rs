//! Runs one specification script.

use crate::values::{argument, matches};
use cupola::ir::{MemoryDecl, TableDecl, TrapCode};
use cupola::{Config, Engine, Global, Memory, Store, Table};
use cupola_wasm::{Error, Imports, Instance, Module, Options, Val, Validation};
use std::collections::HashMap;
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};
use wast::token::Id;
use wast::{QuoteWat, Wast, WastDirective, WastExecute, WastInvoke, Wat};

/// What became of a script.
pub struct Outcome {
    /// How many directives it has.
    pub total: usize,
    /// Lines and messages of those that failed.
    pub failures: Vec<(usize, String)>,
}

struct Session {
    engine: Engine,
    store: Store,
    imports: Imports,
    current: Option<Instance>,
    named: HashMap<String, Option<Instance>>,
    definitions: HashMap<String, Module>,
    last_definition: Option<Module>,
}

/// Runs a script on an engine of its own, without the directives in the lines of `skip`.
pub fn run(text: &str, config: Config, skip: &[usize]) -> Outcome {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    let buffer = ParseBuffer::new_with_lexer(lexer).expect("the suite's files are well-formed");
    let script = parse::<Wast<'_>>(&buffer).expect("the suite's files are well-formed");
    let engine = Engine::new(config).expect("the configuration is valid");
    let mut store = Store::new(&engine);
    let mut session = Session {
        imports: spectest(&mut store),
        store,
        engine,
        current: None,
        named: HashMap::new(),
        definitions: HashMap::new(),
        last_definition: None,
    };
    let mut outcome = Outcome { total: 0, failures: Vec::new() };
    for directive in script.directives {
        let line = directive.span().linecol_in(text).0 + 1;
        if skip.contains(&line) {
            continue;
        }
        outcome.total += 1;
        if let Err(message) = session.directive(directive) {
            outcome.failures.push((line, message.replace('\n', " ")));
        }
    }
    outcome
}

/// What scripts may import from `spectest`.
fn spectest(store: &mut Store) -> Imports {
    let mut imports = Imports::new();
    imports
        .func("spectest", "print", |(): ()| ())
        .func("spectest", "print_i32", |_: i32| ())
        .func("spectest", "print_i64", |_: i64| ())
        .func("spectest", "print_f32", |_: f32| ())
        .func("spectest", "print_f64", |_: f64| ())
        .func("spectest", "print_i32_f32", |_: (i32, f32)| ())
        .func("spectest", "print_f64_f64", |_: (f64, f64)| ());
    let globals = [
        ("global_i32", Val::I32(666)),
        ("global_i64", Val::I64(666)),
        ("global_f32", Val::F32(666.6)),
        ("global_f64", Val::F64(666.6)),
    ];
    for (name, value) in globals {
        imports.define("spectest", name, Global::new(store, value, false));
    }
    let memory = Memory::new(store, &MemoryDecl::new(1, Some(2))).expect("it is small");
    let table = TableDecl { min: 10, max: Some(20), ..TableDecl::default() };
    let table = Table::new(store, &table).expect("it is small");
    imports.define("spectest", "memory", memory).define("spectest", "table", table);
    imports
}

impl Session {
    fn directive(&mut self, directive: WastDirective<'_>) -> Result<(), String> {
        match directive {
            WastDirective::Module(mut module) => {
                let name = module.name().map(|id| id.name().to_owned());
                self.current = None;
                if let Some(name) = &name {
                    self.named.insert(name.clone(), None);
                }
                let bytes = module.encode().map_err(|e| e.to_string())?;
                let module = self.load(&bytes).map_err(|e| e.to_string())?;
                self.instantiate(&module, name)
            }
            WastDirective::ModuleDefinition(mut module) => {
                let name = module.name().map(|id| id.name().to_owned());
                let bytes = module.encode().map_err(|e| e.to_string())?;
                let module = self.load(&bytes).map_err(|e| e.to_string())?;
                if let Some(name) = name {
                    self.definitions.insert(name, module.clone());
                }
                self.last_definition = Some(module);
                Ok(())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                let module = match module {
                    Some(id) => self.definitions.get(id.name()).cloned(),
                    None => self.last_definition.clone(),
                };
                let module = module.ok_or("no such module definition")?;
                self.instantiate(&module, instance.map(|id| id.name().to_owned()))
            }
            WastDirective::AssertMalformed { module, .. } => self.rejects(module, true),
            WastDirective::AssertInvalid { module, .. } => self.rejects(module, false),
            WastDirective::AssertInvalidCustom { .. } => Ok(()),
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.imports.define_instance(&self.store, name, instance);
                Ok(())
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(&invoke)?.map(|_| ()).map_err(|e| e.to_string())
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let error = match self.execute(exec)? {
                    Ok(values) => return Err(format!("gave {values:?}, not trap `{message}`")),
                    Err(error) => error,
                };
                match error.trap_code() {
                    Some(code) if expected_codes(message).contains(&code) => Ok(()),
                    _ => Err(format!("expected trap `{message}`, got: {error}")),
                }
            }
            WastDirective::AssertExhaustion { call, .. } => match self.invoke(&call)? {
                Err(error) if error.trap_code() == Some(TrapCode::StackOverflow) => Ok(()),
                Err(error) => Err(format!("expected a stack overflow, got: {error}")),
                Ok(values) => Err(format!("gave {values:?}, not a stack overflow")),
            },
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = self.execute(exec)?.map_err(|e| e.to_string())?;
                let fits = values.len() == results.len()
                    && values
                        .iter()
                        .zip(&results)
                        .all(|(value, expected)| matches(&self.store, *value, expected));
                if fits { Ok(()) } else { Err(format!("gave {values:?}, not {results:?}")) }
            }
            WastDirective::AssertUnlinkable { mut module, .. } => {
                let bytes = module.encode().map_err(|e| e.to_string())?;
                let module = self.load(&bytes).map_err(|e| e.to_string())?;
                match Instance::new(&mut self.store, &module, &self.imports) {
                    Err(Error::Engine(cupola::Error::MissingImports(_))) => Ok(()),
                    Err(error) => Err(format!("expected a link error, got: {error}")),
                    Ok(_) => Err("was instantiated".to_owned()),
                }
            }
            other => Err(format!("directive not known: {other:?}")),
        }
    }

    fn load(&self, bytes: &[u8]) -> Result<Module, Error> {
        Module::new(&self.engine, "spec", bytes, &Options::default())
    }

    fn instantiate(&mut self, module: &Module, name: Option<String>) -> Result<(), String> {
        self.current = None;
        let instance = Instance::new(&mut self.store, module, &self.imports);
        let instance = instance.map_err(|e| e.to_string())?;
        self.current = Some(instance);
        if let Some(name) = name {
            self.named.insert(name, Some(instance));
        }
        Ok(())
    }

    /// A module that must not load.
    fn rejects(&self, mut module: QuoteWat<'_>, or_text: bool) -> Result<(), String> {
        let bytes = match module.encode() {
            Ok(bytes) => bytes,
            Err(_) if or_text => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        let options = Options { validation: Validation::Eager };
        match Module::new(&self.engine, "spec", bytes, &options) {
            Err(_) => Ok(()),
            Ok(_) => Err("was accepted".to_owned()),
        }
    }

    fn instance(&self, name: Option<Id<'_>>) -> Result<Instance, String> {
        let found = match name {
            Some(id) => self.named.get(id.name()).copied().flatten(),
            None => self.current,
        };
        found.ok_or_else(|| "the module it needs did not load".to_owned())
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Result<Vec<Val>, Error>, String> {
        let instance = self.instance(invoke.module)?;
        let args = invoke.args.iter().map(|arg| argument(&mut self.store, arg));
        let args = args.collect::<Result<Vec<Val>, String>>()?;
        Ok(instance.call(&mut self.store, invoke.name, &args))
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Result<Vec<Val>, Error>, String> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut wat) => Ok(self.instantiate_only(&mut wat)),
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                let global = instance.global(&self.store, global).ok_or("no such global")?;
                Ok(Ok(vec![global.get(&self.store)]))
            }
        }
    }

    fn instantiate_only(&mut self, wat: &mut Wat<'_>) -> Result<Vec<Val>, Error> {
        let bytes =
            wat.encode().map_err(|e| Error::Invalid { message: e.to_string(), offset: 0 })?;
        let module = self.load(&bytes)?;
        Instance::new(&mut self.store, &module, &self.imports).map(|_| Vec::new())
    }
}

/// The trap codes that a trap message of the specification stands for.
fn expected_codes(message: &str) -> &'static [TrapCode] {
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
