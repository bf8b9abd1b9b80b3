//! Random modules on the interpreter, on the simulated device and on a Vulkan device: the same bits, the same
//! faults.
//!
//! `HOTSLED_FUZZ_SECONDS` makes it longer, `HOTSLED_FUZZ_FROM` has it begin with another case, so that several can
//! run at once; `HOTSLED_FUZZ_SEED` runs one case.

mod common {
    #![allow(dead_code)] // the other tests use more
    pub mod generate;
}

use std::ops::Range;
use std::time::{Duration, Instant};

use common::generate::{self, Dice, LEN, Style};
use hotsled_device::backend::{Device, Status};
use hotsled_device::sim::{self, Model};
use hotsled_ir::interp::{self, Arg, FaultKind};
use hotsled_ir::*;
use hotsled_link::{Launch, LaunchArg, ModuleId};

/// Steps of the interpreter; a case that needs more is skipped.
const BUDGET: u64 = 1 << 21;

#[test]
fn interpreter_and_simulated_device_agree() {
    cases(40, |seed| {
        case(seed, Style::FULL, &mut simulated());
    });
}

fn simulated() -> Device {
    let model = Model {
        memory: 1 << 20,
        bandwidth: 0,
        latency: Duration::ZERO,
    };
    sim::device("sim", model).unwrap()
}

/// Modules that may run by groups of indices do, and agree too.
#[test]
fn groups_of_indices_agree() {
    let (mut all, mut grouped) = (0, 0);
    cases(200, |seed| {
        let style = [Style::FLAT32, Style::FLAT64][seed as usize % 2];
        let module = generate::module(&mut Dice::new(seed), style);
        all += 1;
        grouped += u32::from(sim::lanes(&module) > 1);
        case(seed, style, &mut simulated());
    });
    assert!(grouped * 10 > all * 9, "{grouped} of {all} ran by groups");
}

/// A run ends where an index of 32 bits wraps, or a row does, or a comparison turns.
#[test]
fn runs_end_where_decisions_turn() {
    let turns = [
        "to_u64(rem(add(to_u32(%0.i), 4294967286u32), 40u32))",
        "rem(to_u64(add(to_u32(%0.i), 4294967286u32)), 40u64)",
        "rem(to_u64(add(to_i32(%0.i), 2147483638i32)), 40u64)",
        "rem(%0.i, 17u64)",
        "div(%0.i, 17u64)",
        "min(%0.i, 20u64)",
        "max(%0.i, 20u64)",
        "sub(max(20u64, add(%0.i, 3u64)), 3u64)",
        "choose(lt(%0.i, 21u64), %0.i, sub(%0.i, 3u64))",
        "choose(le(%0.i, 21u64), %0.i, sub(%0.i, 3u64))",
        "choose(gt(19u64, %0.i), %0.i, sub(%0.i, 3u64))",
        "choose(ge(19u64, %0.i), %0.i, sub(%0.i, 3u64))",
        "choose(gt(%0.i, 18u64), sub(%0.i, 3u64), %0.i)",
        "choose(ge(%0.i, 18u64), sub(%0.i, 3u64), %0.i)",
        "choose(eq(%0.i, 18u64), 7u64, %0.i)",
        "choose(ne(%0.i, 18u64), %0.i, 7u64)",
        "choose(eq(%0.i, 18u64), 7u64, 9u64)",
        "sub(39u64, %0.i)",
        "add(%0.i, min(sub(39u64, %0.i), 1u64))",
        "sub(%0.i, min(%0.i, 1u64))",
        "min(to_u64(sub(10u32, to_u32(%0.i))), 3u64)",
        "sub(50u64, sub(50u64, %0.i))",
        "sub(1u64, sub(1u64, %0.i))",
    ];
    places(&turns, &[("f32", 4), ("u8", 1), ("i16", 2), ("f64", 8)]);
}

/// So does one where a falling index of 32 bits wraps.
#[test]
fn runs_end_where_falling_values_wrap() {
    let turns = [
        "rem(to_u64(sub(10u32, to_u32(%0.i))), 37u64)",
        "rem(to_u64(sub(-2147483638i32, to_i32(%0.i))), 37u64)",
        "and(to_u64(to_f64(sub(10u32, to_u32(%0.i)))), 31u64)",
    ];
    places(&turns, &[("f64", 8), ("i64", 8)]);
}

