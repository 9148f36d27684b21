//! Second pass: instructions.

use super::body::Body;
use super::scope::{RegType, numbered};
use super::{Kind, Parse, Parser, Token};
use crate::entities::{FrameStateId, Inst, MemId, Reg, SigId, SiteId};
use crate::function::{DeoptReason, FrameDescr, FrameState};
use crate::inst::{Imm, InstData, MemArg, Target};
use crate::op::{Format, Op, V128};
use crate::text::literal::shorten;
use crate::trap::TrapCode;
use crate::types::Signature;
use crate::verify::{ResultTypes, result_types};

impl<'s> Parser<'s> {
    /// One instruction, with temporary register and block numbers.
    pub(super) fn inst(&mut self, body: &mut Body<'s>) -> Parse<InstData> {
        let mut results: Vec<(Token, Reg)> = Vec::new();
        if matches!(self.second().kind, Kind::Equals | Kind::Comma) {
            loop {
                let token = self.tok;
                results.push((token, self.reg(body)?));
                if !self.eat(Kind::Comma) {
                    break;
                }
            }
            self.expect(Kind::Equals)?;
        }
        let token = self.expect_word("an opcode")?;
        let Some(op) = Op::from_name(self.text(token)) else {
            let message = format!("there is no opcode `{}`", shorten(self.text(token)));
            return Err(self.error_at(token, message));
        };
        let mut inst = InstData::new(op, &[], &[]);
        self.operands(body, &mut inst)?;
        if !self.tok.first && self.eat(Kind::At) {
            let token = self.expect_word("an inlined call (`inl0`)")?;
            inst.inline_site = Some(self.inline_site(body, token)?);
        }
        if !(self.tok.first || self.is(Kind::Eof)) {
            return Err(self.expected("the end of the line"));
        }
        let types = result_types(&self.module, &inst);
        for (i, (token, reg)) in results.into_iter().enumerate() {
            let ty = match &types {
                ResultTypes::Known(types) => types.get(i).copied().map(RegType::Known),
                ResultTypes::SameAs(source) if i == 0 => source.map(RegType::SameAs),
                ResultTypes::SameAs(_) => None,
            };
            match ty {
                Some(ty) => {
                    body.scope.define_reg(reg, ty);
                }
                None if body.scope.is_defined(reg) => {}
                None => {
                    let message = format!("`{op}` gives only {i} result(s)");
                    return Err(self.error_at(token, message));
                }
            }
            inst.results.push(reg);
        }
        Ok(inst)
    }

