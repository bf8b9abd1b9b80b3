use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let g = |v: f32| v + 1.0;
        y[i] = g(x[i]);
    }
}

fn main() {}
