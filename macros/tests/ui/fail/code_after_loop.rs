use hotsled::parallel;

#[hotsled::section]
pub fn f(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i] = 0.0;
    }
    let _done = true;
}

fn main() {}
