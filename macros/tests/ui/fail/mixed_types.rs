use hotsled::parallel;

#[hotsled::section]
pub fn f(n: u32, x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = x[i] * n;
        let k: i32 = n;
        y[i] = 1;
    }
}

fn main() {}
