//! Calls of functions: the user's helpers, and the library of the language.

use hotsled_ir::{
    Expr as Ir, Function, Linked, Local, MAX_NODES, Stmt as IrStmt, Type, Value, encode_function,
};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Expr, ExprCall, FnArg, Ident, ItemFn, ReturnType};

use super::argument::Arguments;
use super::{Hidden, Lower, LoweredFunction, Typed, library};
use crate::infer::{Term, Ty};

/// A function that a module or another function calls.
#[derive(Clone)]
pub enum Import {
    /// Of the library, by its name and the type its template stands for.
    Library {
        /// Name.
        name: String,
        /// Type of the first argument.
        of: Ty,
        /// Its bytes, those of its own imports behind it.
        bytes: Vec<u8>,
        /// The function.
        linked: Linked,
    },
    /// A helper of the user's, whose bytes are a constant of the type of this path.
    Helper {
        /// The path, as the user wrote it.
        path: syn::Path,
        /// Types that the call gives and takes, for a stand-in while the helper is out of sight.
        types: (Vec<Type>, Type),
    },
}

impl Import {
    /// What the validator sees: the function itself, or one with the types of the call.
    pub fn stub(&self) -> syn::Result<Linked> {
        let (path, (args, result)) = match self {
            Import::Library { linked, .. } => return Ok(linked.clone()),
            Import::Helper { path, types } => (path, types),
        };
        let local = |ty: &Type| Local {
            name: "argument".into(),
            ty: *ty,
        };
        let function = Function {
            name: "helper".into(),
            params: args.len() as u16,
            locals: args.iter().map(local).collect(),
            arrays: Vec::new(),
            body: Vec::new(),
            value: Ir::Const(zero(*result)),
            imports: 0,
        };
        Linked::new(function, &[], &mut MAX_NODES.clone())
            .map_err(|e| syn::Error::new(path.span(), e))
    }

    /// Its bytes, as an expression of type `&[u8]`.
    pub fn bytes(&self) -> TokenStream {
        match self {
            Import::Library { bytes, .. } => {
                let bytes = proc_macro2::Literal::byte_string(bytes);
                quote!(#bytes)
            }
            Import::Helper { path, .. } => helper_bytes(path),
        }
    }
}

/// The bytes of a helper, found beside the function; a plain function has none, and the compiler says so there.
fn helper_bytes(path: &syn::Path) -> TokenStream {
    let last = path.segments.last().expect("a path has a name");
    let helper = Ident::new("__helper", last.ident.span());
    quote! {{
        #[allow(unused_imports)]
        use #path as #helper;
        #[allow(unused_imports)]
        use ::hotsled::__private::no_helper::*;
        <#helper as ::hotsled::__private::DeviceFn>::BYTES
    }}
}

fn zero(ty: Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::I32 => Value::I32(0),
        Type::U32 => Value::U32(0),
        Type::I64 => Value::I64(0),
        Type::U64 => Value::U64(0),
        Type::F32 => Value::F32(0.0),
        Type::F64 => Value::F64(0.0),
    }
}

