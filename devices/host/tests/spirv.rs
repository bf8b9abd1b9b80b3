//! Every module that is emitted is valid SPIR-V, whatever the device offers.
#![cfg(feature = "vulkan")]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{build, operators, random};
use hotsled_device::Cannot;
use hotsled_device::spirv::{Controls, Features, Replaced, lower, text};
use hotsled_ir::{AccOp, Elem, Expr, LocalId, ParamKind, Stmt, Type, Valid, Value};

const NO_CONTROLS: Controls = Controls {
    denormals: false,
    specials: false,
    nearest: false,
};
const LEAST: Features = Features {
    float64: false,
    storage8: false,
    storage16: false,
    folds: true,
    cuts: true,
    replaced: Replaced {
        compare: true,
        ..Replaced::NONE
    },
    controls32: NO_CONTROLS,
    controls64: NO_CONTROLS,
};

/// Has `spirv-val` say what it thinks of a module.
fn check(words: &[u32], module: &Valid) {
    let mut validator = Command::new("spirv-val")
        .args(["--target-env", "vulkan1.2", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("spirv-val; install it with: apt-get install spirv-tools");
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    validator.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = validator.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}\n{}",
        hotsled_ir::print(module)
    );
}

/// With all features, and with none where that is possible.
fn check_all(module: &Valid) {
    check(&lower(module, &Features::ALL).unwrap().words, module);
    match lower(module, &LEAST) {
        Ok(lowered) => check(&lowered.words, module),
        Err(why) => assert!(matches!(why, Cannot::Feature { .. }), "{why}"),
    }
}

#[test]
fn operators_are_valid() {
    operators::modules()
        .iter()
        .for_each(|(module, ..)| check_all(module));
}

#[test]
fn random_modules_are_valid() {
    for seed in 0..150 {
        check_all(&random::module(seed).0);
    }
}

#[test]
fn long_argument_blocks_are_valid() {
    let kinds = [ParamKind::Scalar(Type::F64); 28];
    check_all(&build::module(&kinds, &[], vec![]));
}

#[test]
fn every_float_operation_forbids_contraction() {
    let (module, _) = build::saxpy();
    let text = text(&module, &Features::ALL).unwrap();
    let of = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!(
        (of("OpFMul") + of("OpFAdd"), of("NoContraction")),
        (2, 2),
        "{text}"
    );
}

#[test]
fn a_missing_feature_is_named() {
    let kinds = [ParamKind::Scalar(Type::F64)];
    let module = build::module(
        &kinds,
        &[Type::F64],
        vec![Stmt::Set(LocalId(1), *build::scalar(0))],
    );
    let why = lower(&module, &LEAST).unwrap_err();
    assert_eq!(
        why.to_string(),
        "this device cannot: f64 (it has no shaderFloat64)"
    );
}

/// What this lowering does not have yet is refused by its name.
#[test]
fn unknown_constructs_are_named() {
    let one = || Box::new(Expr::Const(Value::F32(1.0)));
    let fused = Expr::MulAdd(one(), one(), one());
    let body = vec![Stmt::Set(LocalId(1), fused)];
    let why = lower(&build::module(&[], &[Type::F32], body), &Features::ALL).unwrap_err();
    assert!(
        why.to_string().starts_with("this device cannot: MulAdd"),
        "{why}"
    );
    let sum = ParamKind::Accumulator(Elem::U32, AccOp::Add);
    let why = lower(&build::module(&[sum], &[], vec![]), &Features::ALL).unwrap_err();
    assert!(
        why.to_string()
            .starts_with("this device cannot: Accumulator"),
        "{why}"
    );
}
