use hotsled::parallel;

pub struct Point {
    x: f32,
}

#[hotsled::section]
pub fn f(y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        let p = Point { x: 1.0 };
        y[i] = p.x;
    }
}

fn main() {}
