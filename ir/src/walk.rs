//! Visits every statement and expression of a block.

use crate::types::{Expr, Stmt};

/// What a visitor does; the defaults do nothing.
pub trait Visit {
    /// Before the parts of a statement.
    fn stmt(&mut self, _stmt: &Stmt) {}
    /// Before the parts of an expression.
    fn expr(&mut self, _expr: &Expr) {}
}

/// Visits a block, outer before inner.
pub fn block(visitor: &mut impl Visit, stmts: &[Stmt]) {
    stmts.iter().for_each(|s| stmt(visitor, s));
}

fn stmt(visitor: &mut impl Visit, stmt: &Stmt) {
    visitor.stmt(stmt);
    match stmt {
        Stmt::Set(_, e) | Stmt::Store(_, e) | Stmt::Fill(_, e) => expr(visitor, e),
        Stmt::SetElement(_, at, e) | Stmt::Accumulate(_, at, e) => {
            expr(visitor, at);
            expr(visitor, e);
        }
        Stmt::If(condition, yes, no) => {
            expr(visitor, condition);
            block(visitor, yes);
            block(visitor, no);
        }
        Stmt::For {
            start, end, body, ..
        } => {
            expr(visitor, start);
            expr(visitor, end);
            block(visitor, body);
        }
        Stmt::Loop(body) => block(visitor, body),
        Stmt::Break | Stmt::Continue | Stmt::Fault => {}
    }
}

/// Visits an expression, outer before inner.
pub fn expr(visitor: &mut impl Visit, e: &Expr) {
    visitor.expr(e);
    match e {
        Expr::Const(_) | Expr::Local(_) | Expr::Scalar(_) | Expr::Len(_) | Expr::LoadOwn(_) => {}
        Expr::Load(_, a)
        | Expr::Unary(_, a)
        | Expr::Cast(_, a)
        | Expr::Bits(_, a)
        | Expr::Element(_, a) => expr(visitor, a),
        Expr::Binary(_, a, b) | Expr::Compare(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) => {
            expr(visitor, a);
            expr(visitor, b);
        }
        Expr::If(a, b, c) | Expr::MulAdd(a, b, c) => {
            [a, b, c].into_iter().for_each(|e| expr(visitor, e))
        }
        Expr::Call(_, args) => args.iter().for_each(|e| expr(visitor, e)),
        Expr::Block(stmts, value) => {
            block(visitor, stmts);
            expr(visitor, value);
        }
    }
}
