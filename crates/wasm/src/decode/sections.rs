//! Reads sections into [`ModuleInfo`] and the engine's declarations.

use super::{Decoded, null_type, val_type};
use crate::dwarf::DebugSections;
use crate::error::Error;
use crate::info::{
    Const, ConstBinary, ConstOp, ConstOperand, DataSegment, ElementSegment, Export, GlobalInfo,
    ModuleInfo, SegmentMode, TableInfo,
};
use crate::ops;
use crate::types::FuncType;
use cupola::Value;
use cupola_ir::{
    FuncDecl, FuncId, FuncKind, GlobalDecl, GlobalId, ImportName, LocStyle, MemId, MemoryDecl,
    Module, PAGE_SIZE, RefType, SharedBytes, Signature, TableDecl, TableId, Type,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::Range;
use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, Import, KnownCustom, Name,
    NameSectionReader, Operator, Payload, TypeRef, ValidatorResources, WasmFeatures,
};

/// The module as far as it was read.
pub(super) struct Sections {
    ir: Module,
    types: Vec<FuncType>,
    funcs: Vec<u32>,
    imported_funcs: u32,
    tables: Vec<TableInfo>,
    globals: Vec<GlobalInfo>,
    elements: Vec<ElementSegment>,
    data: Vec<DataSegment>,
    exports: FxHashMap<String, Export>,
    start: Option<FuncId>,
    debug: DebugSections,
}

impl Sections {
    pub fn new(name: &str) -> Sections {
        let mut ir = Module::new(name);
        ir.loc_style = LocStyle::ByteOffset;
        Sections {
            ir,
            types: Vec::new(),
            funcs: Vec::new(),
            imported_funcs: 0,
            tables: Vec::new(),
            globals: Vec::new(),
            elements: Vec::new(),
            data: Vec::new(),
            exports: FxHashMap::default(),
            start: None,
            debug: DebugSections::default(),
        }
    }

    pub fn finish(
        mut self,
        bytes: SharedBytes,
        features: WasmFeatures,
        bodies: Vec<Range<usize>>,
        unchecked: Option<ValidatorResources>,
    ) -> Decoded {
        ops::declare(&mut self.ir);
        let initial_data = self.initial_data(&bytes);
        let info = ModuleInfo {
            bytes,
            features,
            types: self.types,
            funcs: self.funcs,
            imported_funcs: self.imported_funcs,
            bodies,
            tables: self.tables,
            address_types: self.ir.memories.values().map(MemoryDecl::address_type).collect(),
            globals: self.globals,
            elements: self.elements,
            data: self.data,
            initial_data,
            exports: self.exports,
            start: self.start,
            unchecked,
        };
        Decoded { ir: self.ir, info, debug: self.debug }
    }

    /// Leaves to the engine the data segments, up to the first that may fail or that others could
    /// see fail: those at constant places that are certain to be in a memory of the module's own.
    /// Gives how many.
    fn initial_data(&mut self, bytes: &SharedBytes) -> usize {
        for (index, segment) in self.data.iter().enumerate() {
            let (memory, offset) = match segment.mode {
                SegmentMode::Active(memory, Const::Operand(ConstOperand::Value(offset))) => {
                    (memory, offset.to_bits() as u64)
                }
                SegmentMode::Active(..) => return index,
                SegmentMode::Passive | SegmentMode::Declared => continue,
            };
            let decl = &self.ir.memories[memory];
            let size = decl.min_pages.saturating_mul(PAGE_SIZE);
            let end = offset.checked_add(segment.bytes.len() as u64);
            let shared = bytes.slice(segment.bytes.clone());
            let Some(shared) =
                shared.filter(|_| decl.import.is_none() && end.is_some_and(|end| end <= size))
            else {
                return index;
            };
            self.ir.data.push(cupola_ir::DataSegment { memory, offset, bytes: shared });
        }
        self.data.len()
    }