    fn operands(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<()> {
        match inst.op.format() {
            Format::Pure | Format::Copy | Format::Select => self.regs(body, inst),
            Format::Lane => {
                inst.args.push(self.reg(body)?);
                self.expect(Kind::Comma)?;
                if !self.is_attribute("lane") {
                    inst.args.push(self.reg(body)?);
                    self.expect(Kind::Comma)?;
                }
                inst.imm = Imm::Lane(self.lane()?);
                Ok(())
            }
            Format::Shuffle => self.shuffle(body, inst),
            Format::Load | Format::Store => {
                let mem = self.access(body, inst)?;
                inst.imm = Imm::Mem(mem);
                Ok(())
            }
            Format::LoadLane | Format::StoreLane => {
                let mem = self.access(body, inst)?;
                inst.imm = Imm::MemLane(mem, self.lane()?);
                Ok(())
            }
            Format::Const => {
                if let Some(ty) = inst.op.const_type() {
                    inst.imm = Imm::constant(ty, self.literal(ty)?);
                }
                Ok(())
            }
            Format::MemorySize | Format::MemoryBase | Format::MemoryLen => {
                inst.imm = Imm::Memory(self.memory_operand(false)?);
                Ok(())
            }
            Format::MemoryGrow => {
                inst.imm = Imm::Memory(self.memory_operand(true)?);
                self.regs(body, inst)
            }
            Format::GlobalGet => {
                let token = self.expect(Kind::Entity)?;
                inst.imm = Imm::Global(self.global(token)?);
                Ok(())
            }
            Format::GlobalSet => {
                let token = self.expect(Kind::Entity)?;
                inst.imm = Imm::Global(self.global(token)?);
                self.expect(Kind::Comma)?;
                self.regs(body, inst)
            }
            Format::Call => {
                let token = self.expect(Kind::Func)?;
                inst.imm = Imm::Func(self.func(token)?);
                self.call_args(body, inst)
            }
            Format::CallIndirect => self.call_indirect(body, inst),
            Format::TableGet => {
                let token = self.expect(Kind::Entity)?;
                inst.imm = Imm::Table(self.table(token)?);
                self.expect(Kind::Comma)?;
                self.regs(body, inst)
            }
            Format::TableHolds => {
                let token = self.expect(Kind::Entity)?;
                let table = self.table(token)?;
                self.expect(Kind::Comma)?;
                let token = self.expect(Kind::Func)?;
                inst.imm = Imm::TableFunc(table, self.func(token)?);
                self.expect(Kind::Comma)?;
                self.regs(body, inst)
            }
            Format::CallRef => {
                let reference = self.reg(body)?;
                self.call_args(body, inst)?;
                inst.args.push(reference);
                inst.imm = Imm::Sig(self.call_sig()?);
                Ok(())
            }
            Format::Dialect => self.dialect(body, inst),
            Format::DeoptTick | Format::FuelTick => Ok(()),
            Format::TrapIf => {
                inst.args.push(self.reg(body)?);
                self.expect(Kind::Comma)?;
                inst.imm = Imm::Trap(self.trap_code()?);
                Ok(())
            }
            Format::Trap => {
                inst.imm = Imm::Trap(self.trap_code()?);
                Ok(())
            }
            Format::DeoptUnless => {
                inst.args.push(self.reg(body)?);
                self.expect(Kind::Comma)?;
                inst.imm = Imm::FrameState(self.frame_state(body, inst)?);
                Ok(())
            }
            Format::Deopt => {
                inst.imm = Imm::FrameState(self.frame_state(body, inst)?);
                Ok(())
            }
            Format::Br => {
                inst.targets.push(self.target(body)?);
                Ok(())
            }
            Format::BrIf => {
                inst.args.push(self.reg(body)?);
                for _ in 0..2 {
                    self.expect(Kind::Comma)?;
                    inst.targets.push(self.target(body)?);
                }
                Ok(())
            }
            Format::BrTable => {
                inst.args.push(self.reg(body)?);
                self.expect(Kind::Comma)?;
                self.expect(Kind::LBracket)?;
                inst.targets = self.list(Kind::RBracket, |p| p.target(body))?;
                self.expect(Kind::Comma)?;
                inst.targets.push(self.target(body)?);
                Ok(())
            }
            Format::Return => {
                // Values stand on the same line.
                if self.is(Kind::Word) && !self.tok.first {
                    self.regs(body, inst)?;
                }
                Ok(())
            }
        }
    }

    /// One or more registers.
    fn regs(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<()> {
        loop {
            if self.tok.first {
                return Err(self.expected("a register"));
            }
            inst.args.push(self.reg(body)?);
            if !self.eat(Kind::Comma) {
                return Ok(());
            }
        }
    }

    /// `(a, b)`
    fn call_args(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<()> {
        self.expect(Kind::LParen)?;
        inst.args.extend(self.list(Kind::RParen, |p| p.reg(body))?);
        Ok(())
    }

    /// `$m`, which may be left out if the module has exactly one memory; and a comma, if operands
    /// follow.
    fn memory_operand(&mut self, comma: bool) -> Parse<MemId> {
        if self.is(Kind::Entity) {
            let token = self.bump();
            let memory = self.memory(token)?;
            if comma {
                self.expect(Kind::Comma)?;
            }
            return Ok(memory);
        }
        match self.module.memories.len() {
            1 => Ok(MemId::from_u32(0)),
            0 => Err(self.error_at(self.tok, "the module has no memory")),
            _ => Err(self.expected("a memory (`$name`), since the module has several")),
        }
    }

    /// Whether `name=` comes next.
    fn is_attribute(&self, name: &str) -> bool {
        self.is_word(name) && self.second().kind == Kind::Equals
    }

    /// `$m, address, offset=16`, and a comma if the number of a lane has to follow.
    fn access(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<MemArg> {
        // A raw access has no memory; the number is not looked at.
        let memory = if inst.op.is_raw() { MemId::from_u32(0) } else { self.memory_operand(true)? };
        let mut offset = 0;
        loop {
            if self.is_attribute("offset") {
                self.bump();
                self.bump();
                offset = self.unsigned()?;
                if inst.op.lanes().is_some() {
                    self.expect(Kind::Comma)?;
                }
                break;
            }
            if inst.op.lanes().is_some() && self.is_attribute("lane") {
                break;
            }
            inst.args.push(self.reg(body)?);
            if !self.eat(Kind::Comma) {
                break;
            }
        }
        Ok(MemArg { memory, offset })
    }

    /// `lane=3`
    fn lane(&mut self) -> Parse<u8> {
        if !self.is_attribute("lane") {
            return Err(self.expected("the number of a lane (`lane=3`)"));
        }
        self.bump();
        self.bump();
        self.lane_number()
    }

    fn lane_number(&mut self) -> Parse<u8> {
        let token = self.tok;
        let number = self.unsigned()?;
        u8::try_from(number).map_err(|_| self.error_at(token, "the number of a lane above 255"))
    }

    /// `a, b, [0, 16, 1, 17, …]`
    fn shuffle(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<()> {
        for _ in 0..2 {
            inst.args.push(self.reg(body)?);
            self.expect(Kind::Comma)?;
        }
        let token = self.expect(Kind::LBracket)?;
        let lanes = self.list(Kind::RBracket, Self::lane_number)?;
        let lanes = V128::try_from(lanes)
            .map_err(|lanes| self.error_at(token, format!("16 lanes, not {}", lanes.len())))?;
        inst.imm = Imm::Shuffle(lanes);
        Ok(())
    }

    /// `$t[index](a, b) : (i32, i32) -> i32`
    fn call_indirect(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<()> {
        let token = self.expect(Kind::Entity)?;
        let table = self.table(token)?;
        self.expect(Kind::LBracket)?;
        let index = self.reg(body)?;
        self.expect(Kind::RBracket)?;
        self.call_args(body, inst)?;
        inst.args.push(index);
        let sig = self.call_sig()?;
        inst.imm = Imm::Indirect(sig, table, self.site(body)?);
        Ok(())
    }

    /// `: (i32, i32) -> i32`
    fn call_sig(&mut self) -> Parse<SigId> {
        self.expect(Kind::Colon)?;
        self.expect(Kind::LParen)?;
        let params = self.list(Kind::RParen, Self::type_)?;
        let sig = Signature::new(params, self.results()?);
        Ok(self.intern_sig(sig))
    }

    /// `calc.pow(a, b)`
    fn dialect(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<()> {
        let token = self.expect_word("an operation of a dialect")?;
        let name = self.text(token);
        let Some(&op) = self.names.dialect_ops.get(name) else {
            let message = format!("the operation `{}` is not declared", shorten(name));
            return Err(self.error_at(token, message));
        };
        self.call_args(body, inst)?;
        inst.imm = Imm::Dialect(op, self.site(body)?);
        Ok(())
    }

    /// The feedback site: `site=3`, or else the one behind the last.
    fn site(&mut self, body: &mut Body<'s>) -> Parse<SiteId> {
        let mut site = body.next_site;
        if !self.tok.first && self.is_word("site") && self.second().kind == Kind::Equals {
            self.bump();
            self.bump();
            site = self.small_u32()?;
        }
        body.next_site = site + 1;
        body.func.num_sites = body.func.num_sites.max(site + 1);
        Ok(SiteId::from_u32(site))
    }

    /// A number that something is allocated by, and which therefore has a bound.
    pub(super) fn small_u32(&mut self) -> Parse<u32> {
        let token = self.tok;
        let value = self.unsigned()?;
        match u32::try_from(value) {
            Ok(small) if small <= 1 << 24 => Ok(small),
            _ => Err(self.error_at(token, "this number is too large (above 2^24)")),
        }
    }

    fn trap_code(&mut self) -> Parse<TrapCode> {
        let token = self.expect_word("a trap code")?;
        let name = self.text(token);
        TrapCode::from_name(name).ok_or_else(|| {
            let known: Vec<_> = TrapCode::ALL.iter().map(|code| code.name()).collect();
            let note = Some(format!("the codes are {}", known.join(", ")));
            let span = token.start as usize..token.end as usize;
            self.error(span, format!("there is no trap code `{}`", shorten(name)), note)
        })
    }

    /// `block1` or `block1(a, b)`
    fn target(&mut self, body: &mut Body<'s>) -> Parse<Target> {
        let mut target = Target::new(self.block_name(body)?);
        if !self.tok.first && self.eat(Kind::LParen) {
            target.args.extend(self.list(Kind::RParen, |p| p.reg(body))?);
        }
        Ok(target)
    }

    /// `guard_failed [%f inst12 {r0 = v1, r3 = v2}]`; the values become operands.
    fn frame_state(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<FrameStateId> {
        let token = self.expect_word("a reason")?;
        let name = self.text(token);
        let Some(reason) = DeoptReason::ALL.into_iter().find(|reason| reason.name() == name) else {
            let known: Vec<_> = DeoptReason::ALL.iter().map(|reason| reason.name()).collect();
            let note = Some(format!("the reasons are {}", known.join(", ")));
            let span = token.start as usize..token.end as usize;
            let message = format!("`{}` is not a reason to deoptimize", shorten(name));
            return Err(self.error(span, message, note));
        };
        self.expect(Kind::LBracket)?;
        let frames = self.list(Kind::RBracket, |p| p.frame(body, inst))?;
        Ok(body.func.frame_states.push(FrameState { frames, reason }))
    }

    /// `%f inst12 {r0 = v1}`
    fn frame(&mut self, body: &mut Body<'s>, inst: &mut InstData) -> Parse<FrameDescr> {
        let token = self.expect(Kind::Func)?;
        let func = self.func(token)?;
        let token = self.expect_word("an instruction (`inst12`)")?;
        let text = self.text(token);
        let Some(resume) = numbered(text, "inst") else {
            let message = format!("`{}` is not an instruction's number", shorten(text));
            return Err(self.error_at(token, message));
        };
        self.expect(Kind::LBrace)?;
        let regs = self.list(Kind::RBrace, |p| {
            let token = p.expect_word("a register of the register form")?;
            let reg = p.foreign_reg(func, token)?;
            p.expect(Kind::Equals)?;
            inst.args.push(p.reg(body)?);
            Ok(reg)
        })?;
        Ok(FrameDescr { func, resume: Inst::from_u32(resume), regs })
    }
}
