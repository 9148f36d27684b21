//! What the functions of one LLVM module share: types, metadata, declarations of what they call,
//! and the tables that code refers to by number.

use crate::error::{Result, codegen};
use crate::symbols;
use crate::target;
use cupola_ir::{FrameState, FuncId, InlineSite, InlinedCall, SrcLoc, TrapCode, Type};
use cupola_runtime::abi::{self, NativeSig};
use cupola_runtime::{Helper, HelperType};
use inkwell::AddressSpace;
use inkwell::GlobalVisibility;
use inkwell::attributes::{Attribute, AttributeLoc};
use inkwell::context::Context;
use inkwell::debug_info::{
    AsDIScope, DICompileUnit, DIFlagsConstants, DISubprogram, DWARFEmissionKind,
    DWARFSourceLanguage, DebugInfoBuilder,
};
use inkwell::intrinsics::Intrinsic;
use inkwell::module::{FlagBehavior, Linkage, Module};
use inkwell::types::{
    BasicMetadataTypeEnum, BasicType, BasicTypeEnum, FloatType, FunctionType, IntType, PointerType,
    VectorType,
};
use inkwell::values::{FunctionValue, GlobalValue, MetadataValue};
use std::collections::HashMap;

/// LLVM's types.
#[derive(Copy, Clone)]
pub(crate) struct Types<'c> {
    pub bool: IntType<'c>,
    pub i8: IntType<'c>,
    pub i16: IntType<'c>,
    pub i32: IntType<'c>,
    pub i64: IntType<'c>,
    pub i128: IntType<'c>,
    pub f32: FloatType<'c>,
    pub f64: FloatType<'c>,
    pub ptr: PointerType<'c>,
    /// Vectors, whatever their lanes.
    pub v128: VectorType<'c>,
}

/// Kinds of memory of which no two overlap, as tags of LLVM's type-based alias analysis.
#[derive(Copy, Clone)]
pub(crate) struct Tags<'c> {
    /// Fields that never change while code of the instance runs.
    pub fixed: MetadataValue<'c>,
    /// State of the instance: memories, tables, globals, entry table.
    pub state: MetadataValue<'c>,
    /// The limits: interruption, fuel, budgets.
    pub limits: MetadataValue<'c>,
    /// Frames, operands and results on their way.
    pub buffer: MetadataValue<'c>,
    /// Counters of the functions.
    pub feedback: MetadataValue<'c>,
    /// Linear memory, and what raw addresses point to.
    pub heap: MetadataValue<'c>,
}

/// Numbers of metadata kinds.
#[derive(Copy, Clone)]
pub(crate) struct Kinds {
    pub tbaa: u32,
    pub invariant: u32,
    pub prof: u32,
}

/// What a line number in the line table stands for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    pub loc: SrcLoc,
    pub inline_site: Option<InlineSite>,
    /// The activation goes on elsewhere.
    pub moved_on: bool,
}

/// One LLVM module under construction.
pub(crate) struct Unit<'c> {
    pub cx: &'c Context,
    pub module: Module<'c>,
    pub types: Types<'c>,
    pub tags: Tags<'c>,
    pub kinds: Kinds,
    /// How many functions were declared.
    pub functions: usize,
    /// Functions of the unit that others call directly.
    pub members: HashMap<FuncId, FunctionValue<'c>>,
    /// What line numbers stand for; they count from 1.
    pub positions: Vec<Position>,
    position_index: HashMap<Position, u32>,
    /// There are accesses to memory that fault if they are out of bounds.
    pub faults: bool,
    /// Deoptimization exits by number.
    pub deopts: Vec<FrameState>,
    /// Inlined calls of all functions.
    pub inlined: Vec<InlinedCall>,
    debug: DebugInfoBuilder<'c>,
    compile_unit: DICompileUnit<'c>,
}

