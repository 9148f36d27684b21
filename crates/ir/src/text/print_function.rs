//! Writes functions. Also what the verifier would reject is written, so that it can be shown.

use super::literal::write_literal;
use super::print_module::{Names, put};
use crate::entities::{Block, FuncId, Inst, Reg, SigId};
use crate::function::{EntryKind, Form, FrameState, Function};
use crate::inst::{Imm, InstData, Target};
use crate::module::{EagerBodies, Module};
use crate::op::Format;
use rustc_hash::{FxHashMap, FxHashSet};

/// The text of one function. Frame states name the registers of other functions by number.
pub fn print_function(module: &Module, id: FuncId, func: &Function) -> String {
    let mut out = String::new();
    write_function(&mut out, module, &Names::of(module), None, id, func);
    out
}

/// Names of a function's registers.
struct RegNames(Vec<String>);

impl RegNames {
    fn of(func: &Function) -> RegNames {
        let prefix = reg_prefix(func.form);
        let given: FxHashSet<&str> = func.reg_names.iter().flatten().map(String::as_str).collect();
        let mut taken = FxHashSet::default();
        let names = func.regs.keys().map(|reg| {
            let i = reg.as_u32() as usize;
            let name = func.reg_names.get(i).cloned().flatten();
            match name {
                Some(name) if is_identifier(&name) && taken.insert(name.clone()) => name,
                _ => {
                    let mut fresh = format!("{prefix}{i}");
                    while given.contains(fresh.as_str()) || !taken.insert(fresh.clone()) {
                        fresh.push('_');
                    }
                    fresh
                }
            }
        });
        RegNames(names.collect())
    }

    fn get(&self, reg: Reg) -> &str {
        self.0.get(reg.as_u32() as usize).map_or("?", String::as_str)
    }

    fn list(&self, regs: &[Reg]) -> String {
        regs.iter().map(|&reg| self.get(reg)).collect::<Vec<_>>().join(", ")
    }
}

fn is_identifier(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_')
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// The letter before the number of a register without a name.
pub(super) fn reg_prefix(form: Form) -> &'static str {
    match form {
        Form::Register => "r",
        Form::Ssa => "v",
    }
}

struct Printer<'a> {
    out: &'a mut String,
    module: &'a Module,
    names: &'a Names,
    bodies: Option<&'a EagerBodies>,
    func: &'a Function,
    regs: RegNames,
    /// The feedback site that the parser gives to the next instruction with one.
    next_site: u32,
    /// How many sites the parser counts.
    sites: u32,
}

/// Appends the text of one function.
pub(super) fn write_function(
    out: &mut String,
    module: &Module,
    names: &Names,
    bodies: Option<&EagerBodies>,
    id: FuncId,
    func: &Function,
) {
    let regs = RegNames::of(func);
    let mut printer = Printer { out, module, names, bodies, func, regs, next_site: 0, sites: 0 };
    printer.header(id);
    printer.declarations();
    // A function's instructions are numbered in the order of the text. Where its own numbers are
    // others, they are given as comments, since frame states and backtraces speak of them.
    let mut number = 0;
    for block in func.block_order() {
        printer.label(block);
        for &inst in &func.blocks[block].insts {
            printer.out.push_str("  ");
            match func.insts.get(inst) {
                Some(data) => printer.inst(data),
                None => printer.out.push_str("; missing"),
            }
            if inst != Inst::from_u32(number) {
                put(printer.out, format_args!(" ; {inst}"));
            }
            number += 1;
            printer.out.push('\n');
        }
    }
    printer.out.push_str("}\n");
}

