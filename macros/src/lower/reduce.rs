//! Reductions: a section over leaves, each of which stores its result in a slice of the wrapper's.
//!
//! The shape is `runtime/src/reduce.rs`'s; the CPU code calls it, the virtual ISA repeats it.

use hotsled_ir::{ArrayId, BinOp, Expr as Ir, LocalId, ParamId, Stmt as IrStmt, Type, Value};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::array::LocalArray;
use super::length::Length;
use super::loops::binary;
use super::stmt::{len_name, turn_name};
use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};
use crate::parse::{Combine, Parallel, Reduction};

/// Consecutive indices of a leaf, and lanes that they are dealt to.
const LEAF: u64 = 1024;
const LANES: u64 = 8;

/// What a reduction became, besides the body.
pub struct Reduced {
    pub ty: Ty,
    /// The identity and the closure that combines, as CPU code.
    pub identity: TokenStream,
    pub op: TokenStream,
}

/// Two values become one: the value, of the locals `a` and `b`.
struct Op {
    a: LocalId,
    b: LocalId,
    value: Ir,
    cpu: TokenStream,
}

impl Op {
    fn of(&self, a: Ir, b: Ir) -> Ir {
        let set = vec![IrStmt::Set(self.a, a), IrStmt::Set(self.b, b)];
        Ir::Block(set, Box::new(self.value.clone()))
    }
}

/// Locals of the leaf being folded.
struct Leaf {
    first: LocalId,
    last: LocalId,
    identity: LocalId,
    index: LocalId,
    lanes: ArrayId,
}

