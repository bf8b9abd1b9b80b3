//! Commit of accumulators: what a device gathered is combined with the host's atomics.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};

use hotsled_ir::{AccOp, Elem};

/// Combines every element of `deltas` with the atomic at its place.
///
/// # Safety
/// `atomics` points at as many atomics of the element type as `deltas` has elements.
pub(super) unsafe fn all(op: AccOp, elem: Elem, atomics: *const u8, deltas: &[u8]) {
    macro_rules! each {
        ($atomic:ident, $int:ident) => {
            for (n, delta) in deltas.chunks_exact(size_of::<$int>()).enumerate() {
                let delta = $int::from_le_bytes(delta.try_into().expect("chunks of its size"));
                // SAFETY: by the contract there are as many atomics.
                let at = unsafe { atomics.cast::<$atomic>().add(n) };
                // SAFETY: as above; atomics are shared by reference.
                let atomic = unsafe { &*at };
                if delta != op.identity(elem) as $int {
                    match op {
                        AccOp::Add => atomic.fetch_add(delta, Ordering::Relaxed),
                        AccOp::Min => atomic.fetch_min(delta, Ordering::Relaxed),
                        AccOp::Max => atomic.fetch_max(delta, Ordering::Relaxed),
                        AccOp::And => atomic.fetch_and(delta, Ordering::Relaxed),
                        AccOp::Or => atomic.fetch_or(delta, Ordering::Relaxed),
                        AccOp::Xor => atomic.fetch_xor(delta, Ordering::Relaxed),
                    };
                }
            }
        };
    }
    match elem {
        Elem::I32 => each!(AtomicI32, i32),
        Elem::U32 => each!(AtomicU32, u32),
        Elem::I64 => each!(AtomicI64, i64),
        Elem::U64 => each!(AtomicU64, u64),
        _ => unreachable!("the validator refuses other accumulators"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_combines_and_identities_change_nothing() {
        let wanted = [
            (AccOp::Add, 3),
            (AccOp::Min, -4),
            (AccOp::Max, 7),
            (AccOp::And, 7 & -4),
            (AccOp::Or, 7 | -4),
            (AccOp::Xor, 7 ^ -4),
        ];
        for (op, wanted) in wanted {
            let atomics = [AtomicI64::new(7), AtomicI64::new(7)];
            let same = op.identity(Elem::I64) as i64;
            let deltas = [(-4i64).to_le_bytes(), same.to_le_bytes()].concat();
            // SAFETY: two atomics, two elements.
            unsafe { all(op, Elem::I64, atomics.as_ptr().cast(), &deltas) };
            let now = atomics.map(AtomicI64::into_inner);
            assert_eq!(now, [wanted, 7], "{op:?}");
        }
    }
}
