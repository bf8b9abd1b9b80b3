//! The conformance suite: what every device host must do, asked over the link. `backend!` runs it for
//! one backend.

mod common;

use std::time::{Duration, Instant};

use common::build::{bin, floats, local, module, saxpy, scalar};
use common::host::{Host, run, soon};
use common::{generate, operators};
use hotsled_ir::{
    AccOp, BinOp, CmpOp, Elem, Expr, LocalId, ParamId, ParamKind, Stmt, Type, UnOp, Valid, Value,
    encode, interp,
};
use hotsled_link::*;

/// First element that differs, and both; all NaNs count as equal.
fn difference(kind: ParamKind, a: &interp::Arg, b: &interp::Arg) -> Option<String> {
    let (interp::Arg::Slice(a), interp::Arg::Slice(b)) = (a, b) else {
        return (a != b).then(|| "a scalar changed".into());
    };
    let elem = kind.elem().expect("a slice");
    let value = |bytes: &[u8]| match elem {
        Elem::F32 => f64::from(f32::from_le_bytes(bytes.try_into().unwrap())),
        Elem::F64 => f64::from_le_bytes(bytes.try_into().unwrap()),
        _ => 0.0,
    };
    let size = elem.size() as usize;
    let mut pairs = a.chunks(size).zip(b.chunks(size)).enumerate();
    let (at, (x, y)) =
        pairs.find(|(_, (x, y))| x != y && !(value(x).is_nan() && value(y).is_nan()))?;
    let show = |bytes| format!("{bytes:02x?} ({:e})", value(bytes));
    Some(format!("element {at}: {} instead of {}", show(x), show(y)))
}

/// Device and interpreter agree on `module`.
fn agrees(
    host: &Host,
    queue: &mut Queue,
    module: &Valid,
    args: &[interp::Arg],
    base: u64,
    end: u64,
) {
    let kinds: Vec<_> = module.params.iter().map(|p| p.kind).collect();
    let number = host.lower(module);
    let mut wanted = args.to_vec();
    let reference = interp::run(module, &mut wanted, base, end, 1 << 24);
    if reference.is_err_and(|fault| fault.what == interp::FaultKind::Budget) {
        return; // it runs for very long
    }
    let (outcome, results) = run(queue, number, &kinds, args, base, end);
    match reference {
        Err(fault) => assert_eq!(outcome, Outcome::Faulted, "{fault}"),
        Ok(()) => {
            assert_eq!(outcome, Outcome::Done);
            for (n, (result, wanted)) in results.iter().zip(&wanted).enumerate() {
                if let Some(what) = difference(kinds[n], result, wanted) {
                    panic!("parameter {n}, {what}, of\n{}", hotsled_ir::print(module));
                }
            }
        }
    }
}

fn chunks_compute_their_range_only(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let (module, _) = saxpy();
    let args = [
        interp::Arg::Scalar(Value::F32(1.5)),
        floats((0..1000).map(|i| i as f32)),
        floats((0..1000).map(|i| 0.1 * i as f32)),
    ];
    for (base, end) in [(0, 1000), (0, 0), (999, 1000), (17, 333)] {
        agrees(&host, &mut queue, &module, &args, base, end);
    }
}

/// More arguments than some devices take by themselves: each launch sees its own.
fn many_arguments_change_from_launch_to_launch(args: &[&str]) {
    const OUTPUTS: u16 = 14;
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let mut kinds = vec![ParamKind::Scalar(Type::U64)];
    kinds.extend(vec![ParamKind::Own(Elem::U64); usize::from(OUTPUTS)]);
    let value = |n| {
        let number = Box::new(Expr::Const(Value::U64(u64::from(n))));
        let index = bin(BinOp::Mul, local(0), scalar(0));
        *bin(BinOp::Add, index, number)
    };
    let stores = (1..=OUTPUTS).map(|n| Stmt::Store(ParamId(n), value(n)));
    let module = module(&kinds, &[], stores.collect());
    for turn in 0..100 {
        let mut all = vec![interp::Arg::Scalar(Value::U64(turn))];
        let slice = |n: u16| interp::Arg::Slice(vec![n as u8; 8 * 300]);
        all.extend((1..=OUTPUTS).map(slice));
        agrees(&host, &mut queue, &module, &all, turn, 300 - turn);
    }
}

