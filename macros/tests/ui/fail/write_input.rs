use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &mut [f32], n: usize) {
    for i in parallel(0..n) {
        let v = 1.0f32;
        v[i] = x[i];
    }
}

fn main() {}