/// Loads from places.
fn places(places: &[&str], elems: &[(&str, usize)]) {
    for at in places {
        for &(elem, bytes) in elems {
            let text = format!(
                "section s(x: in {elem}, y: own {elem}) {{
                    local %0.i: u64
                    parallel %0.i {{ store $1.y, $0.x[{at}] }}
                }}"
            );
            let module = validate(parse(&text).unwrap()).unwrap();
            assert!(sim::lanes(&module) > 1, "{text}");
            let x = (0..40 * bytes).map(|i| (i * 7) as u8 & 0x3f).collect();
            let args = [Arg::Slice(x), Arg::Slice(vec![0; 40 * bytes])];
            agree(&text, &mut simulated(), &module, &args, 0..40);
        }
    }
}

/// Loads a constant apart share an address, but not across what may have assigned their index anew.
#[test]
fn shared_addresses_are_those_of_the_place() {
    let bodies = [
        "%2.k = 1u64 store $2.y, add($1.x[add(%0.i, 1u64)], mul($1.x[sub(add(%0.i, 4u64), 2u64)], $1.x[%0.i]))",
        "%2.k = %0.i store $2.y, $1.x[%2.k] if lt($0.n, 3u64) { %2.k = add(%0.i, 1u64) }
            store $2.y, add($2.y[own], $1.x[%2.k])",
        "%2.k = %0.i %1.v = $1.x[%2.k] if lt($0.n, 3u64) { %2.k = add(%0.i, 1u64) }
            else { store $2.y, $1.x[%2.k] }",
        "%2.k = %0.i store $2.y, $1.x[%2.k] if lt($0.n, 8u64) { %2.k = add(%0.i, 1u64) }
            else { %2.k = add(%0.i, 2u64) } store $2.y, add($2.y[own], $1.x[%2.k])",
        "%2.k = %0.i %1.v = $1.x[%2.k]
            store $2.y, choose(lt($0.n, 3u64), { %2.k = add(%0.i, 1u64) yield %1.v }, $1.x[%2.k])
            store $2.y, add($2.y[own], $1.x[%2.k])",
        "%2.k = %0.i %1.v = $1.x[%2.k]
            if or_else(gt($0.n, 3u64), { %2.k = add(%0.i, 1u64) yield true }) { store $2.y, 1.0f32 }
            store $2.y, add($2.y[own], $1.x[%2.k])",
        "%2.k = %0.i %1.v = $1.x[%2.k] loop { if gt($0.n, 3u64) { break } %2.k = add(%0.i, 1u64) break }
            store $2.y, add(%1.v, $1.x[%2.k])",
        "%2.k = 1u64 %1.v = $1.x[add(%0.i, %2.k)] for %2.k in 0u64..4u64 { %1.v = mul(%1.v, 2.0f32) }
            store $2.y, add(%1.v, $1.x[add(%0.i, %2.k)])",
    ];
    for body in bodies {
        let text = format!(
            "section s(n: u64, x: in f32, y: own f32) {{
                local %0.i: u64
                local %1.v: f32
                local %2.k: u64
                parallel %0.i {{ {body} }}
            }}"
        );
        let module = validate(parse(&text).unwrap()).unwrap();
        assert_eq!(sim::lanes(&module), 4, "{text}");
        let x = (0..44u8).flat_map(|v| f32::from(v).to_le_bytes()).collect();
        let args = [
            Arg::Scalar(Value::U64(5)),
            Arg::Slice(x),
            Arg::Slice(vec![7; 4 * 40]),
        ];
        agree(&text, &mut simulated(), &module, &args, 0..40);
    }
}

