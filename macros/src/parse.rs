//! From a function item to the parts of a section.

use hotsled_ir::Elem;
use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Block, Error, Expr, FnArg, Ident, ItemFn, Label, Pat, Result, Safety, Stmt, Token, Type,
};

use crate::infer::Ty;

/// Arguments of the attribute.
#[derive(Default)]
pub struct Options {
    /// `cpu`: never offered to a device.
    pub pinned: bool,
    /// `exact`: never offered to a device that accepts operations that are not exact.
    pub exact: bool,
    /// `fast`: CPU code calls std's math functions.
    pub fast: bool,
}

/// Reads `#[section(..)]`'s arguments.
pub fn options(args: TokenStream) -> Result<Options> {
    let words = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(args)?;
    let mut options = Options::default();
    for word in &words {
        match word.to_string().as_str() {
            "cpu" => options.pinned = true,
            "exact" => options.exact = true,
            "fast" => options.fast = true,
            _ => {
                let help = "unknown argument; there are `cpu` (never offer this section to a device), `exact` \
                            (not to a device whose operations are not exact) and `fast` (std's math functions)";
                return Err(Error::new(word.span(), help));
            }
        }
        if options.exact && options.fast {
            let help = "`exact` and `fast` exclude each other; leave one out";
            return Err(Error::new(word.span(), help));
        }
    }
    Ok(options)
}

/// What a parameter is, and its element or value type.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// By value.
    Scalar(Ty),
    /// `&[T]`.
    Input(Elem),
    /// `&mut [T]`.
    Own(Elem),
    /// `&[AtomicT]`, of this integer type.
    Accumulator(Ty),
}

/// A parameter.
pub struct Param {
    /// As the user wrote it.
    pub name: Ident,
    /// Its name in CPU code.
    pub cpu: Ident,
    pub kind: Kind,
    /// A `Grid` of rows and columns instead of a slice.
    pub grid: bool,
}

/// A struct parameter, by value or by reference; each field that is used enters as a scalar.
pub struct Data {
    pub name: Ident,
    pub ty: Type,
}

/// A function that may become a section.
pub struct Section {
    pub item: ItemFn,
    pub params: Vec<Param>,
    pub data: Vec<Data>,
    /// Statements before the loop.
    pub prelude: Vec<Stmt>,
    pub parallel: Parallel,
}

/// `'label: for index in parallel(start..end) { body }`.
pub struct Parallel {
    pub label: Option<Label>,
    pub index: Ident,
    /// `parallel`, as the user wrote its path.
    pub func: Expr,
    pub start: Expr,
    pub end: Expr,
    pub body: Body,
}

/// What is done for each index.
pub enum Body {
    /// The statements of the loop.
    Loop(Block),
    /// `for (row, col) in parallel2(rows, cols) { .. }`; the loop's own range is of rows.
    Cells(Box<Cells>),
    /// `parallel(..).map(|index| value).sum()`.
    Reduce(Box<Reduction>),
}

/// A loop over rows and columns.
pub struct Cells {
    pub row: Ident,
    pub col: Ident,
    pub first: Expr,
    pub last: Expr,
    pub body: Block,
}

/// A reduction to one value of a type.
pub struct Reduction {
    pub value: Expr,
    pub how: Combine,
    pub ty: Ty,
    /// The method's name.
    pub method: Ident,
}

/// How two values become one.
#[derive(Clone)]
pub enum Combine {
    Sum,
    Product,
    Min,
    Max,
    /// By the user's closure.
    Fold(Box<Fold>),
}

/// `.fold(identity, |a, b| value)`.
#[derive(Clone)]
pub struct Fold {
    pub identity: Expr,
    pub a: Ident,
    pub b: Ident,
    pub value: Expr,
}

