//! One walk over the body that checks types and builds virtual ISA and CPU code together.

mod accumulate;
mod argument;
mod array;
mod call;
mod constant;
mod data;
mod expr;
mod grid;
mod length;
mod library;
mod loops;
mod matching;
mod method;
mod reduce;
mod stmt;
mod tuple;

use std::collections::BTreeMap;

use hotsled_ir::{
    AccOp, Array, ArrayId, Expr as Ir, Function, Local, LocalId, MAX_NODES, Module,
    Param as IrParam, ParamId, ParamKind, Stmt as IrStmt,
};
use proc_macro2::{Span, TokenStream};
use syn::{Ident, ItemConst, ItemFn, Result};

use crate::infer::{Class, Infer, Term, Ty};
use crate::parse::{Body, Errors, Kind, Param, Section, type_name};
use array::LocalArray;
pub use call::Import;
pub use constant::Hidden;
pub(crate) use grid::{cols_name, rows_name};
pub use length::Length;
use loops::Around;
pub(crate) use reduce::{Reduced, identity_name, leaf_name, leaves_name, range_name};
pub(crate) use stmt::{len_name, turn_name};

/// What a section became.
pub struct Lowered {
    /// The virtual ISA, calls unlinked.
    pub module: Module,
    /// Lengths of its arrays.
    pub lens: Vec<Length>,
    /// The functions it calls, in order.
    pub imports: Vec<Import>,
    /// Constants that enter as scalars, after the parameters.
    pub hidden: Vec<Hidden>,
    /// The prelude as CPU code.
    pub prelude: TokenStream,
    /// Start and end of the range as CPU code.
    pub range: (TokenStream, TokenStream),
    /// The loop body as CPU code.
    pub body: TokenStream,
    /// For a reduction: its loop runs over leaves.
    pub reduced: Option<Reduced>,
    /// For a loop over cells: the first column and one past the last as CPU code.
    pub columns: Option<(TokenStream, TokenStream)>,
}

/// What a helper function became.
pub struct LoweredFunction {
    /// The virtual ISA, calls unlinked.
    pub function: Function,
    /// Lengths of its arrays.
    pub lens: Vec<Length>,
    /// The functions it calls, in order.
    pub imports: Vec<Import>,
    /// Constants that its first statements set.
    pub constants: Vec<Hidden>,
    /// Its body as CPU code.
    pub body: TokenStream,
}

/// An expression in both forms.
pub(crate) struct Typed {
    pub term: Term,
    pub ir: Ir,
    pub cpu: TokenStream,
    pub span: Span,
}

/// Lowers a section, whose CPU code may use std's math functions.
///
/// # Errors
/// All errors of the function at once.
pub fn section(section: &Section, fast: bool) -> Result<Lowered> {
    let names = Names {
        fast,
        ..Names::default()
    };
    let lowered = twice(|infer| {
        let mut lower = Lower::new(&section.params, names, infer);
        let lowered = lower.section(section);
        (lowered, lower.infer, lower.errors)
    })?;
    let imports: Result<Vec<_>> = lowered.imports.iter().map(Import::stub).collect();
    let linked = hotsled_ir::link(lowered.module.clone(), &imports?, &mut MAX_NODES.clone());
    let valid = match linked {
        Ok(module) => hotsled_ir::validate(module).map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let name = section.item.sig.ident.span();
    valid.map_err(|why| {
        syn::Error::new(
            name,
            format!("this section cannot be expressed in the virtual ISA: {why}"),
        )
    })?;
    Ok(lowered)
}

/// Lowers a function of scalars; `names` says what its types and calls stand for.
///
/// # Errors
/// All errors of the function at once.
pub fn function(item: &ItemFn, names: Names<'_>) -> Result<LoweredFunction> {
    twice(|infer| {
        let mut lower = Lower::new(&[], names, infer);
        lower.helper = true;
        let lowered = lower.function(item);
        (lowered, lower.infer, lower.errors)
    })
}

/// The first walk binds the types, the second meets known ones.
fn twice<T>(walk: impl Fn(Infer) -> (T, Infer, Errors)) -> Result<T> {
    let (_, infer, errors) = walk(Infer::default());
    errors.finish()?;
    let (lowered, _, errors) = walk(infer.resolved());
    errors.finish()?;
    Ok(lowered)
}

/// What names from outside stand for.
#[derive(Clone, Copy, Default)]
pub struct Names<'a> {
    /// Type names of a template.
    pub types: &'a [(&'a str, Ty)],
    /// Calls lead into the library of the language, not to the user's helpers.
    pub library: bool,
    /// CPU code calls std's math functions instead of the language's own.
    pub fast: bool,
}

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Name {
    Local(LocalId, Term, bool),
    Array(ArrayId, Term, bool),
    /// A tuple's or struct's parts, and whether they may be assigned.
    Parts(Vec<Part>, bool),
    Index,
    Param(usize),
    /// A struct parameter.
    Data,
}