/// What a group must not take for granted: faults and stores that only some reach, or that nothing reaches.
#[test]
fn groups_leave_faults_and_ends_to_single_indices() {
    let (ones, minus, mixed) = (
        [1.0f32; 40],
        [-1.0; 40],
        std::array::from_fn(|i| i as f32 - 9.0),
    );
    let cases = [
        (5, ones, 40, "if gt($1.x[%0.i], 0.0f32) { if gt($0.n, 3u64) { fault } store $2.y, 1.0f32 }"),
        (5, minus, 40, "if gt($1.x[%0.i], 0.0f32) { if gt($0.n, 3u64) { fault } store $2.y, 1.0f32 }"),
        (1 << 40, minus, 40, "if gt($1.x[%0.i], 0.0f32) {
            if ge(add(%0.i, $0.n), len($1.x)) { fault } else { store $2.y, $1.x[add(%0.i, $0.n)] } }"),
        (0, ones, 0, "if gt($0.n, 3u64) { store $2.y, 1.0f32 }"),
        (9, ones, 7, "if lt(%0.i, len($2.y)) { store $2.y, 1.0f32 }"),
        (0, mixed, 40, "store $2.y, choose(to_bool(gt($1.x[%0.i], 0.0f32)), 1.0f32, 3.5f32)"),
        (0, ones, 40, "%1.v = $1.x[%0.i] loop { %1.v = mul(%1.v, 2.0f32) if gt(%1.v, 1000.0f32) { fault } }
            store $2.y, %1.v"),
        (0, mixed, 40, "if gt($1.x[%0.i], 9.0f32) { fault } store $2.y, $1.x[%0.i]"),
    ];
    for (n, x, len, body) in cases {
        let text = format!(
            "section s(n: u64, x: in f32, y: own f32) {{
                local %0.i: u64
                local %1.v: f32
                parallel %0.i {{ {body} }}
            }}"
        );
        let module = validate(parse(&text).unwrap()).unwrap();
        assert_eq!(sim::lanes(&module), 4, "{text}");
        let x = x.iter().flat_map(|v| v.to_le_bytes()).collect();
        let args = [
            Arg::Scalar(Value::U64(n)),
            Arg::Slice(x),
            Arg::Slice(vec![7; 4 * len]),
        ];
        agree(&text, &mut simulated(), &module, &args, 0..40);
    }
}

/// One device for all: opening one takes longer than a case.
#[cfg(feature = "vulkan")]
#[test]
fn interpreter_and_vulkan_device_agree() {
    let options = hotsled_device::vulkan::Options {
        number: 0,
        memory: Some(64 << 20),
        deadline: Duration::from_secs(60),
        validate: true,
        plain: false,
        bounded: false,
        cache: hotsled_device::cache::Cache::OFF,
    };
    let mut device = hotsled_device::vulkan::device("vulkan", &options).unwrap();
    let style = Style {
        fused64: false,
        ..Style::FULL
    };
    cases(20, |seed| case(seed, style, &mut device));
}

/// `cargo test --release -p hotsled-device --test fuzz cuda -- --ignored`
#[cfg(feature = "cuda")]
#[test]
#[ignore = "needs an NVIDIA GPU and its driver"]
fn interpreter_and_cuda_device_agree() {
    let options = hotsled_device::cuda::Options {
        number: 0,
        memory: Some(64 << 20),
        deadline: Duration::from_secs(60),
        bounded: false,
        cache: hotsled_device::cache::Cache::OFF,
    };
    let mut device = hotsled_device::cuda::device("cuda", &options).unwrap();
    cases(20, |seed| case(seed, Style::FULL, &mut device));
}

/// Seeds in a row for a while, at least so many.
fn cases(least: u64, mut case: impl FnMut(u64)) {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    if let Some(seed) = number("HOTSLED_FUZZ_SEED") {
        return case(seed);
    }
    let limit = Duration::from_secs(number("HOTSLED_FUZZ_SECONDS").unwrap_or(5));
    let (began, first) = (Instant::now(), number("HOTSLED_FUZZ_FROM").unwrap_or(1));
    let mut seed = first;
    while began.elapsed() < limit || seed - first < least {
        case(seed);
        seed += 1;
    }
    println!("cases {first} to {}", seed - 1);
}

