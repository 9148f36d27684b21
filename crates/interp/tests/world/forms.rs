//! Functions that make T0 use each form of a pure operation.

use cupola_ir::*;

/// The operands that a form gives an operation: all by parameters, or the last as constant.
#[derive(Copy, Clone, Debug)]
pub struct Form {
    pub op: Op,
    pub last: Option<u128>,
    pub imm: Imm,
}

/// Where the targets of a fused branch stand.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The first target is the next block: the branch is taken if the condition does not hold.
    ThenNext,
    /// The second target is the next block: the branch is taken if the condition holds.
    OtherwiseNext,
    /// The first target is a loop header.
    ThenBack,
    /// The second target is a loop header.
    OtherwiseBack,
}

pub const SHAPES: [Shape; 4] =
    [Shape::ThenNext, Shape::OtherwiseNext, Shape::ThenBack, Shape::OtherwiseBack];

impl Form {
    pub fn types(self) -> (&'static [Type], Type) {
        self.op.pure_signature().expect("pure")
    }

    /// Types of the operands given by parameters.
    fn params(self) -> &'static [Type] {
        let types = self.types().0;
        &types[..types.len() - usize::from(self.last.is_some())]
    }

    /// The operands, in the current block.
    fn args(self, b: &mut FunctionBuilder<'_>) -> Vec<Reg> {
        let mut args: Vec<Reg> = (0..self.params().len()).map(|i| b.param(i)).collect();
        if let Some(bits) = self.last {
            let ty = self.types().0[args.len()];
            args.push(b.bits(ty, bits));
        }
        args
    }

    fn emit(self, b: &mut FunctionBuilder<'_>, args: &[Reg]) -> Reg {
        let result = b.reg(self.types().1);
        b.push(InstData::new(self.op, args, &[result]).with_imm(self.imm));
        result
    }

    fn sig(self, extra: &[Type], result: Type) -> Signature {
        Signature::new(self.params().iter().chain(extra).copied(), [result])
    }

    /// The operation, and nothing else.
    pub fn plain(self, module: &Module) -> Function {
        let mut b = FunctionBuilder::new(module, self.sig(&[], self.types().1));
        let args = self.args(&mut b);
        let result = self.emit(&mut b, &args);
        b.return_(&[result]);
        b.finish()
    }

    /// The operation, run as often as the last parameter says.
    pub fn looped(self, module: &Module) -> Function {
        let mut b = FunctionBuilder::new(module, self.sig(&[Type::I32], self.types().1));
        let count = b.param(self.params().len());
        let i = b.reg(Type::I32);
        let (body, exit) = (b.block(), b.block());
        b.constant_to(i, 0);
        b.br(body);
        b.switch_to(body);
        let args = self.args(&mut b);
        let result = self.emit(&mut b, &args);
        let one = b.i32(1);
        b.ins_to(i, Op::I32Add, &[i, one]);
        let more = b.ins(Op::I32LtU, &[i, count]);
        b.br_if(more, body, exit);
        b.switch_to(exit);
        b.return_(&[result]);
        b.finish()
    }

    /// A branch on the operation's result, run up to as often as the last parameter says. Gives
    /// how often the condition held.
    pub fn branch(self, module: &Module, shape: Shape) -> Function {
        let mut b = FunctionBuilder::new(module, self.sig(&[Type::I32], Type::I32));
        let count = b.param(self.params().len());
        let (i, held) = (b.reg(Type::I32), b.reg(Type::I32));
        let [head, test, yes, no, exit] = [(); 5].map(|()| b.block());
        b.constant_to(i, 0);
        b.constant_to(held, 0);
        b.br(head);
        b.switch_to(head);
        let more = b.ins(Op::I32LtU, &[i, count]);
        b.br_if(more, test, exit);
        b.switch_to(test);
        let one = b.i32(1);
        b.ins_to(i, Op::I32Add, &[i, one]);
        match shape {
            Shape::ThenNext => {
                let args = self.args(&mut b);
                let cond = b.ins(self.op, &args);
                b.br_if(cond, yes, no);
                b.switch_to(yes);
                let one = b.i32(1);
                b.ins_to(held, Op::I32Add, &[held, one]);
                b.br(no);
                b.switch_to(no);
                b.br(head);
            }
            Shape::OtherwiseNext => {
                b.ins_to(held, Op::I32Add, &[held, one]);
                let args = self.args(&mut b);
                let cond = b.ins(self.op, &args);
                b.br_if(cond, yes, no);
                b.switch_to(no);
                let one = b.i32(1);
                b.ins_to(held, Op::I32Sub, &[held, one]);
                b.br(yes);
                b.switch_to(yes);
                b.br(head);
            }
            Shape::ThenBack => {
                b.ins_to(held, Op::I32Add, &[held, one]);
                let args = self.args(&mut b);
                let cond = b.ins(self.op, &args);
                b.br_if(cond, head, no);
                b.switch_to(no);
                let one = b.i32(1);
                b.ins_to(held, Op::I32Sub, &[held, one]);
                b.br(exit);
            }
            Shape::OtherwiseBack => {
                let args = self.args(&mut b);
                let cond = b.ins(self.op, &args);
                b.br_if(cond, yes, head);
                b.switch_to(yes);
                let one = b.i32(1);
                b.ins_to(held, Op::I32Add, &[held, one]);
                b.br(exit);
            }
        }
        if matches!(shape, Shape::ThenBack | Shape::OtherwiseBack) {
            let unused = if shape == Shape::ThenBack { yes } else { no };
            b.switch_to(unused);
            b.trap(TrapCode::Unreachable);
        }
        b.switch_to(exit);
        b.return_(&[held]);
        b.finish()
    }

    /// What [`Form::branch`] gives for a condition.
    pub fn held(shape: Shape, cond: bool, count: u32) -> u32 {
        match shape {
            Shape::ThenNext | Shape::OtherwiseNext | Shape::ThenBack if cond => count,
            Shape::OtherwiseBack if cond => 1,
            _ => 0,
        }
    }
}

