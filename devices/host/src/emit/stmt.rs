//! Statements.

use hotsled_ir::{BinOp, CmpOp, Expr, LocalId, Stmt, Value};

use super::{Emit, Result, Target, number};

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
                let address = self.own_element(*param)?;
                self.target.store(self.elem(*param)?, address.v, value.v)?;
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
            Stmt::Loop(body) => {
                self.target.begin_loop();
                self.stmts(body)?;
                self.target.begin_step();
                self.target.end_loop();
            }
            Stmt::Break => self.target.leave_loop(),
            Stmt::Continue => self.target.next_turn(),
            Stmt::Fault => {
                let never = self.constant(Value::Bool(false))?;
                self.check(never)?;
            }
            Stmt::Fill(array, value) => self.fill(*array, value)?,
            Stmt::SetElement(array, index, value) => self.set_element(*array, index, value)?,
            Stmt::Accumulate(param, index, value) => self.accumulate(*param, index, value)?,
        }
        Ok(())
    }

    /// The counter is a variable of its own, so that the last turn's value of `var` stays.
    fn counted(&mut self, var: LocalId, start: &Expr, end: &Expr, body: &[Stmt]) -> Result {
        let ty = self.local_type(var);
        let (start, end) = (self.expr(start)?, self.expr(end)?);
        let counter = self.target.variable(ty)?;
        self.target.set(counter, start.v);
        self.target.begin_loop();
        let at = self.get(ty, counter);
        let done = self.compare(CmpOp::Ge, at, end)?;
        self.target.begin_if(done.v);
        self.target.leave_loop();
        self.target.end_if();
        self.target.set(self.local(var), at.v);
        self.stmts(body)?;
        self.target.begin_step();
        let at = self.get(ty, counter);
        let one = self.constant(number(ty, 1))?;
        let next = self.binary(BinOp::Add, at, one)?;
        self.target.set(counter, next.v);
        self.target.end_loop();
        Ok(())
    }
}
