//! Expressions.

use hotsled_ir::{BinOp, CmpOp, Expr, ParamId, ParamKind, Type, UnOp, Value};

use super::check::Place;
use super::{Emit, Result, Target, Typed, bits_of, is_float, is_signed, number, width};
use crate::cannot::Cannot;

impl<T: Target> Emit<'_, T> {
    pub(super) fn expr(&mut self, e: &Expr) -> Result<Typed<T>> {
        match e {
            Expr::Const(value) => self.constant(*value),
            Expr::Local(id) => Ok(self.get(self.local_type(*id), self.local(*id))),
            Expr::Scalar(id) => self.scalar(*id),
            Expr::Len(id) => Ok(self.word(self.layout.param(usize::from(id.0)) + 1)),
            Expr::Load(id, index) => {
                let index = self.expr(index)?;
                let place = self.element(*id, index)?;
                self.load(*id, &place, false)
            }
            Expr::LoadOwn(id) => {
                let place = self.own_element(*id)?;
                self.load(*id, &place, true)
            }
            Expr::Unary(op, a) => {
                let a = self.expr(a)?;
                self.unary_operator(*op, a)
            }
            Expr::Binary(op, a, b) => {
                let (a, b) = (self.expr(a)?, self.expr(b)?);
                self.binary_operator(*op, a, b)
            }
            Expr::Compare(op, a, b) => {
                let (a, b) = (self.expr(a)?, self.expr(b)?);
                self.compare(*op, a, b)
            }
            Expr::And(a, b) => self.choice(
                a,
                |this| this.expr(b),
                |this| this.constant(Value::Bool(false)),
            ),
            Expr::Or(a, b) => self.choice(
                a,
                |this| this.constant(Value::Bool(true)),
                |this| this.expr(b),
            ),
            Expr::If(condition, yes, no) => {
                self.choice(condition, |this| this.expr(yes), |this| this.expr(no))
            }
            Expr::Block(stmts, value) => {
                self.stmts(stmts)?;
                self.expr(value)
            }
            Expr::Cast(to, a) => {
                let a = self.expr(a)?;
                self.cast(*to, a)
            }
            Expr::Bits(to, a) => {
                let a = self.expr(a)?;
                Ok(self.reinterpret(*to, a))
            }
            Expr::MulAdd(a, b, c) => {
                let (a, b, c) = (self.expr(a)?, self.expr(b)?, self.expr(c)?);
                self.mul_add(a, b, c)
            }
            Expr::Element(array, index) => self.array_element(*array, index),
            other => Err(Cannot::construct(other)),
        }
    }

    fn scalar(&mut self, id: ParamId) -> Result<Typed<T>> {
        let ParamKind::Scalar(ty) = self.kind(id) else {
            return Err(Cannot::construct(&self.kind(id)));
        };
        let word = self.word(self.layout.param(usize::from(id.0)));
        if ty == Type::Bool {
            let zero = self.u64(0)?;
            return self.compare(CmpOp::Ne, word, zero);
        }
        let bits = self.convert(bits_of(ty), word)?;
        Ok(self.reinterpret(ty, bits))
    }

    fn load(&mut self, id: ParamId, place: &Place<T>, shared: bool) -> Result<Typed<T>> {
        let (elem, address) = (self.elem(id)?, self.source(place)?);
        Ok(Typed {
            ty: elem.value_type(),
            v: self.target.load(elem, address.v, shared)?,
        })
    }

    pub(super) fn own_element(&mut self, id: ParamId) -> Result<Place<T>> {
        let index = self.get(Type::U64, self.local(self.module.index));
        self.element(id, index)
    }

    /// Where an element stands; faults when the index is not below the length.
    pub(super) fn element(&mut self, id: ParamId, index: Typed<T>) -> Result<Place<T>> {
        let first = self.layout.param(usize::from(id.0));
        let (address, len) = (self.word(first), self.word(first + 1));
        let outside = self.compare(CmpOp::Ge, index, len)?;
        let size = self.u64(self.elem(id)?.size())?;
        let offset = self.binary(BinOp::Mul, index, size)?;
        let address = self.binary(BinOp::Add, address, offset)?;
        Ok(self.place(address, outside))
    }

    /// Evaluates one of two sides.
    fn choice(
        &mut self,
        condition: &Expr,
        yes: impl FnOnce(&mut Self) -> Result<Typed<T>>,
        no: impl FnOnce(&mut Self) -> Result<Typed<T>>,
    ) -> Result<Typed<T>> {
        let condition = self.expr(condition)?;
        self.target.begin_if(condition.v);
        let value = yes(self)?;
        let result = self.target.variable(value.ty)?;
        self.target.set(result, value.v);
        self.target.begin_else();
        let other = no(self)?;
        self.target.set(result, other.v);
        self.target.end_if();
        Ok(self.get(value.ty, result))
    }

    fn unary_operator(&mut self, op: UnOp, a: Typed<T>) -> Result<Typed<T>> {
        let float = is_float(a.ty);
        match op {
            UnOp::Not | UnOp::Sqrt | UnOp::Floor | UnOp::Ceil => self.unary(op, a),
            UnOp::Trunc => self.trunc(a),
            UnOp::Neg if float => self.flip_sign(a),
            UnOp::Abs if float => self.magnitude(a),
            UnOp::Round => self.round(a),
            UnOp::Neg => self.negate(a),
            UnOp::Abs => self.integer_abs(a),
            UnOp::LeadingZeros => self.leading_zeros(a),
            UnOp::CountOnes => self.count_ones(a),
        }
    }

    /// `(a ^ s) - s`, where `s` has the sign in all bits.
    fn integer_abs(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let sign = self.sign(a)?;
        let flipped = self.binary(BinOp::Xor, a, sign)?;
        self.binary(BinOp::Sub, flipped, sign)
    }

    /// The sign of an integer in all bits.
    fn sign(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let last = self.constant(Value::U32(width(a.ty) - 1))?;
        self.binary(BinOp::Shr, a, last)
    }

    fn negate(&mut self, a: Typed<T>) -> Result<Typed<T>> {
        let zero = self.constant(number(a.ty, 0))?;
        self.binary(BinOp::Sub, zero, a)
    }

    #[allow(unreachable_patterns)] // the virtual ISA grows
    fn binary_operator(&mut self, op: BinOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let float = is_float(a.ty);
        match op {
            BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor => {
                self.binary(op, a, b)
            }
            BinOp::Div if float => self.binary(op, a, b),
            BinOp::Rem if float => self.remainder(a, b),
            BinOp::Div | BinOp::Rem => self.divide(op, a, b),
            BinOp::Shl | BinOp::Shr => {
                let mask = self.constant(Value::U32(width(a.ty) - 1))?;
                let count = self.binary(BinOp::And, b, mask)?;
                self.binary(op, a, count)
            }
            BinOp::Min | BinOp::Max if float => self.float_extreme(op, a, b),
            BinOp::Min => self.extreme(CmpOp::Lt, a, b),
            BinOp::Max => self.extreme(CmpOp::Gt, a, b),
            BinOp::Hypot => self.hypot(a, b),
            other => Err(Cannot::construct(&other)),
        }
    }

    fn extreme(&mut self, better: CmpOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let wins = self.compare(better, a, b)?;
        Ok(self.select(wins, a, b))
    }

    /// Faults on a zero divisor, and on `MIN / -1`. The divisor becomes 1 there, too: a machine that runs
    /// invocations in lock step divides in those that have faulted as well.
    fn divide(&mut self, op: BinOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let (zero, one) = (
            self.constant(number(a.ty, 0))?,
            self.constant(number(a.ty, 1))?,
        );
        let mut good = self.compare(CmpOp::Ne, b, zero)?;
        if is_signed(a.ty) {
            let least = self.constant(number(a.ty, 1 << (width(a.ty) - 1)))?;
            let minus_one = self.constant(number(a.ty, u64::MAX))?;
            let large = self.compare(CmpOp::Ne, a, least)?;
            let other = self.compare(CmpOp::Ne, b, minus_one)?;
            let defined = self.binary(BinOp::Or, large, other)?;
            good = self.binary(BinOp::And, good, defined)?;
        }
        self.check(good)?;
        let divisor = self.select(good, b, one);
        if is_signed(a.ty) && (op == BinOp::Rem || self.target.replaced().divide) {
            return self.divide_magnitudes(op, a, divisor);
        }
        if op == BinOp::Rem && !self.target.replaced().divide {
            return self.rest_of(a, divisor);
        }
        self.binary(op, a, divisor)
    }

    /// A remainder by the quotient, which stands beside it wherever an index becomes a row and a column.
    fn rest_of(&mut self, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let quotient = self.binary(BinOp::Div, a, b)?;
        let whole = self.binary(BinOp::Mul, quotient, b)?;
        self.binary(BinOp::Sub, a, whole)
    }

    /// Signed numbers by their magnitudes: Vulkan leaves the remainder of negative ones undefined. A remainder
    /// has the sign of `a`, a quotient that of both together.
    fn divide_magnitudes(&mut self, op: BinOp, a: Typed<T>, b: Typed<T>) -> Result<Typed<T>> {
        let (x, y) = (self.integer_abs(a)?, self.integer_abs(b)?);
        let (x, y) = (self.bits(x), self.bits(y));
        let size = self.binary(op, x, y)?;
        let size = self.reinterpret(a.ty, size);
        let mut sign = self.sign(a)?;
        if op == BinOp::Div {
            let other = self.sign(b)?;
            sign = self.binary(BinOp::Xor, sign, other)?;
        }
        let flipped = self.binary(BinOp::Xor, size, sign)?;
        self.binary(BinOp::Sub, flipped, sign)
    }
}
