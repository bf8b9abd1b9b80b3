//! Constants: those of the number types, and the user's own, which enter as scalars.

use hotsled_ir::{Expr as Ir, LocalId, ParamId, Value};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;

use super::{Lower, Typed};
use crate::infer::{Term, Ty};

/// A constant that the macro cannot see: its value is packed with the arguments of each call of a section, and stands
/// in the bytes of a helper.
pub struct Hidden {
    /// Its path, spelled as one name.
    pub name: String,
    pub path: TokenStream,
    /// Known from where it is used; the compiler holds it against the declaration.
    pub ty: Ty,
    /// What CPU code calls it where the path does not reach: a field of a parameter.
    pub cpu: Option<Ident>,
    /// Where a helper holds it.
    pub local: Option<LocalId>,
    pub(super) term: Term,
}

impl Lower<'_> {
    /// `f32::MAX`: the type and the last name of a path that names a number type's own item.
    pub fn associated(&self, path: &syn::Path) -> Option<(Ty, String)> {
        let mut names = path.segments.iter().rev().map(|s| s.ident.to_string());
        let (name, ty) = (names.next()?, names.next()?);
        let alias = self.names.types.iter().find(|(alias, _)| *alias == ty);
        let ty = alias.map(|(_, ty)| *ty).or_else(|| Ty::named(&ty))?;
        Some((ty, name))
    }

    /// A path as a value that is no local.
    pub fn constant_path(&mut self, path: &syn::ExprPath) -> Typed {
        let span = path.span();
        let known = match self.associated(&path.path) {
            Some((ty, name)) => own_constant(ty, &name),
            None => math_constant(&path.path),
        };
        if let Some((ty, value)) = known {
            return self.constant(value, ty, Term::Known(ty), span);
        }
        self.hidden_constant(&path.path)
    }

    fn hidden_constant(&mut self, path: &syn::Path) -> Typed {
        let shown = quote!(#path).to_string().replace(' ', "");
        self.hidden_scalar(
            shown.replace("::", "/"),
            "constant",
            &shown,
            (quote!(#path), None),
            path.span(),
        )
    }

    /// A scalar that the macro cannot see, once for all its uses.
    pub(super) fn hidden_scalar(
        &mut self,
        name: String,
        what: &str,
        shown: &str,
        (path, cpu): (TokenStream, Option<Ident>),
        span: Span,
    ) -> Typed {
        let at = match self.hidden.iter().position(|h| h.name == name) {
            Some(at) => at,
            None => {
                let help = format!(
                    "the type of this {what} is not known here; say it: `let v: f32 = {shown}`"
                );
                let term = self.open_term(span, help);
                let local = self.helper.then(|| self.new_local(&name, term));
                self.hidden.push(Hidden {
                    name,
                    path,
                    ty: self.ty(term),
                    cpu,
                    local,
                    term,
                });
                self.hidden.len() - 1
            }
        };
        let Hidden {
            path,
            cpu,
            term,
            local,
            ..
        } = &self.hidden[at];
        Typed {
            term: *term,
            ir: match local {
                Some(local) => Ir::Local(*local),
                None => Ir::Scalar(ParamId((self.params.len() + at) as u16)),
            },
            cpu: match cpu {
                Some(cpu) => quote!(#cpu),
                None => quote!((#path)),
            },
            span,
        }
    }
}

/// `MAX` and its like, of a type.
fn own_constant(ty: Ty, name: &str) -> Option<(Ty, Value)> {
    macro_rules! integer {
        ($int:ident, $wrap:path) => {
            match name {
                "MAX" => $wrap($int::MAX.into()),
                "MIN" => $wrap($int::MIN.into()),
                "BITS" => return Some((Ty::U32, Value::U32($int::BITS))),
                _ => return None,
            }
        };
    }
    macro_rules! float {
        ($float:ident, $wrap:path) => {
            $wrap(match name {
                "MAX" => $float::MAX,
                "MIN" => $float::MIN,
                "MIN_POSITIVE" => $float::MIN_POSITIVE,
                "EPSILON" => $float::EPSILON,
                "INFINITY" => $float::INFINITY,
                "NEG_INFINITY" => $float::NEG_INFINITY,
                "NAN" => $float::NAN,
                _ => return None,
            })
        };
    }
    let value = match ty {
        Ty::I32 => integer!(i32, Value::I32),
        Ty::U32 => integer!(u32, Value::U32),
        Ty::I64 => integer!(i64, Value::I64),
        Ty::U64 | Ty::Usize => integer!(u64, Value::U64),
        Ty::U8 => integer!(u8, Value::U32),
        Ty::U16 => integer!(u16, Value::U32),
        Ty::I8 => integer!(i8, Value::I32),
        Ty::I16 => integer!(i16, Value::I32),
        Ty::F32 => float!(f32, Value::F32),
        Ty::F64 => float!(f64, Value::F64),
        Ty::Bool => return None,
    };
    Some((ty, value))
}

/// `f32::consts::PI` and its like.
fn math_constant(path: &syn::Path) -> Option<(Ty, Value)> {
    let mut names = path.segments.iter().rev().map(|s| s.ident.to_string());
    let (name, consts, ty) = (names.next()?, names.next()?, names.next()?);
    if consts != "consts" {
        return None;
    }
    macro_rules! choose {
        ($float:ident, $wrap:path, $($name:ident)*) => {
            match name.as_str() {
                $(stringify!($name) => $wrap(std::$float::consts::$name),)*
                _ => return None,
            }
        };
    }
    macro_rules! all {
        ($float:ident, $wrap:path) => {
            choose!($float, $wrap, PI TAU E SQRT_2 FRAC_1_SQRT_2 LN_2 LN_10 LOG2_E LOG2_10 LOG10_E LOG10_2
                FRAC_PI_2 FRAC_PI_3 FRAC_PI_4 FRAC_PI_6 FRAC_PI_8 FRAC_1_PI FRAC_2_PI FRAC_2_SQRT_PI)
        };
    }
    match ty.as_str() {
        "f32" => Some((Ty::F32, all!(f32, Value::F32))),
        "f64" => Some((Ty::F64, all!(f64, Value::F64))),
        _ => None,
    }
}
