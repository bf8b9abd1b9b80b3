//! Threads run sleds while they flip: no torn code, no writable text.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use common::{NEW, SITES, call};
use hotsled_patcher::{Mode, Options, Patcher, SingleStore, Want};
use hotsled_sys::maps;

static STOP: AtomicBool = AtomicBool::new(false);
static SEEN: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn run_sleds(mut random: u64) {
    while !STOP.load(Relaxed) {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        let i = (random >> 40) as usize % SITES;
        let got = call(i);
        assert_eq!(got & !NEW, i as u32, "site {i}");
        SEEN[usize::from(got & NEW != 0)].fetch_add(1, Relaxed);
    }
}

fn no_page_is_writable_and_executable() -> bool {
    maps::read()
        .unwrap()
        .iter()
        .all(|r| !(r.write && r.execute))
}

#[test]
fn no_thread_sees_a_mix() {
    assert!(no_zero_in_displacement(), "the sleds could hide torn code");
    common::in_every_way("no_thread_sees_a_mix", flip_under_load);
}

fn flip_under_load(options: Options) {
    let patcher = Patcher::new(options).unwrap();
    let ids = common::adopt_all(&patcher);
    let threads = [3, 5, 7].map(|seed| std::thread::spawn(move || run_sleds(seed)));
    let until = Instant::now() + Duration::from_millis(1500);
    let stores = options.single_store == SingleStore::Always;
    let mut flips = 0_u32;
    while Instant::now() < until {
        let want = [Want::Jump, Want::Idle][flips as usize % 2];
        let wishes = common::wishes(&ids, want);
        let report = patcher.switch(&wishes, Mode::AllOrNone).unwrap();
        let syncs = if stores { 1 } else { 3 };
        assert_eq!((report.switched.len(), report.syncs), (SITES, syncs));
        assert!(common::all_are(want));
        if flips.is_multiple_of(16) {
            assert!(no_page_is_writable_and_executable());
            assert!(!has_a_writable_view(), "a view outlived its session");
        }
        flips += 1;
    }
    STOP.store(true, Relaxed);
    threads.into_iter().for_each(|t| t.join().unwrap());
    let seen = SEEN.each_ref().map(|n| n.load(Relaxed));
    println!(
        "{}: {flips} flips of {SITES} sites, calls old/new {seen:?}",
        patcher.status()
    );
    assert!(flips > 20 && seen[0] > 1000 && seen[1] > 1000);
}

fn has_a_writable_view() -> bool {
    let regions = maps::read().unwrap();
    regions
        .iter()
        .any(|r| r.write && r.name.contains("hotsled-text"))
}

fn no_zero_in_displacement() -> bool {
    let word = hotsled_abi::jmp_word(common::sled(0), common::target(0)).unwrap();
    word.to_le_bytes()[1..5].iter().all(|&b| b != 0)
}