/// Splits the item, naming everything that is not a section's; `None` if too little is left to go on.
pub fn section(item: ItemFn, errors: &mut Errors) -> Option<Section> {
    check_signature(&item, errors);
    let data: Vec<_> = item.sig.inputs.iter().filter_map(data).collect();
    let scalars_and_slices = item
        .sig
        .inputs
        .iter()
        .filter(|arg| data_type(arg).is_none());
    let params: Vec<_> = scalars_and_slices
        .map(param)
        .chain(item.sig.generics.params.iter().filter_map(generic))
        .map(|param| errors.keep(param))
        .collect();
    let parts = errors.keep(split(&item));
    let params = params.into_iter().collect::<Option<_>>()?;
    let data = data.into_iter().map(|data| errors.keep(data));
    let data = data.collect::<Option<_>>()?;
    let (prelude, parallel) = parts?;
    Some(Section {
        params,
        data,
        prelude,
        parallel,
        item,
    })
}

/// Collects errors so that all are told at once.
#[derive(Default)]
pub struct Errors(Option<Error>);

impl Errors {
    /// Adds an error.
    pub fn add(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(Error::new(span, message));
    }

    fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The value, or its error added.
    pub fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|e| self.push(e)).ok()
    }

    /// All errors, if there were any.
    pub fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn check_signature(item: &ItemFn, errors: &mut Errors) {
    let sig = &item.sig;
    plain_function(sig, "a section", errors);
    if reduction_call(item).is_some() {
        for arg in &sig.inputs {
            if let FnArg::Typed(arg) = arg
                && let Ok(Kind::Own(_)) = kind(&arg.ty)
            {
                errors.add(
                    arg.ty.span(),
                    "a reduction writes nothing; take it as `&[T]`",
                );
            }
        }
        return;
    }
    if let syn::ReturnType::Type(_, ty) = &sig.output {
        errors.add(
            ty.span(),
            "a section with a loop returns nothing; write results to a `&mut [T]` parameter, or end \
             with `parallel(..).map(|i| ..).sum()`",
        );
    }
}

/// Names everything in the signature of a helper that is not a helper's.
pub fn helper_signature(item: &ItemFn, errors: &mut Errors) {
    plain_function(&item.sig, "a helper", errors);
    if let Some(generic) = item.sig.generics.params.first() {
        let help = "a helper is not generic; write one function per type";
        errors.add(generic.span(), help);
    }
}

fn plain_function(sig: &syn::Signature, what: &str, errors: &mut Errors) {
    let mut refuse = |span: Option<Span>, why: &str| {
        if let Some(span) = span {
            errors.add(span, format!("{what} {why}"));
        }
    };
    refuse(
        sig.asyncness.map(|t| t.span()),
        "is not async; call it from a blocking thread",
    );
    refuse(sig.constness.map(|t| t.span()), "cannot be const");
    if let Safety::Unsafe(token) = &sig.safety {
        refuse(Some(token.span()), "is a safe function");
    }
    refuse(
        sig.abi.as_ref().map(Spanned::span),
        "has Rust's own calling convention",
    );
}

/// The struct that a parameter is, or refers to: a path whose last name is none of the language's.
fn data_type(arg: &FnArg) -> Option<&Type> {
    let FnArg::Typed(arg) = arg else { return None };
    let ty = match &*arg.ty {
        Type::Reference(reference) if reference.mutability.is_none() => &*reference.elem,
        ty => ty,
    };
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let struct_like = last.ident.to_string().starts_with(char::is_uppercase);
    (struct_like && last.arguments.is_none() && atomic(ty).is_none()).then_some(ty)
}

fn data(arg: &FnArg) -> Option<Result<Data>> {
    let ty = data_type(arg)?.clone();
    Some(param_name(arg).map(|name| Data { name, ty }))
}

fn param_name(arg: &FnArg) -> Result<Ident> {
    let FnArg::Typed(arg) = arg else {
        return Err(Error::new(
            arg.span(),
            "a section is a free function; pass slices and scalars instead of self",
        ));
    };
    let Pat::Ident(pat) = &*arg.pat else {
        return Err(Error::new(
            arg.pat.span(),
            "a parameter of a section is a plain name",
        ));
    };
    if let Some(token) = pat.mutability {
        return Err(Error::new(
            token.span(),
            "parameters are not assigned in a section; copy it with `let mut`",
        ));
    }
    Ok(pat.ident.clone())
}

