//! From the syntax tree to register form.
//!
//! A variable is a register, an assignment writes it, a loop is three blocks: there is no SSA to
//! construct here. All values are f64; conditions are i32, as branches want them.

use crate::ast::{BinaryOp, Expr, ExprKind, Function, Stmt, StmtKind};
use crate::{Compiled, Pos, SourceError, dialects};
use cupola::ir::{
    DialectOpId, EagerBodies, FuncId, FunctionBuilder, Module, Op, Reg, Signature, SrcLoc, Type,
};
use std::collections::HashMap;

/// What all functions of the program refer to.
struct Declared {
    /// With their numbers of parameters.
    functions: HashMap<String, (FuncId, usize)>,
    print: FuncId,
    pow: DialectOpId,
}

/// Declares all functions, then builds them: calls may go to functions further down.
///
/// # Errors
/// Names that are not defined or defined twice, and calls with a wrong number of arguments.
pub fn lower(name: &str, program: &[Function]) -> Result<Compiled, SourceError> {
    let mut module = Module::new(name);
    let print = module.declare_import("calc", "print", Signature::new([Type::F64], []));
    let pow = dialects().declare(&mut module, "calc.pow");
    let mut declared = Declared { functions: HashMap::new(), print, pow };
    for function in program {
        let params = vec![Type::F64; function.params.len()];
        let id = module.declare_func(&function.name, Signature::new(params, [Type::F64]));
        module.export(&function.name, id);
        let arity = function.params.len();
        if declared.functions.insert(function.name.clone(), (id, arity)).is_some() {
            let message = format!("function `{}` is defined twice", function.name);
            return Err(SourceError::new(function.pos, message));
        }
    }
    let mut bodies = EagerBodies::default();
    for function in program {
        let (id, _) = declared.functions[&function.name];
        let builder = FunctionBuilder::new(&module, module.func_sig(id).clone());
        let mut lowering =
            Lowering { b: builder, declared: &declared, scopes: vec![HashMap::new()] };
        lowering.function(function)?;
        bodies.set(id, lowering.b.finish());
    }
    Ok(Compiled { module, bodies })
}

struct Lowering<'a> {
    b: FunctionBuilder<'a>,
    declared: &'a Declared,
    /// Variables by name, the innermost scope last.
    scopes: Vec<HashMap<String, Reg>>,
}

