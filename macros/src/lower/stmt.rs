//! Statements.

use hotsled_ir::{ArrayId, LocalId, Stmt as IrStmt};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{BinOp, Block, Expr, Ident, Item, Local, Pat, PatIdent, Stmt, Type};

use super::length::written_number;
use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};
use crate::parse::Kind;

const CARRIED: &str = "this is made before the parallel loop, for all indices, and they run in any order; \
     make it inside the loop, or return a reduction";

pub(super) type Lowered = (Vec<IrStmt>, TokenStream);

impl Lower<'_> {
    /// A block in a scope of its own, as statements.
    pub fn block(&mut self, block: &Block) -> Lowered {
        self.scoped(|this| this.stmts(&block.stmts))
    }

    /// Statements in the current scope. Its constants come first: what stands above them sees them, too.
    pub fn stmts(&mut self, stmts: &[Stmt]) -> Lowered {
        let mut all = (Vec::new(), TokenStream::new());
        let outside = self.hidden.len();
        for item in stmts.iter().filter_map(const_of) {
            let (ir, cpu) = self.const_item(item);
            all.0.extend(ir);
            all.1.extend(cpu);
            self.check_order(item, outside);
        }
        for stmt in stmts.iter().filter(|stmt| const_of(stmt).is_none()) {
            let (ir, cpu) = self.stmt(stmt);
            all.0.extend(ir);
            all.1.extend(cpu);
        }
        all
    }

    /// A constant that one above it was made of was taken for the module's.
    fn check_order(&mut self, item: &syn::ItemConst, outside: usize) {
        if self.hidden[outside..].iter().any(|h| item.ident == h.name) {
            let help = "a constant of which others are made stands above them in a section";
            self.error(item.ident.span(), help);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) -> Lowered {
        match stmt {
            Stmt::Local(local) => self.local(local),
            Stmt::Expr(expr, _) => self.effect(expr),
            Stmt::Item(item) => {
                self.error(
                    item.span(),
                    "only `const` items stand in a section; move it out of the function",
                );
                Lowered::default()
            }
            Stmt::Macro(call) => {
                self.error(
                    call.span(),
                    "macros do not stand in a section; write the statements out",
                );
                Lowered::default()
            }
        }
    }

    /// A `const` of the section's own is a local that is not assigned.
    fn const_item(&mut self, item: &syn::ItemConst) -> Lowered {
        let value = self.value(&item.expr);
        self.declared_type(&item.ty, &value);
        let id = self.new_local(&item.ident.to_string(), value.term);
        self.check_fresh(&item.ident);
        self.bind(&item.ident, Name::Local(id, value.term, false));
        if let Some(number) = written_number(&item.expr) {
            self.numbers.insert(id, number);
        }
        self.constants.insert(id, item.clone());
        (vec![IrStmt::Set(id, value.ir)], quote!(#item))
    }

    fn local(&mut self, local: &Local) -> Lowered {
        let (pat, declared) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some(&*typed.ty)),
            pat => (pat, None),
        };
        let Some(init) = &local.init else {
            self.error(local.span(), "give a local its value where it is declared");
            return Lowered::default();
        };
        if let Some((token, _)) = &init.diverge {
            self.error(
                token.span(),
                "`let .. else` is not in the section language; use `if`",
            );
        }
        match pat {
            Pat::Tuple(parts) => self.let_parts(parts, declared, &init.expr),
            Pat::Struct(fields) => self.let_fields(fields, declared, &init.expr),
            Pat::Wild(_) => self.unused(&init.expr),
            Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
                self.let_name(pat, declared, &init.expr)
            }
            _ => {
                let help = "`let` takes a plain name, or several in `(a, b)` or `Name { a, b }`";
                self.error(pat.span(), help);
                Lowered::default()
            }
        }
    }

    fn let_name(&mut self, pat: &PatIdent, declared: Option<&Type>, init: &Expr) -> Lowered {
        if let Some(lowered) = self.let_array(pat, declared, init) {
            return lowered;
        }
        if let Some(lowered) = self.let_whole(pat, declared, init) {
            return lowered;
        }
        let value = self.value(init);
        if let Some(ty) = declared {
            self.declared_type(ty, &value);
        }
        self.check_fresh(&pat.ident);
        self.declare(&pat.ident, pat.mutability.is_some(), value)
    }

    fn declared_type(&mut self, ty: &Type, value: &Typed) {
        match self.named(ty) {
            Some(known) => self.unify(Term::Known(known), value.term, value.span),
            None => self.error(
                ty.span(),
                "a local of a section is f32, f64, i32, u32, i64, u64, usize or bool, \
                 or an array, a tuple or a struct of them, written out",
            ),
        }
    }

    /// A value nobody uses: it is checked, and has no effect but a possible panic.
    fn unused(&mut self, expr: &Expr) -> Lowered {
        let value = self.value(expr);
        let id = self.new_local("_", value.term);
        let cpu = value.cpu;
        (vec![IrStmt::Set(id, value.ir)], quote!(let _ = #cpu;))
    }

    fn declare(&mut self, name: &Ident, mutable: bool, value: Typed) -> Lowered {
        let id = self.new_local(&name.to_string(), value.term);
        self.bind(name, Name::Local(id, value.term, mutable));
        let ty = self.rust_type(value.term);
        let (cpu, mutable) = (value.cpu, mutable.then(|| quote!(mut)));
        (
            vec![IrStmt::Set(id, value.ir)],
            quote!(let #mutable #name: #ty = #cpu;),
        )
    }

    pub fn rust_type(&self, term: Term) -> TokenStream {
        let name = Ident::new(self.ty(term).name(), proc_macro2::Span::mixed_site());
        quote!(::core::primitive::#name)
    }

    /// An expression as a statement.
    pub(super) fn effect(&mut self, expr: &Expr) -> Lowered {
        match expr {
            Expr::Assign(assign) => match &*assign.left {
                Expr::Tuple(places) => self.assign_parts(places, &assign.right),
                Expr::Path(path) if self.names_parts(path) => {
                    self.assign_whole(path, &assign.right)
                }
                place => {
                    let value = self.value(&assign.right);
                    self.assign(place, value)
                }
            },
            Expr::Binary(binary) if compound(&binary.op).is_some() => {
                let op = compound(&binary.op).expect("just checked");
                let left = self.value(&binary.left);
                let right = self.operand(&op, &binary.right, &left);
                let value = self.arithmetic(&op, left, right, binary.span());
                self.assign(&binary.left, value)
            }
            Expr::If(branch) => self.branch(branch),
            Expr::Match(found) => self.match_stmt(found),
            Expr::ForLoop(for_loop) => self.counted(for_loop),
            Expr::While(while_loop) => self.while_loop(while_loop),
            Expr::Loop(endless) => self.endless(endless.label.as_ref(), &endless.body),
            Expr::Break(out) => {
                if let Some(value) = &out.expr {
                    self.error(
                        value.span(),
                        "`break` carries no value in a section; assign a local first",
                    );
                }
                self.break_out(expr, out.label.as_ref())
            }
            Expr::Continue(next) => self.next_turn(expr, next.label.as_ref()),
            Expr::Block(block) if block.label.is_none() => {
                let (ir, cpu) = self.block(&block.block);
                (ir, quote!({ #cpu }))
            }
            Expr::MethodCall(call) if self.is_accumulated(call) => self.accumulate(call),
            Expr::Tuple(unit) if unit.elems.is_empty() => Lowered::default(),
            Expr::Paren(paren) => self.effect(&paren.expr),
            other => self.unused(other),
        }
    }

    pub(super) fn assign(&mut self, place: &Expr, value: Typed) -> Lowered {
        match place {
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) => self.assign_local(name, value),
                None => self.not_a_place(place),
            },
            Expr::Index(index) => match self.array_name(&index.expr) {
                Some(array) => self.set_element(&array, index, value),
                None => self.store(index, value),
            },
            Expr::Field(field) => self.set_part(field, value),
            Expr::Paren(paren) => self.assign(&paren.expr, value),
            _ => self.not_a_place(place),
        }
    }

    fn not_a_place(&mut self, place: &Expr) -> Lowered {
        self.error(
            place.span(),
            "only locals, elements of local arrays and own elements `y[i]` are assigned in a section",
        );
        Lowered::default()
    }

    fn assign_local(&mut self, name: &Ident, value: Typed) -> Lowered {
        match self.lookup(name) {
            Some(Name::Local(id, term, mutable)) => {
                if !mutable {
                    self.error(
                        name.span(),
                        format!("declare it with `let mut {name}` to assign it"),
                    );
                }
                self.own_local(id, name.span());
                self.unify(term, value.term, value.span);
                let cpu = value.cpu;
                (vec![IrStmt::Set(id, value.ir)], quote!(#name = #cpu;))
            }
            Some(Name::Index) => self.refuse(
                name,
                "is the loop index and is not assigned; copy it to a `let mut`",
            ),
            Some(Name::Param(_) | Name::Data) => self.refuse(
                name,
                "is a parameter and is not assigned; copy it to a `let mut`",
            ),
            Some(Name::Array(..)) => self.refuse(name, "is assigned element by element"),
            Some(Name::Parts(..)) => self.refuse(name, "is assigned by `=` alone, or part by part"),
            None => self.refuse(name, "is not a local of this section"),
        }
    }

    /// Complains about an assignment that another index would see.
    pub(super) fn own_local(&mut self, id: LocalId, span: Span) {
        if usize::from(id.0) < self.shared.0 {
            self.error(span, CARRIED);
        }
    }

    /// As [`Self::own_local`], for an element of an array.
    pub(super) fn own_array(&mut self, id: ArrayId, span: Span) {
        if usize::from(id.0) < self.shared.1 {
            self.error(span, CARRIED);
        }
    }

    fn refuse(&mut self, name: &Ident, why: &str) -> Lowered {
        self.error(name.span(), format!("`{name}` {why}"));
        Lowered::default()
    }

    fn store(&mut self, index: &syn::ExprIndex, value: Typed) -> Lowered {
        let Some((name, param, elem)) = self.own_element(index) else {
            return Lowered::default();
        };
        self.unify(Term::Known(Ty::of(elem)), value.term, value.span);
        if self.values > 0 {
            self.error(
                index.span(),
                "own elements are not written inside an expression; make it a statement",
            );
        }
        let (own, cpu) = (self.own_access(&name, index.span()), value.cpu);
        (
            vec![IrStmt::Store(param, value.ir)],
            quote!({ let __value = #cpu; #own = __value; }),
        )
    }

    /// Checks that `index` is a `&mut` parameter at the loop's own index.
    pub fn own_element(
        &mut self,
        index: &syn::ExprIndex,
    ) -> Option<(Ident, hotsled_ir::ParamId, hotsled_ir::Elem)> {
        let name = match &*index.expr {
            Expr::Path(path) => path.path.get_ident().cloned(),
            _ => None,
        };
        let found = name.as_ref().and_then(|n| self.slice(n));
        let (Some(name), Some((param, Kind::Own(elem)))) = (name, found) else {
            self.error(
                index.expr.span(),
                "only a `&mut [T]` parameter is written by index in a section",
            );
            return None;
        };
        let grid = self.grid(&index.expr).is_some();
        if grid && !self.is_own_cell(&index.index) {
            self.no_cell(&name, index.index.span());
            return None;
        }
        let own_index = grid
            || matches!(&*index.index, Expr::Path(p) if p.path.get_ident().is_some_and(|i|
            matches!(self.lookup(i), Some(Name::Index))));
        if !own_index {
            let i = self.index.map_or_else(|| "i".to_owned(), Ident::to_string);
            let help = format!(
                "`{name}` is `&mut`: it is read and written only at the loop's own index, `{name}[{i}]`; \
                 pass a `&[T]` to read elsewhere, and write elsewhere by turning the loop around"
            );
            self.error(index.index.span(), help);
            return None;
        }
        if !self.in_body {
            self.error(
                index.span(),
                "own elements exist only inside the parallel loop",
            );
            return None;
        }
        Some((name, param, elem))
    }

    /// The place of an own element in CPU code; panics with Rust's message at the user's span.
    pub fn own_access(&self, name: &Ident, span: proc_macro2::Span) -> TokenStream {
        let (len, index, k) = (len_name(name), self.index, turn_name());
        let at = quote_spanned!(span=> ::hotsled::__private::own_at(#name, #k, #index, #len));
        quote!(*#at)
    }

    fn branch(&mut self, branch: &syn::ExprIf) -> Lowered {
        let condition = self.condition(&branch.cond);
        let (yes_ir, yes) = self.block(&branch.then_branch);
        let (no_ir, no) = match &branch.else_branch {
            Some((_, other)) => match &**other {
                Expr::If(nested) => self.branch(nested),
                Expr::Block(block) => self.block(&block.block),
                _ => unreachable!("syn gives if or block"),
            },
            None => Lowered::default(),
        };
        let cpu = condition.cpu;
        (
            vec![IrStmt::If(condition.ir, yes_ir, no_ir)],
            quote!(if #cpu { #yes } else { #no }),
        )
    }
}

/// Name of the variable that counts a grain's indices in CPU code.
pub(crate) fn turn_name() -> Ident {
    Ident::new("__k", proc_macro2::Span::mixed_site())
}

/// Name of the variable that holds a slice parameter's whole length in CPU code.
pub(crate) fn len_name(slice: &Ident) -> Ident {
    Ident::new(&format!("__len_{slice}"), proc_macro2::Span::mixed_site())
}

/// The operator of a compound assignment.
fn compound(op: &BinOp) -> Option<BinOp> {
    Some(match op {
        BinOp::AddAssign(t) => BinOp::Add(syn::token::Plus(t.spans[0])),
        BinOp::SubAssign(t) => BinOp::Sub(syn::token::Minus(t.spans[0])),
        BinOp::MulAssign(t) => BinOp::Mul(syn::token::Star(t.spans[0])),
        BinOp::DivAssign(t) => BinOp::Div(syn::token::Slash(t.spans[0])),
        BinOp::RemAssign(t) => BinOp::Rem(syn::token::Percent(t.spans[0])),
        BinOp::BitAndAssign(t) => BinOp::BitAnd(syn::token::And(t.spans[0])),
        BinOp::BitOrAssign(t) => BinOp::BitOr(syn::token::Or(t.spans[0])),
        BinOp::BitXorAssign(t) => BinOp::BitXor(syn::token::Caret(t.spans[0])),
        BinOp::ShlAssign(t) => BinOp::Shl(syn::token::Shl([t.spans[0], t.spans[1]])),
        BinOp::ShrAssign(t) => BinOp::Shr(syn::token::Shr([t.spans[0], t.spans[1]])),
        _ => return None,
    })
}

fn const_of(stmt: &Stmt) -> Option<&syn::ItemConst> {
    match stmt {
        Stmt::Item(Item::Const(item)) => Some(item),
        _ => None,
    }
}
