//! Sections on the CPU give what the plain loop gives.

use hotsled::parallel;

#[hotsled::section]
fn saxpy(a: f32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = a * x[i] + y[i];
    }
}

#[hotsled::section]
fn window(radius: usize, src: &[u8], out: &mut [f32]) {
    let last = src.len() as i32 - 1;
    for i in parallel(0..out.len()) {
        let mut sum = 0.0;
        let mut n = 0;
        for k in 0..2 * radius + 1 {
            let at = (i as i32 + k as i32 - radius as i32).clamp(0, last) as usize;
            if src[at] as f32 > 3.0 && k != 1 {
                sum += src[at] as f32;
                n += 1;
            }
        }
        out[i] = if n == 0 {
            -1.0
        } else {
            (sum / n as f32).sqrt().max(0.25)
        };
    }
}

#[hotsled::section(cpu)]
fn bytes(x: &[f32], out: &mut [u8]) {
    for i in parallel(0..out.len()) {
        out[i] = (x[i] + 0.5).floor() as u8;
    }
}

#[test]
fn every_length_gives_the_sequential_result() {
    for n in [0usize, 1, 63, 64, 65, 4096, 4097, 100_003] {
        let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.25 - 7.0).collect();
        let mut y: Vec<f32> = (0..n).map(|i| (i % 17) as f32).collect();
        let wanted: Vec<f32> = x.iter().zip(&y).map(|(x, y)| 1.5 * x + y).collect();
        for _ in 0..3 {
            let mut y = y.clone();
            saxpy(1.5, &x, &mut y);
            assert_eq!(y, wanted, "length {n}");
        }
        saxpy(1.5, &x, &mut y);
        assert_eq!(y, wanted);
    }
}

#[test]
fn inner_loops_and_casts_are_rusts() {
    let src: Vec<u8> = (0..50_000u32).map(|i| (i * 7919 % 251) as u8).collect();
    let mut out = vec![0.0; src.len()];
    window(3, &src, &mut out);
    let plain = |i: usize| {
        let (mut sum, mut n) = (0.0f32, 0);
        for k in 0..7usize {
            let at = (i as i32 + k as i32 - 3).clamp(0, src.len() as i32 - 1) as usize;
            if f32::from(src[at]) > 3.0 && k != 1 {
                sum += f32::from(src[at]);
                n += 1;
            }
        }
        if n == 0 {
            -1.0
        } else {
            (sum / n as f32).sqrt().max(0.25)
        }
    };
    assert!(
        out.iter()
            .enumerate()
            .all(|(i, v)| v.to_bits() == plain(i).to_bits())
    );
}

#[test]
fn bytes_saturate_as_rust_casts_do() {
    let x = [-3.0, 0.4, 0.5, 254.6, 300.0, f32::NAN];
    let mut out = [9; 6];
    bytes(&x, &mut out);
    assert_eq!(out, [0, 0, 1, 255, 255, 0]);
}

fn message(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
    *std::panic::catch_unwind(f)
        .unwrap_err()
        .downcast::<String>()
        .expect("a formatted message")
}

#[test]
fn the_lowest_index_panics_with_rusts_message() {
    let x = vec![1.0; 60_000];
    let mut y = vec![0.0; 100_000];
    let text = message(std::panic::AssertUnwindSafe(|| saxpy(1.0, &x, &mut y)));
    assert_eq!(
        text,
        "index out of bounds: the len is 60000 but the index is 60000"
    );
    assert!(
        y[..60_000 - 4096 * 4].iter().all(|v| *v == 1.0),
        "taken grains finish"
    );
    assert!(
        y[60_000..].iter().all(|v| *v == 0.0),
        "elements hold old or final values"
    );
}

#[hotsled::section]
fn beyond(n: usize, y: &mut [u32]) {
    for i in parallel(0..n) {
        y[i] = i as u32;
    }
}

#[test]
fn an_own_index_beyond_the_slice_panics_with_the_whole_length() {
    let mut y = vec![7; 10_000];
    let text = message(std::panic::AssertUnwindSafe(|| beyond(10_001, &mut y)));
    assert_eq!(
        text,
        "index out of bounds: the len is 10000 but the index is 10000"
    );
    assert_eq!(y[9_999], 9_999);
}

#[test]
fn callers_may_be_many_and_may_be_workers() {
    let run = |seed: usize| {
        let x: Vec<f32> = (0..50_000).map(|i| (i + seed) as f32).collect();
        let mut y = vec![1.0; 50_000];
        saxpy(2.0, &x, &mut y);
        assert!(y.iter().zip(&x).all(|(y, x)| *y == 2.0 * x + 1.0));
    };
    std::thread::scope(|s| {
        for seed in 0..8 {
            s.spawn(move || (0..5).for_each(|k| run(seed * 10 + k)));
        }
    });
    use rayon::prelude::*;
    (0..16usize).into_par_iter().for_each(run);
}
