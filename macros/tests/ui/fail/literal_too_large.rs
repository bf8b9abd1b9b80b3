use hotsled::parallel;

#[hotsled::section]
pub fn f(y: &mut [i32]) {
    for i in parallel(0..y.len()) {
        y[i] = 3_000_000_000;
    }
}

fn main() {}
