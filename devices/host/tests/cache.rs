//! The compile cache believes nothing that is damaged or foreign, and survives many writers.
#![cfg(feature = "vulkan")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::build::saxpy;
use hotsled_device::cache::{Cache, Key};
use hotsled_link::{Client, ClientOptions};

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn parts_of_a_key_do_not_run_together() {
    assert_ne!(Key::of(&[b"ab", b"c"]), Key::of(&[b"a", b"bc"]));
    assert_ne!(Key::of(&[b"a"]), Key::of(&[b"a", b""]));
}

#[test]
fn content_comes_back_and_damage_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let key = Key::of(&[b"module", b"target"]);
    assert_eq!(cache.get(key), None);
    cache.put(key, b"machine code");
    assert_eq!(cache.get(key).as_deref(), Some(&b"machine code"[..]));
    let path = only_file(folder.path());
    let good = fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..good.len()).map(|n| good[..n].to_vec()).collect();
    damaged.push([&good[..], b"x"].concat());
    damaged.extend((0..good.len()).map(|n| {
        let mut bytes = good.clone();
        bytes[n] ^= 0x20;
        bytes
    }));
    for bytes in damaged {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(cache.get(key), None, "{} bytes", bytes.len());
        assert!(!path.exists(), "a damaged file goes");
    }
    cache.put(key, b"machine code");
    assert!(cache.get(key).is_some());
}

#[test]
fn a_file_made_for_something_else_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let (mine, other) = (Key::of(&[b"mine"]), Key::of(&[b"other"]));
    cache.put(other, b"other code");
    let theirs = only_file(folder.path());
    cache.put(mine, b"my code");
    let all: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    let own = all.into_iter().find(|path| *path != theirs).unwrap();
    fs::copy(&theirs, &own).unwrap();
    assert_eq!(cache.get(mine), None);
    fs::remove_file(&own).ok();
    std::os::unix::fs::symlink(&theirs, &own).unwrap();
    assert_eq!(cache.get(mine), None);
}

#[test]
fn a_folder_that_others_can_write_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let cache = Cache::at(folder.path());
    cache.put(Key::of(&[b"x"]), b"code");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    Cache::OFF.put(Key::of(&[b"x"]), b"code");
    assert_eq!(Cache::OFF.get(Key::of(&[b"x"])), None);
}

/// Readers see a whole file of one of the writers, or none.
#[test]
fn many_writers_leave_whole_files() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::of(&[b"contended"]);
    std::thread::scope(|scope| {
        for writer in 0..6u8 {
            let cache = Cache::at(folder.path());
            scope.spawn(move || {
                for turn in 0..100 {
                    cache.put(key, &vec![writer; 1000 * (1 + turn % 7)]);
                    let content = cache.get(key).expect("a whole file");
                    assert!(content.iter().all(|byte| *byte == content[0]));
                }
            });
        }
    });
    only_file(folder.path());
}

/// Lowers one module in a host that uses `cache`; what the host said.
fn host_says(cache: &Path) -> String {
    let (ours, theirs) = hotsled_sys::seqpacket::pair().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-device"));
    command
        .args(["vulkan", "--validate", "--link-fd", "3"])
        .env("XDG_CACHE_HOME", cache);
    command.stderr(Stdio::piped());
    let child = hotsled_sys::spawn::with_descriptor(command, theirs, 3).unwrap();
    let wait = std::time::Duration::from_secs(20);
    let client = Client::accept(
        ours,
        &ClientOptions {
            handshake: wait,
            ..ClientOptions::default()
        },
    );
    let client = client.unwrap();
    client
        .lower(1, &hotsled_ir::encode(&saxpy().0), wait)
        .unwrap();
    client.goodbye(wait).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn a_host_keeps_code_and_compiles_again_what_is_damaged() {
    let cache = tempfile::tempdir().unwrap();
    assert_eq!(host_says(cache.path()), "");
    let file = only_file(&cache.path().join("hotsled"));
    assert_eq!(host_says(cache.path()), "");
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    let said = host_says(cache.path());
    assert!(said.contains("compiled again"), "{said}");
    assert_eq!(fs::read(&file).unwrap().len(), good.len());
}
