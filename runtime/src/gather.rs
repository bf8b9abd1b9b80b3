//! Accumulators on the CPU: a grain combines with bins of its own, and these with everybody's at its end.
//!
//! All threads that combine with the same few atomics wait for each other's cache lines, a hundred times as
//! long as the sum takes. The operations of accumulators do not mind order or grouping, so the result is the
//! same.

use std::ops::{BitAnd as _, BitOr as _, BitXor as _};
use std::sync::atomic::{
    AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering, Ordering::Relaxed,
};

use hotsled_ir::AccOp;

/// Elements of a grain for each bin from which on bins of its own pay.
const ELEMENTS_A_BIN: usize = 2;

/// Whether a grain of `count` elements should have bins of its own, given how many each accumulator has.
pub fn gathering_pays(bins: &[usize], count: usize) -> bool {
    let all = bins.iter().fold(0usize, |sum, n| sum.saturating_add(*n));
    all.saturating_mul(ELEMENTS_A_BIN) <= count
}

/// An element of an accumulator as a section's code sees it; `OWN`: one thread alone knows it.
#[derive(Debug)]
#[repr(transparent)]
pub struct Bin<A, const OWN: bool>(A);

/// An accumulator as it is.
pub fn shared_bins<A>(atomics: &[A]) -> &[Bin<A, false>] {
    let (start, len) = (atomics.as_ptr().cast(), atomics.len());
    // SAFETY: a `Bin` is laid out as what it holds, and the slice is borrowed as long.
    unsafe { std::slice::from_raw_parts(start, len) }
}

/// An atomic integer that can be an accumulator's element.
pub trait Atom: Sized {
    /// One that changes nothing when it is combined.
    fn identity(op: AccOp) -> Self;
    /// Combines what `other` holds, unless that changes nothing.
    fn combine(&self, op: AccOp, other: &Self);
}

/// Bins of one grain, for an accumulator; combined with it on drop, also when the grain panics: what a loop
/// has done before its panic is done.
#[derive(Debug)]
pub struct Gathered<'a, A: Atom> {
    shared: &'a [A],
    own: Vec<Bin<A, true>>,
    op: AccOp,
}

impl<'a, A: Atom> Gathered<'a, A> {
    /// Nothing gathered yet.
    pub fn new(shared: &'a [A], op: AccOp) -> Self {
        let own = shared.iter().map(|_| Bin(A::identity(op))).collect();
        Self { shared, own, op }
    }

    /// The bins.
    pub fn bins(&self) -> &[Bin<A, true>] {
        &self.own
    }
}

impl<A: Atom> Drop for Gathered<'_, A> {
    fn drop(&mut self) {
        let pairs = self.shared.iter().zip(&self.own);
        pairs.for_each(|(shared, own)| shared.combine(self.op, &own.0));
    }
}

/// The operations of `Bin`: the atomic's own, or, where nobody else looks, a load and a store.
macro_rules! bins {
    ($($atomic:ident $int:ident $bits:ident;)*) => {$(
        impl Atom for $atomic {
            fn identity(op: AccOp) -> Self {
                Self::new(op.identity(hotsled_ir::Elem::$bits) as $int)
            }

            fn combine(&self, op: AccOp, other: &Self) {
                let value = other.load(Relaxed);
                if value == op.identity(hotsled_ir::Elem::$bits) as $int {
                    return;
                }
                match op {
                    AccOp::Add => self.fetch_add(value, Relaxed),
                    AccOp::Min => self.fetch_min(value, Relaxed),
                    AccOp::Max => self.fetch_max(value, Relaxed),
                    AccOp::And => self.fetch_and(value, Relaxed),
                    AccOp::Or => self.fetch_or(value, Relaxed),
                    AccOp::Xor => self.fetch_xor(value, Relaxed),
                };
            }
        }

        impl<const OWN: bool> Bin<$atomic, OWN> {
            bins!(@op $int fetch_add wrapping_add);
            bins!(@op $int fetch_sub wrapping_sub);
            bins!(@op $int fetch_min min);
            bins!(@op $int fetch_max max);
            bins!(@op $int fetch_and bitand);
            bins!(@op $int fetch_or bitor);
            bins!(@op $int fetch_xor bitxor);
        }
    )*};
    (@op $int:ident $fetch:ident $plain:ident) => {
        /// As the atomic's.
        #[inline(always)]
        pub fn $fetch(&self, value: $int, order: Ordering) {
            if OWN {
                self.0.store(self.0.load(Relaxed).$plain(value), Relaxed);
            } else {
                self.0.$fetch(value, order);
            }
        }
    };
}

bins! {
    AtomicI32 i32 I32;
    AtomicU32 u32 U32;
    AtomicI64 i64 I64;
    AtomicU64 u64 U64;
    AtomicUsize usize U64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_grain_gathers_is_combined_at_its_end() {
        let shared = [7, -7].map(AtomicI32::new);
        let with = |op, method: fn(&Bin<AtomicI32, true>, i32)| {
            let gathered = Gathered::new(&shared, op);
            for value in [5, -9, 5] {
                method(&gathered.bins()[1], value);
            }
            drop(gathered);
            shared.each_ref().map(|a| a.load(Relaxed))
        };
        assert_eq!(with(AccOp::Add, |b, v| b.fetch_add(v, Relaxed)), [7, -6]);
        assert_eq!(with(AccOp::Add, |b, v| b.fetch_sub(v, Relaxed)), [7, -7]);
        assert_eq!(with(AccOp::Min, |b, v| b.fetch_min(v, Relaxed)), [7, -9]);
        assert_eq!(with(AccOp::Max, |b, v| b.fetch_max(v, Relaxed)), [7, 5]);
        assert_eq!(
            with(AccOp::Xor, |b, v| b.fetch_xor(v, Relaxed)),
            [7, 5 ^ -9]
        );
        assert_eq!(with(AccOp::Or, |b, v| b.fetch_or(v, Relaxed)), [7, -9 | 5]);
        assert_eq!(
            with(AccOp::And, |b, v| b.fetch_and(v, Relaxed)),
            [7, (-9 | 5) & 5 & -9]
        );
    }

    #[test]
    fn few_elements_or_many_bins_are_not_gathered() {
        assert!(gathering_pays(&[256, 256], 1024));
        assert!(!gathering_pays(&[256, 256], 1023));
        assert!(!gathering_pays(&[usize::MAX, 1], 1 << 40));
    }

    #[test]
    fn a_panic_keeps_what_was_gathered() {
        let shared = [AtomicU32::new(1)];
        let gather = || {
            let gathered = Gathered::new(&shared, AccOp::Add);
            gathered.bins()[0].fetch_add(3, Relaxed);
            panic!("in the middle");
        };
        assert!(std::panic::catch_unwind(gather).is_err());
        assert_eq!(shared[0].load(Relaxed), 4);
    }
}
