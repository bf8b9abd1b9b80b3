//! A Vulkan device by itself: opened and closed without leaks, hung, lost, and found.
#![cfg(feature = "vulkan")]

mod common;

use std::collections::HashSet;
use std::process::Command;
use std::time::{Duration, Instant};

use common::build::{bin, local, module, saxpy};
use common::host::{Host, run, soon};
use hotsled_device::backend::Status;
use hotsled_device::cache::Cache;
use hotsled_device::vulkan::{self, Options, VulkanError};
use hotsled_ir::{
    BinOp, Elem, Expr, LocalId, ParamId, ParamKind, Stmt, Type, Valid, Value, interp,
};
use hotsled_link::*;

fn options() -> Options {
    Options {
        number: 0,
        memory: Some(64 << 20),
        deadline: Duration::from_secs(30),
        validate: true,
        plain: false,
        bounded: false,
        cache: Cache::OFF,
    }
}

/// The validation layer, silent, also sees all objects given back: the device is dropped here.
#[test]
fn a_device_is_opened_used_and_closed_without_leaks() {
    for _ in 0..2 {
        let mut device = vulkan::device("test", &options()).unwrap();
        let module = device.lowering.lower(&saxpy().0).unwrap();
        let (x, mut y) = (vec![3.0f32; 100], vec![1.0f32; 100]);
        let pointers = [
            device.backend.alloc(400).unwrap(),
            device.backend.alloc(400).unwrap(),
        ];
        // SAFETY: 400 bytes are readable.
        let sent = unsafe { device.backend.copy_in(pointers[0], x.as_ptr().cast(), 400) };
        assert_eq!(sent, Status::Done);
        // SAFETY: as above.
        let sent = unsafe { device.backend.copy_in(pointers[1], y.as_ptr().cast(), 400) };
        assert_eq!(sent, Status::Done);
        let slice = |ptr| LaunchArg::Slice {
            ptr,
            len: 100,
            first: 0,
            count: 100,
        };
        let a = LaunchArg::Scalar(u64::from(2.0f32.to_bits()));
        let args = vec![a, slice(pointers[0]), slice(pointers[1])];
        let launch = Launch {
            module: ModuleId(module),
            base: 0,
            end: 100,
            args,
        };
        assert_eq!(device.backend.launch(&launch), Status::Done);
        // SAFETY: 400 bytes are writable.
        let came = unsafe {
            device
                .backend
                .copy_out(pointers[1], y.as_mut_ptr().cast(), 400)
        };
        assert_eq!(came, Status::Done);
        assert!(y.iter().all(|v| *v == 7.0));
        assert_eq!(device.backend.free(pointers[0]), Status::Done);
    }
}

/// More elements than one dispatch may have groups for: `y[i] = i`.
#[test]
fn launches_are_split_into_dispatches() {
    let host = Host::start(&["vulkan", "--validate", "--no-cache"]).unwrap();
    let mut queue = host.client.queue().unwrap();
    let value = Expr::Cast(Type::U32, local(0));
    let kinds = [ParamKind::Own(Elem::U32)];
    let module = module(&kinds, &[], vec![Stmt::Store(ParamId(0), value)]);
    let number = host.lower(&module);
    let n = 65_535 * 64 + 1000;
    let args = [interp::Arg::Slice(vec![0xee; 4 * n])];
    let (outcome, results) = run(&mut queue, number, &kinds, &args, 1, n as u64);
    assert_eq!(outcome, Outcome::Done);
    let interp::Arg::Slice(bytes) = &results[0] else {
        panic!("a slice")
    };
    let (words, _) = bytes.as_chunks::<4>();
    let wrong = (1..n).find(|i| u32::from_le_bytes(words[*i]) != *i as u32);
    assert_eq!((wrong, words[0]), (None, [0xee; 4]));
}

/// A loop of `turns` a value of the own slice, which it stores at the end.
fn long_loop(turns: u64) -> Valid {
    let (count, sum) = (LocalId(1), LocalId(2));
    let term = bin(BinOp::Xor, local(1), local(0));
    let number = |v| Expr::Const(Value::U64(v));
    let body = vec![
        Stmt::Set(sum, number(0)),
        Stmt::For {
            var: count,
            start: number(0),
            end: number(turns),
            body: vec![Stmt::Set(sum, *bin(BinOp::Add, local(2), term))],
        },
        Stmt::Store(ParamId(0), Expr::Local(sum)),
    ];
    module(&[ParamKind::Own(Elem::U64)], &[Type::U64, Type::U64], body)
}

/// llvmpipe ends loops after 65535 turns and goes on behind them.
#[test]
fn long_loops_give_the_right_result_or_fault() {
    let host = Host::start(&["vulkan", "--validate", "--no-cache"]).unwrap();
    let mut queue = host.client.queue().unwrap();
    for (turns, may_fault) in [(1000, false), (60_000, false), (70_000, true)] {
        let module = long_loop(turns);
        let number = host.lower(&module);
        let args = [interp::Arg::Slice(vec![0; 160])];
        let (outcome, results) = run(
            &mut queue,
            number,
            &[ParamKind::Own(Elem::U64)],
            &args,
            0,
            20,
        );
        if may_fault && outcome == Outcome::Faulted {
            continue;
        }
        let mut wanted = args.to_vec();
        interp::run(&module, &mut wanted, 0, 20, 1 << 30).unwrap();
        assert_eq!((outcome, results), (Outcome::Done, wanted), "{turns} turns");
    }
}

