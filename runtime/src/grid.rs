//! Tables of rows and columns.

use std::ops::{Index, IndexMut, Range};

/// A row-major table.
///
/// ```
/// let mut grid = hotsled::Grid::new(2, 3, 0);
/// for (r, c) in hotsled::parallel2(0..grid.rows(), 0..grid.cols()) {
///     grid[(r, c)] = 10 * r + c;
/// }
/// assert_eq!(grid.cells(), [0, 1, 2, 10, 11, 12]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid<T> {
    cells: Vec<T>,
    rows: usize,
    cols: usize,
}

impl<T> Grid<T> {
    /// A table of one value.
    pub fn new(rows: usize, cols: usize, value: T) -> Self
    where
        T: Clone,
    {
        let cells = vec![value; rows * cols];
        Self { cells, rows, cols }
    }

    /// A table of these cells, row by row, or the cells back if they are not whole rows.
    ///
    /// # Errors
    /// The cells, when their number is not a multiple of `cols`.
    pub fn from_cells(cells: Vec<T>, cols: usize) -> Result<Self, Vec<T>> {
        if cols == 0 || !cells.len().is_multiple_of(cols) {
            return Err(cells);
        }
        let rows = cells.len() / cols;
        Ok(Self { cells, rows, cols })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// All cells, row by row.
    pub fn cells(&self) -> &[T] {
        &self.cells
    }

    /// All cells, row by row.
    pub fn cells_mut(&mut self) -> &mut [T] {
        &mut self.cells
    }

    /// The cells, row by row.
    pub fn into_cells(self) -> Vec<T> {
        self.cells
    }
}

impl<T> Index<(usize, usize)> for Grid<T> {
    type Output = T;

    #[inline(always)]
    #[track_caller]
    fn index(&self, at: (usize, usize)) -> &T {
        &self.cells[place(at, self.rows, self.cols)]
    }
}

impl<T> IndexMut<(usize, usize)> for Grid<T> {
    #[inline(always)]
    #[track_caller]
    fn index_mut(&mut self, at: (usize, usize)) -> &mut T {
        &mut self.cells[place(at, self.rows, self.cols)]
    }
}

/// Number of a cell.
#[inline(always)]
#[track_caller]
fn place((row, col): (usize, usize), rows: usize, cols: usize) -> usize {
    if row >= rows || col >= cols {
        outside(row, col, rows, cols);
    }
    row * cols + col
}

#[cold]
#[inline(never)]
#[track_caller]
fn outside(row: usize, col: usize, rows: usize, cols: usize) -> ! {
    panic!("cell out of bounds: the grid has {rows} rows of {cols} but the cell is ({row}, {col})")
}

/// A grid's cells as the CPU code of a section sees them.
#[derive(Debug, Clone, Copy)]
pub struct GridView<'a, T> {
    /// `rows * cols` of them.
    cells: &'a [T],
    rows: usize,
    cols: usize,
}

impl<'a, T> GridView<'a, T> {
    /// A view of `rows * cols` cells.
    ///
    /// # Panics
    /// When there are more or fewer.
    #[inline(always)]
    pub fn new(cells: &'a [T], rows: usize, cols: usize) -> Self {
        assert!(Some(cells.len()) == rows.checked_mul(cols), "whole rows");
        Self { cells, rows, cols }
    }
}

impl<T> Index<(usize, usize)> for GridView<'_, T> {
    type Output = T;

    #[inline(always)]
    #[track_caller]
    fn index(&self, at: (usize, usize)) -> &T {
        let place = place(at, self.rows, self.cols);
        // SAFETY: `place` has found row and column inside, and there are `rows * cols` cells. A check that
        // the compiler cannot see to hold would keep it from working on several cells at once.
        unsafe { self.cells.get_unchecked(place) }
    }
}

/// The cells of a two-dimensional loop, row by row.
///
/// # Panics
/// Never; a section panics where the ranges go beyond a grid that it writes.
pub fn parallel2(rows: Range<usize>, cols: Range<usize>) -> impl Iterator<Item = (usize, usize)> {
    rows.flat_map(move |r| cols.clone().map(move |c| (r, c)))
}

/// Numbers of the cells from the first row to the last of a section's loop.
///
/// # Panics
/// When the grids that it writes differ in size, or the ranges go beyond them.
#[track_caller]
pub fn cells(sizes: &[(usize, usize)], rows: Range<usize>, cols: Range<usize>) -> Range<usize> {
    let (height, width) = sizes[0];
    if let Some((h, w)) = sizes.iter().find(|size| **size != sizes[0]) {
        panic!("a section writes grids of one size: {height} rows of {width}, and {h} of {w}");
    }
    if rows.is_empty() || cols.is_empty() {
        return 0..0;
    }
    if rows.end > height || cols.end > width {
        outside(rows.end - 1, cols.end - 1, height, width);
    }
    rows.start * width..rows.end * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_checked_by_row_and_column() {
        let grid = Grid::from_cells(vec![1, 2, 3, 4, 5, 6], 3).unwrap();
        assert_eq!((grid.rows(), grid[(1, 0)]), (2, 4));
        for at in [(0, 3), (2, 0), (usize::MAX, 1)] {
            assert!(std::panic::catch_unwind(|| grid[at]).is_err(), "{at:?}");
        }
        assert!(Grid::from_cells(vec![1, 2, 3], 2).is_err());
    }

    #[test]
    fn loops_stay_inside_their_grids() {
        assert_eq!(cells(&[(4, 5)], 1..3, 2..4), 5..15);
        assert_eq!(cells(&[(4, 5)], 1..9, 4..4), 0..0);
        for (sizes, rows) in [(vec![(4, 5), (5, 4)], 0..1), (vec![(4, 5)], 0..5)] {
            assert!(std::panic::catch_unwind(|| cells(&sizes, rows.clone(), 0..1)).is_err());
        }
    }
}
