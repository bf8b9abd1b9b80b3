//! Expressions.

use hotsled_ir::{BinOp as IrOp, CmpOp, Expr as Ir, LocalId, ParamId, Type, UnOp, Value};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{BinOp, Block, Expr, ExprBinary, Ident, Lit, Stmt};

use super::{Lower, Name, Typed};
use crate::infer::{Class, Term, Ty};
use crate::parse::Kind;

impl Lower<'_> {
    /// An expression of a given type.
    pub fn expect(&mut self, expr: &Expr, ty: Ty) -> Typed {
        let typed = self.value(expr);
        self.unify(Term::Known(ty), typed.term, typed.span);
        typed
    }

    /// An expression as a value.
    pub fn value(&mut self, expr: &Expr) -> Typed {
        let span = expr.span();
        match expr {
            Expr::Lit(lit) => self.literal(&lit.lit, false),
            Expr::Paren(paren) => {
                let inner = self.value(&paren.expr);
                let cpu = inner.cpu;
                Typed {
                    cpu: quote!((#cpu)),
                    ..inner
                }
            }
            Expr::Group(group) => self.value(&group.expr),
            Expr::Path(path) => self.path(path),
            Expr::Unary(unary) => self.unary(unary),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Cast(cast) => self.cast(cast),
            Expr::Index(index) => self.index(index),
            Expr::MethodCall(call) => self.method(call),
            Expr::If(branch) => self.choice(branch),
            Expr::Match(found) => self.match_value(found),
            Expr::Call(call) => self.call(call),
            Expr::Field(field) => self.part_value(field),
            Expr::Block(block) if block.label.is_none() => self.value_block(&block.block, span),
            other => {
                let (what, instead) = unsupported(other);
                self.error(
                    span,
                    format!("{what} not in the section language; {instead}"),
                );
                self.poison(span)
            }
        }
    }

    /// Stands for an expression that has been complained about.
    pub fn poison(&mut self, span: Span) -> Typed {
        Typed {
            term: Term::Wrong,
            ir: Ir::Const(Value::I32(0)),
            cpu: quote!(0),
            span,
        }
    }

    fn literal(&mut self, lit: &Lit, negative: bool) -> Typed {
        let span = lit.span();
        match lit {
            Lit::Bool(b) => {
                let value = b.value;
                Typed {
                    term: Term::Known(Ty::Bool),
                    ir: Ir::Const(Value::Bool(value)),
                    cpu: quote!(#value),
                    span,
                }
            }
            Lit::Int(int) => {
                // A literal of a pattern holds its own sign.
                let text = int.base10_digits();
                let (negative, text) = match text.strip_prefix('-') {
                    Some(rest) => (true, rest),
                    None => (negative, text),
                };
                let digits = text.parse::<u128>();
                let term = self.suffix(int.suffix(), Class::Integer, span);
                match digits {
                    Ok(n) => self.number(n, term, negative, span),
                    Err(_) => self.out_of_range(span),
                }
            }
            Lit::Float(float) => {
                let term = self.suffix(float.suffix(), Class::Float, span);
                self.float(float, term, span)
            }
            _ => {
                self.error(
                    span,
                    "only numbers and bools are literals of the section language",
                );
                self.poison(span)
            }
        }
    }

    fn suffix(&mut self, suffix: &str, class: Class, span: Span) -> Term {
        match (suffix, Ty::named(suffix)) {
            ("", _) => self.infer.literal(class),
            (_, Some(ty)) => Term::Known(ty),
            _ => {
                self.error(
                    span,
                    format!("`{suffix}` is not a type of the section language"),
                );
                Term::Wrong
            }
        }
    }

    fn out_of_range(&mut self, span: Span) -> Typed {
        self.error(span, "this literal does not fit its type");
        self.poison(span)
    }

    fn number(&mut self, n: u128, term: Term, negative: bool, span: Span) -> Typed {
        let ty = self.ty(term);
        let signed = if negative { -(n as i128) } else { n as i128 };
        let value = match ty {
            Ty::I32 => i32::try_from(signed).ok().map(Value::I32),
            Ty::I64 => i64::try_from(signed).ok().map(Value::I64),
            Ty::U32 => u32::try_from(signed).ok().map(Value::U32),
            Ty::U8 => u8::try_from(signed).ok().map(|v| Value::U32(v.into())),
            Ty::U16 => u16::try_from(signed).ok().map(|v| Value::U32(v.into())),
            Ty::I8 => i8::try_from(signed).ok().map(|v| Value::I32(v.into())),
            Ty::I16 => i16::try_from(signed).ok().map(|v| Value::I32(v.into())),
            Ty::U64 | Ty::Usize => u64::try_from(signed).ok().map(Value::U64),
            Ty::F32 => Some(Value::F32(signed as f32)),
            Ty::F64 => Some(Value::F64(signed as f64)),
            Ty::Bool => None,
        };
        match value {
            Some(value) => self.constant(value, ty, term, span),
            None if self.infer.is_final() => self.out_of_range(span),
            None => Typed {
                term,
                ..self.poison(span)
            },
        }
    }

    fn float(&mut self, lit: &syn::LitFloat, term: Term, span: Span) -> Typed {
        let ty = self.ty(term);
        let digits = lit.base10_digits();
        let value = match ty {
            Ty::F64 => finite(digits, f64::is_finite).map(Value::F64),
            _ => finite(digits, f32::is_finite).map(Value::F32),
        };
        match value {
            Some(value) => self.constant(value, ty, term, span),
            None => self.out_of_range(span),
        }
    }

    pub(super) fn constant(&mut self, value: Value, ty: Ty, term: Term, span: Span) -> Typed {
        let name = ty.name();
        let text = match value {
            Value::F32(v) if v.is_finite() => format!("{v:?}f32"),
            Value::F64(v) if v.is_finite() => format!("{v:?}f64"),
            Value::F32(_) | Value::F64(_) => {
                format!("<::core::primitive::{name}>::from_bits({})", value.bits())
            }
            Value::I32(v) => format!("{v}{name}"),
            Value::I64(v) => format!("{v}{name}"),
            Value::Bool(v) => v.to_string(),
            Value::U32(_) | Value::U64(_) => format!("{}{name}", value.bits()),
        };
        let tokens: TokenStream = text.parse().expect("a Rust expression");
        let respanned = tokens.into_iter().map(|mut token| {
            token.set_span(span);
            token
        });
        Typed {
            term,
            ir: Ir::Const(value),
            cpu: respanned.collect(),
            span,
        }
    }

    fn path(&mut self, path: &syn::ExprPath) -> Typed {
        let span = path.span();
        let Some(name) = path.path.get_ident() else {
            return self.constant_path(path);
        };
        let typed = |term, ir| Typed {
            term,
            ir,
            cpu: quote!(#name),
            span,
        };
        match self.lookup(name) {
            Some(Name::Local(id, term, _)) => typed(term, Ir::Local(id)),
            Some(Name::Index) => typed(Term::Known(Ty::Usize), Ir::Local(LocalId(0))),
            Some(Name::Param(n)) => match self.params[n].kind {
                Kind::Scalar(ty) => {
                    let cpu = &self.params[n].cpu;
                    Typed {
                        cpu: quote!(#cpu),
                        ..typed(Term::Known(ty), Ir::Scalar(ParamId(n as u16)))
                    }
                }
                _ => self.misused(span, name, "is a slice; index it or ask for its `.len()`"),
            },
            Some(Name::Array(..)) => self.misused(span, name, "is an array; index it"),
            Some(Name::Parts(parts, _)) => {
                let part = &parts[0].label;
                self.misused(
                    span,
                    name,
                    &format!("is of several parts; name one, `.{part}`"),
                )
            }
            Some(Name::Data) => self.misused(span, name, "is a struct; name a field of it"),
            None if is_constant_name(name) => self.constant_path(path),
            None => {
                let help = "is not a parameter or local of this section; pass it as a parameter";
                self.misused(span, name, help)
            }
        }
    }

    fn misused(&mut self, span: Span, name: &Ident, why: &str) -> Typed {
        self.error(span, format!("`{name}` {why}"));
        self.poison(span)
    }

    fn unary(&mut self, unary: &syn::ExprUnary) -> Typed {
        let span = unary.span();
        match (&unary.op, &*unary.expr) {
            (syn::UnOp::Neg(_), Expr::Lit(lit)) if matches!(lit.lit, Lit::Int(_)) => {
                self.literal(&lit.lit, true)
            }
            (syn::UnOp::Neg(_), inner) => {
                let a = self.value(inner);
                self.require(&a, "`-`", |t| t.is_float() || t.is_signed());
                let (ty, cpu) = (self.rust_type(a.term), &a.cpu);
                let float = self.ty(a.term).is_float();
                let code = if float {
                    quote!((-(#cpu)))
                } else {
                    quote!(<#ty>::wrapping_neg(#cpu))
                };
                Typed {
                    cpu: code,
                    ir: Ir::Unary(UnOp::Neg, Box::new(a.ir)),
                    term: a.term,
                    span,
                }
            }
            (syn::UnOp::Not(_), inner) => {
                let a = self.value(inner);
                self.require(&a, "`!`", |t| t == Ty::Bool || t.is_integer());
                let cpu = a.cpu;
                Typed {
                    cpu: quote!((!(#cpu))),
                    ir: Ir::Unary(UnOp::Not, Box::new(a.ir)),
                    term: a.term,
                    span,
                }
            }
            _ => {
                self.error(
                    span,
                    "references and `*` are not in the section language; use the value itself",
                );
                self.poison(span)
            }
        }
    }

    /// Complains, in the walk that knows types, about an operator that a type does not have.
    pub fn require(&mut self, value: &Typed, what: &str, has: impl Fn(Ty) -> bool) {
        let Some(ty) = self.infer.known(value.term).filter(|ty| !has(*ty)) else {
            return;
        };
        let name = ty.name();
        let hint = if ty.is_storage() {
            let wide = if matches!(ty, Ty::I8 | Ty::I16) {
                "i32"
            } else {
                "u32"
            };
            format!("; {name} is storage: convert it first, `as {wide}` or `as f32`")
        } else {
            String::new()
        };
        self.error(
            value.span,
            format!("{name} has no {what} in the section language{hint}"),
        );
    }

    fn binary(&mut self, binary: &ExprBinary) -> Typed {
        let span = binary.span();
        if let BinOp::And(_) | BinOp::Or(_) = binary.op {
            return self.short_circuit(binary, span);
        }
        let left = self.value(&binary.left);
        let right = self.operand(&binary.op, &binary.right, &left);
        match comparison(&binary.op) {
            Some(op) => self.compare(op, &binary.op, left, right, span),
            None => self.arithmetic(&binary.op, left, right, span),
        }
    }

    fn short_circuit(&mut self, binary: &ExprBinary, span: Span) -> Typed {
        let (a, b) = (
            self.expect(&binary.left, Ty::Bool),
            self.expect(&binary.right, Ty::Bool),
        );
        let (left, op, right) = (a.cpu, &binary.op, b.cpu);
        let (x, y) = (Box::new(a.ir), Box::new(b.ir));
        let ir = if matches!(binary.op, BinOp::And(_)) {
            Ir::And(x, y)
        } else {
            Ir::Or(x, y)
        };
        Typed {
            term: Term::Known(Ty::Bool),
            ir,
            cpu: quote!((#left #op #right)),
            span,
        }
    }

    /// The right operand, of the left one's type; a shift count may be of any integer type.
    pub fn operand(&mut self, op: &BinOp, right: &Expr, left: &Typed) -> Typed {
        let value = self.value(right);
        if !matches!(op, BinOp::Shl(_) | BinOp::Shr(_)) {
            self.unify(left.term, value.term, value.span);
        }
        value
    }

    fn compare(&mut self, op: CmpOp, token: &BinOp, a: Typed, b: Typed, span: Span) -> Typed {
        if !matches!(op, CmpOp::Eq | CmpOp::Ne) {
            self.require(&a, "order", |t| t != Ty::Bool);
        }
        let (left, right) = (a.cpu, b.cpu);
        let ir = Ir::Compare(op, Box::new(a.ir), Box::new(b.ir));
        Typed {
            term: Term::Known(Ty::Bool),
            ir,
            cpu: quote!(((#left) #token (#right))),
            span,
        }
    }

    /// An arithmetic, bit or shift operation.
    pub fn arithmetic(&mut self, op: &BinOp, a: Typed, b: Typed, span: Span) -> Typed {
        let Some((ir_op, wrapping)) = operator(op) else {
            self.error(op.span(), "this operator is not in the section language");
            return self.poison(span);
        };
        let shift = matches!(ir_op, IrOp::Shl | IrOp::Shr);
        match ir_op {
            IrOp::And | IrOp::Or | IrOp::Xor => {
                self.require(&a, "bit operators", |t| t == Ty::Bool || t.is_integer())
            }
            IrOp::Shl | IrOp::Shr => self.require(&a, "shifts", Ty::is_integer),
            _ => self.require(&a, "arithmetic", |t| t.is_float() || t.is_integer()),
        }
        if shift {
            self.require(&b, "use as a shift count", Ty::is_integer);
        }
        let ty = self.rust_type(a.term);
        let (left, right) = (&a.cpu, &b.cpu);
        let integer = self.ty(a.term).is_integer();
        let cpu = match wrapping {
            Some(name) if integer && shift => quote!(<#ty>::#name(#left, (#right) as u32)),
            Some(name) if integer => quote!(<#ty>::#name(#left, #right)),
            _ => quote_spanned!(span=> ((#left) #op (#right))),
        };
        let count = if shift {
            Ir::Cast(Type::U32, Box::new(b.ir))
        } else {
            b.ir
        };
        Typed {
            term: a.term,
            ir: Ir::Binary(ir_op, Box::new(a.ir), Box::new(count)),
            cpu,
            span,
        }
    }

    fn cast(&mut self, cast: &syn::ExprCast) -> Typed {
        let span = cast.span();
        let from = self.value(&cast.expr);
        let Some(to) = self.named(&cast.ty) else {
            self.error(
                cast.ty.span(),
                "`as` converts to f32, f64 and the integers of 8 to 64 bits in a section",
            );
            return self.poison(span);
        };
        if to == Ty::Bool {
            self.error(cast.ty.span(), "compare with zero to get a bool: `!= 0`");
            return self.poison(span);
        }
        let source = self.ty(from.term);
        if source == Ty::Bool && to.is_float() && self.infer.is_final() {
            self.error(span, "a bool converts to an integer first: `as u32 as f32`");
        }
        let (cpu, name) = (&from.cpu, self.rust_type(Term::Known(to)));
        let cpu = quote_spanned!(span=> ((#cpu) as #name));
        Typed {
            term: Term::Known(to),
            ir: cast_ir(from.ir, source, to),
            cpu,
            span,
        }
    }

    fn index(&mut self, index: &syn::ExprIndex) -> Typed {
        let span = index.span();
        if let Some(array) = self.array_name(&index.expr) {
            return self.element(&array, index);
        }
        let slice = match &*index.expr {
            Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|n| Some((n.clone(), self.slice(n)?))),
            _ => None,
        };
        match slice {
            Some((_, (param, Kind::Input(elem)))) if self.params[usize::from(param.0)].grid => {
                self.grid_cell(usize::from(param.0), elem, index)
            }
            Some((name, (param, Kind::Input(elem)))) => {
                let at = self.expect(&index.index, Ty::Usize);
                let place = at.cpu;
                let cpu = quote_spanned!(span=> #name[#place]);
                Typed {
                    term: Term::Known(Ty::of(elem)),
                    ir: Ir::Load(param, Box::new(at.ir)),
                    cpu,
                    span,
                }
            }
            Some((_, (_, Kind::Own(_)))) => match self.own_element(index) {
                Some((name, param, elem)) => {
                    let cpu = self.own_access(&name, span);
                    Typed {
                        term: Term::Known(Ty::of(elem)),
                        ir: Ir::LoadOwn(param),
                        cpu: quote!((#cpu)),
                        span,
                    }
                }
                None => self.poison(span),
            },
            _ => {
                self.error(
                    index.expr.span(),
                    "only slice parameters and local arrays are indexed in a section",
                );
                self.poison(span)
            }
        }
    }

    fn choice(&mut self, branch: &syn::ExprIf) -> Typed {
        let span = branch.span();
        let condition = self.condition(&branch.cond);
        let yes = self.value_block(&branch.then_branch, branch.then_branch.span());
        let Some((_, other)) = &branch.else_branch else {
            self.error(span, "an `if` used as a value needs an `else`");
            return self.poison(span);
        };
        let no = self.value(other);
        self.unify(yes.term, no.term, no.span);
        let (test, then, other) = (condition.cpu, yes.cpu, no.cpu);
        let ir = Ir::If(Box::new(condition.ir), Box::new(yes.ir), Box::new(no.ir));
        Typed {
            term: yes.term,
            ir,
            cpu: quote!((if #test { #then } else { #other })),
            span,
        }
    }

    pub(super) fn value_block(&mut self, block: &Block, span: Span) -> Typed {
        let Some((Stmt::Expr(last, None), before)) = block.stmts.split_last() else {
            self.error(span, "a block used as a value ends with an expression");
            return self.poison(span);
        };
        let loops = std::mem::take(&mut self.loops);
        self.values += 1;
        let typed = self.scoped(|this| {
            let (ir, cpu) = this.stmts(before);
            let value = this.value(last);
            let last = value.cpu;
            let ir = if ir.is_empty() {
                value.ir
            } else {
                Ir::Block(ir, Box::new(value.ir))
            };
            Typed {
                term: value.term,
                ir,
                cpu: quote!({ #cpu #last }),
                span,
            }
        });
        self.values -= 1;
        self.loops = loops;
        typed
    }
}

/// A float literal, unless it rounds to infinity.
fn finite<F: std::str::FromStr + Copy>(digits: &str, is: fn(F) -> bool) -> Option<F> {
    digits.parse().ok().filter(|value| is(*value))
}

/// A name in capitals.
pub(super) fn is_constant_name(name: &Ident) -> bool {
    let name = name.to_string();
    name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase)
}

/// A conversion; a narrow integer is a wide one within its range in the virtual ISA.
fn cast_ir(from: Ir, source: Ty, to: Ty) -> Ir {
    let wide = if source.ir() == to.ir() {
        from
    } else {
        Ir::Cast(to.ir(), Box::new(from))
    };
    let bits = match to {
        Ty::U8 | Ty::I8 => 8,
        Ty::U16 | Ty::I16 => 16,
        _ => return wide,
    };
    let binary = |op, a, b| Ir::Binary(op, Box::new(a), Box::new(Ir::Const(b)));
    let (signed, float) = (to.ir() == Type::I32, source.is_float());
    match (signed, float) {
        (false, false) => binary(IrOp::And, wide, Value::U32((1 << bits) - 1)),
        (false, true) => binary(IrOp::Min, wide, Value::U32((1 << bits) - 1)),
        (true, false) => {
            let rest = Value::U32(32 - bits);
            binary(IrOp::Shr, binary(IrOp::Shl, wide, rest), rest)
        }
        (true, true) => {
            let most = (1 << (bits - 1)) - 1;
            let below = binary(IrOp::Min, wide, Value::I32(most));
            binary(IrOp::Max, below, Value::I32(-most - 1))
        }
    }
}

fn comparison(op: &BinOp) -> Option<CmpOp> {
    Some(match op {
        BinOp::Eq(_) => CmpOp::Eq,
        BinOp::Ne(_) => CmpOp::Ne,
        BinOp::Lt(_) => CmpOp::Lt,
        BinOp::Le(_) => CmpOp::Le,
        BinOp::Gt(_) => CmpOp::Gt,
        BinOp::Ge(_) => CmpOp::Ge,
        _ => return None,
    })
}

/// The operation, and the integer method that wraps where Rust's operator might panic.
fn operator(op: &BinOp) -> Option<(IrOp, Option<TokenStream>)> {
    Some(match op {
        BinOp::Add(_) => (IrOp::Add, Some(quote!(wrapping_add))),
        BinOp::Sub(_) => (IrOp::Sub, Some(quote!(wrapping_sub))),
        BinOp::Mul(_) => (IrOp::Mul, Some(quote!(wrapping_mul))),
        BinOp::Div(_) => (IrOp::Div, None),
        BinOp::Rem(_) => (IrOp::Rem, None),
        BinOp::BitAnd(_) => (IrOp::And, None),
        BinOp::BitOr(_) => (IrOp::Or, None),
        BinOp::BitXor(_) => (IrOp::Xor, None),
        BinOp::Shl(_) => (IrOp::Shl, Some(quote!(wrapping_shl))),
        BinOp::Shr(_) => (IrOp::Shr, Some(quote!(wrapping_shr))),
        _ => return None,
    })
}

fn unsupported(expr: &Expr) -> (&'static str, &'static str) {
    match expr {
        Expr::Macro(_) => ("macros are", "write the expression out"),
        Expr::Closure(_) => ("closures are", "write the loop out"),
        Expr::Return(_) => (
            "`return` is",
            "use `continue`, or put the rest in `if .. { }`",
        ),
        Expr::Reference(_) => ("references are", "use the value itself"),
        Expr::Array(_) | Expr::Repeat(_) => (
            "arrays inside expressions are",
            "give it a name: `let a = [..];`",
        ),
        Expr::Tuple(_) => (
            "tuples inside expressions are",
            "take it apart: `let (a, b) = ..;`",
        ),
        Expr::Struct(_) => (
            "structs inside expressions are",
            "give it a name with `let` first",
        ),
        Expr::Range(_) => ("ranges are values", "use them in `for k in start..end`"),
        Expr::Try(_) => (
            "`?` is",
            "sections cannot fail; panic by indexing if you must",
        ),
        Expr::Unsafe(_) => ("`unsafe` is", "sections are safe code"),
        Expr::Await(_) | Expr::Async(_) => ("async code is", "sections run to their end"),
        Expr::ForLoop(_) | Expr::While(_) | Expr::Loop(_) => {
            ("loops as values are", "assign a local in the loop")
        }
        Expr::Assign(_) => (
            "assignments as values are",
            "make it a statement of its own",
        ),
        _ => ("this is", "docs/section-language.md lists what is"),
    }
}
