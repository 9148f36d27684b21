//! The parser: recursive descent without recursion, in two passes.
//!
//! The first pass reads the items and only looks for the end of each function body, so that items
//! may refer to ones further down. The second reads the bodies, register form before SSA form
//! (whose frame states speak of the register form). After an error the parser goes on with the
//! next line of a body or the next item; it stops at [`MAX_DIAGNOSTICS`] errors. Types and the
//! rules of both forms are the verifier's business: here only what is needed to build the function
//! is checked.

mod body;
mod inst;
mod items;
mod scope;

use super::diagnostics::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS};
use super::lexer::{Kind, Lexer, Token};
use super::literal::{parse_string, parse_u64, shorten};
use super::{ParsedModule, SourceMap};
use crate::entities::{DialectOpId, FuncId, GlobalId, MemId, SigId, TableId};
use crate::function::Function;
use crate::module::{EagerBodies, Module};
use crate::types::{Signature, Type};
use crate::verify::Place;
use rustc_hash::{FxHashMap, FxHashSet};
use scope::Labels;
use std::sync::Arc;

/// An error was reported; the parser has to find a place to go on.
pub(super) struct Failed;

pub(super) type Parse<T> = Result<T, Failed>;

/// What names stand for.
#[derive(Default)]
struct Names {
    funcs: FxHashMap<String, FuncId>,
    memories: FxHashMap<String, MemId>,
    globals: FxHashMap<String, GlobalId>,
    tables: FxHashMap<String, TableId>,
    dialect_ops: FxHashMap<String, DialectOpId>,
    sigs: FxHashMap<Signature, SigId>,
}

pub(super) struct Parser<'s> {
    src: &'s str,
    lexer: Lexer<'s>,
    /// The token that is next.
    tok: Token,
    /// Where the token before it ended.
    last_end: u32,
    errors: Vec<Diagnostic>,
    module: Module,
    names: Names,
    bodies: EagerBodies,
    source_map: SourceMap,
    /// Functions that so far have only an SSA form.
    ssa_only: FxHashSet<FuncId>,
    /// Names of the blocks and registers of register-form functions.
    labels: FxHashMap<FuncId, Labels>,
}

/// Parses a module.
pub(super) fn parse(name: &str, source: &str) -> Result<ParsedModule, Diagnostics> {
    let text: Arc<str> = Arc::from(source);
    if u32::try_from(source.len()).is_err() {
        let error =
            Diagnostic { span: 0..0, message: "a text of 4 GiB or more".into(), note: None };
        return Err(Diagnostics::new(name, Arc::from(""), vec![error]));
    }
    let mut lexer = Lexer::new(source);
    let tok = lexer.next();
    let mut parser = Parser {
        src: source,
        lexer,
        tok,
        last_end: 0,
        errors: Vec::new(),
        module: Module::default(),
        names: Names::default(),
        bodies: EagerBodies::default(),
        source_map: SourceMap::default(),
        ssa_only: FxHashSet::default(),
        labels: FxHashMap::default(),
    };
    let mut ssa = Vec::new();
    let pending = parser.items();
    let (ssa_form, register_form): (Vec<_>, Vec<_>) = pending.into_iter().partition(|p| p.is_ssa());
    for body in register_form.into_iter().chain(ssa_form) {
        if parser.gave_up() {
            break;
        }
        let (func, form) = (body.func, body.form());
        let (function, spans): (Function, _) = parser.body(body);
        parser.source_map.insert_function(func, form, spans);
        match form {
            crate::Form::Register => parser.bodies.set(func, function),
            crate::Form::Ssa => ssa.push((func, Arc::new(function))),
        }
    }
    if !parser.errors.is_empty() {
        return Err(Diagnostics::new(name, text, parser.errors));
    }
    Ok(ParsedModule {
        module: parser.module,
        bodies: parser.bodies,
        ssa,
        name: name.to_string(),
        source: text,
        source_map: parser.source_map,
    })
}

impl<'s> Parser<'s> {
    fn gave_up(&self) -> bool {
        self.errors.len() >= MAX_DIAGNOSTICS
    }

