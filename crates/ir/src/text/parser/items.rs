//! First pass: the items of a module.

use super::{Failed, Kind, Lexer, Parse, Parser, Token};
use crate::entities::{FuncId, TableId};
use crate::function::Form;
use crate::module::{
    DataSegment, DialectOpDecl, FuncDecl, FuncKind, GlobalDecl, ImportName, MemoryDecl, RefType,
    TableDecl,
};
use crate::op::Effects;
use crate::text::literal::{parse_literal, shorten};
use crate::types::{Signature, Type};
use crate::verify::Place;
use std::ops::Range;

/// How compiled code that the text describes is entered at a loop.
pub(super) struct OsrEntry {
    /// The loop header's label in the register form.
    pub header: Token,
    /// Register of the register form, value and its type.
    pub values: Vec<(Token, Token, Type)>,
}

/// A function body that the second pass reads.
pub(super) struct PendingBody<'s> {
    pub func: FuncId,
    pub sig: Signature,
    /// Names of the parameters, where given.
    pub params: Vec<Option<Token>>,
    /// SSA form only.
    pub osr: Option<OsrEntry>,
    pub ssa: bool,
    /// The first token of the body, and the lexer behind it; it ends where the body does.
    pub start: (Lexer<'s>, Token),
    pub header: Range<usize>,
}

impl PendingBody<'_> {
    pub(super) fn is_ssa(&self) -> bool {
        self.ssa
    }

    pub(super) fn form(&self) -> Form {
        if self.ssa { Form::Ssa } else { Form::Register }
    }
}

/// References to items that may stand further down.
#[derive(Default)]
struct Forward {
    elements: Vec<(TableId, Vec<Option<Token>>)>,
    data: Vec<(Token, u64, Vec<u8>)>,
    exports: Vec<(Token, String, Token)>,
}

/// What a function's parameter list has to give.
type Param = (Option<Token>, Type);

