//! Second pass: declarations, labels and blocks of a function body.

use super::items::{OsrEntry, PendingBody};
use super::scope::{RegType, Scope, numbered};
use super::{Kind, Parse, Parser, Token};
use crate::entities::{Block, FuncId, InlineSite, Reg};
use crate::function::{BlockData, EntryKind, Form, Function, InlinedCall};
use crate::inst::SrcLoc;
use crate::text::literal::shorten;
use crate::text::print_function::reg_prefix;
use crate::text::source_map::FunctionSpans;
use crate::types::Type;
use smallvec::SmallVec;

/// A function while its body is read.
pub(super) struct Body<'s> {
    pub func: Function,
    pub scope: Scope<'s>,
    pub spans: FunctionSpans,
    current: Option<Block>,
    /// Parameters of the entry block (SSA form).
    entry_params: SmallVec<[Reg; 4]>,
    /// The feedback site that the next instruction with one gets.
    pub next_site: u32,
}

impl<'s> Parser<'s> {
    /// Reads a body. If it has errors, they were reported and the function is of no use.
    pub(super) fn body(&mut self, pending: PendingBody<'s>) -> (Function, FunctionSpans) {
        self.seek(pending.start.0, pending.start.1);
        let errors_before = self.errors.len();
        let form = pending.form();
        let mut body = Body {
            func: Function::new(form, pending.sig),
            scope: Scope::default(),
            spans: FunctionSpans { header: pending.header, ..FunctionSpans::default() },
            current: None,
            entry_params: SmallVec::new(),
            next_site: 0,
        };
        let params = std::mem::take(&mut body.func.sig.params);
        if let Some(osr) = pending.osr {
            // What is wrong was reported.
            let _ = self.osr_params(&mut body, pending.func, osr);
        } else {
            for (i, (name, &ty)) in pending.params.into_iter().zip(&params).enumerate() {
                let _ = self.param(&mut body, i, name, ty);
            }
        }
        body.func.sig.params = params;
        while !self.is(Kind::Eof) && !self.gave_up() {
            let start = self.tok.start;
            if self.line(&mut body).is_err() {
                self.skip_line(start);
            }
        }
        // Names that a wrong line would have defined are not missing.
        let sound = self.errors.len() == errors_before;
        if sound && self.renumber(&mut body.scope, &mut body.func).is_ok() && form == Form::Register
        {
            self.labels.insert(pending.func, body.scope.labels());
        }
        (body.func, body.spans)
    }

    /// Goes on with the next line; `start` is where the wrong one starts.
    fn skip_line(&mut self, start: u32) {
        if self.tok.start == start {
            self.bump();
        }
        while !self.tok.first && !self.is(Kind::Eof) {
            self.bump();
        }
    }

    fn param(
        &mut self,
        body: &mut Body<'s>,
        index: usize,
        name: Option<Token>,
        ty: Type,
    ) -> Parse<()> {
        let reg = match name {
            Some(token) => self.reg_name(body, token)?,
            None => body.scope.reg(format!("{}{index}", reg_prefix(body.func.form)), self.tok),
        };
        if body.scope.is_defined(reg) {
            return Err(
                self.error_at(name.unwrap_or(self.tok), "two parameters have the same name")
            );
        }
        body.scope.define_reg(reg, RegType::Known(ty));
        body.entry_params.push(reg);
        Ok(())
    }

    fn osr_params(&mut self, body: &mut Body<'s>, func: FuncId, osr: OsrEntry) -> Parse<()> {
        let mut regs = Vec::new();
        for (i, (reg, value, ty)) in osr.values.into_iter().enumerate() {
            regs.push(self.foreign_reg(func, reg)?);
            self.param(body, i, Some(value), ty)?;
        }
        let text = self.text(osr.header);
        let labels = self.labels.get(&func);
        let header = labels.and_then(|labels| labels.blocks.get(text)).copied();
        let header = header.or_else(|| numbered(text, "block").map(Block::from_u32));
        let Some(header) = header else {
            let message = format!("there is no block `{}` in the register form", shorten(text));
            return Err(self.error_at(osr.header, message));
        };
        body.func.entry_kind = EntryKind::Osr { header, regs };
        Ok(())
    }

    /// A register of another function's register form: by name if that form is in the text, else
    /// by number.
    pub(super) fn foreign_reg(&mut self, func: FuncId, token: Token) -> Parse<Reg> {
        let text = self.text(token);
        let named = self.labels.get(&func).and_then(|labels| labels.regs.get(text)).copied();
        named.or_else(|| numbered(text, "r").map(Reg::from_u32)).ok_or_else(|| {
            let message = format!("there is no register `{}` in the register form", shorten(text));
            self.error_at(token, message)
        })
    }

    /// The register that a token names.
    pub(super) fn reg_name(&mut self, body: &mut Body<'s>, token: Token) -> Parse<Reg> {
        let text = self.text(token);
        if text.contains('.') {
            let message = format!("`{}` is not the name of a register", shorten(text));
            return Err(self.error_at(token, message));
        }
        Ok(body.scope.reg(text, token))
    }

    pub(super) fn reg(&mut self, body: &mut Body<'s>) -> Parse<Reg> {
        let token = self.expect_word("a register")?;
        self.reg_name(body, token)
    }

