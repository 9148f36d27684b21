//! Names of a function's registers and blocks while its body is read.
//!
//! A name may be used before the place that defines it, so instructions are first made with
//! temporary numbers, one for each name in the order of first appearance. What a name is defined
//! as gets its real number in the order of definition; at the end the instructions are renumbered.

use super::{Failed, Parse, Parser, Token};
use crate::entities::{Block, Reg};
use crate::function::Function;
use crate::text::literal::shorten;
use crate::text::print_function::reg_prefix;
use crate::types::Type;
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Names of a register-form function, for frame states that speak of it.
#[derive(Default)]
pub(super) struct Labels {
    pub regs: FxHashMap<String, Reg>,
    pub blocks: FxHashMap<String, Block>,
}

/// A name, where it first appears, and what it stands for once it is defined.
struct Name<'s> {
    text: Cow<'s, str>,
    token: Token,
    number: Option<u32>,
}

/// Names of one kind.
#[derive(Default)]
struct NameTable<'s> {
    temporaries: FxHashMap<Cow<'s, str>, u32>,
    names: Vec<Name<'s>>,
    defined: u32,
}

impl<'s> NameTable<'s> {
    fn temporary(&mut self, text: Cow<'s, str>, token: Token) -> u32 {
        let names = &mut self.names;
        *self.temporaries.entry(text).or_insert_with_key(|text| {
            names.push(Name { text: text.clone(), token, number: None });
            names.len() as u32 - 1
        })
    }

    /// Defines a name; gives its number and whether it was defined before.
    fn define(&mut self, temporary: u32) -> (u32, bool) {
        let name = &mut self.names[temporary as usize];
        match name.number {
            Some(number) => (number, true),
            None => {
                let number = self.defined;
                name.number = Some(number);
                self.defined += 1;
                (number, false)
            }
        }
    }

    fn number(&self, temporary: u32) -> Option<u32> {
        self.names[temporary as usize].number
    }
}

/// What is known of a register's type.
#[derive(Copy, Clone)]
pub(super) enum RegType {
    Known(Type),
    /// That of another register, by its temporary number.
    SameAs(Reg),
}

/// The names of one function.
#[derive(Default)]
pub(super) struct Scope<'s> {
    regs: NameTable<'s>,
    blocks: NameTable<'s>,
    types: Vec<RegType>,
}

impl<'s> Scope<'s> {
    /// The temporary register that a name stands for.
    pub(super) fn reg(&mut self, text: impl Into<Cow<'s, str>>, token: Token) -> Reg {
        Reg::from_u32(self.regs.temporary(text.into(), token))
    }

    /// The temporary block that a label stands for.
    pub(super) fn block(&mut self, text: &'s str, token: Token) -> Block {
        Block::from_u32(self.blocks.temporary(text.into(), token))
    }

    /// Defines a register, or does nothing if it is defined; gives its type.
    pub(super) fn define_reg(&mut self, temporary: Reg, ty: RegType) -> RegType {
        let (number, before) = self.regs.define(temporary.as_u32());
        if !before {
            self.types.push(ty);
        }
        self.types[number as usize]
    }

    /// Whether a register is defined.
    pub(super) fn is_defined(&self, temporary: Reg) -> bool {
        self.regs.number(temporary.as_u32()).is_some()
    }

    /// Defines a label; gives whether it was defined before.
    pub(super) fn define_block(&mut self, temporary: Block) -> bool {
        self.blocks.define(temporary.as_u32()).1
    }

