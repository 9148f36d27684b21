//! Modules: what a front end hands to the engine.

use crate::bytes::SharedBytes;
use crate::entities::{DialectOpId, FuncId, GlobalId, MemId, SigId, TableId};
use crate::function::Function;
use crate::inst::SrcLoc;
use crate::op::Effects;
use crate::types::{Signature, Type};
use crate::verify::{VerifyError, verify_function, verify_module};
use cranelift_entity::{PrimaryMap, SecondaryMap};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// Size of a page of linear memory in bytes.
pub const PAGE_SIZE: u64 = 65536;

/// How far the guard of a reserved memory reaches behind the addresses that 32 bits can hold.
pub const MEMORY_GUARD: u64 = 2 << 30;

/// How a module's [`SrcLoc`]s are to be read.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocStyle {
    /// Line and column, packed by [`SrcLoc::line_column`].
    #[default]
    LineColumn,
    /// Byte offset into a binary.
    ByteOffset,
}

/// Where a function's code comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FuncKind {
    /// The module defines it.
    Defined,
    /// The host provides it under this module and name.
    Import {
        /// First part of the name.
        module: String,
        /// Second part of the name.
        name: String,
    },
}

/// A function of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuncDecl {
    /// Its name for people, and in the text format.
    pub name: Option<String>,
    /// Its signature.
    pub sig: SigId,
    /// Where its code comes from.
    pub kind: FuncKind,
}

/// Where something that a module does not define itself comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportName {
    /// First part of the name.
    pub module: String,
    /// Second part of the name.
    pub name: String,
}

/// A linear memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryDecl {
    /// Its name for people, and in the text format.
    pub name: Option<String>,
    /// Size at the start, in pages.
    pub min_pages: u64,
    /// Greatest size, in pages; none: as far as the engine's limits go.
    pub max_pages: Option<u64>,
    /// Whether its addresses and sizes are i64 instead of i32.
    pub memory64: bool,
    /// Where it comes from, if the module does not define it.
    pub import: Option<ImportName>,
}

impl MemoryDecl {
    /// A memory of the module's own, with 32-bit addresses and no name.
    pub const fn new(min_pages: u64, max_pages: Option<u64>) -> MemoryDecl {
        MemoryDecl { name: None, min_pages, max_pages, memory64: false, import: None }
    }

    /// The type of addresses and sizes.
    pub const fn address_type(&self) -> Type {
        if self.memory64 { Type::I64 } else { Type::I32 }
    }

    /// The greatest size that its addresses reach, in pages.
    pub const fn addressable_pages(&self) -> u64 {
        if self.memory64 { 1 << 48 } else { 1 << 16 }
    }

    /// Whether an access that ends `reach` bytes behind its address operand is certain to hit the
    /// guard if it is out of bounds, where the memory is reserved: 4 GiB and [`MEMORY_GUARD`]
    /// behind them, of which only the memory's present bytes are accessible.
    pub const fn is_guarded(&self, reach: u64) -> bool {
        !self.memory64 && reach <= MEMORY_GUARD
    }
}

/// A global variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalDecl {
    /// Its name for people, and in the text format.
    pub name: Option<String>,
    /// Its type.
    pub ty: Type,
    /// Whether it can be set.
    pub mutable: bool,
    /// The bits that it starts with ([`Imm::constant`](crate::Imm::constant)); zero if it is
    /// imported.
    pub init: u128,
    /// Where it comes from, if the module does not define it.
    pub import: Option<ImportName>,
}

impl GlobalDecl {
    /// A global of the module's own, without a name.
    pub const fn new(ty: Type, mutable: bool, init: u128) -> GlobalDecl {
        GlobalDecl { name: None, ty, mutable, init, import: None }
    }

    /// Whether instances find it by a pointer to its exporter's. The value of an imported global
    /// that nobody can set is copied instead.
    pub const fn is_shared(&self) -> bool {
        self.import.is_some() && self.mutable
    }
}

/// What the slots of a table hold.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum RefType {
    /// References to functions, or null.
    #[default]
    Func,
    /// References to objects of the host, or null.
    Extern,
}

impl RefType {
    /// What references of this type refer to; none if they are none.
    pub const fn of(ty: Type) -> Option<RefType> {
        match ty {
            Type::FuncRef => Some(RefType::Func),
            Type::ExternRef => Some(RefType::Extern),
            _ => None,
        }
    }

