//! What helpers take: scalars, and tuples as the scalars in them.

use hotsled_ir::{Expr as Ir, Stmt as IrStmt};
use proc_macro2::{Span, TokenStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, FnArg, Pat, Token, Type, TypeTuple};

use super::tuple::plain;
use super::{Lower, Name, Part, Typed};
use crate::infer::{Term, Ty};

const SCALARS: &str =
    "a helper takes f32, f64, i32, u32, i64, u64, usize or bool by value, or a tuple of them";

/// The arguments of a call of a helper.
#[derive(Default)]
pub(super) struct Arguments {
    /// What must run first, so that tuples are their parts.
    pub before: Vec<IrStmt>,
    /// Each scalar, those of tuples one by one.
    pub scalars: Vec<Typed>,
    /// Each argument as CPU code.
    pub cpus: Vec<TokenStream>,
}

impl Lower<'_> {
    /// Arguments, evaluated from left to right.
    pub(super) fn arguments(&mut self, args: &Punctuated<Expr, Token![,]>) -> Arguments {
        let mut all = Arguments::default();
        let parted = args.iter().any(|arg| self.labels(arg).is_some());
        for arg in args {
            match self.labels(arg) {
                Some(labels) => self.tuple_argument(arg, labels, &mut all),
                None => {
                    let mut value = self.value(arg);
                    all.cpus.push(value.cpu.clone());
                    if parted {
                        let id = self.new_local("argument", value.term);
                        let ir = std::mem::replace(&mut value.ir, Ir::Local(id));
                        all.before.push(IrStmt::Set(id, ir));
                    }
                    all.scalars.push(value);
                }
            }
        }
        all
    }

    fn tuple_argument(&mut self, arg: &Expr, labels: Vec<String>, all: &mut Arguments) {
        if labels.first().is_some_and(|label| label != "0") {
            let help =
                "a helper takes no structs; pass the fields, or a tuple of them: `(p.x, p.y)`";
            self.error(arg.span(), help);
        }
        let spans: Vec<Span> = match arg {
            Expr::Tuple(tuple) => tuple.elems.iter().map(Spanned::span).collect(),
            _ => vec![arg.span(); labels.len()],
        };
        let parts = self.parts(labels);
        let loops = std::mem::take(&mut self.loops);
        self.values += 1;
        let (ir, cpu) = self.parts_into(arg, &parts);
        self.values -= 1;
        self.loops = loops;
        all.before.extend(ir);
        all.cpus.push(cpu);
        let scalar = |(part, span): (&Part, Span)| Typed {
            term: part.term,
            ir: Ir::Local(part.id),
            cpu: TokenStream::new(),
            span,
        };
        all.scalars.extend(parts.iter().zip(spans).map(scalar));
    }

    /// A parameter of a helper; its scalars are the function's next locals.
    pub(super) fn function_param(&mut self, arg: &FnArg) {
        let FnArg::Typed(arg) = arg else {
            self.error(arg.span(), "a helper is a free function; pass scalars");
            return;
        };
        match (&*arg.pat, &*arg.ty) {
            (Pat::Ident(pat), Type::Tuple(tuple)) if pat.mutability.is_none() => {
                let parts = self.tuple_param(tuple);
                self.bind(&pat.ident, Name::Parts(parts, false));
            }
            (Pat::Tuple(pats), Type::Tuple(tuple)) if pats.elems.len() == tuple.elems.len() => {
                let parts = self.tuple_param(tuple);
                for (pat, part) in pats.elems.iter().zip(&parts) {
                    match plain(pat) {
                        Some(name) if name.is_none_or(|n| n.mutability.is_none()) => {
                            self.bind_part(name, part)
                        }
                        _ => self.error(pat.span(), PLAIN),
                    }
                }
            }
            (Pat::Ident(pat), ty) if pat.mutability.is_none() => {
                let known = self.named(ty).filter(|ty| !ty.is_storage());
                let Some(known) = known.map(Term::Known) else {
                    self.error(ty.span(), SCALARS);
                    return;
                };
                let id = self.new_local(&pat.ident.to_string(), known);
                self.bind(&pat.ident, Name::Local(id, known, false));
            }
            (pat, _) => self.error(pat.span(), PLAIN),
        }
    }

    fn tuple_param(&mut self, tuple: &TypeTuple) -> Vec<Part> {
        for ty in &tuple.elems {
            if self.named(ty).is_some_and(Ty::is_storage) {
                self.error(ty.span(), SCALARS);
            }
        }
        self.tuple_parts(tuple.elems.len(), Some(&Type::Tuple(tuple.clone())))
    }
}

const PLAIN: &str = "a parameter of a helper is a plain name, or several in `(a, b)`; copy it with `let mut` to change it";