fn param(arg: &FnArg) -> Result<Param> {
    let name = param_name(arg)?;
    let FnArg::Typed(arg) = arg else {
        unreachable!("it has a name")
    };
    Ok(Param {
        cpu: name.clone(),
        name,
        kind: kind(&arg.ty)?,
        grid: grid(&arg.ty).is_some(),
    })
}

/// A const generic enters as a scalar; inner functions know it by another name, since they cannot
/// name what is generic around them.
fn generic(param: &syn::GenericParam) -> Option<Result<Param>> {
    let param = match param {
        syn::GenericParam::Lifetime(_) => return None,
        syn::GenericParam::Const(param) => param,
        other => {
            let help = "a section is generic over consts only; write one function per type";
            return Some(Err(Error::new(other.span(), help)));
        }
    };
    let cpu = Ident::new(&format!("__const_{}", param.ident), Span::mixed_site());
    Some(kind(&param.ty).map(|kind| Param {
        name: param.ident.clone(),
        cpu,
        kind,
        grid: false,
    }))
}

/// The elements of `&Grid<T>` and `&mut Grid<T>`.
fn grid(ty: &Type) -> Option<(&Type, bool)> {
    let Type::Reference(reference) = ty else {
        return None;
    };
    let Type::Path(path) = &*reference.elem else {
        return None;
    };
    let last = path.path.segments.last().filter(|s| s.ident == "Grid")?;
    let syn::PathArguments::AngleBracketed(args) = &last.arguments else {
        return None;
    };
    match args.args.first() {
        Some(syn::GenericArgument::Type(elem)) => Some((elem, reference.mutability.is_some())),
        _ => None,
    }
}

fn kind(ty: &Type) -> Result<Kind> {
    if let Some((cells, mutable)) = grid(ty) {
        let elem = elem(cells)?;
        return Ok(if mutable {
            Kind::Own(elem)
        } else {
            Kind::Input(elem)
        });
    }
    if let Type::Reference(reference) = ty {
        if let Type::Slice(slice) = &*reference.elem {
            if let Some(ty) = atomic(&slice.elem) {
                return match reference.mutability {
                    None => Ok(Kind::Accumulator(ty)),
                    Some(token) => Err(Error::new(
                        token.span(),
                        "an accumulator is shared: `&[AtomicU32]`",
                    )),
                };
            }
            let elem = elem(&slice.elem)?;
            return Ok(if reference.mutability.is_some() {
                Kind::Own(elem)
            } else {
                Kind::Input(elem)
            });
        }
        return Err(Error::new(
            ty.span(),
            "a section takes slices `&[T]`, `&mut [T]`, grids `&Grid<T>`, `&mut Grid<T>`, and scalars by value",
        ));
    }
    match type_name(ty).as_deref().and_then(Ty::named) {
        Some(ty) if !ty.is_storage() => Ok(Kind::Scalar(ty)),
        _ => Err(Error::new(
            ty.span(),
            "a section's parameter is a slice, a grid, f32, f64, i32, u32, i64, u64, usize, bool, or a struct \
             with `#[hotsled::device_data]`",
        )),
    }
}

/// The last name of a plain path such as `f32` or `core::primitive::f32`.
pub fn type_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().map(Ident::to_string),
        _ => None,
    }
}

/// The integer of an atomic type.
fn atomic(ty: &Type) -> Option<Ty> {
    let Type::Path(path) = ty else { return None };
    let name = path.path.segments.last()?.ident.to_string();
    let ty = Ty::named(&name.strip_prefix("Atomic")?.to_lowercase())?;
    ty.is_integer().then_some(ty)
}

fn elem(ty: &Type) -> Result<Elem> {
    let elem = match type_name(ty).as_deref() {
        Some("f32") => Elem::F32,
        Some("f64") => Elem::F64,
        Some("i32") => Elem::I32,
        Some("u32") => Elem::U32,
        Some("i64") => Elem::I64,
        Some("u64") => Elem::U64,
        Some("u8") => Elem::U8,
        Some("i8") => Elem::I8,
        Some("u16") => Elem::U16,
        Some("i16") => Elem::I16,
        _ => {
            let help = "elements of a section's slices are f32, f64, i32, u32, i64, u64, i16, u16, i8 or u8, \
                        and of accumulators AtomicU32, AtomicI32, AtomicU64, AtomicI64 or AtomicUsize";
            return Err(Error::new(ty.span(), help));
        }
    };
    Ok(elem)
}

