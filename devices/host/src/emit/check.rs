//! Checks, and what happens where one fails.
//!
//! A target ends the invocation there, or, if it puts faults off, notes the fault and goes on: nothing of a chunk that
//! faulted is committed, so what it still computes is nobody's business. It then reaches no memory by a bad index, and
//! leaves its loops.

use hotsled_ir::walk::{self, Visit};
use hotsled_ir::{BinOp, Expr, Stmt, UnOp};

use super::{Emit, Result, Target, Typed};
use crate::args;

/// Where an element stands, and whether it is none.
pub(super) struct Place<T: Target> {
    pub(super) address: Typed<T>,
    outside: Typed<T>,
}

impl<T: Target> Emit<'_, T> {
    /// Goes on if `condition` holds, faults otherwise.
    pub(super) fn check(&mut self, condition: Typed<T>) -> Result {
        let broken = self.unary(UnOp::Not, condition)?;
        self.fault_if(broken);
        Ok(())
    }

    fn fault_if(&mut self, broken: Typed<T>) {
        if self.target.puts_off() {
            self.checked = true;
            self.target.note_fault(broken.v);
        } else {
            self.end_if(broken);
        }
    }

    /// As [`Self::check`], of what stands apart from memory. In a loop a fault is not put off: llvmpipe turns loops with
    /// one note less by a sixth faster (gemm), and code outside of loops by a fifth slower without (jacobi-2d).
    pub(super) fn assert(&mut self, condition: Typed<T>) -> Result {
        if self.loops == 0 {
            return self.check(condition);
        }
        let broken = self.unary(UnOp::Not, condition)?;
        self.end_if(broken);
        Ok(())
    }

    fn end_if(&mut self, broken: Typed<T>) {
        let flag = self.word(args::FAULT);
        self.target.begin_if(broken.v);
        self.target.fault(flag.v);
        self.target.end_if();
    }

    /// An element's place, behind its check. Of none, where faults are put off, it is one that may be read. The check
    /// asks what a counted loop asks before each turn, so that drivers see what they know already.
    pub(super) fn place(&mut self, address: Typed<T>, outside: Typed<T>) -> Place<T> {
        self.fault_if(outside);
        Place { address, outside }
    }

    /// Where to load from.
    pub(super) fn source(&mut self, place: &Place<T>) -> Result<Typed<T>> {
        if !self.target.puts_off() {
            return Ok(place.address);
        }
        let (fault, beside) = (self.word(args::FAULT), self.u64(args::SPARE)?);
        let spare = self.binary(BinOp::Add, fault, beside)?;
        Ok(self.select(place.outside, spare, place.address))
    }

    /// Writes to a place, if it is one.
    pub(super) fn write(
        &mut self,
        place: &Place<T>,
        write: impl FnOnce(&mut T) -> Result,
    ) -> Result {
        if !self.target.puts_off() {
            return write(self.target);
        }
        let inside = self.unary(UnOp::Not, place.outside)?;
        self.target.begin_if(inside.v);
        write(self.target)?;
        self.target.end_if();
        Ok(())
    }

    /// Whether a fault was noted. `None`: there is none that could have been.
    pub(super) fn noted(&mut self) -> Option<Typed<T>> {
        let ty = hotsled_ir::Type::Bool;
        let v = self.checked.then(|| self.target.noted())?;
        Some(Typed { ty, v })
    }

    /// Says before a loop whether its body may note faults: they are seen by its next turn.
    pub(super) fn expect_checks(&mut self, body: &[Stmt]) -> bool {
        let may = self.target.puts_off() && checks(body);
        self.checked |= may;
        may
    }

    /// The body of a loop.
    pub(super) fn turn(&mut self, body: &[Stmt]) -> Result {
        self.loops += 1;
        self.stmts(body)?;
        self.loops -= 1;
        Ok(())
    }

    /// Emits a loop that may depend on what a bad index gave: not begun behind a fault, and left at one.
    pub(super) fn looping(&mut self, body: &[Stmt]) -> Result {
        let before = self.noted();
        if let Some(noted) = before {
            let good = self.unary(UnOp::Not, noted)?;
            self.target.begin_if(good.v);
        }
        self.target.begin_loop();
        if self.expect_checks(body) {
            let noted = self.noted().expect("just expected");
            self.target.begin_if(noted.v);
            self.target.leave_loop();
            self.target.end_if();
        }
        self.turn(body)?;
        self.target.begin_step();
        self.target.end_loop();
        if before.is_some() {
            self.target.end_if();
        }
        Ok(())
    }
}

/// Whether statements have checks that are put off in a loop.
fn checks(stmts: &[Stmt]) -> bool {
    let mut found = Checks(false);
    walk::block(&mut found, stmts);
    found.0
}

struct Checks(bool);

impl Visit for Checks {
    fn expr(&mut self, expr: &Expr) {
        self.0 |= match expr {
            Expr::Load(..) | Expr::LoadOwn(_) | Expr::Element(..) => true,
            Expr::Binary(op, ..) => matches!(op, BinOp::Div | BinOp::Rem),
            _ => false,
        };
    }

    fn stmt(&mut self, stmt: &Stmt) {
        self.0 |= matches!(
            stmt,
            Stmt::Store(..) | Stmt::SetElement(..) | Stmt::Accumulate(..)
        );
    }
}