impl Lowering<'_> {
    fn function(&mut self, function: &Function) -> Result<(), SourceError> {
        for (index, name) in function.params.iter().enumerate() {
            let reg = self.b.param(index);
            self.define(name, reg, function.pos)?;
        }
        self.statements(&function.body)?;
        let zero = self.b.f64(0.0);
        self.b.return_(&[zero]);
        Ok(())
    }

    fn define(&mut self, name: &str, reg: Reg, pos: Pos) -> Result<(), SourceError> {
        self.b.name_reg(reg, name);
        let scope = self.scopes.last_mut().expect("a function has a scope");
        match scope.insert(name.to_owned(), reg) {
            None => Ok(()),
            Some(_) => Err(SourceError::new(pos, format!("`{name}` is defined twice"))),
        }
    }

    fn variable(&self, name: &str, pos: Pos) -> Result<Reg, SourceError> {
        let found = self.scopes.iter().rev().find_map(|scope| scope.get(name).copied());
        found.ok_or_else(|| SourceError::new(pos, format!("there is no variable `{name}`")))
    }

    /// Sets the source position of the instructions that follow.
    fn at(&mut self, pos: Pos) {
        self.b.set_loc(SrcLoc::line_column(pos.line, pos.column));
    }

    fn block(&mut self, statements: &[Stmt]) -> Result<(), SourceError> {
        self.scopes.push(HashMap::new());
        let result = self.statements(statements);
        self.scopes.pop();
        result
    }

    fn statements(&mut self, statements: &[Stmt]) -> Result<(), SourceError> {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn statement(&mut self, statement: &Stmt) -> Result<(), SourceError> {
        self.at(statement.pos);
        match &statement.kind {
            StmtKind::Var(name, value) => {
                let value = self.expr(value)?;
                let reg = self.b.reg(Type::F64);
                self.b.assign(reg, value);
                self.define(name, reg, statement.pos)?;
            }
            StmtKind::Assign(name, value) => {
                let reg = self.variable(name, statement.pos)?;
                let value = self.expr(value)?;
                self.b.assign(reg, value);
            }
            StmtKind::If(condition, then, otherwise) => {
                let condition = self.condition(condition)?;
                let (then_block, else_block) = (self.b.block(), self.b.block());
                let end = self.b.block();
                self.b.br_if(condition, then_block, else_block);
                for (block, statements) in [(then_block, then), (else_block, otherwise)] {
                    self.b.switch_to(block);
                    self.block(statements)?;
                    self.b.br(end);
                }
                self.b.switch_to(end);
            }
            StmtKind::While(condition, body) => {
                let (header, body_block, end) = (self.b.block(), self.b.block(), self.b.block());
                self.b.br(header);
                self.b.switch_to(header);
                let condition = self.condition(condition)?;
                self.b.br_if(condition, body_block, end);
                self.b.switch_to(body_block);
                self.block(body)?;
                self.b.br(header);
                self.b.switch_to(end);
            }
            StmtKind::Return(value) => {
                let value = self.expr(value)?;
                self.b.return_(&[value]);
                // What follows cannot be reached, but is checked like everything else.
                let rest = self.b.block();
                self.b.switch_to(rest);
            }
            StmtKind::Print(value) => {
                let value = self.expr(value)?;
                self.b.call(self.declared.print, &[value]);
            }
            StmtKind::Expr(value) => {
                self.expr(value)?;
            }
        }
        Ok(())
    }

    /// The value of an expression as a number.
    fn expr(&mut self, expr: &Expr) -> Result<Reg, SourceError> {
        let value = self.value(expr)?;
        Ok(match self.b.type_of(value) {
            Type::I32 => self.b.ins(Op::F64ConvertI32U, &[value]),
            _ => value,
        })
    }

    /// The value of an expression as something to branch on: whether it is not zero.
    fn condition(&mut self, expr: &Expr) -> Result<Reg, SourceError> {
        let value = self.value(expr)?;
        Ok(match self.b.type_of(value) {
            Type::I32 => value,
            _ => {
                let zero = self.b.f64(0.0);
                self.b.ins(Op::F64Ne, &[value, zero])
            }
        })
    }

    /// The value of an expression, in its variable's register or in a new one: an i32 if it is a
    /// comparison, else an f64.
    fn value(&mut self, expr: &Expr) -> Result<Reg, SourceError> {
        match &expr.kind {
            ExprKind::Number(value) => Ok(self.b.f64(*value)),
            ExprKind::Variable(name) => self.variable(name, expr.pos),
            ExprKind::Negate(operand) => {
                let operand = self.expr(operand)?;
                Ok(self.b.ins(Op::F64Neg, &[operand]))
            }
            ExprKind::Binary(op, left, right) => {
                let operands = [self.expr(left)?, self.expr(right)?];
                self.at(expr.pos);
                Ok(match opcode(*op) {
                    Some(opcode) => self.b.ins(opcode, &operands),
                    None => self.b.dialect(self.declared.pow, &operands)[0],
                })
            }
            ExprKind::Call(name, args) => {
                let Some(&(id, params)) = self.declared.functions.get(name) else {
                    return Err(SourceError::new(
                        expr.pos,
                        format!("there is no function `{name}`"),
                    ));
                };
                if args.len() != params {
                    let message = format!("`{name}` takes {params} arguments, not {}", args.len());
                    return Err(SourceError::new(expr.pos, message));
                }
                let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<Vec<_>, _>>()?;
                self.at(expr.pos);
                Ok(self.b.call(id, &args)[0])
            }
        }
    }
}

/// The core instruction that an operator is; `^` is none.
fn opcode(op: BinaryOp) -> Option<Op> {
    Some(match op {
        BinaryOp::Add => Op::F64Add,
        BinaryOp::Sub => Op::F64Sub,
        BinaryOp::Mul => Op::F64Mul,
        BinaryOp::Div => Op::F64Div,
        BinaryOp::Lt => Op::F64Lt,
        BinaryOp::Le => Op::F64Le,
        BinaryOp::Gt => Op::F64Gt,
        BinaryOp::Ge => Op::F64Ge,
        BinaryOp::Eq => Op::F64Eq,
        BinaryOp::Ne => Op::F64Ne,
        BinaryOp::Pow => return None,
    })
}