    /// The types of all registers. `Err` has the registers (by number) whose types only depend on
    /// each other.
    fn resolve_types(&mut self) -> Result<Vec<Type>, Vec<u32>> {
        let mut stuck = Vec::new();
        for start in 0..self.types.len() {
            let mut path = Vec::new();
            let mut at = start as u32;
            let found = loop {
                match self.types[at as usize] {
                    RegType::Known(ty) => break Some(ty),
                    RegType::SameAs(source) => {
                        path.push(at);
                        // A chain longer than the registers is a cycle.
                        let next = self.regs.number(source.as_u32());
                        match next {
                            Some(next) if path.len() <= self.types.len() => at = next,
                            _ => break None,
                        }
                    }
                }
            };
            if found.is_none() {
                stuck.push(start as u32);
            }
            for reg in path {
                self.types[reg as usize] = RegType::Known(found.unwrap_or(Type::I32));
            }
        }
        if !stuck.is_empty() {
            return Err(stuck);
        }
        let known = self.types.iter().map(|ty| match ty {
            RegType::Known(ty) => *ty,
            RegType::SameAs(_) => unreachable!("every chain was resolved"),
        });
        Ok(known.collect())
    }

    /// The names, for frame states that speak of the function.
    pub(super) fn labels(&self) -> Labels {
        let named = |names: &NameTable<'_>| -> Vec<(String, u32)> {
            let known = names.names.iter().filter_map(|n| Some((n.text.to_string(), n.number?)));
            known.collect()
        };
        Labels {
            regs: named(&self.regs).into_iter().map(|(n, i)| (n, Reg::from_u32(i))).collect(),
            blocks: named(&self.blocks).into_iter().map(|(n, i)| (n, Block::from_u32(i))).collect(),
        }
    }
}

/// The number in a name like `r12`, if it has no leading zeros.
pub(super) fn numbered(text: &str, prefix: &str) -> Option<u32> {
    let digits = text.strip_prefix(prefix)?;
    let canonical = digits == "0" || (!digits.starts_with('0') && !digits.starts_with('+'));
    digits.parse().ok().filter(|&number| canonical && number != u32::MAX)
}

impl<'s> Parser<'s> {
    /// Replaces temporary numbers by real ones, and fills in types and names of registers.
    pub(super) fn renumber(&mut self, scope: &mut Scope<'s>, func: &mut Function) -> Parse<()> {
        let errors_before = self.errors.len();
        let undefined = |names: &NameTable<'s>| -> Vec<(Token, String)> {
            let names = names.names.iter().filter(|name| name.number.is_none());
            names.map(|name| (name.token, shorten(&name.text))).collect()
        };
        for (token, text) in undefined(&scope.regs) {
            self.error_at(token, format!("nothing ever assigns `{text}`"));
        }
        for (token, text) in undefined(&scope.blocks) {
            self.error_at(token, format!("there is no block `{text}`"));
        }
        if self.errors.len() > errors_before {
            return Err(Failed);
        }
        let types = match scope.resolve_types() {
            Ok(types) => types,
            Err(stuck) => {
                let names: FxHashMap<u32, &Name<'s>> =
                    scope.regs.names.iter().filter_map(|n| Some((n.number?, n))).collect();
                for reg in stuck {
                    let name = names[&reg];
                    let text = shorten(&name.text);
                    let span = name.token.start as usize..name.token.end as usize;
                    let message = format!("the type of `{text}` cannot be inferred");
                    let note =
                        format!("declare it at the start of the body, like `reg {text}: i64`");
                    self.error(span, message, Some(note));
                }
                return Err(Failed);
            }
        };
        func.regs = types.into_iter().collect();
        let mut names = vec![None; func.regs.len()];
        for name in &scope.regs.names {
            let number = name.number.expect("all names are defined");
            if numbered(&name.text, reg_prefix(func.form)) != Some(number) {
                names[number as usize] = Some(name.text.to_string());
            }
        }
        let named = names.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        names.truncate(named);
        func.reg_names = names;
        let reg = |temporary: &mut Reg| {
            let number = scope.regs.number(temporary.as_u32());
            *temporary = Reg::from_u32(number.expect("all names are defined"));
        };
        for inst in func.insts.values_mut() {
            inst.uses_mut().for_each(reg);
            inst.results.iter_mut().for_each(reg);
            for target in &mut inst.targets {
                let number = scope.blocks.number(target.block.as_u32());
                target.block = Block::from_u32(number.expect("all labels are defined"));
            }
        }
        for block in func.blocks.values_mut() {
            block.params.iter_mut().for_each(reg);
        }
        Ok(())
    }
}
