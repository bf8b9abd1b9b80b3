//! The reference semantics: slow, plain, and what every lowering is compared with.

use crate::math;
use crate::types::*;
use crate::validate::Valid;

/// An argument of a run, in parameter order. Slices are whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Arg {
    /// A scalar.
    Scalar(Value),
    /// Elements as little-endian bytes.
    Slice(Vec<u8>),
}

/// Where a Rust loop would panic, or the step budget ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("index {index}: {what:?}")]
pub struct Fault {
    /// The loop index.
    pub index: u64,
    /// What happened there.
    pub what: FaultKind,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// An index at or beyond a slice's length.
    Bounds,
    /// Division by zero, or `MIN / -1`.
    Division,
    /// [`Stmt::Fault`].
    Explicit,
    /// The step budget is used up.
    Budget,
}

/// Runs `base..end`, at most `budget` statements and expressions in all.
///
/// # Errors
/// The first [`Fault`]; elements stored before it stay stored.
///
/// # Panics
/// When `args` do not fit the parameters.
pub fn run(
    module: &Valid,
    args: &mut [Arg],
    base: u64,
    end: u64,
    budget: u64,
) -> Result<(), Fault> {
    assert_eq!(
        args.len(),
        module.params.len(),
        "one argument per parameter"
    );
    let locals = module.locals.iter().map(|l| zero(l.ty)).collect();
    let array = |a: &Array| vec![zero(a.ty); a.len as usize];
    let mut run = Run {
        module,
        args,
        locals,
        arrays: module.arrays.iter().map(array).collect(),
        index: base,
        budget,
    };
    run.block(&module.prelude)?;
    for index in base..end {
        run.index = index;
        run.locals[usize::from(module.index.0)] = Value::U64(index);
        run.block(&module.body)?;
    }
    Ok(())
}

/// How a statement ends.
#[derive(PartialEq)]
enum Flow {
    Next,
    Break,
    Continue,
}

struct Run<'a> {
    module: &'a Module,
    args: &'a mut [Arg],
    locals: Vec<Value>,
    arrays: Vec<Vec<Value>>,
    index: u64,
    budget: u64,
}

