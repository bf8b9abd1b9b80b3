//! The import arrows of docs/architecture.md, checked against every Cargo.toml.

use std::collections::BTreeMap;
use std::path::Path;

/// Package, its folder, the packages of this workspace it may import.
const ARROWS: &[(&str, &str, &[&str])] = &[
    ("hotsled-abi", "abi", &[]),
    ("hotsled-sys", "sys", &[]),
    ("hotsled-ir", "ir", &["hotsled-abi"]),
    ("hotsled-macros", "macros", &["hotsled-abi", "hotsled-ir"]),
    (
        "hotsled-patcher",
        "patcher",
        &["hotsled-abi", "hotsled-sys"],
    ),
    (
        "hotsled-trampolines",
        "trampolines",
        &["hotsled-abi", "hotsled-sys"],
    ),
    (
        "hotsled-probe",
        "probe",
        &[
            "hotsled-abi",
            "hotsled-sys",
            "hotsled-patcher",
            "hotsled-trampolines",
        ],
    ),
    (
        "hotsled-link",
        "devices/link",
        &["hotsled-abi", "hotsled-sys"],
    ),
    (
        "hotsled-device",
        "devices/host",
        &["hotsled-link", "hotsled-ir", "hotsled-sys"],
    ),
    (
        "hotsled-runtime",
        "runtime",
        &[
            "hotsled-abi",
            "hotsled-sys",
            "hotsled-patcher",
            "hotsled-trampolines",
            "hotsled-ir",
            "hotsled-link",
        ],
    ),
    ("hotsled", "hotsled", &["hotsled-runtime", "hotsled-macros"]),
    ("hotsled-scan", "scan", &["hotsled"]),
    (
        "hotsled-cli",
        "cli",
        &["hotsled-abi", "hotsled-ir", "hotsled"],
    ),
    ("image-service", "demos/image-service", &["hotsled"]),
    (
        "tour",
        "demos/tour",
        &["hotsled", "image-service", "hotsled-device"],
    ),
    ("kernels", "demos/kernels", &["hotsled", "hotsled-device"]),
    (
        "hotsled-bench",
        "benches",
        &[
            "hotsled",
            "hotsled-abi",
            "hotsled-cli",
            "hotsled-device",
            "hotsled-ir",
            "hotsled-link",
            "kernels",
            "hotsled-patcher",
            "hotsled-trampolines",
            "image-service",
        ],
    ),
    (
        "hotsled-bench-wgpu",
        "benches/wgpu",
        &[
            "hotsled",
            "hotsled-cli",
            "hotsled-device",
            "hotsled-ir",
            "hotsled-link",
            "kernels",
        ],
    ),
    (
        "torture",
        "torture",
        &["hotsled", "hotsled-abi", "hotsled-patcher", "hotsled-sys"],
    ),
];

fn manifest(folder: &str) -> toml::Table {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
    text.parse().unwrap_or_else(|e| panic!("{path:?}: {e}"))
}

fn ours(manifest: &toml::Table) -> Vec<String> {
    let names = |key| manifest.get(key).and_then(|t| t.as_table());
    let all = names("dependencies")
        .into_iter()
        .chain(names("build-dependencies"));
    let known: BTreeMap<_, _> = ARROWS.iter().map(|a| (a.0, ())).collect();
    let keys = all.flat_map(|t| t.keys().cloned());
    keys.filter(|k| known.contains_key(k.as_str())).collect()
}

#[test]
fn no_crate_imports_against_the_arrows() {
    for (package, folder, may) in ARROWS {
        for import in ours(&manifest(folder)) {
            assert!(
                may.contains(&import.as_str()),
                "{package} may not import {import}"
            );
        }
    }
}

#[test]
fn every_member_has_its_arrows() {
    let workspace = manifest(".");
    let members = workspace["workspace"]["members"].as_array().unwrap();
    for member in members
        .iter()
        .filter_map(|m| m.as_str())
        .filter(|m| !m.starts_with("tests"))
    {
        assert!(
            ARROWS.iter().any(|a| a.1 == member),
            "{member} has no line in ARROWS"
        );
    }
}

#[test]
fn only_its_benchmark_builds_wgpu() {
    let builds = |folder: &str| manifest(folder)["dependencies"].get("wgpu").is_some();
    let with: Vec<_> = ARROWS.iter().filter(|a| builds(a.1)).map(|a| a.0).collect();
    assert_eq!(with, ["hotsled-bench-wgpu"]);
}

#[test]
fn the_service_holds_no_compiler_and_no_driver() {
    let output = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "-p",
            "image-service",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.contains("axum"), "the tree is the service's");
    for line in tree.lines() {
        let name = line.split(' ').next().unwrap_or_default();
        let bad = name.starts_with("cranelift")
            || [
                "ash",
                "rspirv",
                "spirv",
                "libloading",
                "blake3",
                "hotsled-device",
            ]
            .contains(&name);
        assert!(!bad, "the service depends on {line}");
    }
}