impl Lower<'_> {
    /// Statements of prelude and body, and the CPU code of the body.
    pub(super) fn reduction(
        &mut self,
        leaf_number: LocalId,
        parallel: &Parallel,
        reduction: &Reduction,
        range: (Ir, Ir),
    ) -> (Vec<IrStmt>, Vec<IrStmt>, TokenStream, Reduced) {
        let term = Term::Known(reduction.ty);
        let identity = self.identity(reduction);
        let leaf = Leaf {
            first: self.new_local("first", Term::Known(Ty::Usize)),
            last: self.new_local("last", Term::Known(Ty::Usize)),
            identity: self.new_local("identity", term),
            index: self.new_local(&parallel.index.to_string(), Term::Known(Ty::Usize)),
            lanes: ArrayId(self.arrays.len() as u16),
        };
        self.arrays.push(LocalArray {
            name: "lanes".into(),
            term,
            len: Length::Number(LANES as u32),
        });
        let op = self.combine(reduction, term);
        let value = self.leaf_value(parallel, reduction, leaf.index, term);
        let leaves = ParamId((self.params.len() + self.hidden.len()) as u16);
        let body = self.leaf_body(&leaf, leaf_number, &op, value.ir, leaves);
        let prelude = vec![
            IrStmt::Set(leaf.first, range.0),
            IrStmt::Set(leaf.last, range.1),
            IrStmt::Set(leaf.identity, identity.ir),
        ];
        let reduced = Reduced {
            ty: reduction.ty,
            identity: identity.cpu,
            op: op.cpu,
        };
        let cpu = leaf_code(parallel, &reduced, &value.cpu);
        (prelude, body, cpu, reduced)
    }

    fn identity(&mut self, reduction: &Reduction) -> Typed {
        let (ty, span) = (reduction.ty, reduction.method.span());
        let value = match &reduction.how {
            Combine::Fold(fold) => return self.expect(&fold.identity, ty),
            Combine::Sum => number(ty, 0),
            Combine::Product => number(ty, 1),
            Combine::Min => extreme(ty, true),
            Combine::Max => extreme(ty, false),
        };
        self.constant(value, ty, Term::Known(ty), span)
    }

    fn combine(&mut self, reduction: &Reduction, term: Term) -> Op {
        let (a, b) = (self.new_local("a", term), self.new_local("b", term));
        let ty = self.rust_type(term);
        let number = quote!(::hotsled::__private::Number);
        let known = |op, name: &str| {
            let name = Ident::new(name, Span::mixed_site());
            (
                binary(op, Ir::Local(a), Ir::Local(b)),
                quote!(<#ty as #number>::#name),
            )
        };
        let (value, cpu) = match &reduction.how {
            Combine::Sum => known(BinOp::Add, "add"),
            Combine::Product => known(BinOp::Mul, "mul"),
            Combine::Min => known(BinOp::Min, "min"),
            Combine::Max => known(BinOp::Max, "max"),
            Combine::Fold(fold) => {
                let (x, y, value) = (&fold.a, &fold.b, &fold.value);
                let value = self.scoped(|this| {
                    this.bind(x, Name::Local(a, term, false));
                    this.bind(y, Name::Local(b, term, false));
                    this.expect_alone(value, reduction.ty)
                });
                let cpu = value.cpu;
                (value.ir, quote!(|#x: #ty, #y: #ty| -> #ty { #cpu }))
            }
        };
        Op { a, b, value, cpu }
    }

    fn leaf_value(
        &mut self,
        parallel: &Parallel,
        reduction: &Reduction,
        index: LocalId,
        term: Term,
    ) -> Typed {
        self.check_fresh(&parallel.index);
        let value = self.scoped(|this| {
            let usize = Term::Known(Ty::Usize);
            this.bind(&parallel.index, Name::Local(index, usize, false));
            this.expect_alone(&reduction.value, reduction.ty)
        });
        Typed { term, ..value }
    }

    /// An expression of a type, as a value that no jump leaves.
    fn expect_alone(&mut self, expr: &syn::Expr, ty: Ty) -> Typed {
        self.values += 1;
        let value = self.expect(expr, ty);
        self.values -= 1;
        value
    }

    /// Index `t` of the leaf goes to lane `t % 8`; then the lanes are combined in halves.
    fn leaf_body(
        &mut self,
        leaf: &Leaf,
        number: LocalId,
        op: &Op,
        value: Ir,
        leaves: ParamId,
    ) -> Vec<IrStmt> {
        let u64 = |n| Ir::Const(Value::U64(n));
        let usize = Term::Known(Ty::Usize);
        let (start, turn) = (
            self.new_local("start", usize),
            self.new_local("turn", usize),
        );
        let offset = binary(BinOp::Mul, Ir::Local(number), u64(LEAF));
        let left = binary(BinOp::Sub, Ir::Local(leaf.last), Ir::Local(start));
        let lane = binary(BinOp::And, Ir::Local(turn), u64(LANES - 1));
        let element = |at: Ir| Ir::Element(leaf.lanes, Box::new(at));
        let index = binary(BinOp::Add, Ir::Local(start), Ir::Local(turn));
        let mut body = vec![
            IrStmt::Set(start, binary(BinOp::Add, Ir::Local(leaf.first), offset)),
            IrStmt::Fill(leaf.lanes, Ir::Local(leaf.identity)),
            IrStmt::For {
                var: turn,
                start: u64(0),
                end: binary(BinOp::Min, left, u64(LEAF)),
                body: vec![
                    IrStmt::Set(leaf.index, index),
                    IrStmt::SetElement(leaf.lanes, lane.clone(), op.of(element(lane), value)),
                ],
            },
        ];
        for half in [4, 2, 1] {
            for at in 0..half {
                let joined = op.of(element(u64(at)), element(u64(at + half)));
                body.push(IrStmt::SetElement(leaf.lanes, u64(at), joined));
            }
        }
        body.push(IrStmt::Store(leaves, element(u64(0))));
        body
    }
}

/// The wrapper's slice of results, in CPU code.
pub(crate) fn leaves_name() -> Ident {
    Ident::new("__leaves", Span::mixed_site())
}

/// The number of the leaf, in CPU code.
pub(crate) fn leaf_name() -> Ident {
    Ident::new("__leaf", Span::mixed_site())
}

/// The range of all indices, in CPU code.
pub(crate) fn range_name() -> Ident {
    Ident::new("__range", Span::mixed_site())
}

/// The identity, in CPU code.
pub(crate) fn identity_name() -> Ident {
    Ident::new("__identity", Span::mixed_site())
}

fn leaf_code(parallel: &Parallel, reduced: &Reduced, value: &TokenStream) -> TokenStream {
    let (leaves, leaf, range) = (leaves_name(), leaf_name(), range_name());
    let (identity, len, k) = (identity_name(), len_name(&leaves), turn_name());
    let (index, op) = (&parallel.index, &reduced.op);
    let ty = Ident::new(reduced.ty.name(), Span::mixed_site());
    quote_spanned! {Span::mixed_site()=>
        let __value = ::hotsled::__private::fold_leaf(
            &#range,
            #leaf,
            #identity,
            |#index: ::core::primitive::usize| -> ::core::primitive::#ty { #value },
            #op,
        );
        *::hotsled::__private::own_at(#leaves, #k, #leaf, #len) = __value;
    }
}

fn number(ty: Ty, n: u8) -> Value {
    match ty.ir() {
        Type::F32 => Value::F32(f32::from(n)),
        Type::F64 => Value::F64(f64::from(n)),
        Type::I32 => Value::I32(i32::from(n)),
        Type::U32 => Value::U32(u32::from(n)),
        Type::I64 => Value::I64(i64::from(n)),
        Type::U64 | Type::Bool => Value::U64(u64::from(n)),
    }
}

/// The most or the least of a type.
fn extreme(ty: Ty, most: bool) -> Value {
    let sign = if most { 1.0 } else { -1.0 };
    match ty.ir() {
        Type::F32 => Value::F32(f32::INFINITY * sign as f32),
        Type::F64 => Value::F64(f64::INFINITY * sign),
        Type::I32 => Value::I32(if most { i32::MAX } else { i32::MIN }),
        Type::I64 => Value::I64(if most { i64::MAX } else { i64::MIN }),
        Type::U32 => Value::U32(if most { u32::MAX } else { 0 }),
        Type::U64 | Type::Bool => Value::U64(if most { u64::MAX } else { 0 }),
    }
}