impl Run<'_> {
    fn fault<T>(&self, what: FaultKind) -> Result<T, Fault> {
        Err(Fault {
            index: self.index,
            what,
        })
    }

    fn step(&mut self) -> Result<(), Fault> {
        match self.budget.checked_sub(1) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => self.fault(FaultKind::Budget),
        }
    }

    fn block(&mut self, stmts: &[Stmt]) -> Result<Flow, Fault> {
        for stmt in stmts {
            match self.stmt(stmt)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<Flow, Fault> {
        self.step()?;
        match stmt {
            Stmt::Set(id, value) => {
                self.locals[usize::from(id.0)] = self.expr(value)?;
                Ok(Flow::Next)
            }
            Stmt::Store(param, value) => self.store(*param, value),
            Stmt::If(condition, yes, no) => {
                let taken = if self.truth(condition)? { yes } else { no };
                self.block(taken)
            }
            Stmt::For {
                var,
                start,
                end,
                body,
            } => self.counted(*var, start, end, body),
            Stmt::Loop(body) => loop {
                self.step()?;
                if self.block(body)? == Flow::Break {
                    return Ok(Flow::Next);
                }
            },
            Stmt::Break => Ok(Flow::Break),
            Stmt::Continue => Ok(Flow::Continue),
            Stmt::Fault => self.fault(FaultKind::Explicit),
            Stmt::Fill(array, value) => {
                let value = self.expr(value)?;
                self.arrays[usize::from(array.0)].fill(value);
                Ok(Flow::Next)
            }
            Stmt::Accumulate(param, index, value) => self.accumulate(*param, index, value),
            Stmt::SetElement(array, index, value) => {
                let index = self.expr(index)?.bits();
                let value = self.expr(value)?;
                *self.element(*array, index)? = value;
                Ok(Flow::Next)
            }
        }
    }

    fn counted(
        &mut self,
        var: LocalId,
        start: &Expr,
        end: &Expr,
        body: &[Stmt],
    ) -> Result<Flow, Fault> {
        let (mut at, end) = (self.expr(start)?, self.expr(end)?);
        while compare(CmpOp::Lt, at, end) {
            self.step()?;
            self.locals[usize::from(var.0)] = at;
            if self.block(body)? == Flow::Break {
                break;
            }
            at = successor(at);
        }
        Ok(Flow::Next)
    }

    fn elem(&self, param: ParamId) -> Elem {
        let kind = self.module.params[usize::from(param.0)].kind;
        kind.elem()
            .expect("the validator lets only slices be indexed")
    }

    fn slice(&mut self, param: ParamId) -> &mut Vec<u8> {
        match &mut self.args[usize::from(param.0)] {
            Arg::Slice(bytes) => bytes,
            Arg::Scalar(_) => panic!("parameter {} takes a slice", param.0),
        }
    }

    fn at(&mut self, param: ParamId, index: u64) -> Result<std::ops::Range<usize>, Fault> {
        let size = self.elem(param).size();
        if index >= self.slice(param).len() as u64 / size {
            return self.fault(FaultKind::Bounds);
        }
        Ok((index * size) as usize..((index + 1) * size) as usize)
    }

    fn load(&mut self, param: ParamId, index: u64) -> Result<Value, Fault> {
        let at = self.at(param, index)?;
        let mut bits = [0; 8];
        let bytes = &self.slice(param)[at];
        bits[..bytes.len()].copy_from_slice(bytes);
        Ok(from_storage(self.elem(param), u64::from_le_bytes(bits)))
    }

    fn store(&mut self, param: ParamId, value: &Expr) -> Result<Flow, Fault> {
        let value = self.expr(value)?;
        self.put(param, self.index, value)
    }

    fn put(&mut self, param: ParamId, index: u64, value: Value) -> Result<Flow, Fault> {
        let at = self.at(param, index)?;
        let bytes = value.bits().to_le_bytes();
        let len = at.len();
        self.slice(param)[at].copy_from_slice(&bytes[..len]);
        Ok(Flow::Next)
    }

    fn accumulate(&mut self, param: ParamId, index: &Expr, value: &Expr) -> Result<Flow, Fault> {
        let index = self.expr(index)?.bits();
        let value = self.expr(value)?;
        let ParamKind::Accumulator(_, op) = self.module.params[usize::from(param.0)].kind else {
            unreachable!("the validator lets only accumulators be accumulated to")
        };
        let old = self.load(param, index)?;
        let new = binary(op.binary(), old, value).expect("no operation of an accumulator faults");
        self.put(param, index, new)
    }

    fn element(&mut self, array: ArrayId, index: u64) -> Result<&mut Value, Fault> {
        let fault = Fault {
            index: self.index,
            what: FaultKind::Bounds,
        };
        let at = usize::try_from(index).map_err(|_| fault)?;
        self.arrays[usize::from(array.0)].get_mut(at).ok_or(fault)
    }

    fn truth(&mut self, e: &Expr) -> Result<bool, Fault> {
        Ok(self.expr(e)?.bits() != 0)
    }

    fn expr(&mut self, e: &Expr) -> Result<Value, Fault> {
        self.step()?;
        Ok(match e {
            Expr::Const(value) => *value,
            Expr::Local(id) => self.locals[usize::from(id.0)],
            Expr::Scalar(id) => match &self.args[usize::from(id.0)] {
                Arg::Scalar(value) => *value,
                Arg::Slice(_) => panic!("parameter {} takes a scalar", id.0),
            },
            Expr::Len(id) => Value::U64(self.slice(*id).len() as u64 / self.elem(*id).size()),
            Expr::Load(param, index) => {
                let index = self.expr(index)?.bits();
                self.load(*param, index)?
            }
            Expr::LoadOwn(param) => self.load(*param, self.index)?,
            Expr::Unary(op, a) => unary(*op, self.expr(a)?),
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.expr(a)?, self.expr(b)?);
                match binary(*op, a, b) {
                    Some(value) => value,
                    None => return self.fault(FaultKind::Division),
                }
            }
            Expr::Compare(op, a, b) => Value::Bool(compare(*op, self.expr(a)?, self.expr(b)?)),
            Expr::And(a, b) => Value::Bool(self.truth(a)? && self.truth(b)?),
            Expr::Or(a, b) => Value::Bool(self.truth(a)? || self.truth(b)?),
            Expr::If(condition, yes, no) => {
                let taken = if self.truth(condition)? { yes } else { no };
                self.expr(taken)?
            }
            Expr::Block(stmts, value) => {
                self.block(stmts)?;
                self.expr(value)?
            }
            Expr::Cast(to, a) => cast(*to, self.expr(a)?),
            Expr::Bits(to, a) => from_bits(*to, self.expr(a)?.bits()),
            Expr::MulAdd(a, b, c) => mul_add(self.expr(a)?, self.expr(b)?, self.expr(c)?),
            Expr::Element(array, index) => {
                let index = self.expr(index)?.bits();
                *self.element(*array, index)?
            }
            Expr::Call(..) => unreachable!("the validator refuses calls"),
        })
    }
}

