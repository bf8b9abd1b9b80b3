//! What a call costs on its way through each scheme, beside a direct call of the same body.
//!
//! `idle` calls end in `body`, `active` ones in `other`, which works as long. `section` is a section as
//! users write it, by its sled and by its body; `hotsled` is the same sled with a target that we choose.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use hotsled::__private::{input_slot, own_slot};
use hotsled_abi::{ArgBlock, ArgSlot, EntryFn, SiteAddr, TargetAddr};
use hotsled_patcher::{Mode, NewSite, Options, Patcher, Want};
use hotsled_trampolines::Pool;
use static_keys::{define_static_key_false, static_branch_unlikely};

use crate::callgrind;
use crate::own;
use crate::progress::Progress;
use crate::row::{Call, Row, State, median};
use crate::xray;

const ELEMENTS: usize = 256;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, in each of which every way has its turn.
    pub rounds: usize,
    /// Calls of a turn.
    pub calls: u32,
    /// Whether callgrind counts instructions.
    pub count: bool,
}

/// A section as users write it.
#[hotsled::section]
pub fn triad(a: f32, x: &[f32], y: &mut [f32]) {
    for i in hotsled::parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

/// The loop of both bodies, over the slots of a block as [`calls`] makes it.
///
/// # Safety
/// The block is one of [`calls`], whose `y` nobody else uses.
#[inline(always)]
unsafe fn each(args: *const ArgBlock, end: u64, one: impl Fn(f32, f32, f32) -> f32) {
    // SAFETY: the caller's promise.
    let args = unsafe { &*args };
    // SAFETY: a block of `calls` has three slots.
    let slots = unsafe { std::slice::from_raw_parts(args.slots, args.len as usize) };
    let a = f32::from_bits(slots[0].word as u32);
    // SAFETY: the second slot is an input slice.
    let x = unsafe { std::slice::from_raw_parts(slots[1].word as *const f32, end as usize) };
    // SAFETY: the third is an output slice as long.
    let y = unsafe { std::slice::from_raw_parts_mut(slots[2].word as *mut f32, end as usize) };
    for (y, x) in y.iter_mut().zip(x) {
        *y = one(a, *x, *y);
    }
}

unsafe extern "C-unwind" fn body(args: *const ArgBlock, _start: u64, end: u64) {
    // SAFETY: only `calls` calls ways.
    unsafe { each(args, end, |a, x, y| a * x + y) };
}

unsafe extern "C-unwind" fn other(args: *const ArgBlock, _start: u64, end: u64) {
    // SAFETY: only `calls` calls ways.
    unsafe { each(args, end, |a, x, y| a * x - y) };
}

/// The entry that the section macro emits.
#[unsafe(naked)]
unsafe extern "C-unwind" fn sled(_args: *const ArgBlock, _start: u64, _end: u64) {
    std::arch::naked_asm!(
        ".balign 16",
        ".byte 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0",
        "jmp {body}",
        body = sym body,
    )
}

static POINTER: AtomicPtr<()> = AtomicPtr::new(body as *mut ());

unsafe extern "C-unwind" fn through_pointer(args: *const ArgBlock, start: u64, end: u64) {
    let way = POINTER.load(Ordering::Acquire);
    // SAFETY: only functions of this type are ever stored.
    let way = unsafe { std::mem::transmute::<*mut (), EntryFn>(way) };
    // SAFETY: the caller's promise is the same.
    unsafe { way(args, start, end) }
}

static CHOICE: ArcSwapOption<EntryFn> = ArcSwapOption::const_empty();

unsafe extern "C-unwind" fn through_arc(args: *const ArgBlock, start: u64, end: u64) {
    match &*CHOICE.load() {
        // SAFETY: the caller's promise is the same.
        Some(way) => unsafe { way(args, start, end) },
        // SAFETY: as above.
        None => unsafe { body(args, start, end) },
    }
}

define_static_key_false!(KEY);

unsafe extern "C-unwind" fn through_key(args: *const ArgBlock, start: u64, end: u64) {
    if static_branch_unlikely!(KEY) {
        // SAFETY: the caller's promise is the same.
        unsafe { other(args, start, end) }
    } else {
        // SAFETY: as above.
        unsafe { body(args, start, end) }
    }
}

/// The ways of this program in either state, by scheme.
fn ways(state: State) -> Vec<(&'static str, EntryFn)> {
    let mut ways: Vec<(_, EntryFn)> = vec![
        ("direct", if state == State::Idle { body } else { other }),
        ("hotsled", sled),
        ("static-keys", through_key),
        ("atomic-ptr", through_pointer),
        ("arc-swap", through_arc),
    ];
    if state == State::Idle {
        triad(0.0, &[], &mut []);
        let own::Section { sled, body, .. } = own::section("::triad");
        ways.extend([("section", sled), ("section-body", body)]);
    }
    ways
}

/// Makes every scheme active.
fn activate() {
    let patcher = Patcher::new(Options::default()).expect("a process that can be patched");
    let text = SiteAddr::new(sled as *const () as u64);
    let dispatch = TargetAddr::new(other as *const () as u64);
    let pool = Pool::publish(text, dispatch, 0..1).expect("room for a trampoline");
    let target = pool.target(hotsled_abi::SiteId(0)).expect("just published");
    let site = NewSite { sled: text, target };
    // SAFETY: a sled as the macro emits it; its trampoline ends in a function of its type.
    let ids = unsafe { patcher.adopt(&[site]) }.expect("a whole sled");
    let wish = [(ids[0], Want::Jump)];
    patcher.switch(&wish, Mode::AllOrNone).expect("a switch");
    POINTER.store(other as *mut (), Ordering::Release);
    CHOICE.store(Some(Arc::new(other)));
    static_keys::global_init();
    // SAFETY: initialised, and this process runs no other thread's code in this page.
    unsafe { KEY.enable() };
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
///
/// # Panics
/// Without such a way.
pub fn spin(state: State, scheme: &str, count: u32) {
    if state == State::Active {
        activate();
    }
    let ways = ways(state);
    let way = ways.iter().find(|w| w.0 == scheme).expect("a way");
    calls(way.1, count);
}

/// Measures every way in both states.
pub fn run(effort: Effort) -> Vec<Row> {
    let mut progress = Progress::new("call", 3);
    progress.step("idle");
    let mut rows = in_state(State::Idle, effort);
    progress.step("active");
    activate();
    rows.extend(in_state(State::Active, effort));
    progress.step("xray");
    let xray = [
        ("xray-direct", State::Idle, "direct"),
        ("xray", State::Idle, "idle"),
        ("xray", State::Active, "active"),
    ];
    rows.extend(xray.map(|(scheme, state, way)| through_xray(scheme, state, way, effort)));
    rows.into_iter().map(Row::Call).collect()
}

/// All ways of a state, turn about.
fn in_state(state: State, effort: Effort) -> Vec<Call> {
    let ways = ways(state);
    let mut times = vec![Vec::new(); ways.len()];
    for round in 0..effort.rounds {
        for turn in 0..ways.len() {
            let turn = (turn + round) % ways.len();
            times[turn].push(calls(ways[turn].1, effort.calls));
        }
    }
    let rows = ways.iter().zip(times);
    rows.map(|((scheme, _), times)| Call {
        scheme: (*scheme).into(),
        state,
        ns_per_call: Some(median(times)),
        instructions: counted(effort, || own(state, scheme)),
        skipped: None,
    })
    .collect()
}

fn own(state: State, scheme: &str) -> Option<f64> {
    let state = if state == State::Idle {
        "idle"
    } else {
        "active"
    };
    let program = std::env::current_exe().ok()?;
    callgrind::instructions(&program, &["spin", state, scheme])
}

fn counted(effort: Effort, count: impl FnOnce() -> Option<f64>) -> Option<f64> {
    if effort.count { count() } else { None }
}

fn through_xray(scheme: &str, state: State, way: &str, effort: Effort) -> Call {
    let times = xray::call(way, effort.rounds, effort.calls);
    let count = |program: &Path| callgrind::instructions(program, &["1", way]);
    let program = xray::call_program().ok();
    Call {
        scheme: scheme.into(),
        state,
        instructions: counted(effort, || count(&program?)),
        skipped: times.as_ref().err().cloned(),
        ns_per_call: times.ok().map(median),
    }
}
