//! A hundred device hosts die of SIGKILL at random moments under load; nothing is lost or wrong.

use std::time::Duration;

use hotsled::{Engine, PlugOptions};
use hotsled_tests::{Dice, Load, until};

const KILLS: u64 = 100;

#[test]
fn a_hundred_kills_lose_and_corrupt_nothing() {
    let engine = Engine::builder()
        .offload(hotsled::Offload::Always)
        .device_program(env!("CARGO_BIN_EXE_hotsled-test-device"), [])
        .start()
        .unwrap();
    let load = Load::start(2, 100_000);
    let mut dice = Dice::new(0x6b11);
    for kill in 1..=KILLS {
        let name = engine.plug(PlugOptions::default()).unwrap();
        if kill % 4 != 0 {
            until("a chunk from the device", || {
                engine.status().devices.first().is_none_or(|d| d.chunks > 0)
            });
        }
        std::thread::sleep(Duration::from_micros(dice.below(15_000)));
        engine.kill(&name).unwrap();
        until("the loss", || {
            let status = engine.status();
            status.totals.losses == kill && status.devices.is_empty()
        });
    }
    let (calls, wrong) = load.stop();
    let status = engine.status();
    println!(
        "{calls} calls, {} through devices, {} chunks replayed, {wrong} wrong",
        status.counts.calls_device, status.counts.chunks_replayed
    );
    assert!(calls > KILLS && status.counts.calls_device > 0);
    assert!(
        status.counts.chunks_replayed > 0,
        "no kill met a chunk in flight"
    );
    assert_eq!(wrong, 0);
}
