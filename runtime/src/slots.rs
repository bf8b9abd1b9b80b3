//! Arguments to slots and back.

use hotsled_abi::{ArgBlock, ArgSlot};

/// Slot of a `&[T]`.
pub fn input_slot<T>(slice: &[T]) -> ArgSlot {
    ArgSlot {
        word: slice.as_ptr() as u64,
        len: slice.len() as u64,
    }
}

/// Slot of a `&mut [T]`.
pub fn own_slot<T>(slice: &mut [T]) -> ArgSlot {
    ArgSlot {
        word: slice.as_mut_ptr() as u64,
        len: slice.len() as u64,
    }
}

/// The slice of an input slot.
///
/// # Safety
/// `slot` was made by [`input_slot`] from a `&[T]` that is still borrowed for `'a`.
pub unsafe fn input<'a, T>(slot: &ArgSlot) -> &'a [T] {
    // SAFETY: the caller vouches that pointer and length are a borrowed slice's.
    unsafe { std::slice::from_raw_parts(slot.word as *const T, slot.len as usize) }
}

/// A grain's own part `start..end` of a `&mut` parameter, clipped to its length.
///
/// # Safety
/// `slot` was made by [`own_slot`] from a `&mut [T]` that is still borrowed for `'a`, and grains that
/// live at the same time are disjoint.
pub unsafe fn own<'a, T>(slot: &ArgSlot, start: u64, end: u64) -> &'a mut [T] {
    let (first, count) = own_bounds(slot.len, start, end);
    let base = slot.word as *mut T;
    // SAFETY: `first` is at most the slice's length.
    let at = unsafe { base.add(first) };
    // SAFETY: first + count is at most the length, and by the contract nobody else has this part.
    unsafe { std::slice::from_raw_parts_mut(at, count) }
}

/// The own element number `k` of a grain, which is element `index` of the whole slice of `len`.
///
/// # Panics
/// As indexing the whole slice would.
#[inline(always)]
#[track_caller]
pub fn own_at<T>(own: &mut [T], k: usize, index: usize, len: usize) -> &mut T {
    match own.get_mut(k) {
        Some(element) => element,
        None => bounds_panic(index, len),
    }
}

/// The slots behind a block.
///
/// # Safety
/// `args` is the block of a call that is running.
pub unsafe fn slots<'a>(args: *const ArgBlock) -> &'a [ArgSlot] {
    // SAFETY: by the contract the block is valid, and nobody writes it.
    let block = unsafe { &*args };
    // SAFETY: a valid block has `len` slots at `slots`.
    unsafe { std::slice::from_raw_parts(block.slots, block.len as usize) }
}

/// First element and element count of `start..end` clipped to `len`.
fn own_bounds(len: u64, start: u64, end: u64) -> (usize, usize) {
    let first = start.min(len);
    let last = end.min(len).max(first);
    (first as usize, (last - first) as usize)
}

/// Panics as indexing a slice of length `len` at `index` would.
///
/// # Panics
/// Always; that is its purpose.
#[cold]
#[track_caller]
#[inline(never)]
pub fn bounds_panic(index: usize, len: usize) -> ! {
    assert!(
        index >= len,
        "bounds_panic is called only for an index out of bounds"
    );
    let whole = vec![(); len]; // of no size, so any length costs nothing
    let () = whole[index];
    unreachable!("indexing out of bounds panics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_parts_are_clipped_and_disjoint() {
        let mut data = [0u32, 1, 2, 3, 4];
        let slot = own_slot(&mut data);
        let part = |start, end| {
            // SAFETY: one part lives at a time, and `data` outlives them.
            unsafe { own::<u32>(&slot, start, end) }.to_vec()
        };
        assert_eq!(part(0, 2), [0, 1]);
        assert_eq!(part(2, 9), [2, 3, 4]);
        assert!(part(5, 9).is_empty() && part(7, 9).is_empty() && part(3, 3).is_empty());
    }

    #[test]
    fn the_panic_is_rusts_own() {
        let message = |f: fn()| {
            *std::panic::catch_unwind(f)
                .unwrap_err()
                .downcast::<String>()
                .unwrap()
        };
        let ours = message(|| bounds_panic(7, 3));
        let rusts = message(|| {
            std::hint::black_box(std::hint::black_box(vec![1; 3])[std::hint::black_box(7)]);
        });
        assert_eq!(ours, rusts);
    }
}
