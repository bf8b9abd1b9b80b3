use hotsled::parallel;

#[hotsled::section]
pub fn f(a: u128, names: &[String], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
}

fn main() {}
