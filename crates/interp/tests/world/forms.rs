//! Functions that make T0 use each form of a pure operation.

use cupola_ir::*;

/// The operands that a form gives an operation: all by parameters, or the last as constant.
#[derive(Copy, Clone, Debug)]
pub struct Form {
    pub op: Op,
    pub last: Option<u64>,
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
            args.push(b.constant(ty, bits));
        }
        args
    }

    fn sig(self, extra: &[Type], result: Type) -> Signature {
        Signature::new(self.params().iter().chain(extra).copied(), [result])
    }

    /// The operation, and nothing else.
    pub fn plain(self, module: &Module) -> Function {
        let mut b = FunctionBuilder::new(module, self.sig(&[], self.types().1));
        let args = self.args(&mut b);
        let result = b.ins(self.op, &args);
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
        let result = b.ins(self.op, &args);
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

/// Slots worth trying for a type.
pub fn interesting(ty: Type) -> Vec<u64> {
    match ty {
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

/// The slot, with all NaNs made equal.
pub fn canonical(ty: Type, bits: u64) -> u64 {
    match ty {
        Type::F32 if f32::from_bits(bits as u32).is_nan() => u64::from(f32::NAN.to_bits()),
        Type::F64 if f64::from_bits(bits).is_nan() => f64::NAN.to_bits(),
        _ => bits,
    }
}

/// All lists of one value for each type.
pub fn combinations(types: &[Type]) -> Vec<Vec<u64>> {
    types.iter().fold(vec![Vec::new()], |lists, &ty| {
        let values = interesting(ty);
        let extend = |list: &Vec<u64>| {
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