/// What a launch over `n` elements that never ends, or not for long, comes to.
fn launched(host: &Host, queue: &mut Queue, turns: u64, n: u64) -> Result<Outcome, LinkError> {
    let module = host.lower(&long_loop(turns));
    let ptr = queue.alloc(8 * n)?;
    let args = vec![LaunchArg::Slice {
        ptr,
        len: n,
        first: 0,
        count: n,
    }];
    queue.launch(Launch {
        module,
        base: 0,
        end: n,
        args,
    })?;
    let fence = queue.fence()?;
    queue.wait(fence, soon())
}

const IMPATIENT: [&str; 5] = ["vulkan", "--validate", "--no-cache", "--deadline-ms", "700"];

#[test]
fn a_loop_without_end_faults_or_is_a_link_that_is_down() {
    let host = Host::start(&IMPATIENT).unwrap();
    let mut queue = host.client.queue().unwrap();
    let came = launched(&host, &mut queue, u64::MAX, 20);
    let down = matches!(came, Err(LinkError::Down(DownReason::Closed)));
    assert!(down || matches!(came, Ok(Outcome::Faulted)), "{came:?}");
}

/// A kernel that runs for minutes on a CPU, or one without end on hardware that was done with it: the host
/// notices by itself, leaves at once, and the link is down.
#[test]
fn a_hung_kernel_quarantines_the_device() {
    let mut host = Host::start(&IMPATIENT).unwrap();
    let mut queue = host.client.queue().unwrap();
    let mut came = launched(&host, &mut queue, 60_000, 4_000_000);
    if matches!(came, Ok(Outcome::Done)) {
        came = launched(&host, &mut queue, u64::MAX, 20);
    }
    assert!(
        matches!(came, Err(LinkError::Down(DownReason::Closed))),
        "{came:?}"
    );
    let deadline = Instant::now() + Duration::from_secs(10);
    while host.child.try_wait().unwrap().is_none() {
        assert!(
            Instant::now() < deadline,
            "the host waits for its hung kernel"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_lost_device_is_a_link_that_is_down() {
    for fault in ["lost-at-copy-in", "lost-at-launch", "lost-at-copy-out"] {
        let host = Host::start(&["vulkan", "--validate", "--no-cache", "--fault", fault]).unwrap();
        let mut queue = host.client.queue().unwrap();
        let module = host.lower(&saxpy().0);
        let (ptr, block) = (queue.alloc(400).unwrap(), queue.reserve(400).unwrap());
        queue.copy_in(&block, 0, ptr, 400).unwrap();
        let slice = LaunchArg::Slice {
            ptr,
            len: 100,
            first: 0,
            count: 100,
        };
        let args = vec![LaunchArg::Scalar(0), slice, slice];
        // The link may go down at any of these.
        let _ = queue.launch(Launch {
            module,
            base: 0,
            end: 100,
            args,
        });
        let _ = queue.copy_out(ptr, &block, 0, 400);
        let waited = queue.fence().and_then(|fence| queue.wait(fence, soon()));
        assert!(
            matches!(waited, Err(LinkError::Down(DownReason::Closed))),
            "{fault}: {waited:?}"
        );
    }
}

#[test]
fn a_number_too_high_is_refused_by_how_many_there_are() {
    let error = vulkan::device(
        "test",
        &Options {
            number: 99,
            ..options()
        },
    )
    .err()
    .unwrap();
    assert!(
        matches!(error, VulkanError::NoDevice { number: 99, count } if count >= 1),
        "{error}"
    );
}

/// Every float operation is in the survey once; what differs is told with its operands.
#[test]
fn the_survey_tells_of_every_operation() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-device"));
    let output = command
        .args(["vulkan", "--survey", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let names: HashSet<_> = rows
        .iter()
        .map(|row| row["operation"].to_string())
        .collect();
    assert_eq!((rows.len(), names.len()), (36, 36), "{names:?}");
    for row in rows {
        let differs = row["differs"]
            .as_str()
            .is_some_and(|how| how.contains(" instead of "));
        assert_ne!(row["exact"].as_bool().unwrap(), differs, "{row}");
    }
}

/// A driver that appears is found by the next discovery; none is no error.
#[test]
fn each_discovery_sees_what_is_there_now() {
    let list = |icd: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-device"));
        command
            .args(["vulkan", "--list"])
            .env("VK_ICD_FILENAMES", icd);
        command.env("VK_DRIVER_FILES", icd).output().unwrap()
    };
    let found = |icd: &str| {
        String::from_utf8(list(icd).stdout)
            .unwrap()
            .contains("llvmpipe")
    };
    assert!(!found("/nonexistent.json"));
    assert!(found("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"));
    let said = String::from_utf8(list("/nonexistent.json").stderr).unwrap();
    assert!(said.contains("hotsled-device: "), "{said}");
}

#[test]
fn memory_is_as_large_as_it_says() {
    let host = Host::start(&["vulkan", "--validate", "--no-cache", "--memory-mib", "1"]).unwrap();
    let mut queue = host.client.queue().unwrap();
    assert_eq!(host.client.info().memory, 1 << 20);
    let half = queue.alloc(1 << 19).unwrap();
    assert!(matches!(
        queue.alloc((1 << 19) + 1),
        Err(LinkError::DeviceFull { .. })
    ));
    queue.alloc(1 << 19).unwrap();
    assert!(matches!(queue.alloc(1), Err(LinkError::DeviceFull { .. })));
    queue.free(half).unwrap();
    queue.alloc(1 << 19).unwrap();
}
