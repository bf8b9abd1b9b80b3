//! Local arrays of fixed size.

use hotsled_ir::{ArrayId, Expr as Ir, Stmt as IrStmt, Value};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprArray, ExprIndex, ExprRepeat, Ident, PatIdent, Type};

use super::length::Length;
use super::stmt::Lowered;
use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};

/// An array of the function.
pub(super) struct LocalArray {
    pub name: String,
    pub term: Term,
    pub len: Length,
}

/// An array that a path names.
pub(super) struct ArrayName {
    pub id: ArrayId,
    pub term: Term,
    pub mutable: bool,
    pub name: Ident,
}

impl Lower<'_> {
    /// `let name = [value; N]` or `[a, b, c]`; `None` if `init` is no array.
    pub(super) fn let_array(
        &mut self,
        pat: &PatIdent,
        declared: Option<&Type>,
        init: &Expr,
    ) -> Option<Lowered> {
        let (values, len, repeat) = match init {
            Expr::Array(ExprArray { elems, .. }) => {
                let len = Length::Number(elems.len() as u32);
                (elems.iter().collect(), Some(len), false)
            }
            Expr::Repeat(ExprRepeat { expr, len, .. }) => {
                (vec![&**expr], self.array_len(len), true)
            }
            _ => return None,
        };
        let mut values: Vec<Typed> = values.into_iter().map(|e| self.value(e)).collect();
        let Some(first) = values.first().map(|v| v.term) else {
            self.error(init.span(), "an array of a section has an element at least");
            return Some(Lowered::default());
        };
        for value in &values[1..] {
            self.unify(first, value.term, value.span);
        }
        let len = len.unwrap_or(Length::Number(1)); // complained about
        let declared = self.array_type(declared, first, &len);
        self.require(&values[0], "place in an array", |t| !t.is_storage());
        let ty = self.rust_type(first);
        let cpus: Vec<TokenStream> = values.iter().map(|v| v.cpu.clone()).collect();
        let name = &pat.ident;
        let id = ArrayId(self.arrays.len() as u16);
        let (first_cpu, n) = (&cpus[0], len.cpu());
        let (mut ir, cpu) = if repeat {
            (Vec::new(), quote_spanned!(init.span()=> [#first_cpu; #n]))
        } else {
            (
                self.set_elements(id, &mut values),
                quote_spanned!(init.span()=> [#(#cpus),*]),
            )
        };
        if repeat {
            ir.push(IrStmt::Fill(id, values.remove(0).ir));
        }
        self.arrays.push(LocalArray {
            name: name.to_string(),
            term: first,
            len,
        });
        self.check_fresh(name);
        self.bind(name, Name::Array(id, first, pat.mutability.is_some()));
        let (mutable, n) = (pat.mutability, declared.unwrap_or(n));
        Some((ir, quote!(let #mutable #name: [#ty; #n] = #cpu;)))
    }

    /// The first element fills the array, the others follow one by one.
    fn set_elements(&mut self, id: ArrayId, values: &mut Vec<Typed>) -> Vec<IrStmt> {
        let mut irs = std::mem::take(values).into_iter().map(|v| v.ir);
        let mut all: Vec<_> = irs
            .next()
            .map(|ir| IrStmt::Fill(id, ir))
            .into_iter()
            .collect();
        let set = |(n, ir)| IrStmt::SetElement(id, Ir::Const(Value::U64(n + 1)), ir);
        all.extend((0u64..).zip(irs).map(set));
        all
    }

    /// Holds `[T; N]` against what stands in the array; gives the length for the compiler to compare where a
    /// macro cannot.
    fn array_type(
        &mut self,
        declared: Option<&Type>,
        elem: Term,
        len: &Length,
    ) -> Option<TokenStream> {
        let declared = declared?;
        let Type::Array(array) = declared else {
            self.error(declared.span(), "this is an array; its type is `[T; N]`");
            return None;
        };
        match self.named(&array.elem) {
            Some(ty) => self.unify(Term::Known(ty), elem, array.elem.span()),
            None => self.error(
                array.elem.span(),
                "elements of a local array are f32, f64, i32, u32, i64, u64, usize or bool",
            ),
        }
        match (self.array_len(&array.len)?, len) {
            (Length::Number(a), Length::Number(b)) if a != *b => {
                self.error(array.len.span(), "the array has another length");
                None
            }
            (said, _) => Some(said.cpu()),
        }
    }

    /// The array that an expression names.
    pub(super) fn array_name(&self, expr: &Expr) -> Option<ArrayName> {
        let Expr::Path(path) = expr else { return None };
        let name = path.path.get_ident()?;
        match self.lookup(name)? {
            Name::Array(id, term, mutable) => Some(ArrayName {
                id,
                term,
                mutable,
                name: name.clone(),
            }),
            _ => None,
        }
    }

    pub(super) fn element(&mut self, array: &ArrayName, index: &ExprIndex) -> Typed {
        let at = self.expect(&index.index, Ty::Usize);
        let (name, place) = (&array.name, at.cpu);
        Typed {
            term: array.term,
            ir: Ir::Element(array.id, Box::new(at.ir)),
            cpu: quote_spanned!(index.span()=> #name[#place]),
            span: index.span(),
        }
    }

    /// `a[k] = value`. The value is evaluated first, as in Rust.
    pub(super) fn set_element(
        &mut self,
        array: &ArrayName,
        index: &ExprIndex,
        value: Typed,
    ) -> Lowered {
        let name = &array.name;
        if !array.mutable {
            self.error(
                name.span(),
                format!("declare it with `let mut {name}` to assign its elements"),
            );
        }
        self.own_array(array.id, name.span());
        self.unify(array.term, value.term, value.span);
        let at = self.expect(&index.index, Ty::Usize);
        let id = self.new_local("value", array.term);
        let (place, cpu) = (at.cpu, value.cpu);
        let place = quote_spanned!(index.span()=> #name[#place]);
        let ir = vec![
            IrStmt::Set(id, value.ir),
            IrStmt::SetElement(array.id, at.ir, Ir::Local(id)),
        ];
        (ir, quote!({ let __value = #cpu; #place = __value; }))
    }
}