/// The immediates to try an operation with.
pub fn immediates(op: Op) -> Vec<Imm> {
    match (op.format(), op.lanes()) {
        (Format::Lane, Some(lanes)) => (0..lanes).map(Imm::Lane).collect(),
        (Format::Shuffle, _) => {
            let mixed = [0, 16, 1, 17, 31, 15, 8, 7, 30, 2, 2, 2, 20, 21, 22, 23];
            vec![Imm::Shuffle(std::array::from_fn(|i| i as u8)), Imm::Shuffle(mixed)]
        }
        _ => vec![Imm::None],
    }
}

/// Values worth trying for a type.
pub fn interesting(ty: Type) -> Vec<u128> {
    if ty == Type::V128 {
        let floats = |a: f32, b: f32| {
            u128::from(a.to_bits()) << 64 | u128::from(b.to_bits()) << 32 | 0x8000_0000
        };
        return vec![
            0,
            u128::MAX,
            0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100,
            0x8000_7fff_0080_007f_ff80_fe81_0001_00ff,
            floats(1.5, -2.5),
            floats(f32::NAN, 3e9),
            u128::from((-2.5f64).to_bits()) << 64 | u128::from(4_294_967_295.5f64.to_bits()),
            u128::from(f64::NAN.to_bits()) << 64 | u128::from((-0.0f64).to_bits()),
        ];
    }
    slots(ty).into_iter().map(u128::from).collect()
}

fn slots(ty: Type) -> Vec<u64> {
    match ty {
        Type::V128 => vec![],
        Type::FuncRef | Type::ExternRef => vec![0],
        Type::I32 => {
            [0, 1, 2, 7, 31, 32, 33, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff].to_vec()
        }
        Type::I64 => vec![
            0,
            1,
            5,
            63,
            64,
            0x7fff_ffff,
            0xffff_ffff,
            0x1_0000_0000,
            i64::MAX as u64,
            i64::MIN as u64,
            u64::MAX - 1,
            u64::MAX,
        ],
        Type::F32 => [
            0.0f32,
            -0.0,
            1.0,
            -1.5,
            0.5,
            2.5,
            1e-40,
            -2147483648.0,
            2147483648.0,
            4294967296.0,
            1.8446744e19,
            f32::MAX,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ]
        .map(|f| u64::from(f.to_bits()))
        .to_vec(),
        Type::F64 => [
            0.0f64,
            -0.0,
            1.0,
            -1.5,
            0.5,
            2.5,
            1e-310,
            -2147483649.0,
            2147483647.5,
            4294967295.5,
            -9223372036854775808.0,
            9223372036854775808.0,
            18446744073709551616.0,
            f64::MAX,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ]
        .map(f64::to_bits)
        .to_vec(),
    }
}

/// The result of an operation, with all NaNs made equal.
pub fn canonical(op: Op, bits: u128) -> u128 {
    let narrow = |bits: u32| {
        if f32::from_bits(bits).is_nan() { f32::NAN.to_bits() } else { bits }
    };
    let wide = |bits: u64| if f64::from_bits(bits).is_nan() { f64::NAN.to_bits() } else { bits };
    match op.pure_signature().map(|(_, result)| result) {
        Some(Type::F32) => narrow(bits as u32).into(),
        Some(Type::F64) => wide(bits as u64).into(),
        Some(Type::V128) if op.name().starts_with("f32x4") => {
            (0..4).map(|i| u128::from(narrow((bits >> (32 * i)) as u32)) << (32 * i)).sum()
        }
        Some(Type::V128) if op.name().starts_with("f64x2") => {
            (0..2).map(|i| u128::from(wide((bits >> (64 * i)) as u64)) << (64 * i)).sum()
        }
        _ => bits,
    }
}

/// The slots of values of these types.
pub fn to_slots(types: &[Type], values: &[u128]) -> Vec<u64> {
    let slots = |(&value, ty): (&u128, &Type)| {
        [value as u64, (value >> 64) as u64].into_iter().take(ty.slots() as usize)
    };
    values.iter().zip(types).flat_map(slots).collect()
}

/// The value in one slot or two.
pub fn from_slots(slots: &[u64]) -> u128 {
    slots.iter().rev().fold(0, |value, &slot| value << 64 | u128::from(slot))
}

/// All lists of one value for each type.
pub fn combinations(types: &[Type]) -> Vec<Vec<u128>> {
    types.iter().fold(vec![Vec::new()], |lists, &ty| {
        let values = interesting(ty);
        let extend = |list: &Vec<u128>| {
            let list = list.clone();
            values
                .iter()
                .map(move |&v| list.iter().copied().chain([v]).collect())
                .collect::<Vec<_>>()
        };
        lists.iter().flat_map(extend).collect()
    })
}

/// A module with one function `f` for each body.
pub fn module_of(bodies: impl IntoIterator<Item = Function>) -> Box<super::World> {
    let mut module = Module::default();
    let mut list = Vec::new();
    for (i, body) in bodies.into_iter().enumerate() {
        let sig = module.intern_sig(body.sig.clone());
        let name = Some(format!("f{i}"));
        module.funcs.push(FuncDecl { name, sig, kind: FuncKind::Defined });
        list.push(Some(std::sync::Arc::new(body)));
    }
    super::World::new(module, list)
}