impl<'s> Parser<'s> {
    /// Reads all items; gives the bodies to be read.
    pub(super) fn items(&mut self) -> Vec<PendingBody<'s>> {
        let mut bodies = Vec::new();
        let mut forward = Forward::default();
        while !self.is(Kind::Eof) && !self.gave_up() {
            if self.item(&mut bodies, &mut forward).is_err() {
                self.skip_to_item();
            }
        }
        self.resolve(forward);
        bodies
    }

    fn item(&mut self, bodies: &mut Vec<PendingBody<'s>>, forward: &mut Forward) -> Parse<()> {
        let start = self.tok;
        let word = if self.is(Kind::Word) { self.text(start) } else { "" };
        match word {
            "module" => {
                self.bump();
                self.module.name = self.string()?;
                Ok(())
            }
            "memory" => self.memory_item(false),
            "global" => self.global_item(false),
            "table" => self.table_item(forward, false),
            "data" => self.data_item(forward),
            "import" => {
                self.bump();
                match if self.is(Kind::Word) { self.text(self.tok) } else { "" } {
                    "memory" => self.memory_item(true),
                    "global" => self.global_item(true),
                    "table" => self.table_item(forward, true),
                    _ => self.import_item(),
                }
            }
            "dialect" => self.dialect_item(),
            "export" => {
                self.bump();
                if self.is(Kind::Str) {
                    let token = self.tok;
                    let name = self.string()?;
                    self.expect(Kind::Equals)?;
                    let func = self.expect(Kind::Func)?;
                    forward.exports.push((token, name, func));
                    return Ok(());
                }
                if !self.is_word("func") {
                    return Err(self.expected("`func` or a string"));
                }
                let (token, name) = self.func_item(start, bodies)?;
                forward.exports.push((token, name, token));
                Ok(())
            }
            "func" => self.func_item(start, bodies).map(drop),
            "ssa" => {
                self.bump();
                self.ssa_item(start, bodies)
            }
            _ => Err(self.expected_at_start(
                "an item (`func`, `import`, `memory`, `global`, `table`, `data`, `dialect`, `export`, `module`)",
            )),
        }
    }

    /// Goes on at the next line that starts like an item.
    fn skip_to_item(&mut self) {
        while !self.is(Kind::Eof) {
            if self.tok.first && self.starts_item() {
                return;
            }
            self.bump();
        }
    }

    /// Whether an item starts here, and not an instruction that looks similar. An operation of a
    /// dialect is told apart from a declaration only by its context, so it does not count.
    fn starts_item(&self) -> bool {
        if !self.is(Kind::Word) {
            return false;
        }
        let wanted: &[Kind] = match self.text(self.tok) {
            "func" => &[Kind::Func],
            "import" => &[Kind::Func, Kind::Word],
            "memory" | "global" | "table" | "data" => &[Kind::Entity],
            "module" => &[Kind::Str],
            "export" => &[Kind::Str, Kind::Word],
            "ssa" => &[Kind::Word],
            _ => return false,
        };
        let second = self.second();
        let is_word = second.kind == Kind::Word;
        let words = ["func", "memory", "global", "table"];
        wanted.contains(&second.kind) && (!is_word || words.contains(&self.text(second)))
    }

    fn already_defined(&mut self, token: Token) -> Failed {
        let name = shorten(self.text(token));
        self.error_at(token, format!("{name} is defined twice"))
    }

    /// `= "env" "name"` behind what is imported.
    fn import_name(&mut self, imported: bool) -> Parse<Option<ImportName>> {
        if !imported {
            return Ok(None);
        }
        self.expect(Kind::Equals)?;
        Ok(Some(ImportName { module: self.string()?, name: self.string()? }))
    }

    /// A number that may be left out.
    fn optional_number(&mut self) -> Parse<Option<u64>> {
        let there = self.is(Kind::Number) && !self.tok.first;
        there.then(|| self.unsigned()).transpose()
    }

    fn memory_item(&mut self, imported: bool) -> Parse<()> {
        self.bump();
        let token = self.expect(Kind::Entity)?;
        let name = self.name_of(token)?;
        let memory64 = self.eat_word("i64");
        let min_pages = self.unsigned()?;
        let max_pages = self.optional_number()?;
        let import = self.import_name(imported)?;
        let id = self.module.memories.push(MemoryDecl {
            name: Some(name.clone()),
            min_pages,
            max_pages,
            memory64,
            import,
        });
        self.place(Place::Memory(id), token);
        match self.names.memories.insert(name, id) {
            Some(_) => Err(self.already_defined(token)),
            None => Ok(()),
        }
    }

    fn global_item(&mut self, imported: bool) -> Parse<()> {
        self.bump();
        let token = self.expect(Kind::Entity)?;
        let name = self.name_of(token)?;
        let mutable = self.eat_word("mut");
        let ty = self.type_()?;
        let import = self.import_name(imported)?;
        let init = if imported {
            0
        } else {
            self.expect(Kind::Equals)?;
            self.literal(ty)?
        };
        let decl = GlobalDecl { name: Some(name.clone()), ty, mutable, init, import };
        let id = self.module.globals.push(decl);
        self.place(Place::Global(id), token);
        match self.names.globals.insert(name, id) {
            Some(_) => Err(self.already_defined(token)),
            None => Ok(()),
        }
    }

    /// The bits of a literal.
    pub(super) fn literal(&mut self, ty: Type) -> Parse<u128> {
        if !self.is(Kind::Number) && !["inf", "nan", "null"].iter().any(|word| self.is_word(word)) {
            return Err(self.expected(&format!("an {ty} literal")));
        }
        let token = self.bump();
        parse_literal(self.text(token), ty).map_err(|message| self.error_at(token, message))
    }

    /// Behind the name, and `i64` if that is the type of indices: `= [%f, null]`, or the kind of references, unless functions, the least
    /// and, if there is one, the greatest number of slots, and then the elements, if there are any.
    fn table_item(&mut self, forward: &mut Forward, imported: bool) -> Parse<()> {
        self.bump();
        let token = self.expect(Kind::Entity)?;
        let name = self.name_of(token)?;
        let table64 = self.eat_word("i64");
        let element = if self.eat_word("extern") { RefType::Extern } else { RefType::Func };
        let limits = self.is(Kind::Number) || element == RefType::Extern || imported;
        let (min, max) = match limits {
            true => (Some(self.unsigned()?), self.optional_number()?),
            false => (None, None),
        };
        let import = self.import_name(imported)?;
        let has_elements = !imported && (min.is_none() || self.is(Kind::Equals));
        let elements = if has_elements { self.elements()? } else { Vec::new() };
        let id = self.module.tables.push(TableDecl {
            name: Some(name.clone()),
            element,
            min: min.unwrap_or(elements.len() as u64),
            max,
            table64,
            elements: Vec::new(),
            import,
        });
        forward.elements.push((id, elements));
        self.place(Place::Table(id), token);
        match self.names.tables.insert(name, id) {
            Some(_) => Err(self.already_defined(token)),
            None => Ok(()),
        }
    }

    /// `= [%f, null]`.
    fn elements(&mut self) -> Parse<Vec<Option<Token>>> {
        self.expect(Kind::Equals)?;
        self.expect(Kind::LBracket)?;
        self.list(Kind::RBracket, |p| {
            if p.is(Kind::Func) {
                Ok(Some(p.bump()))
            } else if p.eat_word("null") {
                Ok(None)
            } else {
                Err(p.expected("a function (`%name`) or `null`"))
            }
        })
    }

    fn data_item(&mut self, forward: &mut Forward) -> Parse<()> {
        self.bump();
        let memory = self.expect(Kind::Entity)?;
        let offset = self.unsigned()?;
        let token = self.expect(Kind::Str)?;
        let bytes = self.string_bytes(token, self.text(token))?;
        forward.data.push((memory, offset, bytes));
        Ok(())
    }

    fn import_item(&mut self) -> Parse<()> {
        let token = self.expect(Kind::Func)?;
        let name = self.name_of(token)?;
        let (params, results) = self.signature()?;
        let sig = Signature::new(params.into_iter().map(|(_, ty)| ty), results);
        self.expect(Kind::Equals)?;
        let kind = FuncKind::Import { module: self.string()?, name: self.string()? };
        self.declare(token, name, &sig, kind).map(drop)
    }

    fn dialect_item(&mut self) -> Parse<()> {
        self.bump();
        let token = self.expect_word("the name of an operation")?;
        let name = self.text(token).to_string();
        let (params, results) = self.signature()?;
        let effects = if self.is(Kind::LBracket) && !self.tok.first {
            self.bump();
            let list = self.list(Kind::RBracket, Self::effect)?;
            list.into_iter().collect()
        } else {
            Effects::ANY
        };
        let decl = DialectOpDecl {
            name: name.clone(),
            params: params.into_iter().map(|(_, ty)| ty).collect(),
            results: results.into_iter().collect(),
            effects,
        };
        let id = self.module.dialect_ops.push(decl);
        self.place(Place::DialectOp(id), token);
        match self.names.dialect_ops.insert(name, id) {
            Some(_) => Err(self.already_defined(token)),
            None => Ok(()),
        }
    }

    fn effect(&mut self) -> Parse<Effects> {
        let token = self.expect_word("an effect")?;
        let name = self.text(token);
        let known = Effects::ANY.iter_names().find(|(flag, _)| flag.eq_ignore_ascii_case(name));
        match known {
            Some((flag, effect)) if flag.to_ascii_lowercase() == name => Ok(effect),
            _ => {
                let names: Vec<_> =
                    Effects::ANY.iter_names().map(|(flag, _)| flag.to_ascii_lowercase()).collect();
                let note = Some(format!("the effects are {}", names.join(", ")));
                let span = token.start as usize..token.end as usize;
                Err(self.error(span, format!("`{}` is not an effect", shorten(name)), note))
            }
        }
    }

    /// `(n: i32, f64) -> i32`: names are optional.
    fn signature(&mut self) -> Parse<(Vec<Param>, Vec<Type>)> {
        self.expect(Kind::LParen)?;
        let params = self.list(Kind::RParen, |p| {
            let named = p.is(Kind::Word) && p.second().kind == Kind::Colon;
            let name = named.then(|| p.bump());
            if named {
                p.bump();
            }
            Ok((name, p.type_()?))
        })?;
        Ok((params, self.results()?))
    }

    /// Adds a function to the module.
    fn declare(
        &mut self,
        token: Token,
        name: String,
        sig: &Signature,
        kind: FuncKind,
    ) -> Parse<FuncId> {
        let sig = self.intern_sig(sig.clone());
        let id = self.module.funcs.push(FuncDecl { name: Some(name.clone()), sig, kind });
        self.place(Place::Func(id), token);
        match self.names.funcs.insert(name, id) {
            Some(_) => Err(self.already_defined(token)),
            None => Ok(id),
        }
    }

    fn func_item(
        &mut self,
        start: Token,
        bodies: &mut Vec<PendingBody<'s>>,
    ) -> Parse<(Token, String)> {
        self.bump();
        let token = self.expect(Kind::Func)?;
        let name = self.name_of(token)?;
        let (params, results) = self.signature()?;
        let sig = Signature::new(params.iter().map(|&(_, ty)| ty), results);
        let header = start.start as usize..self.last_end as usize;
        let existing = self.names.funcs.get(&name).copied();
        let func = match existing {
            // Only its SSA form stood before.
            Some(func) if self.ssa_only.remove(&func) => {
                self.same_signature(token, func, &sig)?;
                func
            }
            _ => self.declare(token, name.clone(), &sig, FuncKind::Defined)?,
        };
        if self.is(Kind::LBrace) {
            let start = self.skip_body()?;
            let params = params.into_iter().map(|(name, _)| name).collect();
            bodies.push(PendingBody { func, sig, params, osr: None, ssa: false, start, header });
        }
        Ok((token, name))
    }

    fn same_signature(&mut self, token: Token, func: FuncId, sig: &Signature) -> Parse<()> {
        if self.module.func_sig(func) == sig {
            return Ok(());
        }
        let message =
            format!("the two forms of {} have different signatures", shorten(self.text(token)));
        Err(self.error_at(token, message))
    }

    fn ssa_item(&mut self, start: Token, bodies: &mut Vec<PendingBody<'s>>) -> Parse<()> {
        if !self.eat_word("func") {
            return Err(self.expected("`func`"));
        }
        let token = self.expect(Kind::Func)?;
        let name = self.name_of(token)?;
        let (params, results) = self.signature()?;
        let sig = Signature::new(params.iter().map(|&(_, ty)| ty), results);
        let osr = if self.eat_word("osr") { Some(self.osr_entry()?) } else { None };
        let header = start.start as usize..self.last_end as usize;
        let func = match self.names.funcs.get(&name).copied() {
            Some(func) => {
                self.same_signature(token, func, &sig)?;
                func
            }
            None => {
                let func = self.declare(token, name, &sig, FuncKind::Defined)?;
                self.ssa_only.insert(func);
                func
            }
        };
        if !self.is(Kind::LBrace) {
            return Err(self.expected(Kind::LBrace.describe()));
        }
        let start = self.skip_body()?;
        let params = params.into_iter().map(|(name, _)| name).collect();
        bodies.push(PendingBody { func, sig, params, osr, ssa: true, start, header });
        Ok(())
    }

    /// `block1(r0 = v0: i32)` behind `osr`.
    fn osr_entry(&mut self) -> Parse<OsrEntry> {
        let header = self.expect_word("the label of a loop header")?;
        self.expect(Kind::LParen)?;
        let values = self.list(Kind::RParen, |p| {
            let reg = p.expect_word("a register of the register form")?;
            p.expect(Kind::Equals)?;
            let value = p.expect_word("a value")?;
            p.expect(Kind::Colon)?;
            Ok((reg, value, p.type_()?))
        })?;
        Ok(OsrEntry { header, values })
    }

    /// Skips a body from its `{`; gives its start. If the `}` is missing, the body ends where the
    /// next item starts.
    fn skip_body(&mut self) -> Parse<(Lexer<'s>, Token)> {
        let open = self.bump();
        let (lexer, first) = (self.lexer, self.tok);
        let mut depth = 1;
        loop {
            match self.tok.kind {
                Kind::LBrace => depth += 1,
                Kind::RBrace => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                // The body's own lexer sees the end of text where the brace stands. Its first token
                // may be that brace.
                let end = self.bump().start;
                let lexer = lexer.until(end);
                let first =
                    if first.start == end { Token { kind: Kind::Eof, ..first } } else { first };
                return Ok((lexer, first));
            }
            if self.is(Kind::Eof) || (self.tok.first && self.starts_item()) {
                return Err(self.error_at(open, "this `{` is not closed"));
            }
            self.bump();
        }
    }

    /// Looks up what the items refer to.
    fn resolve(&mut self, forward: Forward) {
        for (table, elements) in forward.elements {
            let elements: Vec<_> = elements
                .into_iter()
                .map(|token| token.and_then(|token| self.func(token).ok()))
                .collect();
            self.module.tables[table].elements = elements;
        }
        for (token, offset, bytes) in forward.data {
            if let Ok(memory) = self.memory(token) {
                self.place(Place::Data(self.module.data.len()), token);
                self.module.data.push(DataSegment { memory, offset, bytes: bytes.into() });
            }
        }
        for (token, name, func) in forward.exports {
            let Ok(func) = self.func(func) else { continue };
            if self.module.exports.insert(name, func).is_some() {
                let text = shorten(self.text(token));
                self.error_at(token, format!("{text} is exported twice"));
            }
        }
    }
}
