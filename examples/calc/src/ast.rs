//! The syntax tree of calc.

use crate::Pos;

/// A function, or the statements outside of functions under the name `main`.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Names of its parameters.
    pub params: Vec<String>,
    /// Its statements.
    pub body: Vec<Stmt>,
    /// Where it is defined.
    pub pos: Pos,
}

/// A statement and where it starts.
#[derive(Debug)]
pub struct Stmt {
    /// Where it starts.
    pub pos: Pos,
    /// What it is.
    pub kind: StmtKind,
}

/// Kinds of statements.
#[derive(Debug)]
pub enum StmtKind {
    /// `var name = value;`
    Var(String, Expr),
    /// `name = value;`
    Assign(String, Expr),
    /// `if condition { … } else { … }`
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `while condition { … }`
    While(Expr, Vec<Stmt>),
    /// `return value;`
    Return(Expr),
    /// `print value;`
    Print(Expr),
    /// `value;`
    Expr(Expr),
}

/// An expression and the place that an error in it is reported at: its operator's, if it has one.
#[derive(Debug)]
pub struct Expr {
    /// The place.
    pub pos: Pos,
    /// What it is.
    pub kind: ExprKind,
}

/// Kinds of expressions. All values are 64-bit floating-point numbers.
#[derive(Debug)]
pub enum ExprKind {
    /// A literal.
    Number(f64),
    /// A variable's value.
    Variable(String),
    /// `-x`
    Negate(Box<Expr>),
    /// `x + y` and the like.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `f(x, y)`
    Call(String, Vec<Expr>),
}

/// Binary operators. Comparisons give 1 or 0.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}
