use hotsled::parallel;

#[hotsled::section(gpu)]
pub async fn f(x: &[f32], y: &mut [f32]) {
    for i in parallel(0..y.len()) {
        y[i + 1] = x[i].sin();
        let v = SCALE;
        match v {
            _ => {}
        }
    }
}

fn main() {}