fn zero(ty: Type) -> Value {
    from_bits(ty, 0)
}

fn from_storage(elem: Elem, bits: u64) -> Value {
    match elem {
        Elem::F32 => Value::F32(f32::from_bits(bits as u32)),
        Elem::F64 => Value::F64(f64::from_bits(bits)),
        Elem::I32 => Value::I32(bits as i32),
        Elem::U32 | Elem::U8 | Elem::U16 => Value::U32(bits as u32),
        Elem::I64 => Value::I64(bits as i64),
        Elem::U64 => Value::U64(bits),
        Elem::I8 => Value::I32(i32::from(bits as i8)),
        Elem::I16 => Value::I32(i32::from(bits as i16)),
    }
}

/// The value of these bits.
fn from_bits(ty: Type, bits: u64) -> Value {
    match ty {
        Type::Bool => Value::Bool(bits & 1 == 1),
        Type::I32 => Value::I32(bits as i32),
        Type::U32 => Value::U32(bits as u32),
        Type::I64 => Value::I64(bits as i64),
        Type::U64 => Value::U64(bits),
        Type::F32 => Value::F32(f32::from_bits(bits as u32)),
        Type::F64 => Value::F64(f64::from_bits(bits)),
    }
}

fn mul_add(a: Value, b: Value, c: Value) -> Value {
    match (a, b, c) {
        (Value::F32(a), Value::F32(b), Value::F32(c)) => Value::F32(a.mul_add(b, c)),
        (Value::F64(a), Value::F64(b), Value::F64(c)) => Value::F64(a.mul_add(b, c)),
        _ => unreachable!("the validator lets only equal floats meet"),
    }
}

fn successor(value: Value) -> Value {
    match value {
        Value::I32(v) => Value::I32(v.wrapping_add(1)),
        Value::U32(v) => Value::U32(v.wrapping_add(1)),
        Value::I64(v) => Value::I64(v.wrapping_add(1)),
        Value::U64(v) => Value::U64(v.wrapping_add(1)),
        other => other,
    }
}

fn compare(op: CmpOp, a: Value, b: Value) -> bool {
    fn by<T: PartialOrd>(op: CmpOp, a: T, b: T) -> bool {
        match op {
            CmpOp::Eq => a == b,
            CmpOp::Ne => a != b,
            CmpOp::Lt => a < b,
            CmpOp::Le => a <= b,
            CmpOp::Gt => a > b,
            CmpOp::Ge => a >= b,
        }
    }
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => by(op, a, b),
        (Value::I32(a), Value::I32(b)) => by(op, a, b),
        (Value::U32(a), Value::U32(b)) => by(op, a, b),
        (Value::I64(a), Value::I64(b)) => by(op, a, b),
        (Value::U64(a), Value::U64(b)) => by(op, a, b),
        (Value::F32(a), Value::F32(b)) => by(op, a, b),
        (Value::F64(a), Value::F64(b)) => by(op, a, b),
        _ => unreachable!("the validator lets only equal types meet"),
    }
}

