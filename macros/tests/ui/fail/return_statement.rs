use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        if x[i] < 0.0 {
            return;
        }
        y[i] = x[i];
    }
}

fn main() {}
