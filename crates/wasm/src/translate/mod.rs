//! Translation of a function from stack code to register form, in one pass over its body.
//!
//! The operand stack exists only while translating ([`stack`]); `local.set` of a value that was
//! just computed lets the computing instruction assign the local's register. Structured control
//! flow becomes blocks made when something branches to them ([`control`]). Code that cannot be
//! reached is validated but not translated. Locals start at zero: they are set to it where the
//! first block, loop or `if` begins, but for those that the code before it has assigned.
//!
//! Not done here: anything that costs a second pass; optimizing tiers do that on SSA form.

mod control;
mod emit;
mod numeric;
mod stack;
mod variables;
mod vector;

use crate::decode::{function_validator, null_type, val_type};
use crate::error::Error;
use crate::info::ModuleInfo;
use crate::ops::WasmOp;
use control::Frame;
use cupola_ir::{
    FuncId, Function, GlobalId, Imm, InstData, MemArg, MemId, Op, RefType, Signature, SiteId,
    SrcLoc, TableId, TrapCode, Type,
};
use emit::Emitter;
use numeric::{load_op, pure_op, store_op};
use stack::{Operand, Place, Stack};
use wasmparser::{BinaryReader, MemArgTarget, Operator, OperatorsReader};

/// Translates a defined function; validates it on the way if that was not done before.
pub(crate) fn translate(info: &ModuleInfo, func: FuncId) -> Result<Function, Error> {
    let index = func.as_u32();
    let range = info.bodies[(index - info.imported_funcs) as usize].clone();
    let (start, bytes) = (range.start as u64, range.len());
    let mut reader = BinaryReader::new_features(&info.bytes[range], start, info.features);
    let mut validator = function_validator(info, index);

    let ty = info.func_type(func);
    let mut locals: Vec<Type> = Vec::new();
    for _ in 0..reader.read_var_u32()? {
        let offset = reader.original_position();
        let count = reader.read_var_u32()?;
        let ty: wasmparser::ValType = reader.read()?;
        if let Some(validator) = &mut validator {
            // Also bounds how many there are.
            validator.define_locals(offset, count, ty)?;
        }
        let ty = val_type(ty, offset)?;
        locals.extend((0..count).map(|_| ty));
    }
    let sig = Signature::new(ty.params.iter().copied(), ty.results.iter().copied());
    let params = sig.params.len();
    let mut translator = Translator {
        info,
        stack: Stack::new(params + locals.len()),
        uninit: (0..params + locals.len()).map(|local| local >= params).collect(),
        straight: true,
        frames: Vec::new(),
        reachable: true,
        skipped: 0,
        emit: Emitter::new(sig, &locals, bytes),
    };
    translator.enter_function(&ty.results);
    let mut operators = OperatorsReader::new(reader);
    while !operators.eof() {
        let (op, offset) = operators.read_with_offset()?;
        if let Some(validator) = &mut validator {
            validator.op(offset, &op)?;
        }
        translator.emit.loc = SrcLoc(u32::try_from(offset).unwrap_or(0));
        translator.operator(&op, offset)?;
    }
    operators.finish()?;
    Ok(translator.emit.finish())
}

struct Translator<'a> {
    info: &'a ModuleInfo,
    emit: Emitter,
    stack: Stack,
    frames: Vec<Frame>,
    /// Whether the code that comes next can be reached.
    reachable: bool,
    /// Nested blocks in code that cannot be reached.
    skipped: u32,
    /// No block, loop or `if` has begun yet.
    straight: bool,
    /// Locals that hold zero without having been assigned it; while `straight`.
    uninit: Vec<bool>,
}

