//! A real gdb names a block, and unwinds through it.

use std::arch::asm;
use std::process::Command;

use hotsled_abi::{SiteAddr, SiteId, TargetAddr};
use hotsled_trampolines::{Pool, Symbol, gdb};

const DEBUGGEE: &str = "HOTSLED_TEST_DEBUGGEE";

extern "C" fn landing(_: u64, _: u64, _: u64, site: u32) -> u32 {
    site
}

#[inline(never)]
extern "C" fn calls_the_block(block: u64) -> u32 {
    // SAFETY: the block jumps to `landing` with the site as fourth argument.
    let code = unsafe { std::mem::transmute::<u64, extern "C" fn(u64, u64, u64) -> u32>(block) };
    code(0, 0, 0) + 1
}

fn debuggee() {
    let text = landing as *const () as u64;
    let pool = Pool::publish(SiteAddr::new(text), TargetAddr::new(text), 0..4).unwrap();
    let name = |(site, at): (SiteId, TargetAddr)| Symbol {
        at,
        name: format!("hotsled:site_{}", site.0),
    };
    gdb::register(&pool.blocks().map(name).collect::<Vec<_>>());
    let block = pool.target(SiteId(2)).unwrap().get();
    // SAFETY: a breakpoint, for the debugger that runs this; rax tells it where the block is.
    unsafe { asm!("int3", in("rax") block) };
    assert_eq!(calls_the_block(block), 3);
}

#[test]
fn gdb_names_blocks_and_unwinds_through_them() {
    if std::env::var_os(DEBUGGEE).is_some() {
        return debuggee();
    }
    let commands = [
        "set confirm off",
        "run",
        "info symbol $rax + 4",
        "break *$rax",
        "continue",
        "backtrace 2",
        "kill",
    ];
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch"])
        .env(DEBUGGEE, "1")
        .env_remove("DEBUGINFOD_URLS");
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let exe = std::env::current_exe().unwrap();
    gdb.arg("--args").arg(exe).args([
        "--exact",
        "gdb_names_blocks_and_unwinds_through_them",
        "--nocapture",
    ]);
    let output = gdb.output().expect("gdb runs (apt-get install gdb)");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("hotsled:site_2 + 4 in section .text"),
        "{text}"
    );
    assert!(
        text.contains("#0  0x") && text.contains(" in hotsled:site_2 ()"),
        "{text}"
    );
    assert!(
        text.contains("#1  ") && text.contains("calls_the_block"),
        "{text}"
    );
}