    /// Reads a section that was validated.
    pub fn read(&mut self, payload: Payload<'_>) -> Result<(), Error> {
        match payload {
            Payload::TypeSection(section) => {
                let mut sigs: FxHashMap<Signature, _> = FxHashMap::default();
                let offset = section.range().start;
                for ty in section.into_iter_err_on_gc_types() {
                    let ty = ty?;
                    let params = types(ty.params(), offset)?;
                    let results = types(ty.results(), offset)?;
                    let sig = Signature::new(params.iter().copied(), results.iter().copied());
                    let sig =
                        *sigs.entry(sig).or_insert_with_key(|sig| self.ir.sigs.push(sig.clone()));
                    let (params, results) =
                        (params.into_iter().collect(), results.into_iter().collect());
                    self.types.push(FuncType { params, results, sig });
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports_with_offsets() {
                    let (offset, import) = import?;
                    self.import(import, offset)?;
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.func(ty?, FuncKind::Defined);
                }
            }
            Payload::TableSection(section) => {
                for table in section.into_iter_with_offsets() {
                    let (offset, table) = table?;
                    self.table(&table.ty, None, offset)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    self.memory(memory?, None);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let init = constant(&global.init_expr)?;
                    self.global(global.ty, Some(init), None, offset)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    let to = match export.kind {
                        ExternalKind::Func => Export::Func(FuncId::from_u32(export.index)),
                        ExternalKind::Table => Export::Table(TableId::from_u32(export.index)),
                        ExternalKind::Memory => Export::Memory(MemId::from_u32(export.index)),
                        ExternalKind::Global => Export::Global(GlobalId::from_u32(export.index)),
                        ExternalKind::Tag | ExternalKind::FuncExact => {
                            return Err(Error::unsupported("this kind of export", offset));
                        }
                    };
                    if let Export::Func(func) = to {
                        self.ir.export(export.name, func);
                        self.ir.funcs[func].name.get_or_insert_with(|| export.name.to_owned());
                    }
                    self.exports.insert(export.name.to_owned(), to);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(FuncId::from_u32(func)),
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let mode = match element.kind {
                        ElementKind::Passive => SegmentMode::Passive,
                        ElementKind::Declared => SegmentMode::Declared,
                        ElementKind::Active { table_index, offset_expr } => {
                            let table = TableId::from_u32(table_index.unwrap_or(0));
                            SegmentMode::Active(table, constant(&offset_expr)?)
                        }
                    };
                    let mut items = Vec::new();
                    match element.items {
                        ElementItems::Functions(funcs) => {
                            for func in funcs {
                                let func = ConstOperand::Func(FuncId::from_u32(func?));
                                items.push(Const::Operand(func));
                            }
                        }
                        ElementItems::Expressions(_, exprs) => {
                            for expr in exprs {
                                items.push(constant(&expr?)?);
                            }
                        }
                    }
                    self.elements.push(ElementSegment { mode, items });
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let mode = match data.kind {
                        DataKind::Passive => SegmentMode::Passive,
                        DataKind::Active { memory_index, offset_expr } => SegmentMode::Active(
                            MemId::from_u32(memory_index),
                            constant(&offset_expr)?,
                        ),
                    };
                    let end = data.range.end as usize;
                    self.data.push(DataSegment { mode, bytes: end - data.data.len()..end });
                }
            }
            Payload::CodeSectionStart { unchecked_range, .. } => {
                self.debug.code = bytes_of(unchecked_range);
            }
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(names) => self.names(names),
                _ => self.debug.note(section.name(), bytes_of(section.data_range())),
            },
            _ => {}
        }
        Ok(())
    }

    fn func(&mut self, ty: u32, kind: FuncKind) {
        let name = match &kind {
            FuncKind::Import { name, .. } => Some(name.clone()),
            FuncKind::Defined => None,
        };
        let sig = self.types[ty as usize].sig;
        self.ir.funcs.push(FuncDecl { name, sig, kind });
        self.funcs.push(ty);
    }

    fn import(&mut self, import: Import<'_>, offset: u64) -> Result<(), Error> {
        let (module, name) = (import.module.to_owned(), import.name.to_owned());
        let from = |module, name| Some(ImportName { module, name });
        match import.ty {
            TypeRef::Func(ty) => {
                self.imported_funcs += 1;
                self.func(ty, FuncKind::Import { module, name });
                Ok(())
            }
            TypeRef::Global(ty) => self.global(ty, None, from(module, name), offset),
            TypeRef::Table(ty) => self.table(&ty, from(module, name), offset),
            TypeRef::Memory(ty) => {
                self.memory(ty, from(module, name));
                Ok(())
            }
            TypeRef::Tag(_) => Err(Error::unsupported("exception handling", offset)),
            TypeRef::FuncExact(_) => Err(Error::unsupported("custom descriptors", offset)),
        }
    }

