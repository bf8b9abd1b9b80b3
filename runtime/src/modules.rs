//! Where this program's site table lies.

use std::arch::{asm, global_asm};

// Weak, so that a program without any section links, too; both are then null.
global_asm!(
    ".weak __start_hotsled_sites_v1",
    ".weak __stop_hotsled_sites_v1"
);

/// First byte and end of the site table of the main program; equal if it has no section.
pub(crate) fn bounds() -> (*const u8, *const u8) {
    let (start, stop): (*const u8, *const u8);
    // SAFETY: loads two entries of the global offset table; touches nothing else.
    unsafe {
        asm!(
            "mov {start}, qword ptr [rip + __start_hotsled_sites_v1@GOTPCREL]",
            "mov {stop}, qword ptr [rip + __stop_hotsled_sites_v1@GOTPCREL]",
            start = out(reg) start,
            stop = out(reg) stop,
            options(nomem, nostack, preserves_flags),
        );
    }
    (start, stop)
}
