//! Every operator of every type on values that hurt.

use hotsled_ir::{
    BinOp, CmpOp, Elem, Expr, ParamId, ParamKind, Stmt, Type, UnOp, Valid, Value, interp,
};

use super::build::{bin, local, module};
use super::generate::Dice;

pub const NUMBERS: [Type; 6] = [
    Type::F32,
    Type::F64,
    Type::I32,
    Type::U32,
    Type::I64,
    Type::U64,
];

/// The element type that holds a value type.
pub fn elem(ty: Type) -> Elem {
    match ty {
        Type::F32 => Elem::F32,
        Type::F64 => Elem::F64,
        Type::I32 => Elem::I32,
        Type::I64 => Elem::I64,
        Type::U64 => Elem::U64,
        Type::U32 | Type::Bool => Elem::U32,
    }
}

/// Bits of values at which operators go wrong.
pub fn hurtful(ty: Type) -> Vec<u64> {
    let floats = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        2.5,
        -2.5,
        0.5,
        3e9,
        -3e9,
        1e19,
        -1e19,
        2e19,
        1e-40,
        -3e-39,
        1e-310,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        3.4e38,
        8388609.0,
        255.6,
        0.1,
        1e300,
        -7.0,
    ];
    let close = [
        0.49999997f32,
        2147483500.0,
        16777217.0,
        f32::MIN_POSITIVE,
        f32::MAX,
    ];
    let ints = [
        0,
        1,
        2,
        3,
        5,
        7,
        31,
        33,
        63,
        255,
        65_537,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_fffe,
    ];
    match ty {
        Type::F32 => {
            let all = floats.iter().map(|v| *v as f32).chain(close);
            all.map(|v| u64::from(v.to_bits())).collect()
        }
        Type::F64 => {
            let all = floats.iter().copied().chain(close.map(f64::from));
            all.chain([0.49999999999999994, f64::MAX, 5e-324])
                .map(f64::to_bits)
                .collect()
        }
        Type::I64 | Type::U64 => {
            let wide = [
                1 << 63,
                i64::MAX as u64,
                u64::MAX,
                u64::MAX - 6,
                1 << 53 | 1,
                0xffff_ffff,
            ];
            ints.into_iter().chain(wide).collect()
        }
        _ => ints.into_iter().chain([0xffff_ffff, 0xffff_fff9]).collect(),
    }
}

/// The elements as little-endian bytes.
pub fn slice(elem: Elem, values: impl IntoIterator<Item = u64>) -> interp::Arg {
    let size = elem.size() as usize;
    let bytes = values
        .into_iter()
        .flat_map(|v| v.to_le_bytes().into_iter().take(size));
    interp::Arg::Slice(bytes.collect())
}

fn x() -> Box<Expr> {
    Box::new(Expr::Load(ParamId(0), local(0)))
}

fn y() -> Box<Expr> {
    Box::new(Expr::Load(ParamId(1), local(0)))
}

fn is_float(ty: Type) -> bool {
    matches!(ty, Type::F32 | Type::F64)
}

/// Every operator that a type has, on `x` and `y`.
fn expressions(ty: Type) -> Vec<Expr> {
    use BinOp::*;
    let mut all: Vec<Expr> = [Add, Sub, Mul, Min, Max]
        .map(|op| *bin(op, x(), y()))
        .into();
    if is_float(ty) {
        all.extend([Div, Rem, Hypot].map(|op| *bin(op, x(), y())));
        let unary = [
            UnOp::Sqrt,
            UnOp::Floor,
            UnOp::Ceil,
            UnOp::Trunc,
            UnOp::Round,
        ];
        all.extend(unary.map(|op| Expr::Unary(op, x())));
    }
    if ty == Type::F32 {
        // Of `f64` Vulkan devices may round twice; then they refuse it.
        all.push(Expr::MulAdd(x(), y(), x()));
        all.push(Expr::MulAdd(x(), x(), y()));
    }
    if !is_float(ty) {
        all.extend([And, Or, Xor].map(|op| *bin(op, x(), y())));
        let count = || Box::new(Expr::Cast(Type::U32, y()));
        all.extend([Shl, Shr].map(|op| *bin(op, x(), count())));
        let number = |v| Box::new(Expr::Cast(ty, Box::new(Expr::Const(Value::I32(v)))));
        let divisor = || bin(Or, bin(And, y(), number(-2)), number(2)); // neither 0 nor -1
        all.extend([Div, Rem].map(|op| *bin(op, x(), divisor())));
        let bits = [UnOp::Not, UnOp::LeadingZeros, UnOp::CountOnes];
        all.extend(bits.map(|op| Expr::Unary(op, x())));
    }
    if is_float(ty) || matches!(ty, Type::I32 | Type::I64) {
        all.extend([UnOp::Neg, UnOp::Abs].map(|op| Expr::Unary(op, x())));
    }
    let compare = [
        CmpOp::Eq,
        CmpOp::Ne,
        CmpOp::Lt,
        CmpOp::Le,
        CmpOp::Gt,
        CmpOp::Ge,
    ];
    let flag = |op| Expr::Cast(Type::U32, Box::new(Expr::Compare(op, x(), y())));
    all.extend(compare.map(flag));
    all.extend(NUMBERS.map(|to| Expr::Cast(to, x())));
    all
}

/// Type of an expression of [`expressions`].
fn type_of(e: &Expr, operands: Type) -> Type {
    match e {
        Expr::Cast(to, _) => *to,
        _ => operands,
    }
}

/// One module for each type and each score of operators, with its arguments, and the range to run.
pub fn modules() -> Vec<(Valid, Vec<interp::Arg>, u64)> {
    NUMBERS.into_iter().flat_map(of_type).collect()
}

/// Bits of a number of any size up to some 2^40.
fn usual(ty: Type, dice: &mut Dice) -> u64 {
    let bits = dice.bits();
    let exponent = dice.below(60);
    match ty {
        Type::F32 => bits & 0x807f_ffff | (107 + exponent) << 23,
        Type::F64 => bits & 0x800f_ffff_ffff_ffff | (1003 + exponent) << 52,
        _ => bits >> exponent,
    }
}

fn of_type(ty: Type) -> Vec<(Valid, Vec<interp::Arg>, u64)> {
    let mut values = hurtful(ty);
    let mut dice = Dice::new(ty as u64);
    values.extend((0..14).map(|_| usual(ty, &mut dice)));
    let n = values.len();
    let all = expressions(ty);
    let score = |exprs: &[Expr]| {
        let mut kinds = vec![ParamKind::Input(elem(ty)); 2];
        let mut args = vec![
            slice(elem(ty), (0..n * n).map(|i| values[i / n])),
            slice(elem(ty), (0..n * n).map(|i| values[i % n])),
        ];
        let mut body = Vec::new();
        for e in exprs {
            let out = elem(type_of(e, ty));
            body.push(Stmt::Store(ParamId(kinds.len() as u16), e.clone()));
            kinds.push(ParamKind::Own(out));
            args.push(slice(out, vec![0; n * n]));
        }
        (module(&kinds, &[], body), args, (n * n) as u64)
    };
    all.chunks(20).map(score).collect()
}