impl<'c> Unit<'c> {
    pub(crate) fn new(cx: &'c Context) -> Unit<'c> {
        let module = cx.create_module("cupola");
        let version = cx.i32_type().const_int(3, false);
        module.add_basic_value_flag("Debug Info Version", FlagBehavior::Warning, version);
        let (debug, compile_unit) = module.create_debug_info_builder(
            true,
            DWARFSourceLanguage::C,
            "cupola",
            "",
            "cupola",
            true,
            "",
            0,
            "",
            DWARFEmissionKind::LineTablesOnly,
            0,
            false,
            false,
            "",
            "",
        );
        let root = cx.metadata_node(&[cx.metadata_string("cupola").into()]);
        let tag = |name: &str| {
            let zero = cx.i64_type().const_zero();
            let name = cx.metadata_string(name);
            let kind = cx.metadata_node(&[name.into(), root.into(), zero.into()]);
            cx.metadata_node(&[kind.into(), kind.into(), zero.into()])
        };
        Unit {
            cx,
            types: Types {
                bool: cx.bool_type(),
                i8: cx.i8_type(),
                i16: cx.i16_type(),
                i32: cx.i32_type(),
                i64: cx.i64_type(),
                i128: cx.i128_type(),
                f32: cx.f32_type(),
                f64: cx.f64_type(),
                ptr: cx.ptr_type(AddressSpace::default()),
                v128: cx.i8_type().vec_type(16),
            },
            tags: Tags {
                fixed: tag("fixed"),
                state: tag("state"),
                limits: tag("limits"),
                buffer: tag("buffer"),
                feedback: tag("feedback"),
                heap: tag("heap"),
            },
            kinds: Kinds {
                tbaa: cx.get_kind_id("tbaa"),
                invariant: cx.get_kind_id("invariant.load"),
                prof: cx.get_kind_id("prof"),
            },
            functions: 0,
            members: HashMap::new(),
            positions: Vec::new(),
            position_index: HashMap::new(),
            faults: false,
            deopts: Vec::new(),
            inlined: Vec::new(),
            debug,
            compile_unit,
            module,
        }
    }

    /// Completes the module.
    pub(crate) fn finish(&self) {
        self.debug.finalize();
    }

    /// The type of registers of type `ty`.
    pub(crate) fn ty(&self, ty: Type) -> BasicTypeEnum<'c> {
        match ty {
            Type::I32 => self.types.i32.into(),
            Type::I64 | Type::FuncRef | Type::ExternRef => self.types.i64.into(),
            Type::F32 => self.types.f32.into(),
            Type::F64 => self.types.f64.into(),
            Type::V128 => self.types.v128.into(),
        }
    }

