//! The CPU body: it unpacks the arguments for the grain.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::param::unpack;
use crate::infer::Ty;
use crate::lower::{Lowered, cols_name, leaves_name, rows_name};
use crate::parse::{Kind, Param, Section};

/// What the CPU body takes, with the number of its slot: the section's parameters, and the leaves of a
/// reduction. Constants need no parameter here.
pub(super) fn parameters(section: &Section, lowered: &Lowered) -> Vec<(usize, Param)> {
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
pub(super) fn body(all: &[(usize, Param)]) -> TokenStream {
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