impl Lower<'_> {
    /// `helper(a, b)`, or `f32::from_bits(x)`.
    pub fn call(&mut self, call: &ExprCall) -> Typed {
        let span = call.span();
        let Expr::Path(path) = &*call.func else {
            self.error(call.func.span(), "a section calls functions by their path");
            return self.poison(span);
        };
        if let Some((ty, name)) = self.associated(&path.path) {
            let args = call.args.iter().map(|arg| self.value(arg)).collect();
            return self.associated_call(ty, &name, args, call);
        }
        match path.path.get_ident() {
            Some(name) if self.names.library => {
                let args = call.args.iter().map(|arg| self.value(arg)).collect();
                self.library_call(&name.to_string(), args, span)
            }
            _ => {
                let args = self.arguments(&call.args);
                self.helper_call(&path.path, args, span)
            }
        }
    }

    fn associated_call(&mut self, ty: Ty, name: &str, args: Vec<Typed>, call: &ExprCall) -> Typed {
        let span = call.span();
        let [arg] = &args[..] else {
            return self.no_function(ty, name, call);
        };
        if name != "from_bits" || !ty.is_float() {
            return self.no_function(ty, name, call);
        }
        self.unify(Term::Known(ty.unsigned()), arg.term, arg.span);
        let (rust, bits) = (self.rust_type(Term::Known(ty)), &arg.cpu);
        Typed {
            term: Term::Known(ty),
            ir: Ir::Bits(ty.ir(), Box::new(arg.ir.clone())),
            cpu: quote!(<#rust>::from_bits(#bits)),
            span,
        }
    }

    fn no_function(&mut self, ty: Ty, name: &str, call: &ExprCall) -> Typed {
        let help = format!(
            "`{}::{name}` is not in the section language; write it as a method, \
             `value.{name}(..)`, or use `from_bits` of a float",
            ty.name()
        );
        self.error(call.func.span(), help);
        self.poison(call.span())
    }

    fn helper_call(&mut self, path: &syn::Path, args: Arguments, span: Span) -> Typed {
        let shown = quote!(#path).to_string().replace(' ', "");
        let term = self.open_term(
            span,
            format!("the type of this is not known here; say it: `let v: f32 = {shown}(..)`"),
        );
        let Arguments {
            before,
            scalars,
            cpus,
        } = args;
        scalars.iter().for_each(|arg| self.settled_argument(arg));
        let types = scalars.iter().map(|a| self.ty(a.term).ir()).collect();
        let result = self.ty(term).ir();
        self.imports.push(Import::Helper {
            path: path.clone(),
            types: (types, result),
        });
        let import = (self.imports.len() - 1) as u16;
        let call = Ir::Call(import, scalars.into_iter().map(|a| a.ir).collect());
        Typed {
            term,
            ir: match before.is_empty() {
                true => call,
                false => Ir::Block(before, Box::new(call)),
            },
            cpu: quote!((#path(#(#cpus),*))),
            span,
        }
    }

    fn library_call(&mut self, name: &str, args: Vec<Typed>, span: Span) -> Typed {
        let Some(item) = library::function(name) else {
            self.error(span, format!("the library has no `{name}`"));
            return self.poison(span);
        };
        self.call_library(&item, Term::Known(Ty::F64), args, span)
    }

    /// Calls a function of the library; the types of a template are those of `receiver`. The CPU code
    /// is left to the caller.
    pub fn call_library(
        &mut self,
        item: &ItemFn,
        receiver: Term,
        args: Vec<Typed>,
        span: Span,
    ) -> Typed {
        let of = self.ty(receiver);
        for (param, arg) in item.sig.inputs.iter().zip(&args) {
            if let FnArg::Typed(param) = param {
                let wanted = self.library_type(&param.ty, receiver);
                self.unify(wanted, arg.term, arg.span);
            }
        }
        let ReturnType::Type(_, result) = &item.sig.output else {
            unreachable!("library functions return something")
        };
        let term = self.library_type(result, receiver);
        let irs: Vec<_> = args.into_iter().map(|a| a.ir).collect();
        let mut typed = Typed {
            term,
            cpu: TokenStream::new(),
            ..self.poison(span)
        };
        if self.infer.is_final() {
            let import = self.import_library(item, of);
            if let Some(import) = self.errors.keep(import) {
                typed.ir = Ir::Call(import, irs);
            }
        }
        typed
    }

    /// What a type in the signature of a library function is for this receiver.
    fn library_type(&mut self, ty: &syn::Type, receiver: Term) -> Term {
        let types = library::types(self.ty(receiver));
        match crate::parse::type_name(ty).as_deref() {
            Some("T") => receiver,
            Some(name) => match types.iter().find(|(alias, _)| *alias == name) {
                Some((_, ty)) => Term::Known(*ty),
                None => Ty::named(name).map_or(Term::Wrong, Term::Known),
            },
            None => Term::Wrong,
        }
    }

    fn import_library(&mut self, item: &ItemFn, of: Ty) -> syn::Result<u16> {
        let name = item.sig.ident.to_string();
        let same = |i: &Import| matches!(i, Import::Library { name: n, of: t, .. } if *n == name && *t == of);
        if let Some(at) = self.imports.iter().position(same) {
            return Ok(at as u16);
        }
        let lowered = library::lower(item, of)?;
        let linked: syn::Result<Vec<_>> = lowered.imports.iter().map(Import::stub).collect();
        let linked = Linked::new(lowered.function.clone(), &linked?, &mut MAX_NODES.clone())
            .map_err(|e| syn::Error::new(item.span(), e))?;
        let mut bytes = encode_function(&lowered.function).bytes;
        for import in &lowered.imports {
            if let Import::Library { bytes: more, .. } = import {
                bytes.extend(more);
            }
        }
        self.imports.push(Import::Library {
            name,
            of,
            bytes,
            linked,
        });
        Ok((self.imports.len() - 1) as u16)
    }

    /// Lowers a whole function of scalars.
    pub(super) fn function(&mut self, item: &ItemFn) -> LoweredFunction {
        item.sig
            .inputs
            .iter()
            .for_each(|arg| self.function_param(arg));
        let params = self.locals.len() as u16;
        let value = match &item.sig.output {
            ReturnType::Type(_, ty) => {
                let result = self.named(ty).filter(|ty| !ty.is_storage());
                let value = self.value_block(&item.block, item.block.span());
                match result {
                    Some(result) => self.unify(Term::Known(result), value.term, value.span),
                    None => self.error(ty.span(), ONE_SCALAR),
                }
                value
            }
            ReturnType::Default => {
                self.error(
                    item.sig.ident.span(),
                    "a helper returns one scalar; write `-> f32`",
                );
                self.poison(item.sig.ident.span())
            }
        };
        self.settle();
        let constants = std::mem::take(&mut self.hidden);
        let set = |c: &Hidden| Some(IrStmt::Set(c.local?, Ir::Const(zero(c.ty.ir()))));
        let mut body: Vec<_> = constants.iter().filter_map(set).collect();
        let result = match value.ir {
            Ir::Block(more, result) => {
                body.extend(more);
                *result
            }
            result => result,
        };
        LoweredFunction {
            function: Function {
                name: item.sig.ident.to_string(),
                params,
                locals: self.local_list(),
                arrays: self.array_list(),
                body,
                value: result,
                imports: self.imports.len() as u16,
            },
            lens: self.lens(),
            constants,
            imports: std::mem::take(&mut self.imports),
            body: value.cpu,
        }
    }
}

const ONE_SCALAR: &str = "a helper returns one f32, f64, i32, u32, i64, u64, usize or bool; write one helper for each part \
     of anything else";
