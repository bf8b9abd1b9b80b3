//! Tuples: one local for each part.

use hotsled_ir::{Expr as Ir, LocalId, Stmt as IrStmt};
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Block, Expr, ExprField, Ident, Member, Pat, PatIdent, Stmt, Type};

use super::stmt::Lowered;
use super::{Lower, Name, Typed};
use crate::infer::{Class, Term};

/// Where the parts of a tuple go.
type Parts = [(LocalId, Term)];

impl Lower<'_> {
    /// `let (a, mut b) = ..`.
    pub(super) fn let_parts(
        &mut self,
        pats: &syn::PatTuple,
        declared: Option<&Type>,
        init: &Expr,
    ) -> Lowered {
        let names: Option<Vec<&PatIdent>> = pats.elems.iter().map(plain).collect();
        let Some(names) = names else {
            self.error(pats.span(), "the parts of a tuple pattern are plain names");
            return Lowered::default();
        };
        let labels: Vec<String> = names.iter().map(|p| p.ident.to_string()).collect();
        let parts = self.parts(&labels, declared);
        let (ir, cpu) = self.tuple_into(init, &parts);
        for (pat, (id, term)) in names.iter().zip(&parts) {
            self.check_fresh(&pat.ident);
            let mutable = pat.mutability.is_some();
            self.bind(&pat.ident, Name::Local(*id, *term, mutable));
        }
        let ty = self.tuple_type(&parts);
        (ir, quote!(let #pats: #ty = #cpu;))
    }

    /// `let t = (..)`; `None` if `init` is no tuple written out and no tuple type is declared.
    pub(super) fn let_tuple(
        &mut self,
        pat: &PatIdent,
        declared: Option<&Type>,
        init: &Expr,
    ) -> Option<Lowered> {
        let count = match (init, declared) {
            (Expr::Tuple(tuple), _) => tuple.elems.len(),
            (_, Some(Type::Tuple(tuple))) => tuple.elems.len(),
            _ => return None,
        };
        let name = &pat.ident;
        let labels: Vec<String> = (0..count).map(|n| format!("{name}-{n}")).collect();
        let parts = self.parts(&labels, declared);
        let (ir, cpu) = self.tuple_into(init, &parts);
        let ty = self.tuple_type(&parts);
        let mutable = pat.mutability;
        self.check_fresh(name);
        self.bind(name, Name::Tuple(parts, mutable.is_some()));
        Some((ir, quote!(let #mutable #name: #ty = #cpu;)))
    }

    /// `(a, b) = (b, a)`: all values first, then all assignments.
    pub(super) fn assign_parts(&mut self, places: &syn::ExprTuple, value: &Expr) -> Lowered {
        let labels = vec!["part".to_owned(); places.elems.len()];
        let parts = self.parts(&labels, None);
        let (mut ir, cpu) = self.tuple_into(value, &parts);
        let names: Vec<Ident> = (0..parts.len())
            .map(|n| Ident::new(&format!("__part_{n}"), proc_macro2::Span::mixed_site()))
            .collect();
        let mut assigns = TokenStream::new();
        for ((place, (id, term)), name) in places.elems.iter().zip(&parts).zip(&names) {
            let value = Typed {
                term: *term,
                ir: Ir::Local(*id),
                cpu: quote!(#name),
                span: place.span(),
            };
            let (more, cpu) = self.assign(place, value);
            ir.extend(more);
            assigns.extend(cpu);
        }
        let ty = self.tuple_type(&parts);
        (ir, quote!({ let (#(#names,)*): #ty = #cpu; #assigns }))
    }

    fn parts(&mut self, labels: &[String], declared: Option<&Type>) -> Vec<(LocalId, Term)> {
        let part = |this: &mut Self, label: &String| {
            let term = this.infer.literal(Class::Any);
            (this.new_local(label, term), term)
        };
        let parts: Vec<_> = labels.iter().map(|label| part(self, label)).collect();
        match declared {
            Some(Type::Tuple(tuple)) if tuple.elems.len() == parts.len() => {
                for (ty, (_, term)) in tuple.elems.iter().zip(&parts) {
                    match self.named(ty) {
                        Some(known) => self.unify(Term::Known(known), *term, ty.span()),
                        None => self.error(ty.span(), "the parts of a tuple are scalars"),
                    }
                }
            }
            Some(other) => self.error(other.span(), "this is a tuple of another shape"),
            None => {}
        }
        parts
    }

    fn tuple_type(&self, parts: &Parts) -> TokenStream {
        let types = parts.iter().map(|(_, term)| self.rust_type(*term));
        quote!((#(#types,)*))
    }

    /// Evaluates a tuple into its parts; the CPU code is the tuple's value.
    fn tuple_into(&mut self, expr: &Expr, parts: &Parts) -> Lowered {
        match expr {
            Expr::Tuple(tuple) if tuple.elems.len() == parts.len() => {
                let mut ir = Vec::new();
                let mut cpus = Vec::new();
                for (elem, (id, term)) in tuple.elems.iter().zip(parts) {
                    let value = self.value(elem);
                    self.unify(*term, value.term, value.span);
                    ir.push(IrStmt::Set(*id, value.ir));
                    cpus.push(value.cpu);
                }
                (ir, quote!((#(#cpus,)*)))
            }
            Expr::Paren(paren) => self.tuple_into(&paren.expr, parts),
            Expr::Block(block) if block.label.is_none() => self.block_into(&block.block, parts),
            Expr::If(branch) => {
                let condition = self.condition(&branch.cond);
                let (yes_ir, yes) = self.block_into(&branch.then_branch, parts);
                let (no_ir, no) = match &branch.else_branch {
                    Some((_, other)) => self.tuple_into(other, parts),
                    None => {
                        self.error(branch.span(), "an `if` used as a value needs an `else`");
                        Lowered::default()
                    }
                };
                let test = condition.cpu;
                let ir = vec![IrStmt::If(condition.ir, yes_ir, no_ir)];
                (ir, quote!((if #test { #yes } else { #no })))
            }
            Expr::Path(path) => match path.path.get_ident().and_then(|n| self.lookup(n)) {
                Some(Name::Tuple(from, _)) if from.len() == parts.len() => {
                    let mut ir = Vec::new();
                    for ((from, source), (to, term)) in from.iter().zip(parts) {
                        self.unify(*term, *source, expr.span());
                        ir.push(IrStmt::Set(*to, Ir::Local(*from)));
                    }
                    (ir, quote!(#path))
                }
                _ => self.no_tuple(expr, parts.len()),
            },
            _ => self.no_tuple(expr, parts.len()),
        }
    }

    fn no_tuple(&mut self, expr: &Expr, count: usize) -> Lowered {
        let help = format!("a tuple of {count} parts stands here, written out: `(a, b)`");
        self.error(expr.span(), help);
        Lowered::default()
    }

    fn block_into(&mut self, block: &Block, parts: &Parts) -> Lowered {
        let Some((Stmt::Expr(last, None), before)) = block.stmts.split_last() else {
            self.error(
                block.span(),
                "a block used as a value ends with an expression",
            );
            return Lowered::default();
        };
        self.scoped(|this| {
            let (mut ir, before) = this.stmts(before);
            let (more, last) = this.tuple_into(last, parts);
            ir.extend(more);
            (ir, quote!({ #before #last }))
        })
    }

    /// The part that `t.0` names: its local, type, and whether it may be assigned.
    pub(super) fn part(&mut self, field: &ExprField) -> Option<(LocalId, Term, bool)> {
        let name = match &*field.base {
            Expr::Path(path) => path.path.get_ident(),
            _ => None,
        };
        match (name.and_then(|n| self.lookup(n)), &field.member) {
            (Some(Name::Tuple(parts, mutable)), Member::Unnamed(n)) => {
                let part = parts.get(n.index as usize).copied();
                if part.is_none() {
                    self.error(field.span(), "the tuple has fewer parts");
                }
                part.map(|(id, term)| (id, term, mutable))
            }
            _ => {
                let help = "fields are not in the section language but those of tuples, `t.0`; pass scalars or slices";
                self.error(field.span(), help);
                None
            }
        }
    }

    pub(super) fn part_value(&mut self, field: &ExprField) -> Typed {
        let span = field.span();
        match self.part(field) {
            Some((id, term, _)) => Typed {
                term,
                ir: Ir::Local(id),
                cpu: quote!(#field),
                span,
            },
            None => self.poison(span),
        }
    }

    pub(super) fn set_part(&mut self, field: &ExprField, value: Typed) -> Lowered {
        let Some((id, term, mutable)) = self.part(field) else {
            return Lowered::default();
        };
        if !mutable {
            self.error(
                field.span(),
                "declare the tuple with `let mut` to assign its parts",
            );
        }
        self.own_local(id, field.span());
        self.unify(term, value.term, value.span);
        let cpu = value.cpu;
        (vec![IrStmt::Set(id, value.ir)], quote!(#field = #cpu;))
    }
}

/// A pattern that is one name.
fn plain(pat: &Pat) -> Option<&PatIdent> {
    match pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(pat),
        _ => None,
    }
}
