//! Both sides compute every kernel and print rows of the promised form. No figure is looked at.

use std::process::Command;

use serde_json::{Map, Value};

fn rows(args: &[&str]) -> Vec<Map<String, Value>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hotsled-bench-wgpu"));
    let output = command.args(args).args(["--quick", "--json"]).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The program itself fails on a result that is wrong.
#[test]
fn each_kernel_has_a_row_of_each_side() {
    let rows = rows(&[]);
    let names: Vec<_> = rows.iter().map(|r| r["kernel"].as_str().unwrap()).collect();
    let kernels = ["saxpy", "jacobi-2d", "gemm", "mandelbrot", "nbody"];
    assert_eq!(names, kernels.map(|k| [k, k]).concat());
    for (n, row) in rows.iter().enumerate() {
        assert_eq!(row["bench"], "kernels");
        assert_eq!(row["scheme"], ["hotsled-vulkan", "wgpu"][n % 2]);
        assert!(row["seconds"].as_f64().unwrap() > 0.0, "{row:?}");
        assert!(row["size"].is_u64(), "{row:?}");
        let exact = row["difference"].as_f64() == Some(0.0);
        assert!(exact || row["scheme"] == "wgpu", "{row:?}");
    }
}

#[test]
fn a_row_says_how_many_times_wgpus_throughput_it_has() {
    let rows = rows(&["--kernels", "saxpy"]);
    let [ours, peer] = &rows[..] else {
        panic!("two rows, not {rows:?}")
    };
    let seconds = |row: &Map<String, Value>| row["seconds"].as_f64().unwrap();
    let ratio = |row: &Map<String, Value>| row["ratio"].as_f64().unwrap();
    assert_eq!(ratio(peer), 1.0);
    assert!((ratio(ours) * seconds(ours) / seconds(peer) - 1.0).abs() < 1e-9);
}
