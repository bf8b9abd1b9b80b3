use hotsled::parallel;

#[hotsled::section]
pub fn f(y: &mut [f32]) -> f32 {
    let last = y.len();
    for i in parallel(0..last) {
        y[i] = 0.0;
    }
    1.0
}

fn main() {}
