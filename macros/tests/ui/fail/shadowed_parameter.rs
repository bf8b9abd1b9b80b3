use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let x = 1.0;
        let i = 2.0;
        y[0] = x + i;
    }
}

fn main() {}