fn case(seed: u64, style: Style, device: &mut Device) {
    let mut dice = Dice::new(seed);
    let module = generate::module(&mut dice, style);
    let mut args = generate::arguments(&module, &mut dice);
    if style.flat.is_some() {
        shorten(&module, &mut args, &mut dice);
    }
    let (base, end) = (dice.below(4), LEN - dice.below(3));
    agree(&format!("seed {seed}"), device, &module, &args, base..end);
}

/// Leaves some own slices shorter than the range.
fn shorten(module: &Module, args: &mut [Arg], dice: &mut Dice) {
    for (param, arg) in module.params.iter().zip(args) {
        if let (ParamKind::Own(elem), Arg::Slice(bytes)) = (param.kind, arg)
            && dice.below(6) == 0
        {
            bytes.truncate((dice.below(LEN) * elem.size()) as usize);
        }
    }
}

/// Runs a module on the interpreter and on a device.
fn agree(what: &str, device: &mut Device, module: &Valid, args: &[Arg], indices: Range<u64>) {
    let Range { start: base, end } = indices;
    let read = hotsled_ir::read(&encode(module)).expect("encoded modules read back");
    assert_eq!(read, *module, "{what}: the binary form");
    let text = print(module);
    assert_eq!(
        parse(&text).as_ref(),
        Ok(&**module),
        "{what}: the text form"
    );
    let mut wanted = args.to_vec();
    let ran = interp::run(module, &mut wanted, base, end, BUDGET);
    if ran.is_err_and(|fault| fault.what == FaultKind::Budget) {
        return;
    }
    let (status, got) = on_device(device, module, args, base, end);
    match ran {
        Err(fault) => assert_eq!(status, Status::Faulted, "{what}: {fault}\n{text}"),
        Ok(()) => {
            assert_eq!(status, Status::Done, "{what}\n{text}");
            for ((param, got), wanted) in module.params.iter().zip(&got).zip(&wanted) {
                assert!(
                    same(param.kind, got, wanted),
                    "{what}, {}: {got:?}, not {wanted:?}\n{text}",
                    param.name
                );
            }
        }
    }
}

/// Equal bit for bit, all NaNs counting as equal.
fn same(kind: ParamKind, a: &Arg, b: &Arg) -> bool {
    let (Some(elem), Arg::Slice(a), Arg::Slice(b)) = (kind.elem(), a, b) else {
        return true;
    };
    let size = elem.size() as usize;
    let mut pairs = a.chunks(size).zip(b.chunks(size));
    pairs.all(|(a, b)| a == b || elem.is_nan(a) && elem.is_nan(b))
}

fn on_device(
    device: &mut Device,
    module: &Valid,
    args: &[Arg],
    base: u64,
    end: u64,
) -> (Status, Vec<Arg>) {
    let number = device
        .lowering
        .lower(module)
        .expect("a valid module is lowered");
    let mut launch = Launch {
        module: ModuleId(number),
        base,
        end,
        args: vec![],
    };
    let mut places = Vec::new();
    for (arg, param) in args.iter().zip(&module.params) {
        match (arg, param.kind) {
            (Arg::Slice(bytes), kind) => {
                let elem = kind.elem().expect("a slice");
                let size = bytes.len() as u64;
                let ptr = device.backend.alloc(size).unwrap();
                // SAFETY: `bytes` is readable for its length.
                unsafe { device.backend.copy_in(ptr, bytes.as_ptr(), size) };
                let (len, first) = (size / elem.size(), 0);
                launch.args.push(LaunchArg::Slice {
                    ptr,
                    len,
                    first,
                    count: len,
                });
                places.push(Some(ptr));
            }
            (Arg::Scalar(value), _) => {
                launch.args.push(LaunchArg::Scalar(value.bits()));
                places.push(None);
            }
        }
    }
    let status = device.backend.launch(&launch);
    let mut results = args.to_vec();
    for (result, place) in results.iter_mut().zip(places) {
        if let (Arg::Slice(bytes), Some(ptr)) = (result, place) {
            let size = bytes.len() as u64;
            // SAFETY: `bytes` is writable for its length.
            unsafe { device.backend.copy_out(ptr, bytes.as_mut_ptr(), size) };
            device.backend.free(ptr);
        }
    }
    (status, results)
}
