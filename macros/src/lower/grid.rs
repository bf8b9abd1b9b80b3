//! Grids: cells behind rows and columns. Their sizes enter as scalars.

use hotsled_ir::{BinOp, CmpOp, Elem, Expr as Ir, LocalId, ParamId, Stmt as IrStmt};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprIndex, Ident};

use super::constant::Hidden;
use super::loops::{binary, compare};
use super::stmt::Lowered;
use super::{Lower, Name, Typed};
use crate::infer::{Term, Ty};
use crate::parse::{Cells, Kind, Parallel};

impl Lower<'_> {
    /// Rows and columns of each grid, in order, before any other constant.
    pub(super) fn grid_sizes(&mut self) {
        for param in self.params.iter().filter(|p| p.grid) {
            let name = &param.name;
            for (of, path) in [
                ("rows", quote!(#name.rows())),
                ("cols", quote!(#name.cols())),
            ] {
                self.hidden.push(Hidden {
                    name: format!("{name}-{of}"),
                    path,
                    ty: Ty::Usize,
                    local: None,
                    cpu: None,
                    term: Term::Known(Ty::Usize),
                });
            }
        }
    }

    /// Rows (0) or columns (1) of a grid.
    fn grid_size(&self, param: usize, which: usize) -> Ir {
        let before = self.params[..param].iter().filter(|p| p.grid).count();
        Ir::Scalar(ParamId((self.params.len() + 2 * before + which) as u16))
    }

    /// The grid that an expression names.
    pub(super) fn grid(&self, expr: &Expr) -> Option<usize> {
        let Expr::Path(path) = expr else { return None };
        match self.lookup(path.path.get_ident()?)? {
            Name::Param(n) if self.params[n].grid => Some(n),
            _ => None,
        }
    }

    /// `grid.rows()` or `grid.cols()`.
    pub(super) fn size_of_grid(&mut self, grid: usize, method: &str, span: Span) -> Typed {
        let (which, name) = match method {
            "rows" => (0, rows_name(&self.params[grid].name)),
            _ => (1, cols_name(&self.params[grid].name)),
        };
        Typed {
            term: Term::Known(Ty::Usize),
            ir: self.grid_size(grid, which),
            cpu: quote!(#name),
            span,
        }
    }

    /// `grid[(r, c)]` of an input.
    pub(super) fn grid_cell(&mut self, grid: usize, elem: Elem, index: &ExprIndex) -> Typed {
        let Expr::Tuple(at) = &*index.index else {
            self.error(
                index.index.span(),
                "a grid is indexed by row and column: `grid[(r, c)]`",
            );
            return self.poison(index.span());
        };
        let [row, col] = &at.elems.iter().collect::<Vec<_>>()[..] else {
            self.error(
                index.index.span(),
                "a grid is indexed by row and column: `grid[(r, c)]`",
            );
            return self.poison(index.span());
        };
        let (row, col) = (self.expect(row, Ty::Usize), self.expect(col, Ty::Usize));
        let usize = Term::Known(Ty::Usize);
        let (r, c) = (self.new_local("row", usize), self.new_local("col", usize));
        let below = |id, size| compare(CmpOp::Lt, Ir::Local(id), size);
        let inside = Ir::And(
            below(r, self.grid_size(grid, 0)).into(),
            below(c, self.grid_size(grid, 1)).into(),
        );
        let before = binary(BinOp::Mul, Ir::Local(r), self.grid_size(grid, 1));
        let place = binary(BinOp::Add, before, Ir::Local(c));
        let stmts = vec![
            IrStmt::Set(r, row.ir),
            IrStmt::Set(c, col.ir),
            IrStmt::If(inside, vec![], vec![IrStmt::Fault]),
        ];
        let load = Ir::Load(ParamId(grid as u16), Box::new(place));
        let (name, r, c) = (&self.params[grid].name, row.cpu, col.cpu);
        Typed {
            term: Term::Known(Ty::of(elem)),
            ir: Ir::Block(stmts, Box::new(load)),
            cpu: quote_spanned!(index.span()=> #name[(#r, #c)]),
            span: index.span(),
        }
    }

    /// Whether an index is `(row, column)` of the loop over cells.
    pub(super) fn is_own_cell(&self, index: &Expr) -> bool {
        let Expr::Tuple(at) = index else { return false };
        let local = |e: &Expr| match e {
            Expr::Path(path) => match self.lookup(path.path.get_ident()?)? {
                Name::Local(id, ..) => Some(id),
                _ => None,
            },
            _ => None,
        };
        let ids: Vec<_> = at.elems.iter().filter_map(local).collect();
        matches!((&ids[..], self.cell), ([r, c], Some((row, col))) if *r == row && *c == col)
    }

    /// A loop over cells runs over their numbers, and passes over those outside its columns.
    pub(super) fn cells(
        &mut self,
        index: LocalId,
        parallel: &Parallel,
        cells: &Cells,
        prelude: &mut Vec<IrStmt>,
    ) -> (Lowered, (TokenStream, TokenStream)) {
        let written = |p: &crate::parse::Param| p.grid && matches!(p.kind, Kind::Own(_));
        let Some(grid) = self.params.iter().position(written) else {
            let help = "a loop over cells writes to a grid: take a `&mut Grid<T>`";
            self.error(parallel.func.span(), help);
            return Default::default();
        };
        self.in_body = false;
        let (first, last) = (
            self.expect(&cells.first, Ty::Usize),
            self.expect(&cells.last, Ty::Usize),
        );
        self.in_body = true;
        let usize = Term::Known(Ty::Usize);
        let (low, high) = (
            self.new_local("first", usize),
            self.new_local("last", usize),
        );
        let (row, col) = (
            self.new_local(&cells.row.to_string(), usize),
            self.new_local(&cells.col.to_string(), usize),
        );
        prelude.extend([IrStmt::Set(low, first.ir), IrStmt::Set(high, last.ir)]);
        self.check_fresh(&cells.row);
        self.check_fresh(&cells.col);
        self.cell = Some((row, col));
        let (body, cpu) = self.scoped(|this| {
            this.bind(&cells.row, Name::Local(row, usize, false));
            this.bind(&cells.col, Name::Local(col, usize, false));
            this.parallel(parallel.label.as_ref(), &cells.body)
        });
        let width = || self.grid_size(grid, 1);
        let mut ir = vec![
            IrStmt::Set(row, binary(BinOp::Div, Ir::Local(index), width())),
            IrStmt::Set(col, binary(BinOp::Rem, Ir::Local(index), width())),
        ];
        if self.spans_columns(cells) {
            ir.extend(body);
        } else {
            let above = compare(CmpOp::Ge, Ir::Local(col), Ir::Local(low));
            let below = compare(CmpOp::Lt, Ir::Local(col), Ir::Local(high));
            ir.push(IrStmt::If(
                Ir::And(above.into(), below.into()),
                body,
                vec![],
            ));
        }
        ((ir, cpu), (first.cpu, last.cpu))
    }

    /// Whether the columns are all of a grid that is written, so that no cell is passed over.
    fn spans_columns(&self, cells: &Cells) -> bool {
        let zero = matches!(&cells.first, Expr::Lit(lit) if quote!(#lit).to_string() == "0");
        let Expr::MethodCall(call) = &cells.last else {
            return false;
        };
        let own = self.grid(&call.receiver).map(|n| self.params[n].kind);
        zero && call.method == "cols" && matches!(own, Some(Kind::Own(_)))
    }

    /// Says how the cells of a grid that is written are reached.
    pub(super) fn no_cell(&mut self, name: &Ident, span: Span) {
        let help = format!(
            "`{name}` is `&mut`: its cells are read and written only at the loop's own, \
             `{name}[(row, column)]` of `for (row, column) in parallel2(..)`"
        );
        self.error(span, help);
    }
}

/// Name of the variable that holds a grid's rows in CPU code.
pub(crate) fn rows_name(grid: &Ident) -> Ident {
    Ident::new(&format!("__rows_{grid}"), Span::mixed_site())
}

/// Name of the variable that holds a grid's columns in CPU code.
pub(crate) fn cols_name(grid: &Ident) -> Ident {
    Ident::new(&format!("__cols_{grid}"), Span::mixed_site())
}