impl Translator<'_> {
    fn operator(&mut self, op: &Operator<'_>, offset: u64) -> Result<(), Error> {
        if !self.reachable {
            match op {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    self.skipped += 1;
                    return Ok(());
                }
                Operator::End if self.skipped > 0 => {
                    self.skipped -= 1;
                    return Ok(());
                }
                Operator::End => {}
                Operator::Else if self.skipped == 0 => {}
                _ => return Ok(()),
            }
        }
        match *op {
            Operator::Nop => Ok(()),
            Operator::Unreachable => {
                self.emit.push(
                    InstData::new(Op::Trap, &[], &[]).with_imm(Imm::Trap(TrapCode::Unreachable)),
                );
                self.reachable = false;
                Ok(())
            }
            Operator::Block { blockty } => self.block(blockty, offset),
            Operator::Loop { blockty } => self.loop_(blockty, offset),
            Operator::If { blockty } => self.if_(blockty, offset),
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => self.br(relative_depth),
            Operator::BrIf { relative_depth } => self.br_if(relative_depth),
            Operator::BrTable { ref targets } => self.br_table(targets),
            Operator::Return => self.br(self.frames.len() as u32 - 1),
            Operator::Call { function_index } => {
                let func = FuncId::from_u32(function_index);
                let ty = self.info.func_type(func);
                let args = self.stack.pop_regs(&mut self.emit, ty.params.len());
                self.finish(Op::Call, &args, Imm::Func(func), &stack::registers(&ty.results))
            }
            Operator::CallIndirect { type_index, table_index } => {
                self.call_indirect(type_index, table_index)
            }
            Operator::Drop => {
                self.stack.pop();
                Ok(())
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let args = self.stack.pop_regs(&mut self.emit, 3);
                let ty = self.emit.func.regs[args[0]];
                self.finish(Op::Select, &[args[2], args[0], args[1]], Imm::None, &[ty])
            }
            Operator::LocalGet { local_index } => self.local_get(local_index),
            Operator::LocalSet { local_index } => self.local_set(local_index),
            Operator::LocalTee { local_index } => self.local_tee(local_index),
            Operator::GlobalGet { global_index } => {
                let ty = self.info.globals[global_index as usize].ty;
                let global = Imm::Global(GlobalId::from_u32(global_index));
                self.finish(Op::GlobalGet, &[], global, &[ty])
            }
            Operator::GlobalSet { global_index } => {
                let value = self.stack.pop_reg(&mut self.emit);
                let global = Imm::Global(GlobalId::from_u32(global_index));
                self.finish(Op::GlobalSet, &[value], global, &[])
            }
            Operator::MemorySize { mem } => {
                let memory = Imm::Memory(MemId::from_u32(mem));
                let ty = self.info.address_types[mem as usize];
                self.finish(Op::MemorySize, &[], memory, &[ty])
            }
            Operator::MemoryGrow { mem } => {
                let pages = self.stack.pop_reg(&mut self.emit);
                let memory = Imm::Memory(MemId::from_u32(mem));
                let ty = self.info.address_types[mem as usize];
                self.finish(Op::MemoryGrow, &[pages], memory, &[ty])
            }
            Operator::I32Const { value } => self.constant(Type::I32, u64::from(value as u32)),
            Operator::I64Const { value } => self.constant(Type::I64, value as u64),
            Operator::F32Const { value } => self.constant(Type::F32, u64::from(value.bits())),
            Operator::F64Const { value } => self.constant(Type::F64, value.bits()),
            Operator::RefNull { hty } => self.constant(null_type(hty, offset)?.ty(), 0),
            Operator::RefFunc { function_index } => {
                let func = FuncId::from_u32(function_index);
                self.dialect(WasmOp::RefFunc, &[func.as_u32()])
            }
            Operator::RefIsNull => {
                let reference = self.stack.pop_reg(&mut self.emit);
                let op = match self.emit.func.regs[reference] {
                    Type::ExternRef => WasmOp::ExternRefIsNull,
                    _ => WasmOp::FuncRefIsNull,
                };
                let imm = Imm::Dialect(op.id(), self.site());
                self.finish(Op::Dialect, &[reference], imm, &[Type::I32])
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                self.dialect(WasmOp::MemoryCopy, &[dst_mem, src_mem])
            }
            Operator::MemoryFill { mem } => self.dialect(WasmOp::MemoryFill, &[mem]),
            Operator::MemoryInit { data_index, mem } => {
                self.dialect(WasmOp::MemoryInit, &[data_index, mem])
            }
            Operator::DataDrop { data_index } => self.dialect(WasmOp::DataDrop, &[data_index]),
            Operator::TableGet { table } => {
                self.on_table(table, WasmOp::TableGetFunc, WasmOp::TableGetExtern)
            }
            Operator::TableSet { table } => {
                self.on_table(table, WasmOp::TableSetFunc, WasmOp::TableSetExtern)
            }
            Operator::TableSize { table } => {
                self.dialect(WasmOp::TableSize, &[table])?;
                self.size_of(table)
            }
            Operator::TableGrow { table } => {
                self.on_table(table, WasmOp::TableGrowFunc, WasmOp::TableGrowExtern)?;
                self.size_of(table)
            }
            Operator::TableFill { table } => {
                self.on_table(table, WasmOp::TableFillFunc, WasmOp::TableFillExtern)
            }
            Operator::TableCopy { dst_table, src_table } => {
                self.dialect(WasmOp::TableCopy, &[dst_table, src_table])
            }
            Operator::TableInit { elem_index, table } => {
                self.dialect(WasmOp::TableInit, &[elem_index, table])
            }
            Operator::ElemDrop { elem_index } => self.dialect(WasmOp::ElemDrop, &[elem_index]),
            ref other => self.by_table(other, offset),
        }
    }

    /// Translates an operator that the tables map to an opcode.
    fn by_table(&mut self, op: &Operator<'_>, offset: u64) -> Result<(), Error> {
        if let Some((load, memarg)) = load_op(op) {
            let address = self.stack.pop_reg(&mut self.emit);
            let (ty, _) = load.access().expect("the table has loads");
            return self.finish(load, &[address], Imm::Mem(mem_arg(memarg)), &[ty]);
        }
        if let Some(pure) = pure_op(op) {
            let (params, result) = pure.pure_signature().expect("the table has pure opcodes");
            let args = self.stack.pop_regs(&mut self.emit, params.len());
            return self.finish(pure, &args, Imm::None, &[result]);
        }
        if let Some((store, memarg)) = store_op(op) {
            let args = self.stack.pop_regs(&mut self.emit, 2);
            return self.finish(store, &args, Imm::Mem(mem_arg(memarg)), &[]);
        }
        match self.vector(op)? {
            true => Ok(()),
            false => Err(Error::unsupported(format!("instruction {op:?}"), offset)),
        }
    }

    /// Emits an instruction whose operands were popped, and pushes its results.
    fn finish(
        &mut self,
        op: Op,
        args: &[cupola_ir::Reg],
        imm: Imm,
        results: &[Type],
    ) -> Result<(), Error> {
        let mut inst = InstData::new(op, args, &[]).with_imm(imm);
        for &ty in results {
            inst.results.push(self.stack.push_temp(&mut self.emit, ty));
        }
        self.emit.push(inst);
        Ok(())
    }

    fn constant(&mut self, ty: Type, bits: u64) -> Result<(), Error> {
        self.stack.push(Operand { place: Place::Const(bits), ty });
        Ok(())
    }

    fn site(&mut self) -> SiteId {
        self.emit.func.num_sites += 1;
        SiteId::from_u32(self.emit.func.num_sites - 1)
    }

    fn call_indirect(&mut self, ty: u32, table: u32) -> Result<(), Error> {
        let table = TableId::from_u32(table);
        let ty = &self.info.types[ty as usize];
        let args = self.stack.pop_regs(&mut self.emit, ty.params.len() + 1);
        let imm = Imm::Indirect(ty.sig, table, self.site());
        self.finish(Op::CallIndirect, &args, imm, &stack::registers(&ty.results))
    }

    /// Emits the operation on a table for what the table holds.
    fn on_table(&mut self, table: u32, funcs: WasmOp, externs: WasmOp) -> Result<(), Error> {
        let op = match self.info.tables[table as usize].element {
            RefType::Func => funcs,
            RefType::Extern => externs,
        };
        self.dialect(op, &[table])
    }

    /// Makes of an i64 on the stack a size of this table.
    fn size_of(&mut self, table: u32) -> Result<(), Error> {
        if self.info.tables[table as usize].index_type == Type::I64 {
            return Ok(());
        }
        let size = self.stack.pop_reg(&mut self.emit);
        self.finish(Op::I32WrapI64, &[size], Imm::None, &[Type::I32])
    }

    /// Emits a dialect operation; its immediates are its last operands. Where it takes an i64 and
    /// an i32 stands (an address in a memory with 32-bit addresses, an index of a table with 32-bit
    /// indices), that is extended.
    fn dialect(&mut self, op: WasmOp, immediates: &[u32]) -> Result<(), Error> {
        let (params, results) = op.types();
        for &immediate in immediates {
            self.constant(Type::I32, u64::from(immediate))?;
        }
        let mut args = self.stack.pop_regs(&mut self.emit, params.len());
        let base = self.stack.height();
        for (i, (arg, &ty)) in args.iter_mut().zip(params).enumerate() {
            if ty == Type::I64 && self.emit.func.regs[*arg] == Type::I32 {
                // Nothing else is at the height of the operand that is being replaced.
                let wide = self.emit.temp(base + i, Type::I64);
                self.emit.push(InstData::new(Op::I64ExtendI32U, &[*arg], &[wide]));
                *arg = wide;
            }
        }
        let imm = Imm::Dialect(op.id(), self.site());
        self.finish(Op::Dialect, &args, imm, results)
    }
}

fn mem_arg(memarg: &wasmparser::MemArg) -> MemArg {
    // An index into the array types would be of a proposal that is not enabled.
    let (MemArgTarget::Memory(index) | MemArgTarget::Array(index)) = memarg.target;
    MemArg { memory: MemId::from_u32(index), offset: memarg.offset }
}