    fn text(&self, token: Token) -> &'s str {
        &self.src[token.start as usize..token.end as usize]
    }

    /// Takes the next token.
    fn bump(&mut self) -> Token {
        let token = self.tok;
        self.last_end = token.end;
        self.tok = self.lexer.next();
        token
    }

    /// The token behind the next one.
    fn second(&self) -> Token {
        let mut lexer = self.lexer;
        lexer.next()
    }

    /// Goes on at a place remembered before: `tok` is the next token and `lexer` stands behind it.
    fn seek(&mut self, lexer: Lexer<'s>, tok: Token) {
        self.lexer = lexer;
        self.tok = tok;
        self.last_end = tok.start;
    }

    fn error_at(&mut self, token: Token, message: impl Into<String>) -> Failed {
        self.error(token.start as usize..token.end as usize, message.into(), None)
    }

    fn error(
        &mut self,
        span: std::ops::Range<usize>,
        message: String,
        note: Option<String>,
    ) -> Failed {
        if !self.gave_up() {
            self.errors.push(Diagnostic { span, message, note });
        }
        Failed
    }

    /// Reports that something else was expected than what comes next.
    fn expected(&mut self, what: &str) -> Failed {
        // What is missing at the end of a line belongs behind that line's last token.
        if self.tok.first && self.last_end > 0 {
            let at = self.last_end as usize;
            return self.error(at..at, format!("expected {what}, the line ends"), None);
        }
        self.expected_at_start(what)
    }

    /// The same, of what may stand at the start of a line.
    fn expected_at_start(&mut self, what: &str) -> Failed {
        let found = match self.tok.kind {
            Kind::Eof => "the text ends".to_string(),
            Kind::Error(message) => format!("there is {message}"),
            _ => format!("found `{}`", shorten(self.text(self.tok))),
        };
        self.error_at(self.tok, format!("expected {what}, {found}"))
    }

    /// Remembers the place of an item.
    fn place(&mut self, place: Place, token: Token) {
        self.source_map.insert_item(place, token.start as usize..token.end as usize);
    }

    fn is(&self, kind: Kind) -> bool {
        self.tok.kind == kind
    }

    fn eat(&mut self, kind: Kind) -> bool {
        let found = self.is(kind);
        if found {
            self.bump();
        }
        found
    }

    fn expect(&mut self, kind: Kind) -> Parse<Token> {
        if self.is(kind) { Ok(self.bump()) } else { Err(self.expected(kind.describe())) }
    }

    fn is_word(&self, word: &str) -> bool {
        self.is(Kind::Word) && self.text(self.tok) == word
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    fn expect_word(&mut self, what: &str) -> Parse<Token> {
        if self.is(Kind::Word) { Ok(self.bump()) } else { Err(self.expected(what)) }
    }

    /// The bytes of a string token.
    fn string_bytes(&mut self, token: Token, literal: &str) -> Parse<Vec<u8>> {
        parse_string(literal).map_err(|at| {
            let start = token.end as usize - literal.len() + at;
            let note =
                Some("escapes are \\n \\t \\r \\\" \\\\ and two hexadecimal digits".to_string());
            self.error(start..start + 1, "wrong escape in a string".to_string(), note)
        })
    }

    fn string(&mut self) -> Parse<String> {
        let token = self.expect(Kind::Str)?;
        self.string_text(token, self.text(token))
    }

    fn string_text(&mut self, token: Token, literal: &str) -> Parse<String> {
        let bytes = self.string_bytes(token, literal)?;
        String::from_utf8(bytes).map_err(|_| self.error_at(token, "this name is not valid UTF-8"))
    }

    /// The name in a `%name` or `$name` token.
    fn name_of(&mut self, token: Token) -> Parse<String> {
        let text = &self.text(token)[1..];
        if text.starts_with('"') { self.string_text(token, text) } else { Ok(text.to_string()) }
    }

    fn unsigned(&mut self) -> Parse<u64> {
        let token = self.expect(Kind::Number)?;
        parse_u64(self.text(token)).map_err(|message| self.error_at(token, message))
    }

    fn u32(&mut self) -> Parse<u32> {
        let token = self.tok;
        let value = self.unsigned()?;
        u32::try_from(value).map_err(|_| self.error_at(token, "a number above 2^32-1"))
    }

    fn type_(&mut self) -> Parse<Type> {
        let token = self.expect_word("a type (i32, i64, f32, f64, v128)")?;
        let text = self.text(token);
        Type::from_name(text).ok_or_else(|| {
            self.error_at(token, format!("`{}` is not a type (i32, i64, f32, f64)", shorten(text)))
        })
    }

    /// Elements with commas between them up to `close`; the opening bracket was taken.
    fn list<T>(
        &mut self,
        close: Kind,
        mut element: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<Vec<T>> {
        let mut list = Vec::new();
        if self.eat(close) {
            return Ok(list);
        }
        loop {
            list.push(element(self)?);
            if self.eat(close) {
                return Ok(list);
            }
            if !self.eat(Kind::Comma) {
                return Err(self.expected(&format!("`,` or {}", close.describe())));
            }
        }
    }

    /// `-> type`, `-> (types)` or nothing.
    fn results(&mut self) -> Parse<Vec<Type>> {
        if !self.eat(Kind::Arrow) {
            return Ok(Vec::new());
        }
        if self.eat(Kind::LParen) {
            self.list(Kind::RParen, Self::type_)
        } else {
            Ok(vec![self.type_()?])
        }
    }

    fn intern_sig(&mut self, sig: Signature) -> SigId {
        let sigs = &mut self.module.sigs;
        *self.names.sigs.entry(sig).or_insert_with_key(|sig| sigs.push(sig.clone()))
    }

    /// Looks up the function that a token names.
    fn func(&mut self, token: Token) -> Parse<FuncId> {
        let name = self.name_of(token)?;
        let found = self.names.funcs.get(&name).copied();
        found.ok_or_else(|| {
            self.error_at(token, format!("there is no function %{}", shorten(&name)))
        })
    }

    fn memory(&mut self, token: Token) -> Parse<MemId> {
        let name = self.name_of(token)?;
        let found = self.names.memories.get(&name).copied();
        found.ok_or_else(|| self.error_at(token, format!("there is no memory ${}", shorten(&name))))
    }

    fn global(&mut self, token: Token) -> Parse<GlobalId> {
        let name = self.name_of(token)?;
        let found = self.names.globals.get(&name).copied();
        found.ok_or_else(|| self.error_at(token, format!("there is no global ${}", shorten(&name))))
    }

    fn table(&mut self, token: Token) -> Parse<TableId> {
        let name = self.name_of(token)?;
        let found = self.names.tables.get(&name).copied();
        found.ok_or_else(|| self.error_at(token, format!("there is no table ${}", shorten(&name))))
    }
}