/// The neighbours of `i % n`, for which a driver was once seen to give `i % n` itself; of signed numbers on
/// both sides of zero.
fn remainders_of_remainders(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let types = [
        (Type::U64, Elem::U64),
        (Type::U32, Elem::U32),
        (Type::I64, Elem::I64),
        (Type::I32, Elem::I32),
    ];
    for (ty, elem) in types {
        let number = |v: u64| Box::new(Expr::Cast(ty, Box::new(Expr::Const(Value::U64(v)))));
        let index = Box::new(Expr::Cast(ty, local(0)));
        let centred = bin(BinOp::Sub, index.clone(), number(100));
        let from = if matches!(ty, Type::I32 | Type::I64) {
            centred
        } else {
            index
        };
        let count = || Box::new(Expr::Cast(ty, scalar(0)));
        let once = Stmt::Set(LocalId(1), *bin(BinOp::Rem, from, count()));
        let next = bin(BinOp::Add, local(1), number(1));
        let next = bin(BinOp::Rem, next, count());
        let last = bin(BinOp::Sub, bin(BinOp::Add, local(1), count()), number(1));
        let last = bin(BinOp::Rem, last, count());
        let both = bin(BinOp::Add, next, bin(BinOp::Mul, last, number(1000)));
        let kinds = [ParamKind::Scalar(Type::U64), ParamKind::Own(elem)];
        let body = vec![once, Stmt::Store(ParamId(1), *both)];
        let module = module(&kinds, &[ty], body);
        for n in [1, 7, 16] {
            let slice = interp::Arg::Slice(vec![0xaa; 200 * elem.size() as usize]);
            let all = [interp::Arg::Scalar(Value::U64(n)), slice];
            agrees(&host, &mut queue, &module, &all, 0, 200);
        }
    }
}

/// A body that faults at index 7 only, in each way there is.
fn every_kind_of_fault_is_reported(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let number = |ty, v| Box::new(Expr::Cast(ty, Box::new(Expr::Const(Value::I32(v)))));
    let least = |ty| {
        let one = |v| Box::new(Expr::Const(Value::U32(v)));
        bin(
            BinOp::Shl,
            number(ty, 1),
            one(if ty == Type::I32 { 31 } else { 63 }),
        )
    };
    let mut faults = vec![Stmt::Fault];
    for ty in [Type::I32, Type::U32, Type::I64, Type::U64] {
        for op in [BinOp::Div, BinOp::Rem] {
            faults.push(Stmt::Set(
                LocalId(1),
                Expr::Cast(Type::U64, bin(op, number(ty, 9), number(ty, 0))),
            ));
            if matches!(ty, Type::I32 | Type::I64) {
                let overflow = bin(op, least(ty), number(ty, -1));
                faults.push(Stmt::Set(LocalId(1), Expr::Cast(Type::U64, overflow)));
            }
        }
    }
    for fault in faults {
        let seventh = Expr::Compare(CmpOp::Eq, local(0), Box::new(Expr::Const(Value::U64(7))));
        let body = vec![
            Stmt::If(seventh, vec![fault], vec![]),
            Stmt::Store(ParamId(0), Expr::Const(Value::U32(5))),
        ];
        let module = module(&[ParamKind::Own(Elem::U8)], &[Type::U64], body);
        let args = [interp::Arg::Slice(vec![0; 20])];
        agrees(&host, &mut queue, &module, &args, 0, 20);
        agrees(&host, &mut queue, &module, &args, 8, 20);
    }
}

fn faults_are_a_status(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let (module, _) = saxpy();
    let args = [
        interp::Arg::Scalar(Value::F32(1.5)),
        floats([1.0; 10]),
        floats([2.0; 20]),
    ];
    agrees(&host, &mut queue, &module, &args, 0, 20); // x is shorter than y
    agrees(&host, &mut queue, &module, &args, 0, 10); // and the link goes on
}