    fn memory(&mut self, ty: wasmparser::MemoryType, import: Option<ImportName>) {
        self.ir.memories.push(MemoryDecl {
            memory64: ty.memory64,
            import,
            ..MemoryDecl::new(ty.initial, ty.maximum)
        });
    }

    fn table(
        &mut self,
        ty: &wasmparser::TableType,
        import: Option<ImportName>,
        offset: u64,
    ) -> Result<(), Error> {
        let element = val_type(wasmparser::ValType::Ref(ty.element_type), offset)?;
        let Some(element) = RefType::of(element) else {
            return Err(Error::unsupported(format!("a table of {element}"), offset));
        };
        let decl = TableDecl {
            element,
            min: ty.initial,
            max: ty.maximum,
            table64: ty.table64,
            import,
            ..TableDecl::default()
        };
        self.tables.push(TableInfo { element, index_type: decl.index_type() });
        self.ir.tables.push(decl);
        Ok(())
    }

    fn global(
        &mut self,
        ty: wasmparser::GlobalType,
        init: Option<Const>,
        import: Option<ImportName>,
        offset: u64,
    ) -> Result<(), Error> {
        let content = val_type(ty.content_type, offset)?;
        let bits = match &init {
            Some(Const::Operand(ConstOperand::Value(value))) => value.to_bits(),
            _ => 0,
        };
        self.ir.globals.push(GlobalDecl { import, ..GlobalDecl::new(content, ty.mutable, bits) });
        self.globals.push(GlobalInfo { ty: content, mutable: ty.mutable, init });
        Ok(())
    }

    /// Names are for people, so that whatever cannot be read of them is left out.
    fn names(&mut self, names: NameSectionReader<'_>) {
        for subsection in names.into_iter().map_while(Result::ok) {
            match subsection {
                Name::Module { name, .. } if !name.is_empty() => self.ir.name = name.to_owned(),
                Name::Function(map) => {
                    for naming in map.into_iter().map_while(Result::ok) {
                        if (naming.index as usize) < self.ir.funcs.len() {
                            let func = FuncId::from_u32(naming.index);
                            self.ir.funcs[func].name = Some(naming.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn types(types: &[wasmparser::ValType], offset: u64) -> Result<SmallVec<[Type; 6]>, Error> {
    types.iter().map(|&ty| val_type(ty, offset)).collect()
}

/// Only what is in memory is parsed.
fn bytes_of(range: Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// Reads a constant expression that was validated.
fn constant(expr: &ConstExpr<'_>) -> Result<Const, Error> {
    let mut ops = Vec::new();
    let mut reader = expr.get_operators_reader();
    loop {
        let (op, offset) = reader.read_with_offset()?;
        let operand = match op {
            Operator::I32Const { value } => ConstOperand::Value(value.into()),
            Operator::I64Const { value } => ConstOperand::Value(value.into()),
            Operator::F32Const { value } => ConstOperand::Value(f32::from(value).into()),
            Operator::F64Const { value } => ConstOperand::Value(f64::from(value).into()),
            Operator::V128Const { value } => ConstOperand::Value((value.i128() as u128).into()),
            Operator::RefNull { hty } => ConstOperand::Value(match null_type(hty, offset)? {
                RefType::Func => Value::FuncRef(None),
                RefType::Extern => Value::ExternRef(None),
            }),
            Operator::RefFunc { function_index } => {
                ConstOperand::Func(FuncId::from_u32(function_index))
            }
            Operator::GlobalGet { global_index } => {
                ConstOperand::Global(GlobalId::from_u32(global_index))
            }
            other => {
                ops.push(ConstOp::Binary(match other {
                    Operator::End => break,
                    Operator::I32Add | Operator::I64Add => ConstBinary::Add,
                    Operator::I32Sub | Operator::I64Sub => ConstBinary::Sub,
                    Operator::I32Mul | Operator::I64Mul => ConstBinary::Mul,
                    other => {
                        return Err(Error::unsupported(format!("{other:?} in a constant"), offset));
                    }
                }));
                continue;
            }
        };
        ops.push(ConstOp::Operand(operand));
    }
    Ok(match ops[..] {
        [ConstOp::Operand(operand)] => Const::Operand(operand),
        _ => Const::Expr(ops.into_boxed_slice()),
    })
}
