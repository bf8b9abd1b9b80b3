use hotsled::parallel;

#[hotsled::section]
pub fn f<T: Copy>(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
}

fn main() {}
