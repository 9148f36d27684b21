//! The parser: recursive descent, with precedence climbing for operators.
//!
//! ```text
//! program   := (function | statement)*
//! function  := "fn" NAME "(" [NAME ("," NAME)*] ")" block
//! block     := "{" statement* "}"
//! statement := "var" NAME "=" expr ";" | NAME "=" expr ";" | "return" expr ";"
//!            | "print" expr ";" | expr ";" | "while" expr block
//!            | "if" expr block ["else" (block | "if" …)]
//! expr      := operands with `== != < <= > >=`, then `+ -`, then `* /`, then `-x`, then `^`
//! operand   := NUMBER | NAME | NAME "(" [expr ("," expr)*] ")" | "(" expr ")"
//! ```

use crate::ast::{BinaryOp, Expr, ExprKind, Function, Stmt, StmtKind};
use crate::token::{Token, tokenize};
use crate::{Pos, SourceError};

/// Blocks may be nested so deep, and an expression may have so many operators and parentheses;
/// both the parser and what walks the tree recur over them.
const MAX_NESTING: u32 = 200;
const MAX_OPERATORS: u32 = 500;

const KEYWORDS: [&str; 7] = ["fn", "var", "if", "else", "while", "return", "print"];

/// Binds tighter than unary minus.
const POW_PRECEDENCE: u32 = 4;

/// Parses a program; its last function is `main`, the statements outside of functions.
///
/// # Errors
/// The first syntax error.
pub fn parse(source: &str) -> Result<Vec<Function>, SourceError> {
    let mut parser = Parser { tokens: tokenize(source)?, next: 0, nesting: 0, operators: 0 };
    let mut functions = Vec::new();
    let mut main = Vec::new();
    while *parser.peek() != Token::End {
        if parser.accept_word("fn") {
            functions.push(parser.function()?);
        } else {
            main.push(parser.statement()?);
        }
    }
    let pos = Pos { line: 1, column: 1 };
    functions.push(Function { name: "main".to_owned(), params: Vec::new(), body: main, pos });
    Ok(functions)
}

struct Parser {
    tokens: Vec<(Token, Pos)>,
    next: usize,
    nesting: u32,
    operators: u32,
}

