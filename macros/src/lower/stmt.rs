//! Statements.

use hotsled_ir::{Expr as Ir, Stmt as IrStmt};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{BinOp, Block, Expr, Ident, Local, Pat, Stmt};

use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};
use crate::parse::{Kind, type_name};

type Lowered = (Vec<IrStmt>, TokenStream);

impl Lower<'_> {
    /// A block in a scope of its own, as statements.
    pub fn block(&mut self, block: &Block) -> Lowered {
        self.scoped(|this| this.stmts(&block.stmts))
    }

    /// Statements in the current scope.
    pub fn stmts(&mut self, stmts: &[Stmt]) -> Lowered {
        let mut all = (Vec::new(), TokenStream::new());
        for stmt in stmts {
            let (ir, cpu) = self.stmt(stmt);
            all.0.extend(ir);
            all.1.extend(cpu);
        }
        all
    }

    fn stmt(&mut self, stmt: &Stmt) -> Lowered {
        match stmt {
            Stmt::Local(local) => self.local(local),
            Stmt::Expr(expr, _) => self.effect(expr),
            Stmt::Item(item) => {
                self.error(
                    item.span(),
                    "items do not stand in a section; move it out of the function",
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

    fn local(&mut self, local: &Local) -> Lowered {
        let (pat, declared) = match &local.pat {
            Pat::Type(typed) => (&*typed.pat, Some(&*typed.ty)),
            pat => (pat, None),
        };
        let Pat::Ident(pat) = pat else {
            self.error(pat.span(), "`let` takes one plain name in a section");
            return Lowered::default();
        };
        let Some(init) = &local.init else {
            self.error(
                local.span(),
                format!("give `{}` a value where it is declared", pat.ident),
            );
            return Lowered::default();
        };
        if let Some((token, _)) = &init.diverge {
            self.error(
                token.span(),
                "`let .. else` is not in the section language; use `if`",
            );
        }
        let value = self.value(&init.expr);
        if let Some(ty) = declared {
            match type_name(ty).as_deref().and_then(Ty::named) {
                Some(known) => self.unify(Term::Known(known), value.term, value.span),
                None => self.error(
                    ty.span(),
                    "a local of a section is f32, f64, i32, u32, i64, u64, usize or bool",
                ),
            }
        }
        self.check_fresh(&pat.ident);
        self.declare(&pat.ident, pat.mutability.is_some(), value)
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
    fn effect(&mut self, expr: &Expr) -> Lowered {
        match expr {
            Expr::Assign(assign) => {
                let place = &*assign.left;
                let value = self.value(&assign.right);
                self.assign(place, value)
            }
            Expr::Binary(binary) if compound(&binary.op).is_some() => {
                let op = compound(&binary.op).expect("just checked");
                let left = self.value(&binary.left);
                let right = self.operand(&op, &binary.right, &left);
                let value = self.arithmetic(&op, left, right, binary.span());
                self.assign(&binary.left, value)
            }
            Expr::If(branch) => self.branch(branch),
            Expr::ForLoop(for_loop) => self.counted(for_loop),
            Expr::While(while_loop) => self.while_loop(while_loop),
            Expr::Loop(endless) => {
                self.no_label(endless.label.as_ref());
                let (ir, cpu) = self.in_loop(&endless.body);
                (vec![IrStmt::Loop(ir)], quote!(loop { #cpu }))
            }
            Expr::Break(brk) => {
                if let Some(value) = &brk.expr {
                    self.error(
                        value.span(),
                        "`break` carries no value in a section; assign a local first",
                    );
                }
                self.no_label_use(brk.label.as_ref());
                self.leave(expr, IrStmt::Break, quote_spanned!(expr.span()=> break;))
            }
            Expr::Continue(next) => {
                self.no_label_use(next.label.as_ref());
                self.leave_or_next(expr)
            }
            Expr::Block(block) if block.label.is_none() => {
                let (ir, cpu) = self.block(&block.block);
                (ir, quote!({ #cpu }))
            }
            Expr::Paren(paren) => self.effect(&paren.expr),
            other => {
                // A value nobody uses: it is checked, and has no effect but a possible panic.
                let value = self.value(other);
                let id = self.new_local("_", value.term);
                let cpu = value.cpu;
                (vec![IrStmt::Set(id, value.ir)], quote!(let _ = #cpu;))
            }
        }
    }

    fn leave(&mut self, expr: &Expr, ir: IrStmt, cpu: TokenStream) -> Lowered {
        if self.loops == 0 {
            self.error(
                expr.span(),
                "there is no inner loop to leave; the parallel loop runs every index",
            );
        }
        (vec![ir], cpu)
    }

    /// `continue` of the parallel loop itself would skip an index: say how to write it.
    fn leave_or_next(&mut self, expr: &Expr) -> Lowered {
        if self.loops == 0 {
            self.error(
                expr.span(),
                "`continue` belongs to an inner loop; put the rest of the body in `if .. { }`",
            );
        }
        (
            vec![IrStmt::Continue],
            quote_spanned!(expr.span()=> continue;),
        )
    }

    fn no_label(&mut self, label: Option<&syn::Label>) {
        if let Some(label) = label {
            self.error(
                label.span(),
                "labels are not in the section language; use a flag",
            );
        }
    }

    fn no_label_use(&mut self, label: Option<&syn::Lifetime>) {
        if let Some(label) = label {
            self.error(
                label.span(),
                "labels are not in the section language; use a flag",
            );
        }
    }

    fn assign(&mut self, place: &Expr, value: Typed) -> Lowered {
        match place {
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) => self.assign_local(name, value),
                None => self.not_a_place(place),
            },
            Expr::Index(index) => self.store(index, value),
            Expr::Paren(paren) => self.assign(&paren.expr, value),
            _ => self.not_a_place(place),
        }
    }

    fn not_a_place(&mut self, place: &Expr) -> Lowered {
        self.error(
            place.span(),
            "only locals and own elements `y[i]` are assigned in a section",
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
                self.unify(term, value.term, value.span);
                let cpu = value.cpu;
                (vec![IrStmt::Set(id, value.ir)], quote!(#name = #cpu;))
            }
            Some(Name::Index) => self.refuse(
                name,
                "is the loop index and is not assigned; copy it to a `let mut`",
            ),
            Some(Name::Param(_)) => self.refuse(
                name,
                "is a parameter and is not assigned; copy it to a `let mut`",
            ),
            None => self.refuse(name, "is not a local of this section"),
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
        let own_index = matches!(&*index.index, Expr::Path(p) if p.path.get_ident().is_some_and(|i|
            matches!(self.lookup(i), Some(Name::Index))));
        if !own_index {
            let i = &self.section.index;
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
        let (len, index) = (len_name(name), &self.section.index);
        let at = quote_spanned!(span=> ::hotsled::__private::own_at(#name, __k, #index, #len));
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

    fn in_loop(&mut self, body: &Block) -> Lowered {
        self.loops += 1;
        let lowered = self.block(body);
        self.loops -= 1;
        lowered
    }

    fn while_loop(&mut self, while_loop: &syn::ExprWhile) -> Lowered {
        self.no_label(while_loop.label.as_ref());
        let condition = self.condition(&while_loop.cond);
        let (body_ir, body) = self.in_loop(&while_loop.body);
        let mut ir = vec![IrStmt::If(condition.ir, vec![], vec![IrStmt::Break])];
        ir.extend(body_ir);
        let cpu = condition.cpu;
        (vec![IrStmt::Loop(ir)], quote!(while #cpu { #body }))
    }

    fn counted(&mut self, for_loop: &syn::ExprForLoop) -> Lowered {
        self.no_label(for_loop.label.as_ref());
        let Pat::Ident(var) = &*for_loop.pat else {
            self.error(
                for_loop.pat.span(),
                "the variable of an inner loop is a plain name",
            );
            return Lowered::default();
        };
        let Some((start, end)) = plain_range(&for_loop.expr) else {
            let help = "an inner `for` runs over `start..end`; use `while` for other steps";
            self.error(for_loop.expr.span(), help);
            return Lowered::default();
        };
        let (start, end) = (self.value(start), self.value(end));
        self.unify(start.term, end.term, end.span);
        if self
            .infer
            .known(start.term)
            .is_some_and(|t| !t.is_integer())
        {
            self.error(start.span, "an inner `for` counts integers");
        }
        self.check_fresh(&var.ident);
        let id = self.new_local(&var.ident.to_string(), start.term);
        let (body_ir, body) = self.scoped(|this| {
            this.bind(&var.ident, Name::Local(id, start.term, false));
            this.in_loop(&for_loop.body)
        });
        let (ident, ty) = (&var.ident, self.rust_type(start.term));
        let (first, last) = (start.cpu, end.cpu);
        let ir = IrStmt::For {
            var: id,
            start: start.ir,
            end: end.ir,
            body: body_ir,
        };
        (
            vec![ir],
            quote!(for #ident in (#first as #ty)..(#last as #ty) { #body }),
        )
    }

    pub fn condition(&mut self, expr: &Expr) -> Typed {
        if let Expr::Let(pattern) = expr {
            self.error(
                pattern.span(),
                "`if let` and `while let` are not in the section language; compare values",
            );
            return Typed {
                term: Term::Known(Ty::Bool),
                ir: Ir::Const(hotsled_ir::Value::Bool(false)),
                cpu: quote!(false),
                span: pattern.span(),
            };
        }
        self.expect(expr, Ty::Bool)
    }
}

/// Name of the variable that holds a slice parameter's whole length in CPU code.
pub(crate) fn len_name(slice: &Ident) -> Ident {
    Ident::new(&format!("__len_{slice}"), proc_macro2::Span::mixed_site())
}

fn plain_range(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::Range(range) if matches!(range.limits, syn::RangeLimits::HalfOpen(_)) => {
            Some((range.start.as_deref()?, range.end.as_deref()?))
        }
        Expr::Paren(paren) => plain_range(&paren.expr),
        _ => None,
    }
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
