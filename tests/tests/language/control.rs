//! Statements that decide and repeat.

use hotsled::parallel;

use crate::agree;
use crate::agree::ToArg;

#[hotsled::section]
fn classes(x: &[i32], small: &[u8], y: &mut [i32], flags: &mut [u32]) {
    for i in parallel(0..y.len()) {
        let v = x[i];
        y[i] = match v {
            0 => 100,
            1 | 2 | 5 => v * 10,
            -9..=-1 => -v,
            10..20 => v - 10,
            i32::MAX => 8,
            1000.. => {
                let half = v / 2;
                half + 1
            }
            _ if v % 2 == 0 => -1,
            _ => -2,
        };
        match small[i] {
            0 => flags[i] = 1,
            1..=127 => {
                let mut n = 0;
                while n < small[i] as u32 {
                    n += 3;
                }
                flags[i] = n;
            }
            128..=255 => {}
        }
        match v > 0 {
            true => flags[i] += 1000,
            false => (),
        }
    }
}

#[test]
fn matches() {
    let x: Vec<i32> = (-30..30).chain([999, 1000, i32::MIN, i32::MAX]).collect();
    let small: Vec<u8> = (0..x.len()).map(|i| (i * 37) as u8).collect();
    let (mut y, mut flags) = (vec![0; x.len()], vec![5u32; x.len()]);
    agree!(classes(; x, small; y, flags));
    assert_eq!(y[30 + 5], 50);
    assert_eq!(y[63], 8);
}

#[hotsled::section]
fn ranges(n: i32, step: usize, y: &mut [i64]) {
    for i in parallel(0..y.len()) {
        let mut sum = 0i64;
        for k in (0..n).rev() {
            sum = sum * 3 + k as i64;
        }
        for k in -3..=n {
            sum = sum * 5 + k as i64;
        }
        for k in (1..=i).step_by(step) {
            sum = sum * 7 + k as i64;
        }
        for k in (0..i).rev().step_by(step).rev() {
            sum = sum * 11 + k as i64;
        }
        for k in (0..=n).rev().step_by(3) {
            sum = sum * 13 + k as i64;
        }
        for _ in 0..3 {
            sum += 1;
        }
        for k in i32::MAX - 2..=i32::MAX {
            sum += k as i64;
        }
        y[i] = sum;
    }
}

#[test]
fn ranges_forwards_backwards_and_in_steps() {
    for (n, step) in [(0, 1), (7, 2), (-5, 3), (20, 1000), (1, usize::MAX)] {
        let mut y = vec![0i64; 40];
        agree!(ranges(n, step; ; y));
    }
}

#[test]
fn a_step_of_zero_panics() {
    let mut y = vec![0i64; 4];
    agree!(ranges(1, 0usize; ; y));
}

#[hotsled::section]
fn jumps(limit: u32, x: &[u32], y: &mut [u32], z: &mut [u32]) {
    'all: for i in parallel(0..y.len()) {
        if x[i] == 7 {
            continue;
        }
        let mut found = 0;
        'rows: for a in 0..limit {
            'columns: for b in 0..limit {
                for c in 0..4u32 {
                    if a * b + c == x[i] {
                        found = a * 100 + b;
                        break 'rows;
                    }
                    if b > a {
                        continue 'rows;
                    }
                    if c == 2 && b % 2 == 1 {
                        continue 'columns;
                    }
                    if x[i] == 99 {
                        continue 'all;
                    }
                    found += 1;
                }
                loop {
                    found += 1;
                    if found % 5 == 0 {
                        break;
                    }
                    if found > 5000 {
                        break 'columns;
                    }
                }
            }
            found += 1000;
        }
        y[i] = found;
        let mut k = 0u32;
        while k < 10 {
            k += 1;
            if k == x[i] {
                continue;
            }
            z[i] += k;
        }
    }
}

#[test]
fn labelled_jumps() {
    let x: Vec<u32> = (0..50).chain([99, 7, 7, 99]).collect();
    for limit in [0, 1, 9] {
        let (mut y, mut z) = (vec![1u32; x.len()], vec![0u32; x.len()]);
        agree!(jumps(limit; x; y, z));
    }
}