    pub(super) fn block_name(&mut self, body: &mut Body<'s>) -> Parse<Block> {
        let token = self.expect_word("a block")?;
        let text = self.text(token);
        if text.contains('.') {
            return Err(self.error_at(token, format!("`{}` is not a label", shorten(text))));
        }
        Ok(body.scope.block(text, token))
    }

    fn line(&mut self, body: &mut Body<'s>) -> Parse<()> {
        if !self.is(Kind::Word) {
            return Err(self.expected_at_start("an instruction, a label or `}`"));
        }
        match (self.text(self.tok), self.second().kind) {
            (_, Kind::Colon | Kind::LParen | Kind::LBracket) => self.label(body),
            ("reg", Kind::Word) => self.declarations(body),
            ("sites", Kind::Number) => {
                self.bump();
                body.func.num_sites = self.small_u32()?;
                Ok(())
            }
            ("inline", Kind::Word) => self.inlined_call(body),
            _ => {
                let start = self.tok;
                let inst = self.inst(body)?.with_loc(self.loc(start));
                let Some(block) = body.current else {
                    return Err(self.error_at(start, "an instruction before the first label"));
                };
                let inst = body.func.insts.push(inst);
                body.func.blocks[block].insts.push(inst);
                body.spans.insts.push(start.start as usize..self.last_end as usize);
                Ok(())
            }
        }
    }

    /// Line and column of a token.
    fn loc(&self, token: Token) -> SrcLoc {
        const LONGEST: usize = 1023 * 4;
        let line_start = token.line_start as usize;
        let before = token.start as usize - line_start;
        // Columns above 1023 are all the same to `SrcLoc`.
        let column = match before {
            ..=LONGEST => self.src[line_start..token.start as usize].chars().count() as u32 + 1,
            _ => 1023,
        };
        SrcLoc::line_column(token.line, column)
    }

    /// `reg a: i32, b: f64`
    fn declarations(&mut self, body: &mut Body<'s>) -> Parse<()> {
        self.bump();
        loop {
            self.typed_reg(body)?;
            if !self.eat(Kind::Comma) {
                return Ok(());
            }
        }
    }

    /// `a: i32`
    fn typed_reg(&mut self, body: &mut Body<'s>) -> Parse<Reg> {
        let token = self.tok;
        let reg = self.reg(body)?;
        self.expect(Kind::Colon)?;
        let ty = self.type_()?;
        match body.scope.define_reg(reg, RegType::Known(ty)) {
            RegType::Known(before) if before != ty => {
                let text = shorten(self.text(token));
                Err(self.error_at(token, format!("`{text}` already has the type {before}")))
            }
            _ => Ok(reg),
        }
    }

    /// `block1(a: i32) [count=5]:`
    fn label(&mut self, body: &mut Body<'s>) -> Parse<()> {
        let token = self.tok;
        let label = self.block_name(body)?;
        let mut block = BlockData::default();
        let is_entry = body.func.blocks.is_empty();
        if self.eat(Kind::LParen) {
            let params = self.list(Kind::RParen, |p| p.typed_reg(body))?;
            if is_entry {
                let message = "the entry block's parameters are the function's and not repeated";
                return Err(self.error_at(token, message));
            }
            block.params = params.into_iter().collect();
        }
        if is_entry && body.func.form == Form::Ssa {
            block.params = body.entry_params.clone();
        }
        if self.eat(Kind::LBracket) {
            if !self.eat_word("count") {
                return Err(self.expected("`count`"));
            }
            self.expect(Kind::Equals)?;
            block.count = Some(self.unsigned()?);
            self.expect(Kind::RBracket)?;
        }
        let before = body.scope.define_block(label);
        if before {
            let text = shorten(self.text(token));
            return Err(self.error_at(token, format!("there are two blocks `{text}`")));
        }
        body.current = Some(body.func.blocks.push(block));
        body.spans.blocks.push(token.start as usize..token.end as usize);
        self.expect(Kind::Colon).map(drop)
    }

    /// `inline inl0 = %g at 3:14` and, for a call within an inlined one, `in inl1`.
    fn inlined_call(&mut self, body: &mut Body<'s>) -> Parse<()> {
        self.bump();
        let token = self.bump();
        if numbered(self.text(token), "inl") != Some(body.func.inlined.len() as u32) {
            let message = format!("expected `inl{}`", body.func.inlined.len());
            return Err(self.error_at(token, message));
        }
        self.expect(Kind::Equals)?;
        let callee = self.expect(Kind::Func)?;
        let callee = self.func(callee)?;
        if !self.eat_word("at") {
            return Err(self.expected("`at`"));
        }
        let line = self.u32()?;
        self.expect(Kind::Colon)?;
        let call_loc = SrcLoc::line_column(line, self.u32()?);
        let parent = if !self.tok.first && self.eat_word("in") {
            let token = self.expect_word("an inlined call (`inl0`)")?;
            Some(self.inline_site(body, token)?)
        } else {
            None
        };
        body.func.inlined.push(InlinedCall { parent, callee, call_loc });
        Ok(())
    }

    pub(super) fn inline_site(&mut self, body: &Body<'s>, token: Token) -> Parse<InlineSite> {
        let text = self.text(token);
        let number = numbered(text, "inl").filter(|&n| (n as usize) < body.func.inlined.len());
        number.map(InlineSite::from_u32).ok_or_else(|| {
            self.error_at(token, format!("there is no inlined call `{}`", shorten(text)))
        })
    }
}
