use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i + 1] = x[i];
    }
}

fn main() {}
