//! The kernel's own patcher of user text: a uprobe in a sled keeps that sled alone from switching, probes in
//! private pages fire whatever is switched beside them, and none fires in pages that have an alias.
//!
//! Needs the right to set probes (root, or CAP_PERFMON); without it nothing is tried, and the output says so.

mod common;

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStringExt;

use common::{NEW, SITES, call, sled, wishes};
use hotsled_abi::INT3;
use hotsled_patcher::{Mode, Options, Patcher, Want, WritePath};
use hotsled_sys::maps;

/// perf_event_attr of linux/perf_event.h, first published size.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    words_before_wakeup: [u64; 5],
    wakeup: u32,
    breakpoint: u32,
    path: u64,
    offset: u64,
}

/// Counts the calling thread's passes of one address; taken away on drop.
struct Probe(File);

impl Probe {
    fn at(address: u64) -> io::Result<Self> {
        let kind = std::fs::read_to_string("/sys/bus/event_source/devices/uprobe/type")?;
        let regions = maps::read()?;
        let region = regions
            .iter()
            .find(|r| (r.start..r.end).contains(&address))
            .unwrap();
        let path = std::env::current_exe()?.into_os_string().into_vec();
        let path = CString::new(path).unwrap();
        let attributes = Attributes {
            kind: kind.trim().parse().unwrap(),
            size: size_of::<Attributes>() as u32,
            path: path.as_ptr() as u64,
            offset: file_offset(address, region),
            ..Attributes::default()
        };
        let (attributes, own, any) = (&raw const attributes, 0, -1);
        // SAFETY: attributes and path outlive the call.
        let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, attributes, own, any, any, 0) };
        if fd == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, and nobody else's.
        Ok(Self(unsafe { File::from_raw_fd(fd as i32) }))
    }

    fn passes(&mut self) -> u64 {
        let mut count = [0; 8];
        self.0.read_exact(&mut count).unwrap();
        u64::from_ne_bytes(count)
    }
}

/// Where the program's file holds `address`; an alias begins at 0 of its own file, a page of which is found by
/// the private page before it.
fn file_offset(address: u64, region: &maps::Region) -> u64 {
    if !region.shared {
        return region.offset + (address - region.start);
    }
    let regions = maps::read().unwrap();
    let before = regions.iter().find(|r| r.end == region.start).unwrap();
    before.offset + (address - before.start)
}

#[test]
fn probes_and_sleds_keep_out_of_each_others_way() {
    common::in_every_way(
        "probes_and_sleds_keep_out_of_each_others_way",
        probe_and_switch,
    );
}

fn probe_and_switch(options: Options) {
    let patcher = Patcher::new(options).unwrap();
    let ids = common::adopt_all(&patcher);
    let to = |want| {
        patcher
            .switch(&wishes(&ids, want), Mode::WhatYouCan)
            .unwrap()
    };
    to(Want::Jump);
    to(Want::Idle);
    let mut body = match Probe::at(sled(20).get() + 8) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            return println!("not tried: no right to set probes ({e})");
        }
        probe => probe.unwrap(),
    };
    let mut in_sled = Probe::at(sled(21).get()).unwrap();
    let passes = u64::from(options.path != WritePath::Alias);
    assert_eq!((call(20), call(21)), (20, 21));
    assert_eq!([body.passes(), in_sled.passes()], [passes; 2]);

    let report = to(Want::Jump);
    if options.path == WritePath::Alias {
        assert_eq!(report.switched.len(), SITES);
        return;
    }
    assert_eq!(
        (report.switched.len(), report.refused.len()),
        (SITES - 1, 1)
    );
    assert_eq!(
        (report.refused[0].site, report.refused[0].found[0]),
        (ids[21], INT3)
    );
    assert_eq!(
        (call(20), call(21)),
        (20 | NEW, 21),
        "the probed sled is idle"
    );
    assert_eq!([body.passes(), in_sled.passes()], [1, 2]);
    drop(in_sled);
    assert!(to(Want::Jump).refused.is_empty());
    assert!(common::all_are(Want::Jump));
}
