//! Lengths of local arrays: numbers, and constants that only the compiler knows.

use hotsled_ir::Value;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Expr, Ident, Lit};

use super::array::ArrayName;
use super::expr::is_constant_name;
use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};

/// The length of a local array.
#[derive(Clone)]
pub enum Length {
    /// Written out, from 1 to 2048.
    Number(u32),
    /// An expression of constants, as it stands in the source, and as one that stands alone: the compiler puts its
    /// value in the section's bytes, where an array of length 1 stands meanwhile.
    Constant {
        shown: TokenStream,
        alone: TokenStream,
    },
}

impl Length {
    /// What the virtual ISA says of it so far.
    pub fn number(&self) -> u32 {
        match self {
            Self::Number(n) => *n,
            Self::Constant { .. } => 1,
        }
    }

    /// What CPU code writes in the place of it.
    pub fn cpu(&self) -> TokenStream {
        match self {
            Self::Number(n) => (*n as usize).to_token_stream(),
            Self::Constant { shown, .. } => shown.clone(),
        }
    }

    /// An expression that has this value outside the function, too.
    pub fn alone(&self) -> TokenStream {
        match self {
            Self::Number(n) => (*n as usize).to_token_stream(),
            Self::Constant { alone, .. } => alone.clone(),
        }
    }
}

impl Lower<'_> {
    /// What stands behind the `;` of an array.
    pub(super) fn array_len(&mut self, len: &Expr) -> Option<Length> {
        let known = match len {
            Expr::Path(path) => match path.path.get_ident().and_then(|n| self.lookup(n)) {
                Some(Name::Local(id, ..)) => self.numbers.get(&id).copied(),
                _ => None,
            },
            other => written_number(other),
        };
        match known {
            Some(n @ 1..=2048) => Some(Length::Number(n as u32)),
            Some(_) => {
                let help = "the length of a local array is from 1 to 2048";
                self.error(len.span(), help);
                None
            }
            None => self.constant_len(len),
        }
    }

    fn constant_len(&mut self, len: &Expr) -> Option<Length> {
        let mut names = Vec::new();
        if let Err(other) = names_of(len, &mut names) {
            let help = "the length of a local array is a number, a constant, or computed from these by operators; \
                        give anything else a name: `const N: usize = ..;`";
            self.error(other.span(), help);
            return None;
        }
        let mut own = false;
        for name in names {
            own |= self.is_own_constant(name)?;
        }
        let mut alone = quote!(#len);
        for scope in self.scopes.iter().rev().filter(|_| own) {
            let items = scope.iter().filter_map(|(_, name)| match name {
                Name::Local(id, ..) => self.constants.get(id),
                _ => None,
            });
            alone = quote!({ #(#[allow(dead_code)] #items)* #alone });
        }
        let shown = quote!(#len);
        Some(Length::Constant { shown, alone })
    }

    /// Whether a name in a length is a `const` of this function; `None`, and an error, if it is no constant at all.
    fn is_own_constant(&mut self, name: &Ident) -> Option<bool> {
        let why = match self.lookup(name) {
            Some(Name::Local(id, ..)) if self.constants.contains_key(&id) => return Some(true),
            None if is_constant_name(name) => return Some(false),
            Some(Name::Param(n)) if self.params[n].cpu != self.params[n].name => {
                "is a const generic, and one section serves all of its values; take the largest length that is \
                 needed, from a `const` item"
            }
            _ => {
                "is not a constant; the length of a local array is a number, a constant, or computed from these"
            }
        };
        self.error(name.span(), format!("`{name}` {why}"));
        None
    }

    /// `.len()` of an array.
    pub(super) fn len_of_array(&mut self, array: &ArrayName, span: Span) -> Typed {
        let name = &array.name;
        let alone = match &self.arrays[usize::from(array.id.0)].len {
            Length::Number(n) => {
                let (n, term) = (u64::from(*n), Term::Known(Ty::Usize));
                return self.constant(Value::U64(n), Ty::Usize, term, span);
            }
            Length::Constant { alone, .. } => alone.clone(),
        };
        let shown = format!("{name}-{}-len", array.id.0);
        let len = self.hidden_scalar(shown.clone(), "length", &shown, (alone, None), span);
        self.unify(Term::Known(Ty::Usize), len.term, span);
        Typed {
            cpu: quote!(#name.len()),
            ..len
        }
    }
}

/// The plain names in an expression of constants; anything that is no such expression is the error.
fn names_of<'e>(expr: &'e Expr, names: &mut Vec<&'e Ident>) -> Result<(), &'e Expr> {
    match expr {
        Expr::Lit(lit) if matches!(lit.lit, Lit::Int(_)) => Ok(()),
        Expr::Path(path) => {
            names.extend(path.path.get_ident());
            Ok(())
        }
        Expr::Paren(inner) => names_of(&inner.expr, names),
        Expr::Group(inner) => names_of(&inner.expr, names),
        Expr::Cast(cast) => names_of(&cast.expr, names),
        Expr::Binary(binary) => {
            names_of(&binary.left, names)?;
            names_of(&binary.right, names)
        }
        other => Err(other),
    }
}

/// A number that stands in the source.
pub(super) fn written_number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Int(int) => int.base10_parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