fn split(item: &ItemFn) -> Result<(Vec<Stmt>, Parallel)> {
    let stmts = &item.block.stmts;
    if let Some(call) = reduction_call(item) {
        return Ok((stmts[..stmts.len() - 1].to_vec(), reduction(item, call)?));
    }
    let is_parallel = |s: &Stmt| matches!(s, Stmt::Expr(Expr::ForLoop(f), _) if parallel_range(&f.expr).is_some() || parallel_ranges(&f.expr).is_some());
    let Some(at) = stmts.iter().position(is_parallel) else {
        let end = item.block.brace_token.span.close();
        return Err(Error::new(
            end,
            "a section ends with one loop `for i in parallel(start..end) { .. }`, or with a reduction \
             `parallel(start..end).map(|i| ..).sum()`",
        ));
    };
    if let Some(after) = stmts.get(at + 1) {
        return Err(Error::new(
            after.span(),
            "nothing may follow the parallel loop; make it another section or do it in the caller",
        ));
    }
    let Stmt::Expr(Expr::ForLoop(for_loop), _) = &stmts[at] else {
        unreachable!("found above")
    };
    Ok((stmts[..at].to_vec(), parallel_loop(for_loop)?))
}

/// The last expression of a function that ends with a method of `parallel(..).map(..)`.
fn reduction_call(item: &ItemFn) -> Option<&syn::ExprMethodCall> {
    let Some(Stmt::Expr(Expr::MethodCall(call), None)) = item.block.stmts.last() else {
        return None;
    };
    mapped(&call.receiver).map(|_| call)
}

/// `parallel`, its argument, and the closure of `.map(..)`.
fn mapped(expr: &Expr) -> Option<(&Expr, &Expr, &Expr)> {
    let Expr::MethodCall(map) = expr else {
        return None;
    };
    let (func, range) = parallel_range(&map.receiver)?;
    (map.method == "map" && map.args.len() == 1).then(|| (func, range, &map.args[0]))
}

fn reduction(item: &ItemFn, call: &syn::ExprMethodCall) -> Result<Parallel> {
    let (func, range, closure) = mapped(&call.receiver).expect("checked by the caller");
    let (start, end) = both_ends(range)?;
    let (names, value) = plain_closure(closure, 1)?;
    let ty = match &item.sig.output {
        syn::ReturnType::Type(_, ty) => type_name(ty).as_deref().and_then(Ty::named),
        syn::ReturnType::Default => None,
    };
    let ty = ty.filter(|ty| ty.is_float() || (ty.is_integer() && *ty != Ty::Usize));
    let help = "a reduction returns f32, f64, i32, u32, i64 or u64";
    let ty = ty.ok_or_else(|| Error::new(item.sig.output.span(), help))?;
    let args: Vec<_> = call.args.iter().collect();
    let how = match (call.method.to_string().as_str(), &args[..]) {
        ("sum", []) => Combine::Sum,
        ("product", []) => Combine::Product,
        ("min", []) => Combine::Min,
        ("max", []) => Combine::Max,
        ("fold", [identity, op]) => {
            let (names, value) = plain_closure(op, 2)?;
            let [a, b] = [&names[0], &names[1]].map(Clone::clone);
            Combine::Fold(Box::new(Fold {
                identity: (*identity).clone(),
                a,
                b,
                value: value.clone(),
            }))
        }
        _ => {
            let help = "a reduction ends with `.sum()`, `.product()`, `.min()`, `.max()` or \
                        `.fold(identity, |a, b| ..)`";
            return Err(Error::new(call.method.span(), help));
        }
    };
    Ok(Parallel {
        label: None,
        index: names[0].clone(),
        func: func.clone(),
        start: start.clone(),
        end: end.clone(),
        body: Body::Reduce(Box::new(Reduction {
            value: value.clone(),
            how,
            ty,
            method: call.method.clone(),
        })),
    })
}