    /// The type of functions with the native convention.
    pub(crate) fn native_type(
        &self,
        params: impl IntoIterator<Item = Type>,
        results: &[Type],
    ) -> FunctionType<'c> {
        let mut list: Vec<BasicMetadataTypeEnum<'c>> = vec![self.types.ptr.into()];
        let area = abi::needs_result_area(results);
        if area {
            list.push(self.types.ptr.into());
        }
        list.extend(params.into_iter().map(|ty| BasicMetadataTypeEnum::from(self.ty(ty))));
        match results {
            [one] if !area => self.ty(*one).fn_type(&list, false),
            [_, ..] if !area => {
                let fields: Vec<_> = results.iter().map(|&ty| self.ty(ty)).collect();
                self.cx.struct_type(&fields, false).fn_type(&list, false)
            }
            _ => self.cx.void_type().fn_type(&list, false),
        }
    }

    /// The type of functions entered at a loop header.
    pub(crate) fn osr_type(&self, results: &[Type]) -> FunctionType<'c> {
        self.native_type(NativeSig::OSR_PARAMS, results)
    }

    /// Declares a function of the unit; `frame` is how large its frame may be before LLVM reports
    /// it. LLVM may inline it into others if it never `shows` as an activation.
    pub(crate) fn define(
        &self,
        name: &str,
        ty: FunctionType<'c>,
        frame: u32,
        shows: bool,
    ) -> FunctionValue<'c> {
        let function = self.module.add_function(name, ty, Some(Linkage::External));
        function.as_global_value().set_visibility(GlobalVisibility::Hidden);
        let host = target::host();
        for (key, value) in [
            ("target-cpu", host.cpu.as_str()),
            ("target-features", host.features.as_str()),
            ("frame-pointer", "all"),
            ("disable-tail-calls", "true"),
            ("no-builtins", ""),
            ("warn-stack-size", &frame.to_string()),
        ] {
            let attribute = self.cx.create_string_attribute(key, value);
            function.add_attribute(AttributeLoc::Function, attribute);
        }
        function.add_attribute(AttributeLoc::Function, self.attribute("nounwind"));
        if shows {
            function.add_attribute(AttributeLoc::Function, self.attribute("noinline"));
        }
        let context = AttributeLoc::Param(0);
        function.add_attribute(context, self.attribute("nonnull"));
        function.add_attribute(context, self.attribute("noundef"));
        function
    }

    /// An attribute without a value.
    pub(crate) fn attribute(&self, name: &str) -> Attribute {
        self.cx.create_enum_attribute(Attribute::get_named_enum_kind_id(name), 0)
    }

    /// Gives a function its place in the debug information, which line numbers need.
    pub(crate) fn describe(&self, function: FunctionValue<'c>, name: &str) -> DISubprogram<'c> {
        let file = self.compile_unit.get_file();
        let ty = self.debug.create_subroutine_type(file, None, &[], DIFlagsConstants::ZERO);
        let scope = self.compile_unit.as_debug_info_scope();
        let flags = DIFlagsConstants::ZERO;
        let subprogram =
            self.debug.create_function(scope, name, None, file, 0, ty, false, true, 0, flags, true);
        function.set_subprogram(subprogram);
        subprogram
    }

    /// Says how often a function was entered, which is what LLVM knows of how hot it is. At least
    /// once: what is compiled here is not cold.
    pub(crate) fn set_entry_count(&self, function: FunctionValue<'c>, count: u64) {
        let kind = self.cx.metadata_string("function_entry_count").into();
        let count = self.types.i64.const_int(count.max(1), false).into();
        let node = self.cx.metadata_node(&[kind, count]);
        function.as_global_value().set_metadata(node, self.kinds.prof);
    }

    /// The line number that stands for a position, and the debug location with it.
    pub(crate) fn location(
        &self,
        scope: DISubprogram<'c>,
        index: u32,
    ) -> inkwell::debug_info::DILocation<'c> {
        let scope = scope.as_debug_info_scope();
        self.debug.create_debug_location(self.cx, index + 1, 0, scope, None)
    }

    /// The index of a position, which may be known already.
    pub(crate) fn position(&mut self, position: Position) -> u32 {
        *self.position_index.entry(position).or_insert_with(|| {
            self.positions.push(position);
            self.positions.len() as u32 - 1
        })
    }

    /// A function that exists outside of the module, by the name that stands for it.
    fn external(
        &self,
        name: &str,
        ty: impl FnOnce() -> FunctionType<'c>,
        attributes: &[&str],
    ) -> FunctionValue<'c> {
        self.module.get_function(name).unwrap_or_else(|| {
            let function = self.module.add_function(name, ty(), Some(Linkage::External));
            function.as_global_value().set_visibility(GlobalVisibility::Hidden);
            for attribute in attributes {
                function.add_attribute(AttributeLoc::Function, self.attribute(attribute));
            }
            function
        })
    }

    /// What a trap calls. It may read memory, as far as LLVM knows, so that stores in front of it
    /// stay.
    pub(crate) fn trap(&self, code: TrapCode, position: u32) -> FunctionValue<'c> {
        let ty = || self.cx.void_type().fn_type(&[], false);
        let attributes = ["noreturn", "nounwind", "cold", "nomerge"];
        self.external(&symbols::trap(code, position), ty, &attributes)
    }

    /// A helper of the engine.
    pub(crate) fn helper(&self, helper: Helper) -> FunctionValue<'c> {
        let ty = |ty: HelperType| match ty {
            HelperType::I32 => self.types.i32,
            HelperType::I64 => self.types.i64,
        };
        let function = || {
            let (params, result) = helper.signature();
            let mut list: Vec<BasicMetadataTypeEnum<'c>> = vec![self.types.ptr.into()];
            list.extend(params.iter().map(|&param| BasicMetadataTypeEnum::from(ty(param))));
            match result {
                Some(result) => ty(result).fn_type(&list, false),
                None => self.cx.void_type().fn_type(&list, false),
            }
        };
        let attributes: &[&str] = match helper {
            Helper::Deopt => &["nounwind", "cold"],
            _ => &["nounwind"],
        };
        self.external(&symbols::helper(helper), function, attributes)
    }

    /// What stands for the number of the code: its address is the number.
    pub(crate) fn code_id(&self) -> GlobalValue<'c> {
        self.external_data(symbols::code_id())
    }

    /// A function's feedback.
    pub(crate) fn feedback(&self, func: FuncId) -> GlobalValue<'c> {
        self.external_data(&symbols::feedback(func))
    }

    fn external_data(&self, name: &str) -> GlobalValue<'c> {
        self.module.get_global(name).unwrap_or_else(|| {
            let global = self.module.add_global(self.types.i8, None, name);
            global.set_linkage(Linkage::External);
            global
        })
    }

    /// An intrinsic function of LLVM's.
    pub(crate) fn intrinsic(
        &self,
        name: &str,
        types: &[BasicTypeEnum<'c>],
    ) -> Result<FunctionValue<'c>> {
        let declaration = Intrinsic::find(name)
            .and_then(|intrinsic| intrinsic.get_declaration(&self.module, types));
        Ok(declaration.ok_or_else(|| codegen(format!("LLVM does not know {name}")))?)
    }
}
