//! What one kernel is to compute, as both sides take it.

use std::ops::Range;

use crate::data::Data;

/// Invocations of a work group: as many as the device host uses.
pub const GROUP: u32 = 64;

/// A kernel with its data and what comes out.
pub struct Problem {
    /// Its name.
    pub kernel: &'static str,
    /// The section's path.
    pub section: &'static str,
    /// The section's indices.
    pub indices: Range<u64>,
    /// The section's arguments; its slices, in this order, are the WGSL's bindings from 1.
    pub args: Vec<Arg>,
    /// The same in WGSL.
    pub wgsl: &'static str,
    /// The WGSL's scalars, binding 0.
    pub uniform: Vec<u8>,
    /// The WGSL's work groups.
    pub groups: [u32; 3],
    /// The results by a plain loop.
    pub wanted: Vec<Data>,
    /// Largest [`Data::difference`] of the WGSL's results. WGSL promises no exact arithmetic; sections do.
    pub tolerance: f64,
}

/// An argument of a section.
pub enum Arg {
    /// A scalar's bits.
    Scalar(u64),
    /// A slice that is read.
    Input(Data),
    /// A slice that is written, with what it holds before.
    Result(Data),
}

impl Arg {
    pub fn data(&self) -> Option<&Data> {
        match self {
            Self::Scalar(_) => None,
            Self::Input(data) | Self::Result(data) => Some(data),
        }
    }
}

impl Problem {
    /// The slices in order, and whether each is a result.
    pub fn slices(&self) -> impl Iterator<Item = (&Data, bool)> {
        let result = |arg: &Arg| matches!(arg, Arg::Result(_));
        let slice = move |arg| Some((Arg::data(arg)?, result(arg)));
        self.args.iter().filter_map(slice)
    }
}

/// Rows and columns of square tables, as sections take them behind their other arguments.
pub fn sides(tables: usize, n: usize) -> impl Iterator<Item = Arg> {
    (0..2 * tables).map(move |_| Arg::Scalar(n as u64))
}