/// A loop that only an element ends, which is none.
fn a_loop_behind_a_bad_index_ends_as_a_fault(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let far = bin(
        BinOp::Add,
        local(0),
        Box::new(Expr::Const(Value::U64(1 << 40))),
    );
    let read = Box::new(Expr::Load(ParamId(0), far));
    let found = Expr::Compare(CmpOp::Ne, read, Box::new(Expr::Const(Value::U64(0))));
    let kinds = [ParamKind::Input(Elem::U64), ParamKind::Own(Elem::U64)];
    let body = vec![
        Stmt::Loop(vec![Stmt::If(found, vec![Stmt::Break], vec![])]),
        Stmt::Store(ParamId(1), Expr::Const(Value::U64(7))),
    ];
    let module = module(&kinds, &[], body);
    let slice = || interp::Arg::Slice(vec![0; 8 * 100]);
    agrees(&host, &mut queue, &module, &[slice(), slice()], 0, 100);
}

/// Constants whose bits a body changes: a driver that takes infinity times zero for zero must not see that they are
/// zeros.
fn turned_constants_are_not_folded(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let x = || Box::new(Expr::Load(ParamId(0), local(0)));
    let minus_zero = || Box::new(Expr::Const(Value::F32(-0.0)));
    let turned = [
        Expr::Unary(UnOp::Neg, minus_zero()),
        Expr::Unary(UnOp::Abs, minus_zero()),
        Expr::Unary(UnOp::Neg, Box::new(Expr::Unary(UnOp::Neg, minus_zero()))),
    ];
    for zero in turned {
        let zero = Box::new(zero);
        let kinds = [Elem::F32; 3].map(ParamKind::Own);
        let kinds = [&[ParamKind::Input(Elem::F32)], &kinds[..]].concat();
        let stores = vec![
            Stmt::Store(ParamId(1), *bin(BinOp::Mul, x(), zero.clone())),
            Stmt::Store(ParamId(2), *bin(BinOp::Add, x(), zero.clone())),
            Stmt::Store(ParamId(3), Expr::MulAdd(x(), zero, x())),
        ];
        let module = module(&kinds, &[], stores);
        let hurt = [f32::INFINITY, -1.0, f32::NAN, -0.0, 3.0];
        let all: Vec<_> = (0..4).map(|_| floats(hurt)).collect();
        agrees(&host, &mut queue, &module, &all, 0, 5);
    }
}

/// Every operator on values that hurt.
fn operators_agree_with_the_interpreter(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    for (module, args, end) in operators::modules() {
        agrees(&host, &mut queue, &module, &args, 0, end);
    }
}

/// Random modules: any mixture of constructs; some fault, in both.
fn random_modules_agree_with_the_interpreter(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    for seed in 0..40 {
        let (module, args) = generate::case(seed, generate::Style::LINK);
        agrees(&host, &mut queue, &module, &args, 2, generate::LEN - 1);
    }
}

/// Loops, early exits, bytes.
fn control_flow_agrees_with_the_interpreter(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let kinds = [
        ParamKind::Input(Elem::U8),
        ParamKind::Own(Elem::U8),
        ParamKind::Scalar(Type::U64),
    ];
    let (sum, k) = (LocalId(1), LocalId(2));
    let at = bin(
        BinOp::Rem,
        bin(BinOp::Mul, local(0), local(2)),
        Box::new(Expr::Len(ParamId(0))),
    );
    let next = Expr::Binary(BinOp::Add, local(1), Box::new(Expr::Load(ParamId(0), at)));
    let big = Expr::Compare(CmpOp::Gt, local(1), Box::new(Expr::Const(Value::U32(900))));
    let odd = Expr::Compare(
        CmpOp::Eq,
        bin(BinOp::And, local(2), Box::new(Expr::Const(Value::U64(3)))),
        Box::new(Expr::Const(Value::U64(1))),
    );
    let body = vec![
        Stmt::Set(sum, Expr::Const(Value::U32(0))),
        Stmt::For {
            var: k,
            start: Expr::Const(Value::U64(0)),
            end: *scalar(2),
            body: vec![
                Stmt::If(odd, vec![Stmt::Continue], vec![]),
                Stmt::If(big, vec![Stmt::Break], vec![Stmt::Set(sum, next)]),
            ],
        },
        Stmt::Store(ParamId(1), Expr::Local(sum)),
    ];
    let module = module(&kinds, &[Type::U32, Type::U64], body);
    let bytes = interp::Arg::Slice((0..777u32).map(|i| (i * 31) as u8).collect());
    let args = [
        bytes,
        interp::Arg::Slice(vec![0; 777]),
        interp::Arg::Scalar(Value::U64(40)),
    ];
    agrees(&host, &mut queue, &module, &args, 3, 700);
}