    /// The type of such references.
    pub const fn ty(self) -> Type {
        match self {
            RefType::Func => Type::FuncRef,
            RefType::Extern => Type::ExternRef,
        }
    }
}

/// A table of references.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDecl {
    /// Its name for people, and in the text format.
    pub name: Option<String>,
    /// What its slots hold.
    pub element: RefType,
    /// Number of slots at the start.
    pub min: u64,
    /// Greatest number of slots; none: as far as the engine's limits go.
    pub max: Option<u64>,
    /// Whether its indices are i64 instead of i32.
    pub table64: bool,
    /// What the first slots start with, in a table of functions; the rest is null.
    pub elements: Vec<Option<FuncId>>,
    /// Where it comes from, if the module does not define it.
    pub import: Option<ImportName>,
}

impl TableDecl {
    /// A table of the module's own with these functions and no name.
    pub fn of(elements: Vec<Option<FuncId>>) -> TableDecl {
        TableDecl { min: elements.len() as u64, elements, ..TableDecl::default() }
    }

    /// The type of indices.
    pub const fn index_type(&self) -> Type {
        if self.table64 { Type::I64 } else { Type::I32 }
    }
}

/// Bytes that a memory starts with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSegment {
    /// The memory.
    pub memory: MemId,
    /// The address of the first byte.
    pub offset: u64,
    /// The bytes.
    pub bytes: SharedBytes,
}

/// A dialect operation as a module declares it; the engine binds its name (`lua.add`) to a handler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialectOpDecl {
    /// Dialect and operation, with a dot between them.
    pub name: String,
    /// Types of the operands.
    pub params: SmallVec<[Type; 6]>,
    /// Types of the results.
    pub results: SmallVec<[Type; 2]>,
    /// What the operation may do.
    #[serde(with = "effects_serde")]
    pub effects: Effects,
}

mod effects_serde {
    use super::Effects;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(effects: &Effects, s: S) -> Result<S::Ok, S::Error> {
        effects.bits().serialize(s)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Effects, D::Error> {
        u16::deserialize(d).map(Effects::from_bits_truncate)
    }
}

/// A module without its function bodies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its name for people.
    pub name: String,
    /// How its source positions are to be read.
    pub loc_style: LocStyle,
    /// Signatures; no two are equal.
    pub sigs: PrimaryMap<SigId, Signature>,
    /// Functions.
    pub funcs: PrimaryMap<FuncId, FuncDecl>,
    /// Linear memories.
    pub memories: PrimaryMap<MemId, MemoryDecl>,
    /// Global variables.
    pub globals: PrimaryMap<GlobalId, GlobalDecl>,
    /// Tables.
    pub tables: PrimaryMap<TableId, TableDecl>,
    /// Initial memory contents.
    pub data: Vec<DataSegment>,
    /// Dialect operations in use.
    pub dialect_ops: PrimaryMap<DialectOpId, DialectOpDecl>,
    /// Functions that the host can call, by name.
    pub exports: FxHashMap<String, FuncId>,
    /// Whether raw loads and stores are allowed. They can reach all of the process's memory, so
    /// only an embedder that trusts the module's producer sets this.
    pub trusted: bool,
}

impl Module {
    /// An empty module; `name` stands in backtraces, so it is best the source file's.
    pub fn new(name: &str) -> Module {
        Module { name: name.to_owned(), ..Module::default() }
    }

    /// Declares a function that the module defines. Declare first all functions that call each
    /// other, then build their bodies.
    ///
    /// ```
    /// use cupola_ir::{EagerBodies, FunctionBuilder, Module, Signature, Type};
    ///
    /// let mut module = Module::new("answer");
    /// let answer = module.declare_func("answer", Signature::new([], [Type::I64]));
    /// module.export("answer", answer);
    /// let mut bodies = EagerBodies::default();
    /// let mut b = FunctionBuilder::new(&module, module.func_sig(answer).clone());
    /// let value = b.i64(42);
    /// b.return_(&[value]);
    /// bodies.set(answer, b.finish());
    /// assert!(bodies.verify(&module).is_ok());
    /// ```
    pub fn declare_func(&mut self, name: &str, sig: Signature) -> FuncId {
        let sig = self.intern_sig(sig);
        self.funcs.push(FuncDecl { name: Some(name.to_owned()), sig, kind: FuncKind::Defined })
    }

