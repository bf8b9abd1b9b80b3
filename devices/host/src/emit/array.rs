//! Local arrays, and accumulators.

use hotsled_ir::{ArrayId, BinOp, CmpOp, Expr, ParamId, ParamKind, Type};

use super::{Emit, Result, Target, Typed};
use crate::cannot::Cannot;

/// Arrays up to this length are filled without a loop.
const UNROLLED: u32 = 16;

impl<T: Target> Emit<'_, T> {
    pub(super) fn fill(&mut self, id: ArrayId, value: &Expr) -> Result {
        let value = self.expr(value)?;
        let len = self.module.arrays[usize::from(id.0)].len;
        if len > UNROLLED {
            return self.fill_in_turns(id, len, value);
        }
        for at in 0..len {
            let at = self.u64(u64::from(at))?;
            self.put(id, at, value);
        }
        Ok(())
    }

    fn fill_in_turns(&mut self, id: ArrayId, len: u32, value: Typed<T>) -> Result {
        let counter = self.target.variable(Type::U64)?;
        let (zero, one) = (self.u64(0)?, self.u64(1)?);
        self.target.set(counter, zero.v);
        self.target.begin_loop();
        let (at, end) = (self.get(Type::U64, counter), self.u64(u64::from(len))?);
        self.leave_if(CmpOp::Ge, at, end)?;
        self.put(id, at, value);
        self.target.begin_step();
        let at = self.get(Type::U64, counter);
        let next = self.binary(BinOp::Add, at, one)?;
        self.target.set(counter, next.v);
        self.target.end_loop();
        Ok(())
    }

    fn put(&mut self, id: ArrayId, at: Typed<T>, value: Typed<T>) {
        let array = self.arrays[usize::from(id.0)];
        self.target.set_element(value.ty, array, at.v, value.v);
    }

    pub(super) fn set_element(&mut self, id: ArrayId, index: &Expr, value: &Expr) -> Result {
        let (at, value) = (self.expr(index)?, self.expr(value)?);
        self.check_inside(id, at)?;
        self.put(id, at, value);
        Ok(())
    }

    pub(super) fn array_element(&mut self, id: ArrayId, index: &Expr) -> Result<Typed<T>> {
        let at = self.expr(index)?;
        self.check_inside(id, at)?;
        let ty = self.module.arrays[usize::from(id.0)].ty;
        let array = self.arrays[usize::from(id.0)];
        Ok(Typed {
            ty,
            v: self.target.get_element(ty, array, at.v),
        })
    }

    fn check_inside(&mut self, id: ArrayId, at: Typed<T>) -> Result {
        let len = self.u64(u64::from(self.module.arrays[usize::from(id.0)].len))?;
        let inside = self.compare(CmpOp::Lt, at, len)?;
        self.check(inside)
    }

    pub(super) fn accumulate(&mut self, id: ParamId, index: &Expr, value: &Expr) -> Result {
        let ParamKind::Accumulator(elem, op) = self.kind(id) else {
            return Err(Cannot::construct(&self.kind(id)));
        };
        let (at, value) = (self.expr(index)?, self.expr(value)?);
        let place = self.element(id, at)?;
        let address = place.address.v;
        self.write(&place, |target| target.combine(op, elem, address, value.v))
    }
}