/// One unary operation.
pub fn unary(op: UnOp, a: Value) -> Value {
    macro_rules! float {
        ($v:expr, $wrap:path) => {
            match op {
                UnOp::Neg => $wrap(-$v),
                UnOp::Abs => $wrap($v.abs()),
                UnOp::Sqrt => $wrap($v.sqrt()),
                UnOp::Floor => $wrap($v.floor()),
                UnOp::Ceil => $wrap($v.ceil()),
                UnOp::Trunc => $wrap($v.trunc()),
                UnOp::Round => $wrap($v.round()),
                _ => unreachable!("the validator refuses this operator on floats"),
            }
        };
    }
    macro_rules! integer {
        ($v:expr, $wrap:path, $neg:expr, $abs:expr) => {
            $wrap(match op {
                UnOp::Not => !$v,
                UnOp::Neg => $neg,
                UnOp::Abs => $abs,
                UnOp::LeadingZeros => $v.leading_zeros() as _,
                UnOp::CountOnes => $v.count_ones() as _,
                _ => unreachable!("the validator refuses this operator on integers"),
            })
        };
    }
    match a {
        Value::F32(v) => float!(v, Value::F32),
        Value::F64(v) => float!(v, Value::F64),
        Value::Bool(v) => Value::Bool(!v),
        Value::I32(v) => integer!(v, Value::I32, v.wrapping_neg(), v.wrapping_abs()),
        Value::I64(v) => integer!(v, Value::I64, v.wrapping_neg(), v.wrapping_abs()),
        Value::U32(v) => integer!(v, Value::U32, v.wrapping_neg(), v),
        Value::U64(v) => integer!(v, Value::U64, v.wrapping_neg(), v),
    }
}

/// One binary operation; `None` where Rust panics.
pub fn binary(op: BinOp, a: Value, b: Value) -> Option<Value> {
    macro_rules! integer {
        ($a:expr, $b:expr, $wrap:path) => {
            $wrap(match op {
                BinOp::Add => $a.wrapping_add($b),
                BinOp::Sub => $a.wrapping_sub($b),
                BinOp::Mul => $a.wrapping_mul($b),
                BinOp::Div => $a.checked_div($b)?,
                BinOp::Rem => $a.checked_rem($b)?,
                BinOp::And => $a & $b,
                BinOp::Or => $a | $b,
                BinOp::Xor => $a ^ $b,
                BinOp::Min => $a.min($b),
                BinOp::Max => $a.max($b),
                _ => unreachable!("the validator refuses this operator on integers"),
            })
        };
    }
    macro_rules! float {
        ($a:expr, $b:expr, $wrap:path, $math:ident, $hypot:path) => {
            $wrap(match op {
                BinOp::Add => $a + $b,
                BinOp::Sub => $a - $b,
                BinOp::Mul => $a * $b,
                BinOp::Div => $a / $b,
                BinOp::Rem => $a % $b,
                BinOp::Min => math::$math::min($a, $b),
                BinOp::Max => math::$math::max($a, $b),
                BinOp::Hypot => $hypot($a, $b),
                _ => unreachable!("the validator refuses this operator on floats"),
            })
        };
    }
    Some(match (a, b) {
        (_, Value::U32(n)) if matches!(op, BinOp::Shl | BinOp::Shr) => shift(op, a, n),
        (Value::I32(a), Value::I32(b)) => integer!(a, b, Value::I32),
        (Value::U32(a), Value::U32(b)) => integer!(a, b, Value::U32),
        (Value::I64(a), Value::I64(b)) => integer!(a, b, Value::I64),
        (Value::U64(a), Value::U64(b)) => integer!(a, b, Value::U64),
        (Value::F32(a), Value::F32(b)) => float!(a, b, Value::F32, f32, math::hypot_f32),
        (Value::F64(a), Value::F64(b)) => float!(a, b, Value::F64, f64, math::hypot_f64),
        (Value::Bool(a), Value::Bool(b)) => Value::Bool(match op {
            BinOp::And => a & b,
            BinOp::Or => a | b,
            _ => a ^ b,
        }),
        _ => unreachable!("the validator lets only equal types meet"),
    })
}

