//! clang's long nops are redirected, counted and restored while threads run through them.

mod common;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use common::{CLANG, Workshop, adopt, probes, reasons};
use hotsled_abi::TargetAddr;
use hotsled_probe::{Fuse, Route};

const SOURCE: &str = "
    __attribute__((noinline)) int one(int x) { return x + 1; }
    __attribute__((noinline)) int two(int x) { return one(x) * 2; }
    __attribute__((noinline)) int calls_in(int x) { return two(x) + one(x); }
";

type Function = extern "C" fn(i32) -> i32;

extern "C" fn instead(x: i32) -> i32 {
    x + 1000
}

static STOP: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Calls until stopped; every result is the original's or the replacement's.
fn run(one: Function, two: Function, ready: &Barrier) {
    let mut calls = 0;
    ready.wait();
    while !STOP.load(Relaxed) {
        for x in 0..64 {
            let (a, b) = (one(x), two(x));
            assert!(a == x + 1 || a == x + 1000, "one({x}) = {a}");
            assert!(b == 2 * (x + 1) || b == 2 * (x + 1000), "two({x}) = {b}");
            calls += 2; // `two` calls `one` as well
        }
    }
    CALLS.fetch_add(calls, Relaxed);
}

#[test]
fn functions_are_redirected_and_counted_under_threads() {
    let shop = Workshop::new();
    let object = shop.object(CLANG, "-O2 -fpatchable-function-entry=16", "live", SOURCE);
    let (one, two) = (object.function("one"), object.function("two"));
    let probes = probes();
    let adoption = adopt(&probes, &object.module("one"), (16, 0), Fuse::Refuse);
    assert_eq!((adoption.functions.len(), reasons(&adoption)), (3, vec![]));
    let id = probes.named("one").unwrap();
    assert_eq!(probes.at(object.address("one")), Some(id));

    probes.count(&[id]).unwrap();
    // A thread that is being created blocks SIGTRAP, which the patcher waits for, but not for ever.
    static READY: Barrier = Barrier::new(5);
    let threads = [(); 4].map(|()| std::thread::spawn(move || run(one, two, &READY)));
    READY.wait();
    let replaced = Route::Replaced(TargetAddr::new(instead as *const () as u64));
    for _ in 0..300 {
        // SAFETY: `instead` has the signature of `one` and is part of this program.
        unsafe { probes.route(&[(id, replaced)]) }.unwrap();
        assert_eq!((one(5), two(5)), (1005, 2010));
        probes.count(&[id]).unwrap();
        let before = probes.calls(id).unwrap();
        assert_eq!((one(5), two(5)), (6, 12));
        assert!(probes.calls(id).unwrap() >= before + 2);
        probes.restore(&[id]).unwrap();
        assert_eq!((one(5), two(5)), (6, 12));
    }
    STOP.store(true, Relaxed);
    threads.into_iter().for_each(|t| t.join().unwrap());
    let idle = probes.calls(id).unwrap();
    assert!(idle > 0 && idle <= CALLS.load(Relaxed) + 1800);
    one(1);
    assert_eq!(
        probes.calls(id),
        Some(idle),
        "a restored function is not counted"
    );
    counts_are_exact(&probes, adoption.functions, one, two);
    replacements_call_the_original(&probes, id, one);
    object.close();
    assert_eq!(one(1), 2, "an adopted module stays loaded");
}

fn counts_are_exact(
    probes: &hotsled_probe::Probes,
    ids: Vec<hotsled_probe::FunctionId>,
    one: Function,
    two: Function,
) {
    let named = |name: &str| probes.named(name).unwrap();
    let calls = |name| probes.calls(named(name)).unwrap();
    let before = (calls("one"), calls("two"));
    probes.count(&ids).unwrap();
    let work = move || (0..10_000).for_each(|x| assert_eq!(one(x) + two(x), 3 * (x + 1)));
    let threads = [(); 8].map(|()| std::thread::spawn(work));
    threads.into_iter().for_each(|t| t.join().unwrap());
    let counted = (calls("one") - before.0, calls("two") - before.1);
    assert_eq!(counted, (160_000, 80_000));
    probes.restore(&ids).unwrap();
}

static ORIGINAL: AtomicU64 = AtomicU64::new(0);

extern "C" fn around(x: i32) -> i32 {
    // SAFETY: the address is the original's, which has this signature.
    let original = unsafe { std::mem::transmute::<u64, Function>(ORIGINAL.load(Relaxed)) };
    -original(x)
}

fn replacements_call_the_original(
    probes: &hotsled_probe::Probes,
    id: hotsled_probe::FunctionId,
    one: Function,
) {
    ORIGINAL.store(probes.original(id).unwrap().get(), Relaxed);
    let route = Route::Replaced(TargetAddr::new(around as *const () as u64));
    // SAFETY: `around` has the signature of `one` and is part of this program.
    unsafe { probes.route(&[(id, route)]) }.unwrap();
    assert_eq!(one(6), -7);
    probes.restore(&[id]).unwrap();
}
