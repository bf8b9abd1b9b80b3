//! A call through an idle sled beside a direct call of the same body.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use hotsled::__private::{input_slot, own_slot};
use hotsled_abi::{ArgBlock, ArgSlot, EntryFn, RecordView};

use crate::row::{Row, median};

const ELEMENTS: usize = 256;
const CALLS: u32 = 1000;
const ROUNDS: usize = 1500;

/// The measured section.
#[hotsled::section]
pub fn triad(a: f32, x: &[f32], y: &mut [f32]) {
    for i in hotsled::parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

unsafe extern "C" {
    #[link_name = "__start_hotsled_sites_v1"]
    static START: u8;
    #[link_name = "__stop_hotsled_sites_v1"]
    static STOP: u8;
}

/// Sled and body of [`triad`].
fn ways() -> [EntryFn; 2] {
    triad(0.0, &[], &mut []);
    // SAFETY: the linker's bounds of the table, which is read-only.
    let rows = unsafe { hotsled_patcher::read(&raw const START, &raw const STOP) };
    let rows = rows.expect("a whole site table");
    let ours = rows.iter().find(|e| {
        // SAFETY: `read` found the record readable; records are never written.
        let bytes = unsafe { std::slice::from_raw_parts(e.record as *const u8, e.record_len) };
        RecordView::parse(bytes).is_ok_and(|r| r.path.ends_with("::triad"))
    });
    let ours = ours.expect("triad is in the table");
    [ours.sled.get(), ours.body.get()].map(|at| {
        // SAFETY: sled and body of a checked row are code of this type.
        unsafe { std::mem::transmute::<u64, EntryFn>(at) }
    })
}

fn calls(way: EntryFn, count: u32) -> f64 {
    let x = [1.0f32; ELEMENTS];
    let mut y = [0.0f32; ELEMENTS];
    let scalar = ArgSlot::scalar(u64::from(0.5f32.to_bits()));
    let slots = [scalar, input_slot(&x), own_slot(&mut y)];
    let args = ArgBlock {
        call: std::ptr::null(),
        slots: slots.as_ptr(),
        len: 3,
    };
    let start = Instant::now();
    for _ in 0..count {
        // SAFETY: the slots are triad's parameters and outlive the call; nobody else uses `y`.
        unsafe { black_box(way)(&args, 0, ELEMENTS as u64) };
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

/// Calls one way `count` times and nothing else; what callgrind counts.
pub fn spin(direct: bool, count: u32) {
    calls(ways()[usize::from(direct)], count);
}

/// Measures both ways, turn about.
pub fn run() -> Vec<Row> {
    let ways = ways();
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        for turn in [round % 2, 1 - round % 2] {
            times[turn].push(calls(ways[turn], CALLS));
        }
    }
    let [sled, direct] = times.map(median);
    let row = |scheme, way, ns_per_call| Row::Call {
        bench: "call",
        scheme,
        state: "idle",
        ns_per_call,
        instructions: instructions(way),
    };
    vec![
        row("hotsled", "sled", sled),
        row("direct", "direct", direct),
    ]
}

/// Instructions of one call: the difference of two counts, so that start-up falls out.
fn instructions(way: &str) -> Option<f64> {
    let [few, many] = [1000u32, 11_000].map(|n| collected(way, n));
    Some((many? - few?) / 10_000.0)
}

fn collected(way: &str, count: u32) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["spin", way, &count.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|l| l.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok()
}
