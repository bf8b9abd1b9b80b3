//! Every module that is emitted is valid SPIR-V, whatever the device offers.
#![cfg(feature = "vulkan")]

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{build, generate, operators};
use hotsled_device::Cannot;
use hotsled_device::spirv::{Controls, Features, Replaced, lower, text};
use hotsled_ir::{AccOp, BinOp, Elem, Expr, LocalId, ParamId, ParamKind, Stmt, Type, Valid, Value};

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
    atomics64: false,
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
fn wide_accumulators_need_their_feature() {
    let sum = ParamKind::Accumulator(Elem::U64, AccOp::Add);
    let value = Expr::Const(Value::U64(1));
    let body = vec![Stmt::Accumulate(ParamId(0), value.clone(), value)];
    let module = build::module(&[sum], &[], body);
    check(&lower(&module, &Features::ALL).unwrap().words, &module);
    let why = lower(&module, &LEAST).unwrap_err();
    assert_eq!(
        why.to_string(),
        "this device cannot: accumulators of 64 bits (it has no shaderBufferInt64Atomics)"
    );
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
        check_all(&generate::case(seed, generate::Style::FULL).0);
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

fn returns(module: &Valid) -> usize {
    let text = text(module, &Features::ALL).unwrap();
    text.matches("OpReturnValue").count()
}

/// A failed check is noted, and the invocation ends in one place. Not so with arrays, whose elements may be
/// undefined behind a fault.
#[test]
fn faults_are_put_off_but_with_arrays() {
    assert_eq!(returns(&build::saxpy().0), 1);
    let mut module = (*build::saxpy().0).clone();
    module.arrays.push(hotsled_ir::Array {
        name: "a".into(),
        ty: Type::U32,
        len: 2,
    });
    let module = hotsled_ir::validate(module).unwrap();
    assert!(returns(&module) > 1);
}

/// What the driver must not fold with, it is not shown.
#[test]
fn constants_are_hidden_from_drivers_that_fold() {
    let zero = Box::new(Expr::Const(Value::F32(0.0)));
    let x = Box::new(Expr::Load(ParamId(0), build::local(0)));
    let body = vec![Stmt::Store(ParamId(1), *build::bin(BinOp::Mul, zero, x))];
    let kinds = [ParamKind::Input(Elem::F32), ParamKind::Own(Elem::F32)];
    let module = build::module(&kinds, &[], body);
    let folds = Features {
        folds: true,
        ..Features::ALL
    };
    let mixes = |features| {
        text(&module, features)
            .unwrap()
            .matches("OpBitwiseOr")
            .count()
    };
    assert_eq!(mixes(&Features::ALL), 0);
    assert_eq!(mixes(&folds), 1);
}
