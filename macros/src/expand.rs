//! The output: wrapper, record, cell, entry with its sled and row, CPU body.

use hotsled_abi::{NOP8, RECORDS_SECTION, SITE_VERSION, SITES_SECTION, TEXT_SECTION};
use hotsled_ir::{Elem, ParamKind};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ItemFn;
use syn::spanned::Spanned;

use crate::infer::Ty;
use crate::lower::{
    Hidden, Import, Lowered, LoweredFunction, Reduced, cols_name, identity_name, leaf_name,
    leaves_name, len_name, range_name, rows_name, turn_name,
};
use crate::parse::{Body, Cells, Kind, Options, Param, Section};

/// Everything a section becomes, inside the user's own function item.
pub fn section(section: &Section, lowered: &Lowered, options: &Options) -> TokenStream {
    let item = &section.item;
    let (attrs, vis, sig) = (&item.attrs, &item.vis, &item.sig);
    let (statics, code) = (statics(section, lowered, options), code(section, lowered));
    let parallel = &section.parallel.func;
    // The name that the user wrote must be the crate's function.
    let check = match section.parallel.body {
        Body::Cells(_) => quote!(let _ = |__rows, __cols| #parallel(__rows, __cols);),
        _ => quote! {
            let _: fn(::core::ops::Range<::core::primitive::usize>) -> ::hotsled::Parallel = #parallel;
        },
    };
    let call = match &lowered.reduced {
        None => call(section, lowered),
        Some(reduced) => reduce(section, lowered, reduced),
    };
    let data = section.data.iter().map(|data| {
        let ty = &data.ty;
        quote_spanned!(ty.span()=> ::hotsled::__private::data::<#ty>();)
    });
    quote! {
        #(#attrs)* #vis #sig {
            #check
            #(#data)*
            #statics
            #code
            #call
        }
    }
}

/// The wrapper of a loop.
fn call(section: &Section, lowered: &Lowered) -> TokenStream {
    let (start, end) = &lowered.range;
    let range = match &lowered.columns {
        None => quote!((#start)..(#end)),
        Some((first, last)) => {
            let grids = section
                .params
                .iter()
                .filter(|p| p.grid && matches!(p.kind, Kind::Own(_)));
            let sizes = grids.map(|p| {
                let (rows, cols) = (rows_name(&p.name), cols_name(&p.name));
                quote!((#rows, #cols))
            });
            quote!(::hotsled::__private::cells(&[#(#sizes),*], (#start)..(#end), (#first)..(#last)))
        }
    };
    let range = before(section, lowered, &range);
    let slots = slots(section, lowered);
    quote! {
        let __range = #range;
        ::hotsled::__private::run(&__CELL, __range, [#(#slots),*])
    }
}

/// The wrapper of a reduction: a loop over leaves, then the tree over their results.
fn reduce(section: &Section, lowered: &Lowered, reduced: &Reduced) -> TokenStream {
    let (start, end) = &lowered.range;
    let (identity, op) = (&reduced.identity, &reduced.op);
    let values = before(section, lowered, &quote!(((#start)..(#end), #identity)));
    let slots = slots(section, lowered);
    let ty = Ident::new(reduced.ty.name(), Span::mixed_site());
    quote! {
        let (__range, __identity): (_, ::core::primitive::#ty) = #values;
        let mut __leaves = ::hotsled::__private::leaves(&__range, __identity);
        let __count = __leaves.len();
        let __own = ::hotsled::__private::own_slot(&mut __leaves);
        ::hotsled::__private::run(&__CELL, 0..__count, [#(#slots,)* __own]);
        #[allow(unused_parens, unused_braces, clippy::all)]
        ::hotsled::__private::tree(&__leaves, __identity, #op)
    }
}

/// A value that the prelude may have to do with.
fn before(section: &Section, lowered: &Lowered, value: &TokenStream) -> TokenStream {
    let generics = section.params.iter().filter(|p| p.cpu != p.name).map(|p| {
        let (cpu, name) = (&p.cpu, &p.name);
        quote!(let #cpu = #name;)
    });
    let lens = section
        .params
        .iter()
        .filter(|p| matches!(p.kind, Kind::Own(_)))
        .map(|p| {
            let (len, name) = (len_name(&p.name), &p.name);
            quote!(let #len = #name.len();)
        });
    let sizes = section.params.iter().filter(|p| p.grid).map(|p| {
        let (name, rows, cols) = (&p.name, rows_name(&p.name), cols_name(&p.name));
        quote!(let (#rows, #cols) = (#name.rows(), #name.cols());)
    });
    let fields = lowered.hidden.iter().filter_map(|hidden| {
        let (cpu, path) = (hidden.cpu.as_ref()?, &hidden.path);
        let ty = Ident::new(hidden.ty.name(), Span::mixed_site());
        Some(quote!(let #cpu: ::core::primitive::#ty = #path;))
    });
    let prelude = &lowered.prelude;
    quote! {{
        #[allow(unused_variables, unused_mut, unused_assignments, dead_code, unused_parens, clippy::all)]
        let __before = {
            #(#generics)*
            #(#lens)*
            #(#sizes)*
            #(#fields)*
            #prelude
            #value
        };
        __before
    }}
}

fn slots(section: &Section, lowered: &Lowered) -> Vec<TokenStream> {
    let hidden = lowered.hidden.iter().map(hidden_slot);
    section.params.iter().map(slot).chain(hidden).collect()
}

fn slot(param: &Param) -> TokenStream {
    let name = &param.name;
    match param.kind {
        Kind::Input(_) if param.grid => quote!(::hotsled::__private::input_slot(#name.cells())),
        Kind::Own(_) if param.grid => quote!(::hotsled::__private::own_slot(#name.cells_mut())),
        Kind::Input(_) | Kind::Accumulator(_) => {
            quote!(::hotsled::__private::input_slot(#name))
        }
        Kind::Own(_) => quote!(::hotsled::__private::own_slot(#name)),
        Kind::Scalar(ty) => scalar_slot(&quote!(#name), ty),
    }
}

/// A constant's value, with the type that its uses have.
fn hidden_slot(hidden: &Hidden) -> TokenStream {
    let (path, ty) = (&hidden.path, hidden.ty);
    let name = Ident::new(ty.name(), Span::mixed_site());
    scalar_slot(
        &quote!({ let __constant: ::core::primitive::#name = #path; __constant }),
        ty,
    )
}

fn scalar_slot(value: &TokenStream, ty: Ty) -> TokenStream {
    let bits = match ty {
        Ty::F32 => quote!(#value.to_bits() as ::core::primitive::u64),
        Ty::F64 => quote!(#value.to_bits()),
        Ty::I32 => quote!(#value as ::core::primitive::u32 as ::core::primitive::u64),
        _ => quote!(#value as ::core::primitive::u64),
    };
    quote!(::hotsled::__private::ArgSlot::scalar(#bits))
}

/// The module's bytes, those of the functions it calls behind them.
fn linked(own: &[u8], imports: &[Import]) -> TokenStream {
    let own = Literal::byte_string(own);
    if imports.is_empty() {
        return quote!(#own);
    }
    let imports = imports.iter().map(Import::bytes);
    quote! {{
        const __PARTS: &[&[::core::primitive::u8]] = &[#own, #(#imports),*];
        &::hotsled::__private::concat::<{ ::hotsled::__private::concat_len(__PARTS) }>(__PARTS)
    }}
}

/// A helper: the function, and beside it an empty type of the same name that holds its bytes, so that
/// whoever imports the one has the other.
pub fn helper(item: &ItemFn, lowered: &LoweredFunction) -> TokenStream {
    let (attrs, vis, sig, body) = (&item.attrs, &item.vis, &item.sig, &lowered.body);
    let name = &sig.ident;
    let bytes = linked(
        &hotsled_ir::encode_function(&lowered.function),
        &lowered.imports,
    );
    quote! {
        #(#attrs)*
        #[inline]
        #[allow(unused_parens, unused_braces, clippy::all)]
        #vis #sig #body

        #[doc(hidden)]
        #[allow(non_camel_case_types)]
        #vis enum #name {}
        impl ::hotsled::__private::DeviceFn for #name {
            const BYTES: &'static [::core::primitive::u8] = #bytes;
        }
    }
}

/// Record and cell.
fn statics(section: &Section, lowered: &Lowered, options: &Options) -> TokenStream {
    let name = section.item.sig.ident.to_string();
    let imports = lowered.imports.len() as u16;
    let own = hotsled_ir::encode_unlinked(&lowered.module, imports);
    let module = linked(&own, &lowered.imports);
    let flags = [
        (options.pinned, quote!(FLAG_PINNED_CPU)),
        (options.exact, quote!(FLAG_EXACT)),
        (options.fast, quote!(FLAG_FAST)),
    ];
    let flags = flags.into_iter().filter(|(given, _)| *given);
    let flags = flags.map(|(_, flag)| quote!(| ::hotsled::__private::#flag));
    let flags = quote!(0 #(#flags)*);
    quote! {
        const __MODULE: &[::core::primitive::u8] = #module;
        const __PATH: &::core::primitive::str = ::core::concat!(::core::module_path!(), "::", #name);
        const __LEN: ::core::primitive::usize = ::hotsled::__private::record_len(__PATH.len(), __MODULE.len());
        #[used]
        #[unsafe(link_section = #RECORDS_SECTION)]
        static __RECORD: ::hotsled::__private::Record<__LEN> =
            ::hotsled::__private::Record(::hotsled::__private::assemble(__PATH, __MODULE));
        static __CELL: ::hotsled::__private::SectionCell =
            ::hotsled::__private::SectionCell::new(__entry, __body, #flags);
    }
}

/// Entry, body, and the safe function that holds the user's code.
fn code(section: &Section, lowered: &Lowered) -> TokenStream {
    let all = parameters(section, lowered);
    let (entry, body, grain) = (entry(), body(&all), grain(section, lowered, &all));
    quote!(#entry #body #grain)
}

/// ```text
/// 0  0f 1f 84 00 00 00 00 00  nop     the sled
/// 8  e9 .. .. .. ..           jmp body
/// ```
/// padded to 16 bytes, with the row that names it.
fn entry() -> TokenStream {
    let sled = NOP8.map(|byte| format!("{byte:#04x}")).join(", ");
    let head = [
        ".balign 16".to_owned(),
        "2:".into(),
        format!(".byte {sled}"),
        "jmp {body}".into(),
        ".balign 16, 0xcc".into(),
    ];
    let row = [
        format!(".pushsection {SITES_SECTION},\"aR\",@progbits"),
        ".balign 4".into(),
        format!(".long {SITE_VERSION}"),
        ".long 2b - .".into(),
        ".long {body} - .".into(),
        ".long {record} - .".into(),
        ".long {len}".into(),
        ".long {cell} - .".into(),
        ".popsection".into(),
    ];
    let lines = head.iter().chain(&row);
    quote! {
        #[unsafe(naked)]
        #[unsafe(link_section = #TEXT_SECTION)]
        unsafe extern "C-unwind" fn __entry(
            _args: *const ::hotsled::__private::ArgBlock,
            _start: ::core::primitive::u64,
            _end: ::core::primitive::u64,
        ) {
            ::core::arch::naked_asm!(
                #(#lines,)*
                body = sym __body, record = sym __RECORD, len = const __LEN, cell = sym __CELL,
            )
        }
    }
}

/// What the CPU body takes, with the number of its slot: the section's parameters, and the leaves of a
/// reduction. Constants need no parameter here.
fn parameters(section: &Section, lowered: &Lowered) -> Vec<(usize, Param)> {
    let own = |param: &Param| Param {
        name: param.name.clone(),
        cpu: param.cpu.clone(),
        kind: param.kind,
        grid: param.grid,
    };
    let mut all: Vec<_> = section.params.iter().map(own).enumerate().collect();
    let grids = section.params.iter().filter(|p| p.grid);
    let sizes = grids.flat_map(|p| [rows_name(&p.name), cols_name(&p.name)]);
    let scalar = |n, name: Ident, ty| {
        let param = Param {
            cpu: name.clone(),
            name,
            kind: Kind::Scalar(ty),
            grid: false,
        };
        (section.params.len() + n, param)
    };
    let sizes = sizes.enumerate();
    all.extend(sizes.map(|(n, name)| scalar(n, name, Ty::Usize)));
    let fields = lowered.hidden.iter().enumerate();
    all.extend(fields.filter_map(|(n, h)| Some(scalar(n, h.cpu.clone()?, h.ty))));
    if let Some(reduced) = &lowered.reduced {
        let leaves = Param {
            name: leaves_name(),
            cpu: leaves_name(),
            kind: Kind::Own(reduced.ty.elem()),
            grid: false,
        };
        all.push((section.params.len() + lowered.hidden.len(), leaves));
    }
    all
}

/// Unpacks the slots.
fn body(all: &[(usize, Param)]) -> TokenStream {
    let args = all.iter().map(|(n, param)| unpack(*n, param));
    quote! {
        unsafe extern "C-unwind" fn __body(
            __args: *const ::hotsled::__private::ArgBlock,
            __start: ::core::primitive::u64,
            __end: ::core::primitive::u64,
        ) {
            // SAFETY: the runtime passes the block of a running call of this section, made from the
            // wrapper's arguments, and grains that are disjoint.
            let __slots = unsafe { ::hotsled::__private::slots(__args) };
            __grain(#(#args,)* __start as ::core::primitive::usize, __end as ::core::primitive::usize)
        }
    }
}

fn unpack(n: usize, param: &Param) -> TokenStream {
    let n = Literal::usize_unsuffixed(n);
    // SAFETY of what is emitted: slot `n` was made by the wrapper from this very parameter, which is
    // borrowed until the call returns, and grains that live at the same time are disjoint.
    match param.kind {
        Kind::Scalar(ty) => scalar(&quote!(__slots[#n].word), ty),
        Kind::Input(elem) => {
            let elem = elem_type(elem);
            quote!(unsafe { ::hotsled::__private::input::<#elem>(&__slots[#n]) })
        }
        Kind::Accumulator(ty) => {
            let atomic = atomic_type(ty);
            quote!(unsafe { ::hotsled::__private::input::<#atomic>(&__slots[#n]) })
        }
        Kind::Own(elem) => {
            let elem = elem_type(elem);
            quote!(unsafe { ::hotsled::__private::own::<#elem>(&__slots[#n], __start, __end) }, __slots[#n].len as ::core::primitive::usize)
        }
    }
}

fn scalar(word: &TokenStream, ty: Ty) -> TokenStream {
    let name = Ident::new(ty.name(), Span::mixed_site());
    match ty {
        Ty::F32 => quote!(::core::primitive::f32::from_bits(#word as ::core::primitive::u32)),
        Ty::F64 => quote!(::core::primitive::f64::from_bits(#word)),
        Ty::Bool => quote!(#word != 0),
        _ => quote!(#word as ::core::primitive::#name),
    }
}

fn atomic_type(ty: Ty) -> TokenStream {
    let mut name = ty.name().to_owned();
    name[..1].make_ascii_uppercase();
    let name = Ident::new(&format!("Atomic{name}"), Span::mixed_site());
    quote!(::core::sync::atomic::#name)
}

fn elem_type(elem: Elem) -> TokenStream {
    let name = Ident::new(Ty::of(elem).name(), Span::mixed_site());
    quote!(::core::primitive::#name)
}

/// The user's code over one grain. Where the grain lies within every own slice, `own_at`'s check is
/// seen to hold and goes; the other copy is for ranges that run beyond a slice, and panics there.
fn grain(section: &Section, lowered: &Lowered, all: &[(usize, Param)]) -> TokenStream {
    let params: Vec<_> = all.iter().map(|(_, param)| declare(param)).collect();
    let gathered = Gathered::of(section, lowered);
    let inner = all.iter().map(|(_, param)| declare_inner(param));
    let inner: Vec<_> = inner.collect();
    let own: Vec<_> = all
        .iter()
        .filter(|(_, p)| matches!(p.kind, Kind::Own(_)))
        .map(|(_, p)| &p.name)
        .collect();
    let label = &section.parallel.label;
    let (index, reduction) = match &lowered.reduced {
        None => (section.parallel.index.clone(), None),
        Some(reduced) => {
            let ((start, end), first) = (&lowered.range, &reduced.identity);
            let (range, identity) = (range_name(), identity_name());
            let ty = Ident::new(reduced.ty.name(), Span::mixed_site());
            let set = quote! {
                let #range = (#start)..(#end);
                let #identity: ::core::primitive::#ty = #first;
            };
            (leaf_name(), Some(set))
        }
    };
    let (prelude, body, k) = (&lowered.prelude, &lowered.body, turn_name());
    let inputs = section
        .params
        .iter()
        .filter(|p| p.grid && matches!(p.kind, Kind::Input(_)));
    let views = inputs.map(|p| {
        let (name, rows, cols) = (&p.name, rows_name(&p.name), cols_name(&p.name));
        quote!(let #name = ::hotsled::__private::GridView::new(#name, #rows, #cols);)
    });
    let indices = match (&section.parallel.body, &lowered.columns) {
        (Body::Cells(cells), Some(columns)) => grain_cells(section, cells, columns, body),
        _ => quote! {
            #label for #k in 0..__count {
                let #index = __start + #k;
                #body
            }
        },
    };
    let runs = gathered.runs(all, &own);
    let private = gathered.generic();
    quote! {
        #[allow(clippy::too_many_arguments)]
        fn __grain(#(#params,)* __start: ::core::primitive::usize, __end: ::core::primitive::usize) {
            let __count = __end - __start;
            #runs
        }
        #[inline(always)]
        #[allow(unused_variables, unused_mut, unused_assignments, dead_code, unused_parens, unused_braces, clippy::all)]
        fn __indices #private (#(#inner,)* __start: ::core::primitive::usize, __count: ::core::primitive::usize) {
            #(#views)*
            #prelude
            #reduction
            #indices
        }
    }
}

/// The accumulators of a section, which a grain gathers apart where that pays: `__indices` is made twice then,
/// for the grain's own bins and for those that all share.
struct Gathered<'a> {
    names: Vec<&'a Ident>,
    ops: Vec<Ident>,
}

impl<'a> Gathered<'a> {
    fn of(section: &'a Section, lowered: &Lowered) -> Self {
        let kinds = section.params.iter().zip(&lowered.module.params);
        let accumulators = kinds.filter_map(|(param, module)| match module.kind {
            ParamKind::Accumulator(_, op) => Some((
                &param.name,
                Ident::new(&format!("{op:?}"), Span::mixed_site()),
            )),
            _ => None,
        });
        let (names, ops) = accumulators.unzip();
        Self { names, ops }
    }

    fn generic(&self) -> Option<TokenStream> {
        (!self.names.is_empty()).then(|| quote!(<const __OWN: ::core::primitive::bool>))
    }

    /// The grain's run, or runs to choose from.
    fn runs(&self, all: &[(usize, Param)], own: &[&Ident]) -> TokenStream {
        let plain: Vec<_> = all.iter().map(|(_, param)| pass(param)).collect();
        let Self { names, ops } = self;
        if names.is_empty() {
            return checked(own, &quote!(__indices(#(#plain,)* __start, __count)));
        }
        let bins = |param: &Param, how: TokenStream| match param.kind {
            Kind::Accumulator(_) => how,
            _ => pass(param),
        };
        let shared = all.iter().map(|(_, param)| {
            let name = &param.cpu;
            bins(param, quote!(::hotsled::__private::shared_bins(#name)))
        });
        let shared = quote!(__indices::<false>(#(#shared,)* __start, __count));
        let apart = all.iter().map(|(_, param)| {
            let name = &param.cpu;
            bins(param, quote!(#name.bins()))
        });
        let apart = quote!(__indices::<true>(#(#apart,)* __start, __count));
        let (shared, apart) = (checked(own, &shared), checked(own, &apart));
        quote! {
            if ::hotsled::__private::gathering_pays(&[#(#names.len()),*], __count) {
                #(let #names = ::hotsled::__private::Gathered::new(#names, ::hotsled::__private::AccOp::#ops);)*
                #apart
            } else {
                #shared
            }
        }
    }
}

/// A run with own slices that are seen to be as long as the grain, where they are.
fn checked(own: &[&Ident], run: &TokenStream) -> TokenStream {
    quote! {
        if true #(&& #own.len() == __count)* {
            #(let #own = &mut #own[..__count];)*
            #run
        } else {
            #run
        }
    }
}

/// The cells of a grain, a part of a row at a time.
fn grain_cells(
    section: &Section,
    cells: &Cells,
    (first, last): &(TokenStream, TokenStream),
    body: &TokenStream,
) -> TokenStream {
    let written = section
        .params
        .iter()
        .find(|p| p.grid && matches!(p.kind, Kind::Own(_)));
    let width = written.map(|p| cols_name(&p.name));
    let (row, col, label) = (&cells.row, &cells.col, &section.parallel.label);
    let (index, k) = (&section.parallel.index, turn_name());
    quote! {
        let (__first_col, __last_col) = (#first, #last);
        let mut __done = 0;
        while __done < __count {
            let __at = __start + __done;
            let (#row, __col) = (__at / #width, __at % #width);
            let __part = ::core::cmp::Ord::min(#width - __col, __count - __done);
            // The columns as the loop's own bounds, so that the compiler sees which cells are inside.
            let __from = ::core::cmp::Ord::max(__col, __first_col);
            let __to = ::core::cmp::Ord::min(__col + __part, __last_col);
            #label for #col in __from..__to {
                let __j = #col - __col;
                let (#k, #index) = (__done + __j, __at + __j);
                #body
            }
            __done += __part;
        }
    }
}

/// As [`declare`]; accumulators are bins of a grain's own, or shared ones.
fn declare_inner(param: &Param) -> TokenStream {
    let Kind::Accumulator(ty) = param.kind else {
        return declare(param);
    };
    let (name, atomic) = (&param.cpu, atomic_type(ty));
    quote!(#name: &[::hotsled::__private::Bin<#atomic, __OWN>])
}

fn declare(param: &Param) -> TokenStream {
    let name = &param.cpu;
    match param.kind {
        Kind::Scalar(ty) => {
            let ty = Ident::new(ty.name(), Span::mixed_site());
            quote!(#name: ::core::primitive::#ty)
        }
        Kind::Input(elem) => {
            let elem = elem_type(elem);
            quote!(#name: &[#elem])
        }
        Kind::Accumulator(ty) => {
            let atomic = atomic_type(ty);
            quote!(#name: &[#atomic])
        }
        Kind::Own(elem) => {
            let (elem, len) = (elem_type(elem), len_name(name));
            quote!(#name: &mut [#elem], #len: ::core::primitive::usize)
        }
    }
}

fn pass(param: &Param) -> TokenStream {
    let name = &param.cpu;
    match param.kind {
        Kind::Own(_) => {
            let len = len_name(name);
            quote!(#name, #len)
        }
        _ => quote!(#name),
    }
}
