//! Statements.

use hotsled_ir::{BinOp, CmpOp, Expr, LocalId, Stmt, Value};

use super::{Emit, Result, Target, Typed, number};

impl<T: Target> Emit<'_, T> {
    /// Statements after a `break` or `continue` are never reached and not emitted.
    pub(super) fn stmts(&mut self, stmts: &[Stmt]) -> Result {
        for stmt in stmts {
            if self.target.left() {
                break;
            }
            self.stmt(stmt)?;
        }
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result {
        match stmt {
            Stmt::Set(id, value) => {
                let value = self.expr(value)?;
                self.target.set(self.local(*id), value.v);
            }
            Stmt::Store(param, value) => {
                let value = self.expr(value)?;
                let (elem, place) = (self.elem(*param)?, self.own_element(*param)?);
                let address = place.address.v;
                self.write(&place, |target| target.store(elem, address, value.v))?;
            }
            Stmt::If(condition, yes, no) => {
                let condition = self.expr(condition)?;
                self.target.begin_if(condition.v);
                self.stmts(yes)?;
                if !no.is_empty() {
                    self.target.begin_else();
                    self.stmts(no)?;
                }
                self.target.end_if();
            }
            Stmt::For {
                var,
                start,
                end,
                body,
            } => self.counted(*var, start, end, body)?,
            Stmt::Loop(body) => self.looping(body)?,
            Stmt::Break => self.target.leave_loop(),
            Stmt::Continue => self.target.next_turn(),
            Stmt::Fault => {
                let never = self.constant(Value::Bool(false))?;
                self.assert(never)?;
            }
            Stmt::Fill(array, value) => self.fill(*array, value)?,
            Stmt::SetElement(array, index, value) => self.set_element(*array, index, value)?,
            Stmt::Accumulate(param, index, value) => self.accumulate(*param, index, value)?,
        }
        Ok(())
    }

    /// The counter is a variable of its own, so that the last turn's value of `var` stays. Behind a fault both ends may
    /// be anything, and there is no turn.
    fn counted(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) -> Result {
        let ty = self.local_type(var);
        let (mut start, end) = (self.expr(start)?, self.expr(end)?);
        if let Some(noted) = self.noted() {
            start = self.select(noted, end, start);
        }
        let counter = self.target.variable(ty)?;
        self.target.set(counter, start.v);
        self.expect_checks(body);
        let plain = !breaks(body);
        if plain {
            self.target.begin_counted();
        } else {
            self.target.begin_loop();
        }
        let at = self.get(ty, counter);
        let done = self.compare(CmpOp::Ge, at, end)?;
        self.target.begin_if(done.v);
        self.target.leave_loop();
        self.target.end_if();
        self.target.set(self.local(var), at.v);
        self.turn(body)?;
        self.target.begin_step();
        let at = self.get(ty, counter);
        let one = self.constant(number(ty, 1))?;
        let next = self.binary(BinOp::Add, at, one)?;
        self.target.set(counter, next.v);
        self.target.end_loop();
        if plain && self.target.cuts() {
            let at = self.get(ty, counter);
            let v = self.target.afresh(ty, at.v);
            let done = self.compare(CmpOp::Ge, Typed { ty, v }, end)?;
            self.check(done)?;
        }
        Ok(())
    }
}

/// Whether statements leave the loop around them by a `break`.
fn breaks(stmts: &[Stmt]) -> bool {
    stmts.iter().any(|stmt| match stmt {
        Stmt::Break => true,
        Stmt::If(_, yes, no) => breaks(yes) || breaks(no),
        _ => false,
    })
}