/// A part of a tuple or struct, in a local of its own.
#[derive(Clone)]
pub(crate) struct Part {
    /// Its number, or its field's name.
    pub label: String,
    pub id: LocalId,
    pub term: Term,
}

/// A type that the rest of the function must decide.
struct Open {
    term: Term,
    span: Span,
    message: String,
    /// A number's default type is good enough.
    number: bool,
}

pub(crate) struct Lower<'a> {
    params: &'a [Param],
    names: Names<'a>,
    /// A function that sections call.
    helper: bool,
    /// The loop index of a section.
    index: Option<&'a Ident>,
    pub infer: Infer,
    pub errors: Errors,
    locals: Vec<(String, Term)>,
    arrays: Vec<LocalArray>,
    scopes: Vec<Vec<(String, Name)>>,
    /// Constants of the function whose number is written out.
    numbers: BTreeMap<LocalId, u64>,
    /// All constants of the function.
    constants: BTreeMap<LocalId, ItemConst>,
    imports: Vec<Import>,
    hidden: Vec<Hidden>,
    /// The one operation of each accumulator that is used, by its parameter.
    accumulators: BTreeMap<usize, AccOp>,
    /// Terms that must be known in the end, and what to say otherwise.
    open: Vec<Open>,
    /// Row and column of a loop over cells.
    cell: Option<(LocalId, LocalId)>,
    /// Inside the parallel loop.
    pub in_body: bool,
    /// So many locals and arrays are made before the parallel loop, for all indices.
    shared: (usize, usize),
    /// Loops around, within the innermost value block; first the parallel one.
    loops: Vec<Around>,
    /// Blocks used as values around.
    pub values: usize,
}

impl<'a> Lower<'a> {
    fn new(params: &'a [Param], names: Names<'a>, infer: Infer) -> Self {
        Self {
            params,
            names,
            helper: false,
            index: None,
            infer,
            errors: Errors::default(),
            locals: Vec::new(),
            arrays: Vec::new(),
            scopes: vec![Vec::new()],
            numbers: BTreeMap::new(),
            constants: BTreeMap::new(),
            imports: Vec::new(),
            hidden: Vec::new(),
            accumulators: BTreeMap::new(),
            open: Vec::new(),
            cell: None,
            in_body: false,
            shared: (0, 0),
            loops: Vec::new(),
            values: 0,
        }
    }

    fn section(&mut self, section: &'a Section) -> Lowered {
        let parallel = &section.parallel;
        let index_name = match parallel.body {
            Body::Loop(_) => parallel.index.to_string(),
            Body::Cells(_) => "cell".to_owned(),
            Body::Reduce(_) => "leaf".to_owned(),
        };
        let index = self.new_local(&index_name, Term::Known(Ty::Usize));
        for (n, param) in section.params.iter().enumerate() {
            self.bind(&param.name, Name::Param(n));
        }
        for data in &section.data {
            self.bind(&data.name, Name::Data);
        }
        self.grid_sizes();
        let (mut prelude_ir, prelude) = self.stmts(&section.prelude);
        let start = self.expect(&parallel.start, Ty::Usize);
        let end = self.expect(&parallel.end, Ty::Usize);
        self.in_body = true;
        let mut columns = None;
        self.shared = (self.locals.len(), self.arrays.len());
        let (body_ir, body, reduced) = match &parallel.body {
            Body::Loop(block) => {
                self.check_fresh(&parallel.index);
                self.bind(&parallel.index, Name::Index);
                self.index = Some(&parallel.index);
                let (ir, cpu) = self.parallel(parallel.label.as_ref(), block);
                (ir, cpu, None)
            }
            Body::Cells(cells) => {
                self.index = Some(&parallel.index);
                // The wrapper turns rows into numbers of cells.
                let (lowered, ends) = self.cells(index, parallel, cells, &mut prelude_ir);
                columns = Some(ends);
                (lowered.0, lowered.1, None)
            }
            Body::Reduce(reduction) => {
                let range = (start.ir, end.ir);
                let (before, ir, cpu, reduced) = self.reduction(index, parallel, reduction, range);
                prelude_ir.extend(before);
                (ir, cpu, Some(reduced))
            }
        };
        self.settle();
        let name = section.item.sig.ident.to_string();
        Lowered {
            module: self.module(name, index, prelude_ir, body_ir, reduced.as_ref()),
            lens: self.lens(),
            imports: std::mem::take(&mut self.imports),
            hidden: std::mem::take(&mut self.hidden),
            prelude,
            range: (start.cpu, end.cpu),
            body,
            reduced,
            columns,
        }
    }