fn memory_is_finite_and_launches_are_checked(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    assert!(matches!(
        queue.alloc(host.client.info().memory + 1),
        Err(LinkError::DeviceFull { .. })
    ));
    let (module, _) = saxpy();
    let module = host.lower(&module);
    let ptr = queue.alloc(400).unwrap();
    let slice = |ptr, len, first, count| LaunchArg::Slice {
        ptr,
        len,
        first,
        count,
    };
    let good = slice(ptr, 100, 0, 100);
    let bad = [
        vec![LaunchArg::Scalar(0), good],
        vec![LaunchArg::Scalar(0), slice(ptr, 100, 50, 50), good],
        vec![LaunchArg::Scalar(0), slice(ptr, 200, 0, 200), good],
        vec![
            LaunchArg::Scalar(0),
            slice(DevicePtr(0x1000), 100, 0, 100),
            good,
        ],
        vec![LaunchArg::Scalar(0), good, slice(ptr, 100, 0, u64::MAX)],
        vec![good, good, good],
    ];
    for args in bad {
        queue
            .launch(Launch {
                module,
                base: 0,
                end: 100,
                args,
            })
            .unwrap();
        let fence = queue.fence().unwrap();
        assert_eq!(queue.wait(fence, soon()).unwrap(), Outcome::Failed);
    }
    queue.free(DevicePtr(ptr.0 + 1)).unwrap();
    let fence = queue.fence().unwrap();
    assert_eq!(queue.wait(fence, soon()).unwrap(), Outcome::Failed);
    queue
        .launch(Launch {
            module,
            base: 0,
            end: 100,
            args: vec![LaunchArg::Scalar(0), good, good],
        })
        .unwrap();
    let fence = queue.fence().unwrap();
    assert_eq!(queue.wait(fence, soon()).unwrap(), Outcome::Done);
}

/// An accumulator is reached anywhere: a part of it is not enough, not even for a part of the range.
fn accumulators_are_given_whole(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let sum = ParamKind::Accumulator(Elem::U32, AccOp::Add);
    let body = vec![Stmt::Accumulate(
        ParamId(0),
        *local(0),
        Expr::Const(Value::U32(1)),
    )];
    let module = host.lower(&module(&[sum], &[], body));
    let ptr = queue.alloc(400).unwrap();
    for (first, count, wanted) in [
        (0, 100, Outcome::Done),
        (0, 99, Outcome::Failed),
        (1, 99, Outcome::Failed),
    ] {
        let len = 100;
        let args = vec![LaunchArg::Slice {
            ptr,
            len,
            first,
            count,
        }];
        let (base, end) = (1, 50);
        queue
            .launch(Launch {
                module,
                base,
                end,
                args,
            })
            .unwrap();
        let fence = queue.fence().unwrap();
        let came = queue.wait(fence, soon()).unwrap();
        assert_eq!(came, wanted, "{count} elements from {first}");
    }
}

fn corrupt_modules_are_refused_and_the_link_goes_on(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let (module, _) = saxpy();
    let mut bytes = encode(&module);
    bytes.truncate(bytes.len() - 3);
    let refused = host.client.lower(7, &bytes, Duration::from_secs(5));
    assert!(
        matches!(refused, Err(LinkError::Refused { reason }) if reason.contains("end at offset"))
    );
    host.lower(&module);
}

