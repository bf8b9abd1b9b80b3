//! One walk over the body that checks types and builds virtual ISA and CPU code together.

mod expr;
mod method;
mod stmt;

use hotsled_ir::{
    Expr as Ir, Local, LocalId, Module, Param as IrParam, ParamId, ParamKind, Stmt as IrStmt,
};
use proc_macro2::{Span, TokenStream};
use syn::{Ident, Result};

use crate::infer::{Infer, Term, Ty};
use crate::parse::{Errors, Kind, Section};

/// What a section became.
pub struct Lowered {
    /// The virtual ISA.
    pub module: Module,
    /// The prelude as CPU code.
    pub prelude: TokenStream,
    /// Start and end of the range as CPU code.
    pub range: (TokenStream, TokenStream),
    /// The loop body as CPU code.
    pub body: TokenStream,
}

/// An expression in both forms.
pub(crate) struct Typed {
    pub term: Term,
    pub ir: Ir,
    pub cpu: TokenStream,
    pub span: Span,
}

/// Lowers a section.
///
/// # Errors
/// All errors of the function at once.
pub fn section(section: &Section) -> Result<Lowered> {
    let mut first = Lower::new(section, Infer::default());
    let tried = first.section();
    let resolved = first.infer.resolved();
    first.errors.finish()?;
    drop(tried);
    let mut second = Lower::new(section, resolved);
    let lowered = second.section();
    second.errors.finish()?;
    let valid = hotsled_ir::validate(lowered.module.clone());
    match valid {
        Ok(_) => Ok(lowered),
        Err(invalid) => Err(syn::Error::new(
            section.item.sig.ident.span(),
            format!("this section cannot be expressed in the virtual ISA: {invalid}"),
        )),
    }
}

/// What a name stands for.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    Local(LocalId, Term, bool),
    Index,
    Param(usize),
}

pub(crate) struct Lower<'a> {
    pub section: &'a Section,
    pub infer: Infer,
    pub errors: Errors,
    pub locals: Vec<(String, Term)>,
    scopes: Vec<Vec<(String, Name)>>,
    /// Inside the parallel loop.
    pub in_body: bool,
    /// Loops around, within the innermost value block.
    pub loops: usize,
    /// Blocks used as values around.
    pub values: usize,
}

impl<'a> Lower<'a> {
    fn new(section: &'a Section, infer: Infer) -> Self {
        let index = (section.index.to_string(), Term::Known(Ty::Usize));
        Self {
            section,
            infer,
            errors: Errors::default(),
            locals: vec![index],
            scopes: vec![Vec::new()],
            in_body: false,
            loops: 0,
            values: 0,
        }
    }

    fn section(&mut self) -> Lowered {
        let section = self.section;
        for (n, param) in section.params.iter().enumerate() {
            self.bind(&param.name, Name::Param(n));
        }
        let (prelude_ir, prelude) = self.stmts(&section.prelude);
        let start = self.expect(&section.start, Ty::Usize);
        let end = self.expect(&section.end, Ty::Usize);
        self.check_fresh(&section.index);
        self.bind(&section.index, Name::Index);
        self.in_body = true;
        let (body_ir, body) = self.block(&section.body);
        let module = self.module(prelude_ir, body_ir);
        Lowered {
            module,
            prelude,
            range: (start.cpu, end.cpu),
            body,
        }
    }

    fn module(&self, prelude: Vec<IrStmt>, body: Vec<IrStmt>) -> Module {
        let kind = |kind| match kind {
            Kind::Scalar(ty) => ParamKind::Scalar(Ty::ir(ty)),
            Kind::Input(elem) => ParamKind::Input(elem),
            Kind::Own(elem) => ParamKind::Own(elem),
        };
        let params = self.section.params.iter().map(|p| IrParam {
            name: p.name.to_string(),
            kind: kind(p.kind),
        });
        let locals = self.locals.iter().map(|(name, term)| Local {
            name: name.clone(),
            ty: self.ty(*term).ir(),
        });
        Module {
            name: self.section.item.sig.ident.to_string(),
            params: params.collect(),
            locals: locals.collect(),
            arrays: Vec::new(),
            prelude,
            index: LocalId(0),
            body,
        }
    }

    /// The type of a term; a placeholder in the first walk, whose results are thrown away.
    pub fn ty(&self, term: Term) -> Ty {
        self.infer.known(term).unwrap_or(Ty::I32)
    }

    pub fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.errors.add(span, message);
    }

    pub fn new_local(&mut self, name: &str, term: Term) -> LocalId {
        self.locals.push((name.to_owned(), term));
        LocalId((self.locals.len() - 1) as u16)
    }

    pub fn bind(&mut self, name: &Ident, what: Name) {
        let scope = self.scopes.last_mut().expect("one scope at least");
        scope.push((name.to_string(), what));
    }

    pub fn scoped<T>(&mut self, f: impl FnOnce(&mut Self) -> T) -> T {
        self.scopes.push(Vec::new());
        let value = f(self);
        self.scopes.pop();
        value
    }

    pub fn lookup(&self, name: &Ident) -> Option<Name> {
        let find = |scope: &Vec<(String, Name)>| {
            scope.iter().rev().find(|(n, _)| name == n).map(|(_, w)| *w)
        };
        self.scopes.iter().rev().find_map(find)
    }

    /// Parameters and the index keep their names.
    pub fn check_fresh(&mut self, name: &Ident) {
        match self.lookup(name) {
            Some(Name::Param(_)) => self.error(
                name.span(),
                format!("`{name}` is a parameter; choose another name"),
            ),
            Some(Name::Index) => self.error(
                name.span(),
                format!("`{name}` is the loop index; choose another name"),
            ),
            _ => {}
        }
    }

    /// Makes two types equal, or says which differ.
    pub fn unify(&mut self, expected: Term, found: Term, span: Span) {
        let (wanted, got) = (self.infer.describe(expected), self.infer.describe(found));
        if !self.infer.unify(expected, found) {
            self.error(
                span,
                format!("expected {wanted}, found {got}; convert with `as {wanted}`"),
            );
        }
    }

    pub fn slice(&self, name: &Ident) -> Option<(ParamId, Kind)> {
        match self.lookup(name)? {
            Name::Param(n) => Some((ParamId(n as u16), self.section.params[n].kind)),
            _ => None,
        }
    }
}
