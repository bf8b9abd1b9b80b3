use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let sum = 0.0;
        sum += x[i];
        y[i] = sum;
    }
}

fn main() {}