fn a_killed_host_is_a_link_that_is_down(args: &[&str]) {
    let mut host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    host.child.kill().unwrap();
    let began = Instant::now();
    assert!(matches!(
        queue.alloc(64),
        Err(LinkError::Down(DownReason::Closed))
    ));
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "noticed at once, not at the deadline"
    );
    assert_eq!(host.client.health().down(), Some(DownReason::Closed));
}

fn a_goodbye_ends_the_process(args: &[&str]) {
    let mut host = Host::start(args).unwrap();
    host.client.goodbye(Duration::from_secs(5)).unwrap();
    assert!(host.child.wait().unwrap().success());
}

macro_rules! backend {
    ($name:ident, $args:expr $(, $attribute:meta)?) => {
        mod $name {
            macro_rules! run {
                ($test:ident) => {
                    #[test]
                    $(#[$attribute])?
                    fn $test() {
                        super::$test($args)
                    }
                };
            }
            run!(chunks_compute_their_range_only);
            run!(many_arguments_change_from_launch_to_launch);
            run!(remainders_of_remainders);
            run!(faults_are_a_status);
            run!(a_loop_behind_a_bad_index_ends_as_a_fault);
            run!(every_kind_of_fault_is_reported);
            run!(turned_constants_are_not_folded);
            run!(operators_agree_with_the_interpreter);
            run!(random_modules_agree_with_the_interpreter);
            run!(control_flow_agrees_with_the_interpreter);
            run!(memory_is_finite_and_launches_are_checked);
            run!(accumulators_are_given_whole);
            run!(corrupt_modules_are_refused_and_the_link_goes_on);
            run!(a_killed_host_is_a_link_that_is_down);
            run!(a_goodbye_ends_the_process);
        }
    };
}

backend!(sim, &["sim", "--memory-mib", "64", "--latency-us", "0"]);
#[cfg(feature = "vulkan")]
backend!(vulkan, &["vulkan", "--validate", "--no-cache"]);
#[cfg(feature = "vulkan")]
backend!(
    vulkan_plain,
    &["vulkan", "--validate", "--no-cache", "--plain"]
);

// `cargo test -p hotsled-device --test conformance cuda -- --ignored`
#[cfg(feature = "cuda")]
backend!(
    cuda,
    &["cuda", "--no-cache"],
    ignore = "needs an NVIDIA GPU and its driver"
);

mod misbehaving {
    use super::*;

    fn start(fault: &str) -> Result<Host, LinkError> {
        Host::start(&["sim", "--fault", fault])
    }

    #[test]
    fn greetings_are_refused_with_their_reason() {
        assert!(matches!(
            start("bad-version"),
            Err(LinkError::Version { theirs, ours }) if theirs == ours + 7
        ));
        assert!(matches!(
            start("garbage-greeting"),
            Err(LinkError::Garbage { .. })
        ));
        assert!(matches!(
            start("close-early"),
            Err(LinkError::Down(DownReason::Closed))
        ));
        let silent = Host::start_within(&["sim", "--fault", "silent"], Duration::from_secs(1));
        assert!(matches!(silent, Err(LinkError::Timeout { .. })));
    }

    #[test]
    fn a_hang_ends_at_the_deadline() {
        let host = start("hang-at-launch").unwrap();
        let mut queue = host.client.queue().unwrap();
        queue
            .launch(Launch {
                module: ModuleId(0),
                base: 0,
                end: 1,
                args: vec![],
            })
            .unwrap();
        let fence = queue.fence().unwrap();
        let waited = queue.wait(fence, Instant::now() + Duration::from_millis(200));
        assert!(matches!(waited, Err(LinkError::Down(DownReason::Hung(_)))));
    }

    #[test]
    fn a_status_that_does_not_exist_is_garbage() {
        let host = start("garbage-fence").unwrap();
        let mut queue = host.client.queue().unwrap();
        let fence = queue.fence().unwrap();
        assert!(matches!(
            queue.wait(fence, soon()),
            Err(LinkError::Down(DownReason::Garbage(_)))
        ));
    }
}