    /// Declares a function that the host provides as `name` of `module`.
    pub fn declare_import(&mut self, module: &str, name: &str, sig: Signature) -> FuncId {
        let sig = self.intern_sig(sig);
        let kind = FuncKind::Import { module: module.to_owned(), name: name.to_owned() };
        self.funcs.push(FuncDecl { name: Some(name.to_owned()), sig, kind })
    }

    /// Lets the host call a function by this name.
    pub fn export(&mut self, name: &str, func: FuncId) {
        self.exports.insert(name.to_owned(), func);
    }

    /// The id of a signature, added if it is new.
    pub fn intern_sig(&mut self, sig: Signature) -> SigId {
        match self.sigs.iter().find(|(_, s)| **s == sig) {
            Some((id, _)) => id,
            None => self.sigs.push(sig),
        }
    }

    /// The signature of a function.
    pub fn func_sig(&self, func: FuncId) -> &Signature {
        &self.sigs[self.funcs[func].sig]
    }

    /// Whether the function's code is provided by the host.
    pub fn is_import(&self, func: FuncId) -> bool {
        matches!(self.funcs[func].kind, FuncKind::Import { .. })
    }

    /// The function's name, or one made from its index.
    pub fn func_name(&self, func: FuncId) -> String {
        match &self.funcs[func].name {
            Some(name) => name.clone(),
            None => func.to_string(),
        }
    }

    /// The function that has this name, exported or not.
    pub fn find_func(&self, name: &str) -> Option<FuncId> {
        self.exports.get(name).copied().or_else(|| {
            self.funcs.iter().find(|(_, f)| f.name.as_deref() == Some(name)).map(|(id, _)| id)
        })
    }

    /// A source position for people; empty if unknown.
    pub fn format_loc(&self, loc: SrcLoc) -> String {
        match self.loc_style {
            _ if loc == SrcLoc::UNKNOWN => String::new(),
            LocStyle::LineColumn => {
                let (line, column) = loc.to_line_column();
                format!("{line}:{column}")
            }
            LocStyle::ByteOffset => format!("{:#x}", loc.0),
        }
    }
}

/// A place in the source that a module was made from, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePlace {
    /// The source's name of the function.
    pub func: Option<String>,
    /// The file.
    pub file: String,
    /// The line, from 1; none if it is not known.
    pub line: Option<u32>,
    /// The column, from 1; none if it is not known.
    pub column: Option<u32>,
}

impl fmt::Display for SourcePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        let Some(line) = self.line else { return Ok(()) };
        write!(f, ":{line}")?;
        self.column.map_or(Ok(()), |column| write!(f, ":{column}"))
    }
}

/// Gives the register form of a module's functions, each asked for once at its first call; a front
/// end that translates lazily does it here.
pub trait Bodies: Send + Sync {
    /// The body of a defined function.
    ///
    /// # Errors
    /// A message for people if the function cannot be translated; calling it then traps.
    fn body(&self, func: FuncId) -> Result<Arc<Function>, String>;

    /// What the front end knows of a position beyond [`Module::format_loc`]: the place in the
    /// source; if functions were inlined before the front end saw them, all of their places, the
    /// innermost first. Only asked for when a person is to read it.
    fn source_places(&self, _loc: SrcLoc) -> Vec<SourcePlace> {
        Vec::new()
    }
}

/// Bodies that are all there from the start.
#[derive(Clone, Debug, Default)]
pub struct EagerBodies {
    bodies: SecondaryMap<FuncId, Option<Arc<Function>>>,
}

impl EagerBodies {
    /// Sets the body of a function.
    pub fn set(&mut self, func: FuncId, body: Function) {
        self.bodies[func] = Some(Arc::new(body));
    }

    /// The body of a function, if it has one.
    pub fn get(&self, func: FuncId) -> Option<&Arc<Function>> {
        self.bodies[func].as_ref()
    }

    /// Checks `module` and these bodies of its functions.
    ///
    /// # Errors
    /// The rules that they break; never empty.
    pub fn verify(&self, module: &Module) -> Result<(), Vec<VerifyError>> {
        verify_module(module)?;
        let defined = module.funcs.keys().filter_map(|func| Some((func, self.get(func)?)));
        let errors: Vec<VerifyError> = defined
            .filter_map(|(func, body)| verify_function(module, func, body).err())
            .flatten()
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

impl Bodies for EagerBodies {
    fn body(&self, func: FuncId) -> Result<Arc<Function>, String> {
        self.get(func).cloned().ok_or_else(|| format!("{func} has no body"))
    }
}