type Parsed<T> = Result<T, SourceError>;

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.next].0
    }

    fn pos(&self) -> Pos {
        self.tokens[self.next].1
    }

    /// Goes past the next token; the last one stays.
    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn accept(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(s) if *s == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn accept_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(w) if w == word);
        if found {
            self.advance();
        }
        found
    }

    fn expected<T>(&self, what: &str) -> Parsed<T> {
        let message = format!("expected {what}, found {}", self.peek().describe());
        Err(SourceError::new(self.pos(), message))
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept(symbol) { Ok(()) } else { self.expected(&format!("`{symbol}`")) }
    }

    fn name(&mut self) -> Parsed<String> {
        match self.peek() {
            Token::Word(word) if !KEYWORDS.contains(&word.as_str()) => {
                let word = word.clone();
                self.advance();
                Ok(word)
            }
            _ => self.expected("a name"),
        }
    }

    /// Items with commas between them, up to the closing parenthesis.
    fn list<T>(&mut self, item: fn(&mut Parser) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        while !self.accept(")") {
            if !items.is_empty() {
                self.expect(",")?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn function(&mut self) -> Parsed<Function> {
        let pos = self.pos();
        let name = self.name()?;
        if name == "main" {
            let message = "`main` is the name of the statements outside of functions";
            return Err(SourceError::new(pos, message.to_owned()));
        }
        self.expect("(")?;
        let params = self.list(Parser::name)?;
        Ok(Function { name, params, body: self.block()?, pos })
    }

    fn block(&mut self) -> Parsed<Vec<Stmt>> {
        self.expect("{")?;
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(SourceError::new(self.pos(), "blocks are nested too deep".to_owned()));
        }
        let mut statements = Vec::new();
        while !self.accept("}") {
            statements.push(self.statement()?);
        }
        self.nesting -= 1;
        Ok(statements)
    }

    fn statement(&mut self) -> Parsed<Stmt> {
        let pos = self.pos();
        let kind = if self.accept_word("if") {
            let condition = self.whole_expr()?;
            let then = self.block()?;
            let mut otherwise = Vec::new();
            if self.accept_word("else") {
                if matches!(self.peek(), Token::Word(word) if word == "if") {
                    self.nesting += 1;
                    otherwise.push(self.statement()?);
                    self.nesting -= 1;
                } else {
                    otherwise = self.block()?;
                }
            }
            return Ok(Stmt { pos, kind: StmtKind::If(condition, then, otherwise) });
        } else if self.accept_word("while") {
            let condition = self.whole_expr()?;
            return Ok(Stmt { pos, kind: StmtKind::While(condition, self.block()?) });
        } else if self.accept_word("var") {
            let name = self.name()?;
            self.expect("=")?;
            StmtKind::Var(name, self.whole_expr()?)
        } else if self.accept_word("return") {
            StmtKind::Return(self.whole_expr()?)
        } else if self.accept_word("print") {
            StmtKind::Print(self.whole_expr()?)
        } else if let (Token::Word(_), Some((Token::Symbol("="), _))) =
            (self.peek(), self.tokens.get(self.next + 1))
        {
            let name = self.name()?;
            self.expect("=")?;
            StmtKind::Assign(name, self.whole_expr()?)
        } else {
            StmtKind::Expr(self.whole_expr()?)
        };
        self.expect(";")?;
        Ok(Stmt { pos, kind })
    }

    /// An expression that is not part of another one.
    fn whole_expr(&mut self) -> Parsed<Expr> {
        self.operators = 0;
        self.expr(0)
    }

    fn count_operator(&mut self, pos: Pos) -> Parsed<()> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            let message = format!("more than {MAX_OPERATORS} operators in one expression");
            return Err(SourceError::new(pos, message));
        }
        Ok(())
    }

    fn binary_op(&self) -> Option<(BinaryOp, u32)> {
        let Token::Symbol(symbol) = self.peek() else { return None };
        Some(match *symbol {
            "==" => (BinaryOp::Eq, 1),
            "!=" => (BinaryOp::Ne, 1),
            "<" => (BinaryOp::Lt, 1),
            "<=" => (BinaryOp::Le, 1),
            ">" => (BinaryOp::Gt, 1),
            ">=" => (BinaryOp::Ge, 1),
            "+" => (BinaryOp::Add, 2),
            "-" => (BinaryOp::Sub, 2),
            "*" => (BinaryOp::Mul, 3),
            "/" => (BinaryOp::Div, 3),
            "^" => (BinaryOp::Pow, POW_PRECEDENCE),
            _ => return None,
        })
    }

    /// Operators that bind at least as tight as `lowest`; all group to the left but `^`.
    fn expr(&mut self, lowest: u32) -> Parsed<Expr> {
        let mut left = self.operand()?;
        while let Some((op, precedence)) = self.binary_op().filter(|&(_, p)| p >= lowest) {
            let pos = self.pos();
            self.count_operator(pos)?;
            self.advance();
            let right = self.expr(precedence + u32::from(op != BinaryOp::Pow))?;
            left = Expr { pos, kind: ExprKind::Binary(op, Box::new(left), Box::new(right)) };
        }
        Ok(left)
    }

    fn operand(&mut self) -> Parsed<Expr> {
        let pos = self.pos();
        if let Token::Number(value) = *self.peek() {
            self.advance();
            return Ok(Expr { pos, kind: ExprKind::Number(value) });
        }
        if self.accept("-") {
            self.count_operator(pos)?;
            let operand = self.expr(POW_PRECEDENCE)?;
            return Ok(Expr { pos, kind: ExprKind::Negate(Box::new(operand)) });
        }
        if self.accept("(") {
            self.count_operator(pos)?;
            let inner = self.expr(0)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if !matches!(self.peek(), Token::Word(_)) {
            return self.expected("an expression");
        }
        let name = self.name()?;
        let kind = if self.accept("(") {
            self.count_operator(pos)?;
            ExprKind::Call(name, self.list(|parser| parser.expr(0))?)
        } else {
            ExprKind::Variable(name)
        };
        Ok(Expr { pos, kind })
    }
}
