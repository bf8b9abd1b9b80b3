//! Statements that are not in the language, and rules that they break.

use hotsled::parallel;

#[hotsled::section]
pub fn statements(a: f32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        println!("{}", x[i]);
        fn inner() {}
        let late;
        let Some(v) = x.get(i) else { continue };
        let mut n = 0;
        for v in x {}
        for k in (0..3).map(|k| k + 1) {}
        while let Some(v) = x.get(n) {}
        if let 1 = n {}
        match n {
            m => {}
        }
        match a {
            _ => {}
        }
        let found = loop {
            break n;
        };
        if x[i] < 0.0 {
            return;
        }
        if a > 0.0 {
            break;
        }
        y[i] = x[i];
    }
}

#[hotsled::section]
pub fn rules(a: f32, x: &[f32], y: &mut [f32]) {
    let first = y[0];
    for i in parallel(0..y.len()) {
        let k = 1;
        let x = 2.0;
        let t = [0; 3];
        a = 2.0;
        i = 3;
        k = 2;
        t[0] = 1;
        x[i] = 1.0;
        y[i + 1] = x[i];
        y[i] = y[i / 2] + x[i];
        let v = {
            y[i] = 1.0;
            2.0
        };
        let n = 2;
        let sized = [0.0; n];
    }
}

#[hotsled::section]
pub fn carried(x: &[f32], y: &mut [f32]) {
    let mut sum = 0.0;
    let mut seen = [0; 3];
    let mut pair = (1, 2);
    for i in parallel(0..y.len()) {
        sum += x[i];
        seen[0] = 1;
        pair.0 = 2;
        y[i] = sum;
    }
}

fn main() {}
