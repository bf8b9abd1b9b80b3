use hotsled::parallel;

const SCALE: f32 = 2.0;

#[hotsled::section]
pub fn f(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = SCALE;
    }
}

fn main() {}
