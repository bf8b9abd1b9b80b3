use hotsled::parallel;

#[hotsled::section]
pub fn f(a: f32, y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        a = 2.0;
        y[i] = a;
    }
}

fn main() {}
