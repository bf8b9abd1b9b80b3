//! Method calls.

use hotsled_ir::{BinOp, CmpOp, Expr as Ir, Stmt as IrStmt, UnOp};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprMethodCall, Ident};

use super::{Lower, Typed, cols_name, len_name, library, rows_name};
use crate::checked;
use crate::infer::{Term, Ty};
use crate::parse::Kind;

/// What a method is made of.
#[derive(Clone, Copy)]
enum How {
    /// An operator of the virtual ISA; std's method of this name on the CPU.
    Unary(UnOp, &'static str),
    /// As [`How::Unary`]; the operator gives the operand's type, the method `u32`.
    Count(UnOp),
    /// An operator of the virtual ISA; std's method of this name on the CPU.
    Binary(BinOp, &'static str),
    /// An operator that `hotsled_ir::math` defines for floats, and `Ord` for integers.
    Extreme(BinOp),
    Hypot,
    Clamp,
    MulAdd,
    ToBits,
    /// A template of the library; std's method of this name on the CPU.
    Template(&'static str, &'static str),
    /// A function of the library: `name_f32` or `name_f64`.
    Function,
}

/// A method, for one kind of receiver.
struct Method {
    name: &'static str,
    has: fn(Ty) -> bool,
    how: How,
}

const fn method(name: &'static str, has: fn(Ty) -> bool, how: How) -> Method {
    Method { name, has, how }
}

/// A template whose name and method are the same.
const fn template(name: &'static str, has: fn(Ty) -> bool) -> Method {
    method(name, has, How::Template(name, name))
}

const fn function(name: &'static str) -> Method {
    method(name, Ty::is_float, How::Function)
}

const fn number(ty: Ty) -> bool {
    ty.is_float() || ty.is_integer()
}

const fn unsigned(ty: Ty) -> bool {
    ty.is_integer() && !ty.is_signed()
}

const METHODS: &[Method] = &[
    method("min", number, How::Extreme(BinOp::Min)),
    method("max", number, How::Extreme(BinOp::Max)),
    method("clamp", number, How::Clamp),
    method("abs", Ty::is_float, How::Unary(UnOp::Abs, "abs")),
    method("abs", Ty::is_signed, How::Unary(UnOp::Abs, "wrapping_abs")),
    method(
        "wrapping_abs",
        Ty::is_signed,
        How::Unary(UnOp::Abs, "wrapping_abs"),
    ),
    method("sqrt", Ty::is_float, How::Unary(UnOp::Sqrt, "sqrt")),
    method("floor", Ty::is_float, How::Unary(UnOp::Floor, "floor")),
    method("ceil", Ty::is_float, How::Unary(UnOp::Ceil, "ceil")),
    method("round", Ty::is_float, How::Unary(UnOp::Round, "round")),
    method("trunc", Ty::is_float, How::Unary(UnOp::Trunc, "trunc")),
    method("hypot", Ty::is_float, How::Hypot),
    method("mul_add", Ty::is_float, How::MulAdd),
    method("to_bits", Ty::is_float, How::ToBits),
    template("copysign", Ty::is_float),
    template("fract", Ty::is_float),
    template("recip", Ty::is_float),
    template("is_nan", Ty::is_float),
    template("is_finite", Ty::is_float),
    template("is_infinite", Ty::is_float),
    template("is_sign_negative", Ty::is_float),
    template("is_sign_positive", Ty::is_float),
    method(
        "signum",
        Ty::is_float,
        How::Template("signum_float", "signum"),
    ),
    template("signum", Ty::is_signed),
    template("rem_euclid", number),
    template("div_euclid", Ty::is_integer),
    template("div_ceil", unsigned),
    method(
        "wrapping_add",
        Ty::is_integer,
        How::Binary(BinOp::Add, "wrapping_add"),
    ),
    method(
        "wrapping_sub",
        Ty::is_integer,
        How::Binary(BinOp::Sub, "wrapping_sub"),
    ),
    method(
        "wrapping_mul",
        Ty::is_integer,
        How::Binary(BinOp::Mul, "wrapping_mul"),
    ),
    template("wrapping_neg", Ty::is_integer),
    method("pow", Ty::is_integer, How::Template("pow", "wrapping_pow")),
    method(
        "wrapping_pow",
        Ty::is_integer,
        How::Template("pow", "wrapping_pow"),
    ),
    template("saturating_add", unsigned),
    template("saturating_sub", unsigned),
    template("saturating_mul", unsigned),
    method(
        "saturating_add",
        Ty::is_signed,
        How::Template("saturating_add_signed", "saturating_add"),
    ),
    method(
        "saturating_sub",
        Ty::is_signed,
        How::Template("saturating_sub_signed", "saturating_sub"),
    ),
    method(
        "saturating_mul",
        Ty::is_signed,
        How::Template("saturating_mul_signed", "saturating_mul"),
    ),
    template("abs_diff", Ty::is_integer),
    template("unsigned_abs", Ty::is_signed),
    method(
        "leading_zeros",
        Ty::is_integer,
        How::Count(UnOp::LeadingZeros),
    ),
    method("count_ones", Ty::is_integer, How::Count(UnOp::CountOnes)),
    template("trailing_zeros", Ty::is_integer),
    template("count_zeros", Ty::is_integer),
    template("leading_ones", Ty::is_integer),
    template("trailing_ones", Ty::is_integer),
    template("is_power_of_two", unsigned),
    template("rotate_left", Ty::is_integer),
    template("rotate_right", Ty::is_integer),
    function("powi"),
    function("powf"),
    function("exp"),
    function("exp2"),
    function("ln"),
    function("log2"),
    function("log10"),
    function("sin"),
    function("cos"),
    function("tan"),
    function("atan"),
    function("atan2"),
    function("tanh"),
];

impl Lower<'_> {
    /// A method call.
    pub fn method(&mut self, call: &ExprMethodCall) -> Typed {
        let name = call.method.to_string();
        if name == "len" {
            return self.len(call);
        }
        if let Some(grid) = self.grid(&call.receiver)
            && (name == "rows" || name == "cols")
        {
            return self.size_of_grid(grid, &name, call.span());
        }
        if self.is_accumulated(call) {
            let help = "what an accumulator held is not known in a section; use it as a statement: \
                        `counts[k].fetch_add(1, Relaxed);`";
            self.error(call.span(), help);
            return self.poison(call.span());
        }
        if name == "is_some"
            && let Expr::MethodCall(option) = &*call.receiver
            && let Some(op) = checked::operation(option)
        {
            return self.fits(option, &op);
        }
        if !METHODS.iter().any(|m| m.name == name) {
            self.error(call.method.span(), unknown(&name));
            return self.poison(call.span());
        }
        let receiver = self.value(&call.receiver);
        let args: Vec<_> = call.args.iter().map(|arg| self.value(arg)).collect();
        if !self.arity(call, &name, args.len()) {
            return self.poison(call.span());
        }
        let Some(how) = self.how(&name, &receiver) else {
            return self.poison(call.span());
        };
        self.known_method(how, receiver, args, call.span(), &name)
    }

    /// Whether a checked operation has a result: `a.checked_add(b).is_some()`.
    fn fits(&mut self, option: &ExprMethodCall, op: &str) -> Typed {
        let span = option.span();
        let receiver = self.value(&option.receiver);
        let arg = self.value(&option.args[0]);
        let name = option.method.to_string();
        self.unify(receiver.term, arg.term, arg.span);
        self.require(&receiver, &format!("`.{name}()`"), Ty::is_integer);
        let signed = self.infer.known(receiver.term).is_some_and(Ty::is_signed);
        let sign = if signed { "_signed" } else { "" };
        let item = library::template(&format!("fits_{op}{sign}"));
        let args = vec![arg];
        let cpu = self.std_method(&receiver, &name, &args, span);
        let cpu = quote_spanned!(span=> #cpu.is_some());
        let item = item.expect("a template for each checked operation");
        self.library_method(&item, cpu, receiver, args, span)
    }

    fn arity(&mut self, call: &ExprMethodCall, name: &str, given: usize) -> bool {
        let takes = METHODS
            .iter()
            .find(|m| m.name == name)
            .map_or(0, |m| arguments(m.how, name));
        if takes != given {
            let help = format!("`.{name}()` takes {takes} argument(s), not {given}");
            self.error(call.method.span(), help);
        }
        takes == given
    }

    /// The method of this name that the receiver's type has. While the type is not known, the first one
    /// stands for all if they agree on types.
    fn how(&mut self, name: &str, receiver: &Typed) -> Option<How> {
        let all = || METHODS.iter().filter(|m| m.name == name);
        let Some(ty) = self.infer.known(receiver.term) else {
            let fixed = all().all(|m| keeps_type(m.how));
            if !fixed && !matches!(self.infer.find(receiver.term), Term::Wrong) {
                let help =
                    format!("say the type of this number, as in `1.0f32`, before `.{name}()`");
                self.error(receiver.span, help);
                return None;
            }
            return all().next().map(|m| m.how);
        };
        let found = all().find(|m| (m.has)(ty)).map(|m| m.how);
        if found.is_none() {
            self.require(receiver, &format!("`.{name}()`"), |_| false);
        }
        found
    }

    fn known_method(
        &mut self,
        how: How,
        a: Typed,
        mut args: Vec<Typed>,
        span: Span,
        name: &str,
    ) -> Typed {
        if !matches!(how, How::Template(..) | How::Function) {
            for arg in &args {
                self.unify(a.term, arg.term, arg.span);
            }
        }
        match how {
            How::Unary(op, std) => {
                let cpu = self.std_method(&a, std, &[], span);
                unary(a, op, cpu, span)
            }
            How::Count(op) => self.count(a, op, name, span),
            How::Binary(op, std) => {
                let cpu = self.std_method(&a, std, &args, span);
                binary(a, op, args.remove(0), cpu, span)
            }
            How::Extreme(op) => {
                let cpu = self.extreme(&a, name, &args[0], span);
                binary(a, op, args.remove(0), cpu, span)
            }
            How::Hypot => {
                let cpu = self.math(&a, "hypot", &args, span);
                binary(a, BinOp::Hypot, args.remove(0), cpu, span)
            }
            How::Clamp => {
                let high = args.remove(1);
                self.clamp(a, args.remove(0), high, span)
            }
            How::MulAdd => self.mul_add(a, args, span),
            How::ToBits => self.bits_of(a, span),
            How::Template(template, std) => {
                let cpu = self.std_method(&a, std, &args, span);
                let item = library::template(template).expect("a template for each such method");
                self.library_method(&item, cpu, a, args, span)
            }
            How::Function => {
                let cpu = self.math_function(&a, name, &args, span);
                let full = format!("{name}_{}", self.float_type(&a).name());
                let item = library::function(&full).expect("a function for each such method");
                self.library_method(&item, cpu, a, args, span)
            }
        }
    }

    /// Counts bits: the operator gives the operand's type, the method `u32`.
    fn count(&mut self, a: Typed, op: UnOp, name: &str, span: Span) -> Typed {
        let cpu = self.std_method(&a, name, &[], span);
        let count = unary(a, op, cpu, span);
        let narrow = if self.ty(count.term).ir() == hotsled_ir::Type::U32 {
            count.ir
        } else {
            Ir::Cast(hotsled_ir::Type::U32, Box::new(count.ir))
        };
        Typed {
            term: Term::Known(Ty::U32),
            ir: narrow,
            ..count
        }
    }

    fn mul_add(&mut self, a: Typed, mut args: Vec<Typed>, span: Span) -> Typed {
        let cpu = self.std_method(&a, "mul_add", &args, span);
        let c = args.remove(1).ir;
        let ir = Ir::MulAdd(a.ir.into(), args.remove(0).ir.into(), c.into());
        Typed { ir, cpu, ..a }
    }

    fn bits_of(&mut self, a: Typed, span: Span) -> Typed {
        let cpu = self.std_method(&a, "to_bits", &[], span);
        let bits = self.ty(a.term).unsigned();
        Typed {
            term: Term::Known(bits),
            ir: Ir::Bits(bits.ir(), a.ir.into()),
            cpu,
            span,
        }
    }

    fn library_method(
        &mut self,
        item: &syn::ItemFn,
        cpu: TokenStream,
        a: Typed,
        args: Vec<Typed>,
        span: Span,
    ) -> Typed {
        let receiver = a.term;
        let all = std::iter::once(a).chain(args).collect();
        let typed = self.call_library(item, receiver, all, span);
        Typed { cpu, ..typed }
    }

    /// The float type of a receiver; a placeholder in the first walk.
    fn float_type(&self, a: &Typed) -> Ty {
        match self.ty(a.term) {
            Ty::F64 => Ty::F64,
            _ => Ty::F32,
        }
    }

    fn std_method(&self, a: &Typed, name: &str, args: &[Typed], span: Span) -> TokenStream {
        let (ty, method) = (self.rust_type(a.term), Ident::new(name, span));
        let all = std::iter::once(a).chain(args).map(|typed| &typed.cpu);
        quote_spanned!(span=> <#ty>::#method(#(#all),*))
    }

    /// A math function: the language's own, or std's in a fast section.
    fn math_function(&self, a: &Typed, name: &str, args: &[Typed], span: Span) -> TokenStream {
        match self.names.fast {
            true => self.std_method(a, name, args, span),
            false => self.math(a, name, args, span),
        }
    }

    /// A function of `hotsled_ir::math`.
    fn math(&self, a: &Typed, name: &str, args: &[Typed], span: Span) -> TokenStream {
        let function = Ident::new(&format!("{name}_{}", self.float_type(a).name()), span);
        let all = std::iter::once(a).chain(args).map(|typed| &typed.cpu);
        quote_spanned!(span=> ::hotsled::__private::math::#function(#(#all),*))
    }

    fn extreme(&self, a: &Typed, name: &str, b: &Typed, span: Span) -> TokenStream {
        let (ty, method) = (self.ty(a.term), Ident::new(name, span));
        let (x, y) = (&a.cpu, &b.cpu);
        if ty.is_float() {
            let float = Ident::new(ty.name(), span);
            quote!(::hotsled::__private::math::#float::#method(#x, #y))
        } else {
            let rust = self.rust_type(a.term);
            quote!(<#rust as ::core::cmp::Ord>::#method(#x, #y))
        }
    }

    /// `clamp` panics when the bounds are crossed or not numbers; NaN stays NaN.
    fn clamp(&mut self, a: Typed, low: Typed, high: Typed, span: Span) -> Typed {
        let term = a.term;
        let mut keep = |name: &str, ir| (self.new_local(name, term), ir);
        let set = [
            keep("value", a.ir),
            keep("low", low.ir),
            keep("high", high.ir),
        ];
        let [v, lo, hi] = [0, 1, 2].map(|n: usize| set[n].0).map(Ir::Local);
        let compare =
            |op, x: &Ir, y: &Ir| Ir::Compare(op, Box::new(x.clone()), Box::new(y.clone()));
        let mut stmts: Vec<_> = set
            .into_iter()
            .map(|(id, ir)| IrStmt::Set(id, ir))
            .collect();
        stmts.push(IrStmt::If(
            compare(CmpOp::Le, &lo, &hi),
            vec![],
            vec![IrStmt::Fault],
        ));
        let above = Ir::If(
            Box::new(compare(CmpOp::Gt, &v, &hi)),
            Box::new(hi),
            Box::new(v.clone()),
        );
        let value = Ir::If(
            Box::new(compare(CmpOp::Lt, &v, &lo)),
            Box::new(lo),
            Box::new(above),
        );
        let (x, l, h) = (a.cpu, low.cpu, high.cpu);
        let ty = self.ty(term);
        let cpu = if ty.is_float() {
            let float = Ident::new(ty.name(), span);
            quote_spanned!(span=> ::hotsled::__private::math::#float::clamp(#x, #l, #h))
        } else {
            let rust = self.rust_type(term);
            quote_spanned!(span=> <#rust as ::core::cmp::Ord>::clamp(#x, #l, #h))
        };
        Typed {
            term,
            ir: Ir::Block(stmts, Box::new(value)),
            cpu,
            span,
        }
    }

    fn len(&mut self, call: &ExprMethodCall) -> Typed {
        let span = call.span();
        if let Some(array) = self.array_name(&call.receiver) {
            return self.len_of_array(&array, span);
        }
        let slice = match &*call.receiver {
            Expr::Path(path) => path
                .path
                .get_ident()
                .and_then(|n| Some((n.clone(), self.slice(n)?))),
            _ => None,
        };
        let Some((name, (param, kind))) =
            slice.filter(|(_, (_, kind))| !matches!(kind, Kind::Scalar(_)))
        else {
            self.error(
                span,
                "`.len()` is asked of a slice parameter or a local array",
            );
            return self.poison(span);
        };
        let len = len_name(&name);
        let cpu = match kind {
            Kind::Own(_) => quote!(#len),
            _ if self.grid(&call.receiver).is_some() => {
                let (rows, cols) = (rows_name(&name), cols_name(&name));
                quote!((#rows * #cols))
            }
            _ => quote!(#name.len()),
        };
        Typed {
            term: Term::Known(Ty::Usize),
            ir: Ir::Len(param),
            cpu,
            span,
        }
    }
}

fn unary(a: Typed, op: UnOp, cpu: TokenStream, span: Span) -> Typed {
    Typed {
        term: a.term,
        ir: Ir::Unary(op, Box::new(a.ir)),
        cpu,
        span,
    }
}

fn binary(a: Typed, op: BinOp, b: Typed, cpu: TokenStream, span: Span) -> Typed {
    Typed {
        term: a.term,
        ir: Ir::Binary(op, Box::new(a.ir), Box::new(b.ir)),
        cpu,
        span,
    }
}

/// Arguments of a method besides its receiver.
fn arguments(how: How, name: &str) -> usize {
    let of = |item: Option<syn::ItemFn>| item.map_or(0, |item| item.sig.inputs.len() - 1);
    match how {
        How::Unary(..) | How::Count(_) | How::ToBits => 0,
        How::Binary(..) | How::Extreme(_) | How::Hypot => 1,
        How::Clamp | How::MulAdd => 2,
        How::Template(template, _) => of(library::template(template)),
        How::Function => of(library::function(&format!("{name}_f64"))),
    }
}

/// Whether the result has the receiver's type whatever that is.
fn keeps_type(how: How) -> bool {
    !matches!(
        how,
        How::Template(..) | How::Count(_) | How::ToBits | How::Function
    )
}

fn unknown(name: &str) -> String {
    let instead = match name {
        "checked_add" | "checked_sub" | "checked_mul" | "checked_div" | "checked_rem" => {
            "; an Option is not either: take it apart at once, by `.unwrap_or(..)`, `.is_some()`, \
             `if let Some(v) = ..` or `match`"
        }
        "overflowing_add" | "overflowing_sub" | "overflowing_mul" => {
            "; a pair is not either: compare with the bound first, or use a saturating method"
        }
        "get" | "get_unchecked" | "iter" | "first" | "last" => "; index the slice: `x[k]`",
        "unwrap" | "expect" => "; there is nothing to unwrap in a section",
        "asin" | "acos" | "sinh" | "cosh" | "cbrt" => "; write it with the functions that are",
        _ => "; docs/section-language.md lists what is",
    };
    format!("`.{name}()` is not in the section language{instead}")
}
