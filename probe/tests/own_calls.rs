//! A function that the patcher itself calls is left alone. The test runs itself again with such a
//! function in front of libc's.

mod common;

use std::process::Command;

use common::{CLANG, Workshop, adopt, probes, reasons};
use hotsled_probe::{Fuse, Module};

const SOURCE: &str = "
    void *memrchr(const void *text, int byte, unsigned long len) {
        for (const char *at = (const char *)text + len; at-- > (const char *)text;)
            if (*at == (char)byte) return (void *)at;
        return 0;
    }
    int other(int x) { return x; }
";

#[test]
fn what_the_patcher_calls_is_refused() {
    if std::env::var_os("LD_PRELOAD").is_some() {
        return preloaded();
    }
    let object = Workshop::new();
    let path = object.build(
        CLANG,
        "-O2 -fpatchable-function-entry=16",
        "preload",
        SOURCE,
    );
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again
        .arg("--nocapture")
        .env("LD_PRELOAD", path)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("left alone: memrchr"),
        "{output:?}"
    );
}

fn preloaded() {
    let probes = probes();
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"memrchr".as_ptr()) };
    let module = Module::containing(address as u64).unwrap();
    let adoption = adopt(&probes, &module, (16, 0), Fuse::Refuse);
    assert_eq!((adoption.functions.len(), adoption.refused.len()), (1, 1));
    let (name, reason) = &reasons(&adoption)[0];
    assert!(reason.contains("the patcher itself calls it"), "{reason}");
    println!("left alone: {name}");
}
