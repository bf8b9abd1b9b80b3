//! A plugin runs the engine: the program's copy joins it, and the plugin stays for good.

use hotsled::{Engine, Error};
use hotsled_tests::plugin::{self, Plugin};
use hotsled_tests::{numbers, stir, stirred};

#[test]
fn the_program_joins_the_engine_of_a_plugin() {
    let directory = tempfile::tempdir().unwrap();
    let path = plugin::copy(directory.path(), "first.so");
    let x = numbers(40_000);
    let wanted = stirred(20, &x);
    let loaded = Plugin::load(&path);
    assert_eq!(loaded.start_engine(), 0);
    let refused = Engine::start().err();
    assert!(
        matches!(&refused, Some(Error::EngineElsewhere { object, .. }) if object.ends_with("first.so")),
        "{refused:?}"
    );
    drop(loaded);
    assert!(plugin::is_mapped(&path), "whoever runs the engine stays");
    let mut out = vec![0; x.len()];
    stir(20, &x, &mut out);
    assert!(out == wanted);

    let other = Plugin::load(&plugin::copy(directory.path(), "other.so"));
    assert_eq!(other.start_engine(), 1);
    assert!(other.twist(20, &x) == wanted);
}