impl Printer<'_> {
    fn header(&mut self, id: FuncId) {
        let func = self.func;
        let ssa = if func.form == Form::Ssa { "ssa " } else { "" };
        put(self.out, format_args!("{ssa}func {}(", self.names.func(id)));
        let params: &[Reg] = match (func.form, &func.entry_kind) {
            (Form::Register, _) => {
                &func.regs.keys().take(func.sig.params.len()).collect::<Vec<_>>()
            }
            (Form::Ssa, EntryKind::Call) => {
                func.blocks.get(func.entry()).map_or(&[], |b| &b.params)
            }
            // The values at the loop are given behind; the signature has no names.
            (Form::Ssa, EntryKind::Osr { .. } | EntryKind::AnyLoop) => &[],
        };
        for (i, ty) in func.sig.params.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match params.get(i) {
                Some(&reg) => put(self.out, format_args!("{comma}{}: {ty}", self.regs.get(reg))),
                None => put(self.out, format_args!("{comma}{ty}")),
            }
        }
        let results =
            crate::Signature { params: Default::default(), results: func.sig.results.clone() };
        put(self.out, format_args!("{}", results.to_string().trim_start_matches('(')));
        if let EntryKind::Osr { header, regs } = &func.entry_kind {
            let params = func.blocks.get(func.entry()).map_or(&[][..], |b| &b.params);
            let foreign = self.foreign_regs(id);
            put(self.out, format_args!(" osr {header}("));
            for (i, (&reg, &value)) in regs.iter().zip(params).enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                let ty = self.type_name(value);
                let (reg, value) = (foreign_reg(&foreign, reg), self.regs.get(value));
                put(self.out, format_args!("{comma}{reg} = {value}: {ty}"));
            }
            self.out.push(')');
        }
        self.out.push_str(" {\n");
    }

    fn type_name(&self, reg: Reg) -> &'static str {
        self.func.regs.get(reg).map_or("?", |ty| ty.name())
    }

    /// Registers of the register form by name, where it is known.
    fn foreign_regs(&self, func: FuncId) -> Option<RegNames> {
        self.bodies.and_then(|bodies| bodies.get(func)).map(|body| RegNames::of(body))
    }

    /// What the parser would otherwise infer wrongly: order and types of registers, inlined calls,
    /// the number of sites.
    fn declarations(&mut self) {
        let func = self.func;
        if !self.order_is_natural() {
            let params = match func.form {
                Form::Register => func.sig.params.len(),
                Form::Ssa => 0,
            };
            for reg in func.regs.keys().skip(params) {
                put(
                    self.out,
                    format_args!("  reg {}: {}\n", self.regs.get(reg), self.type_name(reg)),
                );
            }
        }
        for (site, call) in func.inlined.iter() {
            let (line, column) = call.call_loc.to_line_column();
            let callee = self.names.func(call.callee);
            put(self.out, format_args!("  inline {site} = {callee} at {line}:{column}"));
            if let Some(parent) = call.parent {
                put(self.out, format_args!(" in {parent}"));
            }
            self.out.push('\n');
        }
        let mut next = 0;
        for block in func.block_order() {
            for inst in func.blocks[block].insts.iter().filter_map(|&inst| func.insts.get(inst)) {
                if let Imm::Indirect(_, _, site) | Imm::Dialect(_, site) = inst.imm {
                    next = next.max(site.as_u32() + 1);
                }
            }
        }
        self.sites = next;
        if func.num_sites != self.sites {
            put(self.out, format_args!("  sites {}\n", func.num_sites));
        }
    }

    /// Whether the parser numbers the registers as they are, in the order of definition, with their
    /// types inferred.
    fn order_is_natural(&self) -> bool {
        let func = self.func;
        let mut next = match func.form {
            Form::Register => func.sig.params.len() as u32,
            Form::Ssa => 0,
        };
        let mut seen = vec![false; func.regs.len()];
        let mut define = |reg: Reg| {
            let i = reg.as_u32();
            match seen.get_mut(i as usize) {
                Some(seen) if *seen || i < next => true,
                Some(seen) if i == next => {
                    *seen = true;
                    next += 1;
                    true
                }
                _ => false,
            }
        };
        for block in func.block_order() {
            if !func.blocks[block].params.iter().all(|&param| define(param)) {
                return false;
            }
            for inst in func.blocks[block].insts.iter().filter_map(|&inst| func.insts.get(inst)) {
                if !inst.results.iter().all(|&result| define(result)) {
                    return false;
                }
            }
        }
        next as usize == func.regs.len() && self.types_are_inferred()
    }

    /// Whether every register's first definition alone gives its type. Of copies and selections
    /// this is not known where the operand's first definition comes later.
    fn types_are_inferred(&self) -> bool {
        let func = self.func;
        let mut types: FxHashMap<Reg, crate::Type> = FxHashMap::default();
        if func.form == Form::Register {
            types.extend(func.regs.iter().take(func.sig.params.len()).map(|(reg, &ty)| (reg, ty)));
        }
        for block in func.block_order() {
            for &param in &func.blocks[block].params {
                types.insert(param, func.regs[param]);
            }
            for inst in func.blocks[block].insts.iter().filter_map(|&inst| func.insts.get(inst)) {
                for (i, &result) in inst.results.iter().enumerate() {
                    let inferred = match crate::verify::result_types(self.module, inst) {
                        crate::verify::ResultTypes::Known(types) => types.get(i).copied(),
                        crate::verify::ResultTypes::SameAs(source) => {
                            source.and_then(|source| types.get(&source).copied())
                        }
                    };
                    match inferred.or_else(|| types.get(&result).copied()) {
                        Some(ty) if types.contains_key(&result) || ty == func.regs[result] => {
                            types.entry(result).or_insert(ty);
                        }
                        _ => return false,
                    }
                }
            }
        }
        true
    }

    fn label(&mut self, block: Block) {
        put(self.out, format_args!("{block}"));
        let data = &self.func.blocks[block];
        let is_entry = block == self.func.entry();
        if !data.params.is_empty() && !is_entry {
            self.out.push('(');
            for (i, &param) in data.params.iter().enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                let ty = self.type_name(param);
                put(self.out, format_args!("{comma}{}: {ty}", self.regs.get(param)));
            }
            self.out.push(')');
        }
        if let Some(count) = data.count {
            put(self.out, format_args!(" [count={count}]"));
        }
        self.out.push_str(":\n");
    }

    fn inst(&mut self, inst: &InstData) {
        if !inst.results.is_empty() {
            put(self.out, format_args!("{} = ", self.regs.list(&inst.results)));
        }
        self.out.push_str(inst.op.name());
        let args = self.regs.list(&inst.args);
        match (inst.op.format(), inst.imm) {
            (Format::Const, imm) => {
                self.out.push(' ');
                if let (Some(ty), Some(bits)) = (inst.op.const_type(), imm.constant_bits()) {
                    write_literal(self.out, ty, bits);
                }
            }
            (_, Imm::Lane(lane)) => put(self.out, format_args!(" {args}, lane={lane}")),
            (_, Imm::Shuffle(lanes)) => put(self.out, format_args!(" {args}, {lanes:?}")),
            (_, Imm::Mem(mem) | Imm::MemLane(mem, _)) => {
                self.out.push(' ');
                if !inst.op.is_raw() && self.module.memories.len() != 1 {
                    put(self.out, format_args!("{}, ", self.names.memory(mem.memory)));
                }
                self.out.push_str(&args);
                if mem.offset != 0 {
                    put(self.out, format_args!(", offset={}", mem.offset));
                }
                if let Imm::MemLane(_, lane) = inst.imm {
                    put(self.out, format_args!(", lane={lane}"));
                }
            }
            (_, Imm::Memory(memory)) => {
                let comma = if inst.args.is_empty() { "" } else { ", " };
                put(self.out, format_args!(" {}{comma}{args}", self.names.memory(memory)));
            }
            (_, Imm::Global(global)) => {
                let comma = if inst.args.is_empty() { "" } else { ", " };
                put(self.out, format_args!(" {}{comma}{args}", self.names.global(global)));
            }
            (_, Imm::Table(table)) => {
                put(self.out, format_args!(" {}, {args}", self.names.table(table)));
            }
            (_, Imm::TableFunc(table, func)) => {
                let (table, func) = (self.names.table(table), self.names.func(func));
                put(self.out, format_args!(" {table}, {func}, {args}"));
            }
            (_, Imm::Func(func)) => {
                put(self.out, format_args!(" {}({args})", self.names.func(func)))
            }
            (_, Imm::Indirect(sig, table, site)) => {
                let (index, args) = self.last_and_others(inst);
                let table = self.names.table(table);
                put(self.out, format_args!(" {table}[{index}]({args})"));
                self.call_sig(sig);
                self.site(site.as_u32());
            }
            (_, Imm::Sig(sig)) => {
                let (reference, args) = self.last_and_others(inst);
                put(self.out, format_args!(" {reference}({args})"));
                self.call_sig(sig);
            }
            (_, Imm::Dialect(op, site)) => {
                let name = self.module.dialect_ops.get(op).map_or("?", |op| &op.name);
                put(self.out, format_args!(" {name}({args})"));
                self.site(site.as_u32());
            }
            (_, Imm::Trap(code)) => {
                let comma = if inst.args.is_empty() { "" } else { ", " };
                put(self.out, format_args!(" {args}{comma}{}", code.name()));
            }
            (format, Imm::FrameState(state)) => {
                let conditions = usize::from(format == Format::DeoptUnless).min(inst.args.len());
                let (condition, values) = inst.args.split_at(conditions);
                let comma = if condition.is_empty() { "" } else { ", " };
                put(self.out, format_args!(" {}{comma}", self.regs.list(condition)));
                match self.func.frame_states.get(state) {
                    Some(state) => self.frame_state(state, values),
                    None => self.out.push('?'),
                }
            }
            (Format::BrTable, _) => self.br_table(inst, &args),
            _ => {
                let targets = inst.targets.iter().map(|target| self.target(target));
                let operands = inst.args.iter().map(|&reg| self.regs.get(reg).to_string());
                let all: Vec<_> = operands.chain(targets).collect();
                if !all.is_empty() {
                    put(self.out, format_args!(" {}", all.join(", ")));
                }
            }
        }
        if let Some(site) = inst.inline_site {
            put(self.out, format_args!(" @{site}"));
        }
    }

    /// The last operand and the ones before it.
    fn last_and_others(&self, inst: &InstData) -> (String, String) {
        match inst.args.split_last() {
            Some((&last, others)) => (self.regs.get(last).to_owned(), self.regs.list(others)),
            None => ("?".to_owned(), String::new()),
        }
    }

    fn call_sig(&mut self, sig: SigId) {
        match self.module.sigs.get(sig) {
            Some(sig) => put(self.out, format_args!(" : {sig}")),
            None => self.out.push_str(" : ?"),
        }
    }

    /// A feedback site, unless the parser gives the same.
    fn site(&mut self, site: u32) {
        if site != self.next_site {
            put(self.out, format_args!(" site={site}"));
        }
        self.next_site = site + 1;
    }

    fn target(&self, target: &Target) -> String {
        match target.args.is_empty() {
            true => target.block.to_string(),
            false => format!("{}({})", target.block, self.regs.list(&target.args)),
        }
    }

    fn br_table(&mut self, inst: &InstData, args: &str) {
        let mut targets: Vec<_> = inst.targets.iter().map(|target| self.target(target)).collect();
        let default = targets.pop().unwrap_or_else(|| "?".to_string());
        put(self.out, format_args!(" {args}, [{}], {default}", targets.join(", ")));
    }

    fn frame_state(&mut self, state: &FrameState, values: &[Reg]) {
        put(self.out, format_args!("{} [", state.reason.name()));
        let mut values = values.iter();
        for (i, frame) in state.frames.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let foreign = self.foreign_regs(frame.func);
            let name = self.names.func(frame.func);
            put(self.out, format_args!("{comma}{name} {} {{", frame.resume));
            for (i, &reg) in frame.regs.iter().enumerate() {
                let comma = if i == 0 { "" } else { ", " };
                let value = values.next().map_or("?", |&value| self.regs.get(value));
                put(self.out, format_args!("{comma}{} = {value}", foreign_reg(&foreign, reg)));
            }
            self.out.push('}');
        }
        self.out.push(']');
    }
}

fn foreign_reg(names: &Option<RegNames>, reg: Reg) -> String {
    match names {
        Some(names) => names.get(reg).to_string(),
        None => format!("r{}", reg.as_u32()),
    }
}
