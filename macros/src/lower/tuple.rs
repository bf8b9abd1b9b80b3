//! Tuples and structs: one local for each part.

use hotsled_ir::{Expr as Ir, Stmt as IrStmt};
use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    Block, Expr, ExprField, ExprPath, ExprStruct, FieldPat, Ident, Pat, PatIdent, PatStruct, Stmt,
    Type,
};

use super::data::label;
use super::stmt::Lowered;
use super::{Lower, Name, Part, Typed};
use crate::infer::{Class, Term};

impl Lower<'_> {
    /// `let (a, mut b) = ..`.
    pub(super) fn let_parts(
        &mut self,
        pats: &syn::PatTuple,
        declared: Option<&Type>,
        init: &Expr,
    ) -> Lowered {
        let names: Option<Vec<_>> = pats.elems.iter().map(plain).collect();
        let Some(names) = names else {
            let help = "the parts of a tuple pattern are plain names or `_`";
            self.error(pats.span(), help);
            return Lowered::default();
        };
        let parts = self.tuple_parts(names.len(), declared);
        let (ir, cpu) = self.parts_into(init, &parts);
        for (name, part) in names.into_iter().zip(&parts) {
            self.bind_part(name, part);
        }
        let ty = self.tuple_type(&parts);
        (ir, quote!(let #pats: #ty = #cpu;))
    }

    /// `let Name { a, b: mut c, .. } = ..`, of a struct made by `let` or written out.
    pub(super) fn let_fields(
        &mut self,
        pat: &PatStruct,
        declared: Option<&Type>,
        init: &Expr,
    ) -> Lowered {
        let named: Option<Vec<_>> = pat.fields.iter().map(named).collect();
        let Some(named) = named else {
            let help = "the fields of a struct pattern are plain names or `_`: `Name { a, b: c }`";
            self.error(pat.span(), help);
            return Lowered::default();
        };
        if let Some(data) = self.data_name(init) {
            let help =
                format!("`{data}` is a parameter; take its fields by name: `let a = {data}.a;`");
            self.error(init.span(), help);
            return Lowered::default();
        }
        let labels = self.labels(init);
        let labels =
            labels.unwrap_or_else(|| named.iter().map(|(label, _)| label.clone()).collect());
        if pat.rest.is_none() && named.len() != labels.len() {
            self.error(pat.span(), "name every field, or end with `..`");
        }
        let parts = self.parts(labels);
        let (ir, cpu) = self.parts_into(init, &parts);
        for ((label, name), field) in named.into_iter().zip(&pat.fields) {
            match parts.iter().find(|part| part.label == label) {
                Some(part) => self.bind_part(name, part),
                None => self.error(field.span(), format!("it has no part `{label}`")),
            }
        }
        let ty = declared.map(|ty| quote!(: #ty));
        (ir, quote!(let #pat #ty = #cpu;))
    }

    /// Gives a part the name that a pattern has for it; `None` for `_`.
    pub(super) fn bind_part(&mut self, name: Option<&PatIdent>, part: &Part) {
        let Some(pat) = name else { return };
        self.check_fresh(&pat.ident);
        let mutable = pat.mutability.is_some();
        self.bind(&pat.ident, Name::Local(part.id, part.term, mutable));
    }

    /// `let t = (..)` or `let t = Name { .. }`; `None` if `init` is of one part and no tuple type is declared.
    pub(super) fn let_whole(
        &mut self,
        pat: &PatIdent,
        declared: Option<&Type>,
        init: &Expr,
    ) -> Option<Lowered> {
        let labels = match declared {
            Some(Type::Tuple(tuple)) => numbers(tuple.elems.len()),
            _ => self.labels(init)?,
        };
        let tuple = labels.first().is_none_or(|label| label == "0");
        let parts = match declared {
            Some(ty) if tuple => self.tuple_parts(labels.len(), Some(ty)),
            _ => self.parts(labels),
        };
        let (ir, cpu) = self.parts_into(init, &parts);
        let ty = match declared {
            Some(ty) if !tuple => quote!(: #ty),
            _ if tuple => {
                let ty = self.tuple_type(&parts);
                quote!(: #ty)
            }
            _ => TokenStream::new(),
        };
        let (name, mutable) = (&pat.ident, pat.mutability);
        self.check_fresh(name);
        self.bind(name, Name::Parts(parts, mutable.is_some()));
        Some((ir, quote!(let #mutable #name #ty = #cpu;)))
    }

    /// The labels of what an expression gives, if that is of parts.
    pub(super) fn labels(&self, expr: &Expr) -> Option<Vec<String>> {
        match expr {
            Expr::Tuple(tuple) => Some(numbers(tuple.elems.len())),
            Expr::Struct(data) => Some(data.fields.iter().map(|f| label(&f.member)).collect()),
            Expr::Paren(paren) => self.labels(&paren.expr),
            Expr::Block(block) => self.block_labels(&block.block),
            Expr::If(branch) => self.block_labels(&branch.then_branch),
            Expr::Match(found) => self.labels(&found.arms.first()?.body),
            Expr::Path(path) => match self.lookup(path.path.get_ident()?)? {
                Name::Parts(parts, _) => Some(parts.into_iter().map(|p| p.label).collect()),
                _ => None,
            },
            _ => None,
        }
    }

    fn block_labels(&self, block: &Block) -> Option<Vec<String>> {
        match block.stmts.last()? {
            Stmt::Expr(last, None) => self.labels(last),
            _ => None,
        }
    }

    /// `(a, b) = (b, a)`: all values first, then all assignments.
    pub(super) fn assign_parts(&mut self, places: &syn::ExprTuple, value: &Expr) -> Lowered {
        let parts = self.parts(numbers(places.elems.len()));
        let (mut ir, cpu) = self.parts_into(value, &parts);
        let names: Vec<Ident> = (0..parts.len())
            .map(|n| Ident::new(&format!("__part_{n}"), proc_macro2::Span::mixed_site()))
            .collect();
        let mut assigns = TokenStream::new();
        for ((place, part), name) in places.elems.iter().zip(&parts).zip(&names) {
            let value = Typed {
                term: part.term,
                ir: Ir::Local(part.id),
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

    /// Whether a path names a tuple or struct.
    pub(super) fn names_parts(&self, path: &ExprPath) -> bool {
        let name = path.path.get_ident();
        matches!(name.and_then(|n| self.lookup(n)), Some(Name::Parts(..)))
    }

    /// `t = (..)`: all values first, then all parts.
    pub(super) fn assign_whole(&mut self, path: &ExprPath, value: &Expr) -> Lowered {
        let name = path.path.get_ident().expect("it names parts");
        let Some(Name::Parts(parts, mutable)) = self.lookup(name) else {
            unreachable!("it names parts")
        };
        if !mutable {
            let help = format!("declare it with `let mut {name}` to assign it");
            self.error(name.span(), help);
        }
        let new = self.parts(parts.iter().map(|p| p.label.clone()).collect());
        let (mut ir, cpu) = self.parts_into(value, &new);
        for (part, new) in parts.iter().zip(&new) {
            self.own_local(part.id, name.span());
            self.unify(part.term, new.term, value.span());
            ir.push(IrStmt::Set(part.id, Ir::Local(new.id)));
        }
        (ir, quote!(#name = #cpu;))
    }

    pub(super) fn parts(&mut self, labels: Vec<String>) -> Vec<Part> {
        let part = |label: String| {
            let term = self.infer.literal(Class::Any);
            let id = self.new_local(&label, term);
            Part { label, id, term }
        };
        labels.into_iter().map(part).collect()
    }

    pub(super) fn tuple_parts(&mut self, count: usize, declared: Option<&Type>) -> Vec<Part> {
        let parts = self.parts(numbers(count));
        match declared {
            Some(Type::Tuple(tuple)) if tuple.elems.len() == parts.len() => {
                for (ty, part) in tuple.elems.iter().zip(&parts) {
                    match self.named(ty) {
                        Some(known) => self.unify(Term::Known(known), part.term, ty.span()),
                        None => self.error(ty.span(), "the parts of a tuple are scalars"),
                    }
                }
            }
            Some(other) => self.error(other.span(), "this is a tuple of another shape"),
            None => {}
        }
        parts
    }

    fn tuple_type(&self, parts: &[Part]) -> TokenStream {
        let types = parts.iter().map(|part| self.rust_type(part.term));
        quote!((#(#types,)*))
    }

    /// Evaluates a tuple or struct into its parts; the CPU code is its value.
    pub(super) fn parts_into(&mut self, expr: &Expr, parts: &[Part]) -> Lowered {
        match expr {
            Expr::Tuple(tuple) if tuple.elems.len() == parts.len() => {
                let mut ir = Vec::new();
                let mut cpus = Vec::new();
                for (elem, part) in tuple.elems.iter().zip(parts) {
                    let value = self.value(elem);
                    self.unify(part.term, value.term, value.span);
                    ir.push(IrStmt::Set(part.id, value.ir));
                    cpus.push(value.cpu);
                }
                (ir, quote!((#(#cpus,)*)))
            }
            Expr::Struct(data) => self.struct_into(data, parts),
            Expr::Paren(paren) => self.parts_into(&paren.expr, parts),
            Expr::Block(block) if block.label.is_none() => self.block_into(&block.block, parts),
            Expr::If(branch) => {
                let condition = self.condition(&branch.cond);
                let (yes_ir, yes) = self.block_into(&branch.then_branch, parts);
                let (no_ir, no) = match &branch.else_branch {
                    Some((_, other)) => self.parts_into(other, parts),
                    None => {
                        self.error(branch.span(), "an `if` used as a value needs an `else`");
                        Lowered::default()
                    }
                };
                let test = condition.cpu;
                let ir = vec![IrStmt::If(condition.ir, yes_ir, no_ir)];
                (ir, quote!((if #test { #yes } else { #no })))
            }
            Expr::Match(found) => {
                let (ir, cpu) = self.match_arms(found, |this, body| this.parts_into(body, parts));
                (ir, quote!((#cpu)))
            }
            Expr::Path(path) => match path.path.get_ident().and_then(|n| self.lookup(n)) {
                Some(Name::Parts(from, _)) if same_labels(&from, parts) => {
                    let mut ir = Vec::new();
                    for part in parts {
                        let from = from.iter().find(|p| p.label == part.label);
                        let from = from.expect("the labels are the same");
                        self.unify(part.term, from.term, expr.span());
                        ir.push(IrStmt::Set(part.id, Ir::Local(from.id)));
                    }
                    (ir, quote!(#path))
                }
                _ => self.no_parts(expr, parts),
            },
            _ => self.no_parts(expr, parts),
        }
    }

    /// `Name { a, b: value }`, every field written out.
    fn struct_into(&mut self, data: &ExprStruct, parts: &[Part]) -> Lowered {
        if let Some(rest) = &data.rest {
            let help = "write every field out; `..` is not in the section language";
            self.error(rest.span(), help);
        }
        let labels: Vec<String> = data.fields.iter().map(|f| label(&f.member)).collect();
        let given = |part: &Part| labels.contains(&part.label);
        if labels.len() != parts.len() || !parts.iter().all(given) {
            return self.no_parts(data, parts);
        }
        let (mut ir, mut cpus) = (Vec::new(), Vec::new());
        for (field, label) in data.fields.iter().zip(&labels) {
            let part = parts.iter().find(|p| p.label == *label);
            let part = part.expect("every field is given");
            let value = self.value(&field.expr);
            self.unify(part.term, value.term, value.span);
            self.settled_field(part.term, value.span);
            ir.push(IrStmt::Set(part.id, value.ir));
            let (member, cpu) = (&field.member, value.cpu);
            cpus.push(quote!(#member: #cpu));
        }
        let path = &data.path;
        (ir, quote!((#path { #(#cpus),* })))
    }

    fn no_parts(&mut self, expr: &impl Spanned, parts: &[Part]) -> Lowered {
        let labels: Vec<&str> = parts.iter().map(|p| p.label.as_str()).collect();
        let help = if labels.first().is_none_or(|label| *label == "0") {
            format!(
                "a tuple of {} parts stands here, written out: `(a, b)`",
                parts.len()
            )
        } else {
            format!(
                "a struct with the fields {} stands here, written out",
                labels.join(", ")
            )
        };
        self.error(expr.span(), help);
        Lowered::default()
    }

    fn block_into(&mut self, block: &Block, parts: &[Part]) -> Lowered {
        let Some((Stmt::Expr(last, None), before)) = block.stmts.split_last() else {
            self.error(
                block.span(),
                "a block used as a value ends with an expression",
            );
            return Lowered::default();
        };
        self.scoped(|this| {
            let (mut ir, before) = this.stmts(before);
            let (more, last) = this.parts_into(last, parts);
            ir.extend(more);
            (ir, quote!({ #before #last }))
        })
    }

    /// The part that `t.0` or `t.x` names, and whether it may be assigned.
    fn part(&mut self, field: &ExprField) -> Option<(Part, bool)> {
        let name = match &*field.base {
            Expr::Path(path) => path.path.get_ident(),
            _ => None,
        };
        let label = label(&field.member);
        match name.and_then(|n| self.lookup(n)) {
            Some(Name::Parts(parts, mutable)) => {
                let part = parts.into_iter().find(|part| part.label == label);
                if part.is_none() {
                    self.error(field.span(), format!("it has no part `{label}`"));
                }
                part.map(|part| (part, mutable))
            }
            _ => {
                let help = "fields are those of tuples, of structs made by `let`, and of struct parameters";
                self.error(field.span(), help);
                None
            }
        }
    }

    pub(super) fn part_value(&mut self, field: &ExprField) -> Typed {
        if let Some(data) = self.data_name(&field.base) {
            return self.data_field(data, field);
        }
        let span = field.span();
        match self.part(field) {
            Some((part, _)) => Typed {
                term: part.term,
                ir: Ir::Local(part.id),
                cpu: quote!(#field),
                span,
            },
            None => self.poison(span),
        }
    }

    pub(super) fn set_part(&mut self, field: &ExprField, value: Typed) -> Lowered {
        if let Some(data) = self.data_name(&field.base) {
            let help = format!(
                "`{data}` is a parameter and is not assigned; copy the field to a `let mut`"
            );
            self.error(field.span(), help);
            return Lowered::default();
        }
        let Some((part, mutable)) = self.part(field) else {
            return Lowered::default();
        };
        if !mutable {
            self.error(
                field.span(),
                "declare it with `let mut` to assign its parts",
            );
        }
        self.own_local(part.id, field.span());
        self.unify(part.term, value.term, value.span);
        let cpu = value.cpu;
        (vec![IrStmt::Set(part.id, value.ir)], quote!(#field = #cpu;))
    }
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

fn same_labels(a: &[Part], b: &[Part]) -> bool {
    a.len() == b.len() && b.iter().all(|b| a.iter().any(|a| a.label == b.label))
}

/// A field, and the name that a pattern has for it.
fn named(field: &FieldPat) -> Option<(String, Option<&PatIdent>)> {
    Some((label(&field.member), plain(&field.pat)?))
}

/// A pattern that is one name, or `_`.
pub(super) fn plain(pat: &Pat) -> Option<Option<&PatIdent>> {
    match pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(Some(pat)),
        Pat::Wild(_) => Some(None),
        _ => None,
    }
}
