use hotsled::parallel;

#[hotsled::section]
pub fn f(x: &[u8], y: &mut [u8]) {
    for i in parallel(0..y.len()) {
        y[i] = x[i] + 1;
    }
}

fn main() {}
