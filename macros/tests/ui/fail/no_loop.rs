use hotsled::parallel;

#[hotsled::section]
pub fn f(y: &mut [f32]) {
    y[0] = 1.0;
}

fn main() {}
