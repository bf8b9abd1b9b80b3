//! A function that the SIGTRAP handler calls is left alone. The test runs itself again with such a
//! function in front of libc's.

mod common;

use std::process::Command;

use common::{CLANG, Workshop, adopt, probes, reasons};
use hotsled_probe::{Fuse, Module};

const SOURCE: &str = "
    int getpid(void) {
        int pid;
        asm volatile(\"syscall\" : \"=a\"(pid) : \"0\"(39) : \"rcx\", \"r11\", \"memory\");
        return pid;
    }
    int other(int x) { return x; }
";

#[test]
fn what_the_handler_calls_is_refused() {
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
        output.status.success() && told.contains("left alone: getpid"),
        "{output:?}"
    );
}

fn preloaded() {
    let probes = probes();
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"getpid".as_ptr()) };
    let module = Module::containing(address as u64).unwrap();
    let adoption = adopt(&probes, &module, (16, 0), Fuse::Refuse);
    assert_eq!((adoption.functions.len(), adoption.refused.len()), (1, 1));
    let (name, reason) = &reasons(&adoption)[0];
    assert!(reason.contains("the SIGTRAP handler calls it"), "{reason}");
    println!("left alone: {name}");
}