fn shift(op: BinOp, a: Value, n: u32) -> Value {
    let left = op == BinOp::Shl;
    match a {
        Value::I32(a) => Value::I32(if left {
            a.wrapping_shl(n)
        } else {
            a.wrapping_shr(n)
        }),
        Value::U32(a) => Value::U32(if left {
            a.wrapping_shl(n)
        } else {
            a.wrapping_shr(n)
        }),
        Value::I64(a) => Value::I64(if left {
            a.wrapping_shl(n)
        } else {
            a.wrapping_shr(n)
        }),
        Value::U64(a) => Value::U64(if left {
            a.wrapping_shl(n)
        } else {
            a.wrapping_shr(n)
        }),
        _ => unreachable!("the validator lets only integers shift"),
    }
}

/// Rust's `as`.
pub fn cast(to: Type, from: Value) -> Value {
    macro_rules! to {
        ($v:expr) => {
            match to {
                Type::I32 => Value::I32($v as i32),
                Type::U32 => Value::U32($v as u32),
                Type::I64 => Value::I64($v as i64),
                Type::U64 => Value::U64($v as u64),
                Type::F32 => Value::F32($v as f32),
                Type::F64 => Value::F64($v as f64),
                Type::Bool => unreachable!("the validator refuses casts to bool"),
            }
        };
    }
    match from {
        Value::Bool(v) if to == Type::Bool => Value::Bool(v),
        Value::Bool(v) => cast(to, Value::U32(u32::from(v))),
        Value::I32(v) => to!(v),
        Value::U32(v) => to!(v),
        Value::I64(v) => to!(v),
        Value::U64(v) => to!(v),
        Value::F32(v) => to!(v),
        Value::F64(v) => to!(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::validate;

    fn floats(values: &[f32]) -> Arg {
        Arg::Slice(values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    #[test]
    fn only_the_asked_range_is_computed_and_faults_name_the_index() {
        let body = vec![Stmt::Store(
            ParamId(1),
            add(load(0, Expr::Local(LocalId(0))), Expr::LoadOwn(ParamId(1))),
        )];
        let module = validate(module(body)).unwrap();
        let mut args = [floats(&[1.0, 2.0, 3.0]), floats(&[10.0; 4])];
        run(&module, &mut args, 1, 3, 1000).unwrap();
        assert_eq!(args[1], floats(&[10.0, 12.0, 13.0, 10.0]));
        let fault = run(&module, &mut args, 2, 4, 1000).unwrap_err();
        assert_eq!(
            fault,
            Fault {
                index: 3,
                what: FaultKind::Bounds
            }
        );
        assert_eq!(
            run(&module, &mut args, 0, 1, 3).unwrap_err().what,
            FaultKind::Budget
        );
    }

    #[test]
    fn operators_are_rusts() {
        let i = Value::I32;
        assert_eq!(binary(BinOp::Add, i(i32::MAX), i(1)), Some(i(i32::MIN)));
        assert_eq!(binary(BinOp::Div, i(i32::MIN), i(-1)), None);
        assert_eq!(binary(BinOp::Rem, i(7), i(0)), None);
        assert_eq!(binary(BinOp::Shl, i(1), Value::U32(33)), Some(i(2)));
        assert_eq!(binary(BinOp::Shr, i(-8), Value::U32(1)), Some(i(-4)));
        assert_eq!(unary(UnOp::Abs, i(i32::MIN)), i(i32::MIN));
        assert_eq!(unary(UnOp::Round, Value::F32(-2.5)), Value::F32(-3.0));
        assert_eq!(cast(Type::I32, Value::F32(3e9)), i(i32::MAX));
        assert_eq!(cast(Type::U32, Value::F32(f32::NAN)), Value::U32(0));
        assert_eq!(cast(Type::U64, i(-1)), Value::U64(u64::MAX));
        assert!(!compare(CmpOp::Le, Value::F32(f32::NAN), Value::F32(1.0)));
        assert!(compare(
            CmpOp::Ne,
            Value::F32(f32::NAN),
            Value::F32(f32::NAN)
        ));
    }
}
