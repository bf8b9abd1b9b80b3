//! The virtual ISA: what a section becomes beside its CPU code.
#![forbid(unsafe_code)]

pub mod math;
mod types;

pub use types::{
    BinOp, CmpOp, Elem, Expr, Local, LocalId, Module, Param, ParamId, ParamKind, Stmt, Type, UnOp,
    Value,
};
