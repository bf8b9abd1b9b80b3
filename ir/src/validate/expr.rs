//! The rules of expressions: their types, and what they may read where they stand.

use super::{Check, Invalid, Place, Result, meet};
use crate::types::*;

impl Check<'_> {
    pub(super) fn expect(&mut self, expr: &Expr, ty: Type, place: &'static str) -> Result {
        let found = self.expr(expr)?;
        if found == ty {
            return Ok(());
        }
        Err(Invalid::Type {
            place,
            expected: format!("{ty:?}"),
            found,
        })
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Type> {
        match expr {
            Expr::Const(value) => Ok(value.ty()),
            Expr::Local(id) => self.read(*id),
            Expr::Scalar(id) => self.scalar(*id),
            Expr::Len(id) => self.len(*id),
            Expr::Load(id, index) => self.load(*id, index),
            Expr::LoadOwn(id) => self.load_own(*id),
            Expr::Unary(op, a) => self.unary(*op, a),
            Expr::Binary(op, a, b) => self.binary(*op, a, b),
            Expr::Compare(op, a, b) => self.compare(*op, a, b),
            Expr::And(a, b) | Expr::Or(a, b) => self.short_circuit(a, b),
            Expr::If(condition, yes, no) => self.choice(condition, yes, no),
            Expr::Block(stmts, value) => self.value_block(stmts, value),
            Expr::Bits(to, a) => self.bits(*to, a),
            Expr::MulAdd(a, b, c) => self.mul_add(a, b, c),
            Expr::Element(id, index) => {
                self.expect(index, Type::U64, "index")?;
                Ok(self.filled(*id)?.ty)
            }
            Expr::Call(import, _) => Err(Invalid::Call(*import)),
            Expr::Cast(to, a) => self.cast(*to, a),
        }
    }

    fn scalar(&self, id: ParamId) -> Result<Type> {
        match self.kind(id) {
            Some(ParamKind::Scalar(ty)) => Ok(ty),
            _ => Err(Invalid::Param {
                id: id.0,
                expected: "a scalar",
            }),
        }
    }

    fn len(&self, id: ParamId) -> Result<Type> {
        match self.kind(id) {
            Some(kind) if kind.elem().is_some() => Ok(Type::U64),
            _ => Err(Invalid::Param {
                id: id.0,
                expected: "a slice",
            }),
        }
    }

    fn load(&mut self, id: ParamId, index: &Expr) -> Result<Type> {
        self.expect(index, Type::U64, "index")?;
        match self.kind(id) {
            Some(ParamKind::Input(elem)) => Ok(elem.value_type()),
            _ => Err(Invalid::Param {
                id: id.0,
                expected: "an input slice",
            }),
        }
    }

    fn unary(&mut self, op: UnOp, a: &Expr) -> Result<Type> {
        let ty = self.expr(a)?;
        if unary(op, ty) {
            return Ok(ty);
        }
        Err(Invalid::Operator {
            op: format!("{op:?}"),
            ty,
        })
    }

    fn compare(&mut self, op: CmpOp, a: &Expr, b: &Expr) -> Result<Type> {
        let ty = self.expr(a)?;
        self.expect(b, ty, "right side of a comparison")?;
        if matches!(op, CmpOp::Eq | CmpOp::Ne) || ty != Type::Bool {
            return Ok(Type::Bool);
        }
        Err(Invalid::Operator {
            op: format!("{op:?}"),
            ty,
        })
    }

    fn cast(&mut self, to: Type, a: &Expr) -> Result<Type> {
        let from = self.expr(a)?;
        if from == to || (to != Type::Bool && (from != Type::Bool || to.is_integer())) {
            return Ok(to);
        }
        Err(Invalid::Operator {
            op: format!("cast to {to:?}"),
            ty: from,
        })
    }

    /// Float to the unsigned integer of its width, or back.
    fn bits(&mut self, to: Type, a: &Expr) -> Result<Type> {
        let from = self.expr(a)?;
        let pair = |float: Type, bits: Type| float.is_float() && bits == float.unsigned();
        if pair(from, to) || pair(to, from) {
            return Ok(to);
        }
        Err(Invalid::Operator {
            op: format!("bits as {to:?}"),
            ty: from,
        })
    }

    fn mul_add(&mut self, a: &Expr, b: &Expr, c: &Expr) -> Result<Type> {
        let ty = self.expr(a)?;
        self.expect(b, ty, "factor")?;
        self.expect(c, ty, "summand")?;
        if ty.is_float() {
            return Ok(ty);
        }
        Err(Invalid::Operator {
            op: "MulAdd".into(),
            ty,
        })
    }

    fn read(&self, id: LocalId) -> Result<Type> {
        let local = self.local(id)?;
        let assigned = self.assigned.as_ref().is_none_or(|a| a[usize::from(id.0)]);
        let known = assigned && (self.place != Place::Prelude || id != self.module.index);
        if known {
            Ok(local.ty)
        } else {
            Err(Invalid::Unassigned {
                id: id.0,
                name: local.name.clone(),
            })
        }
    }

    fn load_own(&self, id: ParamId) -> Result<Type> {
        if self.place == Place::Prelude || !self.index_is_assigned() {
            return Err(Invalid::Misplaced {
                what: "own load",
                place: "the prelude",
            });
        }
        match self.kind(id) {
            Some(ParamKind::Own(elem)) => Ok(elem.value_type()),
            _ => Err(Invalid::Param {
                id: id.0,
                expected: "an own slice",
            }),
        }
    }

    fn index_is_assigned(&self) -> bool {
        self.assigned
            .as_ref()
            .is_none_or(|a| a[usize::from(self.module.index.0)])
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr) -> Result<Type> {
        let ty = self.expr(a)?;
        let right = if matches!(op, BinOp::Shl | BinOp::Shr) {
            Type::U32
        } else {
            ty
        };
        self.expect(b, right, "right operand")?;
        if binary(op, ty) {
            Ok(ty)
        } else {
            Err(Invalid::Operator {
                op: format!("{op:?}"),
                ty,
            })
        }
    }

    fn short_circuit(&mut self, a: &Expr, b: &Expr) -> Result<Type> {
        self.expect(a, Type::Bool, "operand of a logical operator")?;
        let before = self.assigned.clone();
        self.expect(b, Type::Bool, "operand of a logical operator")?;
        self.assigned = before;
        Ok(Type::Bool)
    }

    fn choice(&mut self, condition: &Expr, yes: &Expr, no: &Expr) -> Result<Type> {
        self.expect(condition, Type::Bool, "condition of if")?;
        let before = self.assigned.clone();
        let ty = self.expr(yes)?;
        let after_yes = std::mem::replace(&mut self.assigned, before);
        self.expect(no, ty, "else side")?;
        self.assigned = meet(after_yes, self.assigned.take());
        Ok(ty)
    }

    fn value_block(&mut self, stmts: &[Stmt], value: &Expr) -> Result<Type> {
        let place = self.place;
        let loops = std::mem::take(&mut self.loops);
        if place == Place::Body {
            self.place = Place::Value;
        }
        self.block(stmts)?;
        let ty = self.expr(value)?;
        self.place = place;
        self.loops = loops;
        Ok(ty)
    }
}

fn unary(op: UnOp, ty: Type) -> bool {
    match op {
        UnOp::Not => ty == Type::Bool || ty.is_integer(),
        UnOp::Neg | UnOp::Abs => ty.is_float() || ty.is_signed(),
        UnOp::LeadingZeros | UnOp::CountOnes => ty.is_integer(),
        UnOp::Sqrt | UnOp::Floor | UnOp::Ceil | UnOp::Trunc | UnOp::Round => ty.is_float(),
    }
}

fn binary(op: BinOp, ty: Type) -> bool {
    match op {
        BinOp::And | BinOp::Or | BinOp::Xor => ty == Type::Bool || ty.is_integer(),
        BinOp::Shl | BinOp::Shr => ty.is_integer(),
        BinOp::Hypot => ty.is_float(),
        _ => ty != Type::Bool,
    }
}
