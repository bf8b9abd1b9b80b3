//! gcc's one-byte nops: fused while this is the only thread, refused beside others. Has no test
//! harness, which would be a second thread.

mod common;

use std::sync::mpsc;

use common::{CLANG, GCC, Object, Workshop, adopt, probes, reasons};
use hotsled_probe::{Fuse, Probes};

const SOURCE: &str = "
    __attribute__((noinline)) int one(int x) { return x + 1; }
    static __attribute__((noinline)) int own(int x) { return x * 3; }
    int two(int x) { return own(one(x)); }
    int (*pointer)(int) = own;
";

/// Compiler, flags, the flag's numbers, and whether a jump has room at any alignment.
const SHAPES: &[(&str, &str, (u16, u16), bool)] = &[
    (GCC, "-O2", (16, 0), true),
    (GCC, "-O0", (16, 0), true),
    (GCC, "-Os", (16, 0), true),
    (GCC, "-O2 -fcf-protection=full", (16, 0), true),
    (GCC, "-O2", (16, 4), true),
    (GCC, "-O2 -fcf-protection=full", (20, 4), true),
    (GCC, "-O2", (5, 0), true), // functions start at 16-byte boundaries
    (GCC, "-O2", (2, 0), false),
    (GCC, "-O2", (7, 5), false),
    (CLANG, "-O2", (16, 0), true),
    (CLANG, "-O0", (16, 0), true),
    (CLANG, "-Os", (16, 0), true),
    (CLANG, "-O2 -fcf-protection=full", (16, 0), true),
    (CLANG, "-O2 -fcf-protection=full", (12, 4), true),
    (CLANG, "-O2", (16, 8), true),
    (CLANG, "-O2", (5, 0), true),
    (CLANG, "-O2", (2, 0), false),
];

fn load(shop: &Workshop, shape: usize, copy: &str) -> Object {
    let (compiler, flags, (nops, before), _) = SHAPES[shape];
    let flags = format!("{flags} -fpatchable-function-entry={nops},{before}");
    shop.object(compiler, &flags, &format!("shape{shape}{copy}"), SOURCE)
}

fn every_shape_is_taken_or_refused_as_its_room_says(shop: &Workshop, probes: &Probes) {
    for (at, &(compiler, flags, numbers, room)) in SHAPES.iter().enumerate() {
        let object = load(shop, at, "");
        let adoption = adopt(probes, &object.module("one"), numbers, Fuse::AtLoad);
        let counts = (adoption.functions.len(), adoption.refused.len());
        let expected = if room { (3, 0) } else { (0, 3) };
        let name = format!("{compiler} {flags} {numbers:?}: {:?}", reasons(&adoption));
        assert_eq!(counts, expected, "{name}");
        assert!(
            reasons(&adoption)
                .iter()
                .all(|r| r.1.contains("no room for a jump"))
        );
        assert_eq!(object.function("two")(4), 15, "fused code runs as before");
        assert_eq!(probes.at(object.address("one")).is_some(), room, "{name}");
        if room {
            counted(probes, object);
        }
        println!("ok   {name}");
    }
}

fn counted(probes: &Probes, object: Object) {
    let ids = ["one", "two"].map(|name| probes.at(object.address(name)).unwrap());
    probes.count(&ids).unwrap();
    let calls = |x| {
        let work = move || {
            (0..1000).for_each(|i| assert_eq!(object.function("two")(i + x), 3 * (i + x + 1)))
        };
        let threads = [(); 3].map(|()| std::thread::spawn(work));
        threads.into_iter().for_each(|t| t.join().unwrap());
    };
    calls(1);
    assert_eq!(ids.map(|id| probes.calls(id)), [Some(3000); 2]);
    probes.restore(&ids).unwrap();
    calls(2);
    assert_eq!(ids.map(|id| probes.calls(id)), [Some(3000); 2]);
}

/// The whole sled of `one` as it stands.
fn bytes(object: Object) -> [u8; 16] {
    // SAFETY: 16 readable bytes of text; volatile, since a patcher may change them.
    unsafe { std::ptr::read_volatile(object.address("one") as *const [u8; 16]) }
}

fn one_byte_nops_are_left_alone(shop: &Workshop, probes: &Probes) {
    let object = load(shop, 0, "refused");
    let module = object.module("one");
    let refuse = |fuse, why: &str| {
        let adoption = adopt(probes, &module, (16, 0), fuse);
        assert_eq!((adoption.functions.len(), adoption.refused.len()), (0, 3));
        assert!(
            reasons(&adoption).iter().all(|r| r.1.contains(why)),
            "{:?}",
            reasons(&adoption)
        );
        assert_eq!(bytes(object), [0x90; 16]);
    };
    refuse(Fuse::Refuse, "switched off");
    let (stop, wait) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv());
    refuse(Fuse::AtLoad, "2 threads run");
    one_long_nop_at_a_boundary_is_taken_at_any_time(shop, probes);
    drop(stop);
    thread.join().unwrap().unwrap_err();
    let adoption = adopt(probes, &module, (16, 0), Fuse::AtLoad);
    assert_eq!(adoption.functions.len(), 3, "alone again");
    let again = adopt(probes, &module, (16, 0), Fuse::AtLoad);
    assert!(
        again.functions.is_empty()
            && reasons(&again)
                .iter()
                .all(|r| r.1.contains("adopted already"))
    );
    println!("ok   one-byte nops are fused only while one thread runs");
}

/// An endbr64 moves clang's long nop off the boundary, unless four nops before the entry move it back.
fn one_long_nop_at_a_boundary_is_taken_at_any_time(shop: &Workshop, probes: &Probes) {
    for (shape, taken) in [(9, 3), (12, 0), (13, 3)] {
        let object = load(shop, shape, "live");
        let adoption = adopt(probes, &object.module("one"), SHAPES[shape].2, Fuse::AtLoad);
        assert_eq!(adoption.functions.len(), taken, "{:?}", SHAPES[shape]);
    }
}

fn main() {
    let shop = Workshop::new();
    let probes = probes();
    every_shape_is_taken_or_refused_as_its_room_says(&shop, &probes);
    one_byte_nops_are_left_alone(&shop, &probes);
}
