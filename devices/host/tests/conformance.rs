//! The conformance suite: what every device host must do, asked over the link. `backend!` runs it for
//! one backend.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use hotsled_ir::{
    BinOp, CmpOp, Elem, Expr, Local, LocalId, Module, Param, ParamId, ParamKind, Stmt, Type, UnOp,
    Valid, Value, encode, interp, validate,
};
use hotsled_link::*;

/// A host process and the engine's end of its link; killed on drop.
struct Host {
    child: Child,
    client: Client,
}

impl Host {
    fn start(args: &[&str]) -> Result<Self, LinkError> {
        let (ours, theirs) = hotsled_sys::seqpacket::pair().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-device"));
        command.args(args).args(["--link-fd", "3"]);
        let mut child = hotsled_sys::spawn::with_descriptor(command, theirs, 3).unwrap();
        let options = ClientOptions {
            handshake: Duration::from_secs(2),
            ..ClientOptions::default()
        };
        match Client::accept(ours, &options) {
            Ok(client) => Ok(Self { child, client }),
            Err(error) => {
                let _ = (child.kill(), child.wait());
                Err(error)
            }
        }
    }

    fn lower(&self, module: &Valid) -> ModuleId {
        self.client
            .lower(1, &encode(module), Duration::from_secs(10))
            .unwrap()
            .module
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// Runs a module over `base..end` with whole slices, and returns the slices as the device left them.
fn run(
    queue: &mut Queue,
    module: ModuleId,
    kinds: &[ParamKind],
    args: &[interp::Arg],
    base: u64,
    end: u64,
) -> (Outcome, Vec<interp::Arg>) {
    let mut launch = Launch {
        module,
        base,
        end,
        args: vec![],
    };
    let mut buffers = Vec::new();
    for (arg, kind) in args.iter().zip(kinds) {
        match (arg, kind) {
            (interp::Arg::Scalar(value), _) => {
                launch.args.push(LaunchArg::Scalar(value.bits()));
                buffers.push(None);
            }
            (interp::Arg::Slice(bytes), ParamKind::Input(e) | ParamKind::Own(e)) => {
                let size = bytes.len() as u64;
                let (ptr, block) = (queue.alloc(size).unwrap(), queue.reserve(size).unwrap());
                // SAFETY: `bytes` is readable for its length.
                unsafe { queue.write(&block, 0, bytes.as_ptr(), size) };
                queue.copy_in(&block, 0, ptr, size).unwrap();
                let len = size / e.size();
                launch.args.push(LaunchArg::Slice {
                    ptr,
                    len,
                    first: 0,
                    count: len,
                });
                buffers.push(Some((ptr, block, size)));
            }
            _ => unreachable!(),
        }
    }
    queue.launch(launch).unwrap();
    for (ptr, block, size) in buffers.iter().flatten() {
        queue.copy_out(*ptr, block, 0, *size).unwrap();
    }
    let fence = queue.fence().unwrap();
    let outcome = queue.wait(fence, soon()).unwrap();
    let results = buffers
        .into_iter()
        .zip(args)
        .map(|(buffer, arg)| match buffer {
            None => arg.clone(),
            Some((ptr, block, size)) => {
                let mut bytes = vec![0; size as usize];
                // SAFETY: `bytes` has room for `size`.
                unsafe { queue.read(&block, 0, bytes.as_mut_ptr(), size) };
                queue.release(block);
                queue.free(ptr).unwrap();
                interp::Arg::Slice(bytes)
            }
        });
    (outcome, results.collect())
}

fn local(id: u16) -> Box<Expr> {
    Box::new(Expr::Local(LocalId(id)))
}

fn scalar(id: u16) -> Box<Expr> {
    Box::new(Expr::Scalar(ParamId(id)))
}

fn bin(op: BinOp, a: Box<Expr>, b: Box<Expr>) -> Box<Expr> {
    Box::new(Expr::Binary(op, a, b))
}

fn module(params: &[ParamKind], locals: &[Type], body: Vec<Stmt>) -> Valid {
    let param = |kind: &ParamKind| Param {
        name: "p".into(),
        kind: *kind,
    };
    let mut all = vec![Local {
        name: "i".into(),
        ty: Type::U64,
    }];
    all.extend(locals.iter().map(|ty| Local {
        name: "l".into(),
        ty: *ty,
    }));
    let module = Module {
        name: "conformance".into(),
        params: params.iter().map(param).collect(),
        locals: all,
        arrays: vec![],
        prelude: vec![],
        index: LocalId(0),
        body,
    };
    validate(module).unwrap()
}

fn saxpy() -> (Valid, Vec<ParamKind>) {
    let kinds = vec![
        ParamKind::Scalar(Type::F32),
        ParamKind::Input(Elem::F32),
        ParamKind::Own(Elem::F32),
    ];
    let product = bin(
        BinOp::Mul,
        scalar(0),
        Box::new(Expr::Load(ParamId(1), local(0))),
    );
    let body = vec![Stmt::Store(
        ParamId(2),
        *bin(BinOp::Add, product, Box::new(Expr::LoadOwn(ParamId(2)))),
    )];
    (module(&kinds, &[], body), kinds)
}

fn floats(values: impl IntoIterator<Item = f32>) -> interp::Arg {
    interp::Arg::Slice(values.into_iter().flat_map(f32::to_le_bytes).collect())
}

/// Equal bit for bit, all NaNs counting as equal.
fn same(elem: Option<Elem>, a: &interp::Arg, b: &interp::Arg) -> bool {
    let (interp::Arg::Slice(a), interp::Arg::Slice(b)) = (a, b) else {
        return a == b;
    };
    if elem != Some(Elem::F32) {
        return a == b;
    }
    let words = |bytes: &[u8]| {
        bytes
            .chunks(4)
            .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
            .collect::<Vec<_>>()
    };
    words(a)
        .iter()
        .zip(&words(b))
        .all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
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
    let (outcome, results) = run(queue, number, &kinds, args, base, end);
    match reference {
        Err(fault) => assert_eq!(outcome, Outcome::Faulted, "{fault}"),
        Ok(()) => {
            assert_eq!(outcome, Outcome::Done);
            for (n, (result, wanted)) in results.iter().zip(&wanted).enumerate() {
                let elem = match kinds[n] {
                    ParamKind::Own(e) => Some(e),
                    _ => None,
                };
                assert!(
                    same(elem, result, wanted),
                    "parameter {n} differs:\n{}",
                    hotsled_ir::print(module)
                );
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

/// Every operator on values that hurt.
fn operators_agree_with_the_interpreter(args: &[&str]) {
    let host = Host::start(args).unwrap();
    let mut queue = host.client.queue().unwrap();
    let hurt = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        2.5,
        -2.5,
        0.49999997,
        3e9,
        -3e9,
        1e-40,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        8388609.0,
        255.6,
    ];
    let n = hurt.len();
    let xs = floats((0..n * n).map(|i| hurt[i / n]));
    let ys = floats((0..n * n).map(|i| hurt[i % n]));
    let kinds = [
        ParamKind::Input(Elem::F32),
        ParamKind::Input(Elem::F32),
        ParamKind::Own(Elem::F32),
    ];
    let x = || Box::new(Expr::Load(ParamId(0), local(0)));
    let y = || Box::new(Expr::Load(ParamId(1), local(0)));
    let mut exprs = Vec::new();
    for op in [
        BinOp::Add,
        BinOp::Sub,
        BinOp::Mul,
        BinOp::Div,
        BinOp::Rem,
        BinOp::Min,
        BinOp::Max,
        BinOp::Hypot,
    ] {
        exprs.push(*bin(op, x(), y()));
    }
    for op in [
        UnOp::Neg,
        UnOp::Abs,
        UnOp::Sqrt,
        UnOp::Floor,
        UnOp::Ceil,
        UnOp::Trunc,
        UnOp::Round,
    ] {
        exprs.push(Expr::Unary(op, x()));
    }
    for op in [
        CmpOp::Eq,
        CmpOp::Ne,
        CmpOp::Lt,
        CmpOp::Le,
        CmpOp::Gt,
        CmpOp::Ge,
    ] {
        let flag = Expr::Compare(op, x(), y());
        exprs.push(Expr::Cast(
            Type::F32,
            Box::new(Expr::Cast(Type::U32, Box::new(flag))),
        ));
    }
    for ty in [Type::I32, Type::U32, Type::I64, Type::U64, Type::F64] {
        exprs.push(Expr::Cast(Type::F32, Box::new(Expr::Cast(ty, x()))));
    }
    let ints = |ty| Box::new(Expr::Cast(ty, x()));
    for ty in [Type::I32, Type::U32, Type::I64, Type::U64] {
        let b = || Box::new(Expr::Cast(ty, y()));
        for op in [
            BinOp::Add,
            BinOp::Sub,
            BinOp::Mul,
            BinOp::And,
            BinOp::Or,
            BinOp::Xor,
            BinOp::Min,
            BinOp::Max,
        ] {
            exprs.push(Expr::Cast(Type::F32, bin(op, ints(ty), b())));
        }
        for op in [BinOp::Shl, BinOp::Shr] {
            exprs.push(Expr::Cast(
                Type::F32,
                bin(op, ints(ty), Box::new(Expr::Cast(Type::U32, y()))),
            ));
        }
        for op in [BinOp::Div, BinOp::Rem] {
            let divisor = bin(
                BinOp::Or,
                b(),
                Box::new(Expr::Cast(ty, Box::new(Expr::Const(Value::U32(2))))),
            );
            exprs.push(Expr::Cast(Type::F32, bin(op, ints(ty), divisor)));
        }
    }
    for expr in exprs {
        let module = module(&kinds, &[], vec![Stmt::Store(ParamId(2), expr)]);
        agrees(
            &host,
            &mut queue,
            &module,
            &[xs.clone(), ys.clone(), floats(vec![0.0; n * n])],
            0,
            (n * n) as u64,
        );
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
    ($name:ident, $args:expr) => {
        mod $name {
            macro_rules! run {
                ($test:ident) => {
                    #[test]
                    fn $test() {
                        super::$test($args)
                    }
                };
            }
            run!(chunks_compute_their_range_only);
            run!(faults_are_a_status);
            run!(operators_agree_with_the_interpreter);
            run!(control_flow_agrees_with_the_interpreter);
            run!(memory_is_finite_and_launches_are_checked);
            run!(corrupt_modules_are_refused_and_the_link_goes_on);
            run!(a_killed_host_is_a_link_that_is_down);
            run!(a_goodbye_ends_the_process);
        }
    };
}

backend!(sim, &["sim", "--memory-mib", "64", "--latency-us", "0"]);

mod misbehaving {
    use super::*;

    fn start(fault: &str) -> Result<Host, LinkError> {
        Host::start(&["sim", "--fault", fault])
    }

    #[test]
    fn greetings_are_refused_with_their_reason() {
        assert!(matches!(
            start("bad-version"),
            Err(LinkError::Version { theirs: 8, ours: 1 })
        ));
        assert!(matches!(
            start("garbage-greeting"),
            Err(LinkError::Garbage { .. })
        ));
        assert!(matches!(
            start("close-early"),
            Err(LinkError::Down(DownReason::Closed))
        ));
        assert!(matches!(start("silent"), Err(LinkError::Timeout { .. })));
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
