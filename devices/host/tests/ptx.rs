//! Every module that is emitted as PTX is assembled by NVIDIA's `ptxas`.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{build, generate, operators};
use hotsled_device::ptx::lower;
use hotsled_ir::Valid;

/// Where `scripts/test.sh` puts it, unless `PTXAS` says otherwise.
fn assembler() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/ptxas");
    let path = std::env::var_os("PTXAS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| root.join("nvidia/cuda_nvcc/bin/ptxas"));
    assert!(
        path.is_file(),
        "{} is missing; run: python3 -m pip install --target target/ptxas --no-deps \
         nvidia-cuda-nvcc-cu12==12.9.86",
        path.display()
    );
    path
}

/// Lowers and assembles for both architectures.
fn check(modules: impl IntoIterator<Item = Valid>) {
    let folder = tempfile::tempdir().unwrap();
    for (n, module) in modules.into_iter().enumerate() {
        for architecture in [80, 90] {
            let text = lower(&module, architecture).unwrap().text;
            let file = folder.path().join(format!("{n}-{architecture}.ptx"));
            std::fs::write(&file, &text).unwrap();
            let output = Command::new(assembler())
                .args([
                    &format!("-arch=sm_{architecture}"),
                    "-O1",
                    "-o",
                    "/dev/null",
                ])
                .arg(&file)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{said}\n{text}\n{}",
                hotsled_ir::print(&module)
            );
        }
    }
}

#[test]
fn operators_assemble() {
    check(operators::modules().into_iter().map(|(module, ..)| module));
}

#[test]
fn random_modules_assemble() {
    check((0..25).map(|seed| generate::case(seed, generate::Style::FULL).0));
}

#[test]
fn float_arithmetic_names_its_rounding() {
    let text = lower(&build::saxpy().0, 80).unwrap().text;
    let arithmetic =
        |line: &&str| line.contains(".f32") && (line.contains("mul") || line.contains("add"));
    let lines: Vec<_> = text.lines().filter(arithmetic).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines.iter().all(|line| line.contains(".rn.")) && !text.contains("fma"),
        "{text}"
    );
}