    /// Complains about what is still of unknown type after the first walk.
    fn settle(&mut self) {
        for open in std::mem::take(&mut self.open) {
            match self.infer.open(open.term) {
                Some(Class::Any) => self.error(open.span, open.message),
                Some(_) if !open.number => self.error(open.span, open.message),
                _ => {}
            }
        }
    }

    fn module(
        &self,
        name: String,
        index: LocalId,
        prelude: Vec<IrStmt>,
        body: Vec<IrStmt>,
        reduced: Option<&Reduced>,
    ) -> Module {
        let kind = |n, kind| match kind {
            Kind::Scalar(ty) => ParamKind::Scalar(Ty::ir(ty)),
            Kind::Input(elem) => ParamKind::Input(elem),
            Kind::Own(elem) => ParamKind::Own(elem),
            Kind::Accumulator(ty) => {
                let op = self.accumulators.get(&n).copied();
                ParamKind::Accumulator(ty.elem(), op.unwrap_or(AccOp::Add))
            }
        };
        let params = self.params.iter().enumerate().map(|(n, p)| IrParam {
            name: p.name.to_string(),
            kind: kind(n, p.kind),
        });
        let hidden = self.hidden.iter().map(|h| IrParam {
            name: h.name.clone(),
            kind: ParamKind::Scalar(h.ty.ir()),
        });
        let leaves = reduced.map(|reduced| IrParam {
            name: "leaves".into(),
            kind: ParamKind::Own(reduced.ty.elem()),
        });
        Module {
            name,
            params: params.chain(hidden).chain(leaves).collect(),
            locals: self.local_list(),
            arrays: self.array_list(),
            prelude,
            index,
            body,
        }
    }

    fn local_list(&self) -> Vec<Local> {
        let local = |(name, term): &(String, Term)| Local {
            name: name.clone(),
            ty: self.ty(*term).ir(),
        };
        self.locals.iter().map(local).collect()
    }

    fn array_list(&self) -> Vec<Array> {
        let array = |array: &LocalArray| Array {
            name: array.name.clone(),
            ty: self.ty(array.term).ir(),
            len: array.len.number(),
        };
        self.arrays.iter().map(array).collect()
    }

    fn lens(&self) -> Vec<Length> {
        self.arrays.iter().map(|array| array.len.clone()).collect()
    }

    /// The type of a term; a placeholder in the first walk, whose results are thrown away.
    pub fn ty(&self, term: Term) -> Ty {
        self.infer.known(term).unwrap_or(Ty::I32)
    }

    /// A type by its name.
    pub fn named(&self, ty: &syn::Type) -> Option<Ty> {
        let name = type_name(ty)?;
        let alias = self.names.types.iter().find(|(alias, _)| *alias == name);
        alias.map(|(_, ty)| *ty).or_else(|| Ty::named(&name))
    }

    pub fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.errors.add(span, message);
    }

    /// A term that the rest of the function must decide.
    pub fn open_term(&mut self, span: Span, message: String) -> Term {
        let term = self.infer.literal(Class::Any);
        let number = true;
        self.open.push(Open {
            term,
            span,
            message,
            number,
        });
        term
    }

    /// The argument of a function that the macro cannot see: Rust would give a bare number the type
    /// of the parameter, so it must say its type.
    pub fn settled_argument(&mut self, argument: &Typed) {
        self.open.push(Open {
            term: argument.term,
            span: argument.span,
            message: "the parameter's type is not seen from here; say the number's: `2.0f32`"
                .into(),
            number: false,
        });
    }

    /// The value of a struct's field, likewise.
    pub fn settled_field(&mut self, term: Term, span: Span) {
        self.open.push(Open {
            term,
            span,
            message: "the field's type is not seen from here; say the number's: `2.0f32`".into(),
            number: false,
        });
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
            let mut newest = scope.iter().rev();
            newest.find(|(n, _)| name == n).map(|(_, w)| w.clone())
        };
        self.scopes.iter().rev().find_map(find)
    }

    /// Parameters and the index keep their names.
    pub fn check_fresh(&mut self, name: &Ident) {
        match self.lookup(name) {
            Some(Name::Param(_) | Name::Data) => self.error(
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
        if self.infer.unify(expected, found) {
            return;
        }
        let instead = if wanted == "bool" {
            "compare it, as in `!= 0`".to_owned()
        } else {
            format!("convert with `as {wanted}`")
        };
        self.error(span, format!("expected {wanted}, found {got}; {instead}"));
    }

    pub fn slice(&self, name: &Ident) -> Option<(ParamId, Kind)> {
        match self.lookup(name)? {
            Name::Param(n) => Some((ParamId(n as u16), self.params[n].kind)),
            _ => None,
        }
    }
}
