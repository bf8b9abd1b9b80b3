//! `include/hotsled.h` is what cbindgen makes of the C ABI.

use std::path::Path;

#[test]
fn the_header_is_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        .with_src(folder.join("src/ffi.rs"))
        .generate()
        .unwrap();
    let mut made = Vec::new();
    bindings.write(&mut made);
    let path = folder.join("include/hotsled.h");
    let kept = std::fs::read(&path).unwrap_or_default();
    if kept != made {
        let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hotsled.h");
        std::fs::write(&fresh, made).unwrap();
        panic!("{path:?} is out of date; review and copy {fresh:?}");
    }
}
