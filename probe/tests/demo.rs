//! The C demo, built by gcc and by clang against the static library, tells what it should.

mod common;

use std::path::Path;
use std::process::Command;

use common::{CLANG, GCC, Workshop};

const TOLD: &str = "\
adopted: 2 functions, 0 left alone
counted: gross 800000, tax 800000
switched: 50 times there and back under 4 threads
main: the function was not adopted
wrong results: 0
";

/// Cargo puts the libraries of a tested package beside its tests.
fn library_folder() -> std::path::PathBuf {
    let folder = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .to_owned();
    assert!(folder.join("libhotsled_probe.a").exists(), "{folder:?}");
    folder
}

#[test]
fn the_demo_counts_replaces_and_restores() {
    let shop = Workshop::new();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demos/probe-c");
    for compiler in [GCC, CLANG] {
        let program = shop.path(compiler);
        let mut build = Command::new(demo.join("build.sh"));
        let built = build
            .args([&library_folder(), &program])
            .env("CC", compiler)
            .status();
        assert!(built.unwrap().success(), "{compiler}");
        let output = Command::new(&program).output().unwrap();
        let (told, said) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(told, TOLD, "{compiler}: {said}");
        assert!(output.status.success());
    }
}