/// The names and the value of `|a, b| value`.
fn plain_closure(expr: &Expr, count: usize) -> Result<(Vec<Ident>, &Expr)> {
    let help = format!("write the closure here, with {count} plain name(s): `|i| ..`");
    let Expr::Closure(closure) = expr else {
        return Err(Error::new(expr.span(), help));
    };
    let names: Option<Vec<_>> = closure.inputs.iter().map(plain_name).collect();
    match names {
        Some(names) if names.len() == count => Ok((names, &closure.body)),
        _ => Err(Error::new(closure.span(), help)),
    }
}

/// `parallel` and its argument, for `parallel(..)` or `path::parallel(..)`.
fn parallel_range(expr: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::Call(call) = expr else { return None };
    let Expr::Path(path) = &*call.func else {
        return None;
    };
    let named = path
        .path
        .segments
        .last()
        .is_some_and(|s| s.ident == "parallel");
    (named && call.args.len() == 1).then(|| (&*call.func, &call.args[0]))
}

/// `parallel2` and its two arguments.
fn parallel_ranges(expr: &Expr) -> Option<(&Expr, &Expr, &Expr)> {
    let Expr::Call(call) = expr else { return None };
    let Expr::Path(path) = &*call.func else {
        return None;
    };
    let named = path
        .path
        .segments
        .last()
        .is_some_and(|s| s.ident == "parallel2");
    (named && call.args.len() == 2).then(|| (&*call.func, &call.args[0], &call.args[1]))
}

fn parallel_cells(for_loop: &syn::ExprForLoop) -> Result<Parallel> {
    let (func, rows, cols) = parallel_ranges(&for_loop.expr).expect("checked by the caller");
    let ((start, end), (first, last)) = (both_ends(rows)?, both_ends(cols)?);
    let names: Vec<_> = match &*for_loop.pat {
        Pat::Tuple(tuple) => tuple.elems.iter().filter_map(plain_name).collect(),
        _ => Vec::new(),
    };
    let [row, col] = &names[..] else {
        let help = "a two-dimensional loop names row and column: `for (r, c) in parallel2(..)`";
        return Err(Error::new(for_loop.pat.span(), help));
    };
    Ok(Parallel {
        label: for_loop.label.clone(),
        index: Ident::new("__cell", Span::mixed_site()),
        func: func.clone(),
        start: start.clone(),
        end: end.clone(),
        body: Body::Cells(Box::new(Cells {
            row: row.clone(),
            col: col.clone(),
            first: first.clone(),
            last: last.clone(),
            body: for_loop.body.clone(),
        })),
    })
}

fn plain_name(pat: &Pat) -> Option<Ident> {
    match pat {
        Pat::Ident(pat) if pat.mutability.is_none() => Some(pat.ident.clone()),
        _ => None,
    }
}

fn parallel_loop(for_loop: &syn::ExprForLoop) -> Result<Parallel> {
    if parallel_ranges(&for_loop.expr).is_some() {
        return parallel_cells(for_loop);
    }
    let (func, range) = parallel_range(&for_loop.expr).expect("checked by the caller");
    let Pat::Ident(index) = &*for_loop.pat else {
        return Err(Error::new(
            for_loop.pat.span(),
            "the index of the parallel loop is a plain name",
        ));
    };
    let (start, end) = both_ends(range)?;
    Ok(Parallel {
        label: for_loop.label.clone(),
        index: index.ident.clone(),
        func: func.clone(),
        start: start.clone(),
        end: end.clone(),
        body: Body::Loop(for_loop.body.clone()),
    })
}

/// Both ends of the range that `parallel` takes.
fn both_ends(range: &Expr) -> Result<(&Expr, &Expr)> {
    let Expr::Range(range) = range else {
        return Err(Error::new(
            range.span(),
            "parallel takes a range written out: `parallel(start..end)`",
        ));
    };
    match (&range.start, &range.end, &range.limits) {
        (Some(start), Some(end), syn::RangeLimits::HalfOpen(_)) => Ok((start, end)),
        _ => Err(Error::new(
            range.span(),
            "parallel takes `start..end` with both ends and without `=`",
        )),
    }
}
