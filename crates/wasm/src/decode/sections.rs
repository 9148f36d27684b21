//! Reads sections into [`ModuleInfo`] and the engine's declarations.

use super::val_type;
use crate::error::Error;
use crate::info::{
    Const, ConstBinary, ConstOp, DataSegment, ElementSegment, Export, GlobalImport, GlobalInfo,
    ModuleInfo, SegmentMode, TableInfo, TablePlace,
};
use crate::ops;
use crate::types::{FuncType, func_payload};
use cupola_ir::{
    FuncDecl, FuncId, FuncKind, GlobalDecl, LocStyle, MemId, MemoryDecl, Module, Signature,
    TableDecl,
};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;
use wasmparser::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExternalKind, Import, KnownCustom, Name,
    NameSectionReader, Operator, Payload, TypeRef, ValidatorResources,
};

/// Greatest number of slots that a table may have.
const MAX_TABLE: u64 = 10_000_000;

/// The module as far as it was read.
pub(super) struct Sections {
    ir: Module,
    types: Vec<FuncType>,
    funcs: Vec<u32>,
    imported_funcs: u32,
    tables: Vec<TableInfo>,
    globals: Vec<GlobalInfo>,
    global_imports: Vec<GlobalImport>,
    elements: Vec<ElementSegment>,
    data: Vec<DataSegment>,
    exports: FxHashMap<String, Export>,
    start: Option<FuncId>,
    host_tables: usize,
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
            global_imports: Vec::new(),
            elements: Vec::new(),
            data: Vec::new(),
            exports: FxHashMap::default(),
            start: None,
            host_tables: 0,
        }
    }

    pub fn finish(
        mut self,
        bytes: Arc<[u8]>,
        bodies: Vec<Range<usize>>,
        unchecked: Option<ValidatorResources>,
    ) -> Result<(Module, ModuleInfo), Error> {
        ops::declare(&mut self.ir);
        let info = ModuleInfo {
            bytes,
            types: self.types,
            funcs: self.funcs,
            imported_funcs: self.imported_funcs,
            bodies,
            tables: self.tables,
            address_types: self.ir.memories.values().map(MemoryDecl::address_type).collect(),
            globals: self.globals,
            global_imports: self.global_imports,
            elements: self.elements,
            data: self.data,
            exports: self.exports,
            start: self.start,
            unchecked,
        };
        Ok((self.ir, info))
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
                    let sig = Signature::new(
                        params.iter().map(|ty| ty.register()),
                        results.iter().map(|ty| ty.register()),
                    );
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
                    self.table(&table.ty, offset)?;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    self.ir.memories.push(MemoryDecl {
                        name: None,
                        min_pages: memory.initial,
                        max_pages: memory.maximum,
                        import: None,
                        memory64: memory.memory64,
                    });
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.into_iter_with_offsets() {
                    let (offset, global) = global?;
                    let init = constant(&global.init_expr)?;
                    self.global(global.ty, Some(init), offset)?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section.into_iter_with_offsets() {
                    let (offset, export) = export?;
                    let to = match export.kind {
                        ExternalKind::Func => Export::Func(FuncId::from_u32(export.index)),
                        ExternalKind::Table => Export::Table(export.index),
                        ExternalKind::Memory => Export::Memory(MemId::from_u32(export.index)),
                        ExternalKind::Global => Export::Global(export.index),
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
                            SegmentMode::Active(table_index.unwrap_or(0), constant(&offset_expr)?)
                        }
                    };
                    let mut items = Vec::new();
                    match element.items {
                        ElementItems::Functions(funcs) => {
                            for func in funcs {
                                let payload = func_payload(Some(FuncId::from_u32(func?)));
                                items.push(Const::Bits(payload.into()));
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
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(names) = section.as_known() {
                    self.names(names);
                }
            }
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
        match import.ty {
            TypeRef::Func(ty) => {
                self.imported_funcs += 1;
                self.func(ty, FuncKind::Import { module, name });
                Ok(())
            }
            TypeRef::Global(ty) if !ty.mutable => {
                self.global(ty, None, offset)?;
                let ty = val_type(ty.content_type, offset)?;
                self.global_imports.push(GlobalImport { module, name, ty });
                Ok(())
            }
            TypeRef::Global(_) => Err(Error::unsupported("import of a mutable global", offset)),
            TypeRef::Table(_) => Err(Error::unsupported("import of a table", offset)),
            TypeRef::Memory(_) => Err(Error::unsupported("import of a memory", offset)),
            TypeRef::Tag(_) => Err(Error::unsupported("exception handling", offset)),
            TypeRef::FuncExact(_) => Err(Error::unsupported("custom descriptors", offset)),
        }
    }

    fn table(&mut self, ty: &wasmparser::TableType, offset: u64) -> Result<(), Error> {
        if ty.table64 {
            return Err(Error::unsupported("a table with 64-bit indices", offset));
        }
        if ty.initial > MAX_TABLE {
            return Err(Error::unsupported(
                format!("a table of more than {MAX_TABLE} slots"),
                offset,
            ));
        }
        let place = if ty.element_type.is_func_ref() {
            let elements = vec![None; ty.initial as usize];
            TablePlace::Engine(self.ir.tables.push(TableDecl::of(elements)))
        } else {
            self.host_tables += 1;
            TablePlace::Host(self.host_tables - 1)
        };
        let maximum = ty.maximum.unwrap_or(MAX_TABLE).min(MAX_TABLE);
        self.tables.push(TableInfo { place, initial: ty.initial, maximum });
        Ok(())
    }

    fn global(
        &mut self,
        ty: wasmparser::GlobalType,
        init: Option<Const>,
        offset: u64,
    ) -> Result<(), Error> {
        let content = val_type(ty.content_type, offset)?;
        let bits = match &init {
            Some(Const::Bits(bits)) => *bits,
            _ => 0,
        };
        self.ir.globals.push(GlobalDecl {
            name: None,
            ty: content.register(),
            mutable: ty.mutable,
            init: bits,
            import: None,
        });
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

fn types(
    types: &[wasmparser::ValType],
    offset: u64,
) -> Result<SmallVec<[crate::types::ValType; 6]>, Error> {
    types.iter().map(|&ty| val_type(ty, offset)).collect()
}

/// Reads a constant expression that was validated.
fn constant(expr: &ConstExpr<'_>) -> Result<Const, Error> {
    let mut ops = Vec::new();
    let mut reader = expr.get_operators_reader();
    loop {
        let (op, offset) = reader.read_with_offset()?;
        ops.push(match op {
            Operator::End => break,
            Operator::I32Const { value } => ConstOp::Bits(u128::from(value as u32)),
            Operator::I64Const { value } => ConstOp::Bits(u128::from(value as u64)),
            Operator::F32Const { value } => ConstOp::Bits(value.bits().into()),
            Operator::F64Const { value } => ConstOp::Bits(value.bits().into()),
            Operator::V128Const { value } => ConstOp::Bits(value.into()),
            Operator::RefNull { .. } => ConstOp::Bits(0),
            Operator::RefFunc { function_index } => {
                ConstOp::Bits(func_payload(Some(FuncId::from_u32(function_index))).into())
            }
            Operator::GlobalGet { global_index } => ConstOp::Global(global_index),
            Operator::I32Add => ConstOp::Binary(ConstBinary::I32Add),
            Operator::I32Sub => ConstOp::Binary(ConstBinary::I32Sub),
            Operator::I32Mul => ConstOp::Binary(ConstBinary::I32Mul),
            Operator::I64Add => ConstOp::Binary(ConstBinary::I64Add),
            Operator::I64Sub => ConstOp::Binary(ConstBinary::I64Sub),
            Operator::I64Mul => ConstOp::Binary(ConstBinary::I64Mul),
            other => {
                return Err(Error::unsupported(format!("{other:?} in a constant"), offset));
            }
        });
    }
    Ok(match ops[..] {
        [ConstOp::Bits(bits)] => Const::Bits(bits),
        [ConstOp::Global(global)] => Const::Global(global),
        _ => Const::Expr(ops.into_boxed_slice()),
    })
}
